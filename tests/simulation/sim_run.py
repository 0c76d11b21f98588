"""One simulated run: the whole small system, the steps applied to it, the way to rest, and what is found."""

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from revcycle_events import Event
from revcycle_messaging import Consumer, ConsumerSettings, Relay, RelaySettings, parking
from revcycle_messaging.interventions import Selection, redrive
from revcycle_messaging.testing import TENANT
from revcycle_messaging.transports import OutgoingRecord
from revcycle_service_kit import jobs as kit_jobs
from revcycle_service_kit.clock import Clock
from revcycle_service_kit.jobs import JobResult, JobWorker, resolve_jobs
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.timers import TimerWorker
from sim_business import Hospital, Plan, Transmit, Write, write
from sim_checks import Violation, Watch, look_at_quarantine, look_at_topics, outcome_of
from sim_machine import Actor, Machine
from sim_seams import PARTITIONS, Connections, SimulatedDatabase, SimulatedTransport
from sim_steps import CALM_PARTS, CALM_SIZES, CONSUMERS, PARTS, Sizes, Step

ROUNDS_LIMIT: Final = 3000
_PASSES_LIMIT: Final = 50
_IDLE: Final = ("fetch", "read")
"""Seams at which a part asks for work."""
_REST_SECONDS: Final = (20_000.0, 400.0, 400.0, 400.0, 400.0, 400.0)
"""Longer than any backoff; the first is longer than any follow-up."""
_METRICS: Final = Metrics("simulation")
_READERS: Final = {
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
_FAILED_SQL: Final = "SELECT DISTINCT consumer FROM messaging.parked_event WHERE state = 'dead' OR attempts > 0"
_RESTING_SQL: Final = """
    SELECT (SELECT count(*) FROM messaging.outbox) AS outbox,
        (SELECT count(*) FROM messaging.stream WHERE parked_since IS NOT NULL) AS parked,
        (SELECT count(*) FROM messaging.job WHERE state <> 'done') AS jobs,
        (SELECT count(*) FROM messaging.timer WHERE name = 'follow-up') AS timers
"""
_quiet_log: structlog.stdlib.BoundLogger = structlog.wrap_logger(None, processors=[lambda *_: _drop()])


def _drop() -> Any:
    raise structlog.DropEvent


@dataclass
class Result:
    """What a run came to.

    Attributes:
        history: one line per step that did anything.
        violation: the promise that was broken, None when all held.
        given: how many steps were given before it ended; steps: how many of them did anything.
    """

    outcome: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    violation: str | None = None
    given: int = 0
    steps: int = 0
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
        self._consumers: list[Consumer] = []
        self._written = {versions[0].encounter_id: 0 for versions in plan}
        self._versions = {versions[0].encounter_id: versions for versions in plan}
        self._acts_looked_at = -1
        self._looking: Any = None

    async def open(self) -> None:
        """Empty tables, every part started."""
        self._looking = await self.connections.take(self.machine)
        await self.machine.outside(lambda: self._looking.execute(CLEAR_SQL))
        for part in self.parts:
            self.machine.start(self.machine.add(part, self._maker(part)))
        for encounter_id in self._written:
            self.machine.add(f"writer-{encounter_id}", lambda encounter_id=encounter_id: self._write(encounter_id))
        await self.machine.settle()

    async def close(self) -> None:
        """Every part gone, connections given back."""
        await self.machine.stop_all()
        self.connections.give_back(self._looking)

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
        self._consumers.append(consumer)
        return consumer

    async def _write(self, encounter_id: str) -> None:
        wanted = self._versions[encounter_id][self._written[encounter_id]]
        with suppress(Exception):
            await write_once(self.databases[0], wanted)
            self._written[encounter_id] += 1

    # Steps

    async def apply(self, step: Step) -> str | None:
        """Do a step; what it did, or None when there was nothing to do."""
        act: Callable[[Step], Awaitable[str | None]] = getattr(self, f"_do_{step.kind}")
        return await act(step)

    async def after(self) -> None:
        """What holds at every instant is looked at whenever something was committed."""
        self.machine.note_deaths()
        if self.machine.acts != self._acts_looked_at:
            self._acts_looked_at = self.machine.acts
            await self.watch.look(_Plain(self.machine, self._looking), self.hospital.sent)

    async def _do_go(self, step: Step) -> str | None:
        actor = self.machine.actors[step.who]
        passed = []
        for _ in range(int(step.count)):
            if not actor.seams:
                break
            seam = actor.seams[-1]
            passed.append(seam.name)
            await self.machine.release(actor, seam)
        return f"{step.who} goes on: {', '.join(passed)}" if passed else None

    async def _do_write(self, step: Step) -> str | None:
        actor = self.machine.actors.get(f"writer-{step.who}")
        if actor is None or actor.alive or self._written[step.who] >= len(self._versions[step.who]):
            return None
        version = self._written[step.who] + 1
        self.machine.start(actor)
        how, _, what = step.how.partition(" ")
        if how == "dies":
            actor.crash_at = what
        elif how == "commit":
            actor.commit_fault = what
        elif how == "statement":
            actor.statements_until_error = 3
        await self.machine.settle()
        if step.how != "held":
            await self._release_all(actor)
        return f"{step.who} version {version} is written{f' ({step.how})' if step.how else ''}"

    async def _do_release(self, step: Step) -> str | None:
        actor = self.machine.actors.get(f"writer-{step.who}")
        if actor is None or not actor.seams:
            return None
        await self._release_all(actor)
        return f"the held transaction of {step.who} commits"

    async def _release_all(self, actor: Actor) -> None:
        while actor.seams:
            await self.machine.release(actor, actor.seams[0])

    async def _do_tick(self, step: Step) -> str | None:
        await self.machine.advance(step.count)
        return f"{step.count:g} s pass"

    async def _outcome_at(self, part: str, seam_name: str, outcome: str) -> bool:
        actor = self.machine.actors[part]
        seam = next((seam for seam in actor.seams if seam.name == seam_name), None)
        if seam is None:
            return False
        await self.machine.release(actor, seam, outcome)
        return True

    async def _do_send(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "send", f"{step.how} {step.count:g}")
        return f"{step.who} sends: {step.how} at record {step.count:g}" if done else None

    async def _do_offsets(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "offsets", "lost")
        return f"{step.who} commits offsets to no effect" if done else None

    async def _do_drop(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "fetch", "dropped")
        return f"{step.who} loses its broker connection" if done else None

    async def _do_unanswered(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "transmit", "lost")
        return f"{step.who} transmits and gets no answer" if done else None

    async def _do_crash(self, step: Step) -> str | None:
        self.machine.actors[step.who].crash_at = step.how
        return f"{step.who} will die at {step.how}"

    async def _do_kill(self, step: Step) -> str | None:
        actor = self.machine.actors[step.who]
        if not actor.alive:
            return None
        where = ", ".join(seam.name for seam in actor.seams) or "asleep"
        await self.machine.kill(actor)
        return f"{step.who} is killed ({where})"

    async def _do_start(self, step: Step) -> str | None:
        actor = self.machine.actors[step.who]
        if actor.alive:
            return None
        self.machine.start(actor)
        await self.machine.settle()
        return f"{step.who} starts again"

    async def _do_break(self, step: Step) -> str | None:
        self.machine.actors[step.who].statements_until_error = int(step.count)
        return f"{step.who} will lose its database connection at statement {step.count:g} from now"

    async def _do_commit_fault(self, step: Step) -> str | None:
        self.machine.actors[step.who].commit_fault = step.how
        return f"{step.who} will have its next commit {step.how}"

    async def _do_expel(self, step: Step) -> str | None:
        group, _, number = step.who.rpartition("-")
        for member in self.transport.broker.groups.get(group, []):
            if member.member == number:
                self.transport.broker.groups[group].remove(member)
                member.next_offsets = {}
                self.transport.broker.rebalance(group)
                return f"{step.who} is thrown out of its group and does not know"
        return None

    async def _do_rebalance(self, step: Step) -> str | None:
        self.transport.broker.rebalance(step.who)
        return f"the group {step.who} rebalances"

    async def _do_sever(self, step: Step) -> str | None:
        for database in self.databases:
            if step.who in database.direct and self.machine.actors[step.who].alive:
                await database.direct[step.who].sever()
                return f"{step.who} loses its locks and has not noticed"
        return None

    async def _do_duplicate(self, step: Step) -> str | None:
        """Some records once more, shuffled across keys, in order within each."""
        chance = random.Random(step.how)
        places = sorted(place for place, log in self.transport.broker.logs.items() if log)
        if not places:
            return None
        place = chance.choice(places)
        log = self.transport.broker.logs[place]
        start = chance.randrange(len(log))
        wanted = range(start, min(len(log), start + chance.randint(1, 8)))
        runs: dict[str, list[OutgoingRecord]] = {}
        for offset in wanted:
            if (*place, offset) not in self.forged:
                runs.setdefault(log[offset].key, []).append(log[offset])
        for _ in range(int(step.count)):
            order = [key for key, records in runs.items() for _ in records]
            chance.shuffle(order)
            again = {key: list(records) for key, records in runs.items()}
            for key in order:
                self.transport.broker.append(again[key].pop(0))
        return f"{len(wanted)} records of {place[0]}/{place[1]} from {start} arrive {step.count:g} more times"

    async def _do_rewind(self, step: Step) -> str | None:
        committed = self.transport.broker.committed
        for group, place in committed:
            if group == step.who:
                committed[group, place] = max(0, committed[group, place] - int(step.count))
        self.transport.broker.rebalance(step.who)
        return f"the offsets of {step.who} go back by {step.count:g}"

    async def _do_forge(self, step: Step) -> str | None:
        """A record with one byte of its amounts changed."""
        chance = random.Random(step.how)
        logs = self.transport.broker.logs
        genuine_at = [
            (place, offset)
            for place in sorted(logs)
            for offset in range(len(logs[place]))
            if place[0] in _READERS and (*place, offset) not in self.forged
        ]
        if not genuine_at:
            return None
        place, offset = chance.choice(genuine_at)
        log = logs[place]
        genuine = log[offset]
        at = genuine.value.index(b":[") + 2 if b":[" in genuine.value else 2
        byte = b"1" if genuine.value[at : at + 1] != b"1" else b"2"
        self.forged.add((*place, len(log)))
        self.transport.broker.append(
            OutgoingRecord(
                genuine.topic, genuine.key, genuine.value[:at] + byte + genuine.value[at + 1 :], genuine.headers
            )
        )
        return f"a forged record of {genuine.key} arrives on {place[0]}/{place[1]}"

    async def _do_poison(self, step: Step) -> str | None:
        encounter_id, _, mode = step.how.partition(" ")
        if encounter_id not in self._versions:
            return None
        self.hospital.poison.bad[step.who, encounter_id] = mode
        return f"{step.who} fails on {encounter_id} from now on: {mode}"

    async def _do_deploy(self, step: Step) -> str | None:
        self.hospital.poison.bad[step.who, None] = step.how
        return f"a bad version of {step.who} is deployed: {step.how}"

    async def _do_fix(self, step: Step) -> str | None:
        bad = self.hospital.poison.bad
        gone = [key for key in bad if key[0] == step.who]
        for key in gone:
            del bad[key]
        return f"{step.who} is corrected" if gone else None

    async def _do_redrive(self, step: Step) -> str | None:
        count = await redrive(
            self.databases[0], Selection(step.who), actor="simulated biller", reason="simulated", now=self.machine.now()
        )
        self.result.interventions += count
        return f"{count} failed events of {step.who} are redriven" if count else None

    # Rest

    async def heal(self) -> None:
        """No more faults: everything runs, in turn, until nothing is left to do.

        Raises:
            Violation: it does not come to rest.
        """
        self.hospital.poison.bad.clear()
        for actor in self.machine.actors.values():
            actor.crash_at = actor.statements_until_error = actor.commit_fault = None
        resting = 0
        for _ in range(ROUNDS_LIMIT):
            worked = await self._round()
            await self.after()
            if worked:
                resting = 0
                continue
            if resting and await self._at_rest() is None:
                return
            if resting == len(_REST_SECONDS):
                break
            await self._unstick()
            await self.machine.advance(_REST_SECONDS[resting])
            await self.after()
            resting += 1
        raise Violation(f"the system does not come to rest: {await self._at_rest()}")

    async def _round(self) -> bool:
        """Every part once: started if it is down, let on until it asks for more work; whether any had some."""
        worked = False
        for name in list(self.machine.actors):
            actor = self.machine.actors[name]
            if not actor.alive:
                if not self._wanted(name):
                    continue
                self.machine.start(actor)
                await self.machine.settle()
            for _ in range(_PASSES_LIMIT):
                if not actor.seams:
                    break
                seam = actor.seams[-1]
                await self.machine.release(actor, seam)
                if seam.name in _IDLE and not (actor.seams and actor.seams[-1].name not in _IDLE):
                    break
                worked = worked or seam.name not in _IDLE
        return worked

    def _wanted(self, name: str) -> bool:
        """Whether a part that is down has something to do: a writer that has written everything has not."""
        encounter_id = name.removeprefix("writer-")
        return encounter_id == name or self._written[encounter_id] < len(self._versions[encounter_id])

    async def _unstick(self) -> None:
        """What persons do when everything else rests: redrive what failed, ask about what is unknown."""
        looking = _Plain(self.machine, self._looking)
        for row in await looking.fetch(_FAILED_SQL):
            await self._do_redrive(Step("redrive", row["consumer"]))
        rows = await looking.fetch("SELECT job_id, payload FROM messaging.job WHERE state IN ('unknown', 'failed')")
        if rows:
            answers = {
                row["job_id"]: JobResult.done()
                if row["payload"]["claim"] in self.hospital.sent
                else JobResult.retry("not found", at=self.machine.now())
                for row in rows
            }
            async with self.databases[0].unit_of_work(TENANT) as uow:
                await resolve_jobs(uow, answers, self.machine.now())

    async def _at_rest(self) -> str | None:
        """What is left to do, or None."""
        row = (await _Plain(self.machine, self._looking).fetch(_RESTING_SQL))[0]
        left = [f"{row[name]} in {name}" for name in ("outbox", "parked", "jobs", "timers") if row[name]]
        broker = self.transport.broker
        for topic, groups in _READERS.items():
            for group in groups:
                for partition in range(PARTITIONS):
                    place = (topic, partition)
                    behind = len(broker.logs.get(place, [])) - broker.committed.get((group, place), 0)
                    if behind:
                        left.append(f"{group} {behind} behind on {topic}/{partition}")
        return "; ".join(left) or None

    async def finish(self) -> None:
        """Everything that must hold at rest. Raises Violation."""
        looking = _Plain(self.machine, self._looking)
        await look_at_topics(looking, self.transport.broker, self.forged)
        await look_at_quarantine(looking, self.forged, _READERS)
        self.result.outcome = await outcome_of(looking, self.hospital.sent)
        self.result.events = (await looking.fetch("SELECT count(*) FROM messaging.archive"))[0][0]
        self.result.duplicates = sum(consumer.duplicates for consumer in self._consumers)


class _Plain:
    """A connection for looking, without seams and faults."""

    def __init__(self, machine: Machine, real: Any) -> None:
        self._machine = machine
        self._real = real

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """All rows."""
        return await self._machine.outside(lambda: self._real.fetch(sql, *arguments))


async def write_once(database: SimulatedDatabase, wanted: Write) -> None:
    """One producing transaction."""
    async with database.unit_of_work(TENANT) as uow:
        await write(uow, wanted)


async def simulate(
    machine: Machine,
    connections: Connections,
    seed: int,
    plan: Plan,
    sizes: Sizes,
    steps: Sequence[Step],
    plant: Callable[[World], AbstractContextManager[None]] = lambda world: nullcontext(),
) -> Result:
    """Run the steps, heal, check. Never raises Violation: it is in the result. ``plant`` breaks the world on purpose."""
    world = World(machine, connections, seed, plan, sizes)
    result = world.result
    try:
        with nothing_left_to_chance(machine), plant(world):
            await world.open()
            for step in steps:
                result.given += 1
                line = await world.apply(step)
                if line is not None:
                    result.steps += 1
                    result.history.append(line)
                await world.after()
            result.history.append("no more faults; everything runs until it rests")
            await world.heal()
            await world.finish()
    except Violation as broken:
        result.violation = str(broken)
    finally:
        result.crashes = machine.crashes
        await world.close()
    return result

