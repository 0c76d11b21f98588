"""Parked and dead events, and records in quarantine: whatever waits, waits here whole and in order."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from revcycle_messaging import streams
from revcycle_messaging.cause import Cause
from revcycle_messaging.database import Database, UnitOfWork
from revcycle_messaging.envelope import headers_from_text, read_headers
from revcycle_messaging.errors import Retryable, reason_of
from revcycle_messaging.events import EventDeadLettered
from revcycle_messaging.streams import Item
from revcycle_messaging.transports import IncomingRecord

BACKOFF_SECONDS: Final = (1, 2, 5, 10, 30, 60, 120, 300)
DRAIN_LIMIT: Final = 1000


def dead_letter_topic(consumer: str) -> str:
    """The topic that tells of a consumer's dead letters: headers and a reason, no payload."""
    return f"revcycle.dead-letters.{consumer}.v1"


async def park_failed(
    database: Database,
    consumer: str,
    tenant_id: UUID,
    item: Item,
    failure: Exception,
    now: datetime,
    max_attempts: int,
    may_die: bool,
) -> bool:
    """Park the key at this event: with backoff when it may work later, dead when it can not. True when it is dead.

    Does nothing when the event was applied meanwhile by another member. ``may_die`` False: as many events are dead as
    may be, so this one waits whatever its error.
    """
    async with database.unit_of_work(tenant_id) as uow:
        row = await _locked_stream(uow, consumer, item)
        if item.sequence <= row["last_sequence"]:
            return False
        known = await uow.fetch_row(
            "SELECT attempts, state FROM messaging.parked_event"
            " WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4 AND sequence = $5",
            consumer,
            tenant_id,
            *item.stream,
            item.sequence,
        )
        if known is not None and known["state"] == "dead":
            return False
        attempts = (known["attempts"] if known else 0) + 1
        dead = may_die and (attempts >= max_attempts or not isinstance(failure, Retryable))
        pause = timedelta(seconds=BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1])
        await streams.park(uow, consumer, [item], "failed")
        await uow.execute(
            """
            UPDATE messaging.parked_event SET state = $6, reason = $7, attempts = $8, not_before = $9
            WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4 AND sequence = $5
            """,
            consumer,
            tenant_id,
            *item.stream,
            item.sequence,
            "dead" if dead else "waiting",
            reason_of(failure)[:500],
            attempts,
            None if dead else now + pause,
        )
        if dead:
            _tell(uow, consumer, item, reason_of(failure), attempts, now)
        return dead


async def _locked_stream(uow: UnitOfWork, consumer: str, item: Item) -> Any:
    """The stream row, made if absent, locked, marked as parked."""
    return await uow.fetch_row(
        """
        INSERT INTO messaging.stream AS s
            (consumer, tenant_id, topic, key, last_sequence, run_start, run_end, parked_since)
        VALUES ($1, $2, $3, $4, 0, -1, -1, $5)
        ON CONFLICT (consumer, tenant_id, topic, key)
        DO UPDATE SET parked_since = CASE
            WHEN s.last_sequence >= $6 THEN s.parked_since ELSE coalesce(s.parked_since, excluded.parked_since) END
        RETURNING last_sequence, parked_since
        """,
        consumer,
        uow.tenant_id,
        *item.stream,
        item.envelope.time,
        item.sequence,
    )


def _tell(uow: UnitOfWork, consumer: str, item: Item, reason: str, attempts: int, now: datetime) -> None:
    """A dead letter: which event, why, how often tried."""
    cause = Cause(uow.tenant_id, item.envelope.id, now, f"consumer:{consumer}", item.envelope.correlation_id)
    uow.add_event(
        EventDeadLettered(
            stream=f"{item.topic}/{item.key}",
            consumer=consumer,
            sequence=item.sequence,
            event_id=item.envelope.id,
            event_type=item.envelope.type,
            reason=reason[:500],
            attempts=attempts,
        ),
        cause,
        topic=dead_letter_topic(consumer),
    )


