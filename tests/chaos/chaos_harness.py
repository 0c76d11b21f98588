"""A run from one seed: the hospital's traffic against a stack of its own, faults meanwhile, then the checker."""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import httpx
from chaos_equipment import PLAIN, RESTART_SECONDS_MAX, Equipment, clock_file
from chaos_nemesis import Nemesis
from chaos_schedule import Action, Targets
from chaos_tools import Filler, Toxiproxy, set_clock
from revcycle_checker import Report, run_check
from revcycle_cli.commands.load import ROLES, services_of
from revcycle_cli.stack import check_inputs
from revcycle_devstack import DEVELOPMENT_TENANT, SERVICES
from revcycle_devstack.connections import RunningStack, connect_to
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.plan import PAYER_PROCESS, StackOptions
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import (
    Api,
    Delivery,
    Pace,
    Simulation,
    facilities_of,
    generate,
    set_up_tenant,
    write_truth,
)
from revcycle_hospital_simulator.watch import Calm
from revcycle_service_kit.auth import ensure_development_key, issue_token

BUSINESS_DATE: Final = date(2026, 9, 30)
SEED: Final = 1
ENCOUNTERS: Final = 100
"""Of the tests, which share one calm run."""
INSTANCES: Final = 2
FILES_PER_REQUEST: Final = 5
ORDER_INVARIANTS: Final = ("E3",)

_TOKENS_VALID_SINCE: Final = timedelta(hours=2)
_TOKEN_SECONDS: Final = 14 * 3600
_PATIENCE_SECONDS: Final = 600.0
"""A command is given again for as long: on a busy machine a broker may take a minute to come back, and dies again."""

_PUBLISHED: Final = """
    SELECT topic, key, max(sequence) AS last, count(DISTINCT sequence) AS events FROM messaging.archive GROUP BY 1, 2
"""
_APPLIED: Final = "SELECT topic, key, max(last_sequence) AS last FROM messaging.stream GROUP BY 1, 2"

# Shorter than a freeze: a request that meets a frozen member is sent to the other one.
_TIMEOUT = httpx.Timeout(6, connect=2)


class NotCalmError(Exception):
    """A run in which nothing went wrong is not as it should be."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run came to: money and outcomes, as compared between runs."""

    ledger_sha256: str
    outcomes: list[dict[str, object]]

    @classmethod
    def of(cls, report: Report) -> "Ending":
        """From the checker's report."""
        return cls(report.ledger_sha256, [asdict(row) for row in report.outcomes])


@dataclass(frozen=True, slots=True)
class Result:
    """A run under faults. ``drained_seconds``: from the end of the last fault until everything was quiet."""

    seed: int
    report: Report
    nemesis: Nemesis
    drained_seconds: float

    @property
    def line(self) -> str:
        """The line that programs read."""
        report = self.report
        return (
            f"chaos: seed={self.seed} kills={self.nemesis.kills.total()} faults={self.nemesis.faults} "
            f"encounters={report.encounters} lost={len(report.lost)} doubled={len(report.doubled)} "
            f"reordered={reordered(report)} unbalanced_cents={report.unbalanced_cents} "
            f"violations={len(report.violations)} drained_seconds={self.drained_seconds:.1f}"
        )

    def differences(self, calm: Ending) -> list[str]:
        """Everything that is not as it was in the calm run, in words; empty when all is well."""
        report, found = self.report, []
        mine = Ending.of(report)
        if mine.ledger_sha256 != calm.ledger_sha256:
            found.append(f"ledger {mine.ledger_sha256[:16]} differs from the calm run's {calm.ledger_sha256[:16]}")
        if mine.outcomes != calm.outcomes:
            found.append(f"outcomes differ from the calm run's: {mine.outcomes} and {calm.outcomes}")
        found += [f"{each.invariant}: {each.detail}" for each in report.violations]
        found += [f"{each.encounter_number}: expected {each.expected}, got {each.got}" for each in report.mismatches]
        if report.unbalanced_cents:
            found.append(f"{report.unbalanced_cents} cents do not balance")
        return found


