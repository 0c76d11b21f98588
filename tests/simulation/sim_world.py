"""The running system of a simulated run: every part of the chassis, what they share, and what is known about them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from revcycle_events import Event
from revcycle_messaging import Consumer, ConsumerSettings, Relay, RelaySettings, parking
from revcycle_messaging.testing import TENANT
from revcycle_service_kit import jobs as kit_jobs
from revcycle_service_kit.clock import Clock
from revcycle_service_kit.jobs import JobWorker
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.timers import TimerWorker
from sim_business import Hospital, Plan, Transmit, write
from sim_checks import Watch
from sim_machine import Machine
from sim_seams import Connections, SimulatedDatabase, SimulatedTransport
from sim_steps import CALM_PARTS, CALM_SIZES, CONSUMERS, PARTS, Sizes

READERS: Final = {
    "revcycle.simulated-encounters.v1": ("coding",),
    "revcycle.simulated-codings.v1": ("claims",),
    "revcycle.simulated-claims.v1": ("ledger", "payer"),
    "revcycle.simulated-payments.v1": ("ledger",),
    "revcycle.simulated-follow-ups.v1": (),
}
_CLEARED: Final = (
    *("messaging." + name for name in ("outbox", "outgoing_stream", "archive", "stream", "parked_event")),
    *("messaging." + name for name in ("quarantine", "intervention", "timer", "job")),
    *("simulation." + name for name in ("request", "coding", "claim", "entry", "follow_up", "effect")),
)
CLEAR_SQL: Final = ";".join(f"DELETE FROM {table}" for table in _CLEARED)
VACUUM_SQL: Final = tuple(f"VACUUM {table}" for table in _CLEARED)
_METRICS: Final = Metrics("simulation")
_quiet_log: structlog.stdlib.BoundLogger = structlog.wrap_logger(None, processors=[lambda *_: _drop()])


def _drop() -> Any:
    raise structlog.DropEvent


@dataclass
class Result:
    """What a run came to.

    Attributes:
        history: one line per step that did anything.
        violation: the promise that was broken, None when all held.
        effective: places of these steps among those given.
    """

    outcome: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    violation: str | None = None
    effective: list[int] = field(default_factory=list)
    events: int = 0
    crashes: int = 0
    duplicates: int = 0
    interventions: int = 0


class SimulatedClock(Clock):
    """The machine's time as the kit's clock."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(None)
        self._machine = machine

    def now(self) -> Any:
        """Simulated time."""
        return self._machine.now()


class _Monotonic:
    """In place of the ``time`` module where a worker asks how long ago something was."""

    def __init__(self, machine: Machine) -> None:
        self.monotonic = machine.loop.time
        self.perf_counter = machine.loop.time


@contextmanager
def nothing_left_to_chance(machine: Machine) -> Iterator[None]:
    """Lease sweeps follow simulated time, and keys are drained in an order that PostgreSQL does not choose."""
    real_time, ready_streams = kit_jobs.time, parking.ready_streams

    async def in_order(*arguments: Any) -> Any:
        return sorted(await ready_streams(*arguments))

    kit_jobs.time, parking.ready_streams = _Monotonic(machine), in_order  # type: ignore[assignment]  # for one run
    try:
        yield
    finally:
        kit_jobs.time, parking.ready_streams = real_time, ready_streams


class Looking:
    """A connection for looking, without seams and faults."""

    def __init__(self, machine: Machine) -> None:
        self.real: Any = None
        self._machine = machine

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """All rows."""
        return await self._machine.outside(lambda: self.real.fetch(sql, *arguments))

    async def execute(self, sql: str) -> None:
        """Statements without arguments."""
        await self._machine.outside(lambda: self.real.execute(sql))


class World:
    """The running system: the parts, what they share, and what is known about them."""

    def __init__(self, machine: Machine, connections: Connections, seed: int, plan: Plan, sizes: Sizes) -> None:
        self.machine = machine
        self.plan = plan
        self.sizes = sizes
        self.parts = CALM_PARTS if sizes is CALM_SIZES else PARTS
        self.connections = connections
        self.transport = SimulatedTransport(machine, seed)
        self.databases = [SimulatedDatabase(machine, connections, connections.keys) for _ in range(2)]
        self.hospital = Hospital(machine)
        self.watch = Watch(plan)
        self.forged: set[tuple[str, int, int]] = set()
        self.result = Result()
        self.consumers: list[Consumer] = []
        self.written = {versions[0].encounter_id: 0 for versions in plan}
        self.versions = {versions[0].encounter_id: versions for versions in plan}
        self._acts_looked_at = -1
        self.looking = Looking(machine)

    async def open(self) -> None:
        """Empty tables, every part started."""
        self.looking.real = await self.connections.take(self.machine)
        await self.looking.execute(CLEAR_SQL)
        for part in self.parts:
            self.machine.start(self.machine.add(part, self._maker(part)))
        for encounter_id in self.written:
            self.machine.add(f"writer-{encounter_id}", lambda encounter_id=encounter_id: self._write(encounter_id))
        await self.machine.settle()

    async def close(self) -> None:
        """Every part gone, connections given back."""
        await self.machine.stop_all()
        self.connections.give_back(self.looking.real)

    def _maker(self, part: str) -> Callable[[], Any]:
        name, _, number = part.rpartition("-")
        database = self.databases[int(number) - 1]
        if name == "relay":
            return lambda: Relay(
                database,
                self.transport,
                self.machine.now,
                RelaySettings(round_rows=self.sizes.round_rows, depth=self.sizes.depth),
            ).run()
        if name in CONSUMERS:
            return lambda: self._consumer(name, database, number).run()
        clock = SimulatedClock(self.machine)
        if name == "timers":
            handlers = {"follow-up": self.hospital.follow_up}
            return lambda: TimerWorker(database, handlers, clock, _METRICS, _quiet_log).run()
        kinds = {"transmit": Transmit(self.hospital)}
        return lambda: JobWorker(database, kinds, clock, part, _METRICS, _quiet_log).run()

    def _consumer(self, name: str, database: SimulatedDatabase, member: str) -> Consumer:
        handlers: dict[type[Event], Any] = dict(self.hospital.handlers[name])
        settings = ConsumerSettings(
            max_records=self.sizes.chunk[name], max_attempts=4, dead_run=6, dead_window=60, dead_share=0.2
        )
        consumer = Consumer(
            name, database, self.transport, handlers, self.machine.now, member=member, settings=settings
        )
        self.consumers.append(consumer)
        return consumer

    async def _write(self, encounter_id: str) -> None:
        wanted = self.versions[encounter_id][self.written[encounter_id]]
        with suppress(Exception):
            async with self.databases[0].unit_of_work(TENANT) as uow:
                await write(uow, wanted)
            self.written[encounter_id] += 1

    async def after(self) -> None:
        """What holds at every instant is looked at whenever something was committed."""
        self.machine.note_deaths()
        if self.machine.acts != self._acts_looked_at:
            self._acts_looked_at = self.machine.acts
            await self.watch.look(self.looking, self.hospital.sent)
