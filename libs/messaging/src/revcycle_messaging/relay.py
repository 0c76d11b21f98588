"""The relay: carries the outbox to the broker, in order per key, and moves what was acknowledged to the archive.

Leaders hold shards by advisory locks on one direct connection; by default one leader holds all. Each round reads the
oldest rows that are not in flight, sends them, and moves per key only the acknowledged prefix. Up to ``depth`` rounds
overlap: while one is being acknowledged the next is read. After any failed send the producer is discarded, everything
in flight is forgotten, and the outbox is read again from its oldest row: duplicates are allowed, gaps are not.
"""

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from revcycle_messaging.crash_points import reach
from revcycle_messaging.database import Database, close_quietly, translated_errors
from revcycle_messaging.envelope import headers_text_to_kafka
from revcycle_messaging.errors import MessagingError, Transient, reason_of
from revcycle_messaging.outbox import SHARDS
from revcycle_messaging.transports import OutgoingRecord, Producer, Transport
from revcycle_messaging.waiting import wait_for_event

LOCK_CLASS: Final = zlib.crc32(b"revcycle-relay") & 0x7FFFFFFF
Stream = tuple[Any, str, str]
log = logging.getLogger(__name__)

_READ = """
    SELECT seq, tenant_id, topic, key, headers, payload FROM (
        SELECT *, sum(octet_length(payload)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS bytes FROM (
            SELECT seq, tenant_id, topic, key, headers, payload FROM messaging.outbox
            WHERE shard = ANY($1) AND seq <> ALL($2) ORDER BY seq LIMIT $3
        ) AS oldest
    ) AS measured WHERE bytes - octet_length(payload) < $4 ORDER BY seq
"""
_ARCHIVE = """
    WITH moved AS (DELETE FROM messaging.outbox WHERE seq = ANY($1) RETURNING *)
    INSERT INTO messaging.archive (day, seq, tenant_id, topic, key, sequence, event_id, headers, payload, recorded_at)
    SELECT $2, seq, tenant_id, topic, key, sequence, event_id, headers, payload, recorded_at FROM moved
"""
TAKE_SHARDS: Final = "SELECT shard FROM unnest($1::integer[]) AS shard WHERE pg_try_advisory_lock($2, shard)"
_DEPTH = "SELECT count(*) FROM (SELECT 1 FROM messaging.outbox LIMIT $1) AS bounded"


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Limits of the relay. ``depth`` rounds of ``round_rows`` rows may be in flight at once.

    A round ends with the row that brings its payloads to ``round_bytes``.
    """

    round_rows: int = 1_000
    round_bytes: int = 32 * 1024 * 1024
    depth: int = 3
    poll_seconds: float = 0.1
    leader_retry_seconds: float = 1.0
    backoff_seconds_max: float = 5.0


@dataclass(slots=True)
class _Round:
    """Rows that were read together and are being sent."""

    rows: "Sequence[Any]"
    seqs: Sequence[int]
    streams: Sequence[Stream]
    sending: "asyncio.Task[Sequence[bool]]"
    started_ns: int


class Relay:
    """Runs until cancelled; one per process, whoever gets the locks leads.

    ``may_publish`` is asked at the begin of each leadership, so after every loss of the connection; what it raises ends
    the leadership.

    Attributes:
        held_shards: the shards this relay leads now.
        published: records acknowledged and archived since the start.
    """

    def __init__(
        self,
        database: Database,
        transport: Transport,
        now: Callable[[], datetime],
        settings: RelaySettings | None = None,
        may_publish: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._transport = transport
        self._now = now
        self._settings = settings or RelaySettings()
        self._may_publish = may_publish
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._in_flight: deque[_Round] = deque()
        self._archive_day: date | None = None
        self.held_shards: list[int] = []
        self.published = 0
        database.on_commit("outbox", self._wake.set)

    def stop(self) -> None:
        """Finish what is in flight, then return from ``run``."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Lead whenever the locks are to be had; begin again after any failure, with a bounded pause."""
        measuring = asyncio.create_task(self._measure())
        try:
            await self._lead_again_and_again()
        finally:
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)

    async def _lead_again_and_again(self) -> None:
        pause_seconds = 0.1
        while not self._stopping.is_set():
            published = self.published
            try:
                await self._lead()
            except Exception as failure:
                # Whatever it was: the outbox is the truth, and nobody else would carry it.
                log.warning("relay begins again", extra={"reason": reason_of(failure)})
            if self.published > published:
                pause_seconds = 0.1
            await self._pause(pause_seconds)
            pause_seconds = min(pause_seconds * 2, self._settings.backoff_seconds_max)

    async def _lead(self) -> None:
        """One leadership: a connection, its locks, a producer; ends at the first failure or when told to stand by."""
        connection = await self._database.direct_connection(f"{self._database.service}-relay")
        try:
            # A crash of the server may bring moved rows back into the outbox: they are then sent twice, as any may be.
            await connection.execute("SET synchronous_commit = off")
            while not self._stopping.is_set() and not await self._take_shards(connection):
                await self._sleep(self._settings.leader_retry_seconds)
            if self._stopping.is_set():
                return
            if self._may_publish is not None:
                await self._may_publish()
            producer = await self._transport.producer()
            try:
                await self._carry(connection, producer)
            finally:
                self._forget_in_flight()
                await producer.close()
        finally:
            self.held_shards = []
            # Closing the connection is what releases the locks, so it comes after the producer.
            await close_quietly(connection)

    async def _take_shards(self, connection: Any) -> bool:
        """Try for every shard that is not held yet: a leader that is gone for good leaves its own to the others.

        False when none is held, or when relays are told to stand by (then those that are held should be let go).
        """
        with translated_errors():
            if await connection.fetchval("SELECT EXISTS (SELECT FROM messaging.relay_stop)"):
                return False
            wanted = sorted(set(range(SHARDS)) - set(self.held_shards))
            rows = await connection.fetch(TAKE_SHARDS, wanted, LOCK_CLASS) if wanted else []
        self.held_shards = sorted({*self.held_shards, *(row["shard"] for row in rows)})
        return bool(self.held_shards)

    async def _carry(self, connection: Any, producer: Producer) -> None:
        looked_at = asyncio.get_running_loop().time()
        leading = True
        while True:
            clock = asyncio.get_running_loop().time()
            if clock - looked_at > self._settings.leader_retry_seconds:
                looked_at = clock
                leading = leading and await self._take_shards(connection)
            ending = self._stopping.is_set() or not leading
            rows = [] if ending else await self._read(connection)
            if rows:
                reach("relay_before_send")
                tracer = self._database.tracer
                self._in_flight.append(_round(producer, rows, tracer.now_ns() if tracer else 0))
            if self._in_flight and (not rows or len(self._in_flight) >= self._settings.depth):
                await self._settle(connection, self._in_flight[0])
                self._in_flight.popleft()
            elif ending:
                return
            elif not rows:
                await self._sleep(self._settings.poll_seconds)

    async def _read(self, connection: Any) -> "Sequence[Any]":
        in_flight = [seq for one in self._in_flight for seq in one.seqs]
        with translated_errors():
            rows: Sequence[Any] = await connection.fetch(
                _READ, self.held_shards, in_flight, self._settings.round_rows, self._settings.round_bytes
            )
        if not in_flight:
            return rows
        # A stream has one round in flight at a time: were the earlier send lost, the later one must not stand alone.
        busy = {stream for one in self._in_flight for stream in one.streams}
        return [row for row in rows if _stream(row) not in busy]

    async def _settle(self, connection: Any, round_: _Round) -> None:
        """Archive what was acknowledged, per key no further than the first record that was not."""
        acknowledged = await round_.sending
        reach("relay_after_send")
        moved, stuck = _acknowledged_prefix(round_, acknowledged)
        if moved:
            await self._ensure_partition(connection)
            with translated_errors():
                await connection.execute(_ARCHIVE, moved, self._archive_day)
            self.published += len(moved)
            if self._database.tracer:
                self._database.tracer.sent(round_.rows if not stuck else [], round_.started_ns)
        reach("relay_after_archive")
        if stuck:
            raise Transient(f"broker did not acknowledge {stuck} of {len(round_.rows)} records")

    async def _ensure_partition(self, connection: Any) -> None:
        today = self._now().date()
        if self._archive_day != today:
            with translated_errors():
                for day in (today, today + timedelta(days=1)):
                    await connection.execute("SELECT messaging.ensure_archive_day($1)", day)
            self._archive_day = today

    async def _measure(self) -> None:
        """Keep the outbox's size known also while the broker is away: that is when its bound matters."""
        while True:
            with suppress(MessagingError):
                async with self._database.connection() as connection:
                    self._database.outbox_rows = await connection.fetchval(_DEPTH, self._database.outbox_bound)
            await asyncio.sleep(1)

    def _forget_in_flight(self) -> None:
        for one in self._in_flight:
            one.sending.cancel()
        self._in_flight.clear()

    async def _pause(self, seconds: float) -> None:
        """A pause that traffic does not cut short, only being stopped."""
        await wait_for_event(self._stopping, seconds)

    async def _sleep(self, seconds: float) -> None:
        """Until woken by a commit, told to stop, or the time is over."""
        if await wait_for_event(self._wake, seconds):
            self._wake.clear()


def _stream(row: Any) -> Stream:
    return row["tenant_id"], row["topic"], row["key"]


def _round(producer: Producer, rows: "Sequence[Any]", started_ns: int) -> _Round:
    """Rows on their way. What they are known by is read out once: every later reading compares with it."""
    sending = asyncio.create_task(_send(producer, rows))
    return _Round(rows, [row["seq"] for row in rows], [_stream(row) for row in rows], sending, started_ns)


async def _send(producer: Producer, rows: "Sequence[Any]") -> Sequence[bool]:
    records = [
        OutgoingRecord(row["topic"], row["key"], row["payload"], headers_text_to_kafka(row["headers"])) for row in rows
    ]
    return await producer.send(records)


def _acknowledged_prefix(round_: _Round, acknowledged: Sequence[bool]) -> tuple[list[int], int]:
    """The seqs that may leave the outbox, and how many may not."""
    blocked: set[Stream] = set()
    moved: list[int] = []
    for seq, stream, done in zip(round_.seqs, round_.streams, acknowledged, strict=True):
        if done and stream not in blocked:
            moved.append(seq)
        else:
            blocked.add(stream)
    return moved, len(round_.seqs) - len(moved)
