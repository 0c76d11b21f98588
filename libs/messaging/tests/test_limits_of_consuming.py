"""What happens at the limits of a consumer: a statement that takes too long, retries that run out, a full outbox."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from revcycle_messaging import (
    ConsumerStopped,
    Database,
    DatabaseBehind,
    KeyRing,
    OutboxFull,
    Permanent,
    Received,
    TookTooLong,
    Transient,
    UnitOfWork,
)
from revcycle_messaging.testing import TENANT, NoteTaken
from revcycle_messaging.transports import IncomingRecord
from revcycle_messaging.transports.memory import MemoryConsumer, MemoryTransport

from .support import Ledger, copy_notes, effects, emitted, eventually, new_consumer, outbox_records, write

pytestmark = pytest.mark.component


class Slow:
    """A handler whose chunk runs into the statement timeout while it holds a certain event."""

    def __init__(self, number: int) -> None:
        self.number: int | None = number
        self.chunks: list[int] = []

    async def __call__(self, uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
        self.chunks.append(len(received))
        if any(one.event.note_id == "slow" and one.event.number == self.number for one in received):
            await uow.execute("SET LOCAL statement_timeout = '50ms'")
            await uow.execute("SELECT pg_sleep(20)")
        await copy_notes(uow, received)


async def incoming(database: Database) -> list[IncomingRecord]:
    return [
        IncomingRecord(one.topic, 0, offset, one.key.encode(), one.value, one.headers)
        for offset, one in enumerate(await outbox_records(database))
    ]


async def test_a_chunk_that_always_takes_too_long_is_halved_and_its_event_parked(database: Database) -> None:
    """Retried for ever as it is, it would stop every key behind it; so the one event waits and the others flow."""
    for number in range(1, 5):
        for key in ("a", "slow", "b"):
            await write(database, key, number)
    slow = Slow(2)
    consumer = new_consumer(database, MemoryTransport(), "notes", slow)
    await consumer.process(await incoming(database))
    assert await effects(database) == {"a": [1, 2, 3, 4], "b": [1, 2, 3, 4], "slow": [1]}
    assert slow.chunks[0] == 12 and min(slow.chunks) == 1 and consumer.dead == 0
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT sequence, state, attempts, reason FROM messaging.parked_event ORDER BY 1")
    assert [(row["sequence"], row["state"], row["attempts"]) for row in rows] == [
        (2, "waiting", 1), (3, "waiting", 0), (4, "waiting", 0),
    ]  # fmt: skip
    assert "took longer than its limit" in rows[0]["reason"]
    await make_due(database)
    await consumer.drain_parked()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT max(attempts) FROM messaging.parked_event") == 2, "each try counts"
    slow.number = None
    await make_due(database)
    await consumer.drain_parked()
    assert (await effects(database))["slow"] == (await emitted(database))["slow"] == [1, 2, 3, 4]


async def make_due(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE messaging.parked_event SET not_before = NULL")


async def test_retries_end_in_a_dead_letter(database: Database) -> None:
    """No retry goes on for ever: after the last attempt a named person decides."""
    await write(database, "slow", 1)
    consumer = new_consumer(database, MemoryTransport(), "notes", Slow(1), max_attempts=3)
    await consumer.process(await incoming(database))
    for _ in range(2):
        await make_due(database)
        await consumer.drain_parked()
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT state, attempts FROM messaging.parked_event")
    assert (row["state"], row["attempts"]) == ("dead", 3)


async def test_a_statement_has_a_limit_and_says_so(database: Database) -> None:
    with pytest.raises(TookTooLong, match="took longer than its limit"):
        async with database.unit_of_work(TENANT) as uow:
            assert await uow.fetch_value("SHOW statement_timeout") == "30s"
            assert await uow.fetch_value("SHOW lock_timeout") == "15s"
            await uow.execute("SET LOCAL statement_timeout = '50ms'")
            await uow.execute("SELECT pg_sleep(20)")


async def test_writes_are_refused_at_the_bound_and_behind_the_topics(database: Database) -> None:
    """Nothing is changed, reading goes on, and the refusal says which of the two it is."""
    assert database.takes_writes
    database.outbox_rows = database.outbox_bound
    assert not database.takes_writes
    with pytest.raises(OutboxFull):
        database.check_writes()
    database.outbox_rows, database.refuses_because = 0, "restored"
    with pytest.raises(DatabaseBehind, match="restored"):
        database.check_writes()
    with pytest.raises(DatabaseBehind):
        async with database.unit_of_work(TENANT):
            pytest.fail("not reached")
    async with database.unit_of_work(TENANT, read_only=True) as uow:
        assert await uow.fetch_value("SELECT 1") == 1


async def test_dead_letters_that_lie_apart_stop_the_consumer_too(database: Database) -> None:
    """Never twenty in a row: past a tenth of the last 400 the fault is ours, not the events'."""
    for number in range(1, 4):
        for index in range(100):
            await write(database, f"k{index:03}", number)
    fails = Ledger(failing={(f"k{index:03}", 1): [Permanent("no such rule")] for index in range(0, 100, 2)})
    consumer = new_consumer(database, MemoryTransport(), "notes", fails, max_records=500)
    with pytest.raises(ConsumerStopped, match="stopped instead of dead-lettering"):
        await consumer.process(await incoming(database))
    assert consumer.dead == 39, "the fortieth of the last 400 would have been one too many"


async def test_work_at_parked_keys_has_its_time_and_goes_on_later(database: Database) -> None:
    """The topics are not kept waiting by many parked keys: what is left has its turn afterwards."""
    for index in range(6):
        await write(database, f"k{index}", 1)
        await write(database, f"k{index}", 2)
    records = await incoming(database)
    first, later = records[::2], records[1::2]
    consumer = new_consumer(database, MemoryTransport(), "notes", parked_turn_seconds=-1.0)
    await consumer.process(later)
    await consumer.process(first)
    assert await consumer.drain_parked(), "no time at all: everything is left, and said to be"
    assert consumer.applied == 0
    patient = new_consumer(database, MemoryTransport(), "notes")
    assert not await patient.drain_parked()
    assert {tuple(numbers) for numbers in (await effects(database)).values()} == {(1, 2)}


class Away(MemoryTransport):
    """A broker that is away so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def consumer(self, group: str, topics: Sequence[str], member: str) -> MemoryConsumer:
        self.times -= 1
        if self.times >= 0:
            raise Transient("broker: away")
        return await super().consumer(group, topics, member)


async def test_pauses_grow_to_their_limit_and_no_further(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer, pauses = new_consumer(database, Away(12), "notes"), []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(consumer, "_pause", pause)
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.client is not None)
    consumer.stop()
    await running
    assert pauses[:12] == sorted(pauses[:12]) and pauses[0] == 0.2
    assert max(pauses) == pauses[11] == 15.0


async def test_no_more_connections_than_the_pool_has(made: Any, keys: KeyRing) -> None:
    """The third unit of work waits until one of two ends, and then goes on."""
    database = await Database.connect(made.service_url, service="testing", keys=keys, pool_size=2)
    third_began = asyncio.Event()

    async def third() -> None:
        async with database.unit_of_work(TENANT):
            third_began.set()

    async with database.unit_of_work(TENANT):
        async with database.unit_of_work(TENANT):
            waiting = asyncio.create_task(third())
            pool = database._pool
            await eventually(lambda: pool._queue._getters)
            assert not third_began.is_set() and pool.get_size() == 2
        await waiting
    assert third_began.is_set()
    await database.close()
