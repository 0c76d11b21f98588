"""No cent is lost, made or mistyped."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from revcycle_money import (
    AmountError,
    Journal,
    JournalEntry,
    UnbalancedJournal,
    allocate,
    format_cents,
    journal_of,
    parse_amount,
    sums_by_account,
    sums_by_account_and_subject,
    transfer,
    unbalanced_subjects,
)

CENTS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)
ENTRIES = st.lists(
    st.builds(
        JournalEntry,
        st.sampled_from(["cash", "clearing", "receivable"]),
        CENTS,
        st.sampled_from([("claim-1", "1"), ("claim-1", "2"), ()]),
    ),
    max_size=12,
)


def balanced(entries: list[JournalEntry]) -> Journal:
    return Journal((*entries, JournalEntry("suspense", -sum(entry.cents for entry in entries))))


@given(CENTS, WEIGHTS)
def test_shares_sum_to_the_total_and_are_fair_to_a_cent(total_cents: int, weights: list[int]) -> None:
    """No cent is lost; no share is a cent or more away from its exact value; zero weights get nothing."""
    shares = allocate(total_cents, weights)
    assert sum(shares) == total_cents
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        exact = Fraction(total_cents * weight, whole) if whole else Fraction(total_cents, len(weights))
        assert abs(share - exact) < 1
        assert whole == 0 or weight > 0 or share == 0


@given(CENTS, WEIGHTS)
def test_a_negative_total_is_the_mirror(total_cents: int, weights: list[int]) -> None:
    """A reversal allocates exactly what is to be reversed."""
    assert allocate(-total_cents, weights) == [-share for share in allocate(total_cents, weights)]


def test_what_is_left_goes_to_the_largest_remainders_the_earlier_first() -> None:
    """The rule itself, on cases worked out by hand."""
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(100, [1, 2, 1]) == [25, 50, 25]
    assert allocate(5, [3, 7]) == [2, 3]
    assert allocate(1, [0, 0, 5]) == [0, 0, 1]
    assert allocate(5, [0, 0]) == [3, 2]


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_weights_that_mean_nothing_are_refused(weights: list[int]) -> None:
    """No weights, or a negative one."""
    with pytest.raises(ValueError, match="at least one weight"):
        allocate(10, weights)


@given(CENTS)
def test_text_and_cents_are_the_same_amount(cents: int) -> None:
    """Formatting and parsing undo each other."""
    assert parse_amount(format_cents(cents)) == cents


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12", 1200), ("12.5", 1250), ("12.50", 1250), (".5", 50), ("-.05", -5), ("0", 0), ("-0", 0), ("007", 700)],
)
def test_the_forms_of_an_amount(text: str, cents: int) -> None:
    """What X12 and spreadsheets write."""
    assert parse_amount(text) == cents


@pytest.mark.parametrize(
    "text", ["", ".", "-", "+1", " 1", "1 ", "1,000", "1e3", "1.234", "1.", "--1", "NaN", "0x10", "١٢", "1" * 15, "1\n"]
)
def test_what_is_no_amount_is_refused_without_repeating_it(text: str) -> None:
    """Nothing is guessed, and the error holds nothing that was given."""
    with pytest.raises(AmountError) as refused:
        parse_amount(text)
    assert str(refused.value) == "an amount is digits with at most two decimals, for example 12.50"


def test_an_unbalanced_journal_does_not_exist() -> None:
    """It cannot be made, and the error says by how much."""
    with pytest.raises(UnbalancedJournal) as refused:
        Journal((JournalEntry("cash", 100), JournalEntry("clearing", -99)))
    assert refused.value.difference_cents == 1


@given(ENTRIES)
def test_a_reversal_takes_everything_back(entries: list[JournalEntry]) -> None:
    """Journal and reversal together move nothing, on no account and no subject."""
    journal = balanced(entries)
    assert sums_by_account([journal, journal.reversal()]) == {}
    assert sums_by_account_and_subject([journal, journal.reversal()]) == {}


@given(ENTRIES)
def test_all_accounts_together_are_zero(entries: list[JournalEntry]) -> None:
    """The trial balance of balanced journals is zero."""
    assert sum(sums_by_account([balanced(entries), balanced(entries[:3])]).values()) == 0


@given(ENTRIES)
def test_adding_up_entries_changes_no_balance(entries: list[JournalEntry]) -> None:
    """``journal_of`` merges and drops zeros, and every account and subject keeps its sum."""
    journal = balanced(entries)
    merged = journal_of(journal.entries)
    assert sums_by_account_and_subject([merged]) == sums_by_account_and_subject([journal])
    assert all(entry.cents for entry in merged.entries)
    places = [(entry.account, entry.subject) for entry in merged.entries]
    assert len(places) == len(set(places))


def test_a_subject_that_does_not_balance_is_named() -> None:
    """A journal may balance as a whole while two lines owe each other; that is found."""
    crossed = Journal((JournalEntry("cash", 5, ("a",)), JournalEntry("receivable", -5, ("b",))))
    assert unbalanced_subjects([crossed]) == {("a",): 5, ("b",): -5}
    assert unbalanced_subjects([journal_of(transfer("cash", "receivable", 5, ("a",)))]) == {}
