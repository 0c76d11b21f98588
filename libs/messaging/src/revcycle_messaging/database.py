"""The database of one service and the unit of work: one transaction, one tenant, events inserted last.

Repositories hand SQL with ``$1`` parameters to the unit of work. Errors of the driver are translated here, because
its own texts repeat the values of the row they are about.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from revcycle_events import Event

from revcycle_messaging import outbox
from revcycle_messaging.cause import Cause
from revcycle_messaging.crash_points import reach
from revcycle_messaging.envelope import DependsOn
from revcycle_messaging.errors import DatabaseBehind, DatabaseRefused, OutboxFull, TookTooLong, Transient
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.tracing import Tracer, TransactionSpans, traceparent_without_spans

JsonObject = Mapping[str, Any]

# Classes of SQLSTATE that pass by themselves: connection, rollback (deadlock, serialization), resources, operator; and
# a database that is not there (3D): it is being restored.
_TRANSIENT_CLASSES: Final = frozenset({"08", "25", "3D", "40", "53", "55", "57", "58"})
_STATEMENT_TIMEOUT: Final = "57014"
INCARNATION: Final = """
    SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()
"""
"""Changes with every start of the server, and with another database under the same name."""
NOT_COMPARED: Final = "the database has not been compared with its topics yet; this takes a second once both answer"
_SERVER_SETTINGS: Final = {
    "timezone": "UTC",
    "statement_timeout": "30000",
    "lock_timeout": "15000",
    "idle_in_transaction_session_timeout": "60000",
    "jit": "off",
    # A host that vanished must not hold locks for the hours a kernel waits by default.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn driver errors into ours, without the values they carry."""
    try:
        yield
    except asyncpg.InvalidCachedStatementError:
        # A migration ran beside us: the statement is prepared anew the next time. No event is to blame.
        raise Transient("database: its schema has changed") from None
    except asyncpg.PostgresError as error:
        sqlstate = error.sqlstate or "XX000"
        if sqlstate == _STATEMENT_TIMEOUT:
            raise TookTooLong(f"database: sqlstate={sqlstate}, a statement took longer than its limit") from None
        if sqlstate[:2] in _TRANSIENT_CLASSES:
            raise Transient(f"database: sqlstate={sqlstate}") from None
        raise DatabaseRefused(
            sqlstate, getattr(error, "constraint_name", None), getattr(error, "table_name", None)
        ) from None
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise Transient(f"database connection: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job to be inserted with the transaction."""

    job_id: UUID
    kind: str
    payload: JsonObject
    correlation_id: str | None
    created_at: datetime
    run_at: datetime


class UnitOfWork:
    """One transaction of one tenant. Opened and committed at the edge: a request, a chunk, a job, a timer."""

    def __init__(
        self,
        connection: "asyncpg.pool.PoolConnectionProxy[Any]",
        tenant_id: UUID,
        service: str,
        keys: KeyRing,
        tracer: Tracer | None = None,
    ) -> None:
        self.tenant_id = tenant_id
        self.spans = TransactionSpans(tracer) if tracer else None
        self.correlation_ids: set[str] = set()
        self._connection = connection
        self._service = service
        self._keys = keys
        self._events: list[outbox.PendingEvent] = []
        self._events_of_cause: dict[UUID, int] = {}
        self._jobs: list[PendingJob] = []
        self._timers: dict[tuple[str, str], tuple[datetime, JsonObject] | None] = {}
        self.wakes: set[str] = set()

    async def fetch(self, sql: str, *args: object) -> "list[asyncpg.Record]":
        """All rows of a statement. Raises Transient or DatabaseRefused."""
        with translated_errors():
            return await self._connection.fetch(sql, *args)

    async def fetch_row(self, sql: str, *args: object) -> "asyncpg.Record | None":
        """The first row, or None."""
        with translated_errors():
            return await self._connection.fetchrow(sql, *args)

    async def fetch_value(self, sql: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        with translated_errors():
            return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Run a statement; returns PostgreSQL's command tag."""
        with translated_errors():
            return await self._connection.execute(sql, *args)

    async def copy_in(self, table: str, columns: Sequence[str], records: Sequence[tuple[object, ...]]) -> None:
        """COPY many rows into ``schema.table``. Row-level security refuses COPY: chassis and untenanted tables only."""
        schema, _, name = table.rpartition(".")
        with translated_errors():
            await self._connection.copy_records_to_table(
                name, schema_name=schema or None, columns=list(columns), records=records
            )

    def add_event(
        self, event: Event, cause: Cause, *, depends_on: Sequence[DependsOn] = (), topic: str | None = None
    ) -> UUID:
        """Publish an event iff this transaction commits; returns its id.

        The aggregate's row must be locked by this transaction. ``depends_on`` with ``sequence=None`` names a stream
        this service produces: its newest sequence at flush is filled in. ``topic`` is for the chassis only.
        """
        ordinal = self._events_of_cause.get(cause.id, 0)
        self._events_of_cause[cause.id] = ordinal + 1
        if cause.correlation_id is not None and len(self.correlation_ids) < 2:
            self.correlation_ids.add(cause.correlation_id)
        event_id = cause.derive(f"event:{event.contract.type}", ordinal)
        self._events.append(
            outbox.PendingEvent(event_id, event, cause, tuple(depends_on), topic or event.contract.topic)
        )
        return event_id

    def add_job(
        self,
        kind: str,
        job_id: UUID,
        payload: JsonObject,
        cause: Cause,
        *,
        run_at: datetime | None = None,
    ) -> None:
        """Have an effect outside done iff this transaction commits. The payload holds ids, never patients' data."""
        self._jobs.append(PendingJob(job_id, kind, payload, cause.correlation_id, cause.now, run_at or cause.now))

    def traceparent(self, cause: Cause, topic: str | None = None, sequence: int = 0) -> str | None:
        """The trace context of what this transaction does for a cause: that of the encounter it is about."""
        if self.spans is None:
            return traceparent_without_spans(cause)
        return self.spans.traceparent(cause, topic, sequence)

    def set_timer(self, aggregate: str, name: str, due_at: datetime, payload: JsonObject | None = None) -> None:
        """Set or replace the timer ``name`` of an aggregate."""
        self._timers[aggregate, name] = (due_at, payload or {})

    def cancel_timer(self, aggregate: str, name: str) -> None:
        """Cancel a timer; nothing happens when there is none."""
        self._timers[aggregate, name] = None

    async def last_sequences(self, consumer: str, streams: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """What a consumer of this service has applied of each (topic, key); a stream it never saw is absent."""
        rows = await self.fetch(
            """
            SELECT s.topic, s.key, s.last_sequence FROM messaging.stream AS s
            JOIN unnest($3::text[], $4::text[]) AS wanted (topic, key) USING (topic, key)
            WHERE s.consumer = $1 AND s.tenant_id = $2
            """,
            consumer,
            self.tenant_id,
            [topic for topic, _ in streams],
            [key for _, key in streams],
        )
        return {(row["topic"], row["key"]): row["last_sequence"] for row in rows}

    async def flush(self) -> None:
        """Write what was buffered, events last: the shortest possible hold on the stream rows."""
        jobs, self._jobs = self._jobs, []
        timers, self._timers = self._timers, {}
        events, self._events = self._events, []
        if jobs:
            await self._insert_jobs(jobs)
        if timers:
            await self._write_timers(timers)
        if events:
            await outbox.insert_events(self, events, self._service, self._keys)
            self.wakes.add("outbox")

    async def _insert_jobs(self, jobs: Sequence[PendingJob]) -> None:
        await self.execute(
            """
            INSERT INTO messaging.job (job_id, tenant_id, kind, payload, correlation_id, created_at, run_at)
            SELECT job_id, $1, kind, payload::jsonb, correlation_id, created_at, run_at
            FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
                AS j (job_id, kind, payload, correlation_id, created_at, run_at)
            """,
            self.tenant_id,
            [job.job_id for job in jobs],
            [job.kind for job in jobs],
            [orjson.dumps(job.payload).decode() for job in jobs],
            [job.correlation_id for job in jobs],
            [job.created_at for job in jobs],
            [job.run_at for job in jobs],
        )
        self.wakes.add("jobs")

    async def _write_timers(self, wanted: Mapping[tuple[str, str], tuple[datetime, JsonObject] | None]) -> None:
        # In key order, so that two transactions never wait for each other crosswise.
        timers = sorted(wanted.items())
        cancelled = [key for key, value in timers if value is None]
        if cancelled:
            await self.execute(
                """
                DELETE FROM messaging.timer USING unnest($2::text[], $3::text[]) AS gone (aggregate, name)
                WHERE timer.tenant_id = $1 AND timer.aggregate = gone.aggregate AND timer.name = gone.name
                """,
                self.tenant_id,
                [aggregate for aggregate, _ in cancelled],
                [name for _, name in cancelled],
            )
        kept = [(key, value) for key, value in timers if value is not None]
        if kept:
            await self.execute(
                """
                INSERT INTO messaging.timer (tenant_id, aggregate, name, due_at, payload)
                SELECT $1, aggregate, name, due_at, payload::jsonb
                FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[])
                    AS t (aggregate, name, due_at, payload)
                ON CONFLICT (tenant_id, aggregate, name)
                DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload
                """,
                self.tenant_id,
                [aggregate for (aggregate, _), _ in kept],
                [name for (_, name), _ in kept],
                [due_at for _, (due_at, _) in kept],
                [orjson.dumps(payload).decode() for _, (_, payload) in kept],
            )
            self.wakes.add("timers")


class Database:
    """The pool of one service on its own database.

    Attributes:
        service: name of the service, the ``ce_source`` of its events.
        refuses_because: why nothing may be written now (see :mod:`revcycle_messaging.restores`), or None.
        compared: the incarnation of the database that was compared with its topics and found sound, or None.
        tracer: records spans; None: nobody does.
    """

    def __init__(
        self, pool: "asyncpg.Pool[Any]", url: str, service: str, keys: KeyRing, tls: ssl.SSLContext | None = None
    ) -> None:
        self._pool = pool
        self._tls = tls
        self.url = url
        self.service = service
        self.keys = keys
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.outbox_bound = 200_000
        self.outbox_rows = 0
        self.refuses_because: str | None = None
        self.compared: tuple[Any, ...] | None = None
        self.tracer: Tracer | None = None

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        service: str,
        keys: KeyRing,
        application_name: str | None = None,
        pool_size: int = 8,
        tls: ssl.SSLContext | None = None,
    ) -> "Database":
        """Open the pool; ``tls`` None: as ``sslmode`` of the address says.

        Raises Transient when the database cannot be reached, DatabaseRefused when it says no.
        """
        made: list[Database] = []

        async def prepare(connection: Any) -> None:
            await _prepare_connection(connection)
            if made and made[0].compared is not None:
                await made[0]._recognise(connection)

        with translated_errors():
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=pool_size,
                timeout=10,
                command_timeout=35,
                max_inactive_connection_lifetime=300,
                server_settings={**_SERVER_SETTINGS, "application_name": application_name or service},
                init=prepare,
                ssl=tls,
            )
        made.append(cls(pool, url, service, keys, tls))
        return made[0]

    async def _recognise(self, connection: Any) -> None:
        """A restore breaks every connection: the first new one tells, before anything can be written through it."""
        if tuple(await connection.fetchrow(INCARNATION)) != self.compared:
            self.compared, self.refuses_because = None, NOT_COMPARED

    async def close(self) -> None:
        """Close the pool; what still runs has five seconds."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def on_commit(self, what: str, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each commit that left work of a kind: ``outbox``, ``jobs`` or ``timers``."""
        self._listeners.setdefault(what, []).append(listener)

    @property
    def takes_writes(self) -> bool:
        """Whether there is room in the outbox, as last measured, and the database is not behind its topics."""
        return self.refuses_because is None and self.outbox_rows < self.outbox_bound

    def check_writes(self) -> None:
        """Raise DatabaseBehind or OutboxFull unless the database takes writes."""
        if self.refuses_because is not None:
            raise DatabaseBehind(self.refuses_because)
        self.check_outbox_bound()

    def check_outbox_bound(self) -> None:
        """Raise OutboxFull when the outbox, as last measured by the relay, is at its bound."""
        if self.outbox_rows >= self.outbox_bound:
            raise OutboxFull(self.outbox_rows)

    @asynccontextmanager
    async def unit_of_work(self, tenant_id: UUID, *, read_only: bool = False) -> AsyncIterator[UnitOfWork]:
        """A transaction of one tenant: committed when the block ends, rolled back when it raises.

        Raises:
            Transient: the database is away, a lock was not had in time, or two transactions met crosswise.
            DatabaseBehind: nothing may be written (``refuses_because``); reading goes on.
            DatabaseRefused: a constraint or a permission.
        """
        self._refuse(read_only)
        uow: UnitOfWork | None = None
        with translated_errors():
            connection = await self._pool.acquire(timeout=15)
        try:
            # The connection may be the first to a database that was restored meanwhile.
            self._refuse(read_only)
            transaction = connection.transaction(readonly=read_only)
            with translated_errors():
                await transaction.start()
            try:
                uow = UnitOfWork(connection, tenant_id, self.service, self.keys, self.tracer)
                await uow.fetch_value("SELECT set_config('app.tenant', $1, true)", str(tenant_id))
                yield uow
                await uow.flush()
                reach("before_commit")
            except BaseException:
                # A connection that cannot even roll back is dropped by the pool; the first error is the one to tell.
                with suppress(Transient, DatabaseRefused), translated_errors():
                    await transaction.rollback()
                raise
            with translated_errors():
                await transaction.commit()
            reach("after_commit")
            if uow.spans is not None:
                uow.spans.committed()
        finally:
            # What happens to the connection now says nothing about the work: a broken one is dropped by the pool.
            with suppress(Transient, DatabaseRefused), translated_errors():
                await self._pool.release(connection, timeout=5)
        for what in uow.wakes:
            for listener in self._listeners.get(what, ()):
                listener()

    def _refuse(self, read_only: bool) -> None:
        if self.refuses_because is not None and not read_only:
            raise DatabaseBehind(self.refuses_because)

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy[Any]]":
        """A connection without tenant, for the chassis' own tables."""
        with translated_errors():
            async with self._pool.acquire(timeout=15) as connection:
                yield connection

    async def direct_connection(self, application_name: str) -> "asyncpg.Connection[Any]":
        """A connection outside the pool, for advisory locks that live as long as it does."""
        with translated_errors():
            connection = await asyncpg.connect(
                self.url,
                timeout=10,
                command_timeout=35,
                ssl=self._tls,
                server_settings={
                    **_SERVER_SETTINGS,
                    "idle_in_transaction_session_timeout": "10000",
                    "application_name": application_name,
                },
            )
            await _prepare_connection(connection)
            return connection


async def close_quietly(connection: Any) -> None:
    """Close a direct connection, whatever state it is in; its advisory locks go with it."""
    try:
        with suppress(Transient, DatabaseRefused), translated_errors():
            await connection.close(timeout=2)
    finally:
        connection.terminate()


async def _prepare_connection(connection: Any) -> None:
    """jsonb columns speak Python values."""
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )
