"""The audit names who saw or changed what, only grows, and a change, a gap or an exchange in it is found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from kit_sample_service.parts import build
from revcycle_messaging import DatabaseRefused, MissingKey
from revcycle_service_kit.audit import CHAINS, READ_CHAIN, Access, Place, ids_in, in_rows
from revcycle_service_kit.audit_check import Anchors, ChainState, anchor_name, check_tenant
from revcycle_service_kit.audit_log import AuditLog, write
from revcycle_service_kit.testing import OTHER_TENANT, START, TENANT, MakesDatabases, ServiceUnderTest, running_service

ONE, TWO = (f"0190a000-0000-7000-8000-00000000000{number}" for number in (1, 2))


@pytest.fixture
async def service(postgresql: MakesDatabases, tmp_path: Path) -> AsyncIterator[ServiceUnderTest]:
    async with running_service(build(), postgresql, tmp_path, run=()) as running:
        yield running


@asynccontextmanager
async def snapshot(service: ServiceUnderTest) -> AsyncIterator[Any]:
    async with service.database.connection() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.execute("SELECT set_config('app.tenant', $1, true)", str(TENANT))
        yield connection


async def rows(service: ServiceUnderTest) -> list[Any]:
    async with snapshot(service) as connection:
        return list(await connection.fetch("SELECT * FROM kit.audit_record ORDER BY at, chain, sequence"))


async def check(service: ServiceUnderTest, anchors: Anchors | None = None) -> list[ChainState]:
    async with snapshot(service) as connection:
        found = check_tenant(connection, service.context.keyring, "sample", TENANT, anchors or {})
        return [state async for state in found]


async def plant(service: ServiceUnderTest, *statements: str) -> None:
    """What somebody with every right on the database does to it."""
    connection = await asyncpg.connect(service.made.owner_url)
    try:
        for table in ("audit_record", "audit_head"):
            await connection.execute(f"ALTER TABLE kit.{table} DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def five_accesses(service: ServiceUnderTest, who: str = "person") -> None:
    accesses = [Access(START, f"{who} {number}", ("coder",), "list_notes", "note", (), 200, "r") for number in range(5)]
    await write(service.database, Place("sample", TENANT, READ_CHAIN), accesses)


@pytest.mark.component
async def test_every_access_leaves_a_row_with_who_what_about_whom_and_what_came_of_it(
    service: ServiceUnderTest,
) -> None:
    """Reads, writes, refusals and what was not found; never a caller nobody knows, and nothing of no patient."""
    biller = service.client("biller", subject="anna")
    made = await biller.post("/v1/quick-notes", json={"number": 1, "title": "SECRET", "authors": [{"name": "SECRET"}]})
    note_id = made.json()["note_id"]
    assert (await biller.get(f"/v1/notes/{note_id}")).status_code == 200
    assert (await biller.get(f"/v1/notes/{ONE}")).status_code == 404
    refused = await service.client("coder", subject="carl").post("/v1/quick-notes", json={})
    assert refused.status_code == 403
    assert (await service.anonymous_client().get("/v1/notes")).status_code == 401
    assert (await biller.post("/v1/small", content=b"")).status_code == 204
    found = [
        (
            row["subject"],
            row["roles"],
            row["operation"],
            row["data"],
            [str(each) for each in row["about"]],
            row["status"],
        )
        for row in await rows(service)
    ]
    assert found == [
        ("anna", ["biller"], "create_quick_note", "note", [], 201),
        ("anna", ["biller"], "read_note", "note", [note_id], 200),
        ("anna", ["biller"], "read_note", "note", [ONE], 404),
        ("carl", ["coder"], "create_quick_note", "note", [], 403),
    ]
    assert {row["request_id"] for row in await rows(service)} >= {made.headers["x-request-id"]}
    assert "SECRET" not in str(await rows(service))
    assert [state.broken for state in await check(service)] == [None] * CHAINS


@pytest.mark.component
async def test_a_command_and_its_row_are_one_transaction(
    service: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the row cannot be written, nothing was done."""

    def no_key(*_: object) -> None:
        raise RuntimeError("no key")

    monkeypatch.setattr(service.context.keyring, "mac_key", no_key)
    answer = await service.client("biller").post(
        "/v1/quick-notes", json={"number": 1, "title": "a title", "authors": [{"name": "anna"}]}
    )
    assert answer.status_code == 500
    async with service.database.unit_of_work(TENANT, read_only=True) as uow:
        assert await uow.fetch_value("SELECT count(*) FROM sample.note") == 0


@pytest.mark.component
async def test_without_the_audit_nothing_is_shown(service: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer whose row cannot be written does not leave; nor does one when too many wait already."""

    def no_key(*_: object) -> None:
        raise RuntimeError("no key")

    with monkeypatch.context() as broken:
        broken.setattr(service.context.keyring, "mac_key", no_key)
        answer = await service.client().get("/v1/notes")
        assert answer.status_code == 500 and "items" not in answer.json()
    with monkeypatch.context() as full:
        full.setattr("revcycle_service_kit.audit_log.QUEUE", 0)
        answer = await service.client().get("/v1/notes")
        assert answer.status_code == 503 and answer.json()["code"] == "overloaded"
    assert (await service.client().get("/v1/notes")).status_code == 200


@pytest.mark.component
async def test_a_tenant_without_keys_has_nothing_and_a_ring_that_lost_its_keys_shows_nothing(
    service: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: what cannot be recorded is not shown; an id of nobody stays a 404, whoever asks."""
    stranger = service.client("biller", tenant_id=UUID(ONE))
    assert (await stranger.get(f"/v1/notes/{ONE}")).status_code == 404
    assert (await stranger.get("/v1/notes")).json()["items"] == []
    made = await service.client("biller").post(
        "/v1/quick-notes", json={"number": 1, "title": "KEPT BACK", "authors": [{"name": "anna"}]}
    )

    def no_key(*_: object) -> None:
        raise MissingKey("lost")

    monkeypatch.setattr(service.context.keyring, "mac_key", no_key)
    for path in ("/v1/notes", f"/v1/notes/{made.json()['note_id']}"):
        answer = await service.client("biller").get(path)
        assert answer.status_code == 503 and "KEPT BACK" not in answer.text
    assert (await service.client("biller").get(f"/v1/notes/{ONE}")).status_code == 404


@pytest.mark.component
async def test_accesses_that_come_together_share_transactions(
    service: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred at once are written in few chunks, in one unbroken chain."""
    chunks: list[int] = []

    async def counted(database: Any, place: Place, accesses: list[Access]) -> None:
        chunks.append(len(accesses))
        await write(database, place, accesses)

    monkeypatch.setattr("revcycle_service_kit.audit_log.write", counted)
    log = AuditLog(service.database, "sample")
    access = Access(START, "anna", ("coder",), "list_notes", "note", (), 200, "r")
    await asyncio.gather(*(log.record(TENANT, access) for _ in range(100)), log.record(OTHER_TENANT, access))
    assert sum(chunks) == 101 and len(chunks) <= 4
    states = await check(service)
    assert (states[READ_CHAIN].rows, states[READ_CHAIN].broken) == (100, None)


@pytest.mark.component
async def test_the_service_may_only_add_rows(service: ServiceUnderTest) -> None:
    """Neither change nor remove them, nor move a head back; and not even the owner may, while the triggers stand."""
    await five_accesses(service)
    for statement in (
        "UPDATE kit.audit_record SET subject = 'nobody'",
        "DELETE FROM kit.audit_record",
        "TRUNCATE kit.audit_record",
        "DELETE FROM kit.audit_head",
        "UPDATE kit.audit_head SET sequence = 1 WHERE chain = 0",
        "UPDATE kit.audit_head SET chain = 7",
    ):
        with pytest.raises(DatabaseRefused):
            async with service.database.unit_of_work(TENANT) as uow:
                await uow.execute(statement)
        owner = await asyncpg.connect(service.made.owner_url)
        await owner.execute("SELECT set_config('app.tenant', $1, false)", str(TENANT))
        with pytest.raises(asyncpg.PostgresError):
            await owner.execute(statement)
        await owner.close()


@pytest.mark.component
@pytest.mark.parametrize(
    ("damage", "sequence", "statements"),
    [
        ("changed", 3, ["UPDATE kit.audit_record SET subject = 'nobody' WHERE chain = 0 AND sequence = 3"]),
        ("changed", 2, ["UPDATE kit.audit_record SET status = 404 WHERE chain = 0 AND sequence = 2"]),
        ("dropped", 3, ["DELETE FROM kit.audit_record WHERE chain = 0 AND sequence = 3"]),
        ("dropped", 1, ["DELETE FROM kit.audit_record WHERE chain = 0 AND sequence = 1"]),
        ("dropped", 5, ["DELETE FROM kit.audit_record WHERE chain = 0 AND sequence = 5"]),
        ("dropped", 1, ["DELETE FROM kit.audit_record"]),
        (
            "reordered",
            2,
            [
                "UPDATE kit.audit_record SET sequence = sequence + 100 WHERE chain = 0 AND sequence IN (2, 4)",
                "UPDATE kit.audit_record SET sequence = 106 - sequence WHERE chain = 0 AND sequence > 100",
            ],
        ),
        (
            "head",
            5,
            [
                "DELETE FROM kit.audit_record WHERE chain = 0 AND sequence = 5",
                "UPDATE kit.audit_head SET sequence = 4, mac = (SELECT mac FROM kit.audit_record AS r"
                " WHERE r.chain = 0 AND r.sequence = 4) WHERE chain = 0",
            ],
        ),
        ("head", 6, ["DELETE FROM kit.audit_head WHERE chain = 0"]),
        ("head", 1, ["DELETE FROM kit.audit_head WHERE chain = 5"]),
    ],
)
async def test_whatever_is_done_to_the_rows_is_found_at_its_first_place(
    service: ServiceUnderTest, damage: str, sequence: int, statements: list[str]
) -> None:
    """Changed, dropped (also at either end), reordered; and heads that were put right by hand."""
    await five_accesses(service)
    assert [state.broken for state in await check(service)] == [None] * CHAINS
    await plant(service, *statements)
    broken = [state.broken for state in await check(service) if state.broken]
    assert [(one.damage, one.sequence) for one in broken] == [(damage, sequence)]


@pytest.mark.component
async def test_what_was_seen_whole_before_is_missed_even_when_everything_was_set_back(
    service: ServiceUnderTest,
) -> None:
    """A head that was genuine once, or an empty database, does not hold against what was remembered elsewhere."""
    await five_accesses(service)
    async with snapshot(service) as connection:
        old = await connection.fetchrow("SELECT sequence, mac, seal FROM kit.audit_head WHERE chain = 0")
    await five_accesses(service)
    whole = await check(service)
    anchors = {anchor_name(state.place): (state.rows, state.mac.hex()) for state in whole if state.rows}
    assert all(state.broken is None for state in await check(service, anchors))
    back = (
        f"UPDATE kit.audit_head SET sequence = {old['sequence']}, mac = '\\x{old['mac'].hex()}',"
        f" seal = '\\x{old['seal'].hex()}' WHERE chain = 0"
    )
    await plant(service, "DELETE FROM kit.audit_record WHERE sequence > 5", back)
    assert [state.broken for state in await check(service)] == [None] * CHAINS, "the head was genuine"
    broken = [state.broken for state in await check(service, anchors) if state.broken]
    assert [(one.damage, one.sequence) for one in broken] == [("dropped", 6)]
    await plant(service, "DELETE FROM kit.audit_record", "DELETE FROM kit.audit_head")
    broken = [state.broken for state in await check(service, anchors) if state.broken]
    assert ("dropped", 1) in [(one.damage, one.sequence) for one in broken]


@pytest.mark.component
async def test_a_genuine_row_of_another_history_is_found_by_the_row_behind_it(service: ServiceUnderTest) -> None:
    """Its place and its own MAC are right, as after a restore that was gone on from; what follows it names another."""
    await five_accesses(service)
    async with snapshot(service) as connection:
        old = await connection.fetchrow("SELECT sequence, mac, seal FROM kit.audit_head WHERE chain = 0")
    await five_accesses(service)
    back = (
        f"UPDATE kit.audit_head SET sequence = {old['sequence']}, mac = '\\x{old['mac'].hex()}',"
        f" seal = '\\x{old['seal'].hex()}' WHERE chain = 0"
    )
    keep = "CREATE TABLE kit.kept AS SELECT * FROM kit.audit_record WHERE chain = 0 AND sequence = 6"
    await plant(service, keep, "DELETE FROM kit.audit_record WHERE chain = 0 AND sequence > 5", back)
    await five_accesses(service, "another")
    assert [state.broken for state in await check(service)] == [None] * CHAINS
    await plant(
        service,
        "DELETE FROM kit.audit_record WHERE chain = 0 AND sequence = 6",
        "INSERT INTO kit.audit_record SELECT * FROM kit.kept",
    )
    broken = [state.broken for state in await check(service) if state.broken]
    assert [(one.damage, one.sequence) for one in broken] == [("changed", 7)]


@pytest.mark.component
async def test_tenants_do_not_see_each_other_s_audit(service: ServiceUnderTest) -> None:
    """Row-level security holds here too."""
    await five_accesses(service)
    async with service.database.unit_of_work(OTHER_TENANT, read_only=True) as uow:
        assert await uow.fetch_value("SELECT count(*) FROM kit.audit_record") == 0


def test_whom_an_answer_is_about_is_read_from_the_answer() -> None:
    """Patients, encounters and claims, once each; other ids and texts are none."""
    body = f'{{"patient_id":"{ONE}","note_id":"{TWO}","items":[{{"claim_id": "{TWO}","encounter_id":"x"}}]}}'.encode()
    assert [str(each) for each in ids_in(body * 2)] == [ONE, TWO]


def test_an_access_about_very_many_becomes_several_rows() -> None:
    """Nobody is left out."""
    about = ids_in(b"".join(b'"patient_id":"0190a000-0000-7000-8000-%012d"' % number for number in range(2500)))
    access = Access(START, "anna", ("coder",), "list_notes", "note", about, 200, "r")
    pieces = list(in_rows(access))
    assert [len(piece.about) for piece in pieces] == [1000, 1000, 500]
    assert sum((piece.about for piece in pieces), ()) == about
