"""The life of a coding: finalised once, coded again only for news, and a person's work is never overruled."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid5

from revcycle_coding.domain.coding import (
    Change,
    Coding,
    Moment,
    cancel_encounter,
    correct_codes,
    decide_not_billable,
    document_encounter,
    finalise_coding,
    reopen_coding,
)
from revcycle_coding.domain.decision import Decision, Service
from revcycle_coding.domain.rulebook import Rulebook
from revcycle_events import (
    DocumentationAmended,
    DocumentReference,
    EncounterCancelled,
    EncounterDocumented,
    EncounterService,
    RenderingProvider,
)

ENCOUNTER, PATIENT, DOCUMENT = UUID(int=1), UUID(int=2), UUID(int=3)
VISIT = EncounterService(code="G0463", units=1, diagnosis_pointers=[1])
LINE = Service("G0463", (), 1, (1,))


def at(ordinal: int, actor: str = "event") -> Moment:
    return Moment(datetime(2026, 8, 16, tzinfo=UTC), actor, lambda role: uuid5(UUID(int=ordinal), role))


def state(**changes: Any) -> dict[str, Any]:
    reference = DocumentReference(
        document_id=DOCUMENT,
        version=changes.pop("version", 1),
        type="visit note",
        source="typed",
        signed=changes.pop("signed", True),
        sha256="0" * 64,
        size_bytes=1,
    )
    return {
        "encounter_id": ENCOUNTER,
        "patient_id": PATIENT,
        "facility_npi": "1900000005",
        "completeness_rule": "billing-ready.v1",
        "document": reference,
        "rendering_provider": RenderingProvider(npi="1700000411", last_name="Fixture", first_name="Ada"),
        "encounter_number": "T-1",
        "date_of_service": date(2026, 8, 15),
        "place_of_service": "11",
        "diagnoses": ["I10"],
        "services": [VISIT],
    } | changes


def documented(rulebook: Rulebook, **changes: Any) -> Change:
    change = document_encounter(None, None, EncounterDocumented(**state(**changes)), 1, at(1), rulebook)
    assert change is not None
    return change


def amended(known: Change, rulebook: Rulebook, **changes: Any) -> Change:
    event = DocumentationAmended(**state(**changes), changed=["document"])
    change = document_encounter(known.coding, known.task, event, 2, at(2), rulebook)
    assert change is not None
    return change


def told(change: Change) -> list[str]:
    return [type(event).__name__ for event in change.events]


def test_a_clean_encounter_is_coded_by_the_policy(rulebook: Rulebook) -> None:
    change = documented(rulebook)
    assert told(change) == ["EncounterCoded"]
    assert (change.coding.state, change.coding.finalised_by) == ("finalised", "policy:auto-finalise.v1")
    assert change.task is None and len(change.decisions) == 1


def test_an_error_opens_one_worklist_item_that_names_rules_and_no_codes(rulebook: Rulebook) -> None:
    change = documented(rulebook, diagnoses=["A99.99"])
    assert told(change) == ["CodingTaskOpened"]
    assert "A99" not in change.events[0].model_dump_json()
    assert change.task is not None and change.task.rules == ("DX-01",)
    [reason] = change.task.reasons
    assert (reason.rule_version, reason.release, reason.field) == ("1", "FY2026-04", "diagnoses[0]")
    opened = change.events[0]
    assert opened.cause == "DX-01 version 1 (FY2026-04)"
    assert opened.remedy.startswith(f"DX-01: {reason.expected}; ")


def test_amended_text_with_the_same_codes_tells_nothing(rulebook: Rulebook) -> None:
    change = amended(documented(rulebook), rulebook, version=2)
    assert told(change) == []
    assert (change.coding.coding_version, change.coding.document.version) == (1, 2)


def test_amended_codes_that_finalise_themselves_are_recoded(rulebook: Rulebook) -> None:
    change = amended(documented(rulebook), rulebook, diagnoses=["E11.9"])
    assert told(change) == ["EncounterRecoded"]
    assert change.coding.coding_version == 2


def test_an_amendment_that_removes_the_signature_opens_an_item(rulebook: Rulebook) -> None:
    change = amended(documented(rulebook), rulebook, signed=False)
    assert told(change) == ["CodingTaskOpened"]
    assert change.coding.state == "open" and change.coding.coding_version == 1


def test_an_amendment_that_corrects_the_codes_resolves_the_item(rulebook: Rulebook) -> None:
    change = amended(documented(rulebook, diagnoses=[]), rulebook)
    assert told(change) == ["EncounterCoded", "CodingTaskResolved"]
    assert change.task is None


def by_coder(known: Change, rulebook: Rulebook) -> Change:
    corrected = correct_codes(known.coding, known.task, ("I10",), (LINE,), at(3, "coder-1"), rulebook)
    finalised = finalise_coding(corrected.coding, corrected.task, at(4, "coder-1"), rulebook)
    assert isinstance(finalised, Change)
    return finalised


def test_a_coder_corrects_and_finalises(rulebook: Rulebook) -> None:
    change = by_coder(documented(rulebook, diagnoses=[]), rulebook)
    assert told(change) == ["EncounterCoded", "CodingTaskResolved"]
    assert change.coding.finalised_by == "coder-1"


def test_a_resolved_item_still_says_why_it_was_opened(rulebook: Rulebook) -> None:
    known = documented(rulebook, diagnoses=["A99.99"])
    resolved = by_coder(known, rulebook).tasks[-1]
    assert resolved.resolution == "finalised"
    assert known.task is not None and resolved.reasons == known.task.reasons != ()


def test_a_coder_cannot_finalise_an_error(rulebook: Rulebook) -> None:
    known = documented(rulebook, diagnoses=[])
    refused = finalise_coding(known.coding, known.task, at(3, "coder-1"), rulebook)
    assert isinstance(refused, Decision) and not refused.finalise


def test_the_policy_never_overrules_a_person(rulebook: Rulebook) -> None:
    known = by_coder(documented(rulebook, diagnoses=[]), rulebook)
    change = amended(known, rulebook, diagnoses=["E11.9"])
    assert told(change) == ["CodingTaskOpened"]
    assert change.coding.codes.diagnoses == ("I10",), "the coder's codes stand until the coder looks again"


def test_cancelling_takes_the_item_along_and_unbills_what_was_coded(rulebook: Rulebook) -> None:
    event = EncounterCancelled(encounter_id=ENCOUNTER, patient_id=PATIENT, facility_npi="1900000005", reason="error")
    coded, waiting = documented(rulebook), documented(rulebook, diagnoses=[])
    assert told(cancel_encounter(coded.coding, coded.task, event, 2, at(2))) == ["EncounterNotBillable"]
    assert told(cancel_encounter(waiting.coding, waiting.task, event, 2, at(2))) == ["CodingTaskResolved"]


def test_not_billable_then_reopened_and_finalised_is_news_even_with_the_same_codes(rulebook: Rulebook) -> None:
    known = documented(rulebook)
    coder = at(3, "coder-1")
    reopened = reopen_coding(known.coding, coder)
    dropped = decide_not_billable(reopened.coding, reopened.task, "nothing to bill", at(4, "coder-1"))
    assert told(dropped) == ["EncounterNotBillable", "CodingTaskResolved"]
    again = reopen_coding(dropped.coding, at(5, "coder-1"))
    finalised = finalise_coding(again.coding, again.task, at(6, "coder-1"), rulebook)
    assert isinstance(finalised, Change)
    assert told(finalised) == ["EncounterRecoded", "CodingTaskResolved"]


def test_a_cancelled_coding_stays_cancelled(rulebook: Rulebook) -> None:
    event = EncounterCancelled(encounter_id=ENCOUNTER, patient_id=PATIENT, facility_npi="1900000005", reason="error")
    known = documented(rulebook)
    cancelled: Coding = cancel_encounter(known.coding, known.task, event, 2, at(2)).coding
    late = DocumentationAmended(**state(), changed=["document"])
    assert document_encounter(cancelled, None, late, 3, at(3), rulebook) is None
