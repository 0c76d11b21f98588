"""Routes, submissions, interchanges both ways, inquiries, acknowledgments, remittances, exceptions."""

from alembic import op
from revcycle_service_kit.migrations import chassis_upgrade, create_service_schema, protect_tenant_tables

revision = "gateway_0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT = "tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid"


def upgrade() -> None:
    chassis_upgrade()
    create_service_schema("gateway")
    for statement in (*_sending(), *_receiving()):
        op.execute(statement)
    protect_tenant_tables("gateway")


def _sending() -> tuple[str, ...]:
    return (
        # Whose routes to work for. It holds no tenant's data, so it needs no policy; background work starts from it.
        "CREATE TABLE gateway.tenant (id uuid PRIMARY KEY)",
        f"""
        CREATE TABLE gateway.route (
            {TENANT},
            payer_id text NOT NULL,
            base_url text NOT NULL,
            sender_id text NOT NULL,
            receiver_id text NOT NULL,
            usage_indicator text NOT NULL CHECK (usage_indicator IN ('T', 'P')),
            enabled boolean NOT NULL,
            max_claims_per_interchange integer NOT NULL CHECK (max_claims_per_interchange BETWEEN 1 AND 5000),
            poll_milliseconds integer NOT NULL CHECK (poll_milliseconds BETWEEN 50 AND 3600000),
            version integer NOT NULL,
            updated_at timestamptz NOT NULL,
            updated_by text NOT NULL,
            PRIMARY KEY (tenant_id, payer_id)
        )
        """,
        # ISA13 and GS06 of everything that leaves: gaps are fine, a number given twice is not.
        f"""
        CREATE TABLE gateway.control_number (
            {TENANT},
            sender_id text NOT NULL,
            receiver_id text NOT NULL,
            last_number integer NOT NULL CHECK (last_number BETWEEN 1 AND 999999999),
            PRIMARY KEY (tenant_id, sender_id, receiver_id)
        )
        """,
        f"""
        CREATE TABLE gateway.submission (
            {TENANT},
            submission_id uuid NOT NULL,
            claim_id uuid NOT NULL,
            encounter_id uuid NOT NULL,
            payer_id text NOT NULL,
            patient_control_number text NOT NULL,
            frequency text NOT NULL,
            charge_cents bigint NOT NULL,
            claim jsonb NOT NULL,
            submitted_sequence bigint NOT NULL,
            submitted_at timestamptz NOT NULL,
            sending text NOT NULL
                CHECK (sending IN ('queued', 'intent', 'sent', 'unknown', 'not_sent', 'refused')),
            answer text NOT NULL CHECK
                (answer IN ('none', 'syntax', 'accepted', 'pended', 'rejected', 'adjudicated', 'reversed')),
            interchange_id uuid,
            absent_attempt integer,
            payer_claim_control_number text,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, submission_id),
            CHECK ((interchange_id IS NULL) = (sending = 'queued') OR sending = 'refused')
        )
        """,
        """
        CREATE UNIQUE INDEX submission_arrival
            ON gateway.submission (tenant_id, payer_id, patient_control_number, frequency)
        """,
        """
        CREATE INDEX submission_queued ON gateway.submission (tenant_id, payer_id, submitted_at, submission_id)
            WHERE sending = 'queued'
        """,
        "CREATE INDEX submission_interchange ON gateway.submission (tenant_id, interchange_id)",
        "CREATE INDEX submission_claim ON gateway.submission (tenant_id, claim_id)",
        """
        CREATE INDEX submission_payer_number ON gateway.submission (tenant_id, payer_id, payer_claim_control_number)
        """,
        "CREATE INDEX submission_state ON gateway.submission (tenant_id, sending, submission_id)",
        f"""
        CREATE TABLE gateway.interchange (
            {TENANT},
            interchange_id uuid NOT NULL,
            arrival bigint GENERATED ALWAYS AS IDENTITY,
            direction text NOT NULL CHECK (direction IN ('out', 'in')),
            kind text NOT NULL,
            payer_id text NOT NULL,
            state text NOT NULL,
            sha256 text NOT NULL CHECK (length(sha256) = 64),
            raw bytea NOT NULL,
            size_bytes integer NOT NULL,
            sender_id text NOT NULL DEFAULT '',
            receiver_id text NOT NULL DEFAULT '',
            control_number integer,
            group_control_number integer,
            batch_reference text,
            claim_count integer NOT NULL DEFAULT 0,
            attempt integer NOT NULL DEFAULT 0,
            lease_until timestamptz,
            next_at timestamptz,
            inquiries integer NOT NULL DEFAULT 0,
            copies integer NOT NULL DEFAULT 1,
            source text NOT NULL,
            finding jsonb,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, interchange_id),
            CHECK (CASE direction
                WHEN 'out' THEN state IN ('intent', 'sent', 'unknown', 'not_sent', 'refused')
                ELSE state IN ('received', 'processed', 'malformed') END)
        )
        """,
        "ALTER TABLE gateway.interchange ALTER COLUMN raw SET STORAGE EXTERNAL",
        """
        CREATE UNIQUE INDEX interchange_out_number
            ON gateway.interchange (tenant_id, sender_id, receiver_id, control_number) WHERE direction = 'out'
        """,
        """
        CREATE UNIQUE INDEX interchange_out_batch
            ON gateway.interchange (tenant_id, sender_id, batch_reference) WHERE direction = 'out'
        """,
        # The same bytes on the same route are one answer, however often they come.
        """
        CREATE UNIQUE INDEX interchange_in_content
            ON gateway.interchange (tenant_id, payer_id, sha256) WHERE direction = 'in'
        """,
        """
        CREATE INDEX interchange_open ON gateway.interchange (tenant_id, state, next_at)
            WHERE state IN ('intent', 'unknown', 'not_sent', 'received')
        """,
        "CREATE INDEX interchange_arrival ON gateway.interchange (tenant_id, arrival)",
        f"""
        CREATE TABLE gateway.attempt (
            {TENANT},
            interchange_id uuid NOT NULL,
            attempt integer NOT NULL,
            base_url text NOT NULL,
            at timestamptz NOT NULL,
            outcome text CHECK (outcome IN ('taken', 'refused', 'not_sent', 'unknown')),
            http_status integer,
            detail text,
            settled_at timestamptz,
            PRIMARY KEY (tenant_id, interchange_id, attempt),
            FOREIGN KEY (tenant_id, interchange_id) REFERENCES gateway.interchange
        )
        """,
    )


