"""Claims, submissions, the ledger, remittances, deposits, fee schedules and work items."""

import os

from alembic import op
from revcycle_service_kit.migrations import chassis_upgrade, create_service_schema, protect_tenant_tables

revision = "claims_0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT = "tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid"

# What other services and people have told us: slots, one writer each.
SLOTS = f"""
CREATE TABLE claims.patient (
    {TENANT}, patient_id uuid NOT NULL, facts jsonb,
    PRIMARY KEY (tenant_id, patient_id)
);
CREATE TABLE claims.coverage (
    {TENANT}, coverage_id uuid NOT NULL, patient_id uuid NOT NULL, facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, coverage_id)
);
CREATE INDEX coverage_patient ON claims.coverage (tenant_id, patient_id);
CREATE TABLE claims.encounter (
    {TENANT}, encounter_id uuid NOT NULL, patient_id uuid, facts jsonb,
    PRIMARY KEY (tenant_id, encounter_id)
);
CREATE INDEX encounter_patient ON claims.encounter (tenant_id, patient_id);
CREATE TABLE claims.coding (
    {TENANT}, encounter_id uuid NOT NULL, billing_side text NOT NULL, facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, encounter_id, billing_side)
);
CREATE TABLE claims.transmission (
    {TENANT}, submission_id uuid NOT NULL, claim_id uuid NOT NULL, state text NOT NULL, adjudication text NOT NULL,
    payer_claim_control_number text, reasons jsonb NOT NULL, updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, submission_id)
);
CREATE TABLE claims.facility (
    {TENANT}, npi text NOT NULL, facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, npi)
);
CREATE TABLE claims.payer (
    {TENANT}, payer_id text NOT NULL, facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, payer_id)
);
CREATE TABLE claims.fee_schedule (
    {TENANT}, name text NOT NULL, version integer NOT NULL, content_hash text NOT NULL, row_count integer NOT NULL,
    posted_at timestamptz NOT NULL, posted_by text NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
CREATE TABLE claims.price (
    {TENANT}, name text NOT NULL, version integer NOT NULL, row_number integer NOT NULL, code text NOT NULL,
    modifier text, effective_from date NOT NULL, effective_to date,
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    PRIMARY KEY (tenant_id, name, version, row_number),
    CHECK (effective_to > effective_from)
);
CREATE INDEX price_code ON claims.price (tenant_id, code);
-- Counts changes of facilities, payers and prices: a held claim is tried again when it has seen an older one.
CREATE TABLE claims.reference_version (
    {TENANT}, version bigint NOT NULL,
    PRIMARY KEY (tenant_id)
);
"""

