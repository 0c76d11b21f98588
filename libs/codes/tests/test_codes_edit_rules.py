"""The edit rules over tables: each with a violating, a passing and, where dates decide, a boundary case."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from codes_violations import BORN, INPATIENT, OUTLIER, SAME, STRONG, SURGERY, VIOLATIONS, line, lines
from revcycle_codes import CodeSets, EncounterFacts, EvaluationFacts, Finding, LineFacts, PatientFacts, Setting
from revcycle_codes.catalogue import catalogue_page
from revcycle_codes.edit_tables import (
    EditTables,
    TableKind,
)
from revcycle_codes.engine import CATALOGUE, check_encounter
from revcycle_codes.facts import DrgFacts, PeerMeasure
from revcycle_codes.model import CodesError
from revcycle_codes.rules.documentation import data_level, decision_level, problem_level, risk_level
from revcycle_codes.rules.patient import age_bands, age_years
from revcycle_codes.rules.peers import beta_above, probability_above
from revcycle_codes.switches import Switch, Switches

Build = Callable[..., EncounterFacts]
START, END = date(2026, 7, 1), date(2026, 10, 1)


Run = Callable[..., list[Finding]]


@pytest.mark.parametrize(("rule", "severity", "changes"), VIOLATIONS)
def test_a_violation_is_found_once_with_its_severity(
    run: Run, rule: str, severity: str, changes: dict[str, object]
) -> None:
    found = run(rule, **changes)
    assert [one.severity for one in found] == [severity]
    assert found[0].message
    assert found[0].expected
    assert (found[0].override_needs is not None) == found[0].overridable


NEUTRAL = line("Z9999", 99, revenue_code="0510")
PREFIXED = [
    pytest.param(rule, changes, id=f"{rule}-{place}")
    for place, (rule, severity, changes) in enumerate(VIOLATIONS)
    if "lines" in changes and (rule, severity) != ("PX-05", "warning")
]


@pytest.mark.parametrize(("rule", "changes"), PREFIXED)
def test_a_line_that_is_nobodys_business_hides_nothing(run: Run, rule: str, changes: dict[str, Any]) -> None:
    """Metamorphic: a line no rule knows, before and after the others, changes no finding but its own place."""

    def seen(lines_: tuple[LineFacts, ...]) -> list[tuple[object, ...]]:
        found = run(rule, **(changes | {"lines": lines_}))
        return [(one.severity, one.lines, one.codes) for one in found]

    alone = seen(changes["lines"])
    assert alone
    assert seen((NEUTRAL, *changes["lines"])) == alone
    assert seen((*changes["lines"], NEUTRAL)) == alone


BY_DIAGNOSES = [
    pytest.param(rule, changes, id=f"{rule}-{place}")
    for place, (rule, _, changes) in enumerate(VIOLATIONS)
    if set(changes) <= {"diagnoses", "patient"} and rule not in ("DX-05",)
]


@pytest.mark.parametrize(("rule", "changes"), BY_DIAGNOSES)
def test_a_diagnosis_that_is_nobodys_business_hides_nothing(run: Run, rule: str, changes: dict[str, Any]) -> None:
    """Metamorphic: an unrelated diagnosis, in front or behind, changes no finding but its place."""

    def seen(diagnoses: tuple[str, ...]) -> list[tuple[object, ...]]:
        return [(one.severity, one.codes) for one in run(rule, **(changes | {"diagnoses": diagnoses}))]

    alone = seen(changes["diagnoses"])
    assert alone
    assert seen(("Z63.0", *changes["diagnoses"])) == alone
    assert seen((*changes["diagnoses"], "Z63.0")) == alone


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("DX-03", {"diagnoses": ("S83.411A",)}),
        ("DX-03", {"diagnoses": ("S83.411D", "Z47.89")}),
        ("DX-04", {"diagnoses": ("M25.561", "M25.562")}),
        ("DX-04", {"diagnoses": ("M25.561",), "lines": (line("G0463", modifiers=("RT",)),)}),
        ("DX-05", {"diagnoses": ("E11.9", "H42")}),
        ("DX-06", {"diagnoses": ("I12.9", "N18.30")}),
        ("DX-09", {"diagnoses": ("E11.9",), **INPATIENT}),
        ("DX-10", {"diagnoses": ("I10",), "patient": PatientFacts(birth_date=date(1961, 8, 16), sex="F")}),
        ("DX-10", {"diagnoses": ("P07.00",)}),
        ("DX-11", {"diagnoses": ("N40.0",), **BORN, "payer_id": "P2"}),
        ("DX-11", {"diagnoses": ("N40.0",), **BORN, "condition_codes": ("45",)}),
        ("DX-11", {"diagnoses": ("N80.00",), **BORN}),
        ("DX-12", {"note_diagnoses_uncertain": ("I10",), **INPATIENT}),
        ("DX-13", {"diagnoses": ("I10", "R05.9")}),
        ("DX-14", {"diagnoses": ("I11.0", "I50.9")}),
        ("DX-15", {"diagnoses": ("C61", "Z85.3")}),
        ("DX-16", {"diagnoses": ("I10", "Z91.81"), **INPATIENT, "present_on_admission": ("N", "")}),
        ("DX-17", {"diagnoses": ("I10",)}),
        ("PX-02", {"lines": lines("G0001", "G0004"), "date_of_service": date(2026, 8, 16)}),
        ("PX-02", {"lines": lines("G0001", "G0004"), "date_of_service": date(2026, 8, 31)}),
        ("PX-02", {"lines": lines("G0001", "G0005")}),
        ("PX-02", {"lines": lines("G0001", "G0002"), "date_of_service": date(2026, 6, 30)}),
        ("PX-02", {"lines": lines("G0001", "G0002"), "setting": Setting.OUTPATIENT_HOSPITAL}),
        ("PX-02", {"lines": (line("G0001"), line("G0002", 2, rendering_provider_npi="other"))}),
        ("PX-02", {"lines": (line("G0001"), line("G0002", 2, date_of_service=date(2026, 8, 16)))}),
        ("PX-03", {"lines": (line("G0001"), line("G0003", 2, modifiers=("59",)))}),
        ("PX-04", {"lines": (line("Q0001", units=2), line("Q0001", 2, units=2, modifiers=("76",)))}),
        ("PX-04", {"lines": lines("Q0002", "Q0002")}),
        ("PX-04", {"lines": (line("Q0009", units=99),)}),
        ("PX-05", {"lines": lines("A0001", "G0001")}),
        ("PX-05", {"lines": lines("A0001"), "date_of_service": date(2026, 9, 2)}),
        ("PX-05", {"lines": lines("A0002", "G0463")}),
        ("PX-06", {"lines": (line("T0001", modifiers=("24",)),), "history": (SURGERY,), **SAME}),
        ("PX-06", {"lines": lines("T0001"), "history": (SURGERY,), **SAME, "date_of_service": date(2026, 8, 16)}),
        ("PX-06", {"lines": lines("T0001"), "history": (SURGERY,), "group_npi": "2", "specialty": "s"}),
        ("PX-07", {"lines": (line("G0012", modifiers=("50",)),)}),
        ("PX-08", {"lines": (line("G0012", modifiers=("26",)),), "place_of_service": "22"}),
        ("PX-09", {"lines": (line("G0012", modifiers=("80",)),)}),
        ("PX-10", {"lines": lines("G0011", "G0012")}),
        ("PX-12", {"lines": lines("T0006"), "place_of_service": "23"}),
        ("PX-13", {"lines": lines("G0101"), **BORN}),
        (
            "PX-14",
            {
                "lines": lines("T0005"),
                "history": (msgspec.structs.replace(SURGERY, date_of_service=date(2023, 8, 15)),),
                **SAME,
            },
        ),
        ("PX-15", {"lines": lines("J0171"), "date_of_service": date(2026, 8, 14)}),
        ("PX-15", {"lines": (line("J0171", modifiers=("JZ",)),)}),
        ("PX-16", {"lines": (line("G0463", revenue_code="0510"),), "setting": Setting.OUTPATIENT_HOSPITAL}),
        ("MN-01", {"lines": lines("G0020")}),
        ("MN-01", {"lines": lines("G0099")}),
        ("MN-01", {"lines": lines("G0022"), "diagnoses": ("E11.9",), "contractor": "222"}),
        ("EM-01", {"lines": lines("T0003"), "evaluation": EvaluationFacts(total_minutes=30)}),
        ("EM-01", {"lines": lines("T0004"), "evaluation": STRONG}),
        ("EM-03", {"lines": (line("T0001", modifiers=("25",)), line("G0010", 2))}),
        ("UP-01", {"peer_measures": (PeerMeasure(hits=130, **OUTLIER),)}),
        ("UP-01", {"peer_measures": (PeerMeasure(hits=200, **(OUTLIER | {"peers": 29})),)}),
        ("UP-03", {"drg": DrgFacts(drg="291", without={"N17.9": "293", "J96.01": "292"})}),
    ],
)
def test_what_the_rule_allows_passes(run: Run, rule: str, changes: dict[str, object]) -> None:
    assert run(rule, **changes) == []


def test_institutional_claims_name_inpatient_only_services_and_visits_beside_procedures(run: Run) -> None:
    setting = {"setting": Setting.OUTPATIENT_HOSPITAL}
    paid = {"revenue_code": "0510"}
    assert "inpatient-only" in run("PX-16", lines=lines("G0030", **paid), **setting)[0].message
    [visit] = run("PX-16", lines=lines("T0001", "G0031", **paid), **setting)
    assert visit.expected == "modifier 25, if separate"


def test_the_maternity_band_changed_on_the_first_of_october_2019(code_sets: CodeSets, encounter: Build) -> None:
    assert ("Maternity_Only", 12, 55) in age_bands(date(2019, 9, 30))
    assert ("Maternity_Only", 9, 64) in age_bands(date(2019, 10, 1))


def test_line_order_does_not_change_what_is_found(run: Run) -> None:
    facts = (line("G0001"), line("G0002", 2), line("G0003", 3), line("Q0002", 4, units=9))
    forward, backward = run("PX-02", lines=facts), run("PX-02", lines=tuple(reversed(facts)))
    assert {(one.codes, one.severity) for one in forward} == {(one.codes, one.severity) for one in backward}
    assert run("PX-04", lines=facts)[0].message == run("PX-04", lines=tuple(reversed(facts)))[0].message


@pytest.mark.parametrize(("code", "split_helps"), [("Q0001", True), ("Q0002", False), ("Q0003", False)])
def test_splitting_a_line_helps_under_adjudication_indicator_1_only(run: Run, code: str, split_helps: bool) -> None:
    assert run("PX-04", lines=(line(code, units=4),))
    split = (line(code, units=2), line(code, 2, units=2, modifiers=("76",)))
    assert (not run("PX-04", lines=split)) is split_helps


def test_tables_of_another_quarter_are_named_as_unchecked(tables: EditTables) -> None:
    edits = {TableKind.PTP, TableKind.MUE, TableKind.ADD_ON, TableKind.FEES, TableKind.CODE_EDITOR}
    assert {one.kind for one in tables.unchecked(END)} == edits | {TableKind.POA_EXEMPT, TableKind.COVERAGE}
    assert tables.unchecked(START) == []


def test_an_unknown_switch_is_refused() -> None:
    with pytest.raises(CodesError, match="expected one of"):
        Switches([Switch(name="colour", value="error")])


def test_every_rule_of_the_specification_is_in_the_catalogue() -> None:
    wanted = {f"DX-{n:02}" for n in range(1, 18)} | {f"PX-{n:02}" for n in range(1, 17)}
    wanted |= {"MN-01", "EM-01", "EM-02", "EM-03", "UP-01", "UP-02", "UP-03"}
    ids = [entry.id for entry in CATALOGUE]
    assert wanted <= set(ids)
    assert len(ids) == len(set(ids))
    for entry in CATALOGUE:
        assert len(entry.text) > 60, f"{entry.id} does not state its rule"
        assert f"## {entry.id} {entry.title}" in catalogue_page()


def test_the_catalogue_page_is_current() -> None:
    """Write it again with `revcycle codes rules > libs/codes/CATALOGUE.md`."""
    assert (Path(__file__).parents[1] / "CATALOGUE.md").read_text() == catalogue_page()


def test_golden_findings(code_sets: CodeSets, tables: EditTables, switches: Switches, encounter: Build) -> None:
    """Same facts, same bytes: every finding of every violating case, as read and accepted.

    A changed rule changes this file: write it again with GOLDEN=write and read the difference.
    """
    golden = Path(__file__).parent / "data" / "golden_findings.jsonl"
    lines = [
        msgspec.json.encode([rule, check_encounter(encounter(**changes), code_sets, tables, switches)])
        for rule, _, changes in VIOLATIONS
    ]
    if os.environ.get("GOLDEN") == "write":
        golden.write_bytes(b"\n".join(lines) + b"\n")
    assert golden.read_bytes().splitlines() == lines


LEVELS = [
    (problem_level, {}, 0),
    (problem_level, {"self_limited_problems": 1}, 2),
    (problem_level, {"self_limited_problems": 2}, 3),
    (problem_level, {"stable_chronic_problems": 1}, 3),
    (problem_level, {"acute_uncomplicated_problems": 1}, 3),
    (problem_level, {"stable_chronic_problems": 2}, 4),
    (problem_level, {"worsening_chronic_problems": 1}, 4),
    (problem_level, {"undiagnosed_new_problems": 1}, 4),
    (problem_level, {"acute_systemic_problems": 1}, 4),
    (problem_level, {"life_threatening_problems": 1}, 5),
    (data_level, {"tests_and_notes": 1}, 2),
    (data_level, {"tests_and_notes": 2}, 3),
    (data_level, {"independent_historian": True}, 3),
    (data_level, {"tests_and_notes": 3}, 4),
    (data_level, {"tests_and_notes": 2, "independent_historian": True}, 4),
    (data_level, {"tests_and_notes": 3, "billed_test_codes": ("G0001",)}, 3),
    (data_level, {"independent_interpretation": True}, 4),
    (data_level, {"external_discussion": True}, 4),
    (data_level, {"external_discussion": True, "independent_interpretation": True}, 5),
    (data_level, {"external_discussion": True, "tests_and_notes": 3}, 5),
    (risk_level, {}, 2),
    (risk_level, {"stable_chronic_problems": 1}, 3),
    (risk_level, {"acute_uncomplicated_problems": 1}, 3),
    (risk_level, {"prescription_management": True}, 4),
    (risk_level, {"social_determinants": True}, 4),
    (risk_level, {"minor_surgery_with_risk": True}, 4),
    (risk_level, {"major_surgery": True}, 4),
    (risk_level, {"toxicity_monitoring": True}, 5),
    (risk_level, {"major_surgery_with_risk": True}, 5),
    (risk_level, {"hospitalisation_decision": True}, 5),
    (risk_level, {"resuscitation_limited": True}, 5),
    (decision_level, {"life_threatening_problems": 1, "prescription_management": True}, 4),
    (decision_level, {"life_threatening_problems": 1}, 2),
]


@pytest.mark.parametrize(("element", "seen", "level"), LEVELS)
def test_elements_of_decision_making(
    element: Callable[[EvaluationFacts], int], seen: dict[str, Any], level: int
) -> None:
    assert element(EvaluationFacts(**seen)) == level


@pytest.mark.parametrize(("alpha", "beta", "at", "above"), [(1, 1, 0.3, 0.7), (2, 1, 0.5, 0.75), (1, 2, 0.5, 0.25)])
def test_the_beta_distribution_by_hand(alpha: float, beta: float, at: float, above: float) -> None:
    assert beta_above(alpha, beta, at) == pytest.approx(above, abs=1e-12)
    assert beta_above(alpha, beta, 0) == 1
    assert beta_above(alpha, beta, 1) == 0


def test_a_large_sample_agrees_with_the_sum_of_its_binomial_terms() -> None:
    import math

    hits, misses, at = 120, 300, 0.25
    total = hits + misses - 1
    exact = sum(math.comb(total, k) * at**k * (1 - at) ** (total - k) for k in range(hits))
    assert beta_above(hits, misses, at) == pytest.approx(exact, rel=1e-9)


def test_the_posterior_is_shrunk_to_the_peers_with_the_weight_of_twenty_visits() -> None:
    measure = PeerMeasure(hits=3, trials=4, name="x", peers=30, peer_mean_ppm=500_000, peer_90th_ppm=600_000)
    assert probability_above(measure, 600_000) == pytest.approx(beta_above(13, 11, 0.6), abs=1e-12)


@pytest.mark.parametrize("changes", [{"peers": 29}, {"hits": 130}])
def test_a_pair_pattern_needs_peers_and_certainty(run: Run, changes: dict[str, Any]) -> None:
    values = OUTLIER | {"hits": 300, "peer_95th_ppm": 350_000, "pair": ("G0001", "G0003")} | changes
    assert run("UP-02", lines=lines("G0001", "G0003"), peer_measures=(PeerMeasure(**values),)) == []
    assert run("UP-02", lines=lines("G0001", "G0009"), peer_measures=(PeerMeasure(**(values | {"hits": 300})),)) == []


def test_the_age_bands_are_the_code_editors() -> None:
    assert age_bands(date(2026, 1, 1)) == (
        ("Newborn_Only", 0, 0),
        ("Pediatric_Only", 0, 17),
        ("Maternity_Only", 9, 64),
        ("Adult_Only", 15, 124),
    )
    assert [age_years(date(2000, 8, 15), day) for day in (date(2026, 8, 14), date(2026, 8, 15))] == [25, 26]


@pytest.mark.parametrize(("separate", "found"), [(False, 1), (True, 0), (None, 0)])
def test_modifier_25_needs_work_of_its_own_in_the_note(run: Run, separate: bool | None, found: int) -> None:
    facts = {"lines": (line("T0001", modifiers=("25",)), line("G0010", 2))}
    seen = EvaluationFacts(separate_work_documented=separate, self_limited_problems=1)
    assert len(run("EM-03", evaluation=seen, **facts)) == found


def test_a_status_code_in_the_wrong_place_is_only_mentioned(run: Run) -> None:
    [finding] = run("DX-06", diagnoses=("Z87.891", "I25.10"))
    assert (finding.severity, finding.overridable) == ("info", False)
