"""Taking files in: never a second encounter or patient, updates by field, documented exactly once when complete."""

from datetime import date
from typing import Any
from uuid import UUID, uuid5

import pytest
from revcycle_registration.domain.case_load import CaseLoad, CoverageFact, EncounterFact, PatientFact
from revcycle_registration.domain.facts import carries_note, event_of
from revcycle_registration.domain.intake import Outcome, read_intake, take_in_all
from revcycle_registration.examples import FACILITY, encounter_file

TODAY = {FACILITY: date(2026, 9, 30)}
SPACE = UUID(int=7)


def new_load() -> CaseLoad:
    return CaseLoad(lambda role, ordinal: uuid5(SPACE, f"{role}:{ordinal}"))


def take(load: CaseLoad, *files: dict[str, Any]) -> list[Outcome]:
    return take_in_all(load, read_intake(files), TODAY)


def told(load: CaseLoad) -> list[str]:
    names = []
    for fact in load.facts:
        if isinstance(fact, PatientFact):
            names.append("updated" if fact.changed else "registered")
        else:
            names.append(fact.kind)
    return names


def test_a_complete_file_becomes_a_documented_encounter_at_once() -> None:
    load = new_load()
    (outcome,) = take(load, encounter_file())
    assert (outcome.status, outcome.state, outcome.blocked_by) == ("created", "documented", ())
    assert told(load) == ["registered", "recorded", "documented"]


@pytest.mark.parametrize(
    ("changes", "blocked_by"),
    [
        ({"patient__birth_date": None}, ("patient.birth_date",)),
        ({"patient__sex": ...}, ("patient.sex",)),
        ({"patient__address__line1": ""}, ("patient.address.line1",)),
        (
            {"patient__address": None},
            (
                "patient.address.line1",
                "patient.address.city",
                "patient.address.state",
                "patient.address.postal_code",
            ),
        ),
        ({"place_of_service": None}, ("place_of_service",)),
        ({"rendering_provider": None}, ("rendering_provider",)),
        ({"rendering_provider__first_name": None}, ("rendering_provider.first_name",)),
        ({"document": None}, ("document",)),
        ({"document__signed_at": None}, ("document.signed_at",)),
        ({"document__text": "  "}, ("document.text",)),
        ({"document__type": None}, ("document.type",)),
        ({"coverages": []}, ("coverages",)),
        ({"coverages": None}, ("coverages",)),
        (
            {"coverages": [{"rank": 1, "payer_id": "REVPAY1", "relationship": "self"}]},
            ("coverages[0].member_id", "coverages[0].effective_from"),
        ),
    ],
)
def test_what_is_missing_to_bill_blocks_by_name_and_the_encounter_is_kept(
    changes: dict[str, Any], blocked_by: tuple[str, ...]
) -> None:
    load = new_load()
    (outcome,) = take(load, encounter_file(**changes))
    assert (outcome.status, outcome.state, outcome.blocked_by) == ("created", "open", blocked_by)
    assert told(load)[-1] == "opened"


@pytest.mark.parametrize(
    "changes",
    [
        {"patient__middle_name": None},
        {"patient__phone": None},
        {"patient__address__line2": None},
        {"rendering_provider__taxonomy": None},
        {"primary_care_provider_npi": None},
        {"coverages": [{"payer_id": "SELFPAY"}]},
    ],
)
def test_what_is_not_needed_to_bill_does_not_block(changes: dict[str, Any]) -> None:
    (outcome,) = take(new_load(), encounter_file(**changes))
    assert outcome.state == "documented"


def test_missing_codes_are_left_to_coding_and_do_not_hold_the_encounter() -> None:
    (outcome,) = take(new_load(), encounter_file(diagnoses=[], services=[]))
    assert (outcome.state, outcome.left_to_coding) == ("documented", ("diagnoses", "services"))


def test_a_coverage_that_ended_before_the_visit_blocks() -> None:
    coverage = encounter_file()["coverages"][0] | {"effective_to": "2026-08-14"}
    (outcome,) = take(new_load(), encounter_file(coverages=[coverage]))
    assert outcome.blocked_by == ("coverages",)


