"""The test environment of a service: a fresh database, a broker in memory, clients with tokens, other services' events.

async with running_service(parts, postgresql, tmp_path) as service:
    answer = await service.client("biller").get("/v1/claims")
"""

import asyncio
import inspect
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, overload
from uuid import UUID

import asyncpg
import httpx
from fastapi import FastAPI
from revcycle_events import Event
from revcycle_messaging import Cause, Database, Envelope, Received, Transport
from revcycle_messaging.database import NOT_COMPARED
from revcycle_messaging.envelope import headers_from_kafka, headers_to_kafka
from revcycle_messaging.sealing import check_seal, open_event, seal_event
from revcycle_messaging.testing import OTHER_TENANT, START, TENANT, make_cause, make_key_ring
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.memory import MemoryBroker, MemoryTransport

from revcycle_service_kit.app import create_base_app
from revcycle_service_kit.auth import TokenVerifier, ensure_development_key, issue_token, read_token_keys
from revcycle_service_kit.clock import Clock
from revcycle_service_kit.context import PartsBuilder, ServiceContext, build_parts
from revcycle_service_kit.logging import configure_logging
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.migrations import migrate
from revcycle_service_kit.operations import measure
from revcycle_service_kit.program import offline_context
from revcycle_service_kit.runtime import Runtime
from revcycle_service_kit.settings import ServiceSettings

__all__ = [
    "OTHER_TENANT",
    "START",
    "TENANT",
    "ServiceUnderTest",
    "eventually",
    "make_cause",
    "running_service",
]

ROLE_PLACEHOLDER: Final = "the_service_role_of_this_database"
"""Stands in rendered schemas for the role that is granted their use."""
ALL_ROLES: Final = ("integration", "coder", "biller", "operator", "auditor")
T = TypeVar("T")
E = TypeVar("E", bound=Event)


class MadeDatabase(Protocol):
    """A fresh database: addresses of its owner and of the service's role."""

    @property
    def owner_url(self) -> str:
        """Runs migrations."""
        ...

    @property
    def service_url(self) -> str:
        """Runs the service."""
        ...

    @property
    def service_role(self) -> str:
        """Name of the service's role."""
        ...


class MakesDatabases(Protocol):
    """The ``postgresql`` fixture."""

    async def create_database(self, purpose: str) -> Any:
        """A fresh database."""
        ...

    async def drop_database(self, database: Any) -> None:
        """Drop it."""
        ...


@overload
async def eventually(
    condition: Callable[[], Coroutine[Any, Any, T]], limit_seconds: float = ..., what: str = ...
) -> T: ...
@overload
async def eventually(condition: Callable[[], T], limit_seconds: float = ..., what: str = ...) -> T: ...
async def eventually(condition: Callable[[], Any], limit_seconds: float = 10, what: str = "the condition") -> Any:
    """Poll until the condition gives something true, and return it. AssertionError after the limit."""
    deadline = asyncio.get_running_loop().time() + limit_seconds
    while True:
        found = condition()
        value: Any = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"{what} did not come true within {limit_seconds} s; last: {value!r}")
        await asyncio.sleep(0.02)