CLAIMS = f"""
CREATE TABLE claims.claim (
    {TENANT}, claim_id uuid NOT NULL, encounter_id uuid NOT NULL, billing_side text NOT NULL,
    patient_id uuid, facility_npi text, encounter_number text, date_of_service date, payer_id text,
    coding_version integer, charge_cents bigint NOT NULL, filing_deadline date,
    state text NOT NULL, submission text NOT NULL, adjudication text NOT NULL, receivable text NOT NULL,
    outcome text, waiting_for text, since timestamptz NOT NULL,
    holds jsonb NOT NULL, manual_hold text, drafted boolean NOT NULL, draft_hash text,
    submissions integer NOT NULL, chain integer NOT NULL, frequency text, submission_id uuid,
    patient_control_number text, payer_claim_control_number text, charge_journal_id uuid,
    answers_before integer NOT NULL,
    billed_patient_cents bigint NOT NULL, closed boolean NOT NULL, reference_seen bigint NOT NULL,
    checked_at timestamptz, created_at timestamptz NOT NULL, version integer NOT NULL,
    PRIMARY KEY (tenant_id, claim_id),
    UNIQUE (tenant_id, encounter_id, billing_side),
    CHECK ((outcome IS NULL) <> (waiting_for IS NULL))
);
CREATE INDEX claim_outcome_page ON claims.claim (tenant_id, outcome, claim_id);
CREATE INDEX claim_to_advance ON claims.claim (tenant_id, reference_seen) WHERE state IN ('waiting', 'held');
CREATE TABLE claims.claim_line (
    {TENANT}, claim_id uuid NOT NULL, line_number integer NOT NULL, line_control_number text, code text NOT NULL,
    modifiers text[] NOT NULL, units integer NOT NULL, unit_price_cents bigint NOT NULL, charge_cents bigint NOT NULL,
    diagnosis_pointers integer[] NOT NULL,
    PRIMARY KEY (tenant_id, claim_id, line_number)
);
CREATE TABLE claims.submission (
    {TENANT}, submission_id uuid NOT NULL, claim_id uuid NOT NULL, ordinal integer NOT NULL, frequency text NOT NULL,
    patient_control_number text NOT NULL, payer_claim_control_number text, predecessor uuid,
    charge_cents bigint NOT NULL, draft_hash text NOT NULL, decided_at timestamptz NOT NULL, decided_by text NOT NULL,
    PRIMARY KEY (tenant_id, submission_id),
    UNIQUE (tenant_id, claim_id, ordinal),
    CHECK (frequency = '1' OR payer_claim_control_number IS NOT NULL)
);
-- CLM01 is new with every frequency-1 submission and never used again.
CREATE UNIQUE INDEX submission_control_number ON claims.submission (tenant_id, patient_control_number)
    WHERE frequency = '1';
CREATE TABLE claims.decision (
    {TENANT}, decision_id uuid NOT NULL, claim_id uuid NOT NULL, kind text NOT NULL, rule_id text NOT NULL,
    rule_version text NOT NULL, input_hash text NOT NULL, input_text text NOT NULL, output_text text NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, decision_id)
);
CREATE INDEX decision_claim ON claims.decision (tenant_id, claim_id);
CREATE TABLE claims.patient_bill (
    {TENANT}, bill_id uuid NOT NULL, claim_id uuid NOT NULL, patient_id uuid NOT NULL, amount_cents bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, bill_id)
);
CREATE INDEX patient_bill_claim ON claims.patient_bill (tenant_id, claim_id);
CREATE TABLE claims.task (
    {TENANT}, task_id uuid NOT NULL, kind text NOT NULL, owner text NOT NULL, cause text NOT NULL,
    remedy text NOT NULL, subject_type text NOT NULL, subject_id uuid NOT NULL, claim_id uuid, due_date date,
    money_at_stake_cents bigint, state text NOT NULL, resolution text, resolved_by text, opened_at timestamptz NOT NULL,
    resolved_at timestamptz, version integer NOT NULL,
    PRIMARY KEY (tenant_id, task_id)
);
CREATE INDEX task_open ON claims.task (tenant_id, subject_id) WHERE state = 'open';
CREATE INDEX task_claim ON claims.task (tenant_id, claim_id);
"""

