"""After money or word from the payer: what the claim has come to, and what follows from it."""

from dataclasses import replace

from revcycle_messaging import Cause

from revcycle_claims.domain import settlement
from revcycle_claims.domain.book import Book
from revcycle_claims.domain.carc_playbook import REMEDY_REJECTED
from revcycle_claims.domain.claim import Claim, Outcome, Preparation, SubmissionState
from revcycle_claims.domain.ledger import LineMoney
from revcycle_claims.domain.transmission import Transmission, merge
from revcycle_claims.use_cases.bill_claim import close, issue_bill, reverse_charges, stop_filing_clock
from revcycle_claims.use_cases.changes import Changes, Work

POLICY = "policy:post-remittance"
_ADJUDICATED = (Outcome.PAID, Outcome.PARTLY_PAID, Outcome.DENIED)


def settle(changes: Changes, before: Claim, claim: Claim, book: Book, cause: Cause) -> Claim:
    """Derive the outcome of a claim and do what it calls for: bill the patient, close, open or resolve work."""
    claim = settlement.settle(claim, book, cause.now)
    if claim.state == Preparation.VOIDED and before.state != Preparation.VOIDED:
        claim = _void(changes, claim, book, cause)
    if claim.outcome in _ADJUDICATED and before.outcome not in _ADJUDICATED:
        stop_filing_clock(changes, claim, cause)
    due_cents = settlement.patient_due(claim, book)
    if due_cents:
        claim = issue_bill(changes, claim, due_cents, cause)
    if claim.closed and not before.closed:
        total = book.total
        close(changes, claim, total.paid_cents, total.patient_cents, cause)
    _work_on_balance(changes, claim, book, cause)
    if claim.outcome not in (Outcome.DENIED, Outcome.PARTLY_PAID):
        changes.resolve_task(claim.claim_id, "claim_denied", "superseded", POLICY, cause)
    return changes.save(claim)


def hear(changes: Changes, claim: Claim, transmission: Transmission, book: Book, cause: Cause) -> Claim:
    """Take up what the payer's side says of the current submission."""
    after = merge(claim, transmission)
    if after.submission == SubmissionState.REJECTED and claim.submission != SubmissionState.REJECTED:
        work = Work(
            kind="claim_rejected",
            owner="billing",
            cause="; ".join(transmission.reasons) or "no reason given",
            remedy=REMEDY_REJECTED,
            money_at_stake_cents=book.total.open_cents,
            due_date=claim.filing_deadline,
        )
        changes.open_claim_task(after, work, cause)
    return settle(changes, claim, after, book, cause)


def _void(changes: Changes, claim: Claim, book: Book, cause: Cause) -> Claim:
    """The payer took the void: the charges are taken back too."""
    if book.charges:
        reverse_charges(changes, claim, book.charges, cause)
        for line_number, money in list(book.money.items()):
            book.money[line_number] = replace(money, charge_cents=0, open_cents=money.open_cents - money.charge_cents)
    stop_filing_clock(changes, claim, cause)
    return claim._replace(receivable="closed" if book.total == LineMoney() else "insurance")


def _work_on_balance(changes: Changes, claim: Claim, book: Book, cause: Cause) -> None:
    if claim.waiting_for != "balance":
        changes.resolve_task(claim.claim_id, "balance_unexplained", "balanced", POLICY, cause)
        return
    work = Work(
        kind="balance_unexplained",
        owner="billing",
        cause="the payer answered on every line, nothing is denied, and cents are left open",
        remedy="compare the payer's charges with the claim's; ask the payer for a corrected remittance",
        money_at_stake_cents=book.total.open_cents,
    )
    changes.open_claim_task(claim, work, cause)
