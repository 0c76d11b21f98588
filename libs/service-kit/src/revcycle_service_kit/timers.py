"""Timers: something to do at a time. Only this worker fires them, never a consumer, so a replay fires none.

Firing locks what a timer is about, then the timers' own rows, checks again that they are still due, takes them out and
lets the handler decide as of ``due_at``: whether a deadline was kept does not depend on when a worker came by.

Whoever changes an aggregate holds its lock when it cancels its timer, so a timer's row comes after what it is about:
a kind of timer that locks anything is a :class:`TimerKind`.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import structlog
from revcycle_messaging import Cause, Database, Transient, UnitOfWork
from revcycle_messaging.database import translated_errors
from revcycle_messaging.waiting import wait_for_event

from revcycle_service_kit.clock import Clock
from revcycle_service_kit.ids import uuid7
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.telemetry import working

CHUNK: Final = 200
POLL_SECONDS: Final = 0.5
RETRY_SECONDS: Final = (1, 5, 30, 120, 300)
_REMEMBERED_FAILURES: Final = 10_000
_LOOK: Final = """
    SELECT aggregate, due_at, payload FROM messaging.timer
    WHERE tenant_id = $1 AND name = $2 AND aggregate = ANY($3) AND due_at <= $4
"""
# Locked and checked again in one: a timer that was cancelled or moved meanwhile is passed over. A row somebody holds is
# another worker's, or about to change; it is looked at again in the next round.
_TAKE: Final = """
    DELETE FROM messaging.timer WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM messaging.timer
        WHERE tenant_id = $1 AND name = $2 AND aggregate = ANY($3) AND due_at <= $4
        ORDER BY aggregate FOR UPDATE SKIP LOCKED))
    RETURNING aggregate, due_at, payload
"""
Key = tuple[UUID, str, str]
L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer that is due. ``cause.now`` is ``due_at``, and ``cause.id`` the same whenever it is fired."""

    aggregate: str
    name: str
    due_at: datetime
    payload: Mapping[str, Any]
    cause: Cause


TimerHandler = Callable[[UnitOfWork, Sequence[DueTimer]], Awaitable[None]]
"""Decides about due timers of one tenant and one name; sets them again with ``uow.set_timer`` if need be."""


@dataclass(frozen=True, slots=True)
class TimerKind(Generic[L]):
    """A handler in two steps, for timers about something that others lock before they cancel them.

    Attributes:
        lock: locks what the timers are about, and loads what ``fire`` decides from. Some may be cancelled by then.
        fire: decides about those that are still due, with what ``lock`` returned.
    """

    lock: Callable[[UnitOfWork, Sequence[DueTimer]], Awaitable[L]]
    fire: Callable[[UnitOfWork, Sequence[DueTimer], L], Awaitable[None]]

    async def __call__(self, uow: UnitOfWork, due: Sequence[DueTimer]) -> None:
        """Both steps, for timers that are locked already."""
        await self.fire(uow, due, await self.lock(uow, due))


def timer_cause(tenant_id: UUID, aggregate: str, name: str, due_at: datetime) -> Cause:
    """A due timer as the cause of what it changes."""
    seed = f"{tenant_id}\n{aggregate}\n{name}".encode()
    return Cause(tenant_id, uuid7(due_at, hashlib.sha256(seed).digest()[:10]), due_at, f"timer:{name}")


