"""Topic ``revcycle.claims.v1``, key ``claim_id``, produced by claims. Money is integer cents."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Clinical, Event, Identity, Value
from revcycle_events.patients_v1 import Address

TOPIC = "revcycle.claims.v1"


class BillingProvider(Value):
    """The facility that bills: name, NPI, tax id (9 digits) and street address."""

    npi: str
    name: str
    tax_id: str
    taxonomy: str | None = None
    address: Address


class RenderingPerson(Value):
    """The rendering provider on the claim."""

    npi: str
    last_name: str
    first_name: str
    taxonomy: str | None = None


class ClaimPatient(Value):
    """The patient as the claim names them."""

    last_name: str
    first_name: str
    middle_name: str | None = None
    birth_date: date
    sex: str
    address: Address


class Subscriber(Value):
    """The policy holder. ``relationship``: self, spouse, child, other; self when patient and subscriber are one."""

    member_id: str
    group_number: str | None = None
    relationship: str
    last_name: str
    first_name: str
    birth_date: date | None = None
    sex: str | None = None


class ClaimLine(Value):
    """A service line. ``line_control_number`` is REF*6R, unique in the claim and the key back from the remittance."""

    line_number: int
    line_control_number: str
    code: str
    modifiers: list[str] = []
    units: int
    charge_cents: int
    diagnosis_pointers: list[int]


class HoldReason(Value):
    """Why a claim is held: rule, the field it looks at, who can clear it, and what would be right. No patient data.

    ``release`` names the code set, table or rule set that says so.
    """

    rule: str
    field: str
    owner: str
    expected: str
    line_number: int | None = None
    rule_version: str | None = None
    release: str | None = None


class LinePayment(Value):
    """What a payer paid on a line; line 0 is the claim level."""

    line_number: int
    paid_cents: int


class LineAdjustment(Value):
    """An adjustment on a line (line 0: claim level) and the account it was posted to."""

    line_number: int
    group: str
    carc: str
    amount_cents: int
    account: str


class ClaimDrafted(Event, type="revcycle.claims.ClaimDrafted.v1", topic=TOPIC, key="claim_id"):
    """A claim came into being from a coded encounter."""

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    patient_id: Clear[UUID]
    facility_npi: Clear[str]
    billing_side: Clear[str]
    payer_id: Clear[str | None] = None
    line_count: Clear[int]
    charge_cents: Clear[int]
    encounter_number: Identity[str]
    date_of_service: Clinical[date]


class ClaimHeld(Event, type="revcycle.claims.ClaimHeld.v1", topic=TOPIC, key="claim_id"):
    """The claim may not go out; all reasons at once."""

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    payer_id: Clear[str | None] = None
    reasons: Clear[list[HoldReason]]


class ClaimSubmitted(Event, type="revcycle.claims.ClaimSubmitted.v1", topic=TOPIC, key="claim_id"):
    """A submission was decided: everything an 837P needs. The gateway carries it to the payer.

    ``patient_control_number`` is CLM01, new per frequency-1 submission and kept by its replacement (7) and void (8);
    those name ``payer_claim_control_number`` (REF*F8). ``filing_deadline`` is the last day the payer takes it.
    """

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    patient_id: Clear[UUID]
    submission_id: Clear[UUID]
    billing_side: Clear[str]
    payer_id: Clear[str]
    payer_name: Clear[str]
    frequency: Clear[str]
    patient_control_number: Clear[str]
    payer_claim_control_number: Clear[str | None] = None
    charge_cents: Clear[int]
    business_date: Clear[date]
    billing_provider: Clear[BillingProvider]
    rendering_provider: Clear[RenderingPerson]
    subscriber: Identity[Subscriber]
    patient: Identity[ClaimPatient]
    encounter_number: Identity[str]
    filing_deadline: Clinical[date]
    date_of_service: Clinical[date]
    place_of_service: Clinical[str]
    diagnoses: Clinical[list[str]]
    lines: Clinical[list[ClaimLine]]


class PaymentPosted(Event, type="revcycle.claims.PaymentPosted.v1", topic=TOPIC, key="claim_id"):
    """A payer's payment was posted to the claim's ledger. Negative when a payment was reversed."""

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    payer_id: Clear[str]
    remittance_id: Clear[UUID]
    paid_cents: Clear[int]
    lines: Clear[list[LinePayment]]


class AdjustmentPosted(Event, type="revcycle.claims.AdjustmentPosted.v1", topic=TOPIC, key="claim_id"):
    """A payer's adjustments were posted: contractual, other, and what became the patient's responsibility."""

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    payer_id: Clear[str]
    remittance_id: Clear[UUID]
    adjustments: Clear[list[LineAdjustment]]


class PatientBilled(Event, type="revcycle.claims.PatientBilled.v1", topic=TOPIC, key="claim_id"):
    """A bill for the patient's share was issued."""

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    patient_id: Clear[UUID]
    bill_id: Clear[UUID]
    amount_cents: Clear[int]


class ClaimClosed(Event, type="revcycle.claims.ClaimClosed.v1", topic=TOPIC, key="claim_id"):
    """Nothing is left to do with the payer. ``outcome``: paid, partly_paid, patient_only, not_billable, voided."""

    claim_id: Clear[UUID]
    encounter_id: Clear[UUID]
    outcome: Clear[str]
    paid_cents: Clear[int]
    patient_responsibility_cents: Clear[int]
