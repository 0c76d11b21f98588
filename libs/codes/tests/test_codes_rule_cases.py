"""Every rule of the catalogue by a table: a violating, a passing and a boundary-date case, and the metamorphic laws."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from codes_violations import INPATIENT, VIOLATIONS, line, lines
from revcycle_codes import CodeSets, EncounterFacts, EvaluationFacts, Finding, PatientFacts, Setting, check_encounter
from revcycle_codes.engine import CATALOGUE
from revcycle_codes.facts import HistoryLine

Run = Callable[..., list[Finding]]
Case = tuple[str, dict[str, Any]]
DAY = NEXT = timedelta(days=1)
QUARTER, QUARTER_END = date(2026, 7, 1), date(2026, 10, 1)  # of the edit tables of conftest
RELEASE_END = date(2026, 10, 1)  # of ICD-10-CM April 2026

SPECIFIED = (
    *(f"DX-{number:02}" for number in range(1, 18)),
    *(f"PX-{number:02}" for number in range(1, 17)),
    "MN-01", "EM-01", "EM-02", "EM-03", "UP-01", "UP-02", "UP-03",
)  # fmt: skip

# Violations of the rules that test_codes_edit_rules does not list, since they need no table.
FURTHER: list[Case] = [
    ("DX-01", {"diagnoses": ("G35",)}),
    ("DX-02", {"diagnoses": ("E11",)}),
    ("DX-07", {"diagnoses": ("R73.9", "E11.65")}),
    ("DX-08", {"diagnoses": ("W19.XXXA", "S83.411A")}),
    ("PX-01", {"lines": lines("J1030"), "date_of_service": date(2026, 4, 1)}),
    ("PX-11", {"lines": lines("G0463", modifiers=("26", "TC"))}),
]
VIOLATING: dict[str, dict[str, Any]] = {}
for _rule, _, _changes in VIOLATIONS:
    VIOLATING.setdefault(_rule, _changes)
VIOLATING |= dict(FURTHER)

PASSING: dict[str, dict[str, Any]] = {
    "DX-01": {"diagnoses": ("I10",)},
    "DX-02": {"diagnoses": ("E11.9",)},
    "DX-03": {"diagnoses": ("S83.411A",)},
    "DX-04": {"diagnoses": ("M25.561", "M25.562")},
    "DX-05": {"diagnoses": ("E11.9", "H42")},
    "DX-06": {"diagnoses": ("I12.9", "N18.30")},
    "DX-07": {"diagnoses": ("E11.65", "I10")},
    "DX-08": {"diagnoses": ("S83.411A", "W19.XXXA")},
    "DX-09": {"diagnoses": ("E11.9",), **INPATIENT},
    "DX-10": {"diagnoses": ("P07.00",), "patient": PatientFacts(birth_date=date(2026, 8, 1), sex="F")},
    "DX-11": {"diagnoses": ("N40.0",), "patient": PatientFacts(birth_date=date(1970, 1, 1), sex="M")},
    "DX-12": {"diagnoses": ("I10",), "note_diagnoses_uncertain": ("E11.9",)},
    "DX-13": {"diagnoses": ("I10", "R05.9")},
    "DX-14": {"diagnoses": ("I11.0", "I50.9")},
    "DX-15": {"diagnoses": ("C61", "Z85.3")},
    "DX-16": {"diagnoses": ("I10",), **INPATIENT},
    "DX-17": {"diagnoses": ("I10",)},
    "PX-01": {"lines": lines("G0463")},
    "PX-02": {"lines": lines("G0001", "G0009")},
    "PX-03": {"lines": (line("G0001"), line("G0003", 2, modifiers=("59",)))},
    "PX-04": {"lines": lines("Q0002", "Q0002")},
    "PX-05": {"lines": lines("A0001", "G0001")},
    "PX-06": {"lines": lines("T0001"), "history": ()},
    "PX-07": {"lines": lines("G0012", modifiers=("50",))},
    "PX-08": {"lines": lines("G0012", modifiers=("26",)), "place_of_service": "22"},
    "PX-09": {"lines": lines("G0012", modifiers=("80",))},
    "PX-10": {"lines": lines("G0011", "G0012")},
    "PX-11": {"lines": lines("G0463", modifiers=("25",))},
    "PX-12": {"lines": lines("T0006"), "place_of_service": "23"},
    "PX-13": {"lines": lines("G0101"), "patient": PatientFacts(birth_date=date(1970, 1, 1), sex="F")},
    "PX-14": {"lines": lines("T0005"), "history": ()},
    "PX-15": {"lines": lines("J0171", modifiers=("JZ",))},
    "PX-16": {"lines": lines("G0463", revenue_code="0510"), "setting": Setting.OUTPATIENT_HOSPITAL},
    "MN-01": {"lines": lines("G0020"), "diagnoses": ("I10",)},
    "EM-01": {"lines": lines("T0003"), "evaluation": EvaluationFacts(total_minutes=30)},
    "EM-02": {"lines": lines("T0001"), "evaluation": EvaluationFacts(self_limited_problems=1)},
    "EM-03": {"lines": (line("T0001", modifiers=("25",)), line("G0010", 2))},
    "UP-01": {"peer_measures": ()},
    "UP-02": {"lines": lines("G0001", "G0003"), "peer_measures": ()},
    "UP-03": {"drg": None},
}

# What the date decides: rule, facts, the last day of one answer, findings on it and on the day after.
_LAST_VISIT = HistoryLine(code="G0463", date_of_service=date(2023, 8, 15), group_npi="1", specialty="s")
_SURGERY = HistoryLine(code="G0011", date_of_service=date(2026, 5, 17), group_npi="1", specialty="s")
_PROVIDER = {"group_npi": "1", "specialty": "s"}
DATED: list[tuple[str, dict[str, Any], date, int, int]] = [
    ("DX-01", {"diagnoses": ("G35.A",)}, date(2025, 9, 30), 1, 0),
    (
        "DX-10",
        {"diagnoses": ("P07.00",), "patient": PatientFacts(birth_date=date(2025, 8, 16))},
        date(2026, 8, 15),
        0,
        1,
    ),
    ("PX-01", {"lines": lines("J1030")}, date(2024, 3, 31), 0, 1),
    ("PX-06", {"lines": lines("T0001"), "history": (_SURGERY,), **_PROVIDER}, date(2026, 8, 15), 1, 0),
    ("PX-14", {"lines": lines("T0005"), "history": (_LAST_VISIT,), **_PROVIDER}, date(2026, 8, 14), 1, 0),
    ("PX-15", {"lines": lines("J0171")}, date(2026, 8, 14), 0, 1),
    ("PX-02", {"lines": lines("G0001", "G0004")}, date(2026, 8, 15), 1, 0),
    ("PX-02", {"lines": lines("G0001", "G0004")}, date(2026, 8, 31), 0, 1),
    ("PX-05", {"lines": lines("A0001")}, date(2026, 9, 1), 1, 0),
]
OF_THE_RELEASE = ("DX-02", "DX-03", "DX-04", "DX-05", "DX-17")  # silent from the release's end on
OF_A_TABLE = (
    "DX-09", "DX-10", "DX-11", "DX-16", "PX-02", "PX-03", "PX-04", "PX-07", "PX-08", "PX-09", "PX-10", "MN-01",
    "EM-03",
)  # fmt: skip
# Rules that no border decides (the newest tabular notes stay in use, with the warning DX-01U): the same on both sides.
UNDATED = (
    "DX-06", "DX-07", "DX-08", "DX-12", "DX-13", "DX-14", "DX-15", "PX-11", "PX-12", "PX-13", "PX-16", "EM-01", "EM-02",
    "UP-01", "UP-02", "UP-03",
)  # fmt: skip


def test_every_specified_rule_has_a_violating_a_passing_and_a_boundary_date_case() -> None:
    dated = {rule for rule, *_ in DATED}
    assert set(VIOLATING) >= set(SPECIFIED)
    assert set(PASSING) == set(SPECIFIED)
    assert dated | {*OF_THE_RELEASE, *OF_A_TABLE, *UNDATED} == set(SPECIFIED)
    assert not (dated | {*OF_THE_RELEASE, *OF_A_TABLE}) & set(UNDATED)
    assert {entry.id for entry in CATALOGUE} >= set(SPECIFIED)


@pytest.mark.parametrize("rule", SPECIFIED)
def test_the_violating_case_speaks_and_the_passing_case_does_not(run: Run, rule: str) -> None:
    assert run(rule, **VIOLATING[rule])
    assert run(rule, **PASSING[rule]) == []


@pytest.mark.parametrize(("rule", "changes", "last_day", "on_it", "after"), DATED)
def test_the_date_decides(run: Run, rule: str, changes: dict[str, Any], last_day: date, on_it: int, after: int) -> None:
    found = [len(run(rule, **(changes | {"date_of_service": day}))) for day in (last_day, last_day + NEXT)]
    assert found == [on_it, after]


@pytest.mark.parametrize("rule", OF_THE_RELEASE)
def test_a_rule_of_the_release_ends_with_it(run: Run, rule: str) -> None:
    spoken = [
        bool(run(rule, **(VIOLATING[rule] | {"date_of_service": day}))) for day in (RELEASE_END - DAY, RELEASE_END)
    ]
    assert spoken == [True, False]


@pytest.mark.parametrize("rule", OF_A_TABLE)
def test_a_rule_of_a_table_speaks_in_the_tables_quarter_alone(run: Run, rule: str) -> None:
    days = (QUARTER - DAY, QUARTER, QUARTER_END - DAY, QUARTER_END)
    spoken = [bool(run(rule, **(VIOLATING[rule] | {"date_of_service": day}))) for day in days]
    assert spoken == [False, True, True, False]


@pytest.mark.parametrize("rule", UNDATED)
def test_a_rule_that_no_border_decides_says_the_same_at_every_border(run: Run, rule: str) -> None:
    days = (QUARTER - DAY, QUARTER, QUARTER_END - DAY, QUARTER_END)
    answers = [
        [(one.severity, one.codes, one.lines) for one in run(rule, **(VIOLATING[rule] | {"date_of_service": day}))]
        for day in days
    ]
    assert answers[0] and all(answer == answers[0] for answer in answers)


# --- whole tables: every value of an indicator ----------------------------------------------------------------------


@pytest.mark.parametrize("status", "BINXCR")
def test_each_status_of_the_fee_schedule(run: Run, status: str) -> None:
    assert bool(run("PX-01P", lines=lines(f"G9{status}01"))) is (status in "BINX")


@pytest.mark.parametrize("indicator", "0123456789")
def test_each_professional_and_technical_indicator(run: Run, indicator: str) -> None:
    found = run("PX-08", lines=lines(f"G8{indicator}01", modifiers=("26",)))
    assert [one.severity for one in found] == (["error"] if indicator in "02345789" else [])


@pytest.mark.parametrize("place", [f"{number:02}" for number in range(1, 100)])
def test_an_inpatient_visit_takes_place_in_a_facility_with_beds(run: Run, place: str) -> None:
    found = run("PX-12", lines=lines("T0007"), place_of_service=place)
    assert (found == []) is (place in ("21", "22", "24", "26", "51", "61"))


@pytest.mark.parametrize("begins", [f"{number:02}" for number in range(11, 100)])
def test_each_type_of_bill(run: Run, begins: str) -> None:
    outpatient = ("13", "14", *(f"7{digit}" for digit in "12345678"), "83", "85")
    given: dict[str, Any] = {"lines": lines("G0463", revenue_code="0510"), "bill_type": f"{begins}1"}
    assert (run("PX-16", setting=Setting.OUTPATIENT_HOSPITAL, **given) == []) is (begins in outpatient)
    stay = {"setting": Setting.INPATIENT, "discharge_date": date(2026, 8, 15), "present_on_admission": ("Y",)}
    assert (run("PX-16", **stay, **given) == []) is (begins in ("11", "12"))


def test_findings_name_the_field_that_is_wrong(run: Run) -> None:
    setting = {"setting": Setting.OUTPATIENT_HOSPITAL}
    [only] = run("PX-16", lines=lines("G0030", revenue_code="0510"), **setting)
    assert only.field == "services[0].code"
    [beside] = run("PX-16", lines=lines("T0001", "G0031", revenue_code="0510"), **setting)
    assert beside.field == "services[0].modifiers"
    [place] = run("PS-01", place_of_service="28")
    assert place.field == "place_of_service"
    [unknown] = run("DX-01U", diagnoses=("I10",), date_of_service=date(2031, 1, 1))
    assert "diagnosis I10" in unknown.message


def test_one_code_that_is_not_loaded_hides_no_wrong_one_behind_it(run: Run) -> None:
    """Unknown releases are warnings of their own; the lines and diagnoses after them are still looked at."""
    assert [one.lines for one in run("PX-01", lines=lines("99213", "J1030"))] == [(2,)]
    assert run("PX-01U", lines=lines("99213"))[0].message.startswith("procedure 99213")
    assert [one.lines for one in run("EM-01", lines=lines("G0463", "T0003"), evaluation=EvaluationFacts())] == [(2,)]


# --- metamorphic laws ------------------------------------------------------------------------------------------------


def test_any_order_of_the_lines_gives_the_same_findings(run: Run) -> None:
    """Pairs, units and add-ons look at the lines together: their order only moves the places."""
    given = (line("G0001"), line("G0002", 2), line("A0003", 3), line("Q0002", 4, units=9))
    for rule in ("PX-02", "PX-04", "PX-05"):
        seen = {
            tuple(sorted((one.severity, one.codes, tuple(sorted(one.lines))) for one in run(rule, lines=order)))
            for order in permutations(given)
        }
        assert len(seen) == 1, rule


def test_the_second_column_is_denied_whichever_stands_first(run: Run) -> None:
    for order in (("G0001", "G0003"), ("G0003", "G0001")):
        [finding] = run("PX-02", lines=lines(*order))
        assert finding.codes == ("G0001", "G0003")
        assert finding.field == f"services[{order.index('G0003')}].code"


@pytest.mark.parametrize(("code", "helps"), [("Q0001", True), ("Q0002", False), ("Q0003", False)])
@pytest.mark.parametrize("units", [3, 4])
def test_splitting_lines_helps_under_indicator_1_alone(run: Run, code: str, helps: bool, units: int) -> None:
    """Indicator 1 compares each line, 2 and 3 their sum: as many lines of one unit each."""
    assert run("PX-04", lines=(line(code, units=units),))
    split = tuple(line(code, number, modifiers=("76",) if number > 1 else ()) for number in range(1, units + 1))
    assert (run("PX-04", lines=split) == []) is helps


def test_a_date_beyond_the_deletion_lifts_the_pair_and_its_return_brings_it_back(run: Run) -> None:
    spoken = [
        (day, len(run("PX-02", lines=lines("G0001", "G0004"), date_of_service=day)))
        for day in (date(2026, 8, 15), date(2026, 8, 16), date(2026, 8, 31), date(2026, 9, 1))
    ]
    assert [found for _, found in spoken] == [1, 0, 0, 1]


@pytest.mark.parametrize(("pair", "severity"), [("G0002", "error"), ("G0003", "warning")])
def test_an_ncci_modifier_softens_a_pair_of_indicator_1_alone(run: Run, pair: str, severity: str) -> None:
    bare, modified = line(pair, 2), line(pair, 2, modifiers=("XS",))
    assert [one.severity for one in run("PX-02", lines=(line("G0001"), bare))] == ["error"]
    assert [one.severity for one in run("PX-02", lines=(line("G0001"), modified))] == [severity]


def test_same_facts_same_bytes(code_sets: CodeSets, encounter: Callable[..., EncounterFacts]) -> None:
    for changes in VIOLATING.values():
        facts = encounter(**changes)
        assert len({msgspec.json.encode(check_encounter(facts, code_sets)) for _ in range(2)}) == 1
