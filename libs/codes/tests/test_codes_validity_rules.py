"""Form and validity rules: a violating, a passing and a boundary-date case each."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from revcycle_codes import (
    CodeSets,
    EncounterFacts,
    FactsError,
    LineFacts,
    Setting,
    Severity,
    check_encounter,
    facts_from_encounter_file,
    facts_from_record,
    facts_hash,
    has_errors,
)

Build = Callable[..., EncounterFacts]


def line(code: str = "G0463", **changes: object) -> LineFacts:
    return msgspec.structs.replace(LineFacts(line_number=1, code=code, diagnosis_pointers=(1,)), **changes)


def rules(facts: EncounterFacts, code_sets: CodeSets) -> list[tuple[str, str]]:
    return [(one.rule, one.severity.value) for one in check_encounter(facts, code_sets)]


def test_a_clean_visit_has_no_finding(encounter: Build, code_sets: CodeSets) -> None:
    assert check_encounter(encounter(), code_sets) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"diagnoses": ()}, ("DX-00", "error")),
        ({"diagnoses": ("I10", "i10")}, ("DX-00", "error")),
        ({"diagnoses": ("I15.9",), "date_of_service": date(2026, 10, 1)}, ("DX-01U", "warning")),
        ({"diagnoses": ("G35",)}, ("DX-01", "error")),
        ({"diagnoses": ("G35.A",), "date_of_service": date(2025, 9, 30)}, ("DX-01", "error")),
        ({"diagnoses": ("XXX",)}, ("DX-01", "error")),
        ({"diagnoses": ("E11",)}, ("DX-02", "error")),
        ({"diagnoses": ("S83.411",)}, ("DX-02", "error")),
        ({"lines": ()}, ("PX-00", "error")),
        ({"lines": (line(units=0),)}, ("PX-00", "error")),
        ({"lines": (line(units=Decimal("1.5")),)}, ("PX-00", "error")),
        ({"lines": (line(units=10_000),)}, ("PX-00", "error")),
        ({"lines": (line(), line())}, ("PX-00", "error")),
        ({"lines": (line(diagnosis_pointers=()),)}, ("PT-01", "error")),
        ({"lines": (line(diagnosis_pointers=(2,)),)}, ("PT-01", "error")),
        ({"lines": (line(diagnosis_pointers=(0,)),)}, ("PT-01", "error")),
        ({"lines": (line(diagnosis_pointers=(1, 1)),)}, ("PT-01", "error")),
        ({"lines": (line("G0436"),)}, ("PX-01", "error")),
        ({"lines": (line("J1030"),), "date_of_service": date(2026, 4, 1)}, ("PX-01", "error")),
        ({"lines": (line("00000"),)}, ("PX-01U", "warning")),
        ({"lines": (line(modifiers=("ZQ",)),)}, ("PX-11", "error")),
        ({"lines": (line(modifiers=("GD",)),)}, ("PX-11", "error")),
        ({"lines": (line(modifiers=("26", "TC")),)}, ("PX-11", "error")),
        ({"lines": (line(modifiers=("59", "XE")),)}, ("PX-11", "error")),
        ({"lines": (line(modifiers=("25", "25")),)}, ("PX-11", "error")),
        ({"lines": (line(modifiers=("22", "25", "57", "GA", "GC")),)}, ("PX-11", "error")),
        ({"place_of_service": "28"}, ("PS-01", "error")),
        ({"place_of_service": None}, ("PS-01", "error")),
        ({"diagnoses": ("W19.XXXA", "S83.411A")}, ("DX-08", "error")),
        ({"diagnoses": ("R73.9", "E11.65")}, ("DX-07", "warning")),
        ({"diagnoses": ("E10.9", "E11.9")}, ("DX-07", "error")),
    ],
)
def test_each_rule_speaks_once(
    encounter: Build, code_sets: CodeSets, changes: dict[str, object], expected: tuple[str, str]
) -> None:
    assert expected in rules(encounter(**changes), code_sets)
    assert rules(encounter(**changes), code_sets).count(expected) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"diagnoses": ("G35.A",), "date_of_service": date(2025, 10, 1)},
        {"diagnoses": ("G35",), "date_of_service": date(2024, 9, 30)},
        {"diagnoses": ("S83.411A", "W19.XXXA")},
        {"diagnoses": tuple(f"Z7{n}.{m}" for n, m in [(9, "01"), (9, "02"), (9, "82")])},
        {"lines": (line("J1030"),), "date_of_service": date(2024, 3, 31)},
        {"lines": (line(modifiers=("25",)), line(line_number=2, code="J1010", units=40, modifiers=("JZ",)))},
        {"lines": (line(units=9_999),)},
        {"place_of_service": "22"},
    ],
)
def test_what_is_right_passes(encounter: Build, code_sets: CodeSets, changes: dict[str, object]) -> None:
    assert not [one for one in check_encounter(encounter(**changes), code_sets) if one.severity is Severity.ERROR]


def test_more_than_twelve_diagnoses_are_too_many_on_a_professional_claim_only(
    encounter: Build, code_sets: CodeSets
) -> None:
    codes = tuple(f"T36.0X{n}A" for n in range(1, 7)) + tuple(f"T36.1X{n}A" for n in range(1, 7)) + ("I10",)
    assert ("DX-00", "error") in rules(encounter(diagnoses=codes), code_sets)
    assert ("DX-00", "error") not in rules(encounter(diagnoses=codes[:12]), code_sets)
    assert ("DX-00", "error") not in rules(encounter(diagnoses=codes, setting=Setting.OUTPATIENT_HOSPITAL), code_sets)


def test_no_finding_hides_another(encounter: Build, code_sets: CodeSets) -> None:
    facts = encounter(diagnoses=("XXX", "E11"), place_of_service="28", lines=(line("G0436", units=0),))
    assert {"DX-01", "DX-02", "PS-01", "PX-01", "PX-00"} <= {rule for rule, _ in rules(facts, code_sets)}


def test_a_finding_says_what_would_be_right(encounter: Build, code_sets: CodeSets) -> None:
    [finding] = check_encounter(encounter(lines=(line("J1030"),)), code_sets)
    assert finding.message == "procedure J1030 was last valid on 2024-03-31"
    assert "J1010" in finding.expected
    assert (finding.carc, finding.release, finding.field) == ("181", "demo-2026", "services[0].code")
    assert finding.lines == (1,)
    assert not finding.overridable


def test_an_override_says_what_it_must_document(encounter: Build, code_sets: CodeSets) -> None:
    found = check_encounter(encounter(diagnoses=("R73.9", "E11.65")), code_sets)
    [finding] = [one for one in found if one.rule == "DX-07"]
    assert finding.overridable
    assert finding.override_needs == "why the two conditions are unrelated"
    assert finding.row == "R73/excludes1/1"


def test_same_inputs_same_bytes(encounter: Build, code_sets: CodeSets) -> None:
    facts = encounter(diagnoses=("R73.9", "E11.65", "G35"), lines=(line("G0436"), line("J1030", line_number=2)))
    first, second = (msgspec.json.encode(check_encounter(facts, code_sets)) for _ in range(2))
    assert first == second
    assert facts_hash(facts) == facts_hash(msgspec.json.decode(msgspec.json.encode(facts), type=EncounterFacts))


def test_a_record_of_the_wrong_shape_is_refused_by_field() -> None:
    with pytest.raises(FactsError) as refused:
        facts_from_encounter_file({"encounter_number": "X", "date_of_service": "yesterday"})
    assert refused.value.field == "date_of_service"


def test_of_the_87_real_style_visits_at_least_67_have_no_error(code_sets: CodeSets, shared_folder: Path) -> None:
    path = shared_folder / "encounters" / "aci_bench.jsonl"
    records = [json.loads(text) for text in path.read_text().splitlines()]
    findings = [check_encounter(facts_from_encounter_file(record), code_sets) for record in records]
    assert len(records) == 87
    assert sum(not has_errors(one) for one in findings) >= 67
    ended = {code for one in findings for item in one if item.rule == "PX-01" for code in item.codes}
    assert ended == {"G0436", "J1030"}


def test_a_code_that_is_not_yet_valid_says_from_when(encounter: Build, code_sets: CodeSets) -> None:
    facts = encounter(diagnoses=("G35.A",), date_of_service=date(2025, 9, 30))
    [finding] = [one for one in check_encounter(facts, code_sets) if one.rule == "DX-01"]
    assert finding.message == "diagnosis G35.A is valid only from 2025-10-01"


def test_a_code_outside_a_subset_asks_for_the_full_release(encounter: Build, code_sets: CodeSets) -> None:
    [unlisted] = check_encounter(encounter(lines=(line("G9999"),)), code_sets)
    assert "import the full hcpcs-2 release" in unlisted.expected
    [unknown] = check_encounter(encounter(diagnoses=("XXX",)), code_sets)
    assert unknown.expected == "a code valid on 2026-08-15"


def test_a_repeated_diagnosis_points_to_its_last_place(encounter: Build, code_sets: CodeSets) -> None:
    [finding] = [
        one
        for one in check_encounter(encounter(diagnoses=("I10", "E11.9", "I10", "F32.A")), code_sets)
        if one.rule == "DX-00"
    ]
    assert finding.field == "diagnoses[2]"


def test_a_claim_is_checked_as_an_encounter_is(code_sets: CodeSets) -> None:
    """`lines` make it a claim; a line may carry its own date."""
    claim: dict[str, object] = {
        "date_of_service": "2026-08-15",
        "place_of_service": "11",
        "patient_control_number": "PCN1",
        "billing_side": "professional",
        "diagnoses": ["I10"],
        "patient": {"birth_date": "1970-01-01", "sex": "F", "last_name": "TEST"},
        "billing_provider": {"npi": "1234567893"},
        "lines": [
            {"code": "J1030", "diagnosis_pointers": [1], "units": 1, "date_of_service": "2024-03-31"},
            {"code": "J1030", "diagnosis_pointers": [1], "units": 1, "line_number": 7},
        ],
    }
    facts = facts_from_record(claim)
    assert (facts.encounter_number, facts.group_npi, facts.setting) == ("PCN1", "1234567893", Setting.PRACTITIONER)
    [finding] = check_encounter(facts, code_sets)
    assert (finding.rule, finding.lines) == ("PX-01", (7,))
    hospital = facts_from_record(claim | {"billing_side": "institutional"})
    assert hospital.setting is Setting.OUTPATIENT_HOSPITAL
    with pytest.raises(FactsError) as refused:
        facts_from_record(claim | {"lines": [{"code": 5}]})
    assert refused.value.field == "lines[0].code"


def test_the_coded_charts_give_the_findings_that_were_read_and_judged(code_sets: CodeSets, shared_folder: Path) -> None:
    """CHARTS.md: how often each diagnosis rule speaks over 354 charts; Excludes1 can always be overridden."""
    counts: Counter[tuple[str, str]] = Counter()
    for line_ in (shared_folder / "notes" / "mdace" / "mdace_codes.jsonl").read_text().splitlines():
        chart = json.loads(line_)
        stay = chart["setting"] == "inpatient"
        claims: dict[int, list[str]] = {}
        for entry in chart["codes"]:
            diagnoses = claims.setdefault(0 if stay else entry["note"], [])
            if entry["system"] == "ICD-10-CM" and entry["code"] not in diagnoses:
                diagnoses.append(entry["code"])
        for diagnoses in filter(None, claims.values()):
            facts = EncounterFacts(
                date_of_service=date(2024, 8, 15),
                diagnoses=tuple(diagnoses),
                lines=(),
                place_of_service="21",
                setting=Setting.INPATIENT if stay else Setting.PRACTITIONER,
            )
            findings = check_encounter(facts, code_sets)
            counts.update((one.rule, one.severity.value) for one in findings)
            exclusions = [one for one in findings if one.rule == "DX-07"]
            assert all(one.overridable and one.severity == "warning" for one in exclusions)
    told = {rule: counts[rule] for rule in counts if rule[0] not in ("PX-00", "DX-17", "DX-00", "DX-05")}
    assert told == {
        ("DX-01", "error"): 3,
        ("DX-02", "error"): 147,
        ("DX-03", "warning"): 3,
        ("DX-06", "info"): 386,
        ("DX-06", "warning"): 113,
        ("DX-07", "warning"): 168,
        ("DX-08", "error"): 28,
        ("DX-13", "warning"): 71,
        ("DX-14", "warning"): 98,
        ("DX-15", "warning"): 2,
    }
