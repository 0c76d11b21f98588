"""`revcycle demo`: a hospital, three payers and everything in between, for a few hundred encounters."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from revcycle_checker import Report
    from revcycle_devstack.connections import RunningStack
    from revcycle_hospital_simulator import Api, Board, Delivery, Pace
    from revcycle_hospital_simulator.catalogue import Facility

BUSINESS_DATE: Final = date(2026, 9, 30)
"""The newest bundled ICD-10-CM release ends here."""

_MISMATCHES_SHOWN: Final = 50
_TABLE_COLUMNS: Final = 100
_KILL_TURN_SECONDS: Final = 0.02
_SECONDS_OF_TRAFFIC_WHEN_KILLING: Final = 30


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for."""

    seed: int
    encounters: int
    instances: int
    source: Path | None
    keep: bool
    kill_each: bool
    as_json: bool
    state_dir: Path
    in_containers: bool = False
    build: bool = True


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same encounters and the same ledger.")] = 1,
    encounters: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many encounters to plan.")] = 300,
    instances: Annotated[int, typer.Option("--instances", "-n", min=1, max=9, help="Processes of each service.")] = 1,
    source: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Send these encounter files instead of planned ones.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running; `revcycle down` stops it.")] = False,
    kill_each: Annotated[
        bool,
        typer.Option("--kill-each", help="Kill every service process once (signal 9) while it has work in flight."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of the table; the last line stays.")
    ] = False,
    stack_kind: Annotated[
        Literal["devstack", "compose"],
        typer.Option("--stack", help="Processes of this machine, or the containers of docker-compose.yml."),
    ] = "devstack",
    build: Annotated[
        bool,
        typer.Option(help="With --stack compose: make the images anew from this checkout, or take those there are."),
    ] = True,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for state, data and logs; emptied first. [default: .revcycle of the checkout, "
            "with --stack compose .revcycle/compose]"
        ),
    ] = None,
) -> None:
    """Bring encounters from the signed note to the posted remittance, over real Kafka and PostgreSQL.

    Starts everything from an empty state, plays the hospital (documentation, a coder, a biller) and three payers, waits
    until nothing moves, checks every invariant, and compares each encounter with what was planted in it. Stops what it
    started; state, logs and the payer's raw bytes stay in the state folder.

    Exit status 0 only when every encounter is settled or waits for a named reason, nothing is lost, doubled or
    unbalanced, and everything ended as planted.
    """
    import signal

    from revcycle_devstack.layout import default_state_folder

    from revcycle_cli.stack import fail

    if source is not None and not source.is_file():
        fail(f"{source} is not a file: give encounter files, one JSON object a line")
    in_containers = stack_kind == "compose"
    if in_containers and (kill_each or instances > 1):
        fail("--instances and --kill-each are for --stack devstack: containers are scaled and killed by Docker")
    default = default_state_folder() / "compose" if in_containers else default_state_folder()
    folder = (state_dir or default).resolve()
    options = DemoOptions(seed, encounters, instances, source, keep, kill_each, as_json, folder, in_containers, build)
    # `kill` takes the same way out as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = _plan(options)
    began = time.monotonic()
    stack = _start(options)
    try:
        ending = _play_and_check(options, plan, stack)
    except KeyboardInterrupt:
        keep = False
        fail("interrupted")
    finally:
        if not keep:
            _stop(folder)
    _say(f"all of it took {time.monotonic() - began:.0f} s")
    sys.stdout.write(_last_line(ending.report) + "\n")
    raise typer.Exit(0 if _is_good(ending) else 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, the facilities to set up, and how the truth is written (not at all for files from outside)."""

    deliveries: Sequence[Delivery]
    facilities: tuple[Facility, ...]
    write_truth: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """The checker's report, and the processes that were to be killed and never were."""

    report: Report
    not_killed: Sequence[str]


def _plan(options: DemoOptions) -> Plan:
    from revcycle_hospital_simulator import Delivery, facilities_of, generate, write_truth

    from revcycle_cli.commands.load import read_lines

    if options.source is None:
        planned = generate(options.seed, options.encounters, BUSINESS_DATE)
        known = [(each.visit, each.expected) for each in planned]
        return Plan(
            [Delivery.planned(each) for each in planned], facilities_of(()), lambda file: write_truth(file, known)
        )
    files = [file for _, file in read_lines(str(options.source))]
    objects = [file for file in files if isinstance(file, dict)]
    return Plan([Delivery(file) for file in files], facilities_of(objects), lambda file: None)


def _start(options: DemoOptions) -> RunningStack:
    """Start a stack of its own from an empty folder.

    Raises:
        DevstackError: another stack runs from the folder, or something could not be started.
    """
    from revcycle_devstack import DevstackError
    from revcycle_devstack.compose import ComposeOptions, start_compose
    from revcycle_devstack.connections import connect_to
    from revcycle_devstack.plan import StackOptions
    from revcycle_devstack.runner import run_detached
    from revcycle_devstack.stack import AlreadyRunningError

    if options.in_containers:
        return start_compose(ComposeOptions(options.state_dir, options.seed, BUSINESS_DATE, options.build), _say)
    wanted = StackOptions(
        state_dir=options.state_dir,
        instances=options.instances,
        simulators=("payer",),
        seed=options.seed,
        business_date=BUSINESS_DATE,
        fresh=True,
        trace_ratio=1,
    )
    try:
        run_detached(wanted, _say)
    except AlreadyRunningError as running:
        raise DevstackError(f"{running}; stop it first: revcycle down") from None
    except KeyboardInterrupt:
        _stop(options.state_dir)
        raise
    return connect_to(options.state_dir)


def _stop(folder: Path) -> None:
    from revcycle_devstack.compose import stop_compose
    from revcycle_devstack.layout import StateLayout
    from revcycle_devstack.stack import GRACE_SECONDS
    from revcycle_devstack.state import stop_everything

    if stop_compose(folder, _say):
        return
    stop_everything(StateLayout(folder), GRACE_SECONDS, _say)


def _play_and_check(options: DemoOptions, plan: Plan, stack: RunningStack) -> Ending:
    """The whole run, then the check of everything it left behind, both shown to the person who waits."""
    import asyncio

    from revcycle_checker import run_check
    from revcycle_hospital_simulator import ServiceUnreachableError, StillWaitingError, UnexpectedAnswerError

    from revcycle_cli.stack import check_inputs, fail

    try:
        not_killed = asyncio.run(_play(options, plan, stack))
    except (ServiceUnreachableError, StillWaitingError, UnexpectedAnswerError) as failure:
        fail(str(failure))
    _say("quiet; checking every invariant")
    report = asyncio.run(run_check(check_inputs(stack)))
    _show_report(report, options)
    _show_findings(report, not_killed)
    if not options.as_json:
        _show_where_to_look(stack, options)
    return Ending(report, not_killed)


async def _play(options: DemoOptions, plan: Plan, stack: RunningStack) -> Sequence[str]:
    """Set the tenant up and let the hospital work; returns the processes that should have been killed and were not."""
    import asyncio
    import secrets
    import ssl

    import httpx
    from revcycle_hospital_simulator import Simulation, set_up_tenant

    from revcycle_cli.commands.load import api_of

    payer_dir = stack.connections.layout.payer
    trusted = ssl.create_default_context(cafile=str(stack.connections.layout.payer_ca_file))
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(30, connect=2)) as client,
        httpx.AsyncClient(base_url=stack.urls["payer-simulator"], verify=trusted) as payer,
    ):
        # Before anything is asked of anybody: the truth is planted, not observed.
        plan.write_truth(options.state_dir / "truth.jsonl")
        api = api_of(stack, client)
        await set_up_tenant(api, stack.payer_door, plan.facilities)
        killer = _Killer(api, options.state_dir) if options.kill_each else None
        with _Stages() as stages:

            def tell(board: Board) -> None:
                stages.show(board)
                if killer is not None:
                    killer.watch(board)

            simulation = Simulation(
                api=api,
                deliveries=plan.deliveries,
                run=secrets.token_hex(8),
                deposits_file=payer_dir / "deposits.csv",
                payer=payer,
                tell=tell,
                pace=_pace(options, len(plan.deliveries)),
            )
            killing = asyncio.create_task(killer.work()) if killer else None
            await simulation.play()
            if killing is not None:
                killing.cancel()
            return sorted(killer.pending) if killer else ()


