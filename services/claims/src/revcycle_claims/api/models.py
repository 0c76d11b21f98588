"""Requests and responses. Money is integer cents."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from revcycle_service_kit.problems import FieldError, RequestModel

from revcycle_claims.domain.ledger import LineMoney


class Money(BaseModel):
    """What became of a charge: charge = paid + contractual + other + patient + open, each from its own account.

    ``unbalanced_cents``: 0, or the equation does not hold and the books are wrong.
    """

    charge_cents: int
    paid_cents: int
    contractual_cents: int
    other_adjustment_cents: int
    patient_cents: int
    open_cents: int
    unbalanced_cents: int

    @classmethod
    def of(cls, money: LineMoney) -> "Money":
        """From the ledger's figures."""
        return cls(
            charge_cents=money.charge_cents,
            paid_cents=money.paid_cents,
            contractual_cents=money.contractual_cents,
            other_adjustment_cents=money.other_adjustment_cents,
            patient_cents=money.patient_cents,
            open_cents=money.open_cents,
            unbalanced_cents=money.unbalanced_cents,
        )


class ClaimSummary(BaseModel):
    """A claim on its axes. ``outcome`` is null while it is under way; ``waiting_for`` then says for what."""

    claim_id: UUID
    encounter_id: UUID
    encounter_number: str | None
    facility_npi: str | None
    billing_side: str
    payer_id: str | None
    date_of_service: date | None
    state: str
    outcome: str | None
    charge_cents: int
    submission: str
    adjudication: str
    receivable: str
    waiting_for: str | None
    since: datetime
    filing_deadline: date | None
    version: int


class FoundClaim(ClaimSummary):
    """A claim found by its encounter, with its money."""

    money: Money


class Line(BaseModel):
    """A service line. Line 0 stands for the claim level and appears when that has money."""

    line_number: int
    line_control_number: str | None
    code: str | None
    modifiers: list[str]
    units: int | None
    charge_cents: int
    diagnosis_pointers: list[int]
    money: Money
    denied_cents: int


class Hold(BaseModel):
    """A reason why the claim may not go out. `release`: the code set, table or rule set that says so."""

    rule: str
    field: str
    owner: str
    expected: str
    line_number: int | None
    rule_version: str
    release: str


class Waiting(BaseModel):
    """What a claim waits for, and since when."""

    waits_for: Annotated[str, Field(serialization_alias="for")]
    since: datetime


class Submission(BaseModel):
    """A submission. ``state``: decided, unknown, sent, acknowledged or rejected (with ``reasons``)."""

    submission_id: UUID
    ordinal: int
    frequency: str
    patient_control_number: str
    payer_claim_control_number: str | None
    charge_cents: int
    state: str
    reasons: list[str]
    decided_at: datetime
    decided_by: str


class ClaimDetail(ClaimSummary):
    """A claim with everything that belongs to it.

    ``changed_since_submission``: what is known now would make another claim than the one sent last.
    """

    patient_control_number: str | None
    payer_claim_control_number: str | None
    coding_version: int | None
    changed_since_submission: bool
    manual_hold: str | None
    money: Money
    lines: list[Line]
    holds: list[Hold]
    waiting: Waiting | None
    submissions: list[Submission]


class TimelineItem(BaseModel):
    """Something that happened to a claim."""

    at: datetime
    what: str
    detail: str | None
    cents: int | None


class Timeline(BaseModel):
    """A claim's life, oldest first."""

    items: list[TimelineItem]


class DecisionItem(BaseModel):
    """A stored decision. Running the rule again on ``input`` gives ``output`` again."""

    decision_id: UUID
    kind: str
    rule_id: str
    rule_version: str
    input_hash: str
    input: dict[str, Any]
    output: dict[str, Any]
    decided_at: datetime


class Explanation(BaseModel):
    """Why a claim is what it is, oldest decision first."""

    items: list[DecisionItem]


class HoldRequest(RequestModel):
    """Why a claim is held back by hand."""

    reason: Annotated[str, Field(min_length=1, max_length=200, examples=["waiting for the contract's signature"])]


class SubmissionRequest(RequestModel):
    """How to send a claim again: 1 new, 7 replacement, 8 void."""

    frequency: Literal["1", "7", "8"]
    confirm_unchanged: bool = False


