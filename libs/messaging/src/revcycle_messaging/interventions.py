"""What a named person decides about events that wait: try them again, or let their key go on without them.

Both keep the order within the key and the ids of the events, and leave a row in ``messaging.intervention`` per event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from revcycle_messaging.database import Database, translated_errors

CHUNK: Final = 1000
MONEY_EVENTS: Final = 10_000
# The statements below are put together from constants only, hence their S608.
_TYPE: Final = "substring(p.headers FROM 'ce_type:([^\\n]*)')"
# What failed alike: ids and numbers in a reason make no group of their own.
_FINGERPRINT: Final = f"""
    left(md5(p.topic || '|' || {_TYPE} || '|' || p.state || '|'
        || regexp_replace(p.reason, '[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|[0-9]+', '#', 'g')), 16)
"""
# A failure has been written down: dead, or waiting for its next try. Events that only wait behind it are not meant.
_SELECTED: Final = f"""
    p.consumer = $1 AND ($2::uuid IS NULL OR p.tenant_id = $2) AND ($3::text IS NULL OR p.topic = $3)
    AND ($4::text IS NULL OR p.key = $4) AND ($5::bigint IS NULL OR p.sequence = $5)
    AND ($6::text IS NULL OR {_FINGERPRINT} = $6) AND (p.state = 'dead' OR p.attempts > 0)
"""
_COUNT: Final = f"""
    SELECT {_FINGERPRINT} AS group, p.topic, {_TYPE} AS event_type, p.state, min(p.reason) AS reason,
        count(*) AS events, min(p.first_failed_at) AS oldest_at,
        sum((SELECT count(*) FROM messaging.parked_event AS b
            WHERE (b.consumer, b.tenant_id, b.topic, b.key) = (p.consumer, p.tenant_id, p.topic, p.key)
                AND b.sequence > p.sequence))::bigint AS behind
    FROM messaging.parked_event AS p WHERE {_SELECTED}
    GROUP BY 1, 2, 3, 4 ORDER BY count(*) DESC, 2, 3, 4, 1
"""  # noqa: S608
_MONEY: Final = f"""
    SELECT coalesce(sum(greatest((clear ->> 'charge_cents')::bigint, (clear ->> 'paid_cents')::bigint,
        (clear ->> 'amount_cents')::bigint)), 0)::bigint
    FROM (SELECT convert_from(p.payload, 'UTF8')::jsonb AS clear FROM messaging.parked_event AS p
        WHERE {_SELECTED} LIMIT $7) AS bounded
"""  # noqa: S608
_REDRIVE: Final = f"""
    WITH picked AS (
        SELECT p.tenant_id, p.topic, p.key, p.sequence, p.event_id FROM messaging.parked_event AS p WHERE {_SELECTED}
        ORDER BY p.tenant_id, p.topic, p.key, p.sequence LIMIT {CHUNK} FOR UPDATE
    ), freed AS (
        UPDATE messaging.parked_event AS p SET state = 'waiting', attempts = 0, not_before = NULL FROM picked
        WHERE p.consumer = $1 AND (p.tenant_id, p.topic, p.key, p.sequence)
            = (picked.tenant_id, picked.topic, picked.key, picked.sequence)
    )
    INSERT INTO messaging.intervention
        (consumer, tenant_id, topic, key, sequence, event_id, action, actor, reason, decided_at)
    SELECT $1, tenant_id, topic, key, sequence, event_id, 'redrive', $7, $8, $9 FROM picked
"""  # noqa: S608
_LOCK_HEADS: Final = f"""
    SELECT p.tenant_id, p.topic, p.key, p.sequence FROM messaging.stream AS s
    JOIN messaging.parked_event AS p USING (consumer, tenant_id, topic, key)
    WHERE {_SELECTED} AND p.sequence = s.last_sequence + 1
    ORDER BY p.tenant_id, p.topic, p.key LIMIT {CHUNK} FOR UPDATE OF s
