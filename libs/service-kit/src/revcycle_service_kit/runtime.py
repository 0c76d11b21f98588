"""One process of a service: its parts running together, watched, and stopped in order.

Stopping: not ready → no new requests, chunks, jobs or timers → what is in hand is finished or rolled back → the relay
finishes what it has in flight and lets its shards go → connections are closed. All of it within a budget.
"""

import asyncio
import gc
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import structlog
import uvicorn
from fastapi import FastAPI
from revcycle_events import REGISTRY
from revcycle_messaging import Consumer, DatabaseBehind, MessagingError, Relay, Transient
from revcycle_messaging.database import NOT_COMPARED
from revcycle_messaging.parking import dead_letter_topic
from revcycle_messaging.restores import RestoreGuard
from revcycle_messaging.waiting import wait_for_event
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from revcycle_service_kit.background import BackgroundWorker
from revcycle_service_kit.context import Background, ServiceContext, ServiceParts
from revcycle_service_kit.figures import EVERY_SECONDS, measure_business
from revcycle_service_kit.health import Health
from revcycle_service_kit.jobs import JobWorker
from revcycle_service_kit.middleware import HEADER_LIMIT
from revcycle_service_kit.migrations import MigrationError, require_schema
from revcycle_service_kit.operations import Instance, MessagingFigures, measure
from revcycle_service_kit.timers import TimerWorker
from revcycle_service_kit.transport_security import http_server_tls

PROBE_SECONDS: Final = 1.0
BROKER_PROBE_SECONDS: Final = 5.0
MIGRATION_PROBE_SECONDS: Final = 30.0
RESTORE_PROBE_SECONDS: Final = 2.0
UNCOMPARED_PROBE_SECONDS: Final = 0.25
STALLED_SECONDS: Final = 120.0
WORKERS: Final = frozenset({"consumer", "jobs", "timers", "background"})
EVERYTHING: Final = frozenset({"api", "relay"}) | WORKERS


class Component(Protocol):
    """A part of the process that runs until stopped."""

    async def run(self) -> None:
        """Run until stopped."""
        ...

    def stop(self) -> None:
        """Finish what is in hand, then return from ``run``."""
        ...


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the runtime decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class BoundedHead(HttpToolsProtocol):
    """uvicorn's fast parser with a limit on a head that does not end; it has none of its own."""

    _head_bytes = 0
    _in_head = True

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_bytes, self._in_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; the middleware judges it."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head has grown past the limit and has no end yet."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > 2 * HEADER_LIMIT and not self.transport.is_closing():
                self.send_400_response("The request's headers are too large.")


class ApiServer:
    """The HTTP door as a component; ``port`` is known once ``started``."""

    def __init__(
        self, app: FastAPI, host: str, port: int, drain_seconds: float, tls: Mapping[str, Any] | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            http=BoundedHead,
            # Longer than clients keep idle connections, or a request may meet a closing one.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, int(drain_seconds * 0.8)),
            **(tls or {}),
        )
        self._server = _Server(config)

    async def run(self) -> None:
        """Serve until stopped. OSError when the port cannot be had."""
        try:
            await self._server.serve()
        except SystemExit:
            # uvicorn ends the process when it cannot listen; here the runtime decides.
            raise OSError("the HTTP port cannot be had") from None

    def stop(self) -> None:
        """Take no new connections, finish the requests in work."""
        self._server.should_exit = True

    @property
    def started(self) -> bool:
        """Whether it listens."""
        return self._server.started


