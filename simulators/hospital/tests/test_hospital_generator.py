"""What the hospital plans: reproducible, complete in its troubles, and about nobody real."""

import json
import re
from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from revcycle_codes import (
    HCPCS_DEMO,
    CodeSets,
    CodeState,
    CodeSystem,
    check_encounter,
    facts_from_encounter_file,
    has_errors,
)
from revcycle_hospital_simulator import fee_schedule_rows, generate, price_cents
from revcycle_hospital_simulator.catalogue import (
    FACILITY,
    HEADER_DIAGNOSES,
    NO_SUCH_DIAGNOSES,
    PROVIDERS,
    REASONS,
    UNKNOWN_FACILITY_NPI,
)
from revcycle_hospital_simulator.generator import PlannedEncounter
from revcycle_hospital_simulator.planting import KINDS, CodingCorrection
from revcycle_hospital_simulator.truth import OUTCOMES
from revcycle_payer_simulator import benefit_plan

BUSINESS_DATE = date(2026, 9, 30)
FIRST_DAY = date(2026, 4, 1)


@pytest.fixture(scope="module")
def planned() -> list[PlannedEncounter]:
    return generate(1, 300, BUSINESS_DATE)


def as_bytes(planned: list[PlannedEncounter]) -> bytes:
    return json.dumps([[each.file, each.kind, str(each.expected), each.wave] for each in planned]).encode()


def test_the_same_seed_gives_the_same_encounters_and_another_seed_others() -> None:
    assert as_bytes(generate(7, 250, BUSINESS_DATE)) == as_bytes(generate(7, 250, BUSINESS_DATE))
    assert as_bytes(generate(7, 250, BUSINESS_DATE)) != as_bytes(generate(8, 250, BUSINESS_DATE))


def test_more_encounters_begin_with_the_same_ones() -> None:
    """So that a failure among 3000 can be looked at among few."""
    assert as_bytes(generate(3, 300, BUSINESS_DATE)[:200]) == as_bytes(generate(3, 200, BUSINESS_DATE))


@pytest.mark.parametrize("seed", [1, 2, 7, 42])
def test_every_kind_of_trouble_and_every_outcome_occurs_among_300(seed: int) -> None:
    found = generate(seed, 300, BUSINESS_DATE)
    assert {each.kind for each in found} == set(KINDS)
    assert {each.expected.outcome for each in found} == set(OUTCOMES)
    assert Counter(each.expected.outcome for each in found).most_common(1)[0][0] == "paid"


@pytest.mark.parametrize("count", [1, 5, 99, 101])
def test_any_number_of_encounters_is_planned_with_numbers_of_their_own(count: int) -> None:
    found = generate(1, count, BUSINESS_DATE)
    assert len({each.encounter_number for each in found}) == count


@pytest.mark.parametrize(("count", "day"), [(0, BUSINESS_DATE), (1_000_001, BUSINESS_DATE), (1, date(2026, 9, 1))])
def test_what_cannot_be_planned_is_refused(count: int, day: date) -> None:
    with pytest.raises(ValueError, match=r"encounters|business date"):
        generate(1, count, day)


def test_nobody_looks_like_a_real_person(planned: list[PlannedEncounter]) -> None:
    for each in planned:
        patient = each.visit.patient
        assert re.fullmatch(r"Testperson-\d{7}", patient.person.last_name)
        assert re.fullmatch(r"555-01\d\d", patient.phone)
        assert "Example Street" in patient.street
        assert all(
            cover.subscriber is None or "Testperson" in cover.subscriber.last_name for cover in each.visit.coverages
        )
        assert "no real person" in each.visit.note


def test_every_npi_but_the_planted_ones_has_its_check_digit(planned: list[PlannedEncounter]) -> None:
    assert all(benefit_plan.npi_is_valid(npi) for npi in (FACILITY.npi, UNKNOWN_FACILITY_NPI))
    assert all(benefit_plan.npi_is_valid(provider.npi) for provider in PROVIDERS)
    wrong = {each.kind for each in planned if not benefit_plan.npi_is_valid(each.visit.provider.npi)}
    assert wrong == {"wrong_check_digit"}


def test_visits_lie_between_april_and_the_business_date(planned: list[PlannedEncounter]) -> None:
    days = [each.visit.date_of_service for each in planned if each.kind != "future"]
    assert min(days) >= FIRST_DAY and max(days) <= BUSINESS_DATE


def test_only_planted_duplicates_are_exact_duplicates(planned: list[PlannedEncounter]) -> None:
    """Else the outcome would depend on which of two arrives first."""
    keys = Counter(
        (each.visit.coverages[-1].member_id, each.visit.date_of_service)
        for each in planned
        if each.visit.coverages and each.wave == 1 and each.visit.coverages[-1].payer_id in benefit_plan.PAYER_IDS
    )
    assert keys.most_common(1)[0][1] == 1
    first = {each.encounter_number: each for each in planned if each.wave == 1}
    for copy in (each for each in planned if each.wave == 2):
        original = first[copy.encounter_number.removesuffix("D")]
        assert original.file | {"encounter_number": copy.encounter_number} == copy.file


def test_prices_cover_every_code_while_it_is_in_force_and_no_longer() -> None:
    rows = {row.code: row for row in fee_schedule_rows()}
    for code in HCPCS_DEMO:
        assert code.code in rows
    for code_name in benefit_plan.known_codes():
        begins, last_day = benefit_plan.code_interval(code_name) or (None, None)
        assert begins is not None
        assert price_cents(code_name, begins) is not None
        assert last_day is None or price_cents(code_name, last_day) is not None
        assert last_day is None or price_cents(code_name, BUSINESS_DATE) is None
    assert all(row.price_cents > 0 for row in rows.values())
    assert all(one.code < other.code for one, other in pairwise(fee_schedule_rows()))
    assert {"G0436", "G0442", "G0444", "G0463", "J1030", "L1830", "T1015"} <= rows.keys()


def test_every_diagnosis_is_billable_all_summer_and_the_wrong_ones_are_not() -> None:
    code_sets = CodeSets.open()
    for day in (FIRST_DAY, BUSINESS_DATE):
        for code in {code for reason in REASONS for found in reason.findings for code in found}:
            assert code_sets.resolve(CodeSystem.ICD10CM, code, day).valid_for_billing, code
        for code in HEADER_DIAGNOSES:
            assert not code_sets.resolve(CodeSystem.ICD10CM, code, day).billable, code
        for code in NO_SUCH_DIAGNOSES:
            assert code_sets.resolve(CodeSystem.ICD10CM, code, day).state == CodeState.UNKNOWN_CODE, code


def test_the_coder_s_edits_find_what_was_planted_and_nothing_else(planned: list[PlannedEncounter]) -> None:
    code_sets = CodeSets.open()
    for each in planned:
        if each.expected.outcome in ("refused", "blocked"):
            continue
        found = check_encounter(facts_from_encounter_file(each.file), code_sets)
        needs_coder = each.expected.outcome == "worklist" or isinstance(each.correction, CodingCorrection)
        assert has_errors(found) == needs_coder, (each.encounter_number, each.kind, [str(finding) for finding in found])
