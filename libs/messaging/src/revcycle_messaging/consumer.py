"""The consumer: fetch, check, split by tenant, one transaction per tenant chunk, then commit offsets.

The stream rows decide what is new, so a chunk may be delivered twice, late or to two members at once. When a chunk
fails it is rolled back and halved until the failing event stands alone, and that event is judged by its error:
see :mod:`revcycle_messaging.errors`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from revcycle_events import Event

from revcycle_messaging import parking, streams
from revcycle_messaging.crash_points import reach
from revcycle_messaging.database import Database, UnitOfWork
from revcycle_messaging.envelope import headers_from_kafka
from revcycle_messaging.errors import (
    BadSeal,
    ConsumerStopped,
    MissingKey,
    Retryable,
    TookTooLong,
    Transient,
    reason_of,
)
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.sealing import Received, check_seal, open_event
from revcycle_messaging.streams import Item
from revcycle_messaging.tracing import trace_id_of
from revcycle_messaging.transports import ConsumerClient, IncomingRecord, TopicPartition, Transport
from revcycle_messaging.waiting import wait_for_event

T = TypeVar("T")
Handler = Callable[[UnitOfWork, Sequence[Received[Any]]], Awaitable[None]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """Limits of a consumer. It stops when ``dead_run`` events in a row, or ``dead_share`` of the last
    ``dead_window``, would become dead letters: that is a bad deploy, not bad events.
    """

    max_records: int = 500
    fetch_seconds: float = 0.5
    stall_seconds: float = 60.0
    backoff_seconds_max: float = 15.0
    parked_poll_seconds: float = 1.0
    parked_turn_seconds: float = 5.0
    max_attempts: int = 12
    dead_run: int = 20
    dead_share: float = 0.1
    dead_window: int = 400


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Records that were fetched together, their seals checked: ``refused`` ones with the reason."""

    records: Sequence[IncomingRecord]
    by_tenant: Mapping[UUID, Sequence[Item]]
    refused: Sequence[tuple[IncomingRecord, str]]


