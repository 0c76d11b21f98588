"""Topic ``revcycle.adjudications.v1``, key ``claim_id``, produced by adjudication-gateway.

These events drive work, never money: money moves by the remittance. Money is integer cents.
"""

from uuid import UUID

from revcycle_events.base import Clear, Event, Value
from revcycle_events.remittances_v1 import RemittedAdjustment

TOPIC = "revcycle.adjudications.v1"


class RejectionReason(Value):
    """Why a claim was rejected before adjudication.

    ``source``: ta1, 999 or 277ca. For a 277CA the three parts of STC01 (category, status, entity); else the codes.
    """

    source: str
    category: str | None = None
    status: str | None = None
    entity: str | None = None
    codes: list[str] = []


class DenialCause(Value):
    """A denied line: group code, CARC and the remark codes beside it. Line 0: the whole claim."""

    line_number: int
    group: str
    carc: str
    rarcs: list[str] = []
    amount_cents: int


class AdjudicatedLine(Value):
    """The payer's answer on one line.

    ``outcome``: paid, partly_paid, zero_pay_to_patient, denied, unprocessable, reversed. Derived from the adjustments,
    never from "paid = 0" or CLP02. ``matched_by`` names the rule that tied it to the submitted line.
    """

    line_number: int
    outcome: str
    charge_cents: int
    paid_cents: int
    adjustments: list[RemittedAdjustment] = []
    rarcs: list[str] = []
    matched_by: str


class ClaimTransmitted(Event, type="revcycle.adjudication-gateway.ClaimTransmitted.v1", topic=TOPIC, key="claim_id"):
    """The payer's door has taken the bytes that carry this submission."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    interchange_id: Clear[UUID]
    interchange_control_number: Clear[str]
    bytes_sha256: Clear[str]


class TransmissionUnknown(
    Event, type="revcycle.adjudication-gateway.TransmissionUnknown.v1", topic=TOPIC, key="claim_id"
):
    """The bytes may or may not have arrived; only an acknowledgment, a status inquiry or a named person resolves it."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    interchange_id: Clear[UUID]


class ClaimAcknowledged(Event, type="revcycle.adjudication-gateway.ClaimAcknowledged.v1", topic=TOPIC, key="claim_id"):
    """The payer accepted the claim into adjudication (277CA A2, or a status answer that says so)."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    source: Clear[str]
    category: Clear[str]
    payer_claim_control_number: Clear[str | None] = None


class ClaimRejected(Event, type="revcycle.adjudication-gateway.ClaimRejected.v1", topic=TOPIC, key="claim_id"):
    """The claim never reached adjudication (TA1, 999 or 277CA): correct it and send a new claim; the clock runs on."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    reasons: Clear[list[RejectionReason]]


class ClaimPended(Event, type="revcycle.adjudication-gateway.ClaimPended.v1", topic=TOPIC, key="claim_id"):
    """The payer is still thinking (277 category P)."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    category: Clear[str]
    status: Clear[str]


class ClaimAdjudicated(Event, type="revcycle.adjudication-gateway.ClaimAdjudicated.v1", topic=TOPIC, key="claim_id"):
    """The payer decided: an outcome per line. ``is_reversal`` for CLP02 22."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    remittance_id: Clear[UUID]
    claim_status_code: Clear[str]
    is_reversal: Clear[bool]
    payer_claim_control_number: Clear[str | None] = None
    charge_cents: Clear[int]
    paid_cents: Clear[int]
    patient_responsibility_cents: Clear[int]
    lines: Clear[list[AdjudicatedLine]]


class ClaimDenied(Event, type="revcycle.adjudication-gateway.ClaimDenied.v1", topic=TOPIC, key="claim_id"):
    """Beside ClaimAdjudicated when at least one line is denied or unprocessable: lines and causes."""

    claim_id: Clear[UUID]
    submission_id: Clear[UUID]
    payer_id: Clear[str]
    remittance_id: Clear[UUID]
    unprocessable: Clear[bool]
    causes: Clear[list[DenialCause]]