def _pace(options: DemoOptions, encounters: int) -> Pace:
    """As fast as registration answers; slower when processes are to be killed, so that each gets its share of work."""
    from revcycle_hospital_simulator import Pace

    if not options.kill_each:
        return Pace()
    return Pace(files_per_request=10, rate_per_second=encounters / _SECONDS_OF_TRAFFIC_WHEN_KILLING)


class _Killer:
    """Kills every service process once, when its own figures say that it has work in flight.

    It begins when the first remittance has been posted: then all services are at work.
    """

    def __init__(self, api: Api, folder: Path) -> None:
        import asyncio

        from revcycle_devstack.layout import StateLayout
        from revcycle_devstack.state import read_state

        self._api = api
        self._begin = asyncio.Event()
        recorded = read_state(StateLayout(folder))
        assert recorded is not None, "the stack has just been started"
        self.pending = {one.name: one.identity for one in recorded.processes if one.kind == "service" and one.identity}

    def watch(self, board: Board) -> None:
        """See how far the run has come."""
        if board.stages()["posted"][0]:
            self._begin.set()

    async def work(self) -> None:
        """Look and kill until none is left."""
        import asyncio
        import signal

        from revcycle_hospital_simulator import read_messaging

        await self._begin.wait()
        while self.pending:
            for reading in await read_messaging(self._api, self.pending):
                identity = self.pending.get(reading.process)
                if reading.figures is not None and reading.work_in_flight and identity is not None:
                    identity.send(signal.SIGKILL)
                    del self.pending[reading.process]
                    figures = reading.figures
                    _say(
                        f"killed {reading.process} (pid {identity.pid}) with work in flight: outbox "
                        f"{figures['outbox_rows']}, open jobs {reading.open_jobs}, chunk {figures['chunk_in_flight']}"
                    )
            await asyncio.sleep(_KILL_TURN_SECONDS)


