"""Money: integer cents, allocation without loss, double-entry journal arithmetic. Pure; imports nothing of ours."""

from revcycle_money.amounts import AmountError, allocate, format_cents, parse_amount
from revcycle_money.journal import (
    Journal,
    JournalEntry,
    UnbalancedJournal,
    journal_of,
    sums_by_account,
    sums_by_account_and_subject,
    transfer,
    unbalanced_subjects,
)

__all__ = [
    "AmountError",
    "Journal",
    "JournalEntry",
    "UnbalancedJournal",
    "allocate",
    "format_cents",
    "journal_of",
    "parse_amount",
    "sums_by_account",
    "sums_by_account_and_subject",
    "transfer",
    "unbalanced_subjects",
]