class TimerWorker:
    """Fires due timers of the names it has handlers for, until stopped."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, TimerHandler],
        clock: Clock,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures: dict[Key, tuple[int, float]] = {}
        database.on_commit("timers", self._wake.set)

    def stop(self) -> None:
        """Finish the chunk in hand, then return from ``run``."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Fire what is due until stopped."""
        while not self._stopping.is_set():
            fired = 0
            try:
                fired = await self.fire_once()
            except Transient as failure:
                self._log.warning("timers wait", reason=str(failure))
            if not fired and await wait_for_event(self._wake, POLL_SECONDS):
                self._wake.clear()

    async def fire_once(self) -> int:
        """Fire one chunk per tenant and name; returns how many were fired."""
        fired = 0
        for tenant_id, name in await self._due_groups():
            keys = await self._due_keys(tenant_id, name)
            fired += await self._fire_halving(tenant_id, name, keys)
            if self._stopping.is_set():
                break
        return fired

    async def _due_groups(self) -> list[tuple[UUID, str]]:
        with translated_errors():
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    """
                    SELECT tenant_id, name FROM messaging.timer WHERE due_at <= $1 AND name = ANY($2)
                    GROUP BY tenant_id, name ORDER BY min(due_at) LIMIT 50
                    """,
                    self._clock.now(),
                    list(self._handlers),
                )
        return [(row["tenant_id"], row["name"]) for row in rows]

    async def _due_keys(self, tenant_id: UUID, name: str) -> list[str]:
        """Aggregates whose timer is due, those left out that failed a moment ago."""
        clock = time.monotonic()
        resting = [
            aggregate
            for (tenant, aggregate, failed_name), (_, until) in self._failures.items()
            if tenant == tenant_id and failed_name == name and until > clock
        ]
        with translated_errors():
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    """
                    SELECT aggregate FROM messaging.timer
                    WHERE tenant_id = $1 AND name = $2 AND due_at <= $3 AND aggregate <> ALL($4)
                    ORDER BY due_at, aggregate LIMIT $5
                    """,
                    tenant_id,
                    name,
                    self._clock.now(),
                    resting,
                    CHUNK,
                )
        return [row["aggregate"] for row in rows]

    async def _fire_halving(self, tenant_id: UUID, name: str, aggregates: Sequence[str]) -> int:
        """Fire a chunk; when it fails, halve until the failing timer stands alone and rests for a while."""
        if not aggregates:
            return 0
        try:
            with working(self._database.tracer, f"timer {name}"):
                return await self._fire(tenant_id, name, aggregates)
        except Transient:
            raise
        except Exception as failure:
            if len(aggregates) > 1:
                middle = len(aggregates) // 2
                first = await self._fire_halving(tenant_id, name, aggregates[:middle])
                return first + await self._fire_halving(tenant_id, name, aggregates[middle:])
            self._rest(tenant_id, aggregates[0], name)
            self._metrics.timer_failures.labels(name).inc()
            self._log.error("timer failed", exc_info=failure, timer=name, aggregate=aggregates[0])
            return 0

    def _rest(self, tenant_id: UUID, aggregate: str, name: str) -> None:
        while len(self._failures) >= _REMEMBERED_FAILURES:
            self._failures.pop(next(iter(self._failures)))
        failures = self._failures.pop((tenant_id, aggregate, name), (0, 0.0))[0] + 1
        pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
        self._failures[tenant_id, aggregate, name] = (failures, time.monotonic() + pause)

    async def _fire(self, tenant_id: UUID, name: str, aggregates: Sequence[str]) -> int:
        handler = self._handlers[name]
        async with self._database.unit_of_work(tenant_id) as uow:
            if isinstance(handler, TimerKind):
                found = await self._due(uow, _LOOK, name, aggregates)
                locked = await handler.lock(uow, found) if found else None
                due = await self._due(uow, _TAKE, name, [timer.aggregate for timer in found])
                if due:
                    await handler.fire(uow, due, locked)
            else:
                due = await self._due(uow, _TAKE, name, aggregates)
                if due:
                    await handler(uow, due)
        for timer in due:
            self._failures.pop((tenant_id, timer.aggregate, name), None)
        self._metrics.timers_fired.labels(name).inc(len(due))
        return len(due)

    async def _due(self, uow: UnitOfWork, sql: str, name: str, aggregates: Sequence[str]) -> list[DueTimer]:
        """The timers of these aggregates that are due now, by their time."""
        tenant_id = uow.tenant_id
        rows = await uow.fetch(sql, tenant_id, name, list(aggregates), self._clock.now())
        return [
            DueTimer(
                row["aggregate"],
                name,
                row["due_at"],
                row["payload"],
                timer_cause(tenant_id, row["aggregate"], name, row["due_at"]),
            )
            for row in sorted(rows, key=lambda row: (row["due_at"], row["aggregate"]))
        ]
