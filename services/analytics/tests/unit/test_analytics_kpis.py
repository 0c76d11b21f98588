"""Promise: a KPI is a pure function of sums, exact to the unit, and no order of events changes it."""

import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from revcycle_analytics.domain import measures
from revcycle_analytics.domain.kpis import BY_ID, Value, compute, grouped_totals, totals_of
from revcycle_analytics.domain.measures import Denial, Sums

DAY = date(2026, 9, 30)


def sums_of(*parts: Sums) -> Sums:
    total = Sums()
    for part in parts:
        total.update(part)
    return total


PARTS = (
    measures.of_submission(DAY, "REVPAY1", date(2026, 9, 20), 20_000, "1"),
    measures.of_submission(DAY, "REVPAY2", date(2026, 9, 28), 10_000, "1"),
    measures.of_submission(DAY, "REVPAY2", date(2026, 9, 28), 10_000, "7"),
    measures.of_payment(DAY, "REVPAY1", 12_000),
    measures.of_payment(DAY, "REVPAY1", -2_000),
    measures.of_adjustments(
        DAY,
        "REVPAY1",
        [
            ("contractual_adjustment", "45", 5_000),
            ("receivable_patient", "1", 3_000),
            ("receivable_insurance", "50", 9),
        ],
    ),
    measures.of_adjudication(DAY, "REVPAY1", first_answer=True, denied_lines=0),
    measures.of_adjudication(DAY, "REVPAY2", first_answer=False, denied_lines=2),
    measures.of_first_answer(DAY, "REVPAY2", passed=False),
    measures.of_denials(DAY, "REVPAY2", [Denial("50", 4_000), Denial("50", 1_000), Denial("96", 2_000)]),
)


@pytest.mark.parametrize(
    ("kpi_id", "numerator", "denominator"),
    [
        ("first-pass-rate", 1, 2),
        ("denial-rate", 1, 2),
        ("days-in-ar", (30_000 - 10_000 - 5_000) * 30, 30_000),
        ("charge-lag", 12, 2),
        ("net-collection-rate", 10_000, 25_000),
    ],
)
def test_each_kpi_counts_what_its_definition_says(kpi_id: str, numerator: int, denominator: int) -> None:
    value = compute(BY_ID[kpi_id], totals_of(sums_of(*PARTS).items()), 30)
    assert value == Value(numerator, denominator)


def test_the_order_of_events_changes_nothing() -> None:
    expected = sums_of(*PARTS)
    chance = random.Random(1)
    assert all(sums_of(*chance.sample(PARTS, len(PARTS))) == expected for _ in range(50))


def test_denials_by_carc_count_a_claim_once_per_carc_over_all_adjudicated_claims() -> None:
    groups = grouped_totals(sums_of(*PARTS).items(), "carc")
    rate = {carc: compute(BY_ID["denial-rate"], totals, 30) for carc, totals in groups.items()}
    assert rate["50"] == Value(1, 2) and rate["96"] == Value(1, 2) and rate["45"] == Value(0, 2)
    assert groups["50"]["lines_denied"] == 2 and groups["50"]["denied_cents"] == 5_000


def test_groups_by_payer_add_up_to_the_whole() -> None:
    sums = sums_of(*PARTS)
    groups = grouped_totals(sums.items(), "payer_id")
    whole = totals_of(sums.items())
    assert {name: sum(group.get(name, 0) for group in groups.values()) for name in whole} == whole


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9))
def test_ratios_are_decimal_text_within_half_of_the_last_place(numerator: int, denominator: int) -> None:
    text = Value(numerator, denominator).ratio
    assert text is not None
    scaled = int(text.replace(".", ""))
    assert abs(scaled * denominator - numerator * 10_000) * 2 <= denominator


def test_nothing_to_divide_by_is_no_value() -> None:
    assert Value(3, 0).ratio is None
