"""What happens at the limits of a consumer: a statement that takes too long, retries that run out, a full outbox."""

from collections.abc import Sequence

import pytest
from revcycle_messaging import Database, DatabaseBehind, OutboxFull, Received, TookTooLong, UnitOfWork
from revcycle_messaging.testing import TENANT, NoteTaken
from revcycle_messaging.transports import IncomingRecord
from revcycle_messaging.transports.memory import MemoryTransport

from .support import copy_notes, effects, emitted, new_consumer, outbox_records, write

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
