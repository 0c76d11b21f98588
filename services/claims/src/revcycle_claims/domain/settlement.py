"""What a billed claim has come to: an outcome, or what it still waits for."""

from datetime import datetime
from typing import Final

from revcycle_claims.domain.book import Answer, Book
from revcycle_claims.domain.claim import VOID, Adjudication, Claim, Outcome, Preparation, Receivable, SubmissionState

_WAITING_FOR: Final[dict[str, str]] = {
    SubmissionState.NOT_SENT: "transmission",
    SubmissionState.UNKNOWN: "status_inquiry",
    SubmissionState.SENT: "acknowledgment",
    SubmissionState.ACKNOWLEDGED: "adjudication",
}
_SETTLED: Final = (Outcome.PAID, Outcome.PARTLY_PAID)


def settle(claim: Claim, book: Book, now: datetime) -> Claim:
    """The claim with outcome, wait, receivable and ``closed`` as its book and its submission say.

    ``closed``: nothing is left to wait for from the payer (paid, partly paid, voided). A denied line stays open in
    the receivable and in a work item.
    """
    if claim.state != Preparation.SUBMITTED:
        return claim
    outcome, waiting_for = _standing(claim, book)
    settled = claim.settle_as(outcome, waiting_for, now)
    closed = outcome in (*_SETTLED, Outcome.VOIDED)
    state = Preparation.VOIDED if outcome == Outcome.VOIDED else settled.state
    return settled._replace(state=state, closed=closed, receivable=_receivable(book, closed))


def patient_due(claim: Claim, book: Book) -> int:
    """Cents to add to the patient's bills now: the patient's share once the payer has answered on every line.

    Negative when a correction lowered the share after it was billed.
    """
    if claim.outcome in _SETTLED or claim.state in (Preparation.PATIENT_ONLY, Preparation.VOIDED):
        return book.total.patient_cents - claim.billed_patient_cents
    return 0


def _standing(claim: Claim, book: Book) -> tuple[str | None, str | None]:
    answers = book.in_effect(claim.chain)
    if claim.frequency == VOID:
        if not answers and claim.submission == SubmissionState.ACKNOWLEDGED:
            return Outcome.VOIDED, None
    elif answers and book.originals(claim.chain) > claim.answers_before:
        return _verdict(book, list(answers.values()), set(answers))
    if claim.submission == SubmissionState.REJECTED:
        return Outcome.REJECTED, None
    if book.originals(claim.chain) > claim.answers_before:
        return None, "remittance"  # Reversed, and the corrected advice has not come.
    if claim.adjudication not in (Adjudication.NONE, Adjudication.PENDED):
        return None, "remittance"
    return None, _WAITING_FOR[claim.submission]


def _verdict(book: Book, answers: list[Answer], answered: set[int]) -> tuple[str | None, str | None]:
    """Derived from group and reason of the adjustments, never from "paid = 0" or the claim status code."""
    remitted_cents = sum(answer.charge_cents for answer in answers)
    if remitted_cents != book.total.charge_cents and not set(book.charges) <= answered:
        return None, "remittance"
    if any(answer.denied_cents for answer in answers):
        wholly = all(answer.wholly_denied for answer in answers if answer.charge_cents)
        return (Outcome.DENIED if wholly else Outcome.PARTLY_PAID), None
    return (Outcome.PAID, None) if book.total.open_cents == 0 else (None, "balance")


def _receivable(book: Book, closed: bool) -> str:
    total = book.total
    if total.open_cents or not closed:
        return Receivable.INSURANCE
    return Receivable.PATIENT if total.patient_cents else Receivable.CLOSED
