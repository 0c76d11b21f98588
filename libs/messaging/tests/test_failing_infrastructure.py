"""What happens when connections break, members and leaders vanish, bounds are reached and strangers write to topics."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from revcycle_messaging import Consumer, ConsumerSettings, Database, Permanent, Relay, RelaySettings, Retryable
from revcycle_messaging.errors import DatabaseRefused, Transient
from revcycle_messaging.outbox import MAX_PAYLOAD_BYTES
from revcycle_messaging.relay import LOCK_CLASS
from revcycle_messaging.testing import TENANT, NoteTaken, make_cause
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord
from revcycle_messaging.transports.memory import MemoryConsumer, MemoryTransport

from .conftest import now
from .support import (
    TOPIC,
    Ledger,
    consuming,
    copy_notes,
    count,
    effects,
    eventually,
    new_consumer,
    outbox_records,
    relaying,
    send,
    write,
)

pytestmark = pytest.mark.component
FAST = RelaySettings(leader_retry_seconds=0.05)


def incoming(records: Sequence[OutgoingRecord]) -> list[IncomingRecord]:
    return [
        IncomingRecord(record.topic, 0, offset, record.key.encode(), record.value, record.headers)
        for offset, record in enumerate(records)
    ]


async def test_the_shards_of_a_leader_that_never_comes_back_are_taken_over(database: Database) -> None:
    """Promise 1 with two leaders that share the shards, when one of them is gone for good."""
    transport = MemoryTransport()
    other = await database.direct_connection("the other leader")
    await other.execute("SELECT pg_advisory_lock($1, shard) FROM generate_series(0, 40) AS shard", LOCK_CLASS)
    for number in range(1, 41):
        await write(database, f"k{number}", 1)
    relay = Relay(database, transport, now, FAST)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: len(relay.held_shards) == 23 and relay.published)
    assert relay.published < 40, "events of foreign shards are left to their leader"
    await other.close()
    await eventually(lambda: len(relay.held_shards) == 64 and relay.published == 40)
    relay.stop()
    await running


async def test_a_stop_marker_makes_the_relay_let_its_shards_go(database: Database) -> None:
    transport = MemoryTransport()
    relay = Relay(database, transport, now, FAST)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: len(relay.held_shards) == 64)
    async with database.connection() as connection:
        await connection.execute("INSERT INTO messaging.relay_stop VALUES (true, 'a person', 'a drill', now())")
    await eventually(lambda: relay.held_shards == [])
    await write(database, "a", 1)
    other = await database.direct_connection("somebody who rebuilds")
    got = await other.fetchval(
        "SELECT bool_and(pg_try_advisory_lock($1, shard)) FROM generate_series(0, 63) AS shard", LOCK_CLASS
    )
    assert got and relay.published == 0
    await other.close()
    async with database.connection() as connection:
        await connection.execute("DELETE FROM messaging.relay_stop")
    await eventually(lambda: relay.published == 1)
    relay.stop()
    await running


async def test_the_outbox_is_measured_while_the_broker_is_away(database: Database) -> None:
    class NoBroker(MemoryTransport):
        async def producer(self) -> Any:
            raise Transient("broker: away")

    await write(database, "a", 1)
    relay = Relay(database, NoBroker(), now, FAST)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: database.outbox_rows == 1)
    relay.stop()
    await running


async def test_at_the_outbox_bound_the_consumer_waits_and_goes_on_afterwards(database: Database) -> None:
    transport = MemoryTransport()
    await write(database, "a", 1)
    await send(transport, await outbox_records(database))
    database.outbox_rows = database.outbox_bound
    async with consuming(database, transport, copy_notes) as consumer:
        await eventually(lambda: consumer.turned_at > 0)
        # It turns while it waits, so that nobody takes it for stalled.
        started = consumer.turned_at
        await eventually(lambda: consumer.turned_at > started + 0.3)
        assert await effects(database) == {}
        database.outbox_rows = 0
        await eventually(lambda: consumer.applied == 1)


async def test_a_connection_lost_inside_a_chunk_is_no_fault_of_the_event(database: Database) -> None:
    transport = MemoryTransport()
    lost = 0

    async def handler(uow: Any, received: Any) -> None:
        nonlocal lost
        await copy_notes(uow, received)
        if lost < 3:
            lost += 1
            pid = await uow.fetch_value("SELECT pg_backend_pid()")
            async with database.connection() as other:
                await other.execute("SELECT pg_terminate_backend($1)", pid)

    for number in (1, 2, 3):
        await write(database, "a", number)
    await send(transport, await outbox_records(database))
    async with consuming(database, transport, handler) as consumer:
        await eventually(lambda: consumer.applied == 3)
        assert consumer.dead == 0 and lost == 3
    assert await effects(database) == {"a": [1, 2, 3]}


async def test_a_schema_change_beside_a_running_consumer_is_no_fault_of_the_event(
    made: Any, database: Database
) -> None:
    """The plan a connection keeps is out of date after a migration; that must not become a dead letter."""
    read_all = "SELECT * FROM testing.effect"
    for _ in range(12):
        async with database.unit_of_work(TENANT) as uow:
            await uow.fetch(read_all)
    owner = await asyncpg.connect(made.owner_url)
    await owner.execute("ALTER TABLE testing.effect ADD COLUMN remark text")
    await owner.close()
    with pytest.raises(Transient):
        async with database.unit_of_work(TENANT) as uow:
            await uow.fetch(read_all)
    async with database.unit_of_work(TENANT) as uow:
        await uow.fetch(read_all)


@pytest.mark.parametrize("error", [TimeoutError(), asyncpg.InterfaceError("broken"), ConnectionResetError()])
async def test_a_connection_that_cannot_be_given_back_hides_no_result(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pool = database._pool

    class Breaking:
        acquire = pool.acquire

        async def release(self, connection: Any, *, timeout: float) -> None:
            await pool.release(connection, timeout=timeout)
            raise error

    monkeypatch.setattr(database, "_pool", Breaking())
    await write(database, "a", 1)
    with pytest.raises(DatabaseRefused, match="42P01"):
        async with database.unit_of_work(TENANT) as uow:
            await uow.fetch("SELECT FROM testing.nothing")
    monkeypatch.undo()


@pytest.mark.parametrize("value", [None, b"\x00", b"\xff\x00\xfe"])
async def test_headers_of_strangers_do_not_stop_the_consumer(database: Database, value: bytes | None) -> None:
    await write(database, "a", 1)
    (genuine,) = incoming(await outbox_records(database))
    strange = genuine._replace(offset=1, headers=[*genuine.headers, ("x", value)])
    without = genuine._replace(offset=2, headers=[])
    consumer = new_consumer(database, MemoryTransport(), "notes")
    await consumer.process([strange, without, genuine])
    assert consumer.quarantined == 2 and consumer.applied == 1


async def test_waiting_successors_do_not_hide_a_bad_deploy(database: Database) -> None:
    """Promise 5 where every key carries many events: only what a handler took counts against the dead ones."""
    keys = [f"k{index}" for index in range(30)]
    for key in keys:
        for number in range(1, 8):
            await write(database, key, number)
    ledger = Ledger(failing={(key, 1): [KeyError("bug")] for key in keys})
    settings = ConsumerSettings(dead_run=10, backoff_seconds_max=0.2)
    transport = MemoryTransport()
    # Key after key, so that waiting events come between the failing ones.
    await send(transport, sorted(await outbox_records(database), key=lambda record: record.key))
    async with consuming(database, transport, ledger, settings) as consumer:
        await eventually(lambda: consumer.stopped_because is not None)
        assert consumer.dead == 9


async def test_retries_that_run_out_obey_the_dead_letter_limit(database: Database) -> None:
    keys = [f"k{index}" for index in range(12)]
    ledger = Ledger(failing={(key, 1): [Retryable("never ready")] for key in keys})
    for key in keys:
        await write(database, key, 1)
    records = incoming(await outbox_records(database))
    consumer = new_consumer(database, MemoryTransport(), "notes", ledger, max_attempts=2, dead_run=5)
    await consumer.process(records)
    async with database.connection() as connection:
        for _ in range(5):
            await connection.execute("UPDATE messaging.parked_event SET not_before = NULL")
            await consumer.drain_parked()
        assert consumer.dead == 4
        assert await count(connection, "parked_event WHERE state = 'waiting'", 8)


async def test_a_key_parked_by_a_member_that_is_gone_is_drained_by_the_one_that_stays(database: Database) -> None:
    transport = MemoryTransport()
    ledger = Ledger(failing={("a", 1): [Retryable("later")]})
    settings = ConsumerSettings(parked_poll_seconds=0.05, fetch_seconds=0.05)
    async with consuming(database, transport, ledger, settings) as stays:
        await eventually(lambda: not stays._may_have_parked)
        await write(database, "a", 1)
        gone = new_consumer(database, transport, "notes", ledger)
        await gone.process(incoming(await outbox_records(database)))
        ledger.failing.clear()
        await eventually(lambda: ledger.of("a") == [1])


async def test_an_event_larger_than_the_broker_takes_is_refused_where_it_is_written(database: Database) -> None:
    with pytest.raises(Permanent, match="an event holds at most"):
        async with database.unit_of_work(TENANT) as uow:
            uow.add_event(NoteTaken(note_id="a", number=1, name="S" * MAX_PAYLOAD_BYTES), make_cause(1))


async def test_an_event_of_the_largest_size_travels(database: Database, transport: Any) -> None:
    async with database.unit_of_work(TENANT) as uow:
        name = "S" * int(MAX_PAYLOAD_BYTES * 0.74)
        uow.add_event(NoteTaken(note_id="a", number=1, name=name), make_cause(1))
    await write(database, "b", 1)
    async with relaying(database, transport) as relay:
        await eventually(lambda: relay.published == 2)


async def test_a_client_that_stands_still_without_a_word_is_replaced(database: Database) -> None:
    class Stalling(MemoryTransport):
        made = 0

        async def consumer(self, group: str, topics: Sequence[str], member: str) -> MemoryConsumer:
            self.made += 1
            client = await super().consumer(group, topics, member)
            if self.made == 1:
                client._take = lambda max_records: []  # type: ignore[method-assign]  # a fetcher that died quietly
            return client

    transport = Stalling()
    await write(database, "a", 1)
    await send(transport, await outbox_records(database))
    settings = ConsumerSettings(fetch_seconds=0.05, stall_seconds=0.3)
    async with consuming(database, transport, copy_notes, settings) as consumer:
        await eventually(lambda: consumer.applied == 1)
        assert transport.made == 2
        replaced = consumer.turned_at
        await eventually(lambda: consumer.turned_at > replaced + 0.5)
        assert transport.made == 2, "a client with nothing to fetch is left alone"


async def test_a_consumer_without_records_of_its_topic_leaves_the_group(database: Database) -> None:
    transport = MemoryTransport()
    consumer = Consumer("notes", database, transport, {NoteTaken: copy_notes}, now)
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: transport.broker.groups.get("notes"))
    consumer.stop()
    await running
    assert transport.broker.groups["notes"] == [] and consumer.topics == [TOPIC]
