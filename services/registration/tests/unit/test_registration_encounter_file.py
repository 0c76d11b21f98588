"""The format refuses what is malformed by field and rule, all at once, and never repeats a value."""

from datetime import date
from typing import Any

import pytest
from revcycle_registration.domain.encounter_file import EncounterFile, future_service, read_encounter_file
from revcycle_registration.examples import encounter_file


def findings(raw: object) -> list[tuple[str, str]]:
    read = read_encounter_file(raw)
    assert isinstance(read, tuple), "expected a refusal"
    assert all(finding.message and finding.expected for finding in read)
    return [(finding.field, finding.rule) for finding in read]


def test_a_complete_file_is_read() -> None:
    assert isinstance(read_encounter_file(encounter_file()), EncounterFile)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"format": "revcycle.encounter-file.v2"}, "format", "one_of"),
        ({"format": ...}, "format", "required"),
        ({"encounter_number": "  "}, "encounter_number", "required"),
        ({"encounter_number": "x" * 39}, "encounter_number", "too_long"),
        ({"encounter_number": 17}, "encounter_number", "text"),
        ({"facility_npi": "1900000006"}, "facility_npi", "npi"),
        ({"facility_npi": None}, "facility_npi", "text"),
        ({"date_of_service": "2026-02-30"}, "date_of_service", "date"),
        ({"date_of_service": 1770000000}, "date_of_service", "date"),
        ({"date_of_service": "2026-08-15T00:00:00"}, "date_of_service", "date"),
        ({"date_of_service": ...}, "date_of_service", "required"),
        ({"place_of_service": "1"}, "place_of_service", "place_of_service"),
        ({"patient": None}, "patient", "object"),
        ({"patient__medical_record_number": ...}, "patient.medical_record_number", "required"),
        ({"patient__last_name": None}, "patient.last_name", "text"),
        ({"patient__first_name": ""}, "patient.first_name", "required"),
        ({"patient__sex": "X"}, "patient.sex", "one_of"),
        ({"patient__birth_date": "2026-08-16"}, "patient.birth_date", "born_before_service"),
        ({"patient__birth_date": "0001-01-01"}, "patient.birth_date", "date"),
        ({"patient__address__postal_code": "9730"}, "patient.address.postal_code", "postal_code"),
        ({"patient__address__state": "Oregon"}, "patient.address.state", "state"),
        ({"patient__nickname": "U"}, "patient.nickname", "unknown_field"),
        ({"favourite_colour": "red"}, "favourite_colour", "unknown_field"),
        ({"Una Testperson": "sister"}, "?", "unknown_field"),
        ({"patient__123-45-6789": "number"}, "patient.?", "unknown_field"),
        ({"coverages": {}}, "coverages", "list"),
        ({"rendering_provider__npi": "1700000412"}, "rendering_provider.npi", "npi"),
        ({"document__signed_at": "2026-08-15T12:26:00"}, "document.signed_at", "time"),
        ({"document__signed_at": "yesterday afternoon"}, "document.signed_at", "time"),
        ({"document__signed_at": "00000001755260000"}, "document.signed_at", "time"),
        ({"document__signed_at": "1755260000.0000000"}, "document.signed_at", "time"),
        ({"document__signed_at": "0001-01-01T00:00:00+14:00"}, "document.signed_at", "time"),
        ({"document__source": "telepathy"}, "document.source", "one_of"),
        ({"document__text": "a\x00b"}, "document.text", "no_control_characters"),
        ({"document__text": "é" * (512 * 1024 + 1)}, "document.text", "too_long"),
        ({"diagnoses": "I10"}, "diagnoses", "list"),
    ],
)
def test_what_is_malformed_is_refused_by_field_and_rule(changes: dict[str, Any], field: str, rule: str) -> None:
    assert findings(encounter_file(**changes)) == [(field, rule)]


@pytest.mark.parametrize("units", [0, -1])
def test_units_that_are_not_positive_are_refused(units: int) -> None:
    file = encounter_file(services=[{"code": "G0463", "units": units}])
    assert findings(file) == [("services[0].units", "minimum")]


@pytest.mark.parametrize("units", [1.5, "1", True, None])
def test_units_that_are_no_whole_number_are_refused(units: object) -> None:
    file = encounter_file(services=[{"code": "G0463", "units": units}])
    assert findings(file) == [("services[0].units", "integer")]


def test_a_coverage_that_ends_before_it_begins_is_refused() -> None:
    coverage = encounter_file()["coverages"][0] | {"effective_to": "2025-12-31"}
    assert findings(encounter_file(coverages=[coverage])) == [("coverages[0].effective_to", "period")]


def test_a_subscriber_who_is_the_patient_is_refused() -> None:
    holder = {"last_name": "Testperson", "first_name": "Una"}
    coverage = encounter_file()["coverages"][0] | {"subscriber": holder}
    assert findings(encounter_file(coverages=[coverage])) == [("coverages[0].subscriber", "subscriber_is_not_self")]


def test_everything_wrong_is_said_at_once() -> None:
    file = encounter_file(facility_npi="12", place_of_service="office", patient__nickname="U")
    assert {field for field, _ in findings(file)} == {"facility_npi", "place_of_service", "patient.nickname"}


@pytest.mark.parametrize("raw", [None, [], "x", 1])
def test_what_is_no_object_is_refused(raw: object) -> None:
    assert findings(raw) == [("encounter", "object")]


def test_a_refusal_never_repeats_the_value() -> None:
    read = read_encounter_file(encounter_file(patient__sex="SECRET-1", place_of_service="SECRET-2"))
    assert "SECRET" not in repr(read)


def test_codes_are_only_text_to_registration() -> None:
    file = encounter_file(
        diagnoses=["no such code"], services=[{"code": "?", "units": 1, "diagnosis_pointers": [0, 99]}]
    )
    assert isinstance(read_encounter_file(file), EncounterFile)


def test_today_at_the_facility_is_not_in_the_future_and_tomorrow_is() -> None:
    file = read_encounter_file(encounter_file())
    assert isinstance(file, EncounterFile)
    assert future_service(file, date(2026, 8, 15)) is None
    refusal = future_service(file, date(2026, 8, 14))
    assert refusal is not None and refusal.rule == "not_in_the_future" and "2026-08-14" in refusal.expected
