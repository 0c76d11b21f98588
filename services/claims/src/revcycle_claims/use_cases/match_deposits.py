"""Match deposits to remittances by payer, trace number and amount, whichever of the two comes first."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from revcycle_events import DepositMatched
from revcycle_messaging import Cause

from revcycle_claims.domain.clearing import Advice, Cash, Match, match_journal, match_trace
from revcycle_claims.domain.ids import stable_id
from revcycle_claims.domain.ledger import reversal_of
from revcycle_claims.repositories import remittances as rows
from revcycle_claims.repositories.remittances import Deposit, Remittance, Trace
from revcycle_claims.use_cases.changes import Changes, Work

ADVICE_TIMER: Final = "advice-without-money"
CASH_TIMER: Final = "money-without-advice"
GRACE_DAYS: Final = 5
"""Advice and cash rarely come on the same day: after this many days the absent one becomes a work item."""
POLICY: Final = "policy:match-deposits"


@dataclass(slots=True)
class Clearing:
    """The remittances and deposits of some trace numbers, locked, as changed so far."""

    changes: Changes
    remittances: dict[Trace, list[Remittance]]
    deposits: dict[Trace, list[Deposit]]

    def match(self, trace: Trace, cause: Cause) -> None:
        """Match again what stands under a trace number; matches that no longer hold are taken back."""
        remittances = [item for item in self.remittances.get(trace, ()) if item.state == "posted"]
        deposits = self.deposits.get(trace, [])
        matches = {
            match.deposit_id: match
            for match in match_trace(
                [Advice(item.remittance_id, item.payment_date, item.paid_cents) for item in remittances],
                [Cash(item.deposit_id, item.deposit_date, item.amount_cents) for item in deposits],
            )
        }
        self.deposits[trace] = [self._apply(deposit, matches.get(deposit.deposit_id), cause) for deposit in deposits]
        paid = {deposit.remittance_id for deposit in self.deposits[trace]}
        for remittance in remittances:
            if remittance.paid_cents and remittance.remittance_id not in paid:
                self._set_timer("remittance", remittance.remittance_id, ADVICE_TIMER, remittance.payment_date)
        for deposit in self.deposits[trace]:
            if deposit.remittance_id is None:
                self._set_timer("deposit", deposit.deposit_id, CASH_TIMER, deposit.deposit_date)

    def _apply(self, deposit: Deposit, match: Match | None, cause: Cause) -> Deposit:
        wanted = match.remittance_id if match else None
        if deposit.remittance_id == wanted:
            return deposit
        if deposit.remittance_id is not None:
            deposit = self._unmatch(deposit, deposit.remittance_id, cause)
        if match is not None:
            deposit = self._match(deposit, match, cause)
        self.changes.save_deposit(deposit)
        return deposit

    def _match(self, deposit: Deposit, match: Match, cause: Cause) -> Deposit:
        changes = self.changes
        deposit = replace(
            deposit,
            remittance_id=match.remittance_id,
            difference_cents=match.difference_cents,
            match_number=deposit.match_number + 1,
        )
        changes.journals.append(
            match_journal(
                self._journal_id("deposit-match", deposit),
                cause.now,
                deposit.deposit_id,
                match.remittance_id,
                deposit.amount_cents,
            )
        )
        event = DepositMatched(
            deposit_id=deposit.deposit_id,
            remittance_id=match.remittance_id,
            trace_number=deposit.trace_number,
            difference_cents=match.difference_cents,
        )
        changes.emit(event, cause, None)
        self._resolve(deposit.deposit_id, match.remittance_id, cause)
        if match.difference_cents:
            work = Work(
                "deposit_difference",
                "billing",
                "the deposit is not what the remittance advises",
                "ask the payer or the bank for the difference",
                abs(match.difference_cents),
            )
            changes.open_money_task("deposit", deposit.deposit_id, work, cause)
        return deposit

    def _unmatch(self, deposit: Deposit, remittance_id: UUID, cause: Cause) -> Deposit:
        matched = match_journal(
            self._journal_id("deposit-match", deposit),
            cause.now,
            deposit.deposit_id,
            remittance_id,
            deposit.amount_cents,
        )
        journal_id = self._journal_id("deposit-unmatch", deposit)
        self.changes.journals.append(reversal_of(matched, journal_id, "deposit_unmatch", cause.now))
        self.changes.resolve_task(deposit.deposit_id, "deposit_difference", "matched_otherwise", POLICY, cause)
        return replace(deposit, remittance_id=None, difference_cents=None)

    def _resolve(self, deposit_id: UUID, remittance_id: UUID, cause: Cause) -> None:
        """Advice and cash have met: nobody need look for either."""
        uow = self.changes.uow
        uow.cancel_timer(f"remittance/{remittance_id}", ADVICE_TIMER)
        uow.cancel_timer(f"deposit/{deposit_id}", CASH_TIMER)
        self.changes.resolve_task(remittance_id, "advice_without_money", "deposit_matched", POLICY, cause)
        self.changes.resolve_task(deposit_id, "money_without_advice", "deposit_matched", POLICY, cause)

    def _set_timer(self, subject_type: str, subject_id: UUID, name: str, since: date) -> None:
        due = datetime.combine(since + timedelta(days=GRACE_DAYS), time(), UTC)
        self.changes.uow.set_timer(f"{subject_type}/{subject_id}", name, due)

    def _journal_id(self, role: str, deposit: Deposit) -> UUID:
        return stable_id(self.changes.tenant_id, role, deposit.deposit_id, deposit.match_number)


async def open_clearing(changes: Changes, traces: Iterable[Trace]) -> Clearing:
    """Lock trace numbers and take up the remittances and deposits that stand under them, with their work items."""
    wanted = list(traces)
    await rows.lock_traces(changes.uow, wanted)
    remittances = await rows.remittances_of(changes.uow, wanted)
    deposits = await rows.deposits_of(changes.uow, wanted)
    found = [item.remittance_id for items in remittances.values() for item in items]
    found += [item.deposit_id for items in deposits.values() for item in items]
    await changes.load_tasks(found)
    return Clearing(changes, remittances, deposits)