def reordered(report: Report) -> int:
    """Findings about the order of events."""
    return sum(finding.invariant in ORDER_INVARIANTS for finding in report.violations)


@dataclass(slots=True)
class SettledAt(Calm):
    """Remembers when each wave had come to rest (seconds, monotonic)."""

    moments: list[float] = field(default_factory=list)

    def settled(self, waiting: Sequence[str], fingerprint: object, now: float) -> bool:
        """As `Calm.settled`."""
        # Named in full: a dataclass with slots is another class than the one `super()` would look up.
        is_settled = Calm.settled(self, waiting, fingerprint, now)
        if is_settled:
            self.moments.append(now)
        return is_settled


@dataclass(slots=True)
class Storm:
    """A fresh stack with the tenant set up and a hospital ready to work."""

    seed: int
    encounters: int
    stack: Stack
    api: Api
    payer: httpx.AsyncClient
    equipment: Equipment = PLAIN
    toxiproxy: Toxiproxy | None = None
    settled_at: list[float] = field(default_factory=list)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the services' processes."""
        return tuple(each.name for each in self.stack.processes if each.kind == "service")

    @property
    def targets(self) -> Targets:
        """What there is to break."""
        return self.equipment.targets(self.stack)

    def nemesis(self) -> Nemesis:
        """Something that breaks this stack."""
        disk = StateLayout(self.stack.state_dir).postgresql.parent
        return Nemesis(
            self.stack,
            self.api,
            self.payer,
            self.stack.state_dir / "nemesis.jsonl",
            self.toxiproxy,
            Filler(disk) if self.equipment.disk_mib else None,
            clock_file(self.stack.state_dir) if self.equipment.clocked else None,
        )

    async def play(self, pace: Pace, tell: Callable[[str], None] = lambda text: None) -> None:
        """Send every encounter, play coder, biller and cashier, and return when nothing moves any more."""
        planned = generate(self.seed, self.encounters, BUSINESS_DATE)
        write_truth(self.stack.state_dir / "truth.jsonl", [(each.visit, each.expected) for each in planned])
        simulation = Simulation(
            api=self.api,
            deliveries=[Delivery.planned(each) for each in planned],
            run=f"chaos-{self.seed}",
            deposits_file=StateLayout(self.stack.state_dir).payer / "deposits.csv",
            payer=self.payer,
            tell=lambda board: tell(" ".join(f"{name}={done}" for name, (done, _) in board.stages().items())),
            pace=pace,
            calm=lambda: SettledAt(moments=self.settled_at),
        )
        await simulation.play()

    async def streams_with_gaps(self) -> list[str]:
        """Streams that were not published without a gap, or not applied to their end, by everyone who reads them."""
        published: dict[tuple[str, str], int] = {}
        found = []
        for service in SERVICES:
            for row in await self._fetch(service, _PUBLISHED):
                published[row["topic"], row["key"]] = row["last"]
                if row["last"] != row["events"]:
                    found.append(f"{service} published {row['events']} events up to {row['last']} of {row['topic']}")
        for service in SERVICES:
            applied = {(row["topic"], row["key"]): row["last"] for row in await self._fetch(service, _APPLIED)}
            topics = {topic for topic, _ in applied}
            found += [
                f"{service} applied {applied.get(stream, 0)} of {last} events of a stream of {stream[0]}"
                for stream, last in published.items()
                if stream[0] in topics and applied.get(stream, 0) != last
            ]
        return found

    async def _fetch(self, service: str, sql: str) -> "list[asyncpg.Record]":
        connection = await asyncpg.connect(self.stack.checker_url(service))
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    async def events_published(self, service: str) -> int:
        """How many events a service has brought to its topics so far."""
        return int((await self._fetch(service, "SELECT count(*) FROM messaging.archive"))[0][0])

    async def check(self) -> Report:
        """Every invariant, on what the run has left behind."""
        return await run_check(check_inputs(connect_to(self.stack.state_dir)))


