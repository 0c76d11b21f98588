"""The frame of every benchmark: what one declares, interleaved rounds, the line it prints, the figures beside it.

A benchmark is a module ``bench_*.py`` with a tuple ``BENCHES``; README.md says in ten lines how to add one.
"""

import gc
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ground import Ground

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Measure:
    """A figure (per second, or milliseconds), and microseconds of processor time per piece: Python's, the servers'.

    These are steadier than the figure on a machine that others use too; 0 where they say nothing.
    """

    figure: float
    python_microseconds: float = 0.0
    servers_microseconds: float = 0.0


@dataclass(frozen=True)
class Round:
    """Ours and the floor's, measured right after each other."""

    value: Measure
    floor: Measure


OneRound = Callable[[], Awaitable[Mapping[str, Round]]]
Prepare = Callable[[Ground], AbstractAsyncContextManager[OneRound]]


@dataclass(frozen=True)
class Line:
    """One line of the report. ``ratio_min``: least median ratio to the floor; ``value_max``: a wait not to exceed.

    The ratio of a wait (``value_max`` or ``lower_is_better``) is floor / value, so that more is better everywhere.
    """

    name: str
    unit: str
    ratio_min: float | None = None
    value_max: float | None = None
    lower_is_better: bool = False

    def ratio(self, one: Round) -> float:
        """How ours compares with the floor in one round; more is better."""
        value, floor = one.value.figure, one.floor.figure
        return floor / value if self.lower_is_better or self.value_max is not None else value / floor


@dataclass(frozen=True)
class Bench:
    """Lines that are measured together. ``prepare`` sets everything up once and yields what runs one round.

    ``rounds`` bounds how many rounds count (a round of the whole stack is long); ``warm_up`` rounds do not count.
    """

    name: str
    lines: tuple[Line, ...]
    prepare: Prepare
    rounds: int | None = None
    warm_up: int = 1


@dataclass(frozen=True)
class Outcome:
    """What one line came to."""

    line: Line
    value: float
    floor: float
    ratio: float
    ratio_range: tuple[float, float]
    value_range: tuple[float, float]
    rounds: int

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where there is none."""
        if self.line.value_max is not None:
            return self.value <= self.line.value_max
        return None if self.line.ratio_min is None else self.ratio >= self.line.ratio_min

    @property
    def target(self) -> str:
        """The target as a person reads it."""
        if self.line.value_max is not None:
            return f"<= {self.line.value_max:g} {self.line.unit}"
        return "" if self.line.ratio_min is None else f"ratio >= {self.line.ratio_min:.2f}"


def pure(
    name: str, unit: str, value: Callable[[], int], floor: Callable[[], int], ratio_min: float | None = None
) -> Bench:
    """A benchmark of plain functions: each does its work once and returns how many pieces it did. Needs no servers."""

    @asynccontextmanager
    async def prepare(_: Ground) -> AsyncIterator[OneRound]:
        async def one_round() -> Mapping[str, Round]:
            return {name: Round(timed(value), timed(floor))}

        yield one_round

    return Bench(name, (Line(name, unit, ratio_min),), prepare)


def timed(work: Callable[[], int]) -> Measure:
    """How fast a plain function was, the garbage before it collected."""
    gc.collect()
    started, busy = time.perf_counter(), time.process_time()
    pieces = work()
    return Measure(pieces / (time.perf_counter() - started), (time.process_time() - busy) / pieces * 1e6)


async def measured(pieces: int, work: Awaitable[Any]) -> Measure:
    """How fast some awaited work was, the garbage before it collected."""
    gc.collect()
    started, busy = time.perf_counter(), time.process_time()
    await work
    return Measure(pieces / (time.perf_counter() - started), (time.process_time() - busy) / pieces * 1e6)


def discover(folder: Path = HERE) -> list[Bench]:
    """Every benchmark of every ``bench_*.py``, in order of module; ValueError when two lines have one name."""
    benches: list[Bench] = []
    for path in sorted(folder.glob("bench_*.py")):
        benches += importlib.import_module(path.stem).BENCHES
    names = [line.name for bench in benches for line in bench.lines]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two lines of the report are called {', '.join(twice)}: each needs a name of its own")
    return benches


def chosen(benches: Sequence[Bench], names: Sequence[str]) -> list[Bench]:
    """The benchmarks of these names (of a benchmark or of one of its lines); ValueError names those that are none."""
    known = {bench.name for bench in benches} | {line.name for bench in benches for line in bench.lines}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [
        bench
        for bench in benches
        if not names or bench.name in names or any(line.name in names for line in bench.lines)
    ]


async def run_bench(bench: Bench, ground: Ground, rounds: int, folder: Path) -> list[Outcome]:
    """Run one benchmark: its warm-up, which does not count, and its rounds; each is told on standard error."""
    wanted = min(rounds, bench.rounds or rounds)
    load = os.getloadavg()[0]
    tell(f"{bench.name}: {wanted} rounds after {bench.warm_up} to warm up; load {load:.2f}")
    found: list[Mapping[str, Round]] = []
    async with bench.prepare(ground) as one_round:
        for number in range(bench.warm_up + wanted):
            found.append(await one_round())
            count = number - bench.warm_up + 1
            kind = f"round {count} of {wanted}" if count > 0 else "warm-up"
            told = "; ".join(f"{name} {_told(one.value)}, floor {_told(one.floor)}" for name, one in found[-1].items())
            tell(f"{bench.name}: {kind}: {told}")
    return [report(line, [one[line.name] for one in found[bench.warm_up :]], load, folder) for line in bench.lines]


def report(line: Line, rounds: Sequence[Round], load: float, folder: Path) -> Outcome:
    """Print the line and write its figures beside it."""
    ratios = [line.ratio(one) for one in rounds]
    values = [one.value.figure for one in rounds]
    outcome = Outcome(
        line,
        median(values),
        median(one.floor.figure for one in rounds),
        median(ratios),
        (min(ratios), max(ratios)),
        (min(values), max(values)),
        len(rounds),
    )
    sys.stdout.write(
        f"bench {line.name} value={outcome.value:.0f} unit={line.unit} "
        f"floor={outcome.floor:.0f} ratio={outcome.ratio:.2f}\n"
    )
    sys.stdout.flush()
    content = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load_before": load},
        "met": outcome.met,
        **{name: value for name, value in asdict(outcome).items() if name not in {"line", "rounds"}},
        **asdict(line),
        "rounds": [asdict(one) for one in rounds],
    }
    (folder / f"{line.name}.json").write_text(json.dumps(content, indent=2) + "\n")
    return outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """All lines for the person who waited: medians, ranges, targets."""
    rows = [("benchmark", "value", "unit", "floor", "ratio", "range", "rounds", "target", "")]
    for one in outcomes:
        verdict = {True: "met", False: "MISSED", None: ""}[one.met]
        figures = (f"{one.value:,.0f}", one.line.unit, f"{one.floor:,.0f}", f"{one.ratio:.2f}")
        spread = f"{one.ratio_range[0]:.2f}-{one.ratio_range[1]:.2f}"
        rows.append((one.line.name, *figures, spread, str(one.rounds), one.target, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def tell(text: str) -> None:
    """Progress goes to standard error: standard output holds the lines alone."""
    sys.stderr.write(text.rstrip() + "\n")


def _told(measure: Measure) -> str:
    if not measure.python_microseconds:
        return f"{measure.figure:,.0f}"
    servers = f" and {measure.servers_microseconds:.0f} us of servers" if measure.servers_microseconds else ""
    return f"{measure.figure:,.0f} ({measure.python_microseconds:.0f} us of Python{servers} each)"
