"""Moments that chance rarely finds, made on purpose: one test per rule that holds the chassis together there."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from revcycle_messaging import Database, Relay, RelaySettings, Retryable, Transient
from revcycle_messaging.envelope import headers_from_kafka, read_headers
from revcycle_messaging.outbox import SHARDS
from revcycle_messaging.parking import take_head
from revcycle_messaging.relay import LOCK_CLASS, TAKE_SHARDS
from revcycle_messaging.testing import OTHER_TENANT, TENANT, NoteTaken, make_cause
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord
from revcycle_messaging.transports.memory import MemoryConsumer, MemoryProducer, MemoryTransport

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
FAST = RelaySettings(leader_retry_seconds=0.05, poll_seconds=0.02)


class PlannedProducer(MemoryProducer):
    """Refuses on its transport's first send what is planned; anything else is sent and acknowledged."""

    def __init__(self, transport: "PlannedTransport", number: int) -> None:
        super().__init__(transport.broker)
        self._transport = transport
        self._number = number

    async def send(self, records: Sequence[OutgoingRecord]) -> Sequence[bool]:
        self._transport.senders.append(self._number)
        if len(self._transport.senders) > 1 or not self._transport.refused:
            return await super().send(records)
        await self._transport.before_refusal()
        acknowledged = [sequence_of(record) not in self._transport.refused for record in records]
        for record, done in zip(records, acknowledged, strict=True):
            if done:
                self._transport.broker.append(record)
        return acknowledged


class PlannedTransport(MemoryTransport):
    """``refused``: sequences that the very first send does not deliver. ``senders``: which producer each send used."""

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self.refused = refused
        self.senders: list[int] = []
        self.producers = 0

    async def producer(self) -> PlannedProducer:
        self.producers += 1
        return PlannedProducer(self, self.producers)

    async def before_refusal(self) -> None:
        """What happens while the first send is on its way."""

    def delivered(self) -> list[int]:
        """Sequences on the topic, in order."""
        return [sequence_of(record) for record in self.broker.records(TOPIC)]


def sequence_of(record: OutgoingRecord) -> int:
    return read_headers(headers_from_kafka(list(record.headers))).sequence


def incoming(records: Sequence[OutgoingRecord]) -> list[IncomingRecord]:
    return [
        IncomingRecord(record.topic, 0, offset, record.key.encode(), record.value, record.headers)
        for offset, record in enumerate(records)
    ]


async def write_three(database: Database) -> None:
    for number in (1, 2, 3):
        await write(database, "a", number)


async def outbox_is_empty(database: Database) -> bool:
    async with database.connection() as connection:
        return await count(connection, "outbox", 0)


async def somebody_waits_for_a_lock(database: Database) -> bool:
    async with database.connection() as connection:
        waiting: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock')"
        )
    return waiting


async def test_a_transaction_that_rolls_back_leaves_no_event(database: Database) -> None:
    with pytest.raises(RuntimeError, match="rolled back"):
        async with database.unit_of_work(TENANT) as uow:
            uow.add_event(NoteTaken(note_id="a", number=1), make_cause(1))
            await uow.flush()
            raise RuntimeError("rolled back")
    assert await outbox_is_empty(database)


