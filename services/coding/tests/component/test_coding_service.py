"""Coding on real PostgreSQL: what is documented is coded or put on the list, and coders work on it over REST."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from httpx import AsyncClient
from revcycle_coding.bootstrap import service_parts
from revcycle_coding.domain.decision import redecide
from revcycle_coding.domain.rulebook import Rulebook
from revcycle_coding.settings import Settings
from revcycle_events import (
    CodingTaskOpened,
    CodingTaskResolved,
    DocumentationAmended,
    DocumentReference,
    EncounterCancelled,
    EncounterCoded,
    EncounterDocumented,
    EncounterNotBillable,
    EncounterRecoded,
    EncounterService,
    Event,
    RenderingProvider,
    encounters_v1,
)
from revcycle_messaging import Cause, DatabaseRefused
from revcycle_service_kit.testing import OTHER_TENANT, TENANT, MakesDatabases, ServiceUnderTest, running_service

pytestmark = pytest.mark.component

SPACE = UUID(int=7)
VISIT = {"code": "G0463", "modifiers": [], "units": 1, "diagnosis_pointers": [1]}


def coding(
    postgresql: MakesDatabases, tmp_path: Path, **settings: object
) -> AbstractAsyncContextManager[ServiceUnderTest]:
    """Coding with the grants it has in production: it cannot open identities."""
    return running_service(
        service_parts,
        postgresql,
        tmp_path,
        settings_class=Settings,
        business_date=date(2026, 9, 30),
        grants=("clinical", "document"),
        settings=settings,
    )


@pytest.fixture
async def service(postgresql: MakesDatabases, tmp_path: Path) -> AsyncIterator[ServiceUnderTest]:
    async with coding(postgresql, tmp_path) as running:
        yield running


def encounter_id(name: str) -> UUID:
    return uuid5(SPACE, name)


def state(name: str, **changes: Any) -> dict[str, Any]:
    """The whole state of an encounter as its events carry it."""
    version, signed = changes.pop("version", 1), changes.pop("signed", True)
    services = [EncounterService(**each) for each in changes.pop("services", [VISIT])]
    return {
        "encounter_id": encounter_id(name),
        "patient_id": uuid5(SPACE, f"patient of {name}"),
        "facility_npi": "1900000005",
        "completeness_rule": "billing-ready.v1",
        "document": DocumentReference(
            document_id=uuid5(SPACE, f"{name} {version}"),
            version=version,
            type="visit note",
            source="typed",
            signed=signed,
            sha256="0" * 64,
            size_bytes=1,
        ),
        "rendering_provider": RenderingProvider(npi="1700000411", last_name="Fixture", first_name="Ada"),
        "encounter_number": name,
        "date_of_service": date(2026, 8, 15),
        "place_of_service": "11",
        "diagnoses": ["I10"],
        "services": services,
        "note_text": f"Synthetic note, version {version}.",
    } | changes


def documented(name: str, **changes: Any) -> EncounterDocumented:
    return EncounterDocumented(**state(name, **changes))


def amended(name: str, **changes: Any) -> DocumentationAmended:
    return DocumentationAmended(**state(name, **changes), changed=["document"])


def cancelled(name: str) -> EncounterCancelled:
    return EncounterCancelled(
        encounter_id=encounter_id(name), patient_id=UUID(int=2), facility_npi="1900000005", reason="recorded in error"
    )


async def fed(service: ServiceUnderTest, *events: Event) -> None:
    """Events of registration, applied and answered."""
    now = datetime(2026, 9, 1, tzinfo=UTC)
    first = len(service.broker.records(encounters_v1.TOPIC))
    causes = [Cause(TENANT, UUID(int=1000 + first + number), now, "test") for number in range(len(events))]
    await service.feed(list(zip(events, causes, strict=True)))
    await service.drain()


def told(service: ServiceUnderTest) -> Counter[str]:
    kinds = (
        EncounterCoded,
        EncounterRecoded,
        EncounterNotBillable,
        CodingTaskOpened,
        CodingTaskResolved,
    )
    counted = Counter({kind.__name__: len(service.published(kind)) for kind in kinds})
    return +counted


def path_of(name: str) -> str:
    return f"/v1/codings/{encounter_id(name)}/professional"


async def test_the_real_visits_are_coded_or_listed_with_reasons(service: ServiceUnderTest) -> None:
    default = Path(__file__).parents[5] / "shared" / "data"
    path = Path(os.environ.get("REVCYCLE_SHARED_DATA", default)) / "encounters" / "aci_bench.jsonl"
    if not path.exists():
        pytest.skip(f"shared data is absent: {path.name}; set REVCYCLE_SHARED_DATA")
    files = [json.loads(line) for line in path.read_text().splitlines()]
    await fed(
        service,
        *(
            documented(
                file["encounter_number"],
                date_of_service=date.fromisoformat(file["date_of_service"]),
                place_of_service=file["place_of_service"],
                diagnoses=file["diagnoses"],
                services=file["services"],
                note_text=file["document"]["text"],
            )
            for file in files
        ),
    )
    assert told(service) == {"EncounterCoded": 72, "CodingTaskOpened": 15}
    causes = Counter(each.event.cause for each in service.published(CodingTaskOpened))
    form = "DX-00 version 1 (005010X222A1), PT-01 version 1 (005010X222A1)"
    ended = "PX-01 version 1 (demo-2026)"
    assert causes == {ended: 8, form: 6, f"{form}, {ended}": 1}
    tasks = (await service.client("coder").get("/v1/coding-tasks", params={"state": "open"})).json()
    assert len(tasks["items"]) == 15 and all(each["rules"] for each in tasks["items"])
    reasons = [reason for each in tasks["items"] for reason in each["reasons"]]
    assert all(reason["rule_version"] and reason["release"] and reason["expected"] for reason in reasons)
    assert {reason["rule"] for reason in reasons} == {rule for each in tasks["items"] for rule in each["rules"]}


async def test_a_coded_encounter_names_what_it_rests_on(service: ServiceUnderTest) -> None:
    await fed(service, documented("T-1"))
    (coded,) = service.published(EncounterCoded)
    assert [(each.topic, each.key, each.sequence) for each in coded.envelope.depends_on] == [
        (encounters_v1.TOPIC, str(encounter_id("T-1")), 1)
    ]
    assert coded.envelope.correlation_id == str(encounter_id("T-1"))
    event = coded.event
    assert (event.finalised_by, event.coding_version, event.diagnoses) == ("policy:auto-finalise.v1", 1, ["I10"])
    assert {"icd-10-cm", "hcpcs-2"} <= event.code_set_releases.keys()
    view = (await service.client("coder").get(path_of("T-1"))).json()
    assert view["decision"]["decision_id"] == str(event.decision_id)
    assert view["decision"]["output"] == {"finalise": True, "findings": []}
    assert view["note_text"] == "Synthetic note, version 1."


async def test_a_stored_decision_runs_again_to_the_same_bytes_and_cannot_be_changed(
    service: ServiceUnderTest, rulebook: Rulebook
) -> None:
    await fed(service, documented("T-1"), documented("T-2", diagnoses=["A99.99"], signed=False))
    async with service.database.unit_of_work(TENANT) as uow:
        rows = await uow.fetch("SELECT input, output FROM coding.decision")
    assert len(rows) == 2
    for row in rows:
        assert redecide(row["input"], rulebook) == row["output"]
    with pytest.raises(DatabaseRefused):
        async with service.database.unit_of_work(TENANT) as uow:
            await uow.execute("UPDATE coding.decision SET rule = 'forged'")


async def test_amendments_and_cancellations_follow_in_one_chunk_or_many(service: ServiceUnderTest) -> None:
    one_chunk = [documented("A"), amended("A", version=2), amended("A", version=3, diagnoses=["E11.9"]), cancelled("A")]
    await fed(service, *one_chunk)
    for event in (
        documented("B"),
        amended("B", version=2),
        amended("B", version=3, diagnoses=["E11.9"]),
        cancelled("B"),
    ):
        await fed(service, event)
    assert told(service) == {"EncounterCoded": 2, "EncounterRecoded": 2, "EncounterNotBillable": 2}
    client = service.client("coder")
    one, many = [(await client.get(path_of(name))).json() for name in ("A", "B")]
    same = ("state", "diagnoses", "coding_version", "finalised_by", "findings")
    assert [one[name] for name in same] == [many[name] for name in same]
    assert one["state"] == "cancelled"


async def test_an_encounter_cancelled_before_it_was_documented_is_nothing_to_code(service: ServiceUnderTest) -> None:
    await fed(service, cancelled("T-1"))
    assert told(service) == {}


async def claimed(client: AsyncClient) -> dict[str, Any]:
    answer = await client.post("/v1/coding-tasks:claim-next")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == found["etag"]
    return found


async def test_a_coder_claims_corrects_and_finalises(service: ServiceUnderTest) -> None:
    await fed(service, documented("T-1", diagnoses=[]))
    client = service.client("coder", subject="coder-1")
    mine = await claimed(client)
    assert {each["rule"] for each in mine["coding"]["findings"]} == {"DX-00", "PT-01"}
    assert mine["coding"]["note_text"]
    path, match = path_of("T-1"), {"If-Match": mine["etag"]}
    refused = await client.post(f"{path}:finalise")
    assert (refused.status_code, refused.json()["code"]) == (409, "coding_has_errors")
    assert {each["rule"] for each in refused.json()["errors"]} == {"DX-00", "PT-01"}
    body = {"diagnoses": ["I10"], "services": [VISIT]}
    assert (await client.put(path, json=body)).status_code == 428
    corrected = await client.put(path, json=body, headers=match)
    assert (corrected.status_code, corrected.json()["findings"]) == (200, [])
    assert (await client.put(path, json=body, headers=match)).status_code == 412
    finalised = await client.post(f"{path}:finalise", headers={"If-Match": corrected.headers["etag"]})
    assert (finalised.status_code, finalised.json()["finalised_by"]) == (200, "coder-1")
    assert (await client.post("/v1/coding-tasks:claim-next")).status_code == 204
    assert (await client.put(path, json=body, headers={"If-Match": "*"})).status_code == 409
    await service.drain()
    assert told(service) == {"CodingTaskOpened": 1, "EncounterCoded": 1, "CodingTaskResolved": 1}
    assert service.published(EncounterCoded)[0].envelope.depends_on[0].sequence == 1


async def test_an_item_is_claimed_by_one_person_and_others_keep_off(service: ServiceUnderTest) -> None:
    await fed(service, *(documented(f"T-{number}", diagnoses=[]) for number in range(8)))
    coders = [service.client("coder", subject=f"coder-{number}") for number in range(8)]
    found = await asyncio.gather(*(claimed(coder) for coder in coders))
    assert len({each["task"]["task_id"] for each in found}) == 8
    other = f"/v1/codings/{found[0]['coding']['encounter_id']}/professional:not-billable"
    assert (await coders[1].post(other, json={"reason": "not mine"})).status_code == 409
    assert (await coders[0].post(other, json={"reason": "nothing documented"})).status_code == 200


async def test_not_billable_is_told_and_can_be_taken_back(service: ServiceUnderTest) -> None:
    await fed(service, documented("T-1"))
    client, path = service.client("coder"), path_of("T-1")
    assert (await client.post(f"{path}:not-billable", json={"reason": "no"})).status_code == 409
    assert (await client.post(f"{path}:reopen")).json()["state"] == "open"
    assert (await client.post(f"{path}:not-billable", json={"reason": "nothing to bill"})).status_code == 200
    assert (await client.post(f"{path}:reopen")).status_code == 200
    assert (await client.post(f"{path}:reopen")).status_code == 409
    assert (await client.post(f"{path}:finalise")).json()["coding_version"] == 2
    await service.drain()
    assert told(service) == {
        "EncounterCoded": 1,
        "CodingTaskOpened": 2,
        "EncounterNotBillable": 1,
        "CodingTaskResolved": 2,
        "EncounterRecoded": 1,
    }


async def test_the_worklist_is_listed_and_searched(service: ServiceUnderTest) -> None:
    await fed(service, documented("T-1", diagnoses=[]), documented("T-2", signed=False), documented("T-3"))
    client = service.client("operator")
    tasks = (await client.get("/v1/coding-tasks", params={"state": "open", "limit": 1})).json()
    rest = (
        await client.get(
            "/v1/coding-tasks", params={"state": "open", "limit": 1, "page_token": tasks["next_page_token"]}
        )
    ).json()
    assert {each["encounter_id"] for page in (tasks, rest) for each in page["items"]} == {
        str(encounter_id("T-1")),
        str(encounter_id("T-2")),
    }
    found = await client.post(
        "/v1/coding-tasks:search", json={"encounter_ids": [str(encounter_id("T-2")), str(encounter_id("T-3"))]}
    )
    assert [each["rules"] for each in found.json()["items"]] == [["DOC-01"]]
    assert (await client.get("/v1/coding-tasks", params={"state": "resolved"})).json()["items"] == []


async def test_codes_are_checked_without_storing_anything(service: ServiceUnderTest) -> None:
    client = service.client("biller")
    body = {"date_of_service": "2026-08-15", "place_of_service": "11", "diagnoses": ["I10"], "services": [VISIT]}
    good = (await client.post("/v1/code-checks", json=body)).json()
    assert good["may_be_finalised"] and good["code_set_releases"] and not good["edit_tables"]
    bad = (await client.post("/v1/code-checks", json=body | {"diagnoses": ["A99.99"]})).json()
    assert not bad["may_be_finalised"]
    assert [(each["rule"], each["field"]) for each in bad["findings"]] == [("DX-01", "diagnoses[0]")]
    assert all(each["expected"] for each in bad["findings"])
    unknown = await client.post("/v1/code-checks", json=body | {"colour": "red"})
    assert unknown.status_code == 422 and unknown.json()["errors"][0]["field"] == "colour"
    releases = (await client.get("/v1/code-set-releases")).json()
    assert {"icd-10-cm", "hcpcs-2"} <= {each["system"] for each in releases["items"]}


async def test_an_imported_pair_is_the_coder_s_to_mend(
    postgresql: MakesDatabases, tmp_path: Path, write_tables: Callable[..., Path]
) -> None:
    """Promise: what would hold the claim is on the coder's list, with rule, table and what is right."""
    services = [VISIT | {"code": code} for code in ("G0442", "G0444")]
    async with coding(postgresql, tmp_path, code_releases_dir=write_tables(tmp_path / "releases")) as service:
        await fed(service, documented("T-1", services=services))
        (opened,) = service.published(CodingTaskOpened)
        assert opened.event.cause == "PX-02 version 1 (2026Q3)"
        coder = service.client("coder")
        held = await coder.get(path_of("T-1"))
        (finding,) = held.json()["findings"]
        assert (finding["rule"], finding["lines"], finding["release"]) == ("PX-02", [1, 2], "2026Q3")
        assert finding["expected"].startswith("G0442 alone, or XE")
        services[1]["modifiers"] = ["59"]
        body = {"diagnoses": held.json()["diagnoses"], "services": services}
        mended = await coder.put(path_of("T-1"), json=body, headers={"If-Match": held.headers["etag"]})
        assert [each["severity"] for each in mended.json()["findings"]] == ["warning"]
        coded = (await coder.post(f"{path_of('T-1')}:finalise")).json()
        assert coded["state"] == "finalised"
        decision = (await coder.get(path_of("T-1"))).json()["decision"]
        assert decision["edit_tables"].keys() == {"ncci-ptp", "ncci-mue"}
        tables = (await coder.get("/v1/code-set-releases")).json()["edit_tables"]
        assert [each["kind"] for each in tables] == ["ncci-mue", "ncci-ptp", "ncci-ptp"]


async def test_who_may_not_and_another_tenant(service: ServiceUnderTest) -> None:
    await fed(service, documented("T-1"))
    path = path_of("T-1")
    assert (await service.anonymous_client().get(path)).status_code == 401
    assert (await service.client("biller").get(path)).status_code == 403
    assert (await service.client("operator").post(f"{path}:reopen")).status_code == 403
    stranger = service.client(tenant_id=OTHER_TENANT)
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(f"{path}:reopen")).status_code == 404
    assert (await service.client().get(path.replace("professional", "dental"))).status_code == 404


async def test_every_operation_explains_itself(service: ServiceUnderTest) -> None:
    document = (await service.anonymous_client().get("/openapi.json")).json()
    ours = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        if path.startswith("/v1/") and not path.startswith("/v1/ops")
        for method, operation in methods.items()
    ]
    assert len(ours) >= 10
    for path, method, operation in ours:
        assert operation.get("summary") and operation.get("description"), (method, path)
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            schema = document["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
            assert "example" in content or "example" in schema, (method, path)
