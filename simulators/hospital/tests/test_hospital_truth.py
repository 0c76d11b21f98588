"""The planted truth is the benefit plan's own arithmetic on the claim as it will be billed."""

import json
from datetime import date, timedelta
from pathlib import Path

from revcycle_hospital_simulator import generate, price_cents, write_truth
from revcycle_hospital_simulator.planting import CodingCorrection, CoverageCorrection, filing_limit_days
from revcycle_hospital_simulator.truth import plan_claim
from revcycle_payer_simulator import benefit_plan

BUSINESS_DATE = date(2026, 9, 30)
PLANNED = generate(11, 300, BUSINESS_DATE)


def of_kind(kind: str) -> list[tuple[str, int, int]]:
    return [(e.expected.outcome, e.expected.paid_cents, e.expected.patient_cents) for e in PLANNED if e.kind == kind]


def test_a_plain_visit_ends_as_the_payer_adjudicates_it() -> None:
    for each in (each for each in PLANNED if each.kind == "plain"):
        claim = plan_claim(each.visit, BUSINESS_DATE)
        assert benefit_plan.front_end_rejection(claim, BUSINESS_DATE) is None
        answer = benefit_plan.adjudicate(11, each.visit.coverages[0].payer_id, claim)
        outcome = "paid" if answer.kind == "patient_only" else answer.kind
        money = (answer.paid_cents, answer.patient_cents)
        assert (each.expected.outcome, each.expected.paid_cents, each.expected.patient_cents) == (outcome, *money)


def test_self_pay_leaves_the_whole_charge_to_the_patient() -> None:
    for each in (each for each in PLANNED if each.kind == "self_pay"):
        prices = [
            (price_cents(line.code, each.visit.date_of_service) or 0) * line.units for line in each.visit.services
        ]
        assert (each.expected.outcome, each.expected.patient_cents) == ("patient_only", sum(prices))


def test_what_never_reaches_a_payer_moves_no_money() -> None:
    for kind, outcome in (
        ("unsigned", "blocked"),
        ("no_units", "refused"),
        ("no_price", "held"),
        ("rejected", "rejected"),
    ):
        assert set(of_kind(kind)) == {(outcome, 0, 0)}


def test_a_duplicate_is_denied_whatever_became_of_its_original() -> None:
    assert set(of_kind("duplicate")) == {("denied", 0, 0)}
    assert all(each.wave == 2 for each in PLANNED if each.kind == "duplicate")


def test_a_visit_past_the_filing_limit_is_held_and_no_other_visit_is_late() -> None:
    for each in PLANNED:
        if each.visit.coverages and each.kind != "future":
            limit = timedelta(days=filing_limit_days(each.visit.coverages[0].payer_id))
            late = BUSINESS_DATE - each.visit.date_of_service > limit
            assert late == (each.kind == "too_late")


def test_a_code_without_a_price_is_the_only_thing_wrong_with_its_visit() -> None:
    for each in (each for each in PLANNED if each.kind == "no_price"):
        missing = [line for line in each.visit.services if price_cents(line.code, each.visit.date_of_service) is None]
        assert len(missing) == 1
        assert price_cents(missing[0].code, BUSINESS_DATE) is not None


def test_a_rejected_claim_is_rejected_for_its_member_id_alone_and_the_biller_s_correction_cures_it() -> None:
    for each in (each for each in PLANNED if each.kind in ("rejected", "biller_corrects")):
        rejection = benefit_plan.front_end_rejection(plan_claim(each.visit, BUSINESS_DATE), BUSINESS_DATE)
        assert rejection is not None and rejection.code == "A7:164:IL"
        if isinstance(each.correction, CoverageCorrection):
            wrong, right = json.loads(json.dumps(each.correction.file["coverages"]))
            assert wrong["effective_to"] < right["effective_from"] < each.visit.date_of_service.isoformat()
            assert wrong["member_id"] != right["member_id"]


def test_a_coder_s_correction_restores_what_was_right() -> None:
    corrected = [each for each in PLANNED if isinstance(each.correction, CodingCorrection)]
    assert corrected
    for each in corrected:
        assert isinstance(each.correction, CodingCorrection)
        entered = (each.visit.diagnoses, each.visit.services)
        assert (each.correction.diagnoses, each.correction.services) != entered
        assert each.expected.outcome in ("paid", "partly_paid", "denied")


def test_the_truth_is_one_object_a_line_with_everything_a_checker_compares(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.jsonl", [(each.visit, each.expected) for each in PLANNED])
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert len(lines) == 300
    names = {"encounter_number", "facility_npi", "expected", "paid_cents", "patient_cents", "why"}
    assert all(line.keys() == names and line["why"] for line in lines)
