"""Promise 4: redrive restores the order, discard lets a key go on; a named person decides, and it is written down."""

from typing import Any

import asyncpg
import pytest
from revcycle_messaging import Database, Permanent
from revcycle_messaging.interventions import Selection, count_failed, discard, redrive
from revcycle_messaging.testing import TENANT
from revcycle_messaging.transports import IncomingRecord
from revcycle_messaging.transports.memory import MemoryTransport

from .conftest import now
from .support import (
    Ledger,
    consuming,
    copy_notes,
    count,
    effects,
    emitted,
    eventually,
    new_consumer,
    outbox_records,
    write,
)

pytestmark = pytest.mark.component
WHO: dict[str, Any] = {"actor": "A. Operator", "reason": "corrected version deployed"}


async def dead_keys(database: Database, *keys: str, each: int = 4) -> Ledger:
    """Keys whose second event is dead and whose later ones wait behind it."""
    for number in range(1, each + 1):
        for key in keys:
            await write(database, key, number)
    ledger = Ledger(failing={(key, 2): [Permanent("no such rule")] for key in keys})

    async def handler(uow: Any, received: Any) -> None:
        await ledger(uow, received)
        await copy_notes(uow, received)

    records = [
        IncomingRecord(one.topic, 0, offset, one.key.encode(), one.value, one.headers)
        for offset, one in enumerate(await outbox_records(database))
    ]
    await new_consumer(database, MemoryTransport(), "notes", handler).process(records)
    async with database.connection() as connection:
        # The dead letters themselves are not what these tests count.
        await connection.execute("DELETE FROM messaging.outbox WHERE topic LIKE 'revcycle.dead-letters%'")
    return ledger


async def test_one_call_recovers_everything_after_a_corrected_version(database: Database) -> None:
    await dead_keys(database, "a", "b", "c")
    groups = await count_failed(database, Selection("notes"))
    assert [(group.events, group.behind, group.state) for group in groups] == [(3, 6, "dead")]
    assert groups[0].event_type == "revcycle.testing.NoteTaken.v1" and "no such rule" in groups[0].reason
    async with consuming(database, MemoryTransport(), copy_notes) as consumer:
        assert await redrive(database, Selection("notes"), **WHO, now=now()) == 3
        await eventually(lambda: consumer.applied == 9)
    assert await effects(database) == await emitted(database) == {key: [1, 2, 3, 4] for key in "abc"}
    async with database.connection() as connection:
        assert await count(connection, "parked_event", 0)
        assert await count(connection, "stream WHERE parked_since IS NOT NULL", 0)
        rows = await connection.fetch("SELECT * FROM messaging.intervention ORDER BY key")
    assert [(row["key"], row["sequence"], row["action"], row["actor"]) for row in rows] == [
        (key, 2, "redrive", "A. Operator") for key in "abc"
    ]
    assert all(row["event_id"] and row["reason"] == "corrected version deployed" for row in rows)


async def test_what_fails_again_after_a_redrive_waits_again_and_is_dead_again(database: Database) -> None:
    await dead_keys(database, "a")
    still = Ledger(failing={("a", 2): [Permanent("still no such rule")]})
    await redrive(database, Selection("notes"), **WHO, now=now())
    await new_consumer(database, MemoryTransport(), "notes", still).drain_parked()
    assert [group.state for group in await count_failed(database, Selection("notes"))] == ["dead"]
    assert still.of("a") == [] and (await effects(database))["a"] == [1]


async def test_a_selection_touches_nothing_else(database: Database) -> None:
    await dead_keys(database, "a", "b")
    assert await redrive(database, Selection("others"), **WHO, now=now()) == 0
    assert await redrive(database, Selection("notes", TENANT, key="a"), **WHO, now=now()) == 1
    assert await redrive(database, Selection("notes", TENANT, key="b", sequence=3), **WHO, now=now()) == 0, (
        "an event that only waits behind another has not failed"
    )
    await new_consumer(database, MemoryTransport(), "notes").drain_parked()
    assert await effects(database) == {"a": [1, 2, 3, 4], "b": [1]}


async def test_discard_lets_the_key_go_on_without_the_event(database: Database) -> None:
    await dead_keys(database, "a", "b")
    assert await discard(database, Selection("notes", key="a"), **WHO, now=now()) == 1
    consumer = new_consumer(database, MemoryTransport(), "notes")
    await consumer.drain_parked()
    assert await effects(database) == {"a": [1, 3, 4], "b": [1]}
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT action, sequence, event_id FROM messaging.intervention")
        assert await count(connection, "stream WHERE key = 'a' AND last_sequence = 4 AND parked_since IS NULL", 1)
    assert (row["action"], row["sequence"]) == ("discard", 2) and row["event_id"] is not None


async def test_a_discarded_last_event_leaves_its_key_open(database: Database) -> None:
    await dead_keys(database, "a", each=2)
    assert await discard(database, Selection("notes"), **WHO, now=now()) == 1
    await write(database, "a", 3)
    (record,) = await outbox_records_of_notes(database)
    await new_consumer(database, MemoryTransport(), "notes").process([record])
    assert await effects(database) == {"a": [1, 3]}


async def outbox_records_of_notes(database: Database) -> list[IncomingRecord]:
    return [
        IncomingRecord(one.topic, 0, 0, one.key.encode(), one.value, one.headers)
        for one in await outbox_records(database)
        if one.topic == "revcycle.testing.v1"
    ]


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("who", " ")])
async def test_nobody_decides_without_a_name_and_a_reason(database: Database, actor: str, reason: str) -> None:
    for decide in (redrive, discard):
        with pytest.raises(ValueError, match="who decides"):
            await decide(database, Selection("notes"), actor=actor, reason=reason, now=now())


async def test_the_service_cannot_rewrite_what_was_decided(database: Database) -> None:
    await dead_keys(database, "a")
    await redrive(database, Selection("notes"), **WHO, now=now())
    async with database.connection() as connection:
        for statement in ("UPDATE messaging.intervention SET actor = 'x'", "DELETE FROM messaging.intervention"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection._con.execute(statement)
