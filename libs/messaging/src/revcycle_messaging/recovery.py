"""Recovery from the archive: a consumer replayed, topics rebuilt, forks found after a restore.

Old events never go to a live topic: a consumer is fed directly, a topic is only filled while it is empty, and while
that happens every relay of the service stands by.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from revcycle_messaging.archive import ArchivedEvent, Progress, merged, read_archive
from revcycle_messaging.consumer import Consumer
from revcycle_messaging.database import Database, close_quietly, translated_errors
from revcycle_messaging.envelope import Envelope, headers_from_kafka
from revcycle_messaging.errors import BadSeal, MessagingError, MissingKey
from revcycle_messaging.outbox import SHARDS
from revcycle_messaging.relay import LOCK_CLASS, TAKE_SHARDS
from revcycle_messaging.sealing import check_seal
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord, Producer, Transport

CHUNK: Final = 500
DRAINS_LIMIT: Final = 10_000
SEND_ATTEMPTS: Final = 5

_WITHHOLD: Final = """
    WITH moved AS (
        DELETE FROM messaging.outbox WHERE seq IN (SELECT seq FROM messaging.outbox ORDER BY seq LIMIT $1) RETURNING *
    )
    INSERT INTO messaging.archive (day, seq, tenant_id, topic, key, sequence, event_id, headers, payload, recorded_at)
    SELECT $2, seq, tenant_id, topic, key, sequence, event_id, headers, payload, recorded_at FROM moved
"""
_OWN: Final = """
    SELECT h.tenant_id, h.topic, h.key, h.sequence, coalesce(s.last_sequence, 0) AS own_sequence,
        EXISTS (SELECT FROM messaging.archive AS a WHERE (a.tenant_id, a.topic, a.key, a.sequence)
            = (h.tenant_id, h.topic, h.key, h.sequence) AND a.event_id <> h.event_id)
        OR EXISTS (SELECT FROM messaging.outbox AS o WHERE (o.tenant_id, o.topic, o.key, o.sequence)
            = (h.tenant_id, h.topic, h.key, h.sequence) AND o.event_id <> h.event_id) AS differs
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::uuid[])
        AS h (tenant_id, topic, key, sequence, event_id)
    LEFT JOIN messaging.outgoing_stream AS s USING (tenant_id, topic, key)