"""  # noqa: S608
_DISCARD: Final = """
    WITH gone AS (
        DELETE FROM messaging.parked_event AS p
        USING unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[]) AS head (tenant_id, topic, key, sequence)
        WHERE p.consumer = $1 AND (p.tenant_id, p.topic, p.key, p.sequence)
            = (head.tenant_id, head.topic, head.key, head.sequence)
        RETURNING p.tenant_id, p.topic, p.key, p.sequence, p.event_id
    ), advanced AS (
        UPDATE messaging.stream AS s SET last_sequence = gone.sequence, parked_since = CASE WHEN EXISTS (
            SELECT FROM messaging.parked_event AS b
            WHERE (b.consumer, b.tenant_id, b.topic, b.key) = (s.consumer, s.tenant_id, s.topic, s.key)
                AND b.sequence > gone.sequence) THEN s.parked_since END
        FROM gone
        WHERE s.consumer = $1 AND (s.tenant_id, s.topic, s.key) = (gone.tenant_id, gone.topic, gone.key)
    )
    INSERT INTO messaging.intervention
        (consumer, tenant_id, topic, key, sequence, event_id, action, actor, reason, decided_at)
    SELECT $1, tenant_id, topic, key, sequence, event_id, 'discard', $6, $7, $8 FROM gone
"""


class Runner(Protocol):
    """What runs the statements here: a connection, or a unit of work whose transaction holds everything together."""

    async def fetch(self, sql: str, /, *args: Any) -> Sequence[Any]:
        """All rows."""
        ...

    async def execute(self, sql: str, /, *args: Any) -> str:
        """PostgreSQL's command tag."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which failed events of a consumer are meant; what is None is not narrowed. ``group``: as counted."""

    consumer: str
    tenant_id: UUID | None = None
    topic: str | None = None
    key: str | None = None
    sequence: int | None = None
    group: str | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """As parameters of the statements here."""
        return self.consumer, self.tenant_id, self.topic, self.key, self.sequence, self.group


@dataclass(frozen=True, slots=True)
class FailedGroup:
    """Failed events that failed alike. ``behind``: events of their keys that wait for them."""

    group: str
    topic: str
    event_type: str
    state: str
    reason: str
    events: int
    behind: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, why and when; written down with every event."""

    actor: str
    reason: str
    now: datetime

    def __post_init__(self) -> None:
        if not self.actor.strip() or not self.reason.strip():
            raise ValueError("say who decides (actor) and why (reason)")


async def count_failed(database: Database, selection: Selection) -> list[FailedGroup]:
    """What a redrive or a discard of the selection would touch, largest group first."""
    async with database.connection() as connection:
        return await failed_groups(connection, selection)


async def failed_groups(runner: Runner, selection: Selection) -> list[FailedGroup]:
    """As :func:`count_failed`, within the runner's transaction."""
    return [FailedGroup(**row) for row in await runner.fetch(_COUNT, *selection.arguments)]


async def money_at_stake(runner: Runner, selection: Selection) -> int:
    """Cents that the selected events carry in the clear (charge, payment or amount), of the first 10,000 of them."""
    ((cents,),) = await runner.fetch(_MONEY, *selection.arguments, MONEY_EVENTS)
    return int(cents)


async def redrive(database: Database, selection: Selection, *, actor: str, reason: str, now: datetime) -> int:
    """Let the selected events be tried again, first of their keys first; returns how many.

    The consumer takes them up within its poll of parked keys. An event that fails again is judged anew.

    Raises:
        ValueError: no actor or no reason.
    """
    decision = Decision(actor, reason, now)
    total = 0
    while True:
        async with database.connection() as connection:
            done = await redrive_some(connection, selection, decision)
        total += done
        if done < CHUNK:
            return total


async def redrive_some(runner: Runner, selection: Selection, decision: Decision) -> int:
    """Let up to ``CHUNK`` of the selected events be tried again; returns how many."""
    tag = await runner.execute(_REDRIVE, *selection.arguments, decision.actor, decision.reason, decision.now)
    return int(tag.rpartition(" ")[2])


async def discard(database: Database, selection: Selection, *, actor: str, reason: str, now: datetime) -> int:
    """Let the keys of the selected events go on without them; returns how many were discarded.

    Only the event a key stands at can be discarded. It stays in its producer's archive.

    Raises:
        ValueError: no actor or no reason.
    """
    decision = Decision(actor, reason, now)
    total = 0
    while True:
        with translated_errors():
            async with database.connection() as connection, connection.transaction():
                done = await discard_some(connection, selection, decision)
        total += done
        if done < CHUNK:
            return total


async def discard_some(runner: Runner, selection: Selection, decision: Decision) -> int:
    """Discard up to ``CHUNK`` of the selected events, in the runner's transaction; returns how many."""
    heads = await runner.fetch(_LOCK_HEADS, *selection.arguments)
    # A statement of its own: it sees what was parked while the lock was waited for.
    columns = [[head[name] for head in heads] for name in ("tenant_id", "topic", "key", "sequence")]
    await runner.execute(_DISCARD, selection.consumer, *columns, decision.actor, decision.reason, decision.now)
    return len(heads)
