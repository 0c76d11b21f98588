"""Double entry: a journal is a set of entries that sum to zero. Debits are positive cents, credits negative.

Nothing is ever changed: a mistake is corrected by a reversal, which is a journal of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

K = TypeVar("K")


class UnbalancedJournal(ValueError):
    """Entries that do not sum to zero.

    Attributes:
        difference_cents: what they sum to.
    """

    def __init__(self, difference_cents: int) -> None:
        self.difference_cents = difference_cents
        super().__init__(f"debits and credits differ by {difference_cents} cents")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One side of a posting: an account, and cents that are a debit when positive, a credit when negative.

    ``subject`` is what the entry is about, for example a claim and a line number; it must balance on its own only
    where the caller asks for it.
    """

    account: str
    cents: int
    subject: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Journal:
    """Entries posted together. Raises UnbalancedJournal when they do not sum to zero."""

    entries: tuple[JournalEntry, ...]

    def __post_init__(self) -> None:
        difference = sum(entry.cents for entry in self.entries)
        if difference:
            raise UnbalancedJournal(difference)

    def reversal(self) -> "Journal":
        """The journal that takes this one back, entry by entry."""
        return Journal(tuple(replace(entry, cents=-entry.cents) for entry in self.entries))


def journal_of(entries: Iterable[JournalEntry]) -> Journal:
    """A journal of the entries that move anything, equal account and subject added up, in order of first appearance.

    Raises:
        UnbalancedJournal: they do not sum to zero.
    """
    sums: dict[tuple[str, tuple[str, ...]], int] = defaultdict(int)
    for entry in entries:
        sums[entry.account, entry.subject] += entry.cents
    return Journal(tuple(JournalEntry(account, cents, subject) for (account, subject), cents in sums.items() if cents))


def transfer(
    debited: str, credited: str, cents: int, subject: tuple[str, ...] = ()
) -> tuple[JournalEntry, JournalEntry]:
    """The two entries that move cents from the credited to the debited account."""
    return JournalEntry(debited, cents, subject), JournalEntry(credited, -cents, subject)


def sums_by_account(journals: Iterable[Journal]) -> dict[str, int]:
    """Balance of every account over some journals, zeros dropped."""
    return _without_zeros(_sum((entry.account, entry.cents) for entry in _entries(journals)))


def sums_by_account_and_subject(journals: Iterable[Journal]) -> dict[tuple[str, tuple[str, ...]], int]:
    """Balance of every account per subject, zeros dropped."""
    return _without_zeros(_sum(((entry.account, entry.subject), entry.cents) for entry in _entries(journals)))


def unbalanced_subjects(journals: Iterable[Journal]) -> dict[tuple[str, ...], int]:
    """Subjects whose own entries do not sum to zero, with the difference; empty: every subject balances on its own."""
    return _without_zeros(_sum((entry.subject, entry.cents) for entry in _entries(journals)))


def _entries(journals: Iterable[Journal]) -> Iterable[JournalEntry]:
    return (entry for journal in journals for entry in journal.entries)


def _sum(pairs: Iterable[tuple[K, int]]) -> dict[K, int]:
    sums: dict[K, int] = defaultdict(int)
    for key, cents in pairs:
        sums[key] += cents
    return sums


def _without_zeros(sums: Mapping[K, int]) -> dict[K, int]:
    return {key: cents for key, cents in sums.items() if cents}
