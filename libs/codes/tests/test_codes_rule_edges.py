"""The edges of the rules: every constant, first and last days, what lifts an edit and what only looks like it."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from typing import Any

import msgspec
import pytest
from revcycle_codes import EvaluationFacts, Finding, LineFacts, PatientFacts, Setting
from revcycle_codes.facts import DrgFacts, HistoryLine, PeerMeasure
from revcycle_codes.rules.documentation import data_level
from revcycle_codes.rules.laterality import side_of
from revcycle_codes.rules.procedures import NCCI_MODIFIERS
from revcycle_codes.rules.validity import MAX_UNITS

Run = Callable[..., list[Finding]]
DAY = date(2026, 8, 15)
SAME: dict[str, Any] = {"group_npi": "1", "specialty": "s"}
HOSPITAL: dict[str, Any] = {"setting": Setting.OUTPATIENT_HOSPITAL}
STAY: dict[str, Any] = {"setting": Setting.INPATIENT, "discharge_date": DAY, "present_on_admission": ("Y",)}


def line(code: str, number: int = 1, **changes: object) -> LineFacts:
    return msgspec.structs.replace(LineFacts(line_number=number, code=code, diagnosis_pointers=(1,)), **changes)


def lines(*codes: str, **changes: object) -> tuple[LineFacts, ...]:
    return tuple(line(code, number, **changes) for number, code in enumerate(codes, start=1))


def severities(found: list[Finding]) -> list[str]:
    return [one.severity.value for one in found]


# --- modifiers ---------------------------------------------------------------------------------------------------


def test_the_ncci_modifiers_are_those_of_the_manual() -> None:
    anatomic = "E1 E2 E3 E4 FA F1 F2 F3 F4 F5 F6 F7 F8 F9 TA T1 T2 T3 T4 T5 T6 T7 T8 T9 LT RT LC LD LM RC RI"
    others = "24 25 57 58 78 79 27 59 91 XE XS XP XU"
    assert set(f"{anatomic} {others}".split()) == NCCI_MODIFIERS


@pytest.mark.parametrize("modifier", sorted(NCCI_MODIFIERS))
def test_each_ncci_modifier_on_either_line_lifts_a_pair_of_indicator_1(run: Run, modifier: str) -> None:
    for first, second in (((modifier,), ()), ((), (modifier,))):
        facts = (line("G0001", modifiers=first), line("G0003", 2, modifiers=second))
        [finding] = run("PX-02", lines=facts)
        assert (finding.severity, finding.overridable, finding.lines) == ("warning", True, (1, 2))
        assert severities(run("PX-02", lines=(facts[0], line("G0002", 2, modifiers=second)))) == ["error"]


@pytest.mark.parametrize("modifier", ["76", "77", "51", "GA", "TC", "26", "F", "T10"])
def test_other_modifiers_lift_nothing(run: Run, modifier: str) -> None:
    facts = (line("G0001"), line("G0003", 2, modifiers=(modifier,)))
    assert severities(run("PX-02", lines=facts)) == ["error"]


def test_what_would_be_right_names_25_for_a_visit(run: Run) -> None:
    assert "XE, XS, XP or XU" in run("PX-02", lines=lines("G0001", "G0003"))[0].expected


@pytest.mark.parametrize("modifier", ["59", "XE", "XS", "XP", "XU"])
def test_a_distinct_service_modifier_without_a_pair_is_idle(run: Run, modifier: str) -> None:
    assert severities(run("PX-03", lines=(line("G0463"), line("T1015", 2, modifiers=(modifier,))))) == ["warning"]
    assert run("PX-03", lines=(line("G0001"), line("G0003", 2, modifiers=(modifier,)))) == []
    assert run("PX-03", lines=(line("G0001", modifiers=(modifier,)), line("G0003", 2))) == []
    assert severities(run("PX-03", lines=(line("G0001"), line("G0002", 2, modifiers=(modifier,))))) == ["warning"]


def test_a_repeated_service_may_say_that_it_is_distinct(run: Run) -> None:
    repeated = (line("G0463"), line("G0463", 2, modifiers=("59",)), line("T1015", 3, modifiers=("59",)))
    assert [one.lines for one in run("PX-03", lines=repeated)] == [(3,)]
    assert run("PX-03", lines=lines("G0463", modifiers=("25",))) == []


@pytest.mark.parametrize(
    ("modifiers", "pairs"),
    [
        (("GZ", "GA"), 1), (("GZ", "GX"), 1), (("GZ", "GY"), 1), (("GZ", "KX"), 1), (("GY", "GA"), 1),
        (("GY", "KX"), 1), (("GA", "GX"), 0), (("GA", "KX"), 0), (("GX", "GY"), 0), (("GZ",), 0), (("GY",), 0),
        (("GZ", "GY", "KX"), 2),
    ],
)  # fmt: skip
def test_liability_notices_that_contradict(run: Run, modifiers: tuple[str, ...], pairs: int) -> None:
    found = run("PX-15", lines=lines("G0463", modifiers=modifiers))
    assert [(one.severity.value, one.carc) for one in found] == [("error", "4")] * pairs


@pytest.mark.parametrize(
    ("code", "modifiers", "lacks"),
    [
        ("J0171", (), True), ("J0171", ("JW",), False), ("J0171", ("JZ",), False), ("J0171", ("QW",), True),
        ("Q0111", (), True), ("Q0111", ("QW",), False), ("Q0111", ("JZ",), True), ("G0463", (), False),
    ],
)  # fmt: skip
def test_companion_modifiers(run: Run, code: str, modifiers: tuple[str, ...], lacks: bool) -> None:
    found = run("PX-15", lines=lines(code, modifiers=modifiers))
    assert [(one.severity.value, one.overridable, one.codes) for one in found] == [("warning", True, (code,))] * lacks


def test_a_drug_code_is_asked_for_by_the_payer_that_asks(run: Run) -> None:
    assert severities(run("PX-15", lines=lines("J1010"), payer_id="P1")) == ["error"]
    assert run("PX-15", lines=lines("J1010"), payer_id="P2") == []
    assert run("PX-15", lines=lines("J1010", national_drug_code="00000000000"), payer_id="P1") == []
    assert run("PX-15", lines=lines("G0463"), payer_id="P1") == []


CONFLICTS = [
    ("26", "TC"), ("50", "LT"), ("50", "RT"), ("59", "XE"), ("59", "XP"), ("59", "XS"), ("59", "XU"), ("76", "77"),
    ("JW", "JZ"), ("LT", "RT"),
]  # fmt: skip


@pytest.mark.parametrize("pair", CONFLICTS)
def test_modifiers_that_contradict_each_other(run: Run, pair: tuple[str, str]) -> None:
    for given in (pair, pair[::-1], (pair[0].lower(), f" {pair[1]} ")):
        found = [one for one in run("PX-11", lines=lines("G0463", modifiers=given)) if "contradict" in one.message]
        assert [(one.severity.value, one.codes) for one in found] == [("error", ("G0463", *sorted(pair)))]


@pytest.mark.parametrize("pair", [("26", "59"), ("XE", "XS"), ("25", "57"), ("50", "59"), ("TC", "59"), ("76", "LT")])
def test_modifiers_that_go_together(run: Run, pair: tuple[str, str]) -> None:
    assert [one for one in run("PX-11", lines=lines("G0463", modifiers=pair)) if "contradict" in one.message] == []


def test_four_modifiers_are_enough(run: Run) -> None:
    four = ("25", "57", "GA", "GC")
    assert run("PX-11", lines=lines("G0463", modifiers=four)) == []
    [finding] = run("PX-11", lines=lines("G0463", modifiers=(*four, "22")))
    assert finding.codes == ("G0463", *four, "22")
    assert len(run("PX-11", lines=lines("G0463", "T1015", modifiers=("ZQ",)))) == 2
    assert run("PX-11", lines=lines("G0463", modifiers=("ZQ",)))[0].carc == "182"


# --- visits and places -------------------------------------------------------------------------------------------


def test_each_visit_family_has_its_places(run: Run) -> None:
    office = {"02", "10", "11", "17", "19", "20", "22", "24", "26", "49", "50", "71", "72"}
    every = {f"{number:02}" for number in range(1, 100)}
    assert {place for place in every if not run("PX-12", lines=lines("T0001"), place_of_service=place)} == office
    assert {place for place in every if not run("PX-12", lines=lines("T0006"), place_of_service=place)} == {"23"}


def test_the_lines_own_place_counts_before_the_encounters(run: Run) -> None:
    assert run("PX-12", lines=lines("T0006", place_of_service="23"), place_of_service="11") == []
    [finding] = run("PX-12", lines=lines("T0006", place_of_service="11"), place_of_service="23")
    assert (finding.codes, finding.overridable) == (("T0006", "11"), True)
    assert run("PX-12", lines=lines("T0006"), place_of_service=None) == []
    assert len(run("PX-12", lines=(line("G0463"), line("T0006", 2)))) == 1


@pytest.mark.parametrize(
    ("seen", "face_to_face", "group", "found"),
    [
        (date(2023, 8, 15), True, "1", 0), (date(2023, 8, 16), True, "1", 1), (date(2026, 8, 14), True, "1", 1),
        (date(2026, 8, 15), True, "1", 0), (date(2025, 8, 15), False, "1", 0), (date(2025, 8, 15), True, "2", 0),
    ],
)  # fmt: skip
def test_three_years_make_a_patient_new_again(run: Run, seen: date, face_to_face: bool, group: str, found: int) -> None:
    past = HistoryLine(code="G0463", date_of_service=seen, group_npi=group, specialty="s", face_to_face=face_to_face)
    assert severities(run("PX-14", lines=lines("T0005"), history=(past,), **SAME)) == ["error"] * found
    assert run("PX-14", lines=lines("T0001"), history=(past,), **SAME) == []


def test_three_years_before_a_leap_day_are_the_28th(run: Run) -> None:
    def found(seen: date) -> list[Finding]:
        past = HistoryLine(code="G0463", date_of_service=seen, group_npi="1", specialty="s")
        return run("PX-14", lines=lines("T0005"), history=(past,), date_of_service=date(2028, 2, 29), **SAME)

    assert found(date(2025, 2, 28)) == []
    assert len(found(date(2025, 3, 1))) == 1


def test_the_last_visit_of_several_is_named(run: Run) -> None:
    history = tuple(
        HistoryLine(code="G0463", date_of_service=day, group_npi="1", specialty="s")
        for day in (date(2024, 1, 1), date(2025, 5, 5), date(2024, 6, 6))
    )
    [finding] = run("PX-14", lines=(line("G0463"), line("T0005", 2)), history=history, **SAME)
    assert "2025-05-05" in finding.message and finding.lines == (2,)


# --- global periods ----------------------------------------------------------------------------------------------

OPERATED = date(2026, 8, 1)


def global_findings(run: Run, code: str, day: date, line_code: str = "T0001", **changes: object) -> list[Finding]:
    past = HistoryLine(code=code, date_of_service=OPERATED, group_npi="1", specialty="s")
    return run("PX-06", lines=lines(line_code, **changes), history=(past,), date_of_service=day, **SAME)


@pytest.mark.parametrize(("code", "before", "after"), [("G0014", 0, 0), ("G0010", 0, 10), ("G0011", 1, 59)])
def test_global_periods_begin_and_end(run: Run, code: str, before: int, after: int) -> None:
    first, last = OPERATED - timedelta(days=before), OPERATED + timedelta(days=after)
    for day, found in ((first, 1), (last, 1), (OPERATED, 1), (first - timedelta(days=1), 0)):
        assert len(global_findings(run, code, day)) == found, day
    if code != "G0011":  # its ninetieth day lies beyond the fee schedule's last
        assert global_findings(run, code, last + timedelta(days=1)) == []


def test_ninety_days_are_the_last(run: Run) -> None:
    past = HistoryLine(code="G0011", date_of_service=date(2026, 5, 17), group_npi="1", specialty="s")
    for day, found in ((date(2026, 8, 15), 1), (date(2026, 8, 16), 0)):
        assert len(run("PX-06", lines=lines("T0001"), history=(past,), date_of_service=day, **SAME)) == found


@pytest.mark.parametrize("modifier", ["24", "25", "57", "58", "78", "79", "59"])
def test_what_lifts_the_global_period(run: Run, modifier: str) -> None:
    visit = global_findings(run, "G0011", DAY, modifiers=(modifier,))
    procedure = global_findings(run, "G0011", DAY, "G0010", modifiers=(modifier,))
    assert (visit == []) is (modifier in ("24", "25", "57"))
    assert (procedure == []) is (modifier in ("58", "78", "79"))


def test_the_global_period_says_what_it_is(run: Run) -> None:
    [visit] = global_findings(run, "G0011", DAY)
    assert (visit.severity, visit.overridable, visit.codes) == ("error", False, ("T0001", "G0011"))
    [procedure] = global_findings(run, "G0011", DAY, "G0010")
    assert (procedure.severity, procedure.overridable) == ("warning", True)
    assert global_findings(run, "G0012", DAY) == []
    assert global_findings(run, "G0011", DAY, "Z9999") == []
    assert global_findings(run, "G0011", DAY, "G0011") == [], "the procedure itself is the earlier one told again"


def test_one_surgery_is_enough_for_a_finding(run: Run) -> None:
    outside = HistoryLine(code="G0463", date_of_service=OPERATED, group_npi="1", specialty="s")
    stranger = HistoryLine(code="G0011", date_of_service=OPERATED, group_npi="9", specialty="s")
    other = HistoryLine(code="G0011", date_of_service=OPERATED, group_npi="1", specialty="other")
    long_ago = HistoryLine(code="G0010", date_of_service=date(2020, 1, 1), group_npi="1", specialty="s")
    surgery = HistoryLine(code="G0011", date_of_service=OPERATED, group_npi="1", specialty="s")
    history = (outside, stranger, other, long_ago, surgery, surgery)
    assert len(run("PX-06", lines=lines("T0001"), history=history, **SAME)) == 1
    assert run("PX-06", lines=lines("T0001"), history=history[:4], **SAME) == []
    assert len(run("PX-06", lines=(line("T0001", modifiers=("24",)), line("T0002", 2)), history=history, **SAME)) == 1


# --- fee schedule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["19", "21", "22", "23", "24", "11", "31", "12"])
def test_a_clinician_in_a_facility_bills_the_professional_part(run: Run, place: str) -> None:
    found = run("PX-08", lines=lines("G0012"), place_of_service=place)
    assert severities(found) == (["warning"] if place in ("19", "21", "22", "23", "24") else [])
    assert run("PX-08", lines=lines("G0012", modifiers=("TC",)), place_of_service=place) == []
    assert run("PX-08", lines=lines("G0010"), place_of_service=place) == []


@pytest.mark.parametrize("part", ["26", "TC"])
def test_parts_need_a_code_that_has_them(run: Run, part: str) -> None:
    assert severities(run("PX-08", lines=lines("G0010", modifiers=(part,)))) == ["error"]
    assert run("PX-08", lines=lines("G0012", modifiers=(part,))) == []
    assert run("PX-08", lines=lines("Z9999", modifiers=(part,))) == []


@pytest.mark.parametrize(
    ("code", "modifier", "severity"),
    [
        ("G0012", "80", None), ("G0012", "81", None), ("G0012", "82", None), ("G0012", "AS", None),
        ("G0013", "80", "error"), ("G0013", "81", "error"), ("G0013", "82", "error"), ("G0013", "AS", "error"),
        ("G0010", "80", "warning"), ("G0010", "AS", "warning"), ("G0012", "62", "warning"), ("G0010", "62", "error"),
        ("G0013", "66", None), ("G0010", "66", "error"), ("G0010", "25", None), ("G0010", "68", None),
    ],
)  # fmt: skip
def test_helpers_follow_the_indicators(run: Run, code: str, modifier: str, severity: str | None) -> None:
    found = run("PX-09", lines=lines(code, modifiers=(modifier,)))
    assert severities(found) == ([severity] if severity else [])
    assert all(one.overridable is (one.severity == "warning") for one in found)
    both = run("PX-09", lines=lines("G0013", modifiers=("80", "66")))
    assert severities(both) == ["error"]


@pytest.mark.parametrize(
    ("code", "units", "found"),
    [("G0010", 1, 1), ("G0012", 1, 0), ("G0012", 2, 1), ("G0013", 1, 1), ("G0014", 1, 0), ("G0014", 2, 0)],
)
def test_both_sides_by_indicator(run: Run, code: str, units: int, found: int) -> None:
    assert severities(run("PX-07", lines=lines(code, modifiers=("50",), units=units))) == ["error"] * found
    assert run("PX-07", lines=lines(code, units=units)) == []


def test_the_highest_valued_procedure_comes_first(run: Run) -> None:
    assert [one.codes for one in run("PX-10", lines=lines("G0012", "G0011"))] == [("G0011",)]
    assert run("PX-10", lines=lines("G0011", "G0012")) == []
    assert run("PX-10", lines=lines("G0012")) == []
    assert run("PX-10", lines=lines("G0012", "G0012")) == []
    assert run("PX-10", lines=lines("G0463", "G0011")) == []


@pytest.mark.parametrize(("code", "found"), [("G0013", 1), ("G0010", 0), ("Z9999", 0)])
def test_status_of_the_schedule(run: Run, code: str, found: int) -> None:
    assert len(run("PX-01P", lines=lines(code))) == found


# --- units, add-ons, institutions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "units", "severity"),
    [("Q0001", 2, None), ("Q0001", 3, "error"), ("Q0002", 2, None), ("Q0002", 3, "error"), ("Q0003", 2, None),
     ("Q0003", 3, "warning"), ("Q0004", 1, "error"), ("Q0009", 99, None)],
)  # fmt: skip
def test_units_at_and_above_the_limit(run: Run, code: str, units: int, severity: str | None) -> None:
    found = run("PX-04", lines=lines(code, units=units))
    assert severities(found) == ([severity] if severity else [])
    assert all(one.overridable is (severity == "warning") for one in found)
    assert all(f"{units} units" in one.message for one in found)


def test_units_are_summed_per_provider_and_day_only(run: Run) -> None:
    two = {"units": 2}
    same = (line("Q0002", **two), line("Q0002", 2, **two))
    assert [one.lines for one in run("PX-04", lines=same)] == [(1, 2)]
    assert run("PX-04", lines=(same[0], line("Q0002", 2, rendering_provider_npi="x", **two))) == []
    assert run("PX-04", lines=(same[0], line("Q0002", 2, date_of_service=date(2026, 8, 16), **two))) == []
    each = (line("Q0001", units=3), line("Q0001", 2, units=3), line("Q0002", 3, units=3))
    assert [one.lines for one in run("PX-04", lines=each)] == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (("A0001",), ["error"]), (("A0001", "G0001"), []), (("A0001", "G0002"), ["error"]), (("A0002",), ["warning"]),
        (("A0002", "G0463"), []), (("A0003",), ["warning"]), (("A0003", "G0001"), []), (("A0003", "G0002"), []),
        (("G0463", "A0001"), ["error"]), (("A0001", "A0001"), ["error", "error"]),
    ],
)  # fmt: skip
def test_add_ons_and_their_primaries(run: Run, codes: tuple[str, ...], found: list[str]) -> None:
    assert severities(run("PX-05", lines=lines(*codes))) == found


def test_an_add_on_looks_for_its_primary_on_the_same_day_and_provider(run: Run) -> None:
    assert len(run("PX-05", lines=(line("A0001"), line("G0001", 2, rendering_provider_npi="x")))) == 1
    assert len(run("PX-05", lines=(line("A0001"), line("G0001", 2, date_of_service=date(2026, 8, 16))))) == 1
    [finding] = run("PX-05", lines=(line("G0001"), line("A0001", 2, modifiers=("51",))))
    assert (finding.carc, finding.lines) == ("4", (2,))
    assert run("PX-05", lines=(line("G0001", modifiers=("51",)),)) == []
    assert "G0001" in run("PX-05", lines=lines("A0001"))[0].expected
    assert "CCCCC" not in run("PX-05", lines=lines("A0002"))[0].expected


@pytest.mark.parametrize(
    ("revenue", "good"),
    [("0510", True), ("510", False), ("05100", False), ("051A", False), ("", False), (None, False)],
)
def test_a_revenue_code_has_four_digits(run: Run, revenue: str | None, good: bool) -> None:
    for setting in (HOSPITAL, STAY):
        assert (run("PX-16", lines=lines("G0463", revenue_code=revenue), **setting) == []) is good
    assert run("PX-16", lines=lines("G0463", revenue_code=revenue)) == [], "a professional claim has none"


def test_inpatient_only_services_and_visits_beside_procedures_are_outpatient_matters(run: Run) -> None:
    paid = {"revenue_code": "0510"}
    assert len(run("PX-16", lines=lines("G0030", **paid), **HOSPITAL)) == 1
    assert run("PX-16", lines=lines("G0030", **paid), **STAY) == []
    assert len(run("PX-16", lines=lines("T0001", "G0031", **paid), **HOSPITAL)) == 1
    assert run("PX-16", lines=lines("T0001", "G0031", **paid), **STAY) == []
    assert run("PX-16", lines=lines("T0001", "G0463", **paid), **HOSPITAL) == []
    assert run("PX-16", lines=(line("T0001", modifiers=("25",), **paid), line("G0031", 2, **paid)), **HOSPITAL) == []


# --- patient -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "age", "good"),
    [
        ("P07.00", 0, True), ("P07.00", 1, False), ("N40.0", 14, False), ("N40.0", 15, True), ("N40.0", 124, True),
        ("N40.0", 125, False), ("O24.410", 8, False), ("O24.410", 9, True), ("O24.410", 64, True),
        ("O24.410", 65, False),
    ],
)  # fmt: skip
def test_age_lists_at_their_edges(run: Run, code: str, age: int, good: bool) -> None:
    born = date(DAY.year - age, 8, 15)
    code = "I10" if code.startswith("O24") else code  # the maternity list of the test table holds it
    found = run("DX-10", diagnoses=(code,), patient=PatientFacts(birth_date=born, sex="F"))
    assert (found == []) is good
    assert run("DX-10", diagnoses=(code,), patient=PatientFacts(sex="F")) == []


@pytest.mark.parametrize(
    ("code", "sex", "found"),
    [("N80.00", "M", 1), ("N80.00", "F", 0), ("N40.0", "F", 1), ("N40.0", "M", 0), ("N40.0", "U", 0),
     ("N40.0", None, 0)],
)  # fmt: skip
def test_sex_lists(run: Run, code: str, sex: str | None, found: int) -> None:
    patient = PatientFacts(birth_date=date(1970, 1, 1), sex=sex)
    assert severities(run("DX-11", diagnoses=(code,), patient=patient)) == ["warning"] * found
    for bypass in ({"condition_codes": ("45",)}, {"lines": lines("G0463", modifiers=("KX",))}, {"payer_id": "P2"}):
        assert run("DX-11", diagnoses=(code,), patient=patient, **bypass) == []
    assert len(run("DX-11", diagnoses=(code,), patient=patient, condition_codes=("44",))) == found


@pytest.mark.parametrize(("code", "sex"), list(product(["G0101", "Q0091", "G0102", "G0103"], ["F", "M", "U", None])))
def test_services_for_one_sex(run: Run, code: str, sex: str | None) -> None:
    wanted = "F" if code in ("G0101", "Q0091") else "M"
    patient = PatientFacts(sex=sex)
    expected = ["warning"] if sex in ("F", "M") and sex != wanted else []
    assert severities(run("PX-13", lines=lines(code), patient=patient)) == expected
    assert run("PX-13", lines=lines(code, modifiers=("KX",)), patient=patient) == []
    assert run("PX-13", lines=lines(code), patient=patient, condition_codes=("45",)) == []
    assert run("PX-13", lines=lines(code), patient=patient, payer_id="P2") == []
    assert run("PX-13", lines=lines("G0463"), patient=patient) == []


@pytest.mark.parametrize(
    ("diagnosis", "given", "good"),
    [("I10", one, True) for one in "YNUW"]
    + [("I10", one, False) for one in ("", "1", "Z", "y")]
    + [("Z91.81", "", True), ("Z91.81", "1", True), ("Z91.81", "Y", False), ("Z91.81", "0", False)],
)
def test_present_on_admission(run: Run, diagnosis: str, given: str, good: bool) -> None:
    facts = STAY | {"diagnoses": ("E11.9", diagnosis), "present_on_admission": ("Y", given)}
    assert [one.codes for one in run("DX-16", **facts)] == ([] if good else [(diagnosis,)])
    assert run("DX-16", **(facts | {"setting": Setting.PRACTITIONER})) == []


# --- diagnoses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "found"),
    [("S83.411", 1), ("S83.411A", 0), ("S83.411D", 0), ("S83.411S", 0), ("S83.411Q", 1), ("S83.411B", 1),
     ("W19.XXXA", 0), ("I10", 0), ("M25.561", 0)],
)  # fmt: skip
def test_seventh_characters(run: Run, code: str, found: int) -> None:
    assert severities(run("DX-03", diagnoses=("E11.9", code))) == ["error"] * found
    assert run("DX-03", diagnoses=("E11.9", code), date_of_service=date(2031, 1, 1)) == []


@pytest.mark.parametrize(
    ("injury", "care", "found"),
    [("S83.411A", "Z47.89", 1), ("S83.411D", "Z47.89", 0), ("S83.411A", "Z48.00", 1), ("T79.A11A", "Z48.00", 1),
     ("S52.501B", "Z47.89", 1), ("S52.501C", "Z47.89", 1), ("S52.501E", "Z47.89", 0), ("S83.411A", "Z49.01", 0),
     ("W19.XXXA", "Z47.89", 0)],
)  # fmt: skip
def test_aftercare_is_not_beside_active_treatment(run: Run, injury: str, care: str, found: int) -> None:
    both = run("DX-03", diagnoses=(care, injury))
    assert [(one.severity.value, one.codes, one.overridable) for one in both] == [
        ("warning", (care, injury), True)
    ] * found


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Pain in right knee", ("right", "pain in * knee")),
        ("Pain in unspecified knee", ("unspecified", "pain in * knee")),
        ("Unspecified injury of left hand", ("left", "unspecified injury of * hand")),
        ("Unspecified sprain of unspecified foot", ("unspecified", "unspecified sprain of * foot")),
        ("Bilateral  carpal tunnel", ("bilateral", "* carpal tunnel")),
        ("Carpal tunnel syndrome, bilateral upper limbs", ("bilateral", "carpal tunnel syndrome, * upper limb")),
        ("Cataract, right eye", ("right", "cataract, *")),
        ("Cataract, bilateral", ("bilateral", "cataract, *")),
        ("Essential hypertension", None),
    ],
)
def test_the_side_of_a_description(text: str, side: tuple[str, str] | None) -> None:
    assert side_of(text) == side


@pytest.mark.parametrize(
    ("diagnoses", "found"),
    [
        (("M25.561", "M25.562"), 0), (("M25.561", "M25.569"), 1), (("M25.569", "M25.562"), 1),
        (("M25.561", "M25.551"), 0), (("H26.9", "M25.561"), 0), (("M17.0", "M17.11"), 0),
        (("H25.13", "H25.11"), 1), (("M25.561", "M25.562", "M25.569"), 2),
    ],
)  # fmt: skip
def test_one_condition_on_one_side(run: Run, diagnoses: tuple[str, ...], found: int) -> None:
    assert severities(run("DX-04", diagnoses=diagnoses)) == ["warning"] * found


@pytest.mark.parametrize(
    ("diagnoses", "pointers", "modifiers", "found"),
    [
        (("M25.561",), (1,), ("RT",), []), (("M25.561",), (1,), ("LT",), ["error"]),
        (("M25.562",), (1,), ("RT",), ["error"]), (("M25.562",), (1,), ("LT",), []),
        (("M25.569",), (1,), ("RT",), ["warning"]), (("M25.561",), (1,), ("RT", "LT"), []),
        (("M25.561", "M25.562"), (1, 2), ("LT",), []), (("M25.561", "M25.562"), (1,), ("LT",), ["error"]),
        (("M25.561", "M25.562"), (2,), ("LT",), []), (("I10",), (1,), ("LT",), []),
        (("H25.13",), (1,), ("LT",), []), (("M25.561",), (2,), ("LT",), []), (("M25.561",), (1,), ("50",), []),
    ],
)  # fmt: skip
def test_a_lines_side_is_its_diagnoses(
    run: Run, diagnoses: tuple[str, ...], pointers: tuple[int, ...], modifiers: tuple[str, ...], found: list[str]
) -> None:
    one = line("G0463", modifiers=modifiers, diagnosis_pointers=pointers)
    findings = [item for item in run("DX-04", diagnoses=diagnoses, lines=(one,)) if item.lines]
    assert severities(findings) == found
    assert all(item.overridable is (item.severity == "warning") for item in findings)
    assert len(
        [item for item in run("DX-04", diagnoses=diagnoses, lines=(line("G0463", 7), one)) if item.lines]
    ) == len(found)


@pytest.mark.parametrize(
    ("code", "noted", "found"),
    [
        ("M25.561", "left", 1),
        ("M25.561", "right", 0),
        ("M25.569", "left", 1),
        ("H25.13", "left", 0),
        ("I10", "left", 0),
    ],
)
def test_the_notes_side(run: Run, code: str, noted: str, found: int) -> None:
    assert len(run("DX-04", diagnoses=(code,), note_sides={code: noted})) == found
    assert run("DX-04", diagnoses=(code,), note_sides={"M25.551": noted}) == []


def test_the_principal_diagnosis_of_a_stay(run: Run) -> None:
    def found(**changes: Any) -> list[tuple[str, bool]]:
        return [(one.severity.value, one.overridable) for one in run("DX-09", **(STAY | changes))]

    assert found(diagnoses=("Z91.81", "E11.9")) == [("error", False)]
    assert found(diagnoses=("E11.9", "Z91.81")) == []
    assert found(diagnoses=("I10",)) == [("warning", True)]
    assert found(diagnoses=("E11.9", "I10", "E11.9")) == [("error", False)]
    assert found(diagnoses=("E11.9", "I10", "I10")) == []
    assert found(diagnoses=()) == []
    assert found(diagnoses=("Z91.81",), setting=Setting.PRACTITIONER) == []
    assert run("DX-09", **(STAY | {"diagnoses": ("Z91.81",)}))[0].row == "Principal_Unacceptable/Z9181"


@pytest.mark.parametrize(
    ("diagnoses", "found"),
    [
        (("W19.XXXA", "S83.411A"), 1), (("V00.01XA",), 1), (("Y99.0",), 1), (("U07.1", "W19.XXXA"), 0),
        (("Z00.00",), 0), (("S83.411A", "W19.XXXA"), 0), (("T79.A11A",), 0),
    ],
)  # fmt: skip
def test_external_causes_are_v_to_y(run: Run, diagnoses: tuple[str, ...], found: int) -> None:
    assert severities(run("DX-08", diagnoses=diagnoses)) == ["error"] * found


def test_a_manifestation_is_a_manifestation_in_the_first_place_only(run: Run) -> None:
    [by_list] = run("DX-05", diagnoses=("G31.01", "I10"))
    assert by_list.release == "test-3"
    [by_title] = run("DX-05", diagnoses=("H42", "E11.9"))
    assert by_title.release == "FY2026-04"
    assert run("DX-05", diagnoses=("I10", "G31.01")) == []
    assert run("DX-05", diagnoses=("XXX", "H42")) == []


def test_order_of_paired_diagnoses(run: Run) -> None:
    [finding] = run("DX-06", diagnoses=("N18.30", "I12.9"))
    assert (finding.severity, finding.codes, finding.overridable) == ("warning", ("I12.9", "N18.30"), True)
    assert run("DX-06", diagnoses=("I12.9", "N18.30")) == []
    [absent] = run("DX-06", diagnoses=("H42",))
    assert (absent.severity, absent.overridable, absent.codes) == ("info", False, ("H42",))
    [status] = run("DX-06", diagnoses=("F17.210", "J44.9"))
    assert status.severity == "info"
    assert [one.severity.value for one in run("DX-06", diagnoses=("N18.30", "I12.9", "I13.10"))].count("warning") == 2


def test_exclusion_in_both_directions_and_once_a_pair(run: Run) -> None:
    for pair in (("R73.9", "E11.65"), ("E11.65", "R73.9")):
        [finding] = run("DX-07", diagnoses=pair)
        assert (finding.severity, finding.overridable, finding.codes) == ("warning", True, pair)
    for pair in (("E10.9", "E11.9"), ("E11.9", "E10.9")):
        [never] = run("DX-07", diagnoses=pair)
        assert (never.severity, never.overridable) == ("error", False)
    assert [one.severity.value for one in run("DX-07", diagnoses=("I10", "I10"))] == []
    assert len(run("DX-07", diagnoses=("I10", "I10", "R73.9", "E11.65"))) == 1


def test_symptoms_combinations_and_histories_in_any_order(run: Run) -> None:
    for rule, pair in (("DX-13", ("R05.9", "J18.9")), ("DX-14", ("I10", "I50.9")), ("DX-15", ("Z85.3", "C50.911"))):
        for order in (pair, pair[::-1]):
            [finding] = run(rule, diagnoses=order)
            assert (finding.severity, finding.overridable, finding.codes) == ("warning", True, pair)
    assert len(run("DX-13", diagnoses=("R05.9", "R50.9", "J18.9"))) == 2
    assert run("DX-15", diagnoses=("Z85.3",)) == run("DX-15", diagnoses=("C50.911",)) == []
    assert run("DX-14", diagnoses=("I50.9", "E11.9")) == []


def test_unspecified_codes_are_told_and_on_a_stays_list_asked_about(run: Run) -> None:
    told = run("DX-17", diagnoses=("I10", "J45.909", "M25.569"))
    assert [(one.severity.value, one.codes, one.overridable) for one in told] == [
        ("info", ("J45.909",), False),
        ("info", ("M25.569",), False),
    ]


def test_uncertain_diagnoses_are_compared_without_dots_and_case(run: Run) -> None:
    [finding] = run("DX-12", diagnoses=("I10", "E11.9"), note_diagnoses_uncertain=("e119",))
    assert (finding.severity, finding.codes) == ("error", ("E11.9",))
    assert run("DX-12", diagnoses=("I10",), note_diagnoses_uncertain=("E11.9",)) == []


# --- form ----------------------------------------------------------------------------------------------------------


def test_units_lines_and_pointers_at_their_edges(run: Run) -> None:
    assert run("PX-00", lines=lines("G0463", units=MAX_UNITS)) == []
    assert MAX_UNITS == 9_999
    for units in (0, -1, MAX_UNITS + 1):
        assert len(run("PX-00", lines=lines("G0463", units=units))) == 1
    two = (line("G0463"), line("T1015"), line("G0101", 2), line("G0102", 2))
    assert [one.lines for one in run("PX-00", lines=two)] == [(1,), (2,)]
    five = ("I10", "E11.9", "F32.A", "K21.9", "M10.9")
    for pointers, found in (
        ((1, 2, 3, 4), 0),
        ((1, 2, 3, 4, 5), 1),
        ((5,), 0),
        ((6,), 1),
        ((0,), 1),
        ((), 1),
        ((2, 2), 1),
    ):
        assert len(run("PT-01", diagnoses=five, lines=lines("G0463", diagnosis_pointers=pointers))) == found, pointers
    assert run("PT-01", diagnoses=five, lines=lines("G0463", diagnosis_pointers=()), **HOSPITAL) == []


def test_what_is_right_is_said_even_without_a_diagnosis(run: Run) -> None:
    assert run("PT-01", diagnoses=())[0].expected == "a diagnosis to point to"
    assert run("PT-01", lines=lines("G0463", diagnosis_pointers=(2,)))[0].expected.endswith("from 1 to 1")


@pytest.mark.parametrize(("diagnoses", "found"), [(12, 0), (13, 1)])
def test_twelve_diagnoses_are_the_most(run: Run, diagnoses: int, found: int) -> None:
    codes = tuple(f"T36.0X{n}A" for n in range(1, 7)) + tuple(f"T36.1X{n}A" for n in range(1, 7)) + ("I10",)
    many = [one for one in run("DX-00", diagnoses=codes[:diagnoses]) if "diagnoses are given" in one.message]
    assert len(many) == found
    assert [one.codes for one in run("DX-00", diagnoses=("I10", "E11.9", "I10", "E11.9"))] == [("I10",), ("E11.9",)]


@pytest.mark.parametrize(
    ("place", "found"), [("11", 0), ("22", 0), ("28", 1), ("", 1), (None, 1), ("99", 0), ("9", 1)]
)  # fmt: skip
def test_places_of_service(run: Run, place: str | None, found: int) -> None:
    assert len(run("PS-01", place_of_service=place)) == found
    assert run("PS-01", place_of_service=place, **HOSPITAL) == []
    assert [one.lines for one in run("PS-01", lines=lines("G0463", "T1015", place_of_service="28"))] == [(1,), (2,)]


def test_unknown_releases_warn_and_may_be_overridden(run: Run) -> None:
    later = {"date_of_service": date(2031, 1, 1)}
    [diagnosis] = run("DX-01U", diagnoses=("I10",), **later)
    assert (diagnosis.severity, diagnosis.overridable, diagnosis.field) == ("warning", True, "diagnoses[0]")
    [procedure] = run("PX-01U", lines=lines("G0463", "99999")[1:])
    assert (procedure.severity, procedure.lines) == ("warning", (2,))
    assert [one.codes for one in run("DX-01", diagnoses=("I10", "XXX", "E11.9", "YYY"))] == [("XXX",), ("YYY",)]
    assert [one.codes for one in run("DX-02", diagnoses=("I10", "E11", "I11"))] == [("E11",), ("I11",)]
    assert [one.lines for one in run("PX-01", lines=lines("G0463", "G0436", "99999", "J1030"))] == [(2,), (4,)]


# --- necessity, documentation, peers -------------------------------------------------------------------------------


def test_necessity_by_article(run: Run) -> None:
    assert run("MN-01", lines=lines("G0020")) == []
    assert run("MN-01", lines=lines("G0020"), diagnoses=("E11.9", "I10")) != []
    pointed = line("G0020", diagnosis_pointers=(2,))
    assert run("MN-01", lines=(pointed,), diagnoses=("E11.9", "I10")) == []
    assert (
        run("MN-01", lines=(line("G0020", diagnosis_pointers=(3,)),), diagnoses=("I10", "I10"))[0].severity == "warning"
    )
    [excluded] = run("MN-01", lines=lines("G0020"), diagnoses=("Z00.00",))
    assert (excluded.severity, excluded.overridable, excluded.codes) == ("error", False, ("G0020", "Z00.00"))
    star = line("G0021", diagnosis_pointers=(1, 2))
    assert run("MN-01", lines=(star,), diagnoses=("I10", "E11.9")) == []
    assert severities(run("MN-01", lines=lines("G0021"), diagnoses=("I10",))) == ["warning"]
    before = {"payer_id": "P1", "date_of_service": date(2026, 8, 14)}
    assert severities(run("MN-01", lines=lines("G0020"), diagnoses=("E11.9",), **before)) == ["warning"]


@pytest.mark.parametrize(
    ("code", "minutes", "supported"),
    [("T0002", 19, False), ("T0002", 20, True), ("T0003", 29, False), ("T0004", 39, False), ("T0004", 40, True)],
)
def test_time_supports_a_visit_when_it_is_met(run: Run, code: str, minutes: int, supported: bool) -> None:
    found = run("EM-01", lines=lines(code), evaluation=EvaluationFacts(total_minutes=minutes))
    assert (found == []) is supported
    assert all((one.severity, one.overridable) == ("warning", True) for one in found)


def test_the_supported_visit_is_named_from_the_same_family(run: Run) -> None:
    [finding] = run("EM-01", lines=lines("T0004"), evaluation=EvaluationFacts(total_minutes=20))
    assert finding.expected == "T0002"
    [new] = run("EM-01", lines=lines("T0005"), evaluation=EvaluationFacts(total_minutes=10, self_limited_problems=1))
    assert new.expected == "a visit of level 2"
    [emergency] = run("EM-01", lines=lines("T0006"), evaluation=EvaluationFacts(total_minutes=500))
    assert (emergency.severity, emergency.expected) == ("warning", "a visit of level 2")
    two = run("EM-01", lines=lines("G0463", "T0003", "T0002"), evaluation=EvaluationFacts(total_minutes=20))
    assert [one.lines for one in two] == [(2,)]
    assert run("EM-01", lines=lines("G0463"), evaluation=EvaluationFacts()) == []
    assert run("EM-01", lines=lines("T0001")) == []


def test_a_visit_without_a_problem_is_told_for_each_visit(run: Run) -> None:
    found = run("EM-02", lines=lines("G0463", "T0001", "T0002"), evaluation=EvaluationFacts())
    assert [(one.severity.value, one.lines) for one in found] == [("info", (2,)), ("info", (3,))]
    assert run("EM-02", lines=lines("T0001"), evaluation=EvaluationFacts(self_limited_problems=1)) == []
    assert run("EM-02", lines=lines("T0001")) == []


@pytest.mark.parametrize(("procedure", "found"), [("G0010", 1), ("G0014", 1), ("G0011", 0), ("G0012", 0), ("Z9999", 0)])
def test_a_visit_beside_a_minor_procedure_takes_25(run: Run, procedure: str, found: int) -> None:
    assert len(run("EM-03", lines=lines("T0001", procedure))) == found
    assert run("EM-03", lines=(line("T0001", modifiers=("25",)), line(procedure, 2))) == []
    assert len(run("EM-03", lines=(line("T0001", modifiers=("25",)), line("T0002", 2), line(procedure, 3)))) == found
    assert run("EM-03", lines=lines(procedure)) == []


def test_tests_that_are_billed_count_for_nothing(run: Run) -> None:
    assert data_level(EvaluationFacts(tests_and_notes=1, billed_test_codes=("G0001", "G0002"))) == 2
    assert data_level(EvaluationFacts(tests_and_notes=5, billed_test_codes=("G0001", "G0002"))) == 4


OUTLIER: dict[str, Any] = {
    "name": "rate", "hits": 200, "trials": 400, "peers": 30, "peer_mean_ppm": 200_000, "peer_90th_ppm": 300_000,
}  # fmt: skip


def test_peer_measures_of_both_kinds_side_by_side(run: Run) -> None:
    pair = PeerMeasure(**(OUTLIER | {"hits": 300, "peer_95th_ppm": 350_000, "pair": ("G0001", "G0003")}))
    blind = msgspec.structs.replace(pair, peer_95th_ppm=None)
    few = msgspec.structs.replace(pair, peers=29)
    rate = PeerMeasure(**OUTLIER)
    measures = (blind, few, pair, rate, rate)
    assert len(run("UP-01", peer_measures=measures)) == 2
    found = run("UP-02", lines=lines("G0001", "G0003"), peer_measures=measures)
    assert [(one.codes, one.overridable) for one in found] == [(("G0001", "G0003"), True)]
    assert run("UP-02", lines=lines("G0001"), peer_measures=measures) == []


@pytest.mark.parametrize(
    ("stay", "expected", "short"), [(2, 3, True), (3, 3, False), (4, 3, False)]
)  # fmt: skip
def test_a_group_that_rests_on_one_complication(run: Run, stay: int, expected: int, short: bool) -> None:
    drg = DrgFacts(
        drg="291", without={"N17.9": "293", "I10": "291"}, length_of_stay_days=stay, expected_stay_days=expected
    )
    [finding] = run("UP-03", drg=drg)
    assert ("short" in finding.message) is short
    assert (finding.codes, finding.overridable, finding.row) == (("N17.9",), True, "DRG 291 to 293")
    assert run("UP-03", drg=DrgFacts(drg="291", without={"I10": "291"})) == []
    assert run("UP-03") == []


@pytest.mark.parametrize(
    ("visit", "minutes", "found"),
    [("T0004", 40, 0), ("T0004", 39, 1), ("T0003", 60, 1), ("T0006", 90, 1), ("G0463", 60, 1)],
)
def test_a_prolonged_service_needs_the_highest_level_by_time(run: Run, visit: str, minutes: int, found: int) -> None:
    seen = EvaluationFacts(total_minutes=minutes, life_threatening_problems=1, hospitalisation_decision=True)
    findings = [one for one in run("EM-01", lines=lines(visit, "G2212"), evaluation=seen) if one.lines == (2,)]
    assert [(one.severity.value, one.overridable) for one in findings] == [("warning", True)] * found


@pytest.mark.parametrize(
    ("setting", "bill_type", "good"),
    [
        (HOSPITAL, "131", True), (HOSPITAL, "0131", True), (HOSPITAL, "0111", False), (HOSPITAL, "851", True),
        (HOSPITAL, "77", False), (HOSPITAL, "01317", False), (HOSPITAL, None, True), (STAY, "111", True),
        (STAY, "0117", True), (STAY, "0121", True), (STAY, "131", False), (STAY, "11-", False),
    ],
)  # fmt: skip
def test_the_type_of_bill_fits_the_setting(
    run: Run, setting: dict[str, Any], bill_type: str | None, good: bool
) -> None:
    found = run("PX-16", lines=lines("G0463", revenue_code="0510"), bill_type=bill_type, **setting)
    assert severities(found) == [] if good else ["error"]
    assert run("PX-16", lines=lines("G0463"), bill_type="111") == []