async def ready_streams(database: Database, consumer: str, now: datetime) -> list[tuple[UUID, str, str]]:
    """Parked streams whose first waiting event is the next one and due."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            """
            SELECT s.tenant_id, s.topic, s.key
            FROM messaging.stream AS s
            JOIN messaging.parked_event AS p USING (consumer, tenant_id, topic, key)
            WHERE s.consumer = $1 AND s.parked_since IS NOT NULL AND p.sequence <= s.last_sequence + 1
                AND p.state = 'waiting' AND (p.not_before IS NULL OR p.not_before <= $2)
            UNION
            SELECT s.tenant_id, s.topic, s.key FROM messaging.stream AS s
            WHERE s.consumer = $1 AND s.parked_since IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM messaging.parked_event AS p
                WHERE (p.consumer, p.tenant_id, p.topic, p.key) = (s.consumer, s.tenant_id, s.topic, s.key))
            LIMIT $3
            """,
            consumer,
            now,
            DRAIN_LIMIT,
        )
    return [(row["tenant_id"], row["topic"], row["key"]) for row in rows]


async def anything_waiting(database: Database, consumer: str) -> bool:
    """Whether any key of the consumer is parked."""
    async with database.connection() as connection:
        waiting: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM messaging.stream WHERE consumer = $1 AND parked_since IS NOT NULL)", consumer
        )
    return waiting


async def take_head(uow: UnitOfWork, consumer: str, topic: str, key: str, now: datetime) -> Item | None:
    """Lock a parked stream and take its next event out of the queue, advancing the row past it.

    None when the next event is not there, dead or not due; a key with nothing left behind it is parked no more.
    """
    identity = (consumer, uow.tenant_id, topic, key)
    row = await uow.fetch_row(
        "SELECT last_sequence, parked_since FROM messaging.stream"
        " WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4 FOR UPDATE",
        *identity,
    )
    if row is None or row["parked_since"] is None:
        return None
    await uow.execute(
        "DELETE FROM messaging.parked_event"
        " WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4 AND sequence <= $5",
        *identity,
        row["last_sequence"],
    )
    head = await uow.fetch_row(
        """
        SELECT sequence, headers, payload, state, not_before FROM messaging.parked_event
        WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4 ORDER BY sequence LIMIT 1
        """,
        *identity,
    )
    if head is None:
        await _advance(uow, identity, row["last_sequence"], parked=False)
        return None
    due = head["not_before"] is None or head["not_before"] <= now
    if head["sequence"] != row["last_sequence"] + 1 or head["state"] != "waiting" or not due:
        return None
    rest = await uow.fetch_value(
        "WITH gone AS (DELETE FROM messaging.parked_event WHERE consumer = $1 AND tenant_id = $2 AND topic = $3"
        " AND key = $4 AND sequence = $5) SELECT count(*) - 1 FROM messaging.parked_event"
        " WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4",
        *identity,
        head["sequence"],
    )
    await _advance(uow, identity, head["sequence"], parked=rest > 0)
    headers = headers_from_text(head["headers"])
    envelope = read_headers(headers)
    return Item(topic, key, envelope, headers, head["payload"])


async def _advance(uow: UnitOfWork, identity: tuple[str, UUID, str, str], last_sequence: int, *, parked: bool) -> None:
    await uow.execute(
        "UPDATE messaging.stream SET last_sequence = $5, parked_since = CASE WHEN $6 THEN parked_since END"
        " WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4",
        *identity,
        last_sequence,
        parked,
    )


def printable(value: bytes | None) -> str:
    """Bytes as text that jsonb takes, whatever a stranger put there; jsonb knows no NUL."""
    return (value or b"").decode(errors="backslashreplace").replace("\x00", "\\x00")


async def quarantine(database: Database, consumer: str, record: IncomingRecord, reason: str, now: datetime) -> None:
    """Keep a record whose seal does not hold; nothing else is touched."""
    async with database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO messaging.quarantine
                (consumer, topic, partition, record_offset, key, headers, payload, reason, found_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
            """,
            consumer,
            record.topic,
            record.partition,
            record.offset,
            record.key,
            [[printable(name.encode()), printable(value)] for name, value in record.headers],
            record.value,
            reason,
            now,
        )
