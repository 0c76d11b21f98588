"""A run from one seed: the hospital's traffic against a stack of its own, faults meanwhile, then the checker."""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import httpx
from chaos_nemesis import Nemesis
from chaos_schedule import Action
from revcycle_checker import Report, run_check
from revcycle_cli.commands.load import api_of
from revcycle_cli.stack import check_inputs
from revcycle_devstack.connections import connect_to
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

BUSINESS_DATE: Final = date(2026, 9, 30)
SEED: Final = 1
ENCOUNTERS: Final = 100
"""Of the tests, which share one calm run."""
_LONG: Final = bool(os.environ.get("REVCYCLE_CHAOS_LONG"))
FROZEN_SECONDS: Final = 60.0 if _LONG else 15.0
OUTAGE_SECONDS: Final = 60.0 if _LONG else 10.0
INSTANCES: Final = 2
FILES_PER_REQUEST: Final = 5
ORDER_INVARIANTS: Final = ("E3",)

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
    settled_at: list[float] = field(default_factory=list)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the services' processes."""
        return tuple(each.name for each in self.stack.processes if each.kind == "service")

    def nemesis(self) -> Nemesis:
        """Something that breaks this stack."""
        return Nemesis(self.stack, self.api, self.payer, self.stack.state_dir / "nemesis.jsonl")

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

    async def check(self) -> Report:
        """Every invariant, on what the run has left behind."""
        return await run_check(check_inputs(connect_to(self.stack.state_dir)))


@asynccontextmanager
async def storm(seed: int, encounters: int, state_dir: Path) -> AsyncIterator[Storm]:
    """Start a stack from an empty folder and stop it at the end; every request and answer goes to `history.jsonl`."""
    options = StackOptions(
        state_dir=state_dir,
        instances=INSTANCES,
        simulators=("payer",),
        seed=seed,
        business_date=BUSINESS_DATE,
        fresh=True,
    )
    async with Stack(options) as stack:
        running = connect_to(stack.state_dir)
        trusted = ssl.create_default_context(cafile=str(StateLayout(stack.state_dir).payer_ca_file))
        payer_url = stack.urls[PAYER_PROCESS]
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT, event_hooks=_history(stack.state_dir / "history.jsonl")) as client,
            httpx.AsyncClient(base_url=payer_url, verify=trusted, timeout=_TIMEOUT) as payer,
        ):
            api = api_of(running, client)
            await set_up_tenant(api, payer_url, facilities_of(()))
            yield Storm(seed, encounters, stack, api, payer)


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
