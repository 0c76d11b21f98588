"""Bulk intake over REST, real PostgreSQL and the outbox."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from revcycle_events import (
    CoverageRecorded,
    DocumentationAmended,
    EncounterDocumented,
    EncounterOpened,
    PatientRegistered,
    patients_v1,
)
from revcycle_registration.bootstrap import PARTS
from revcycle_registration.examples import FACILITY, encounter_file
from revcycle_service_kit import SettableClock
from revcycle_service_kit.testing import MakesDatabases, ServiceUnderTest, running_service

pytestmark = pytest.mark.component

FACILITY_BODY = {
    "name": "Example Clinic",
    "tax_id": "990000001",
    "address": {"line1": "1 Example Street", "city": "Sampleton", "state": "CA", "postal_code": "900010001"},
    "time_zone": "America/Los_Angeles",
}


async def send(client: AsyncClient, *files: Any) -> list[dict[str, Any]]:
    answer = await client.post("/v1/intake", json={"encounters": list(files)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert [each["index"] for each in results] == list(range(len(files)))
    return results


async def test_the_real_visits_are_created_once_and_say_what_blocks_them(
    service: ServiceUnderTest, real_files: list[dict[str, Any]]
) -> None:
    client = service.client("integration")
    first = await send(client, *real_files)
    again = await send(client, *real_files)
    await service.drain()
    assert Counter(each["status"] for each in first) == {"created": 87}
    assert Counter(tuple(each["blocked_by"]) for each in first) == {(): 81, ("coverages",): 6}
    assert Counter(tuple(each["left_to_coding"]) for each in first)["diagnoses",] == 7
    assert Counter(each["status"] for each in again) == {"unchanged": 87}
    assert [each["encounter_id"] for each in again] == [each["encounter_id"] for each in first]
    told = {kind: len(service.published(kind)) for kind in (PatientRegistered, EncounterDocumented, EncounterOpened)}
    assert told == {PatientRegistered: 87, EncounterDocumented: 81, EncounterOpened: 6}
    assert len(service.published(CoverageRecorded)) == 86


async def test_the_documented_event_carries_the_visit_and_waits_for_the_patient(service: ServiceUnderTest) -> None:
    (result,) = await send(service.client("integration"), encounter_file())
    await service.drain()
    (documented,) = service.published(EncounterDocumented)
    event, envelope = documented.event, documented.envelope
    assert (event.note_text, event.diagnoses, event.encounter_number) == ("Synthetic note.", ["I10"], "T-0001")
    assert event.document.signed and event.document.version == 1
    assert envelope.correlation_id == result["encounter_id"]
    (prerequisite,) = envelope.depends_on
    assert (prerequisite.topic, prerequisite.key) == (patients_v1.TOPIC, result["patient_id"])
    assert prerequisite.sequence == 2, "registered and covered came before"


async def test_each_file_is_answered_on_its_own(service: ServiceUnderTest) -> None:
    results = await send(
        service.client("integration"),
        encounter_file("T-1", "M-1", patient__nickname="U", facility_npi="1234567890"),
        encounter_file("T-2", "M-2"),
        "no object",
        encounter_file("T-3", "M-3", date_of_service="2026-10-01"),
        encounter_file("T-2", "M-2"),
        encounter_file("T-2", "M-2", diagnoses=["E11.9"]),
    )
    assert [each["status"] for each in results] == ["refused", "created", "refused", "refused", "unchanged", "updated"]
    errors = {(error["field"], error["rule"]) for each in results for error in each["errors"]}
    assert errors == {
        ("patient.nickname", "unknown_field"),
        ("facility_npi", "npi"),
        ("encounter", "object"),
        ("date_of_service", "not_in_the_future"),
    }
    await service.drain()
    assert len(service.published(EncounterDocumented)) == 1
    assert [each.event.changed for each in service.published(DocumentationAmended)] == [["diagnoses"]]


async def test_half_a_character_or_an_endless_number_in_one_file_holds_up_no_other(service: ServiceUnderTest) -> None:
    """A note cut in the middle of a character made the whole request, up to 500 visits, no JSON for good."""
    wrong = {
        "document.text": encounter_file("T-1", document__text="cut \ud83d"),
        "encounter_number": encounter_file("T-\udc00"),
        "services[0].units": encounter_file("T-2", services=[{"code": "G0463", "units": 10**30}]),
        "coverages[0].rank": encounter_file("T-3", coverages=[{"rank": 1e300}]),
        "": encounter_file("T-4") | {"\ud83d": 1},
        "patient.address": encounter_file("T-5", patient__address=10**30),
        "document.signed_at": encounter_file("T-6", document__signed_at="2026-08-15T12:26\ud83d"),
        "patient.sex": encounter_file("T-7", patient__sex="\ud83d"),
        "patient.birth_date": encounter_file("T-8", patient__birth_date="2026-01-0\ud83d"),
    }
    body = json.dumps({"encounters": [*wrong.values(), encounter_file("T-9", "M-9")]}).replace("1e+300", "1e400")
    for _ in range(2):
        answer = await service.client("integration").post("/v1/intake", content=body)
        assert answer.status_code == 200, answer.text
        *refused, taken = answer.json()["results"]
        assert [[each["field"] for each in result["errors"]] for result in refused] == [[name] for name in wrong]
        assert taken["status"] in ("created", "unchanged")
    kept = (await service.client("integration").get("/v1/intake-refusals")).json()["items"]
    assert [each["times"] for each in kept] == [2] * len(wrong)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b'{"encounters": [NaN]}', 400, None),
        (b'{"encounters": ["\xff"]}', 400, None),
        (b'{"encounters": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None),
        (b"[]", 422, "body"),
        (b"{}", 422, "encounters"),
        (b'{"encounters": []}', 422, "encounters"),
        (b'{"encounters": {}}', 422, "encounters"),
        (b'{"encounters": [], "mode": "fast"}', 422, "mode"),
        (b'{"encounters": [' + b",".join([b"{}"] * 501) + b"]}", 422, "encounters"),
    ],
)
async def test_a_request_of_another_shape_is_refused_whole(
    service: ServiceUnderTest, body: bytes, status: int, field: str | None
) -> None:
    answer = await service.client("integration").post("/v1/intake", content=body)
    assert answer.status_code == status
    assert [each["field"] for each in answer.json()["errors"]] == ([field] if field else [])


async def test_two_intakes_of_the_same_visits_at_once_make_each_visit_once(service: ServiceUnderTest) -> None:
    files = [encounter_file(f"T-{number}", f"M-{number % 20}") for number in range(100)]
    client = service.client("integration")
    answers = await asyncio.gather(*(send(client, *files[shift:], *files[:shift]) for shift in (0, 50, 25, 75)))
    statuses = Counter(each["status"] for results in answers for each in results)
    assert statuses == {"created": 100, "unchanged": 300}
    ids = {(each["encounter_number"], each["encounter_id"]) for results in answers for each in results}
    assert len(ids) == 100
    await service.drain()
    assert len(service.published(PatientRegistered)) == 20
    assert len(service.published(EncounterDocumented)) == 100


async def test_today_is_the_date_at_the_facility(postgresql: MakesDatabases, tmp_path: Path) -> None:
    clock = SettableClock(datetime(2026, 8, 15, 5, 0, tzinfo=UTC))
    async with running_service(PARTS, postgresql, tmp_path, clock=clock) as service:
        client = service.client("integration")
        (unknown_facility,) = await send(client, encounter_file("T-1", "M-1"))
        await client.put(f"/v1/locations/{FACILITY}", json=FACILITY_BODY)
        (in_california,) = await send(client, encounter_file("T-2", "M-2"))
    assert unknown_facility["status"] == "created", "in New York the 15th has begun"
    assert in_california["errors"][0]["expected"].startswith("a date up to 2026-08-14")


async def test_a_repeated_request_under_its_key_gets_the_first_answer(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    body, headers = {"encounters": [encounter_file()]}, {"Idempotency-Key": "load-1"}
    first = await client.post("/v1/intake", json=body, headers=headers)
    second = await client.post("/v1/intake", json=body, headers=headers)
    assert first.json() == second.json()
    assert second.json()["results"][0]["status"] == "created"


async def test_a_note_of_one_mebibyte_is_taken_in_and_goes_by_reference(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await send(client, encounter_file(document__text="n" * 1024 * 1024))
    assert result["status"] == "created"
    await service.drain()
    (documented,) = service.published(EncounterDocumented)
    assert documented.event.note_text is None
    document = await client.get(f"/v1/documents/{documented.event.document.document_id}")
    assert len(document.json()["text"]) == 1024 * 1024


async def test_only_integration_systems_send_visits(service: ServiceUnderTest) -> None:
    body = {"encounters": [encounter_file()]}
    assert (await service.anonymous_client().post("/v1/intake", json=body)).status_code == 401
    assert (await service.client("coder", "biller", "operator").post("/v1/intake", json=body)).status_code == 403
