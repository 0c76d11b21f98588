"""Post remittances: once each, line by line; what cannot be applied waits in the open, never dropped."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from revcycle_events import AdjustmentPosted, PaymentPosted, RemittanceReceived
from revcycle_messaging import Cause, Received, UnitOfWork

from revcycle_claims.domain import posting
from revcycle_claims.domain.book import Book, Placement, Posted, answer_of, place
from revcycle_claims.domain.carc_playbook import remedy_of
from revcycle_claims.domain.claim import Claim, Outcome
from revcycle_claims.domain.decisions import make_decision
from revcycle_claims.domain.ids import stable_id
from revcycle_claims.domain.ledger import reversal_of
from revcycle_claims.domain.posting import RemittedLine
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import ledger
from revcycle_claims.repositories import remittances as rows
from revcycle_claims.repositories.remittances import Remittance, RemittedClaimRow, RemittedLineRow
from revcycle_claims.use_cases.changes import Changes, Work
from revcycle_claims.use_cases.match_deposits import Clearing, open_clearing
from revcycle_claims.use_cases.settle_claim import POLICY, hear, settle

_WORK: Final = {
    "unknown_claim": Work(
        "unknown_claim",
        "billing",
        "the payer remits a claim nobody here knows",
        "find the claim by its control number, or return the money",
    ),
    "waiting_claim": Work(
        "claim_not_billed",
        "billing",
        "the payer remits a claim that is not billed to a payer here",
        "find out what the payer adjudicated; the money stands unapplied",
    ),
    "waiting_original": Work(
        "reversal_without_original",
        "billing",
        "the payer takes back what it never advised",
        "ask the payer for the original remittance; it is applied by itself when that arrives",
    ),
}


@dataclass(slots=True)
class Desk:
    """Where remitted claims are posted: the books of the claims concerned and what waits for them."""

    changes: Changes
    books: dict[UUID, Book]
    payers: dict[UUID, str]
    unapplied: dict[UUID, list[RemittedClaimRow]] = field(default_factory=dict)

    def arrive(self, row: RemittedClaimRow, cause: Cause) -> None:
        """Place a CLP that has just come."""
        claim = self._claim(row)
        placement = place(self.changes.tenant_id, row.remitted, claim, self._book(claim))
        if claim is not None and placement.state == "posted":
            self._post(row, claim, placement, cause)
            self.retry(claim.claim_id, cause)
            return
        self._set_aside(replace(row, state=placement.state), cause)

    def retry(self, claim_id: UUID, cause: Cause) -> None:
        """Place again what waits for a claim; each posting may be the original another one waits for."""
        moved = True
        while moved:
            moved = False
            for row in list(self.unapplied.get(claim_id, ())):
                claim = self._claim(row)
                placement = place(self.changes.tenant_id, row.remitted, claim, self._book(claim))
                if claim is not None and placement.state == "posted":
                    self.unapplied[claim_id].remove(row)
                    self._take_back(row, cause)
                    self._post(row, claim, placement, cause)
                    moved = True
                elif placement.state != row.state:
                    self.unapplied[claim_id].remove(row)
                    self._set_aside(replace(row, state=placement.state), cause, again=True)

    def _claim(self, row: RemittedClaimRow) -> Claim | None:
        return self.changes.claims.get(row.remitted.claim_id) if row.remitted.claim_id else None

    def _book(self, claim: Claim | None) -> Book:
        return self.books[claim.claim_id] if claim else Book()

    def _set_aside(self, row: RemittedClaimRow, cause: Cause, *, again: bool = False) -> None:
        """Keep a CLP unapplied: its money stands in ``unapplied``, its reason in a work item."""
        self.changes.save_remitted(row)
        if row.remitted.claim_id is not None:
            self.unapplied.setdefault(row.remitted.claim_id, []).append(row)
        if row.remitted.paid_cents and not again:
            journal_id = self._journal_id("unapplied", row)
            journal = posting.unapplied_journal(journal_id, cause.now, row.remittance_id, row.remitted.paid_cents)
            self.changes.journals.append(journal)
        # Advice on a claim that is not here at all is merely early.
        early = row.state == "waiting_claim" and self._claim(row) is None
        work = _WORK.get(row.state)
        if work is not None and not early:
            stake = replace(work, money_at_stake_cents=abs(row.remitted.paid_cents))
            self.changes.open_money_task("remittance", row.remittance_id, stake, cause)

    def _take_back(self, row: RemittedClaimRow, cause: Cause) -> None:
        """Take the money out of ``unapplied`` again, since it can now be posted."""
        cents = row.remitted.paid_cents
        if cents:
            journal = posting.unapplied_journal(self._journal_id("unapplied", row), cause.now, row.remittance_id, cents)
            reversal_id = self._journal_id("unapplied-reversal", row)
            self.changes.journals.append(reversal_of(journal, reversal_id, "unapplied_reversal", cause.now))
        others = (other for rows in self.unapplied.values() for other in rows)
        if not any((other.remittance_id, other.state) == (row.remittance_id, row.state) for other in others):
            kind = _WORK[row.state].kind
            self.changes.resolve_task(row.remittance_id, kind, "applied", POLICY, cause)

    def _post(self, row: RemittedClaimRow, claim: Claim, placement: Placement, cause: Cause) -> None:
        """Post a CLP to its claim: journal, lines, events, decision; then see what the claim has come to."""
        remitted, book, changes = row.remitted, self.books[claim.claim_id], self.changes
        lines = posting.split_lines(remitted)
        changes.save_remitted(replace(row, state="posted", chain=placement.chain, placed_at=cause.now))
        changes.remitted_lines += [
            RemittedLineRow(
                row.remittance_id,
                row.position,
                number,
                claim.claim_id,
                placement.chain,
                line,
                answer_of(line, remitted.is_reversal).answers,
            )
            for number, line in enumerate(lines, start=1)
        ]
        journal_id = self._journal_id("posting", row)
        journal = posting.posting_journal(journal_id, cause.now, row.remittance_id, claim.claim_id, lines)
        if journal.entries:
            changes.journals.append(journal)
            book.add_journal(journal)
        if placement.original is not None:
            book.mark_reversed(placement.original)
            changes.reversed_places.append((placement.original.remittance_id, placement.original.position))
        book.add_posting(_posted(row, placement.chain), lines)
        self._say(row, claim, lines, cause)
        after = settle(changes, claim, claim, book, cause)
        _work_on_lines(changes, after, book, lines, cause)

    def _say(self, row: RemittedClaimRow, claim: Claim, lines: Sequence[RemittedLine], cause: Cause) -> None:
        changes, output = self.changes, posting.posting_output(lines)
        payer_id = self.payers[row.remittance_id]
        if row.remitted.paid_cents:
            payment = PaymentPosted(
                claim_id=claim.claim_id,
                encounter_id=claim.encounter_id,
                payer_id=payer_id,
                remittance_id=row.remittance_id,
                paid_cents=row.remitted.paid_cents,
                lines=output.payments,
            )
            changes.emit(payment, cause, claim)
        if output.adjustments:
            adjusted = AdjustmentPosted(
                claim_id=claim.claim_id,
                encounter_id=claim.encounter_id,
                payer_id=payer_id,
                remittance_id=row.remittance_id,
                adjustments=output.adjustments,
            )
            changes.emit(adjusted, cause, claim)
        rule = ("remittance-posting", posting.RULE_ID, posting.RULE_VERSION)
        about = (row.remittance_id, row.position)
        changes.add_decision(
            make_decision(changes.tenant_id, claim.claim_id, about, rule, row.remitted, output, cause.now)
        )

    def _journal_id(self, role: str, row: RemittedClaimRow) -> UUID:
        return stable_id(self.changes.tenant_id, role, row.remittance_id, row.position)


def _posted(row: RemittedClaimRow, chain: int) -> Posted:
    remitted = row.remitted
    return Posted(
        row.remittance_id,
        row.position,
        chain,
        remitted.payer_claim_control_number,
        remitted.charge_cents,
        remitted.paid_cents,
        remitted.is_reversal,
    )


def _work_on_lines(changes: Changes, claim: Claim, book: Book, lines: Sequence[RemittedLine], cause: Cause) -> None:
    """Denied lines and lines nobody could tie to ours are work."""
    unmatched = [line for line in lines if line.line_number == 0 and line.matched_by != "claim_level"]
    if unmatched:
        work = Work(
            "unmatched_line",
            "billing",
            f"{len(unmatched)} remitted lines were tied to no submitted line and stand at the claim level",
            "compare procedure, modifiers and charge with the claim's lines",
            sum(line.charge_cents for line in unmatched),
        )
        changes.open_claim_task(claim, work, cause)
    denied = [line for line in lines if line.denied_cents > 0]
    if denied and claim.outcome in (Outcome.DENIED, Outcome.PARTLY_PAID):
        carcs = [carc for line in denied for carc in line.carcs]
        rarcs = [rarc for line in denied for rarc in line.rarcs]
        remarks = f" (remarks {', '.join(sorted(set(rarcs)))})" if rarcs else ""
        work = Work(
            "claim_denied",
            "billing",
            "; ".join(f"line {line.line_number}: CARC {', '.join(line.carcs)}" for line in denied) + remarks,
            remedy_of(carcs, rarcs),
            book.total.open_cents,
            claim.filing_deadline,
        )
        changes.open_claim_task(claim, work, cause)


async def post_remittances(uow: UnitOfWork, received: Sequence[Received[RemittanceReceived]]) -> None:
    """Post a chunk of remittances: each once, held whole when it does not balance or contradicts one posted before."""
    claim_ids = {claim.claim_id for item in received for claim in item.event.claims if claim.claim_id}
    changes = Changes(uow)
    clearing = await open_clearing(changes, [(item.event.payer_id, item.event.trace_number) for item in received])
    changes.claims = await claim_rows.lock_claims(uow, claim_ids)
    await changes.load_tasks([*changes.claims, *(item.event.remittance_id for item in received)])
    desk = await _open_desk(changes)
    for item in received:
        _receive(desk, clearing, item.event, item.cause)
    await changes.flush()


async def catch_up(changes: Changes) -> None:
    """Give claims that were submitted just now what had come for them before: word of the payer, and money."""
    new = {submission.submission_id: submission.claim_id for submission in changes.submissions}
    if not new:
        return
    await claim_rows.take_turns(changes.uow, new.values())
    heard = await claim_rows.transmissions(changes.uow, new)
    waiting = await rows.unapplied_of(changes.uow, new.values())
    if not heard and not waiting:
        return
    desk = await _open_desk(changes, waiting)
    for claim_id in new.values():
        # Their charges are decided and not yet written, so the books do not have them.
        for journal in changes.journals:
            if journal.claim_id == claim_id:
                desk.books[claim_id].add_journal(journal)
    for submission in list(changes.submissions):
        claim = changes.claims[submission.claim_id]
        cause = Cause(changes.tenant_id, submission.submission_id, submission.decided_at, "policy:catch-up")
        if submission.submission_id in heard:
            hear(changes, claim, heard[submission.submission_id], desk.books[claim.claim_id], cause)
        desk.retry(claim.claim_id, cause)


async def _open_desk(changes: Changes, waiting: Sequence[RemittedClaimRow] | None = None) -> Desk:
    if waiting is None:
        waiting = await rows.unapplied_of(changes.uow, changes.claims)
    books = await ledger.load_books(changes.uow, changes.claims)
    payers = await rows.payers_of(changes.uow, {row.remittance_id for row in waiting})
    await changes.load_tasks({row.remittance_id for row in waiting})
    desk = Desk(changes, books, payers)
    for row in waiting:
        assert row.remitted.claim_id is not None, "found by its claim"
        desk.unapplied.setdefault(row.remitted.claim_id, []).append(row)
    return desk


def _receive(desk: Desk, clearing: Clearing, event: RemittanceReceived, cause: Cause) -> None:
    """Take up one remittance."""
    known = clearing.remittances.setdefault((event.payer_id, event.trace_number), [])
    if any(remittance.remittance_id == event.remittance_id for remittance in known):
        return
    state, because = _judge(event, known)
    remittance = Remittance(
        remittance_id=event.remittance_id,
        payer_id=event.payer_id,
        trace_number=event.trace_number,
        payment_date=event.payment_date,
        payment_method=event.payment_method,
        paid_cents=event.paid_cents,
        identity_key=event.identity_key,
        state=state,
        held_because=because,
        received_at=cause.now,
    )
    known.append(remittance)
    desk.changes.remittances.append(remittance)
    desk.payers[event.remittance_id] = event.payer_id
    if state == "held":
        work = Work(
            "remittance_held",
            "billing",
            because or "",
            "ask the payer for a corrected remittance; nothing of this one is posted",
            event.paid_cents,
        )
        desk.changes.open_money_task("remittance", event.remittance_id, work, cause)
    if state != "posted":
        return
    for position, remitted in enumerate(event.claims, start=1):
        desk.arrive(RemittedClaimRow(event.remittance_id, position, remitted, "", 0, cause.now), cause)
    if event.provider_adjustments:
        journal_id = stable_id(desk.changes.tenant_id, "provider-adjustment", event.remittance_id)
        desk.changes.journals.append(posting.provider_journal(journal_id, cause.now, event))
    clearing.match(remittance.trace, cause)


def _judge(event: RemittanceReceived, known: Sequence[Remittance]) -> tuple[str, str | None]:
    """Posted, held with the reason, or a duplicate: payer, TRN02, BPR16, BPR02 and the hash of its content decide."""
    posted = [remittance for remittance in known if remittance.state == "posted"]
    if any(remittance.identity_key == event.identity_key for remittance in posted):
        return "duplicate", None
    same_payment = (event.payment_date, event.paid_cents)
    if any((remittance.payment_date, remittance.paid_cents) == same_payment for remittance in posted):
        return "held", "same payer, trace number, date and amount as a posted remittance, other content"
    failing = posting.failing_equations(event)
    return ("held", "; ".join(failing[:5])) if failing else ("posted", None)