async def test_offsets_are_committed_after_the_effects(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies between the two sees the records again; the other way round he would never see them."""
    there_at_commit = []
    commit = MemoryConsumer.commit

    async def watched(self: MemoryConsumer, positions: Any) -> None:
        there_at_commit.append(await effects(database))
        await commit(self, positions)

    monkeypatch.setattr(MemoryConsumer, "commit", watched)
    await write_three(database)
    transport = MemoryTransport()
    await send(transport, await outbox_records(database))
    async with consuming(database, transport, copy_notes):
        await eventually(lambda: there_at_commit)
    assert there_at_commit[0] == {"a": [1, 2, 3]}


async def test_a_chunk_that_is_rolled_back_is_not_remembered_as_applied(database: Database) -> None:
    """The memory of what is applied commits with the effects or not at all."""
    failures = [Transient("the connection was lost")]

    async def handler(uow: Any, received: Any) -> None:
        await copy_notes(uow, received)
        if failures:
            raise failures.pop()

    await write_three(database)
    consumer = new_consumer(database, MemoryTransport(), "notes", handler)
    await consumer.process(incoming(await outbox_records(database)))
    assert not failures
    assert await effects(database) == {"a": [1, 2, 3]}


async def test_what_was_applied_is_dropped_when_it_comes_again(database: Database) -> None:
    await write_three(database)
    records = incoming(await outbox_records(database))
    consumer = new_consumer(database, MemoryTransport(), "notes")
    await consumer.process([*records, records[0]])
    await consumer.process(records)
    assert await effects(database) == {"a": [1, 2, 3]}


async def test_a_later_event_of_a_parked_key_waits_however_it_arrives(database: Database) -> None:
    """In the chunk of the failing event, in a chunk of its own, and delivered twice."""
    await write_three(database)
    records = incoming(await outbox_records(database))
    ledger = Ledger(failing={("a", 2): [Retryable("later")]})
    consumer = new_consumer(database, MemoryTransport(), "notes", ledger)
    await consumer.process(records)
    await consumer.process(records[2:])
    await consumer.process(records)
    assert ledger.of("a") == [1]


async def test_one_key_of_two_tenants_is_two_streams(database: Database) -> None:
    """Both first events are new: neither tenant's stream knows of the other's."""
    await write(database, "a", 1)
    await write(database, "a", 10, tenant_id=OTHER_TENANT)
    ledger = Ledger()
    consumer = new_consumer(database, MemoryTransport(), "notes", ledger)
    await consumer.process(incoming(await outbox_records(database)))
    assert sorted(ledger.of("a")) == [1, 10]


async def test_two_members_at_one_parked_key_take_turns(database: Database) -> None:
    """The second waits for the first one's transaction and gets the next event, not the same one."""
    await write_three(database)
    one, two, three = incoming(await outbox_records(database))
    await new_consumer(database, MemoryTransport(), "notes").process([two, three, one])

    async def take() -> int | None:
        async with database.unit_of_work(TENANT) as uow:
            head = await take_head(uow, "notes", TOPIC, "a", now())
        return head.sequence if head else None

    async with database.unit_of_work(TENANT) as uow:
        head = await take_head(uow, "notes", TOPIC, "a", now())
        assert head is not None and head.sequence == 1
        other = asyncio.create_task(take())

        async def met() -> bool:
            return other.done() or await somebody_waits_for_a_lock(database)

        await eventually(met)
    assert await other == 2


async def test_a_second_relay_leads_nothing_while_the_first_lives(database: Database) -> None:
    """Two relays of one shard would each keep the order and break it together."""
    async with relaying(database, MemoryTransport()) as leader:
        await eventually(lambda: len(leader.held_shards) == SHARDS)
        second = await database.direct_connection("second relay")
        taken = await second.fetch(TAKE_SHARDS, list(range(SHARDS)), LOCK_CLASS)
        await second.close()
    assert taken == []


async def test_a_row_that_somebody_holds_is_not_passed_over(database: Database, made: Any) -> None:
    """Skipping a locked row would let its successor overtake it."""
    await write_three(database)
    transport = MemoryTransport()
    owner = await asyncpg.connect(made.owner_url)
    holding = owner.transaction()
    await holding.start()
    held = await owner.fetchval("SELECT seq FROM messaging.outbox ORDER BY seq LIMIT 1 FOR UPDATE")
    assert held is not None
    async with relaying(database, transport):
        await eventually(lambda: transport.broker.records(TOPIC))
        first = sequence_of(transport.broker.records(TOPIC)[0])
        await holding.rollback()
        await owner.close()
        await eventually(lambda: outbox_is_empty(database))
    assert first == 1
    assert [sequence_of(record) for record in transport.broker.records(TOPIC)] == [1, 2, 3]


async def test_the_oldest_event_of_a_key_is_sent_first(database: Database) -> None:
    await write_three(database)
    transport = PlannedTransport()
    relay = Relay(database, transport, now, RelaySettings(round_rows=1, leader_retry_seconds=0.05))
    await run_until_empty(database, relay)
    assert transport.delivered() == [1, 2, 3]


async def test_a_round_ends_with_the_row_that_reaches_its_bytes(database: Database) -> None:
    """Rows are not all of a size: large ones go in smaller rounds, one at least, and none is left behind."""
    await write_three(database)
    read: list[int] = []

    class Looking(Relay):
        async def _read(self, connection: Any) -> Sequence[Any]:
            rows = await super()._read(connection)
            read.append(len(rows))
            return rows

    transport = PlannedTransport()
    relay = Looking(database, transport, now, RelaySettings(round_bytes=1, depth=1, leader_retry_seconds=0.05))
    await run_until_empty(database, relay)
    assert transport.delivered() == [1, 2, 3]
    assert max(read) == 1


async def test_an_event_is_not_sent_while_its_predecessor_is_under_way(database: Database) -> None:
    """The first send is lost after the relay has looked for more: its successor must not be on the topic alone."""
    await write_three(database)
    looked_again = asyncio.Event()

    class Lost(PlannedTransport):
        async def before_refusal(self) -> None:
            async with asyncio.timeout(10):
                await looked_again.wait()
            for _ in range(20):
                await asyncio.sleep(0)

    class Looking(Relay):
        looks = 0

        async def _read(self, connection: Any) -> Sequence[Any]:
            rows = await super()._read(connection)
            self.looks += 1
            if self.looks == 2:
                looked_again.set()
            return rows

    transport = Lost(1)
    relay = Looking(database, transport, now, RelaySettings(round_rows=1, depth=2, leader_retry_seconds=0.05))
    await run_until_empty(database, relay)
    assert transport.delivered() == [1, 2, 3]


async def test_nothing_behind_an_unacknowledged_event_is_archived(database: Database) -> None:
    """1 is lost, 2 and 3 arrive: the outbox gives up none of them, so after 1 both are sent again."""
    await write_three(database)
    transport = PlannedTransport(1)
    await run_until_empty(database, Relay(database, transport, now, FAST))
    assert transport.delivered() == [2, 3, 1, 2, 3]


async def test_after_a_failed_send_the_producer_is_discarded(database: Database) -> None:
    """What it may still hold must not arrive behind what is sent again."""
    await write_three(database)
    transport = PlannedTransport(1, 2, 3)
    await run_until_empty(database, Relay(database, transport, now, FAST))
    assert transport.senders == [1, 2]
    assert transport.delivered() == [1, 2, 3]


async def run_until_empty(database: Database, relay: Relay) -> None:
    running = asyncio.create_task(relay.run())
    await eventually(lambda: outbox_is_empty(database))
    relay.stop()
    async with asyncio.timeout(20):
        await running