class Consumer:
    """All streams one service reads, as one member of its group.

    Attributes:
        in_flight: records fetched and not yet committed.
        applied: events applied since the start. duplicates, quarantined: likewise.
        stopped_because: text when the consumer stopped itself, else None.
        turned_at: loop time of the last turn of the poll loop: liveness is progress.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        transport: Transport,
        handlers: Mapping[type[Event], Handler],
        now: Callable[[], datetime],
        *,
        member: str = "1",
        settings: ConsumerSettings | None = None,
        lock_chunk: Handler | None = None,
    ) -> None:
        self.name = name
        self.topics = sorted({contract.contract.topic for contract in handlers})
        self.in_flight = 0
        self.applied = 0
        self.duplicates = 0
        self.quarantined = 0
        self.dead = 0
        self.stopped_because: str | None = None
        self.turned_at = 0.0
        self.client: ConsumerClient | None = None
        self._database = database
        self._transport = transport
        self._handlers = {contract.contract.type: handler for contract, handler in handlers.items()}
        self._lock_chunk = lock_chunk
        self._now = now
        self._member = member
        self._settings = settings or ConsumerSettings()
        self._stopping = asyncio.Event()
        self._recent: deque[bool] = deque(maxlen=self._settings.dead_window)
        self._parked_checked_at = 0.0
        self._records_at = 0.0
        self._may_have_parked = True

    def stop(self) -> None:
        """Finish the chunk in hand, commit, leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped; begin again after infrastructure failed, with a bounded pause."""
        pause_seconds = 0.2
        while not self._stopping.is_set():
            applied = self.applied
            try:
                await self._consume()
            except Transient as failure:
                log.warning("consumer begins again", extra={"consumer": self.name, "reason": str(failure)})
            except (ConsumerStopped, MissingKey) as failure:
                self.stopped_because = str(failure)
                log.error("consumer stopped", extra={"consumer": self.name, "reason": str(failure)})
                pause_seconds = self._settings.backoff_seconds_max
            except Exception as failure:
                log.error("consumer begins again", extra={"consumer": self.name, "reason": reason_of(failure)})
            if self.applied > applied:
                pause_seconds = 0.2
            await self._pause(pause_seconds)
            pause_seconds = min(pause_seconds * 2, self._settings.backoff_seconds_max)

    async def _consume(self) -> None:
        """One membership of the group; ends at the first failure of infrastructure or when stopped.

        The next chunk is fetched, checked and opened while this one is in its transaction.
        """
        client = await self._transport.consumer(self.name, self.topics, self._member)
        self.client = client
        self._records_at = asyncio.get_running_loop().time()
        ahead = asyncio.create_task(self._fetch(client))
        try:
            while not self._stopping.is_set():
                self._turn()
                chunk = await ahead
                await self._wait_for_outbox()
                ahead = asyncio.create_task(self._fetch(client))
                if chunk.records:
                    self.in_flight = len(chunk.records)
                    await self._work(chunk)
                    reach("consumer_before_offsets")
                    await client.commit(_positions(chunk.records))
                    reach("consumer_after_offsets")
                    self.in_flight = 0
                await self._try_parked()
        finally:
            self.in_flight = 0
            self.client = None
            ahead.cancel()
            # Bounded: the client may pass over the cancellation. Its error, if any, is that of the client let go.
            await asyncio.wait([ahead], timeout=2)
            if ahead.done() and not ahead.cancelled():
                ahead.exception()
            await client.close()

    def _turn(self) -> None:
        """Say that this consumer makes progress, or waits on purpose."""
        self.turned_at = asyncio.get_running_loop().time()

    async def _fetch(self, client: ConsumerClient) -> _Chunk:
        """The next records, checked. Transient when the client stands still before records that are there."""
        records = await client.fetch(self._settings.max_records, self._settings.fetch_seconds)
        clock = asyncio.get_running_loop().time()
        if records:
            self._records_at = clock
        elif clock - self._records_at > self._settings.stall_seconds:
            self._records_at = clock
            await self._refuse_stall(client)
        return await self._checked(records)

    async def _refuse_stall(self, client: ConsumerClient) -> None:
        """Clients have been seen to stop without a word, also with no partition left to them; a new one goes on."""
        ends = await self._transport.end_offsets(self.topics)
        positions = await client.positions()
        if (not positions and any(ends.values())) or any(
            position < ends.get(place, 0) for place, position in positions.items()
        ):
            raise Transient(f"nothing was fetched for {self._settings.stall_seconds:.0f} s although records are there")

    async def _wait_for_outbox(self) -> None:
        """At the outbox bound, or behind the topics, nothing more is handled: what handlers emit has no place."""
        while not self._database.takes_writes and not self._stopping.is_set():
            self._turn()
            await self._pause(0.2)

    async def process(self, records: Sequence[IncomingRecord]) -> None:
        """Apply records in order; returns when each is applied, known, parked, dead or quarantined.

        Raises:
            Transient: only when stopped while infrastructure is away.
            MissingKey, ConsumerStopped: nothing of the failing chunk was applied.
        """
        await self._work(await self._checked(records))

    async def _checked(self, records: Sequence[IncomingRecord]) -> _Chunk:
        by_tenant: dict[UUID, list[Item]] = {}
        refused = []
        for count, record in enumerate(records):
            if count % 25 == 24:
                await asyncio.sleep(0)
            try:
                item = self._check(record)
            except BadSeal as failure:
                refused.append((record, str(failure)))
                continue
            by_tenant.setdefault(item.envelope.tenant_id, []).append(item)
        return _Chunk(records, by_tenant, refused)

    async def _work(self, chunk: _Chunk) -> None:
        for record, reason in chunk.refused:
            await self._quarantine(record, reason)
        for tenant_id, items in chunk.by_tenant.items():
            await self._apply_halving(tenant_id, items)
        self.stopped_because = None

    async def _quarantine(self, record: IncomingRecord, reason: str) -> None:
        await self._with_patience(lambda: parking.quarantine(self._database, self.name, record, reason, self._now()))
        self.quarantined += 1
        log.error("record quarantined", extra={"consumer": self.name, "topic": record.topic})

    def _check(self, record: IncomingRecord) -> Item:
        if record.key is None or record.value is None:
            raise BadSeal("a record without key or value")
        headers = headers_from_kafka(record.headers)
        key = record.key.decode(errors="replace")
        envelope = check_seal(record.topic, key, headers, record.value, self._database.keys)
        received = None
        if envelope.type in self._handlers:
            # Opened while the former chunk is in its transaction. What does not open fails in its turn, if it is fresh.
            with suppress(Exception):
                received = open_event(record.topic, key, envelope, record.value, self._database.keys)
        item = Item(record.topic, key, envelope, headers, record.value, received)
        return self._database.tracer.entered(item) if self._database.tracer else item

    async def _apply_halving(self, tenant_id: UUID, items: Sequence[Item]) -> None:
        """Apply a chunk; when an event in it fails, halve until it stands alone, in order."""
        try:
            handled = await self._with_patience(lambda: self._apply(tenant_id, items))
            # Only what a handler really took says that handlers work; duplicates and waiting events say nothing.
            self._recent.extend([False] * handled)
        except (Transient, MissingKey, ConsumerStopped):
            raise
        except Exception as failure:
            if len(items) > 1:
                middle = len(items) // 2
                await self._apply_halving(tenant_id, items[:middle])
                await self._apply_halving(tenant_id, items[middle:])
            else:
                await self._park_failed(tenant_id, items[0], failure, fresh=True)

    async def _with_patience(self, act: Callable[[], Awaitable[T]]) -> T:
        """Infrastructure that is away is waited for; the chunk is never skipped."""
        pause_seconds = 0.05
        while True:
            self._turn()
            try:
                return await act()
            except Transient as failure:
                if self._stopping.is_set():
                    raise
                log.warning("chunk waits", extra={"consumer": self.name, "reason": str(failure)})
            await self._pause(pause_seconds)
            pause_seconds = min(pause_seconds * 2, self._settings.backoff_seconds_max)

    async def _apply(self, tenant_id: UUID, items: Sequence[Item]) -> int:
        """One transaction: judge, handle what is fresh, park what is early. Returns how many were handled."""
        tracer = self._database.tracer
        started_ns = tracer.now_ns() if tracer else 0
        async with _blaming_the_events(), self._database.unit_of_work(tenant_id) as uow:
            verdict = await streams.offer(uow, self.name, items)
            await streams.park(uow, self.name, verdict.early, "gap or behind an event that waits")
            handled = await self.handle(uow, verdict.fresh)
        if tracer:
            tracer.handled(self.name, [one for one in verdict.fresh if one.envelope.type in self._handlers], started_ns)
        self.applied += len(verdict.fresh)
        self.duplicates += verdict.duplicates
        self._may_have_parked = self._may_have_parked or bool(verdict.early)
        return handled

    async def handle(self, uow: UnitOfWork, items: Sequence[Item]) -> int:
        """Hand fresh items to their handlers in chunks, never changing the order within a key; returns how many."""
        known = [item for item in items if item.envelope.type in self._handlers]
        if self._lock_chunk is not None and known:
            await self._lock_chunk(uow, [item.received or _open(item, self._database.keys) for item in known])
        for wave in _waves(known):
            for event_type, members in wave.items():
                received = [item.received or _open(item, self._database.keys) for item in members]
                await self._handlers[event_type](uow, received)
        return len(known)

    async def _park_failed(self, tenant_id: UUID, item: Item, failure: Exception, *, fresh: bool) -> None:
        """Park the key of a failing event.

        Raises:
            ConsumerStopped: a fresh event would be one dead letter too many. One that was parked before waits instead.
        """
        refusal = self._too_many_dead()
        if refusal and fresh and not isinstance(failure, Retryable):
            raise ConsumerStopped(refusal)
        dead = await self._with_patience(
            lambda: parking.park_failed(
                self._database,
                self.name,
                tenant_id,
                item,
                failure,
                self._now(),
                self._settings.max_attempts,
                may_die=refusal is None,
            )
        )
        if self._database.tracer:
            self._database.tracer.handled(self.name, [item], self._database.tracer.now_ns(), failure)
        if dead:
            self._recent.append(True)
            self.dead += 1
            log.error("event is a dead letter", extra=_about(self.name, item))
        self._may_have_parked = True

    def _too_many_dead(self) -> str | None:
        """Why no more events may be dead-lettered now, or None: past the limit the fault is ours, not the events'."""
        settings = self._settings
        run = list(self._recent)[-(settings.dead_run - 1) :]
        share = sum(self._recent) + 1
        full_run = len(run) == settings.dead_run - 1 and all(run)
        full_share = share >= max(settings.dead_run, settings.dead_share * settings.dead_window)
        if not full_run and not full_share:
            return None
        return (
            f"{self.name}: {share} of the last {len(self._recent) + 1} events failed for good; stopped instead of "
            "dead-lettering the topic. Deploy a corrected version; consumption goes on where it stopped."
        )

    async def _try_parked(self) -> None:
        """Let parked keys go on whose head can be applied now."""
        clock = asyncio.get_running_loop().time()
        poll_seconds = self._settings.parked_poll_seconds
        if not self._may_have_parked:
            # Another member may have parked a key and be gone.
            poll_seconds *= 10
        if clock - self._parked_checked_at < poll_seconds:
            return
        self._parked_checked_at = clock
        self._may_have_parked = await self.drain_parked()

    async def drain_parked(self) -> bool:
        """Apply what has become applicable, for a bounded time; True while any key is parked."""
        clock = asyncio.get_running_loop().time
        ends_at = clock() + self._settings.parked_turn_seconds
        for tenant_id, topic, key in await parking.ready_streams(self._database, self.name, self._now()):
            self._turn()
            if self._stopping.is_set() or clock() > ends_at:
                return True
            await self._drain_stream(tenant_id, topic, key)
        return await parking.anything_waiting(self._database, self.name)

    async def _drain_stream(self, tenant_id: UUID, topic: str, key: str) -> None:
        limit = self._settings.max_records
        while limit > 0:
            limit -= 1
            head: Item | None = None
            tracer = self._database.tracer
            started_ns = tracer.now_ns() if tracer else 0
            try:
                async with _blaming_the_events(), self._database.unit_of_work(tenant_id) as uow:
                    head = await parking.take_head(uow, self.name, topic, key, self._now())
                    if head is None:
                        return
                    head = tracer.entered(head) if tracer else head
                    await self.handle(uow, [head])
                if tracer:
                    tracer.handled(self.name, [head], started_ns)
                self.applied += 1
            except (Transient, MissingKey):
                return
            except Exception as failure:
                if head is None:
                    raise
                await self._park_failed(tenant_id, head, failure, fresh=False)
                return

    async def _pause(self, seconds: float) -> None:
        await wait_for_event(self._stopping, seconds)


