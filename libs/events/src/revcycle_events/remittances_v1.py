"""Topic ``revcycle.remittances.v1``, key ``remittance_id``, produced by adjudication-gateway. Money in cents."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Event, Value

TOPIC = "revcycle.remittances.v1"


class RemittedAdjustment(Value):
    """One CAS entry: positive lowers the payment."""

    group: str
    carc: str
    amount_cents: int
    quantity: int | None = None


class RemittedLine(Value):
    """One SVC. ``line_number`` is the submitted line it was tied to (None: no rule did), ``matched_by`` the rule."""

    line_number: int | None
    matched_by: str
    charge_cents: int
    paid_cents: int
    adjustments: list[RemittedAdjustment] = []
    rarcs: list[str] = []


class RemittedClaim(Value):
    """One CLP. ``claim_id`` is None for a claim nobody here knows; claim-level CAS stand in ``adjustments``."""

    claim_id: UUID | None
    submission_id: UUID | None
    patient_control_number: str
    payer_claim_control_number: str | None = None
    claim_status_code: str
    is_reversal: bool
    charge_cents: int
    paid_cents: int
    patient_responsibility_cents: int
    adjustments: list[RemittedAdjustment] = []
    rarcs: list[str] = []
    lines: list[RemittedLine] = []


class ProviderAdjustment(Value):
    """One PLB entry: positive lowers the payment. Never a claim adjustment."""

    reason: str
    reference: str | None = None
    amount_cents: int


class RemittanceReceived(
    Event, type="revcycle.adjudication-gateway.RemittanceReceived.v1", topic=TOPIC, key="remittance_id"
):
    """A whole 835 that balances at line, claim and transaction level: the payer's advice, not yet cash.

    ``identity_key`` is the duplicate key: payer, TRN02, BPR16, BPR02 and the hash of ST..SE without control numbers.
    """

    remittance_id: Clear[UUID]
    payer_id: Clear[str]
    trace_number: Clear[str]
    payment_date: Clear[date]
    payment_method: Clear[str]
    paid_cents: Clear[int]
    identity_key: Clear[str]
    bytes_sha256: Clear[str]
    claims: Clear[list[RemittedClaim]]
    provider_adjustments: Clear[list[ProviderAdjustment]]
