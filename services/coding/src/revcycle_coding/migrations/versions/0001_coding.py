"""Codings, their decisions, the worklist and the notes."""

from alembic import op
from revcycle_service_kit.migrations import chassis_upgrade, create_service_schema, protect_tenant_tables

revision = "coding_0001"
down_revision = None

TENANT = "tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid"

# No foreign keys: parents are locked by the same transaction and never deleted, and a check per row made bulk inserts
# slower with every row in the table (its plan is kept from when the table was empty).
TABLES = f"""
CREATE TABLE coding.coding (
    {TENANT},
    encounter_id uuid NOT NULL,
    billing_side text NOT NULL,
    patient_id uuid NOT NULL,
    facility_npi text NOT NULL,
    place_of_service text NOT NULL,
    document jsonb NOT NULL,
    encounter_sequence bigint NOT NULL,
    codes jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'finalised', 'not_billable', 'cancelled')),
    findings jsonb NOT NULL,
    coded jsonb,
    coding_version integer NOT NULL,
    finalised_by text,
    decision_id uuid,
    edited_by text,
    version integer NOT NULL,
    PRIMARY KEY (tenant_id, encounter_id, billing_side)
);

CREATE TABLE coding.note (
    {TENANT},
    document_id uuid NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (tenant_id, document_id)
);

CREATE TABLE coding.decision (
    {TENANT},
    id uuid NOT NULL,
    encounter_id uuid NOT NULL,
    billing_side text NOT NULL,
    rule text NOT NULL,
    input bytea NOT NULL,
    input_hash text NOT NULL,
    code_set_releases jsonb NOT NULL,
    output bytea NOT NULL,
    evidence jsonb NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX decision_of_coding ON coding.decision (tenant_id, encounter_id, billing_side);

CREATE TABLE coding.task (
    {TENANT},
    id uuid NOT NULL,
    encounter_id uuid NOT NULL,
    billing_side text NOT NULL,
    kind text NOT NULL,
    rules jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    claimed_by text,
    lease_until timestamptz,
    resolved_at timestamptz,
    resolution text,
    resolved_by text,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX task_open_once ON coding.task (tenant_id, encounter_id, billing_side) WHERE resolved_at IS NULL;
CREATE INDEX task_open ON coding.task (tenant_id, id) WHERE resolved_at IS NULL;
CREATE INDEX task_of_encounter ON coding.task (tenant_id, encounter_id);

CREATE FUNCTION coding.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a decision is never changed or deleted';
END $$;
CREATE TRIGGER decision_is_append_only BEFORE UPDATE OR DELETE ON coding.decision
    FOR EACH ROW EXECUTE FUNCTION coding.refuse_change();
"""


def upgrade() -> None:
    chassis_upgrade()
    create_service_schema("coding")
    op.execute(TABLES)
    protect_tenant_tables("coding")


def downgrade() -> None:
    op.execute("DROP SCHEMA coding CASCADE")