@asynccontextmanager
async def _blaming_the_events() -> AsyncIterator[None]:
    """A chunk that runs into the statement timeout would do so for ever: halved, down to one event that is parked."""
    try:
        yield
    except TookTooLong as failure:
        raise Retryable(str(failure)) from None


def _about(consumer: str, item: Item) -> dict[str, object]:
    """What a log line may say of an event: ids and names."""
    envelope = item.envelope
    correlation_id = envelope.correlation_id
    return {
        "consumer": consumer,
        "topic": item.topic,
        "sequence": item.sequence,
        "event_type": envelope.type,
        "event_id": envelope.id,
        "correlation_id": correlation_id,
        "trace_id": trace_id_of(correlation_id) if correlation_id else None,
    }


def _open(item: Item, keys: KeyRing) -> Received[Any]:
    return open_event(item.topic, item.key, item.envelope, item.payload, keys)


def _positions(records: Sequence[IncomingRecord]) -> dict[TopicPartition, int]:
    """Next offset per partition."""
    positions: dict[TopicPartition, int] = {}
    for record in records:
        place = (record.topic, record.partition)
        positions[place] = max(positions.get(place, 0), record.offset + 1)
    return positions


def _waves(items: Sequence[Item]) -> list[dict[str, list[Item]]]:
    """Items in rounds, grouped by type: an event's predecessor of the same key and another type is in an earlier round.

    A run of one type within a key stays together, so a handler sees as many events as the order allows.
    """
    waves: list[dict[str, list[Item]]] = []
    level: dict[streams.Stream, tuple[int, str]] = {}
    for item in items:
        depth, previous = level.get(item.stream, (-1, ""))
        depth = depth if previous == item.envelope.type else depth + 1
        level[item.stream] = (depth, item.envelope.type)
        if depth == len(waves):
            waves.append({})
        waves[depth].setdefault(item.envelope.type, []).append(item)
    return waves