def test_the_same_file_again_is_unchanged_and_tells_nothing() -> None:
    load = new_load()
    first, second = take(load, encounter_file(), encounter_file())
    assert (first.status, second.status) == ("created", "unchanged")
    assert second.encounter_id == first.encounter_id
    assert told(load).count("documented") == 1


def test_a_later_signature_completes_the_encounter_with_a_new_document_version() -> None:
    load = new_load()
    first, second = take(load, encounter_file(document__signed_at=None), encounter_file())
    assert (second.status, second.state) == ("updated", "documented")
    assert [new.document.version for new in load.documents] == [1, 2]
    assert told(load)[-2:] == ["opened", "documented"]
    assert first.encounter_id == second.encounter_id


def test_after_documentation_other_text_amends_with_a_new_version() -> None:
    load = new_load()
    take(load, encounter_file(), encounter_file(document__text="Another synthetic note."))
    fact = load.facts[-1]
    assert isinstance(fact, EncounterFact)
    assert (fact.kind, fact.changed) == ("amended", ("document",))
    assert fact.encounter.document is not None and fact.encounter.document.version == 2


def test_after_documentation_other_codes_amend_by_field() -> None:
    load = new_load()
    take(load, encounter_file(), encounter_file(diagnoses=["E11.9"], place_of_service="22"))
    fact = load.facts[-1]
    assert isinstance(fact, EncounterFact)
    assert (fact.kind, fact.changed) == ("amended", ("place_of_service", "diagnoses"))


def test_what_a_later_file_leaves_out_is_not_erased() -> None:
    load = new_load()
    outcome = take(
        load, encounter_file(), encounter_file(patient__birth_date=None, document=None, place_of_service=None)
    )[1]
    assert (outcome.status, outcome.state) == ("unchanged", "documented")  # fmt: skip
    assert load.encounters[outcome.encounter_id].document is not None  # type: ignore[index]  # an accepted file has an id


@pytest.mark.parametrize("left_out", ["signed_at", "author_npi"])
def test_a_later_file_that_leaves_out_the_signature_of_the_same_text_does_not_undo_it(left_out: str) -> None:
    """The claim of a signed visit waited for a signature again."""
    load = new_load()
    outcome = take(load, encounter_file(), encounter_file(**{f"document__{left_out}": None}))[1]
    assert (outcome.status, told(load)[-1]) == ("unchanged", "documented")
    for changes in ({"document__text": "Another text."}, {"document__author_npi": "1700000429"}):
        unsigned = take(load, encounter_file(document__signed_at=None, **changes))[0]
        assert unsigned.status == "updated" and load.documents[-1].document.signed_at is None


def test_a_coverage_in_another_file_completes_every_open_encounter_of_the_patient() -> None:
    load = new_load()
    waiting = take(load, encounter_file("T-1", coverages=[]), encounter_file("T-2", coverages=[]))
    (third,) = take(load, encounter_file("T-3"))
    assert [each.state for each in waiting] == ["open", "open"]
    assert third.state == "documented"
    assert {load.encounters[each.encounter_id].state for each in waiting if each.encounter_id} == {"documented"}
    assert told(load).count("documented") == 3


def test_a_later_file_without_a_known_coverage_does_not_end_it() -> None:
    load = new_load()
    outcome = take(load, encounter_file("T-1"), encounter_file("T-2", coverages=[]))[1]
    assert outcome.state == "documented"


def test_a_patient_who_moved_does_not_take_the_old_apartment_along() -> None:
    old = encounter_file()["patient"]["address"] | {"line2": "Apt 4"}
    new = {"line1": "9 Sample Road", "line2": None, "city": "Exampleville", "state": "OR", "postal_code": "97302"}
    corrected = old | {"line1": "1 Example St", "line2": None, "postal_code": "973010001"}
    for stated, line2 in ((new, None), (new | {"line2": "Unit 7"}, "Unit 7"), (corrected, "Apt 4")):
        load = new_load()
        take(load, encounter_file(patient__address=old), encounter_file("T-2", patient__address=stated))
        (patient,) = load.patients.values()
        assert (patient.demographics.line1, patient.demographics.line2) == (stated["line1"], line2)