def _receiving() -> tuple[str, ...]:
    return (
        # attempt: the delivery of the asked-about interchange after which the question was put.
        f"""
        CREATE TABLE gateway.inquiry (
            {TENANT},
            trace text NOT NULL,
            submission_id uuid NOT NULL,
            payer_id text NOT NULL,
            asked_about uuid,
            attempt integer NOT NULL,
            asked_in uuid,
            state text NOT NULL CHECK (state IN ('queued', 'asked', 'answered', 'failed')),
            finding text,
            category text,
            status text,
            requested_by text NOT NULL,
            created_at timestamptz NOT NULL,
            answered_at timestamptz,
            PRIMARY KEY (tenant_id, trace),
            FOREIGN KEY (tenant_id, submission_id) REFERENCES gateway.submission
        )
        """,
        "CREATE INDEX inquiry_queued ON gateway.inquiry (tenant_id, payer_id, created_at) WHERE state = 'queued'",
        "CREATE INDEX inquiry_asked ON gateway.inquiry (tenant_id, asked_in)",
        "CREATE INDEX inquiry_submission ON gateway.inquiry (tenant_id, submission_id, created_at)",
        f"""
        CREATE TABLE gateway.resolution (
            {TENANT},
            resolution_id uuid NOT NULL,
            submission_id uuid NOT NULL,
            interchange_id uuid NOT NULL,
            attempt integer NOT NULL,
            resolution text NOT NULL CHECK (resolution IN ('sent', 'not_sent')),
            reason text NOT NULL,
            resolved_by text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, resolution_id)
        )
        """,
        f"""
        CREATE TABLE gateway.acknowledgment (
            {TENANT},
            acknowledgment_id uuid NOT NULL,
            kind text NOT NULL,
            payer_id text NOT NULL,
            received_in uuid NOT NULL,
            interchange_id uuid,
            submission_id uuid,
            verdict text NOT NULL,
            codes jsonb NOT NULL,
            received_at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, acknowledgment_id)
        )
        """,
        "CREATE INDEX acknowledgment_interchange ON gateway.acknowledgment (tenant_id, interchange_id)",
        "CREATE INDEX acknowledgment_submission ON gateway.acknowledgment (tenant_id, submission_id)",
        f"""
        CREATE TABLE gateway.remittance (
            {TENANT},
            remittance_id uuid NOT NULL,
            state text NOT NULL CHECK (state IN ('published', 'held')),
            identity_key text NOT NULL,
            payer_id text NOT NULL,
            trace_number text NOT NULL,
            payment_date date NOT NULL,
            payment_method text NOT NULL,
            paid_cents bigint NOT NULL,
            interchange_id uuid NOT NULL,
            copies integer NOT NULL DEFAULT 1,
            failing jsonb NOT NULL,
            claims jsonb NOT NULL,
            provider_adjustments jsonb NOT NULL,
            received_at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, remittance_id)
        )
        """,
        "CREATE UNIQUE INDEX remittance_identity ON gateway.remittance (tenant_id, identity_key)",
        """
        CREATE INDEX remittance_payment
            ON gateway.remittance (tenant_id, payer_id, trace_number, payment_date, paid_cents)
        """,
        f"""
        CREATE TABLE gateway.exception_item (
            {TENANT},
            exception_id uuid NOT NULL,
            kind text NOT NULL,
            payer_id text NOT NULL,
            interchange_id uuid,
            submission_id uuid,
            reference text NOT NULL,
            detail text NOT NULL,
            remedy text NOT NULL,
            opened_at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, exception_id)
        )
        """,
        "CREATE INDEX exception_kind ON gateway.exception_item (tenant_id, kind, exception_id)",
    )