class Runtime:
    """The running parts of one process.

    Attributes:
        consumer, relay, jobs, timers: the parts that run here, else None.
        instance: what operations ask of this process.
    """

    def __init__(
        self, context: ServiceContext, parts: ServiceParts, app: FastAPI, run: Collection[str] = EVERYTHING
    ) -> None:
        self._context = context
        self._parts = parts
        self._health: Health = app.state.health
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._components: dict[str, Component] = {}
        self._stopping = asyncio.Event()
        self._last_figures: MessagingFigures | None = None
        self._probed: dict[str, float] = {}
        self.failed = asyncio.Event()
        settings, log = context.settings, context.log
        self.consumer: Consumer | None = None
        self.relay: Relay | None = None
        self.jobs: JobWorker | None = None
        self.timers: TimerWorker | None = None
        self.instance = Instance()
        self._guard: RestoreGuard | None = None
        if run and settings.restore_check:
            self._guard = RestoreGuard(context.database, context.transport, produced_topics(parts.name))
        if "api" in run:
            self._components["api"] = ApiServer(
                app, settings.http_host, settings.http_port, settings.drain_seconds, http_server_tls(settings)
            )
        if "consumer" in run and parts.handlers:
            self.consumer = Consumer(
                parts.name,
                context.database,
                context.transport,
                parts.handlers,
                context.clock.now,
                member=settings.instance,
                lock_chunk=parts.lock_chunk,
            )
            self._components["consumer"] = self.consumer
            self.instance.consumer = self.consumer
        if "relay" in run:
            may_publish = self._guard.check if self._guard else None
            self.relay = Relay(context.database, context.transport, context.clock.now, may_publish=may_publish)
            self._components["relay"] = self.relay
        if "jobs" in run and parts.job_kinds:
            self.jobs = JobWorker(
                context.database, parts.job_kinds, context.clock, settings.instance, context.metrics, log
            )
            self._components["jobs"] = self.jobs
        if "timers" in run and parts.timers:
            self.timers = TimerWorker(context.database, parts.timers, context.clock, context.metrics, log)
            self._components["timers"] = self.timers
        if parts.figures is not None:
            context.metrics.add_business(parts.figures.figures)
        if "background" in run:
            for work in _background_of(parts):
                self._components[f"background:{work.name}"] = BackgroundWorker(work, context)
        app.state.runtime = self

    async def start(self) -> None:
        """Check the migrations and start every part.

        Raises:
            MigrationError: the database is not at the revision of this code.
            Transient: the database is away.
        """
        await require_schema(self._context.database, self._parts.migrations)
        if self._guard is not None:
            self._tasks["restore guard"] = asyncio.create_task(
                self._compare_for_ever(self._guard), name="restore guard"
            )
        for name, component in self._components.items():
            self._tasks[name] = asyncio.create_task(self._supervise(name, component), name=name)
        self._tasks["probes"] = asyncio.create_task(self._probe_forever(), name="probes")
        self._health.started = True

    async def stop(self) -> None:
        """Stop in order, within the budget; what does not end in time is cancelled, its transaction rolls back."""
        self._health.draining = True
        await asyncio.sleep(self._context.settings.drain_notice_seconds)
        deadline = time.monotonic() + self._context.settings.drain_seconds
        intake = [name for name in self._components if name != "relay"]
        for name in intake:
            self._components[name].stop()
        await self._wait_for(intake, deadline)
        if "relay" in self._components:
            self._components["relay"].stop()
            await self._wait_for(["relay"], deadline)
        self._stopping.set()
        await self._wait_for(list(self._tasks), deadline)

    async def _wait_for(self, names: Collection[str], deadline: float) -> None:
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=max(0.1, deadline - time.monotonic()))
        for task in late:
            self._context.log.warning("did not end in time, cancelled", component=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=2)

    async def _supervise(self, name: str, component: Component) -> None:
        """Run a part; one that fails unexpectedly begins again, and without its door the process ends."""
        pause_seconds = 1.0
        while not self._health.draining:
            try:
                await component.run()
                return
            except Exception as failure:
                self._context.metrics.component_failures.labels(name).inc()
                self._context.log.error("a part of the process failed", exc_info=failure, component=name)
                if name == "api":
                    self.failed.set()
                    return
            await wait_for_event(self._stopping, pause_seconds)
            pause_seconds = min(pause_seconds * 2, 15.0)

    async def _compare_for_ever(self, guard: RestoreGuard) -> None:
        """Nothing is written before the topics were compared with the database, and not while it is behind."""
        told = ""
        while not self._stopping.is_set():
            try:
                await guard.check()
                told = ""
            except DatabaseBehind as failure:
                if str(failure) != told:
                    told = str(failure)
                    self._context.log.error("the database is behind its topics", reason=told)
            except MessagingError as failure:
                self._context.log.warning("topics not compared yet", reason=str(failure))
            soon = self._context.database.refuses_because == NOT_COMPARED
            await wait_for_event(self._stopping, UNCOMPARED_PROBE_SECONDS if soon else RESTORE_PROBE_SECONDS)

    # -- probes -----------------------------------------------------------------------------------------------------

    async def _probe_forever(self) -> None:
        while not self._stopping.is_set():
            asked_at = time.monotonic()
            await self.probe()
            woke = await wait_for_event(self._stopping, PROBE_SECONDS)
            if not woke:
                late = time.monotonic() - asked_at - PROBE_SECONDS
                self._context.metrics.loop_lag_seconds.set(max(0.0, late))

    async def probe(self) -> None:
        """Measure everything the probes, the gauges and the outbox bound depend on."""
        failing: dict[str, str] = {}
        for name, every_seconds, check in (
            ("database", 0.0, self._check_database),
            ("broker", BROKER_PROBE_SECONDS, self._check_broker),
            ("migrations", MIGRATION_PROBE_SECONDS, self._check_migrations),
            ("consumer", 0.0, self._check_consumer),
            ("restore", 0.0, self._check_restore),
            ("token_keys", 0.0, self._check_token_keys),
        ):
            why = await self._checked(name, every_seconds, check)
            self._context.metrics.ready.labels(name).set(0 if why else 1)
            if why:
                failing[name] = why
        if "api" in self._components and not getattr(self._components["api"], "started", True):
            failing["start"] = "starting"
        self._tell(failing)
        self._health.failing = failing
        self._health.stalled = self._stall(failing)

    async def _checked(self, name: str, every_seconds: float, check: Callable[[], Any]) -> str | None:
        """Why a check fails, None when it holds; a check that held is not asked again before its time."""
        if name not in self._health.failing and time.monotonic() - self._probed.get(name, -1e9) < every_seconds:
            return None
        try:
            async with asyncio.timeout(4):
                why: str | None = await check()
        except (MessagingError, MigrationError) as failure:
            why = str(failure)
        except TimeoutError:
            why = "no answer within 4 seconds"
        except Exception as failure:
            why = type(failure).__name__
        self._probed[name] = time.monotonic()
        return why

    def _tell(self, failing: dict[str, str]) -> None:
        former = self._health.failing
        if failing.keys() != former.keys():
            state = "ready" if not failing else "not ready"
            self._context.log.info(state, reason="; ".join(f"{name}: {why}" for name, why in failing.items()) or None)

    async def _check_database(self) -> str | None:
        shards = self.instance.leads_shards = len(self.relay.held_shards) if self.relay else 0
        figures = await measure(self._context, self.instance)
        self._last_figures = figures
        self._note(figures)
        if not shards:
            # The relay measures its own outbox; where another instance leads, this one has to.
            self._context.database.outbox_rows = figures.outbox_rows
        return None

    def _note(self, figures: MessagingFigures) -> None:
        metrics = self._context.metrics
        metrics.note_messaging(figures)
        if consumer := self.consumer:
            for outcome, total in (
                ("applied", consumer.applied),
                ("duplicate", consumer.duplicates),
                ("quarantined", consumer.quarantined),
                ("dead", consumer.dead),
            ):
                metrics.count_up(metrics.events.labels(outcome), total)
        if self.relay:
            metrics.count_up(metrics.published, self.relay.published)
        disk = shutil.disk_usage(".")
        metrics.disk_free.set(disk.free)
        metrics.disk_size.set(disk.total)

    async def _check_broker(self) -> str | None:
        await self._context.transport.end_offsets(self._topics())
        return None

    def _topics(self) -> list[str]:
        """A topic of each side this service talks to: enough to learn that the broker answers."""
        if self.consumer is not None:
            return self.consumer.topics[:1]
        return produced_topics(self._parts.name)[:1]

    async def _check_migrations(self) -> str | None:
        await require_schema(self._context.database, self._parts.migrations)
        return None

    async def _check_restore(self) -> str | None:
        return self._context.database.refuses_because

    async def _check_token_keys(self) -> str | None:
        keys, now = self._context.issuer_keys, self._context.clock.now()
        if keys is None:
            return None
        await keys.keep_fresh(now)
        self._health.notes = {"token_keys": note} if (note := keys.note()) else {}
        return keys.unusable_because(now)

    async def _check_consumer(self) -> str | None:
        if self.consumer is None:
            return None
        if self.consumer.stopped_because is not None:
            return self.consumer.stopped_because
        if self.consumer.client is None:
            return "not a member of its group yet"
        return None

    def _stall(self, failing: dict[str, str]) -> str | None:
        """Why the process should be replaced: its poll loop stands still although everything it needs is there."""
        consumer = self.consumer
        # The consumer's own check fails with the loop it looks at, so it excuses nothing.
        if failing.keys() - {"consumer"}:
            return None
        if consumer is None or consumer.turned_at == 0 or consumer.stopped_because:
            return None
        still_seconds = asyncio.get_running_loop().time() - consumer.turned_at
        lag = self._last_figures.lag if self._last_figures else None
        if still_seconds > STALLED_SECONDS and lag != 0:
            return f"the poll loop has stood still for {int(still_seconds)} seconds"
        return None


