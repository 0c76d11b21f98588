"""Money: nothing a payer can say creates or loses a cent, whatever the order."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from revcycle_claims.domain import posting
from revcycle_claims.domain.book import Book, Posted, place
from revcycle_claims.domain.carc_playbook import PLAYBOOK, AdjustmentClass, classify, remedy_of
from revcycle_claims.domain.claim import Claim
from revcycle_claims.domain.clearing import Advice, Cash, deposit_journal, match_journal, match_trace
from revcycle_claims.domain.ids import line_control_number, patient_control_number
from revcycle_claims.domain.ledger import (
    Account,
    Entry,
    Journal,
    LineMoney,
    charge_journal,
    reversal_of,
    with_cents,
)
from revcycle_claims.domain.settlement import settle
from revcycle_events import RemittanceReceived, RemittedAdjustment, RemittedClaim, RemittedLine
from revcycle_messaging.testing import START, TENANT
from revcycle_money import UnbalancedJournal

CLAIM_ID, REMITTANCE = UUID(int=1), UUID(int=2)
CHARGES = {1: 10_000, 2: 2_500, 3: 1}
SENT = Claim(
    claim_id=CLAIM_ID,
    encounter_id=UUID(int=3),
    billing_side="professional",
    created_at=START,
    since=START,
    state="submitted",
    submission="acknowledged",
    waiting_for="adjudication",
    frequency="1",
    submissions=1,
    chain=1,
)


def line(number: int | None, charge: int, *adjustments: tuple[str, str, int]) -> RemittedLine:
    entries = [RemittedAdjustment(group=group, carc=carc, amount_cents=cents) for group, carc, cents in adjustments]
    return RemittedLine(
        line_number=number,
        matched_by="test",
        charge_cents=charge,
        paid_cents=charge - sum(entry.amount_cents for entry in entries),
        adjustments=entries,
    )


def remitted(lines: list[RemittedLine], *, reversal: bool = False, icn: str = "ICN") -> RemittedClaim:
    sign = -1 if reversal else 1
    turned = [
        item.model_copy(
            update={
                "charge_cents": sign * item.charge_cents,
                "paid_cents": sign * item.paid_cents,
                "adjustments": [
                    entry.model_copy(update={"amount_cents": sign * entry.amount_cents}) for entry in item.adjustments
                ],
            }
        )
        for item in lines
    ]
    return RemittedClaim(
        claim_id=CLAIM_ID,
        submission_id=None,
        patient_control_number="X",
        payer_claim_control_number=icn,
        claim_status_code="22" if reversal else "1",
        is_reversal=reversal,
        charge_cents=sum(item.charge_cents for item in turned),
        paid_cents=sum(item.paid_cents for item in turned),
        patient_responsibility_cents=0,
        lines=turned,
    )


def money_by_line(journals: list[Journal]) -> dict[int, LineMoney]:
    """Line to money, summed from entries alone."""
    money: dict[int, LineMoney] = {}
    for entry in (entry for journal in journals for entry in journal.entries):
        if entry.line_number is not None:
            before = money.get(entry.line_number, LineMoney())
            money[entry.line_number] = with_cents(before, entry.account, entry.cents)
    return money


groups = st.sampled_from(["CO", "PR", "OA", "PI"])
carcs = st.sampled_from(["1", "2", "3", "45", "253", "23", "96", "29", "18", "999", "B7"])
adjustments = st.lists(st.tuples(groups, carcs, st.integers(-50_000, 50_000)), max_size=4)
remitted_lines = st.lists(
    st.tuples(st.sampled_from([None, 1, 2, 3]), st.integers(-20_000, 20_000), adjustments), max_size=4
)


@given(st.lists(st.tuples(remitted_lines, st.booleans(), adjustments), max_size=6), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_no_sequence_of_remittances_creates_or_loses_a_cent(claims: list[Any], deposits: int) -> None:
    """Charges, postings, reversals, provider adjustments and deposits: every journal balances, per line
    charge = paid + contractual + other + patient + open, the books sum to zero, and clearing holds what was advised.
    """
    journals = [charge_journal(UUID(int=9), START, CLAIM_ID, CHARGES, Account.RECEIVABLE_INSURANCE)]
    advised = 0
    for number, (lines, reversal, claim_level) in enumerate(claims):
        claim = remitted([line(place, charge, *entries) for place, charge, entries in lines], reversal=reversal)
        extra = [RemittedAdjustment(group=group, carc=carc, amount_cents=cents) for group, carc, cents in claim_level]
        claim = claim.model_copy(
            update={"adjustments": extra, "paid_cents": claim.paid_cents - sum(item.amount_cents for item in extra)}
        )
        split = posting.split_lines(claim)
        journals.append(posting.posting_journal(UUID(int=100 + number), START, REMITTANCE, CLAIM_ID, split))
        advised += claim.paid_cents
    for number in range(deposits):
        journals.append(deposit_journal(UUID(int=200 + number), START, UUID(int=300 + number), number * 7 + 1))
        journals.append(
            match_journal(UUID(int=400 + number), START, UUID(int=300 + number), REMITTANCE, number * 7 + 1)
        )
    journals += [reversal_of(journals[-1], UUID(int=500), "deposit_unmatch", START)] if deposits else []
    money = money_by_line(journals)
    assert all(item.unbalanced_cents == 0 for item in money.values())
    entries = [entry for journal in journals for entry in journal.entries]
    assert sum(entry.cents for entry in entries) == 0
    paid = sum(entry.cents for entry in entries if entry.claim_id and entry.account == Account.CLEARING_REMITTANCE)
    assert paid == advised


def test_a_journal_that_does_not_balance_cannot_exist() -> None:
    """Neither as a whole nor within a line: a cent moved between two lines of one claim is refused too."""
    with pytest.raises(UnbalancedJournal):
        Journal(UUID(int=1), "charge", START, (Entry("cash", 1),))
    crosswise = (Entry("charges", -1, CLAIM_ID, 1), Entry("receivable_insurance", 1, CLAIM_ID, 2))
    with pytest.raises(UnbalancedJournal):
        Journal(UUID(int=1), "charge", START, crosswise)


@pytest.mark.parametrize(
    ("group", "carc", "expected"),
    [
        ("PR", "1", AdjustmentClass.PATIENT),
        ("PR", "96", AdjustmentClass.PATIENT),
        ("CO", "45", AdjustmentClass.CONTRACTUAL),
        ("CO", "253", AdjustmentClass.CONTRACTUAL),
        ("OA", "23", AdjustmentClass.OTHER),
        ("CO", "29", AdjustmentClass.DENIAL),
        ("PI", "96", AdjustmentClass.DENIAL),
        ("OA", "18", AdjustmentClass.DENIAL),
        ("CO", "nobody-knows", AdjustmentClass.DENIAL),
    ],
)
def test_money_is_written_off_only_for_reasons_that_were_classed(group: str, carc: str, expected: str) -> None:
    assert classify(group, carc) == expected


def test_a_denial_has_a_remedy_and_ma130_overrides_it() -> None:
    assert all(play.remedy for play in PLAYBOOK.values())
    assert "authorisation" in remedy_of(["197"], [])
    assert "NEW claim" in remedy_of(["16"], ["MA130"])


def book_with(claims: list[RemittedClaim], claim: Claim = SENT) -> tuple[Book, Claim]:
    """Post claims in order; what cannot be placed is left out."""
    book = Book()
    book.add_journal(charge_journal(UUID(int=9), START, CLAIM_ID, CHARGES, Account.RECEIVABLE_INSURANCE))
    for number, item in enumerate(claims, start=1):
        placement = place(TENANT, item, claim, book)
        if placement.state != "posted":
            continue
        lines = posting.split_lines(item)
        book.add_journal(posting.posting_journal(UUID(int=number), START, REMITTANCE, CLAIM_ID, lines))
        if placement.original:
            book.mark_reversed(placement.original)
        posted = Posted(
            REMITTANCE,
            number,
            placement.chain,
            item.payer_claim_control_number,
            item.charge_cents,
            item.paid_cents,
            item.is_reversal,
        )
        book.add_posting(posted, lines)
        claim = settle(claim, book, START)
    return book, claim


def test_outcomes_are_derived_from_reasons_never_from_paid_zero() -> None:
    """All deductible is paid with nothing paid; a denied line makes it partly paid, all of them denied."""
    full = [line(1, 10_000, ("CO", "45", 500)), line(2, 2_500), line(3, 1)]
    assert book_with([remitted(full)])[1].outcome == "paid"
    deductible = [line(number, cents, ("PR", "1", cents)) for number, cents in CHARGES.items()]
    _, claim = book_with([remitted(deductible)])
    assert (claim.outcome, claim.receivable, claim.closed) == ("paid", "patient", True)
    one_denied = [line(1, 10_000), line(2, 2_500, ("CO", "96", 2_500)), line(3, 1)]
    book, claim = book_with([remitted(one_denied)])
    assert (claim.outcome, claim.receivable, book.total.open_cents) == ("partly_paid", "insurance", 2_500)
    denied = [line(number, cents, ("CO", "29", cents)) for number, cents in CHARGES.items()]
    book, claim = book_with([remitted(denied)])
    assert (claim.outcome, claim.closed, book.total.open_cents) == ("denied", False, 12_501)


def test_an_answer_on_some_lines_only_settles_nothing() -> None:
    _, claim = book_with([remitted([line(1, 10_000)])])
    assert (claim.outcome, claim.waiting_for) == (None, "remittance")


def test_cents_the_payer_does_not_account_for_are_a_named_wait() -> None:
    """Every line answered, nothing denied, and money open: never closed with unexplained cents."""
    _, claim = book_with([remitted([line(1, 9_999), line(2, 2_500), line(3, 1)])])
    assert (claim.outcome, claim.waiting_for, claim.closed) == (None, "balance", False)


def test_a_reversal_nets_its_original_to_zero_and_needs_one() -> None:
    """After the reversal the claim is as before the original; without an original it is not posted at all."""
    lines = [line(1, 10_000, ("CO", "45", 500), ("PR", "2", 100)), line(2, 2_500), line(3, 1)]
    book, claim = book_with([remitted(lines), remitted(lines, reversal=True)])
    assert (book.total.open_cents, book.total.paid_cents) == (12_501, 0)
    assert (claim.outcome, claim.waiting_for) == (None, "remittance")
    assert place(TENANT, remitted(lines, reversal=True), SENT, Book()).state == "waiting_original"
    assert place(TENANT, remitted(lines, reversal=True), claim, book).state == "waiting_original"
    other = remitted(lines, reversal=True, icn="ANOTHER")
    assert place(TENANT, other, *reversed(book_with([remitted(lines)]))).state == "waiting_original"


def test_an_unbalanced_remittance_names_the_equation_that_fails() -> None:
    good = remitted([line(1, 10_000, ("CO", "45", 500))])
    event = RemittanceReceived(
        remittance_id=REMITTANCE,
        payer_id="P",
        trace_number="T",
        payment_date=date(2026, 9, 1),
        payment_method="ACH",
        paid_cents=9_500,
        identity_key="k",
        bytes_sha256="0",
        claims=[good],
        provider_adjustments=[],
    )
    assert posting.failing_equations(event) == []
    assert "BPR02" in posting.failing_equations(event.model_copy(update={"paid_cents": 9_501}))[0]
    bad_claim = good.model_copy(update={"paid_cents": 9_501})
    assert (
        "CLP03" in posting.failing_equations(event.model_copy(update={"claims": [bad_claim], "paid_cents": 9_501}))[0]
    )
    bad_line = good.lines[0].model_copy(update={"paid_cents": 9_499})
    failing = posting.failing_equations(
        event.model_copy(update={"claims": [good.model_copy(update={"lines": [bad_line]})]})
    )
    assert "SVC02" in failing[0]


amounts = st.lists(st.integers(1, 5), max_size=6)


@given(amounts, amounts, st.randoms())
def test_matching_deposits_is_a_function_of_the_sets(advised: list[int], deposited: list[int], chance: Any) -> None:
    """The order of arrival does not matter; equal amounts are matched first; nothing is matched twice."""
    advices = [Advice(UUID(int=n), date(2026, 9, 1 + n), cents) for n, cents in enumerate(advised)]
    cash = [Cash(UUID(int=100 + n), date(2026, 9, 1 + n), cents) for n, cents in enumerate(deposited)]
    matches = match_trace(advices, cash)
    shuffled_advices, shuffled_cash = advices[:], cash[:]
    chance.shuffle(shuffled_advices)
    chance.shuffle(shuffled_cash)
    by_deposit = sorted(matches, key=lambda match: match.deposit_id)
    assert sorted(match_trace(shuffled_advices, shuffled_cash), key=lambda match: match.deposit_id) == by_deposit
    assert len({match.remittance_id for match in matches}) == len(matches) == min(len(advices), len(cash))
    exact = sum(min(advised.count(cents), deposited.count(cents)) for cents in set(advised))
    assert sum(1 for match in matches if match.difference_cents == 0) == exact


def test_control_numbers_are_short_unique_and_kept() -> None:
    """At most 17 characters, the same for the same submission chain, another for every other one and tenant."""
    numbers = {
        patient_control_number(tenant, UUID(int=claim), chain)
        for tenant in (TENANT, UUID(int=7))
        for claim in range(200)
        for chain in (1, 2)
    }
    assert len(numbers) == 800
    assert all(len(number) <= 17 and number.isalnum() for number in numbers)
    number = patient_control_number(TENANT, CLAIM_ID, 1)
    assert number == patient_control_number(TENANT, CLAIM_ID, 1)
    assert len(line_control_number(number, 50)) <= 30
