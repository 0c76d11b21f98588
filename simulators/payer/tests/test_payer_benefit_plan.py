"""The benefit plan is a pure function, and its money always adds up."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from revcycle_payer_simulator import benefit_plan
from revcycle_payer_simulator.benefit_plan import PlanClaim, PlanLine

BUSINESS_DATE = date(2026, 9, 30)
CODES = (*benefit_plan.known_codes(), "Z9999", "G0463", "T1015", "G0444", "L1830")


def line(number: int = 1, code: str = "T1015", charge: int = 25000, **changes: object) -> PlanLine:
    plain = PlanLine(number, date(2026, 9, 1), code, (), 1, charge, (1,))
    return replace(plain, **changes)  # type: ignore[arg-type]  # field names and types are the caller's


def claim(*lines: PlanLine, member: str = "W0000000A1", diagnoses: tuple[str, ...] = ("I10",)) -> PlanClaim:
    return PlanClaim(member, "1900000005", "1700000411", "11", diagnoses, lines or (line(),), BUSINESS_DATE)


lines_strategy = st.builds(
    PlanLine,
    line_number=st.integers(1, 50),
    date_of_service=st.dates(date(2026, 4, 1), BUSINESS_DATE),
    code=st.sampled_from(CODES),
    modifiers=st.sampled_from([(), ("GZ",), ("GY",), ("LT",)]),
    units=st.integers(1, 60),
    charge_cents=st.integers(1, 10**7),
    diagnosis_pointers=st.sampled_from([(1,), (2,), (1, 2)]),
)
claims_strategy = st.builds(
    PlanClaim,
    member_id=st.from_regex(r"[A-Z][0-9]{6}", fullmatch=True),
    billing_npi=st.just("1900000005"),
    rendering_npi=st.sampled_from([None, "1700000411"]),
    place_of_service=st.sampled_from(["11", "22"]),
    diagnosis_codes=st.sampled_from([("I10", "E11.9"), ("F32.A", "M25.561"), ("S83.411A", "Z00.00")]),
    lines=st.lists(lines_strategy, min_size=1, max_size=6).map(tuple),
    received_on=st.just(BUSINESS_DATE),
)


@given(claims_strategy, st.sampled_from(benefit_plan.PAYER_IDS), st.integers(0, 99))
@settings(max_examples=200)
def test_every_cent_of_every_line_is_accounted_for(some: PlanClaim, payer_id: str, seed: int) -> None:
    outcome = benefit_plan.adjudicate(seed, payer_id, some)
    for each in outcome.lines:
        assert each.charge_cents == each.paid_cents + sum(trio.amount_cents for trio in each.adjustments)
        assert all(trio.amount_cents > 0 for trio in each.adjustments)
        assert each.paid_cents >= 0
        assert each.allowed_cents == each.paid_cents + each.patient_cents
    assert outcome.kind in {"paid", "partly_paid", "denied", "patient_only"}


@given(st.lists(claims_strategy, min_size=2, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_claims_changes_nothing(some: list[PlanClaim], random) -> None:
    def answers(order: list[PlanClaim]) -> list[object]:
        found = {id(each): benefit_plan.adjudicate(7, "REVPAY1", each) for each in order}
        return [found[id(each)] for each in some]

    shuffled = list(some)
    random.shuffle(shuffled)
    assert answers(some) == answers(shuffled)


def test_the_form_of_writing_changes_nothing() -> None:
    plain = claim(line(code="G0444"), diagnoses=("F32.A",))
    odd = replace(plain, member_id=" w0000000a1", diagnosis_codes=("f32a",), lines=(line(code="g0444"),))
    assert benefit_plan.adjudicate(7, "REVPAY1", plain) == benefit_plan.adjudicate(7, "REVPAY1", odd)
    assert benefit_plan.duplicate_key("REVPAY1", plain) == benefit_plan.duplicate_key("REVPAY1", odd)


def test_seed_and_member_decide_who_is_covered() -> None:
    def answers(seed: int) -> list[str | None]:
        on = date(2026, 9, 1)
        return [benefit_plan.coverage_denial(seed, "REVPAY2", f"M{n:05d}", on) for n in range(3000)]

    assert answers(1) == answers(1) != answers(2)
    counts = Counter(answers(1))
    assert 0.90 < counts[None] / 3000 < 0.99
    assert counts["27"] and counts["26"]


def _member_in_force(payer_id: str) -> str:
    def usable(member: str) -> bool:
        outcome = benefit_plan.adjudicate(7, payer_id, claim(line(), member=member))
        deductible = benefit_plan.remaining_deductible_cents(7, payer_id, member, 2026)
        return outcome.kind == "paid" and deductible == 0

    return next(member for n in range(1000) if usable(member := f"M{n:05d}"))


@pytest.mark.parametrize(
    ("payer_id", "changed", "diagnoses", "carc"),
    [
        ("REVPAY1", line(code="Z9999"), ("I10",), "181"),
        ("REVPAY1", line(code="J1030"), ("M25.561",), "181"),
        ("REVPAY1", line(code="G0436"), ("I10",), "181"),
        ("REVPAY1", line(date_of_service=date(2026, 6, 1)), ("I10",), "29"),
        ("REVPAY2", line(code="S9083"), ("I10",), "96"),
        ("REVPAY3", line(code="G0447"), ("E66.9",), "204"),
        ("REVPAY1", line(code="G0444"), ("F32.A",), "50"),
        ("REVPAY1", line(code="L1830"), ("I10",), "50"),
        ("REVPAY1", line(modifiers=("GZ",)), ("I10",), "50"),
    ],
)
def test_each_gate_denies_with_its_reason(
    payer_id: str, changed: PlanLine, diagnoses: tuple[str, ...], carc: str
) -> None:
    some = claim(changed, member=_member_in_force(payer_id), diagnoses=diagnoses)
    outcome = benefit_plan.adjudicate(7, payer_id, some)
    assert outcome.denial_carcs == (carc,)
    assert outcome.kind == "denied"
    assert outcome.lines[0].denied[0].group == "CO"


def test_the_filing_limit_counts_the_day_itself() -> None:
    member = _member_in_force("REVPAY1")
    last = claim(line(date_of_service=date(2026, 7, 2)), member=member)
    late = claim(line(date_of_service=date(2026, 7, 1)), member=member)
    assert benefit_plan.adjudicate(7, "REVPAY1", last).kind == "paid"
    assert benefit_plan.adjudicate(7, "REVPAY1", late).denial_carcs == ("29",)


def test_cost_sharing_by_payer() -> None:
    """Lesser of charge and fee, the rest CO-45, then 20 percent, 10 percent, or a copay of 25 dollars."""
    shares = {}
    for payer_id in benefit_plan.PAYER_IDS:
        outcome = benefit_plan.adjudicate(7, payer_id, claim(member=_member_in_force(payer_id))).lines[0]
        fee = benefit_plan.fee_cents(payer_id, "T1015")
        assert outcome.allowed_cents == fee
        assert outcome.contractual_cents == 25000 - outcome.allowed_cents
        shares[payer_id] = dict(outcome.patient_responsibility_cents)
    assert shares == {"REVPAY1": {"2": 3728}, "REVPAY2": {"2": 2144}, "REVPAY3": {"3": 2500}}


def test_the_deductible_is_used_up_within_a_claim_only() -> None:
    members = (f"D{n:05d}" for n in range(1000))
    member = next(m for m in members if 100 < benefit_plan.remaining_deductible_cents(7, "REVPAY1", m, 2026) < 15000)
    owed = benefit_plan.remaining_deductible_cents(7, "REVPAY1", member, 2026)
    two = claim(line(1), line(2), member=member)
    outcome = benefit_plan.adjudicate(7, "REVPAY1", two)
    if not outcome.denied_cents:
        assert sum(each.patient_responsibility_cents.get("1", 0) for each in outcome.lines) == owed
    assert benefit_plan.adjudicate(7, "REVPAY1", two) == outcome


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"member_id": ""}, "A6:164:IL"),
        ({"member_id": "x!"}, "A7:164:IL"),
        ({"billing_npi": "1234567890"}, "A7:562:85"),
        ({"rendering_npi": "1234567890"}, "A7:562:82"),
        ({"place_of_service": "1"}, "A7:249"),
        ({"diagnosis_codes": ()}, "A6:254"),
        ({"diagnosis_codes": ("12345",)}, "A7:255"),
        ({"lines": ()}, "A6:454"),
        ({"lines": (line(date_of_service=date(2026, 10, 1)),)}, "A7:187"),
        ({"lines": (line(charge=0),)}, "A7:178"),
        ({"lines": (line(units=0),)}, "A7:476"),
        ({"lines": (line(diagnosis_pointers=(2,)),)}, "A7:477"),
    ],
)
def test_each_front_end_edit_names_its_code(changes: dict[str, object], code: str) -> None:
    broken = replace(claim(), **changes)  # type: ignore[arg-type]  # field names and types are the table's
    rejection = benefit_plan.front_end_rejection(broken, BUSINESS_DATE)
    assert rejection is not None and rejection.code == code


def test_a_sound_claim_passes_the_front_end() -> None:
    assert benefit_plan.front_end_rejection(claim(), BUSINESS_DATE) is None
    assert benefit_plan.front_end_rejection(claim(diagnoses=("U07.1", "I1A.0")), BUSINESS_DATE) is None


def test_npi_vectors() -> None:
    assert benefit_plan.npi_is_valid("1234567893")
    assert not benefit_plan.npi_is_valid("1234567890")
    assert not benefit_plan.npi_is_valid("3234567893")
    assert not benefit_plan.npi_is_valid("")


def test_a_claim_for_an_unknown_payer_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="REVPAY1"):
        benefit_plan.adjudicate(7, "NOBODY", claim())