class _Stages:
    """The progress bars on standard error: how many encounters have passed each stage."""

    def __init__(self) -> None:
        from revcycle_hospital_simulator import STAGES
        from rich.console import Console

        from revcycle_cli.commands.load import progress_bar

        self._progress = progress_bar(Console(stderr=True))
        self._tasks = {stage: self._progress.add_task(stage, total=None) for stage in STAGES}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, board: Board) -> None:
        """Bring the bars up to date."""
        for stage, (done, expected) in board.stages().items():
            self._progress.update(self._tasks[stage], completed=done, total=expected)


def _show_report(report: Report, options: DemoOptions) -> None:
    if options.as_json:
        import json
        from dataclasses import asdict

        sys.stdout.write(json.dumps(asdict(report), default=str) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("outcome")
    money = ("charged", "paid", "adjusted", "patient", "open")
    for title in ("encounters", *money):
        table.add_column(title, justify="right")
    for row in report.outcomes:
        cents = [getattr(row, f"{name}_cents") for name in money]
        table.add_row(row.outcome, f"{row.encounters:,}", *map(_dollars, cents))
    totals = [sum(getattr(row, f"{name}_cents") for row in report.outcomes) for name in money]
    count = sum(row.encounters for row in report.outcomes)
    table.add_row("all", f"{count:,}", *map(_dollars, totals), style="bold")
    # Whole amounts even where the terminal is narrow or there is none.
    console = Console(highlight=False)
    console.width = max(console.width, _TABLE_COLUMNS)
    console.print(table)


def _dollars(cents: int) -> str:
    sign, whole = "-" if cents < 0 else "", abs(cents)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"


def _show_findings(report: Report, not_killed: Sequence[str]) -> None:
    for finding in report.violations:
        _say(f"{finding.invariant}: {finding.detail}")
    for mismatch in report.mismatches[:_MISMATCHES_SHOWN]:
        _say(f"{mismatch.encounter_number}: expected {mismatch.expected}, got {mismatch.got} ({mismatch.why})")
    if len(report.mismatches) > _MISMATCHES_SHOWN:
        _say(f"… and {len(report.mismatches) - _MISMATCHES_SHOWN} more that did not end as planted")
    if not_killed:
        _say(f"never seen with work in flight, so not killed: {', '.join(not_killed)}")


def _show_where_to_look(stack: RunningStack, options: DemoOptions) -> None:
    from rich.console import Console

    from revcycle_cli.commands.load import services_of

    console = Console(highlight=False, soft_wrap=True)
    console.print("\nAPI documentation" + ("" if options.keep else " (while a stack runs: revcycle demo --keep)"))
    for service, (url, *_) in services_of(stack).items():
        console.print(f"  {service:<22}{url}/docs")
    console.print("Where to look next")
    folder = options.state_dir
    if options.keep:
        console.print("  revcycle trace ENCOUNTER     the whole life of one encounter, claim or remittance")
        console.print("  revcycle check               every invariant again")
        console.print("  revcycle ledger              the double-entry ledger by account")
        console.print("  revcycle down                stop everything")
    if options.source is None:
        console.print(f"  {folder / 'truth.jsonl'}   what was planted, and why")
    console.print(f"  {folder / 'payer' / 'raw.jsonl'}   every byte the payers received and sent")
    console.print(f"  {folder / 'logs'}   one log per process\n")


def _last_line(report: Report) -> str:
    """The line that programs read."""
    expected = "" if report.as_expected is None else f" as_expected={report.as_expected}"
    return (
        f"demo: encounters={report.encounters} settled={report.settled} waiting={report.waiting}{expected} "
        f"lost={len(report.lost)} doubled={len(report.doubled)} unbalanced_cents={report.unbalanced_cents} "
        f"ledger={report.ledger_sha256[:16]}"
    )


def _is_good(ending: Ending) -> bool:
    """Nothing lost, doubled or unbalanced, everything accounted for and as planted, and every kill took place."""
    report = ending.report
    whole = report.settled + report.waiting == report.encounters
    broken = len(report.lost) + len(report.doubled) + report.unbalanced_cents
    as_planted = report.as_expected is None or report.as_expected == report.encounters
    return whole and not broken and as_planted and not ending.not_killed


def _say(text: str) -> None:
    sys.stderr.write(f"revcycle: {text}\n")
    sys.stderr.flush()
