"""The claim: orthogonal axes instead of one status, and what they add up to."""

from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from revcycle_claims.domain.holds import Hold


class Preparation(StrEnum):
    """How far we are with a claim ourselves."""

    WAITING = "waiting"
    HELD = "held"
    SUBMITTED = "submitted"
    PATIENT_ONLY = "patient_only"
    NOT_BILLABLE = "not_billable"
    VOIDED = "voided"


class SubmissionState(StrEnum):
    """How far the current submission has come on its way into the payer's adjudication."""

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"


class Adjudication(StrEnum):
    """What the payer last said it decided. It drives work; money moves by the remittance."""

    NONE = "none"
    PENDED = "pended"
    PAID = "paid"
    PARTLY_PAID = "partly_paid"
    ZERO_PAY_TO_PATIENT = "zero_pay_to_patient"
    DENIED = "denied"
    UNPROCESSABLE = "unprocessable"
    REVERSED = "reversed"


class Receivable(StrEnum):
    """Who still owes on a billed claim."""

    NONE = "none"
    INSURANCE = "insurance"
    PATIENT = "patient"
    CLOSED = "closed"


class Outcome(StrEnum):
    """What became of a claim; a claim still under way has none."""

    HELD = "held"
    REJECTED = "rejected"
    DENIED = "denied"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    PATIENT_ONLY = "patient_only"
    NOT_BILLABLE = "not_billable"
    VOIDED = "voided"


ORIGINAL: Final = "1"
REPLACEMENT: Final = "7"
VOID: Final = "8"


class Claim(NamedTuple):
    """A professional claim of one encounter and billing side.

    ``chain`` counts its frequency-1 submissions, ``submissions`` all of them; ``answers_before`` is how many of the
    payer's answers stood when the current submission was decided. ``billed_patient_cents`` is the sum of the
    patient's bills, ``reference_seen`` the version of the set-up it was last tried against.

    A named tuple, because a claim changes a dozen times on its way: a changed copy of a frozen dataclass of this
    width takes more than three times as long.
    """

    claim_id: UUID
    encounter_id: UUID
    billing_side: str
    created_at: datetime
    since: datetime
    state: str = Preparation.WAITING
    submission: str = SubmissionState.NOT_SENT
    adjudication: str = Adjudication.NONE
    receivable: str = Receivable.NONE
    outcome: str | None = None
    waiting_for: str | None = "encounter"
    patient_id: UUID | None = None
    facility_npi: str | None = None
    encounter_number: str | None = None
    date_of_service: date | None = None
    payer_id: str | None = None
    coding_version: int | None = None
    charge_cents: int = 0
    filing_deadline: date | None = None
    holds: tuple[Hold, ...] = ()
    manual_hold: str | None = None
    drafted: bool = False
    draft_hash: str | None = None
    submissions: int = 0
    chain: int = 0
    frequency: str | None = None
    submission_id: UUID | None = None
    patient_control_number: str | None = None
    payer_claim_control_number: str | None = None
    charge_journal_id: UUID | None = None
    answers_before: int = 0
    billed_patient_cents: int = 0
    closed: bool = False
    reference_seen: int = 0
    checked_at: datetime | None = None
    version: int = 0

    @property
    def in_preparation(self) -> bool:
        """Whether nothing has been billed, so that new facts may still change the claim."""
        billed = self.state in (Preparation.SUBMITTED, Preparation.PATIENT_ONLY)
        return not billed and self.submissions == 0

    @property
    def may_start_over(self) -> bool:
        """Whether a new frequency-1 claim is the remedy: rejected, or denied as unprocessable."""
        unprocessable = self.outcome == Outcome.DENIED and self.adjudication == Adjudication.UNPROCESSABLE
        return self.frequency == ORIGINAL and (self.outcome == Outcome.REJECTED or unprocessable)

    def settle_as(self, outcome: str | None, waiting_for: str | None, now: datetime) -> "Claim":
        """The claim with an outcome or an explained wait; ``since`` moves only when either of them changes."""
        assert (outcome is None) != (waiting_for is None), "a claim has an outcome or says what it waits for"
        if outcome == self.outcome and waiting_for == self.waiting_for:
            return self
        return self._replace(outcome=outcome, waiting_for=waiting_for, since=now)
