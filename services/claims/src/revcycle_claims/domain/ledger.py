"""The double-entry ledger: accounts, journals that balance, and the money of a claim's line read from its accounts.

Cents are signed: debit positive, credit negative. A journal balances as a whole and within every (claim, line), so
that per line charge = paid + contractual + other + patient + open follows from the accounts and can be checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from revcycle_money import Journal as DoubleEntry
from revcycle_money import JournalEntry, UnbalancedJournal, unbalanced_subjects


class Account(StrEnum):
    """The accounts. The first five stand for claims' lines, the others for payers, the bank and what fits nowhere."""

    CHARGES = "charges"
    RECEIVABLE_INSURANCE = "receivable_insurance"
    RECEIVABLE_PATIENT = "receivable_patient"
    CONTRACTUAL_ADJUSTMENT = "contractual_adjustment"
    OTHER_ADJUSTMENT = "other_adjustment"
    CLEARING_REMITTANCE = "clearing_remittance"
    CLEARING_DEPOSIT = "clearing_deposit"
    CASH = "cash"
    UNAPPLIED = "unapplied"
    PROVIDER_LEVEL = "provider_level"


CLAIM_LEVEL: Final = 0
"""The line number of what stands for a claim as a whole."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Cents on an account: debit positive, credit negative. Claim and line, when it stands for a line."""

    account: str
    cents: int
    claim_id: UUID | None = None
    line_number: int | None = None
    adjustment_group: str | None = None
    carc: str | None = None

    @property
    def subject(self) -> tuple[str, ...]:
        """The claim line an entry stands for; entries of payers and the bank share the empty one."""
        return () if self.claim_id is None else (self.claim_id.hex, str(self.line_number))


@dataclass(frozen=True, slots=True)
class Journal:
    """Entries that belong together. ``reverses`` names the journal it takes back.

    Raises:
        UnbalancedJournal: the entries do not sum to zero, as a whole or within one claim line.
    """

    journal_id: UUID
    kind: str
    posted_at: datetime
    entries: tuple[Entry, ...]
    claim_id: UUID | None = None
    remittance_id: UUID | None = None
    deposit_id: UUID | None = None
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        entries = (JournalEntry(entry.account, entry.cents, entry.subject) for entry in self.entries)
        if unbalanced := unbalanced_subjects([DoubleEntry(tuple(entries))]):
            raise UnbalancedJournal(max(unbalanced.values()))


@dataclass(frozen=True, slots=True)
class LineMoney:
    """The money of one line, each figure from its own account. ``unbalanced_cents`` is 0 or the books are wrong."""

    charge_cents: int = 0
    paid_cents: int = 0
    contractual_cents: int = 0
    other_adjustment_cents: int = 0
    patient_cents: int = 0
    open_cents: int = 0

    @property
    def unbalanced_cents(self) -> int:
        """Charge minus everything that became of it."""
        became = self.paid_cents + self.contractual_cents + self.other_adjustment_cents
        return self.charge_cents - became - self.patient_cents - self.open_cents

    def __add__(self, other: "LineMoney") -> "LineMoney":
        return LineMoney(
            self.charge_cents + other.charge_cents,
            self.paid_cents + other.paid_cents,
            self.contractual_cents + other.contractual_cents,
            self.other_adjustment_cents + other.other_adjustment_cents,
            self.patient_cents + other.patient_cents,
            self.open_cents + other.open_cents,
        )


_FIGURE: Final[dict[str, tuple[str, int]]] = {
    Account.CHARGES: ("charge_cents", -1),
    Account.CLEARING_REMITTANCE: ("paid_cents", 1),
    Account.CONTRACTUAL_ADJUSTMENT: ("contractual_cents", 1),
    Account.OTHER_ADJUSTMENT: ("other_adjustment_cents", 1),
    Account.RECEIVABLE_PATIENT: ("patient_cents", 1),
    Account.RECEIVABLE_INSURANCE: ("open_cents", 1),
}


def with_cents(money: LineMoney, account: str, cents: int) -> LineMoney:
    """The line's money after cents on one of its accounts."""
    figure, sign = _FIGURE[account]
    return replace(money, **{figure: getattr(money, figure) + sign * cents})


def charge_journal(
    journal_id: UUID, posted_at: datetime, claim_id: UUID, charges: Mapping[int, int], receivable: Account
) -> Journal:
    """Bill a claim: line number to cents, owed by the insurance or by the patient."""
    entries = tuple(
        entry
        for line_number, cents in sorted(charges.items())
        for entry in (
            Entry(receivable, cents, claim_id, line_number),
            Entry(Account.CHARGES, -cents, claim_id, line_number),
        )
    )
    return Journal(journal_id, "charge", posted_at, entries, claim_id)


def reversal_of(journal: Journal, journal_id: UUID, kind: str, posted_at: datetime) -> Journal:
    """The journal that takes another one back, entry by entry."""
    entries = tuple(replace(entry, cents=-entry.cents) for entry in journal.entries)
    return replace(
        journal, journal_id=journal_id, kind=kind, posted_at=posted_at, entries=entries, reverses=journal.journal_id
    )
