"""What several tests need: writing notes, running a relay or a consumer, taking and sending records."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from revcycle_messaging import Consumer, ConsumerSettings, Database, Received, Relay, Transport, UnitOfWork
from revcycle_messaging.envelope import headers_from_text, headers_to_kafka
from revcycle_messaging.testing import TENANT, NoteCopied, NoteTaken, make_cause
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord

from .conftest import now

TOPIC = "revcycle.testing.v1"


async def eventually(condition: Callable[[], Any], limit_seconds: float = 20.0) -> None:
    """Poll a condition (plain or async) until it holds."""
    deadline = asyncio.get_running_loop().time() + limit_seconds
    while True:
        held = condition()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


async def write(database: Database, key: str, number: int, *, tenant_id: UUID = TENANT, cents: int = 0) -> None:
    cause = make_cause(zlib.crc32(f"{key}:{number}".encode()), tenant_id=tenant_id)
    async with database.unit_of_work(tenant_id) as uow:
        uow.add_event(NoteTaken(note_id=key, number=number, cents=cents), cause)


@dataclass
class Ledger:
    """A handler that records what it was given, and fails when told to."""

    seen: list[tuple[str, int]] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    failing: dict[tuple[str, int], list[Exception]] = field(default_factory=dict)

    async def __call__(self, uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
        seen = []
        for one in received:
            failures = self.failing.get((one.event.note_id, one.event.number))
            if failures:
                raise failures[0] if len(failures) == 1 else failures.pop()
            seen.append((one.event.note_id, one.event.number))
        await uow.execute("SELECT 1")
        self.seen += seen
        self.chunks.append(len(seen))

    def of(self, key: str) -> list[int]:
        return [number for name, number in self.seen if name == key]


@asynccontextmanager
async def relaying(database: Database, transport: Transport) -> AsyncIterator[Relay]:
    relay = Relay(database, transport, now)
    task = asyncio.create_task(relay.run())
    yield relay
    relay.stop()
    await asyncio.wait_for(task, 20)


@asynccontextmanager
async def consuming(
    database: Database,
    transport: Transport,
    handler: Any,
    settings: ConsumerSettings | None = None,
    name: str = "notes",
) -> AsyncIterator[Consumer]:
    consumer = Consumer(
        name,
        database,
        transport,
        {NoteTaken: handler},
        now,
        settings=settings or ConsumerSettings(parked_poll_seconds=0.05),
    )
    task = asyncio.create_task(consumer.run())
    yield consumer
    consumer.stop()
    await asyncio.wait_for(task, 20)


async def outbox_records(database: Database) -> list[OutgoingRecord]:
    """Take what is in the outbox as records, so that a test may deliver them as it likes."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT topic, key, headers, payload FROM messaging.outbox ORDER BY seq")
        await connection.execute("DELETE FROM messaging.outbox")
    return [
        OutgoingRecord(row["topic"], row["key"], row["payload"], headers_to_kafka(headers_from_text(row["headers"])))
        for row in rows
    ]


async def send(transport: Transport, records: Sequence[OutgoingRecord]) -> None:
    producer = await transport.producer()
    for record in records:
        assert all(await producer.send([record]))
    await producer.close()


async def count(connection: Any, what: str, expected: int) -> bool:
    found: int = await connection.fetchval(f"SELECT count(*) FROM messaging.{what}")
    return found == expected


class Crash(BaseException):
    """The process dies here: nothing catches it, nothing after it runs."""


def dies(times: int) -> Callable[[], None]:
    """What to arm a crash point with: every second pass is fatal, so often; then the point is harmless."""
    passes = 0

    def act() -> None:
        nonlocal passes
        passes += 1
        if passes % 2 == 0 and passes <= 2 * times:
            raise Crash

    return act


async def copy_notes(uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
    """A handler whose effects nothing but the chassis protects: a row per event without a unique key, and an event."""
    await uow.fetch(
        "INSERT INTO testing.effect (key, number) SELECT * FROM unnest($1::text[], $2::integer[])",
        [one.event.note_id for one in received],
        [one.event.number for one in received],
    )
    for one in received:
        uow.add_event(NoteCopied(note_id=one.event.note_id, number=one.event.number), one.cause)


async def effects(database: Database) -> dict[str, list[int]]:
    """Numbers per key in the order in which they were applied."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT key, number FROM testing.effect ORDER BY position")
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["number"])
    return found


async def emitted(database: Database) -> dict[str, list[int]]:
    """Sequences per key of what the handler emitted."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT key, sequence FROM (SELECT topic, key, sequence, seq FROM messaging.outbox UNION ALL"
            " SELECT topic, key, sequence, seq FROM messaging.archive) AS e WHERE topic = $1 ORDER BY seq",
            NoteCopied.contract.topic,
        )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["sequence"])
    return found


def new_consumer(
    database: Database, transport: Transport, name: str, handler: Any = copy_notes, **settings: Any
) -> Consumer:
    """A consumer of notes with small chunks, so that one run passes every point several times."""
    chosen = ConsumerSettings(**{"parked_poll_seconds": 0.05, "max_records": 7, **settings})
    return Consumer(name, database, transport, {NoteTaken: handler}, now, settings=chosen)


async def read_all(transport: Transport, topic: str) -> list[IncomingRecord]:
    """A topic from offset 0 to its end, per partition in order."""
    reader = await transport.reader([topic])
    ends = await transport.end_offsets([topic])
    found: list[IncomingRecord] = []
    while any(position < ends.get(place, 0) for place, position in (await reader.positions()).items()):
        found += await reader.fetch(500, 1.0)
    await reader.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def on_topic(transport: Transport, topic: str) -> list[OutgoingRecord]:
    """The records of a topic as they were sent, per partition in order."""
    return [
        OutgoingRecord(one.topic, (one.key or b"").decode(), one.value or b"", [(k, v or b"") for k, v in one.headers])
        for one in await read_all(transport, topic)
    ]


async def state_hash(database: Database, consumer: str) -> str:
    """One hash of everything a consumer of notes has come to: effects, what it emitted, its stream rows."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT topic, key, last_sequence, parked_since IS NULL AS flows FROM messaging.stream"
            " WHERE consumer = $1 ORDER BY topic, key",
            consumer,
        )
    state = [
        sorted((await effects(database)).items()),
        sorted((await emitted(database)).items()),
        list(map(tuple, rows)),
    ]
    return hashlib.sha256(repr(state).encode()).hexdigest()
