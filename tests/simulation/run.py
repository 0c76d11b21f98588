"""Seeded simulation: `python tests/simulation/run.py --seeds 2000`, or `make simulate SEEDS=2000`.

Every seed is a small hospital on the real chassis (relays, consumers of two members each, timers, jobs) over real
PostgreSQL and the broker in memory, with simulated time. The seed decides who runs when, what dies, what is lost,
doubled, forged or fails. After every step money must be conserved and no effect may be doubled, passed by or out of
order; at rest everything must equal, hash for hash, a calm run of the same seed. A seed that fails is made as small as
possible and its history printed; `make simulate SEED=n` runs it again, exactly. Exit status 0: nothing was found.
"""

import argparse
import asyncio
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from revcycle_devstack import DevstackError
from revcycle_devstack.layout import StateLayout, default_state_folder
from revcycle_devstack.lending import Lender
from revcycle_devstack.testing import Infrastructure, TestDatabase
from sim_bugs import PLANTS
from sim_ground import Case, Ground, cut, find, shrunk

_BATCH = 5
_BAR = 30
_SEEDS_PER_BUG = 400
_ground: Ground | None = None


@dataclass(frozen=True)
class Count:
    """Sums over some seeds. ``broken``: the first seed that failed, with its violation."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    crashes: int = 0
    duplicates: int = 0
    violations: int = 0
    broken: tuple[int, str] | None = None

    def __add__(self, other: "Count") -> "Count":
        sums = (getattr(self, name) + getattr(other, name) for name in _SUMMED)
        return Count(*sums, broken=min(filter(None, (self.broken, other.broken)), default=None))


_SUMMED = ("seeds", "steps", "events", "crashes", "duplicates", "violations")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds (default: 2000)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: 1)")
    parser.add_argument("--seed", type=int, help="run only this seed and print its whole history")
    parser.add_argument("--workers", type=int, default=2, help="processes, each with its own database (default: 2)")
    parser.add_argument("--bugs", action="store_true", help="plant every known bug and say which seed finds it")
    given = parser.parse_args()
    if given.seeds < 1 or not 1 <= given.workers <= 16:
        parser.error("--seeds is at least 1, --workers is 1 to 16")
    return given


def say(text: str) -> None:
    """A line for people; the last line of standard output is for programs."""
    sys.stderr.write(text + "\n")


@contextmanager
def databases(count: int) -> Iterator[list[TestDatabase]]:
    """Empty databases on the test server, which is started when it does not run."""
    lender = Lender(StateLayout(default_state_folder() / "test"), os.getpid())
    lent = Infrastructure(lender)
    try:

        async def make() -> list[TestDatabase]:
            return [await lent.postgresql.create_database("simulation") for _ in range(count)]

        lent.postgresql  # noqa: B018  # started outside any event loop
        made = asyncio.run(make())
        yield made
        for database in made:
            asyncio.run(lent.postgresql.drop_database(database))
    finally:
        lent.close()
        lender.give_back()


def _begin(waiting: "multiprocessing.Queue[TestDatabase]") -> None:
    """A worker process takes one of the databases."""
    global _ground
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    made = waiting.get(timeout=30)
    _ground = Ground(made.owner_url, made.service_role)


def _run_batch(first: int, count: int) -> Count:
    """Run some seeds in a worker process."""
    assert _ground is not None, "a worker begins with its ground"
    total = Count()
    for seed in range(first, first + count):
        result = _ground.run(Case.of(seed))
        broken = None if result.violation is None else (seed, result.violation)
        sums = (1, len(result.effective), result.events, result.crashes, result.duplicates, int(broken is not None))
        total += Count(*sums, broken=broken)
    return total


def run_seeds(given: argparse.Namespace) -> Count:
    """All seeds on the worker processes; stops at the first batch with a violation."""
    context = multiprocessing.get_context("spawn")
    total = Count()
    with databases(given.workers) as made:
        waiting: multiprocessing.Queue[TestDatabase] = context.Queue()
        for database in made:
            waiting.put(database)
        last = given.first + given.seeds
        batches = [(first, min(_BATCH, last - first)) for first in range(given.first, last, _BATCH)]
        with ProcessPoolExecutor(given.workers, context, _begin, (waiting,)) as pool:
            futures: list[Future[Count]] = [pool.submit(_run_batch, *batch) for batch in batches]
            try:
                for future in as_completed(futures):
                    total += future.result()
                    show(total, given.seeds)
                    if total.broken is not None:
                        break
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    return total


def show(total: Count, seeds: int) -> None:
    """The progress bar, where somebody looks."""
    if sys.stderr.isatty():
        done = _BAR * total.seeds // seeds
        sys.stderr.write(f"\r[{'#' * done}{'.' * (_BAR - done)}] {total.seeds}/{seeds} seeds, {total.steps} steps")
        sys.stderr.write("\n" if total.seeds == seeds else "")
        sys.stderr.flush()
    elif total.seeds % 100 < _BATCH:
        say(f"{total.seeds} of {seeds} seeds, {total.steps} steps")


def explain(seed: int) -> bool:
    """Run one seed and print its history; when it fails, the smallest one that fails too. True: nothing was found."""
    with databases(1) as made:
        ground = Ground(made[0].owner_url, made[0].service_role)
        try:
            case = Case.of(seed)
            result = ground.run(case)
            for number, line in enumerate(result.history, 1):
                say(f"{number:4d}  {line}")
            if result.violation is None:
                return True
            say(f"seed {seed}: {result.violation}\nmaking it smaller ...")
            small, again = shrunk(ground, cut(case, result))
            sizes = ", ".join(f"{name} {size}" for name, size in small.sizes.chunk.items())
            say(f"chunk sizes: {sizes}; relay: {small.sizes.round_rows} rows, {small.sizes.depth} rounds in flight")
            say(f"encounters: {', '.join(f'{versions[0].encounter_id} x{len(versions)}' for versions in small.plan)}")
            for number, line in enumerate(again.history, 1):
                say(f"{number:4d}  {line}")
            say(f"seed {seed}: {again.violation}\nagain: make simulate SEED={seed}")
            return False
        finally:
            ground.close()


def hunt_bugs() -> bool:
    """Plant every known bug; print the seed that finds it and how small its history gets. True: all were found."""
    missed = []
    with databases(1) as made:
        ground = Ground(made[0].owner_url, made[0].service_role)
        try:
            for name, plant in PLANTS.items():
                found = find(ground, plant, range(1, _SEEDS_PER_BUG))
                if found is None:
                    missed.append(name)
                    say(f"{name}: NOT FOUND in {_SEEDS_PER_BUG} seeds")
                    continue
                small, again = shrunk(ground, found[0], plant)
                say(f"{name}: seed {small.seed}, {len(small.steps)} steps: {again.violation}")
        finally:
            ground.close()
    sys.stdout.write(f"simulate: bugs={len(PLANTS)} found={len(PLANTS) - len(missed)}\n")
    return not missed


def main() -> int:
    """Run, and say in words why when it could not end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = arguments()
    started_at = time.monotonic()
    try:
        if given.bugs:
            return 0 if hunt_bugs() else 1
        if given.seed is not None:
            return 0 if explain(given.seed) else 1
        total = run_seeds(given)
        if total.broken is not None:
            say(f"\nseed {total.broken[0]}: {total.broken[1]}")
            explain(total.broken[0])
        sums = " ".join(f"{name}={getattr(total, name)}" for name in _SUMMED)
        sys.stdout.write(f"simulate: {sums} seconds={time.monotonic() - started_at:.0f}\n")
        return 1 if total.broken is not None else 0
    except DevstackError as failure:
        say(str(failure))
    except KeyboardInterrupt:
        say("interrupted; everything was stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main())