class ServiceUnderTest:
    """A service that runs inside the test, with everything a test looks at."""

    def __init__(
        self,
        context: ServiceContext,
        app: FastAPI,
        runtime: Runtime,
        folder: Path,
        made: MadeDatabase,
        broker: MemoryBroker,
    ) -> None:
        self.context = context
        self.app = app
        self.runtime = runtime
        self.made = made
        self.broker = broker
        self._token_key = ensure_development_key(context.settings.token_key_file)
        self._producer_keys = make_key_ring(folder, service="everyone", tenants=(TENANT, OTHER_TENANT))
        self._sequences: Counter[tuple[UUID, str, str]] = Counter()
        self._clients: list[httpx.AsyncClient] = []

    @property
    def database(self) -> Database:
        """The service's database, with the rights of the service."""
        return self.context.database

    @property
    def clock(self) -> Clock:
        """The service's clock."""
        return self.context.clock

    def token(self, *roles: str, tenant_id: UUID = TENANT, subject: str = "tester") -> str:
        """A token that holds for an hour."""
        return issue_token(self._token_key, tenant_id, subject, roles or ALL_ROLES, now=self.context.clock.now())

    def client(self, *roles: str, tenant_id: UUID = TENANT, subject: str = "tester") -> httpx.AsyncClient:
        """A client with a token for these roles (all of them when none is named)."""
        client = self.anonymous_client()
        client.headers["authorization"] = f"Bearer {self.token(*roles, tenant_id=tenant_id, subject=subject)}"
        return client

    def anonymous_client(self) -> httpx.AsyncClient:
        """A client without a token."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://service.test")
        self._clients.append(client)
        return client

    async def feed(self, events: Sequence[tuple[Event, Cause]]) -> list[Envelope]:
        """Publish events as the services that own them would: sealed, in sequence, on the broker."""
        producer = await self.context.transport.producer()
        records, envelopes = [], []
        for ordinal, (event, cause) in enumerate(events):
            topic = event.contract.topic
            self._sequences[cause.tenant_id, topic, event.key] += 1
            envelope = Envelope(
                id=cause.derive(f"fed:{event.contract.type}", ordinal),
                type=event.contract.type,
                source="revcycle/testing",
                subject=event.key,
                time=cause.now,
                sequence=self._sequences[cause.tenant_id, topic, event.key],
                tenant_id=cause.tenant_id,
                correlation_id=cause.correlation_id,
                causation_id=cause.id,
                depends_on=(),
                traceparent=None,
            )
            sealed = seal_event(event, envelope, topic, self._producer_keys)
            records.append(OutgoingRecord(topic, event.key, sealed.payload, headers_to_kafka(sealed.headers)))
            envelopes.append(envelope)
        assert all(await producer.send(records))
        await producer.close()
        return envelopes

    def published(self, contract: type[E]) -> list[Received[E]]:
        """Events of a type on the broker, in the order of their partitions, with everything opened."""
        found = []
        for record in self.broker.records(contract.contract.topic):
            headers = headers_from_kafka(record.headers)
            envelope = check_seal(record.topic, record.key, headers, record.value, self._producer_keys)
            if envelope.type == contract.contract.type:
                found.append(open_event(record.topic, record.key, envelope, record.value, self._producer_keys))
        return found

    async def drain(self, limit_seconds: float = 20) -> None:
        """Wait until nothing is in flight: outbox empty, lag 0, no job or timer due, no parked key that may go on."""
        calm = 0

        async def at_rest() -> bool:
            nonlocal calm
            calm = calm + 1 if await self._at_rest() else 0
            return calm >= 3

        await eventually(at_rest, limit_seconds, "rest")

    async def _at_rest(self) -> bool:
        runtime = self.runtime
        figures = await measure(self.context, runtime.instance)
        async with self.database.connection() as connection:
            jobs_due = await connection.fetchval(
                "SELECT count(*) FROM messaging.job WHERE state = 'running' OR state = 'ready' AND run_at <= $1",
                self.context.clock.now(),
            )
        return not (
            (runtime.relay is not None and figures.outbox_rows)
            or (runtime.consumer is not None and (figures.lag is None or figures.lag or figures.chunk_in_flight))
            or (runtime.jobs is not None and jobs_due)
            or (runtime.timers is not None and figures.timers_due)
        )

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            await client.aclose()


async def _make_schema(settings: ServiceSettings, migrations: str) -> None:
    """The schema of this code; or that of another release, to see whether this code runs on it.

    ``REVCYCLE_TEST_SCHEMAS`` names a folder with scripts of ``scripts/render_schemas.py``.
    """
    folder = os.environ.get("REVCYCLE_TEST_SCHEMAS")
    if folder is None:
        await migrate(settings, migrations)
        return
    script = (Path(folder) / f"{migrations}.sql").read_text(encoding="utf-8")
    owner = await asyncpg.connect(settings.database_owner_url, timeout=15)
    try:
        await owner.execute("BEGIN;" + script.replace(ROLE_PLACEHOLDER, str(settings.database_service_role)) + "COMMIT")
    finally:
        await owner.close()


@asynccontextmanager
async def running_service(
    parts: PartsBuilder,
    postgresql: MakesDatabases,
    folder: Path,
    *,
    settings_class: type[ServiceSettings] = ServiceSettings,
    run: Collection[str] = ("consumer", "relay", "jobs", "timers"),
    transport: Transport | None = None,
    clock: Clock | None = None,
    business_date: date | None = None,
    settings: dict[str, Any] | None = None,
    database: MadeDatabase | None = None,
    grants: Sequence[str] = ("identity", "clinical", "document"),
) -> AsyncIterator[ServiceUnderTest]:
    """A service on a fresh database (or the given one) and a broker in memory (or the given transport).

    ``run`` names its parts: consumer, relay, jobs, timers, background, api (a real port); the application itself is
    always there for ``client``. ``settings`` overrides single settings. ``grants`` are what the key ring may open.
    """
    keyring = make_key_ring(folder, grants, service="service")
    key_file = folder / "token-key.json"
    ensure_development_key(key_file)
    made: MadeDatabase = database or await postgresql.create_database(f"kit_{secrets.token_hex(3)}")
    values: dict[str, Any] = {
        "service_name": "service",
        "database_url": made.service_url,
        "database_owner_url": made.owner_url,
        "database_service_role": made.service_role,
        "token_key_file": key_file,
        "keyring_file": folder / "service.json",
        "business_date": business_date,
        "http_port": 0,
        "drain_seconds": 5,
    }
    offline = build_parts(parts, offline_context(settings_class(**{**values, **(settings or {})})))
    loaded = settings_class(**{**values, "service_name": offline.name, **(settings or {})})
    await _make_schema(loaded, offline.migrations)
    opened = await Database.connect(loaded.database_url, service=loaded.service_name, keys=keyring, pool_size=12)
    carrier = transport or MemoryTransport()
    context = ServiceContext(
        settings=loaded,
        clock=clock or Clock(loaded.business_date),
        database=opened,
        transport=carrier,
        keyring=keyring,
        verifier=TokenVerifier(read_token_keys(key_file)),
        log=configure_logging(loaded.service_name, loaded.instance, "json", offline.log_keys),
        metrics=Metrics(loaded.service_name),
    )
    built = build_parts(parts, context)
    app = create_base_app(context, built)
    runtime = Runtime(context, built, app, run)
    broker = carrier.broker if isinstance(carrier, MemoryTransport) else MemoryBroker()
    service = ServiceUnderTest(context, app, runtime, folder, made, broker)
    try:
        await runtime.start()
        if run:
            await eventually(
                lambda: opened.takes_writes or opened.refuses_because != NOT_COMPARED, what="the first comparison"
            )
        yield service
    finally:
        await service.close()
        await runtime.stop()
        if built.close is not None:
            await built.close(context)
        await opened.close()
        if database is None:
            await postgresql.drop_database(made)