class ClaimSearch(RequestModel):
    """Encounters whose claims are looked for."""

    encounter_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class ClaimSearchResult(BaseModel):
    """The claims found; encounters without one are left out."""

    items: list[FoundClaim]


class Task(BaseModel):
    """A work item: what, why, who, until when, how much is at stake."""

    task_id: UUID
    kind: str
    owner: str
    cause: str
    remedy: str
    subject_type: str
    subject_id: UUID
    claim_id: UUID | None
    due_date: date | None
    money_at_stake_cents: int | None
    state: str
    resolution: str | None
    resolved_by: str | None
    opened_at: datetime
    resolved_at: datetime | None
    version: int


class TaskPatch(RequestModel):
    """Resolve a work item."""

    state: Literal["resolved"]
    resolution: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,60}$", examples=["corrected_upstream"])]


class RowError(BaseModel):
    """What is wrong with one field of a row, and what would be right."""

    field: str
    rule: str
    message: str
    expected: str

    @classmethod
    def of(cls, error: FieldError) -> "RowError":
        """From the kit's error."""
        return cls(field=error.field, rule=error.rule, message=error.message, expected=error.expected)


class FeeScheduleRequest(RequestModel):
    """A fee schedule. Rows are taken or refused one by one; see ``PriceRow`` for their fields."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$", examples=["standard"])]
    rows: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            max_length=50_000,
            examples=[[{"code": "G0463", "effective_from": "2026-01-01", "price_cents": 12500}]],
        ),
    ]


class RejectedRow(RowError):
    """A row of a fee schedule that was refused; rows count from 1."""

    row: int


class FeeScheduleResponse(BaseModel):
    """The version now in force and the rows that are not in it."""

    name: str
    version: int
    accepted: int
    rejected: list[RejectedRow]


class FeeSchedule(BaseModel):
    """The version of a fee schedule in force."""

    name: str
    version: int
    row_count: int
    posted_at: datetime
    posted_by: str


class PriceItem(BaseModel):
    """A row of a fee schedule."""

    row_number: int
    code: str
    modifier: str | None
    effective_from: date
    effective_to: date | None
    price_cents: int


class DepositItem(BaseModel):
    """A deposit of the bank's list. ``deposit_id`` is the bank's, ``id`` ours."""

    deposit_id: str
    id: UUID
    date: date
    payer_id: str
    trace_number: str
    amount_cents: int
    remittance_id: UUID | None
    exception: str | None


class DepositResultItem(BaseModel):
    """What became of one row. ``match``: matched, difference or unmatched; null when it was refused."""

    deposit_id: str
    status: Literal["created", "unchanged", "refused"]
    match: str | None
    errors: list[RowError]


class DepositsResponse(BaseModel):
    """One result per row, in order."""

    results: list[DepositResultItem]


class RemittanceItem(BaseModel):
    """A payer's advice. ``clearing_cents``: advised and not yet deposited; ``exception`` names why it is not 0."""

    remittance_id: UUID
    payer_id: str
    trace_number: str
    payment_date: date
    payment_method: str
    paid_cents: int
    state: str
    held_because: str | None
    deposited_cents: int
    clearing_cents: int
    exception: str | None


class RemittedClaimItem(BaseModel):
    """A claim of a remittance and where it was placed."""

    position: int
    claim_id: UUID | None
    state: str
    is_reversal: bool
    charge_cents: int
    paid_cents: int
    patient_control_number: str


class RemittanceDetail(RemittanceItem):
    """A remittance with its claims."""

    claims: list[RemittedClaimItem]


class UnappliedItem(BaseModel):
    """A payer's money that is applied to no claim, and why."""

    remittance_id: UUID
    position: int
    payer_id: str
    trace_number: str
    patient_control_number: str
    paid_cents: int
    why: str
    since: datetime


class LedgerHash(BaseModel):
    """SHA-256 over the balances of claim lines; ``lines``: how many there are."""

    sha256: str
    lines: int


class AccountBalance(BaseModel):
    """An account's balance: debit positive, credit negative."""

    account: str
    cents: int


class Rollforward(BaseModel):
    """The ledger as a whole. ``total`` and what is ``unbalanced`` are 0, or the books are wrong."""

    accounts: list[AccountBalance]
    entries: int
    journals: int
    unbalanced_journals: int
    unbalanced_cents: int
    total: int