@asynccontextmanager
async def storm(seed: int, encounters: int, state_dir: Path, equipment: Equipment = PLAIN) -> AsyncIterator[Storm]:
    """Start a stack from an empty folder and stop it at the end; every request and answer goes to `history.jsonl`."""
    options = StackOptions(
        state_dir=state_dir,
        instances=INSTANCES,
        simulators=("payer",),
        seed=seed,
        business_date=BUSINESS_DATE,
        fresh=True,
        brokers=equipment.brokers,
        proxied=equipment.proxied,
        postgresql_disk_mib=equipment.disk_mib,
        longest_backoff_seconds=RESTART_SECONDS_MAX,
        extra_environment=equipment.environment(state_dir),
    )
    if equipment.clocked:
        set_clock(clock_file(state_dir), 0)
    async with Stack(options) as stack:
        running = connect_to(stack.state_dir)
        trusted = ssl.create_default_context(cafile=str(StateLayout(stack.state_dir).payer_ca_file))
        payer_url = stack.urls[PAYER_PROCESS]
        toxiproxy = Toxiproxy(f"http://127.0.0.1:{stack.network.api_port}") if stack.network else None
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT, event_hooks=_history(stack.state_dir / "history.jsonl")) as client,
            httpx.AsyncClient(base_url=payer_url, verify=trusted, timeout=_TIMEOUT) as payer,
        ):
            api = _api(running, client)
            await set_up_tenant(api, payer_url, facilities_of(()))
            try:
                yield Storm(seed, encounters, stack, api, payer, equipment, toxiproxy)
            finally:
                if toxiproxy is not None:
                    await toxiproxy.close()


def _api(running: RunningStack, client: httpx.AsyncClient) -> Api:
    """As the hospital calls; its tokens also hold where a clock stands in the past."""
    key = ensure_development_key(running.connections.token_key_file)
    since = datetime.now(UTC) - _TOKENS_VALID_SINCE
    tokens = {
        role: issue_token(key, DEVELOPMENT_TENANT, f"hospital-{role}", [role], _TOKEN_SECONDS, now=since)
        for role in ROLES
    }
    return Api(services_of(running), tokens, client, _PATIENCE_SECONDS)


Hook = Callable[..., Awaitable[None]]


def _history(file: Path) -> dict[str, list[Hook]]:
    """Hooks that write a line before a command is sent and one after its answer; reads are left out."""

    def write(request: httpx.Request, **more: object) -> None:
        if request.method == "GET" or request.url.path.endswith(":search"):
            return
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "url": f"{request.url.host}:{request.url.port}{request.url.path}",
            "key": request.headers.get("idempotency-key"),
            **more,
        }
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")

    async def before(request: httpx.Request) -> None:
        write(request)

    async def after(response: httpx.Response) -> None:
        write(response.request, status=response.status_code)

    return {"request": [before], "response": [after]}


async def calm_run(seed: int, encounters: int, state_dir: Path) -> Ending:
    """The same encounters with nothing going wrong, as fast as they are taken.

    Raises:
        NotCalmError: the calm run itself is not as planted; nothing can be compared with it.
    """
    async with storm(seed, encounters, state_dir) as quiet:
        await quiet.play(Pace())
        report = await quiet.check()
    if not report.ok:
        raise NotCalmError(f"the calm run of seed {seed} is not as planted: {report.violations} {report.mismatches}")
    return Ending.of(report)


async def chaos_run(
    storm: Storm, schedule: Sequence[Action], traffic_seconds: float, tell: Callable[[str], None] = lambda text: None
) -> Result:
    """Traffic for ``traffic_seconds``, the schedule meanwhile; then everything is healed, drained and checked."""
    nemesis = storm.nemesis()
    pace = Pace(files_per_request=FILES_PER_REQUEST, rate_per_second=storm.encounters / traffic_seconds)
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(storm.play(pace, tell))
        await nemesis.run(schedule)
        healed = time.monotonic()
        await playing
    drained = next(moment for moment in storm.settled_at if moment >= healed)
    return Result(storm.seed, await storm.check(), nemesis, drained - healed)


def say(text: str) -> None:
    """A line for the person who waits."""
    sys.stderr.write(f"chaos: {text}\n")
    sys.stderr.flush()