MONEY = f"""
CREATE TABLE claims.journal (
    {TENANT}, journal_id uuid NOT NULL, kind text NOT NULL, posted_at timestamptz NOT NULL, claim_id uuid,
    remittance_id uuid, deposit_id uuid, reverses uuid,
    PRIMARY KEY (tenant_id, journal_id)
);
CREATE INDEX journal_claim ON claims.journal (tenant_id, claim_id) WHERE claim_id IS NOT NULL;
CREATE TABLE claims.entry (
    {TENANT}, journal_id uuid NOT NULL, entry_number integer NOT NULL, account text NOT NULL, cents bigint NOT NULL,
    claim_id uuid, line_number integer, remittance_id uuid, deposit_id uuid, adjustment_group text, carc text,
    PRIMARY KEY (tenant_id, journal_id, entry_number),
    CHECK ((claim_id IS NULL) = (line_number IS NULL))
);
CREATE INDEX entry_claim ON claims.entry (tenant_id, claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX entry_remittance ON claims.entry (tenant_id, remittance_id) WHERE account = 'clearing_remittance';
-- A payer's trace number: the anchor that a remittance and its deposit lock before they look for each other.
CREATE TABLE claims.trace (
    {TENANT}, payer_id text NOT NULL, trace_number text NOT NULL,
    PRIMARY KEY (tenant_id, payer_id, trace_number)
);
CREATE TABLE claims.remittance (
    {TENANT}, remittance_id uuid NOT NULL, payer_id text NOT NULL, trace_number text NOT NULL,
    payment_date date NOT NULL, payment_method text NOT NULL, paid_cents bigint NOT NULL, identity_key text NOT NULL,
    state text NOT NULL, held_because text, received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, remittance_id)
);
CREATE INDEX remittance_trace ON claims.remittance (tenant_id, payer_id, trace_number);
CREATE UNIQUE INDEX remittance_posted_once ON claims.remittance (tenant_id, identity_key) WHERE state = 'posted';
CREATE TABLE claims.remitted_claim (
    {TENANT}, remittance_id uuid NOT NULL, position integer NOT NULL, claim_id uuid, state text NOT NULL,
    chain integer NOT NULL, patient_control_number text NOT NULL, payer_claim_control_number text,
    is_reversal boolean NOT NULL, charge_cents bigint NOT NULL, paid_cents bigint NOT NULL, reversed boolean NOT NULL,
    payload jsonb NOT NULL, placed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, remittance_id, position)
);
CREATE INDEX remitted_claim_claim ON claims.remitted_claim (tenant_id, claim_id);
CREATE INDEX remitted_claim_unapplied ON claims.remitted_claim (tenant_id, state) WHERE state <> 'posted';
CREATE TABLE claims.remitted_line (
    {TENANT}, remittance_id uuid NOT NULL, position integer NOT NULL, line_position integer NOT NULL,
    claim_id uuid NOT NULL, chain integer NOT NULL, line_number integer NOT NULL, matched_by text NOT NULL,
    charge_cents bigint NOT NULL, paid_cents bigint NOT NULL, contractual_cents bigint NOT NULL,
    other_adjustment_cents bigint NOT NULL, patient_cents bigint NOT NULL, denied_cents bigint NOT NULL,
    carcs text[] NOT NULL, rarcs text[] NOT NULL, answers integer NOT NULL,
    PRIMARY KEY (tenant_id, remittance_id, position, line_position)
);
CREATE INDEX remitted_line_claim ON claims.remitted_line (tenant_id, claim_id);
CREATE TABLE claims.deposit (
    {TENANT}, deposit_id uuid NOT NULL, bank_reference text NOT NULL, deposit_date date NOT NULL,
    payer_id text NOT NULL, trace_number text NOT NULL, amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    remittance_id uuid, difference_cents bigint, match_number integer NOT NULL, received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, deposit_id),
    UNIQUE (tenant_id, bank_reference)
);
CREATE INDEX deposit_trace ON claims.deposit (tenant_id, payer_id, trace_number);
"""

