"""What waits in a service, row by row, for one tenant: parked keys, dead letters, jobs, timers, what was decided.

Every list is ordered by a position, so that a page can begin behind one. No payload and no text of an event is read:
ids, types, places, times and reasons, which hold no patients' data.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from revcycle_messaging import UnitOfWork

Position = Sequence[Any] | None


class ParkedKey(BaseModel):
    """A key whose events wait. ``state`` of the first: waiting (``not_before``, ``reason``), dead, or missing."""

    topic: str
    key: str
    parked_since: datetime
    last_sequence: int
    events: int
    state: str
    first_sequence: int | None
    reason: str | None
    attempts: int
    not_before: datetime | None


class DeadLetter(BaseModel):
    """An event that could not be applied for good; its key waits for a named person. ``behind``: events of its key."""

    topic: str
    key: str
    sequence: int
    event_id: UUID
    event_type: str
    reason: str
    attempts: int
    first_failed_at: datetime
    behind: int


class DeadLetterGroup(BaseModel):
    """Failed events that failed alike: what ``:redrive`` and ``:discard`` take as ``group``."""

    group: str
    topic: str
    event_type: str
    state: str
    reason: str
    events: int
    behind: int
    oldest_at: datetime


class DeadLetterGroups(BaseModel):
    """Failed events by what failed, the largest group first."""

    items: list[DeadLetterGroup]


class JobRow(BaseModel):
    """An effect outside. ``unknown``: nobody knows whether it was had; only an inquiry or a named person decides."""

    job_id: UUID
    kind: str
    state: str
    attempts: int
    run_at: datetime
    last_error: str | None
    correlation_id: str | None
    created_at: datetime


class TimerRow(BaseModel):
    """Something to do at a time."""

    aggregate: str
    name: str
    due_at: datetime


class Intervention(BaseModel):
    """What a named person decided about an event that waited, or about a stream after a restore. Never changed."""

    id: int
    action: str
    actor: str
    reason: str
    decided_at: datetime
    topic: str
    key: str
    sequence: int
    event_id: UUID | None


async def parked_keys(uow: UnitOfWork, consumer: str, after: Position, limit: int) -> list[ParkedKey]:
    """Parked keys by topic and key, with the first event that waits in each."""
    topic, key = after or ("", "")
    rows = await uow.fetch(
        """
        SELECT s.topic, s.key, s.parked_since, s.last_sequence, waiting.events,
            CASE WHEN head.sequence = s.last_sequence + 1 THEN head.state ELSE 'missing' END AS state,
            head.sequence AS first_sequence, head.reason, coalesce(head.attempts, 0) AS attempts, head.not_before
        FROM messaging.stream AS s
        LEFT JOIN LATERAL (
            SELECT sequence, state, reason, attempts, not_before FROM messaging.parked_event AS p
            WHERE (p.consumer, p.tenant_id, p.topic, p.key) = (s.consumer, s.tenant_id, s.topic, s.key)
            ORDER BY sequence LIMIT 1) AS head ON true
        CROSS JOIN LATERAL (
            SELECT count(*) AS events FROM messaging.parked_event AS p
            WHERE (p.consumer, p.tenant_id, p.topic, p.key) = (s.consumer, s.tenant_id, s.topic, s.key)) AS waiting
        WHERE s.consumer = $1 AND s.tenant_id = $2 AND s.parked_since IS NOT NULL AND (s.topic, s.key) > ($3, $4)
        ORDER BY s.topic, s.key LIMIT $5
        """,
        *(consumer, uow.tenant_id, topic, key, limit),
    )
    return [ParkedKey(**dict(row)) for row in rows]


async def dead_letters(uow: UnitOfWork, consumer: str, after: Position, limit: int) -> list[DeadLetter]:
    """Dead events by topic, key and sequence."""
    topic, key, sequence = after or ("", "", 0)
    rows = await uow.fetch(
        """
        SELECT p.topic, p.key, p.sequence, p.event_id, substring(p.headers FROM 'ce_type:([^\\n]*)') AS event_type,
            p.reason, p.attempts, p.first_failed_at,
            (SELECT count(*) FROM messaging.parked_event AS b
             WHERE (b.consumer, b.tenant_id, b.topic, b.key) = (p.consumer, p.tenant_id, p.topic, p.key)
                AND b.sequence > p.sequence) AS behind
        FROM messaging.parked_event AS p
        WHERE p.consumer = $1 AND p.tenant_id = $2 AND p.state = 'dead' AND (p.topic, p.key, p.sequence) > ($3, $4, $5)
        ORDER BY p.topic, p.key, p.sequence LIMIT $6
        """,
        *(consumer, uow.tenant_id, topic, key, sequence, limit),
    )
    return [DeadLetter(**dict(row)) for row in rows]


async def jobs(uow: UnitOfWork, state: str, after: Position, limit: int) -> list[JobRow]:
    """Jobs of a state, the oldest first."""
    created_at, job_id = after or (None, None)
    rows = await uow.fetch(
        """
        SELECT job_id, kind, state, attempts, run_at, last_error, correlation_id, created_at FROM messaging.job
        WHERE tenant_id = $1 AND state = $2
            AND ($3::timestamptz IS NULL OR (created_at, job_id) > ($3::timestamptz, $4::uuid))
        ORDER BY created_at, job_id LIMIT $5
        """,
        *(uow.tenant_id, state, created_at, job_id, limit),
    )
    return [JobRow(**dict(row)) for row in rows]


async def timers_due(uow: UnitOfWork, now: datetime, after: Position, limit: int) -> list[TimerRow]:
    """Timers that are due and have not fired, the oldest first."""
    due_at, aggregate, name = after or (None, "", "")
    rows = await uow.fetch(
        """
        SELECT aggregate, name, due_at FROM messaging.timer WHERE tenant_id = $1 AND due_at <= $2
            AND ($3::timestamptz IS NULL OR (due_at, aggregate, name) > ($3::timestamptz, $4, $5))
        ORDER BY due_at, aggregate, name LIMIT $6
        """,
        *(uow.tenant_id, now, due_at, aggregate, name, limit),
    )
    return [TimerRow(**dict(row)) for row in rows]


async def interventions(uow: UnitOfWork, after: Position, limit: int) -> list[Intervention]:
    """What was decided, the newest first."""
    (before,) = after or (None,)
    rows = await uow.fetch(
        """
        SELECT id, action, actor, reason, decided_at, topic, key, sequence, event_id FROM messaging.intervention
        WHERE tenant_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
        """,
        *(uow.tenant_id, before, limit),
    )
    return [Intervention(**dict(row)) for row in rows]