"""


class RecoveryRefused(MessagingError):
    """Recovery would do harm as things stand; the text says what to do first."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A stream that went further on its topic than the database knows, as after a restore.

    ``differs``: the database meanwhile gave the same sequence to another event.
    """

    tenant_id: UUID
    topic: str
    key: str
    topic_sequence: int
    own_sequence: int
    differs: bool


@asynccontextmanager
async def relays_stopped(
    database: Database, *, actor: str, reason: str, now: datetime, wait_seconds: float = 30
) -> AsyncIterator[None]:
    """Keep every relay of the service from sending: the marker asks them, holding all their locks proves it.

    Raises:
        RecoveryRefused: a relay did not let go in time (one of a frozen process, for example).
    """
    connection = await database.direct_connection(f"{database.service}-recovery")
    try:
        with translated_errors():
            await connection.execute(
                "INSERT INTO messaging.relay_stop (actor, reason, stopped_at) VALUES ($1, $2, $3)"
                " ON CONFLICT (only_row) DO UPDATE SET actor = $1, reason = $2, stopped_at = $3",
                *(actor, reason, now),
            )
        try:
            await _take_all_shards(connection, wait_seconds)
            yield
        finally:
            with translated_errors():
                await connection.execute("DELETE FROM messaging.relay_stop")
    finally:
        await close_quietly(connection)


async def _take_all_shards(connection: Any, wait_seconds: float) -> None:
    missing = set(range(SHARDS))
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds):
            while True:
                with translated_errors():
                    rows = await connection.fetch(TAKE_SHARDS, sorted(missing), LOCK_CLASS)
                missing -= {row["shard"] for row in rows}
                if not missing:
                    return
                await asyncio.sleep(0.1)
    raise RecoveryRefused(f"a relay still holds {len(missing)} shards: stop the service's processes and try again")


async def replay(
    consumer: Consumer,
    database: Database,
    archives: Sequence[Database],
    *,
    now: datetime,
    folder: Path | None = None,
    publish: bool = False,
    progress: Progress = lambda events: None,
) -> int:
    """Feed a consumer from the archives of the services it listens to; returns how many events were offered.

    What it has applied already is dropped, so an interrupted replay is simply started again. What its handlers emit
    was published the first time: unless ``publish``, it goes to the archive and not to any topic. Timers are not run.

    Raises:
        RecoveryRefused: a relay runs on the consumer's database.
        ConsumerStopped, MissingKey: as when consuming.
    """
    if publish:
        return await _feed(consumer, database, archives, folder, progress, withhold_at=None)
    async with relays_stopped(database, actor="replay", reason="what is emitted was published before", now=now):
        return await _feed(consumer, database, archives, folder, progress, withhold_at=now)


async def _feed(
    consumer: Consumer,
    database: Database,
    archives: Sequence[Database],
    folder: Path | None,
    progress: Progress,
    withhold_at: datetime | None,
) -> int:
    offered = 0
    chunk: list[ArchivedEvent] = []
    async for event in merged([read_archive(archive, consumer.topics, folder) for archive in archives]):
        chunk.append(event)
        if len(chunk) == CHUNK:
            await consumer.process(_incoming(chunk, offered))
            offered += len(chunk)
            progress(len(chunk))
            chunk = []
            if withhold_at is not None:
                await withhold_outbox(database, withhold_at)
    await consumer.process(_incoming(chunk, offered))
    progress(len(chunk))
    for _ in range(DRAINS_LIMIT):
        applied = consumer.applied
        if not await consumer.drain_parked() or consumer.applied == applied:
            break
    if withhold_at is not None:
        await withhold_outbox(database, withhold_at)
    return offered + len(chunk)


def _incoming(events: Sequence[ArchivedEvent], offset: int) -> list[IncomingRecord]:
    records = [event.record() for event in events]
    return [
        IncomingRecord(record.topic, 0, offset + index, record.key.encode(), record.value, record.headers)
        for index, record in enumerate(records)
    ]


async def withhold_outbox(database: Database, now: datetime) -> int:
    """Put what stands in the outbox into the archive without sending it; returns how many events.

    For a database whose events are on their topics already. Relays must be stopped.
    """
    total = 0
    async with database.connection() as connection:
        for day in (now.date(), now.date() + timedelta(days=1)):
            await connection.execute("SELECT messaging.ensure_archive_day($1)", day)
        while True:
            tag = await connection.execute(_WITHHOLD, CHUNK * 10, now.date())
            moved = int(tag.rpartition(" ")[2])
            total += moved
            if moved < CHUNK * 10:
                return total


async def rebuild_topics(
    database: Database,
    transport: Transport,
    topics: Sequence[str],
    *,
    actor: str,
    reason: str,
    now: datetime,
    folder: Path | None = None,
    recreate: Callable[[], Awaitable[None]] | None = None,
    progress: Progress = lambda events: None,
) -> int:
    """Fill empty topics with everything the service ever published on them; returns how many events were sent.

    Per key the order is that of the first time; what is still in the outbox follows when the relays go on.
    ``recreate`` makes the topics, empty, once the relays stand by: a topic made earlier would at once get what stands
    in the outbox, before what was published long ago.

    Raises:
        RecoveryRefused: a topic is missing or not empty, a relay does not let go, or the broker did not take all.
    """
    async with relays_stopped(database, actor=actor, reason=reason, now=now):
        if recreate is not None:
            await recreate()
        ends = await transport.end_offsets(topics)
        missing = set(topics) - {topic for topic, _ in ends}
        used = {topic for (topic, _), end in ends.items() if end}
        if missing or used:
            raise RecoveryRefused(
                f"topics must exist and be empty: {', '.join(sorted(missing | used))}. Delete and create them again"
            )
        return await _fill(transport, read_archive(database, topics, folder), progress)


async def _fill(transport: Transport, archived: AsyncIterator[list[ArchivedEvent]], progress: Progress) -> int:
    producer = await transport.producer()
    sent = 0
    try:
        async for events in archived:
            for start in range(0, len(events), CHUNK):
                part = events[start : start + CHUNK]
                producer = await send_whole(transport, producer, [event.record() for event in part])
                sent += len(part)
                progress(len(part))
        return sent
    finally:
        await producer.close()


async def send_whole(transport: Transport, producer: Producer, records: Sequence[OutgoingRecord]) -> Producer:
    """Send records until all are acknowledged, with a new producer after each failure; returns the one to go on with.

    What arrives twice for that does so in the order of its key, so consumers drop it.

    Raises:
        RecoveryRefused: the broker did not take them in so many tries. Transient: it is away.
    """
    for _ in range(SEND_ATTEMPTS):
        if all(await producer.send(records)):
            return producer
        await producer.close()
        producer = await transport.producer()
    await producer.close()
    raise RecoveryRefused("the broker did not take all events; delete and create the topics, then start again")


async def find_forks(
    database: Database, transport: Transport, topics: Sequence[str], *, tail_records: int | None = 1000
) -> list[Fork]:
    """Streams of this service that are further on their topics than in its database: it was restored to the past.

    Looks at the last ``tail_records`` of each partition (None: at everything): what a restore took away was published
    last. Records whose seal does not hold are passed over.
    """
    heads: dict[tuple[UUID, str, str], Envelope] = {}
    ends = await transport.end_offsets(topics)
    used = sorted({topic for (topic, _), end in ends.items() if end})
    if not used:
        return []
    reader = await transport.reader(used, tail_records)
    try:
        while any(position < ends.get(place, 0) for place, position in (await reader.positions()).items()):
            for record in await reader.fetch(CHUNK, 1.0):
                envelope = _own_envelope(database, record)
                if envelope is None:
                    continue
                stream = (envelope.tenant_id, record.topic, envelope.subject)
                if stream not in heads or heads[stream].sequence < envelope.sequence:
                    heads[stream] = envelope
    finally:
        await reader.close()
    streams = list(heads)
    async with database.connection() as connection:
        rows = await connection.fetch(
            _OWN,
            [tenant_id for tenant_id, _, _ in streams],
            [topic for _, topic, _ in streams],
            [key for _, _, key in streams],
            [envelope.sequence for envelope in heads.values()],
            [envelope.id for envelope in heads.values()],
        )
    return sorted(
        (Fork(*row.values()) for row in rows if row["differs"] or row["sequence"] > row["own_sequence"]),
        key=lambda fork: (str(fork.tenant_id), fork.topic, fork.key),
    )


def _own_envelope(database: Database, record: IncomingRecord) -> Envelope | None:
    try:
        headers = headers_from_kafka(record.headers)
        if headers.get("ce_source") != f"revcycle/{database.service}" or record.key is None or record.value is None:
            return None
        return check_seal(record.topic, record.key.decode(), headers, record.value, database.keys)
    except (BadSeal, MissingKey, UnicodeDecodeError):
        return None


async def adopt_topic_heads(
    database: Database, forks: Sequence[Fork], *, actor: str, reason: str, now: datetime
) -> int:
    """Resolve forks: the streams go on behind what is on the topics, as a named person decided; returns how many.

    The events the database lost stay facts for everyone who applied them; the state they stood for is to be entered
    again. A fork that ``differs`` cannot be adopted: its event has to be written anew, as another one.
    """
    if not actor.strip() or not reason.strip():
        raise ValueError("say who decides (actor) and why (reason)")
    adopted = sorted((fork for fork in forks if not fork.differs), key=lambda fork: (fork.topic, fork.key))
    columns: list[list[Any]] = [
        [fork.tenant_id for fork in adopted],
        [fork.topic for fork in adopted],
        [fork.key for fork in adopted],
        [fork.topic_sequence for fork in adopted],
    ]
    with translated_errors():
        async with database.connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO messaging.outgoing_stream AS s (tenant_id, topic, key, last_sequence)"
                " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])"
                " ON CONFLICT (tenant_id, topic, key)"
                " DO UPDATE SET last_sequence = greatest(s.last_sequence, excluded.last_sequence)",
                *columns,
            )
            await connection.execute(
                "INSERT INTO messaging.intervention"
                " (consumer, tenant_id, topic, key, sequence, action, actor, reason, decided_at)"
                " SELECT $5, tenant_id, topic, key, sequence, 'adopt', $6, $7, $8"
                " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS f (tenant_id, topic, key, sequence)",
                *(*columns, database.service, actor, reason, now),
            )
    return len(adopted)