def test_two_encounters_of_one_patient_make_one_patient() -> None:
    load = new_load()
    first, second = take(load, encounter_file("T-1"), encounter_file("T-2", patient__phone="555-0100"))
    assert first.patient_id == second.patient_id
    assert told(load).count("registered") == 1 and told(load).count("updated") == 1


def test_another_patient_for_a_known_encounter_is_refused() -> None:
    load = new_load()
    _, second = take(load, encounter_file("T-1", "MRN-1"), encounter_file("T-1", "MRN-2"))
    assert second.status == "refused" and second.errors[0].field == "patient.medical_record_number"
    assert len(load.patients) == 1


def test_another_provider_named_only_in_part_cannot_undo_a_documented_encounter() -> None:
    partly = {"npi": "1700000429", "last_name": None, "first_name": None}
    _, second = take(new_load(), encounter_file(), encounter_file(rendering_provider=partly))
    assert second.status == "refused"
    assert second.errors[0].field == "rendering_provider"


def test_a_cancelled_encounter_takes_no_new_content() -> None:
    load = new_load()
    (first,) = take(load, encounter_file())
    assert first.encounter_id is not None
    load.cancel_encounter(first.encounter_id, "recorded in error")
    same, other = take(load, encounter_file(), encounter_file(diagnoses=[]))
    assert (same.status, other.status) == ("unchanged", "refused")
    assert other.errors[0].rule == "not_cancelled"


def test_a_service_tomorrow_is_refused_and_its_neighbours_are_not() -> None:
    outcomes = take(new_load(), encounter_file("T-1"), encounter_file("T-2", date_of_service="2026-10-01"))
    assert [each.status for each in outcomes] == ["created", "refused"]
    assert outcomes[1].errors[0].field == "date_of_service"


def test_results_do_not_depend_on_how_files_are_cut_into_requests() -> None:
    files = [
        encounter_file("T-1", coverages=[]),
        encounter_file("T-2"),
        encounter_file("T-1", document__text="Changed."),
        encounter_file("T-2"),
    ]
    whole, pieces = new_load(), new_load()
    at_once = take(whole, *files)
    one_by_one = [take(pieces, file)[0] for file in files]
    assert at_once == one_by_one
    assert whole.facts == pieces.facts


def paths(part: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [prefix, *(path for name, child in children for path in paths(child, (*prefix, name)))]


def replaced(file: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    part: Any = file
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return file


ODD = (None, "", " ", "x", "é" * 200, "\x00", 0, -1, 1.5, 10**12, True, [], [None], {}, {"x": 1}, [[1]], "9999-99-99")


@pytest.mark.parametrize("path", [path for path in paths(encounter_file()) if path], ids=str)
def test_any_field_with_any_odd_value_is_answered_and_its_neighbour_is_taken_in(path: tuple[Any, ...]) -> None:
    for odd in ODD:
        load = new_load()
        answer, neighbour = take(load, replaced(encounter_file("T-1", "M-1"), path, odd), encounter_file("T-2", "M-2"))
        assert neighbour.status == "created"
        assert answer.status in ("created", "refused")
        assert bool(answer.errors) == (answer.status == "refused")
        for fact in load.facts:
            event_of(fact, None)


def test_a_note_up_to_64_kib_travels_and_a_longer_one_goes_by_reference() -> None:
    load = new_load()
    take(load, encounter_file("T-1", document__text="a" * 65_536), encounter_file("T-2", document__text="a" * 65_537))
    documented = [fact for fact in load.facts if isinstance(fact, EncounterFact)]
    assert [carries_note(fact) for fact in documented] == [True, False]


def test_every_fact_becomes_the_event_that_tells_it() -> None:
    load = new_load()
    (first, *_) = take(
        load, encounter_file(coverages=[]), encounter_file(patient__phone="555-0100"), encounter_file(diagnoses=[])
    )
    assert first.encounter_id is not None
    load.cancel_encounter(first.encounter_id, "recorded in error")
    names = [type(event_of(fact, None)).__name__ for fact in load.facts]
    assert names == [
        "PatientRegistered",
        "EncounterOpened",
        "PatientUpdated",
        "CoverageRecorded",
        "EncounterDocumented",
        "DocumentationAmended",
        "EncounterCancelled",
    ]
    assert any(isinstance(fact, CoverageFact) for fact in load.facts)
