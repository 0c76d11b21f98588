"""Patients, coverages, encounters, documents, facilities and payers over REST."""

from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response
from revcycle_events import (
    CoverageCorrected,
    DocumentationAmended,
    EncounterCancelled,
    EncounterDocumented,
    FacilityRecorded,
    PatientUpdated,
    PayerRecorded,
)
from revcycle_messaging import DatabaseRefused
from revcycle_registration.examples import FACILITY, PROVIDER, encounter_file
from revcycle_service_kit.testing import OTHER_TENANT, TENANT, ServiceUnderTest

pytestmark = pytest.mark.component

COVERAGE = {
    "rank": 1,
    "payer_id": "REVPAY1",
    "member_id": "TEST000001",
    "relationship": "self",
    "effective_from": "2026-01-01",
}


async def taken_in(client: AsyncClient, *files: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post("/v1/intake", json={"encounters": list(files)})
    results: list[dict[str, Any]] = answer.json()["results"]
    assert all(each["status"] == "created" for each in results), results
    return results


def rules(answer: Response) -> list[tuple[str, str]]:
    return [(each["field"], each["rule"]) for each in answer.json()["errors"]]


async def state_of(client: AsyncClient, encounter_id: str) -> tuple[str, list[str]]:
    encounter = (await client.get(f"/v1/encounters/{encounter_id}")).json()
    return encounter["state"], encounter["blocked_by"]


async def test_a_patched_patient_documents_the_encounters_that_waited_for_it(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    one, two = await taken_in(
        client, encounter_file("T-1", patient__birth_date=None), encounter_file("T-2", patient__birth_date=None)
    )
    path = f"/v1/patients/{one['patient_id']}"
    assert (await client.get(path)).json()["missing"] == ["patient.birth_date"]
    changed = await client.patch(path, json={"birth_date": "1975-08-12"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["missing"], changed.headers["etag"]) == ([], '"2"')
    for each in (one, two):
        assert await state_of(client, each["encounter_id"]) == ("documented", [])
    await service.drain()
    assert [each.event.changed for each in service.published(PatientUpdated)] == [["patient.birth_date"]]
    assert len(service.published(EncounterDocumented)) == 2


async def test_a_patient_is_changed_only_as_read(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file())
    path = f"/v1/patients/{result['patient_id']}"
    assert (await client.patch(path, json={"phone": "555-0100"})).status_code == 428
    assert (await client.patch(path, json={"phone": "555-0100"}, headers={"If-Match": '"7"'})).status_code == 412
    forgotten = await client.patch(path, json={"last_name": None}, headers={"If-Match": '"1"'})
    assert forgotten.status_code == 422 and rules(forgotten)[0][0] == "last_name"
    unknown = await client.patch(path, json={"nickname": "U"}, headers={"If-Match": '"1"'})
    assert rules(unknown) == [("nickname", "extra_forbidden")]


async def test_a_patched_address_of_null_is_forgotten_whole(service: ServiceUnderTest) -> None:
    """It was answered with 200 and the next claim went out with the address that should be forgotten."""
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file())
    path = f"/v1/patients/{result['patient_id']}"
    forgotten = await client.patch(path, json={"address": None}, headers={"If-Match": '"1"'})
    assert forgotten.status_code == 200
    assert set(forgotten.json()["address"].values()) == {None} and len(forgotten.json()["missing"]) == 4


async def test_a_patient_is_registered_once(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    body = {"facility_npi": FACILITY, "medical_record_number": "M-1", "last_name": "Testperson", "first_name": "Una"}
    first = await client.post("/v1/patients", json=body)
    assert first.status_code == 201 and "patient.birth_date" in first.json()["missing"]
    assert (await client.get(first.headers["location"])).json() == first.json()
    assert (await client.post("/v1/patients", json=body)).status_code == 409
    found = await client.post(
        "/v1/patients:search", json={"facility_npi": FACILITY, "medical_record_numbers": ["M-1", "M-2"]}
    )
    assert [each["patient_id"] for each in found.json()["items"]] == [first.json()["patient_id"]]


async def test_a_padded_number_finds_what_it_was_recorded_as(service: ServiceUnderTest) -> None:
    """Taken in without its blanks, and then not found under the number that was sent."""
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file(" T-1 ", " M-1 "))
    for path, names, found in (
        ("/v1/patients:search", {"medical_record_numbers": [" M-1 "]}, "patient_id"),
        ("/v1/encounters:search", {"encounter_numbers": [" T-1 "]}, "encounter_id"),
    ):
        answer = await client.post(path, json={"facility_npi": FACILITY} | names)
        assert [each[found] for each in answer.json()["items"]] == [result[found]]


async def test_a_coverage_documents_what_waited_and_primary_has_one_answer(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file(coverages=[]))
    assert await state_of(client, result["encounter_id"]) == ("open", ["coverages"])
    path = f"/v1/patients/{result['patient_id']}/coverages"
    assert (await client.get(path, params={"date": "2026-08-15"})).json() == {"items": [], "primary": None}
    assert (await client.post(path, json=COVERAGE | {"rank": 2, "payer_id": "REVPAY2"})).status_code == 201
    assert (await client.post(path, json=COVERAGE)).status_code == 201
    assert (await client.post(path, json=COVERAGE)).status_code == 200
    corrected = await client.post(path, json=COVERAGE | {"effective_to": "2026-08-31"})
    assert (corrected.status_code, corrected.json()["effective_to"]) == (200, "2026-08-31")
    assert await state_of(client, result["encounter_id"]) == ("documented", [])
    for date, payer in (("2026-08-31", "REVPAY1"), ("2026-09-01", "REVPAY2")):
        assert (await client.get(path, params={"date": date})).json()["primary"]["payer_id"] == payer
    assert len((await client.get(path)).json()["items"]) == 2
    await service.drain()
    assert len(service.published(CoverageCorrected)) == 1


async def test_a_coverage_that_cannot_be_billed_is_refused_by_field(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file())
    path = f"/v1/patients/{result['patient_id']}/coverages"
    answer = await client.post(path, json={"payer_id": "REVPAY1", "rank": 1, "relationship": "self"})
    assert rules(answer) == [("member_id", "required"), ("effective_from", "required")]
    backwards = await client.post(path, json=COVERAGE | {"effective_to": "2025-01-01"})
    assert rules(backwards) == [("effective_to", "period")]


async def test_readiness_says_what_would_be_right(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file(document__signed_at=None, coverages=[], diagnoses=[]))
    readiness = (await client.get(f"/v1/encounters/{result['encounter_id']}/readiness")).json()
    assert not readiness["ready"]
    assert [each["field"] for each in readiness["blockers"]] == ["document.signed_at", "coverages"]
    assert all(each["expected"] for each in readiness["blockers"])
    assert [each["field"] for each in readiness["left_to_coding"]] == ["diagnoses"]
    blocked = (await client.get("/v1/encounters", params={"blocked": "true"})).json()
    assert [each["encounter_id"] for each in blocked["items"]] == [result["encounter_id"]]
    assert (await client.get("/v1/encounters", params={"blocked": "false"})).json()["items"] == []


async def test_lists_go_page_by_page_and_numbers_are_searched_in_the_body(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    sent = await taken_in(client, *(encounter_file(f"T-{number}", f"M-{number}") for number in range(5)))
    seen: list[str] = []
    token = None
    for _ in range(3):
        page = (
            await client.get("/v1/encounters", params={"limit": 2} | ({"page_token": token} if token else {}))
        ).json()
        seen += [each["encounter_id"] for each in page["items"]]
        token = page["next_page_token"]
    assert token is None and sorted(seen) == sorted(each["encounter_id"] for each in sent)
    body = {"facility_npi": FACILITY, "encounter_numbers": ["T-1", "T-3", "T-9"]}
    found = (await client.post("/v1/encounters:search", json=body)).json()["items"]
    assert [each["encounter_number"] for each in found] == ["T-1", "T-3"]
    assert len((await client.get("/v1/patients")).json()["items"]) == 5


async def test_document_versions_and_addenda_never_change_what_was_signed(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file())
    path = f"/v1/encounters/{result['encounter_id']}/documents"
    signature = {"author_npi": PROVIDER, "signed_at": "2026-08-16T09:00:00-05:00"}
    body = {"type": "visit note", "source": "typed", "text": "Second synthetic note.", **signature}
    second = await client.post(path, json=body)
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert (await client.post(path, json=body)).status_code == 200
    addenda = f"/v1/documents/{second.json()['document_id']}/addenda"
    added = await client.post(addenda, json={"text": "Synthetic addendum.", **signature})
    assert (added.status_code, added.json()["version"]) == (201, 3)
    assert (await client.post(addenda, json={"text": "To an old version.", **signature})).status_code == 409
    whole = (await client.get(f"/v1/documents/{added.json()['document_id']}")).json()
    assert whole["text"].startswith("Second synthetic note.") and whole["text"].endswith("Synthetic addendum.")
    base = (await client.get(f"/v1/documents/{second.json()['document_id']}")).json()
    assert base["text"] == "Second synthetic note."
    assert [each["addendum_text"] for each in base["addenda"]] == ["Synthetic addendum."]
    with pytest.raises(DatabaseRefused):
        async with service.database.unit_of_work(TENANT) as uow:
            await uow.execute("UPDATE registration.document SET text = 'forged'")
    await service.drain()
    amended = service.published(DocumentationAmended)
    assert [(each.event.document.version, each.event.changed) for each in amended] == [
        (2, ["document"]),
        (3, ["document"]),
    ]
    assert amended[-1].event.note_text == whole["text"]


async def test_a_later_file_with_the_text_before_the_addenda_does_not_undo_them(service: ServiceUnderTest) -> None:
    """A new telephone number took the signed addendum out of the note that is coded."""
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file())
    path = f"/v1/encounters/{result['encounter_id']}"
    signature = {"author_npi": PROVIDER, "signed_at": "2026-08-16T09:00:00-05:00"}
    for number in (1, 2):
        document = (await client.get(path)).json()["document"]["document_id"]
        added = await client.post(
            f"/v1/documents/{document}/addenda", json={"text": f"Addendum {number}.", **signature}
        )
        assert added.status_code == 201
    newest = (await client.get(path)).json()["document"]
    later = encounter_file(patient__phone="555-0100", diagnoses=["E11.9"])
    await client.post("/v1/intake", json={"encounters": [later]})
    encounter = (await client.get(path)).json()
    assert (encounter["document"], encounter["diagnoses"]) == (newest, ["E11.9"])
    other = encounter_file(document__text="Another synthetic note.")
    await client.post("/v1/intake", json={"encounters": [other]})
    assert (await client.get(path)).json()["document"]["version"] == newest["version"] + 1


async def test_blank_text_is_no_text_over_rest_either(service: ServiceUnderTest) -> None:
    """A signed note of blanks documented the visit, and a patient named by blanks could be billed."""
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file(document=None))
    path, patient = f"/v1/encounters/{result['encounter_id']}", f"/v1/patients/{result['patient_id']}"
    signature = {"author_npi": PROVIDER, "signed_at": "2026-08-16T09:00:00-05:00"}
    note = {"type": "visit note", "source": "typed", "text": "Synthetic note.", **signature}
    for blank in ({"text": " \n "}, {"type": " "}):
        answer = await client.post(f"{path}/documents", json=note | blank)
        assert (answer.status_code, rules(answer)) == (422, [(*blank, "required")])
    assert await state_of(client, result["encounter_id"]) == ("open", ["document"])
    added = await client.post(f"{path}/documents", json=note)
    addendum = await client.post(f"/v1/documents/{added.json()['document_id']}/addenda", json=signature | {"text": " "})
    named = await client.patch(patient, json={"last_name": " "}, headers={"If-Match": '"1"'})
    cancelled = await client.post(f"{path}:cancel", json={"reason": " "})
    assert [answer.status_code for answer in (addendum, named, cancelled)] == [422, 422, 422]
    padded = await client.patch(patient, json={"last_name": " Testperson "}, headers={"If-Match": '"1"'})
    assert (padded.json()["last_name"], padded.headers["etag"]) == ("Testperson", '"1"')


async def test_an_unsigned_document_takes_no_addendum(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file(document__signed_at=None))
    encounter = (await client.get(f"/v1/encounters/{result['encounter_id']}")).json()
    body = {"author_npi": PROVIDER, "signed_at": "2026-08-16T09:00:00-05:00", "text": "Synthetic addendum."}
    answer = await client.post(f"/v1/documents/{encounter['document']['document_id']}/addenda", json=body)
    assert answer.status_code == 409


async def test_a_cancelled_encounter_is_told_once_and_takes_nothing_more(service: ServiceUnderTest) -> None:
    client = service.client("integration")
    (result,) = await taken_in(client, encounter_file())
    path = f"/v1/encounters/{result['encounter_id']}"
    for _ in range(2):
        answer = await client.post(f"{path}:cancel", json={"reason": "recorded in error"})
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    body = {"type": "visit note", "source": "typed", "text": "Too late."}
    assert (await client.post(f"{path}/documents", json=body)).status_code == 409
    await service.drain()
    assert [each.event.reason for each in service.published(EncounterCancelled)] == ["recorded in error"]


async def test_facilities_and_payers_are_told_when_they_change_and_only_then(service: ServiceUnderTest) -> None:
    client = service.client("operator")
    facility = {
        "name": "Example Clinic",
        "tax_id": "990000001",
        "taxonomy": None,
        "address": {
            "line1": "1 Example Street",
            "line2": None,
            "city": "Sampleton",
            "state": "OR",
            "postal_code": "97301",
        },
        "time_zone": "America/Los_Angeles",
    }
    path, payer = f"/v1/locations/{FACILITY}", "/v1/payers/REVPAY1"
    statuses = [(await client.put(path, json=facility)).status_code for _ in range(2)]
    statuses.append((await client.put(path, json=facility | {"name": "Example Clinics"})).status_code)
    assert statuses == [201, 200, 200]
    for days in (90, 90, 120):
        assert (await client.put(payer, json={"name": "Example Plan", "filing_limit_days": days})).is_success
    assert (await client.get(path)).json() == facility | {"name": "Example Clinics", "npi": FACILITY}
    assert (await client.get(payer)).json()["filing_limit_days"] == 120
    assert [len((await client.get(each)).json()["items"]) for each in ("/v1/locations", "/v1/payers")] == [1, 1]
    await service.drain()
    assert [each.event.name for each in service.published(FacilityRecorded)] == ["Example Clinic", "Example Clinics"]
    assert [each.event.filing_limit_days for each in service.published(PayerRecorded)] == [90, 120]


@pytest.mark.parametrize(
    ("path", "changes", "field"),
    [
        ("/v1/locations/1900000006", {}, "npi"),
        (f"/v1/locations/{FACILITY}", {"tax_id": "12-345"}, "tax_id"),
        (f"/v1/locations/{FACILITY}", {"time_zone": "Mars/Olympus"}, "time_zone"),
        (f"/v1/locations/{FACILITY}", {"fax": "1"}, "fax"),
        ("/v1/payers/REVPAY1", None, "filing_limit_days"),
    ],
)
async def test_a_wrong_facility_or_payer_is_refused_by_field(
    service: ServiceUnderTest, path: str, changes: dict[str, str] | None, field: str
) -> None:
    facility = {
        "name": "Example Clinic",
        "tax_id": "990000001",
        "address": {"line1": "1 Example Street", "city": "Sampleton", "state": "OR", "postal_code": "97301"},
        "time_zone": "America/Los_Angeles",
    }
    body = {"name": "Example Plan", "filing_limit_days": 1096} if changes is None else facility | changes
    answer = await service.client("operator").put(path, json=body)
    assert answer.status_code == 422 and [name for name, _ in rules(answer)] == [field]


@pytest.mark.parametrize("name", ["%00", "REV%00PAY", "REV%0APAY", "%20REVPAY1", "REVPAY1%20"])
async def test_a_payer_id_that_no_encounter_file_can_name_is_refused(service: ServiceUnderTest, name: str) -> None:
    """Some were a fault of ours, and a padded one was a payer that no coverage ever met."""
    client = service.client("operator")
    answer = await client.put(f"/v1/payers/{name}", json={"name": "Example Plan", "filing_limit_days": 90})
    assert (answer.status_code, rules(answer)) == (422, [("payer_id", "one_line")])
    for path in (f"/v1/payers/{name}", f"/v1/locations/{name}"):
        assert (await client.get(path)).status_code == 404


async def test_another_tenants_ids_do_not_exist(service: ServiceUnderTest) -> None:
    client, stranger = service.client(), service.client(tenant_id=OTHER_TENANT)
    (result,) = await taken_in(client, encounter_file())
    encounter = (await client.get(f"/v1/encounters/{result['encounter_id']}")).json()
    await client.put("/v1/payers/REVPAY1", json={"name": "Example Plan", "filing_limit_days": 90})
    paths = [
        f"/v1/encounters/{result['encounter_id']}",
        f"/v1/encounters/{result['encounter_id']}/readiness",
        f"/v1/patients/{result['patient_id']}",
        f"/v1/patients/{result['patient_id']}/coverages",
        f"/v1/documents/{encounter['document']['document_id']}",
        "/v1/payers/REVPAY1",
    ]
    for path in paths:
        assert (await client.get(path)).status_code == 200, path
        assert (await stranger.get(path)).status_code == 404, path
        assert (await service.anonymous_client().get(path)).status_code == 401, path
    assert (await stranger.get("/v1/encounters")).json()["items"] == []
    cancelled = await stranger.post(f"/v1/encounters/{result['encounter_id']}:cancel", json={"reason": "not mine"})
    coverage = await stranger.post(f"/v1/patients/{result['patient_id']}/coverages", json=COVERAGE)
    assert (cancelled.status_code, coverage.status_code) == (404, 404)
    (same_number,) = await taken_in(stranger, encounter_file())
    assert same_number["encounter_id"] != result["encounter_id"]


async def test_an_id_that_never_was_is_not_found(service: ServiceUnderTest) -> None:
    client = service.client()
    for path in ("/v1/encounters/{}", "/v1/encounters/{}/readiness", "/v1/patients/{}", "/v1/documents/{}"):
        assert (await client.get(path.format(UUID(int=1)))).status_code == 404


async def test_every_operation_explains_itself(service: ServiceUnderTest) -> None:
    document = (await service.anonymous_client().get("/openapi.json")).json()
    ours = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        if path.startswith("/v1/") and not path.startswith("/v1/ops")
        for method, operation in methods.items()
    ]
    assert len(ours) >= 19
    for path, method, operation in ours:
        assert operation.get("summary") and operation.get("description"), (method, path)
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            schema = document["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
            assert "example" in content or "example" in schema, (method, path)
    intake = document["paths"]["/v1/intake"]["post"]["requestBody"]["content"]["application/json"]
    assert intake["example"]["encounters"][0]["format"] == "revcycle.encounter-file.v1"
    assert "$ref" not in str(intake["schema"])