def _background_of(parts: ServiceParts) -> list[Background]:
    """The service's own, and the measuring of its business, once for all instances."""
    if (figures := parts.figures) is None:
        return list(parts.background)
    measuring = Background("figures", EVERY_SECONDS, lambda context: measure_business(context, figures))
    return [*parts.background, measuring]


def produced_topics(service: str) -> list[str]:
    """The topics a service writes: those of the contracts under its name, and that of its dead letters."""
    own = {one.contract.topic for name, one in REGISTRY.items() if name.startswith(f"revcycle.{service}.")}
    return [*sorted(own), dead_letter_topic(service)]


def tune_collector() -> None:
    """What lives as long as the process is not looked at again, and young objects are looked at less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


async def run_until_stopped(runtime: Runtime, log: structlog.stdlib.BoundLogger) -> int:
    """Start, wait for SIGTERM or SIGINT, stop; returns the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await _start_patiently(runtime, stop, log)
    tune_collector()
    waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(runtime.failed.wait())]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    log.info("stopping")
    await runtime.stop()
    log.info("stopped")
    return 1 if runtime.failed.is_set() else 0


async def _start_patiently(runtime: Runtime, stop: asyncio.Event, log: structlog.stdlib.BoundLogger) -> None:
    """A database that is away at start is waited for; a wrong revision is not."""
    while not stop.is_set():
        try:
            await runtime.start()
            return
        except Transient as failure:
            log.warning("start waits", reason=str(failure))
        await wait_for_event(stop, 1.0)