VIEWS = """
CREATE VIEW claims.ledger_line_balance WITH (security_invoker = true) AS
SELECT c.tenant_id, c.facility_npi, c.encounter_number, e.line_number, e.account, sum(e.cents)::bigint AS cents
FROM claims.entry AS e JOIN claims.claim AS c USING (tenant_id, claim_id)
WHERE e.account NOT IN ('cash', 'clearing_remittance', 'clearing_deposit', 'unapplied')
GROUP BY c.tenant_id, c.facility_npi, c.encounter_number, e.line_number, e.account
HAVING sum(e.cents) <> 0;

CREATE VIEW claims.line_money WITH (security_invoker = true) AS
SELECT tenant_id, claim_id, line_number,
    (-coalesce(sum(cents) FILTER (WHERE account = 'charges'), 0))::bigint AS charge_cents,
    coalesce(sum(cents) FILTER (WHERE account = 'clearing_remittance'), 0)::bigint AS paid_cents,
    coalesce(sum(cents) FILTER (WHERE account = 'contractual_adjustment'), 0)::bigint AS contractual_cents,
    coalesce(sum(cents) FILTER (WHERE account = 'other_adjustment'), 0)::bigint AS other_adjustment_cents,
    coalesce(sum(cents) FILTER (WHERE account = 'receivable_patient'), 0)::bigint AS patient_cents,
    coalesce(sum(cents) FILTER (WHERE account = 'receivable_insurance'), 0)::bigint AS open_cents
FROM claims.entry WHERE claim_id IS NOT NULL GROUP BY tenant_id, claim_id, line_number;

CREATE VIEW claims.claim_outcome WITH (security_invoker = true) AS
SELECT c.tenant_id, c.claim_id, c.encounter_id, c.billing_side, c.facility_npi, c.encounter_number, c.payer_id,
    c.state, c.outcome, c.charge_cents, coalesce(m.paid_cents, 0) AS paid_cents,
    coalesce(m.contractual_cents, 0) AS contractual_cents,
    coalesce(m.other_adjustment_cents, 0) AS other_adjustment_cents,
    coalesce(m.patient_cents, 0) AS patient_cents, coalesce(m.open_cents, 0) AS open_cents, c.waiting_for, c.since
FROM claims.claim AS c LEFT JOIN (
    SELECT tenant_id, claim_id, sum(paid_cents)::bigint AS paid_cents,
        sum(contractual_cents)::bigint AS contractual_cents,
        sum(other_adjustment_cents)::bigint AS other_adjustment_cents,
        sum(patient_cents)::bigint AS patient_cents, sum(open_cents)::bigint AS open_cents
    FROM claims.line_money GROUP BY tenant_id, claim_id
) AS m USING (tenant_id, claim_id);

CREATE VIEW claims.remittance_clearing WITH (security_invoker = true) AS
SELECT r.tenant_id, r.remittance_id, r.payer_id, r.trace_number, r.payment_date, r.payment_method, r.paid_cents,
    r.state, r.held_because, d.deposited_cents, b.clearing_cents,
    CASE WHEN r.state = 'held' THEN 'remittance_held'
         WHEN r.state <> 'posted' OR b.clearing_cents = 0 THEN NULL
         WHEN d.deposits = 0 THEN 'advice_without_money' ELSE 'difference' END AS exception
FROM claims.remittance AS r
CROSS JOIN LATERAL (
    SELECT count(*) AS deposits, coalesce(sum(amount_cents), 0)::bigint AS deposited_cents
    FROM claims.deposit AS d
    WHERE d.tenant_id = r.tenant_id AND d.payer_id = r.payer_id AND d.trace_number = r.trace_number
        AND d.remittance_id = r.remittance_id
) AS d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(cents), 0)::bigint AS clearing_cents FROM claims.entry AS e
    WHERE e.tenant_id = r.tenant_id AND e.remittance_id = r.remittance_id AND e.account = 'clearing_remittance'
) AS b;

CREATE VIEW claims.clearing_exception WITH (security_invoker = true) AS
SELECT c.tenant_id, c.exception AS kind, c.payer_id, c.trace_number, c.remittance_id, d.deposit_id,
    c.paid_cents AS expected_cents, c.deposited_cents
FROM claims.remittance_clearing AS c
LEFT JOIN claims.deposit AS d
    ON d.tenant_id = c.tenant_id AND d.payer_id = c.payer_id AND d.trace_number = c.trace_number
    AND d.remittance_id = c.remittance_id
WHERE c.exception IN ('advice_without_money', 'difference')
UNION ALL
SELECT tenant_id, 'money_without_advice', payer_id, trace_number, NULL, deposit_id, 0, amount_cents
FROM claims.deposit WHERE remittance_id IS NULL;
"""


def upgrade() -> None:
    chassis_upgrade()
    create_service_schema("claims")
    for script in (SLOTS, CLAIMS, MONEY):
        op.execute(script)
    protect_tenant_tables("claims")
    op.execute(VIEWS)
    _make_ledger_append_only(os.environ["REVCYCLE_DATABASE_SERVICE_ROLE"])


def _make_ledger_append_only(service_role: str) -> None:
    """The service adds to the ledger and corrects by reversing; it can neither change nor delete what stands."""
    quoted = '"' + service_role.replace('"', '""') + '"'
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON claims.journal, claims.entry FROM {quoted}")


def downgrade() -> None:
    op.execute("DROP SCHEMA claims CASCADE")
