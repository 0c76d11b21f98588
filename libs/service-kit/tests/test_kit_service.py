"""The door of a service on a real database: commands, keys, pages, tenants, refusals."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from kit_sample_service.parts import build
from revcycle_messaging import DatabaseRefused, OutboxFull
from revcycle_messaging.testing import NoteTaken
from revcycle_service_kit.tenancy import unprotected_tables
from revcycle_service_kit.testing import OTHER_TENANT, TENANT, ServiceUnderTest, eventually, running_service

pytestmark = pytest.mark.component
CANARY = "SECRET-CANARY"


@pytest.fixture
async def service(postgresql: Any, tmp_path: Path) -> AsyncIterator[ServiceUnderTest]:
    async with running_service(build(), postgresql, tmp_path, run=()) as running:
        yield running


async def make_note(client: httpx.AsyncClient, number: int, key: str | None = None, **more: Any) -> httpx.Response:
    return await client.post(
        "/v1/notes", json={"number": number, **more}, headers={"idempotency-key": key or f"n{number}"}
    )


async def count_notes(service: ServiceUnderTest, tenant_id: UUID = TENANT) -> int:
    async with service.database.unit_of_work(tenant_id) as uow:
        count: int = await uow.fetch_value("SELECT count(*) FROM sample.note")
    return count


async def test_fifty_requests_with_one_key_have_one_effect(service: ServiceUnderTest) -> None:
    """Idempotency: one note, one event, and everyone is answered with it or told that it still runs."""
    client = service.client("biller")
    answers = await asyncio.gather(*(make_note(client, 1, "same") for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in made}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_key_in_use"}
    assert await count_notes(service) == 1
    async with service.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM messaging.outbox") == 1


async def test_a_key_in_use_is_answered_409_at_once(service: ServiceUnderTest) -> None:
    """The second request does not wait for the first one's transaction."""
    client = service.client("biller")
    headers = {"idempotency-key": "slow"}
    answers = await asyncio.gather(
        *(client.post("/v1/quick-notes", json={"number": 1}, headers=headers) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "idempotency_key_in_use"
    assert refused.headers["retry-after"] == "1"


async def test_a_replay_is_the_same_bytes_and_says_so(service: ServiceUnderTest) -> None:
    """Status, body and headers of the first answer come back, marked."""
    client = service.client("biller")
    first = await make_note(client, 3)
    again = await make_note(client, 3)
    assert (again.status_code, again.content, again.headers["etag"]) == (201, first.content, '"1"')
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


async def test_the_rules_of_the_key(service: ServiceUnderTest) -> None:
    """Missing where required: 400. Not a key: 400. Another body: 422. Another client: a scope of its own."""
    client = service.client("biller")
    missing = await client.post("/v1/notes", json={"number": 1})
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_required")
    for bad in ("", "x" * 256, "with space"):
        answer = (
            await make_note(client, 1, bad)
            if bad
            else await client.post("/v1/notes", json={"number": 1}, headers={"idempotency-key": '""'})
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    await make_note(client, 1, "k")
    reused = await make_note(client, 2, "k")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    other = service.client("biller", subject="somebody-else")
    assert (await make_note(other, 2, "k")).status_code == 201
    assert (await make_note(service.client("biller", tenant_id=OTHER_TENANT), 1, "k")).status_code == 201


async def test_a_refused_command_leaves_nothing_and_may_be_repeated(service: ServiceUnderTest) -> None:
    """A problem rolls everything back, the memory of the key included."""
    client = service.client("biller")
    refused = await make_note(client, 1, "k", title="conflict")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_in_this_state")
    assert await count_notes(service) == 0
    assert (await make_note(client, 1, "k", title="better")).status_code == 201


async def test_tenants_do_not_see_each_other(service: ServiceUnderTest) -> None:
    """Another tenant's id is answered exactly like one that does not exist; its numbers do not collide."""
    ours, theirs = service.client("biller"), service.client("biller", tenant_id=OTHER_TENANT)
    made = (await make_note(ours, 1)).json()
    assert (await ours.get(f"/v1/notes/{made['note_id']}")).status_code == 200
    foreign = await theirs.get(f"/v1/notes/{made['note_id']}")
    unknown = await theirs.get("/v1/notes/00000000-0000-7000-8000-000000000000")
    assert foreign.status_code == unknown.status_code == 404
    strip = lambda answer: {**answer.json(), "request_id": ""}  # noqa: E731
    assert strip(foreign) == strip(unknown)
    assert (await theirs.get("/v1/notes")).json()["items"] == []
    assert (await make_note(theirs, 1)).status_code == 201


async def test_row_level_security_fails_closed(service: ServiceUnderTest) -> None:
    """Without a tenant nothing is read or written, also on a connection that had one before."""
    await make_note(service.client("biller"), 1)
    async with service.database.connection() as connection:
        assert await connection.fetchval("SELECT current_setting('app.tenant', true)") in (None, "")
        with pytest.raises(DatabaseRefused):
            from revcycle_messaging.database import translated_errors

            with translated_errors():
                await connection.fetch("SELECT * FROM sample.note")
        assert await unprotected_tables(connection) == []
    with pytest.raises(DatabaseRefused) as refused:
        async with service.database.unit_of_work(TENANT) as uow:
            await uow.execute(
                "INSERT INTO sample.note (tenant_id, note_id, number, title) VALUES ($1, $1, 9, 'x')", OTHER_TENANT
            )
    assert refused.value.sqlstate == "42501"


async def test_pages_walk_everything_once_while_rows_are_added(service: ServiceUnderTest) -> None:
    """No id that was there before is missed or repeated."""
    client = service.client("biller")
    for number in range(1, 24, 2):
        await make_note(client, number)
    seen: list[int] = []
    parameters: dict[str, Any] = {"limit": 5}
    while True:
        answer = await client.get("/v1/notes", params=parameters)
        page = answer.json()
        seen += [item["number"] for item in page["items"]]
        if page["next_page_token"] is None:
            break
        await make_note(client, 100 + len(seen), f"late{len(seen)}")
        parameters["page_token"] = page["next_page_token"]
        assert f"page_token={page['next_page_token']}" in answer.headers["link"]
    assert "link" not in answer.headers
    assert [number for number in seen if number < 100] == list(range(1, 24, 2))
    assert len(seen) == len(set(seen))


async def test_a_cursor_holds_for_its_list_only(service: ServiceUnderTest) -> None:
    """Tampered, foreign, other filters, other path, garbage: 400 that names the parameter."""
    client = service.client("biller")
    for number in (1, 2, 3):
        await make_note(client, number)
    token = (await client.get("/v1/notes", params={"limit": 1})).json()["next_page_token"]
    foreign = service.client("biller", tenant_id=OTHER_TENANT)
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    cases = [
        (client, {"page_token": flipped}),
        (client, {"page_token": token[:-6]}),
        (client, {"page_token": token + "AAAA"}),
        (client, {"page_token": "k9" + token[2:]}),
        (client, {"page_token": "garbage"}),
        (client, {"page_token": ""}),
        (client, {"page_token": "k1." + "A" * 5000}),
        (client, {"page_token": token, "number[gte]": "2"}),
        (foreign, {"page_token": token}),
    ]
    for caller, parameters in cases:
        answer = await caller.get("/v1/notes", params=parameters)
        assert answer.status_code == 400, parameters
        assert answer.json()["errors"][0]["field"] == "page_token"
    assert (await client.get("/v1/notes", params={"limit": 2, "page_token": token})).status_code == 200


async def test_a_page_has_a_limit(service: ServiceUnderTest) -> None:
    """More than 200, none, or no number: refused by name, without what was sent."""
    for limit in ("201", "0", CANARY):
        answer = await service.client("biller").get("/v1/notes", params={"limit": limit})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")
        assert CANARY not in answer.text


async def test_a_stale_change_is_refused(service: ServiceUnderTest) -> None:
    """If-Match: missing 428, stale 412, right 200; If-None-Match: 304."""
    client = service.client("biller")
    made = (await make_note(client, 1)).json()
    path = f"/v1/notes/{made['note_id']}"
    assert (await client.get(path)).headers["etag"] == '"1"'
    assert (await client.get(path, headers={"if-none-match": 'W/"1"'})).status_code == 304
    assert (await client.patch(path, json={"number": 5})).status_code == 428
    assert (await client.patch(path, json={"number": 5}, headers={"if-match": '"7"'})).status_code == 412
    changed = await client.patch(path, json={"number": 5}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (await client.patch(path, json={"number": 6}, headers={"if-match": '"1"'})).status_code == 412
    assert (await client.get(path, headers={"if-none-match": '"1"'})).status_code == 200


async def test_the_database_never_speaks_to_clients(service: ServiceUnderTest) -> None:
    """A unique violation is a 409, any other refusal a 500, both without values."""
    client = service.client("biller")
    await make_note(client, 1, "a", title=CANARY)
    twice = await make_note(client, 1, "b", title=CANARY)
    assert (twice.status_code, twice.json()["code"]) == (409, "already_exists")
    fault = await make_note(client, 2, "c", title="fault")
    assert (fault.status_code, fault.json()["code"]) == (500, "internal")
    assert CANARY not in twice.text + fault.text
    assert await count_notes(service) == 1


async def test_a_full_outbox_refuses_writes_and_keeps_reads(service: ServiceUnderTest) -> None:
    """At the bound: 503 with Retry-After."""
    service.database.outbox_rows = service.database.outbox_bound
    with pytest.raises(OutboxFull):
        service.database.check_outbox_bound()
    client = service.client("biller")
    refused = await make_note(client, 1)
    assert (refused.status_code, refused.json()["code"]) == (503, "outbox_full")
    assert int(refused.headers["retry-after"]) > 0
    assert (await client.get("/v1/notes")).status_code == 200


async def test_a_deadlock_is_tried_again(service: ServiceUnderTest) -> None:
    """Two commands that meet crosswise both succeed, each with one effect."""
    client = service.client("biller")
    first, second = (await make_note(client, 1)).json(), (await make_note(client, 2)).json()
    from revcycle_messaging import Cause, UnitOfWork
    from revcycle_service_kit import Caller, Reply, run_command
    from starlette.requests import Request

    ids = [UUID(first["note_id"]), UUID(second["note_id"])]
    entered = [0]

    async def post(order: list[UUID]) -> int:
        async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
            await uow.execute("UPDATE sample.note SET version = version + 1 WHERE note_id = $1", order[0])
            entered[0] += 1
            await eventually(lambda: entered[0] >= 2)
            await uow.execute("UPDATE sample.note SET version = version + 1 WHERE note_id = $1", order[1])
            return Reply(204)

        scope = {"type": "http", "app": service.app, "headers": [], "method": "POST", "path": "/", "query_string": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        caller = Caller(TENANT, "tester", frozenset({"biller"}))
        return (await run_command(Request(scope, receive), caller, use_case)).status_code

    assert await asyncio.gather(post(ids), post(ids[::-1])) == [204, 204]
    async with service.database.unit_of_work(TENANT) as uow:
        versions = [row["version"] for row in await uow.fetch("SELECT version FROM sample.note")]
    assert versions == [3, 3]


async def test_the_whole_way_in_one_process(postgresql: Any, tmp_path: Path) -> None:
    """A command's event reaches the broker and this service's own consumer; then everything is at rest."""
    async with running_service(build(), postgresql, tmp_path) as service:
        made = (await make_note(service.client("biller"), 7)).json()
        await service.drain()
        assert [received.event.number for received in service.published(NoteTaken)] == [7]
        async with service.database.unit_of_work(TENANT) as uow:
            assert await uow.fetch_value("SELECT note_id FROM sample.seen") == made["note_id"]
        figures = (await service.client("operator").get("/v1/ops/messaging")).json()
        assert (figures["outbox_rows"], figures["lag"], figures["parked_keys"]) == (0, 0, 0)
        assert (await service.client("coder").get("/v1/ops/messaging")).status_code == 403
