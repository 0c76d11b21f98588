"""Facilities, payers, patients, coverages, encounters and their documents."""

from alembic import op
from revcycle_service_kit.migrations import chassis_upgrade, create_service_schema, protect_tenant_tables

revision = "registration_0001"
down_revision = None

TENANT = "tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid"

# No foreign keys: parents are locked by the same transaction and never deleted, and a check per row made bulk inserts
# slower with every row in the table (its plan is kept from when the table was empty).
TABLES = f"""
CREATE TABLE registration.facility (
    {TENANT},
    npi text NOT NULL,
    name text NOT NULL,
    tax_id text NOT NULL,
    taxonomy text,
    line1 text NOT NULL,
    line2 text,
    city text NOT NULL,
    state text NOT NULL,
    postal_code text NOT NULL,
    time_zone text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, npi)
);

CREATE TABLE registration.payer (
    {TENANT},
    payer_id text NOT NULL,
    name text NOT NULL,
    filing_limit_days integer NOT NULL CHECK (filing_limit_days BETWEEN 1 AND 1095),
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, payer_id)
);

CREATE TABLE registration.patient (
    {TENANT},
    id uuid NOT NULL,
    facility_npi text NOT NULL,
    medical_record_number text NOT NULL,
    version integer NOT NULL,
    last_name text,
    first_name text,
    middle_name text,
    birth_date date,
    sex text,
    phone text,
    line1 text,
    line2 text,
    city text,
    state text,
    postal_code text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, facility_npi, medical_record_number)
);

CREATE TABLE registration.coverage (
    {TENANT},
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    rank smallint NOT NULL CHECK (rank > 0),
    payer_id text NOT NULL,
    member_id text NOT NULL,
    group_number text,
    relationship text NOT NULL,
    effective_from date NOT NULL,
    effective_to date CHECK (effective_to >= effective_from),
    subscriber jsonb,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX coverage_of_patient ON registration.coverage (tenant_id, patient_id);

CREATE TABLE registration.encounter (
    {TENANT},
    id uuid NOT NULL,
    facility_npi text NOT NULL,
    encounter_number text NOT NULL,
    patient_id uuid NOT NULL,
    date_of_service date NOT NULL,
    place_of_service text,
    rendering_npi text,
    rendering_last_name text,
    rendering_first_name text,
    rendering_taxonomy text,
    primary_care_provider_npi text,
    diagnoses jsonb NOT NULL,
    services jsonb NOT NULL,
    document_id uuid,
    gaps jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'documented', 'cancelled')),
    blocked_by jsonb NOT NULL,
    content_sha256 text NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, facility_npi, encounter_number)
);
CREATE INDEX encounter_open_of_patient ON registration.encounter (tenant_id, patient_id) WHERE state = 'open';
CREATE INDEX encounter_open ON registration.encounter (tenant_id, id) WHERE state = 'open';

CREATE TABLE registration.document (
    {TENANT},
    id uuid NOT NULL,
    encounter_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    type text NOT NULL,
    source text NOT NULL,
    author_npi text,
    signed_at timestamptz,
    sha256 text NOT NULL,
    size_bytes integer NOT NULL,
    addendum_to uuid,
    addendum_offset integer,
    recorded_at timestamptz NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, encounter_id, version)
);
CREATE INDEX document_addenda ON registration.document (tenant_id, addendum_to) WHERE addendum_to IS NOT NULL;

CREATE TABLE registration.intake_refusal (
    {TENANT},
    id uuid NOT NULL,
    facility_npi text,
    encounter_number text,
    content_sha256 text NOT NULL,
    errors jsonb NOT NULL,
    times integer NOT NULL DEFAULT 1,
    first_refused_at timestamptz NOT NULL,
    last_refused_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, content_sha256)
);

CREATE FUNCTION registration.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a document version is never changed or deleted';
END $$;
CREATE TRIGGER document_is_immutable BEFORE UPDATE OR DELETE ON registration.document
    FOR EACH ROW EXECUTE FUNCTION registration.refuse_change();
"""


def upgrade() -> None:
    chassis_upgrade()
    create_service_schema("registration")
    op.execute(TABLES)
    protect_tenant_tables("registration")


def downgrade() -> None:
    op.execute("DROP SCHEMA registration CASCADE")
