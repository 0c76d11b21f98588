"""Advice and cash: which deposit pays which remittance, and what the difference is called."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from revcycle_claims.domain.ledger import Account, Entry, Journal


@dataclass(frozen=True, slots=True)
class Advice:
    """A posted remittance that expects money; ``paid_cents`` 0 expects none."""

    remittance_id: UUID
    payment_date: date
    paid_cents: int


@dataclass(frozen=True, slots=True)
class Cash:
    """A deposit the bank reported."""

    deposit_id: UUID
    deposit_date: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Match:
    """A deposit and its remittance; ``difference_cents`` = deposit minus advice."""

    deposit_id: UUID
    remittance_id: UUID
    difference_cents: int


def match_trace(advices: Sequence[Advice], deposits: Sequence[Cash]) -> list[Match]:
    """Match the deposits and remittances of one payer and trace number.

    Equal amounts first, then what is left in order of date; payers reuse trace numbers, so there may be several of
    both. A function of the sets alone: the order of arrival does not matter.
    """
    open_advices = sorted((a for a in advices if a.paid_cents), key=lambda a: (a.payment_date, a.remittance_id))
    open_deposits = sorted(deposits, key=lambda d: (d.deposit_date, d.deposit_id))
    by_amount: defaultdict[int, list[Advice]] = defaultdict(list)
    for advice in open_advices:
        by_amount[advice.paid_cents].append(advice)
    matches: list[Match] = []
    left: list[Cash] = []
    for deposit in open_deposits:
        if by_amount[deposit.amount_cents]:
            matches.append(Match(deposit.deposit_id, by_amount[deposit.amount_cents].pop(0).remittance_id, 0))
        else:
            left.append(deposit)
    taken = {match.remittance_id for match in matches}
    rest = [advice for advice in open_advices if advice.remittance_id not in taken]
    for deposit, advice in zip(left, rest, strict=False):
        difference = deposit.amount_cents - advice.paid_cents
        matches.append(Match(deposit.deposit_id, advice.remittance_id, difference))
    return matches


def deposit_journal(journal_id: UUID, posted_at: datetime, deposit_id: UUID, amount_cents: int) -> Journal:
    """Money arrived; until it meets its advice it stands in clearing."""
    entries = (Entry(Account.CASH, amount_cents), Entry(Account.CLEARING_DEPOSIT, -amount_cents))
    return Journal(journal_id, "deposit", posted_at, entries, deposit_id=deposit_id)


def match_journal(
    journal_id: UUID, posted_at: datetime, deposit_id: UUID, remittance_id: UUID, amount_cents: int
) -> Journal:
    """The deposit pays the remittance: what remains in the remittance's clearing is the difference."""
    entries = (Entry(Account.CLEARING_DEPOSIT, amount_cents), Entry(Account.CLEARING_REMITTANCE, -amount_cents))
    return Journal(journal_id, "deposit_match", posted_at, entries, remittance_id=remittance_id, deposit_id=deposit_id)
