"""Chaos on real processes: `python tests/chaos/run.py --minutes 10 --seed 1`, or `make chaos MINUTES=10 SEED=1`.

The hospital works for the whole time while services, Kafka, PostgreSQL and the payer are killed, frozen and taken down,
connections go bad, PostgreSQL's disk is full, a clock is wrong and all topics are lost and rebuilt from the archives.
At the end everything is healed; the run must come to rest, break no invariant, and end to the cent like a run of the
same seed in which nothing went wrong. Exit status 0 only then.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from chaos_equipment import find_equipment, member_names
from chaos_harness import INSTANCES, Ending, NotCalmError, Result, calm_run, chaos_run, say, storm
from chaos_schedule import draw_schedule
from chaos_topics import TopicsNotRebuiltError
from revcycle_devstack import DevstackError
from revcycle_devstack.layout import default_state_folder
from revcycle_hospital_simulator import ServiceUnreachableError, StillWaitingError, UnexpectedAnswerError

_ENCOUNTERS_PER_SECOND = 1.5
_TELL_EVERY_SECONDS = 30.0
_DIFFERENCES_SHOWN = 40
_FAILURES = (
    *(DevstackError, NotCalmError, TopicsNotRebuiltError),
    *(ServiceUnreachableError, StillWaitingError, UnexpectedAnswerError),
)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long things go wrong (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="decides encounters and faults (default: 1)")
    parser.add_argument("--encounters", type=int, help="how many are planned (default: 1.5 a second)")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="Kafka nodes (default: 1)")
    parser.add_argument("--state-dir", type=Path, help="folder for both runs (default: .revcycle of the checkout)")
    return parser.parse_args()


class Teller:
    """Says every half minute how far the run has come."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self._told_at >= _TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            say(text)


async def run(given: argparse.Namespace) -> int:
    """Calm run, chaos, comparison; returns the exit status."""
    folder = (given.state_dir or default_state_folder()).resolve()
    seconds = given.minutes * 60
    encounters = given.encounters or round(seconds * _ENCOUNTERS_PER_SECOND)
    say(f"calm run of seed {given.seed}: {encounters} encounters with nothing going wrong")
    calm = await calm_run(given.seed, encounters, folder / "chaos-calm")
    clocked = Random(f"clock {given.seed}").choice(member_names(INSTANCES))
    equipment = await asyncio.to_thread(find_equipment, clocked, given.brokers)
    for kind, reason in equipment.missing.items():
        say(f"left out: {kind}, because {reason}")
    say(f"chaos for {seconds:.0f} s; every fault goes to {folder / 'chaos-storm' / 'nemesis.jsonl'}")
    async with storm(given.seed, encounters, folder / "chaos-storm", equipment) as made:
        schedule = draw_schedule(given.seed, seconds, made.targets)
        result = await chaos_run(made, schedule, seconds, Teller())
    return show(result, calm)


def show(result: Result, calm: Ending) -> int:
    """Say what was found; the last line is for programs."""
    killed = ", ".join(f"{name} {count}" for name, count in sorted(result.nemesis.kills.items()))
    say(f"killed: {killed}; with work in flight: {result.nemesis.kills_with_work}")
    done = ", ".join(f"{kind} {count}" for kind, count in sorted(result.nemesis.kinds.items()))
    say(f"done: {done}")
    differences = result.differences(calm)
    for difference in differences[:_DIFFERENCES_SHOWN]:
        say(difference)
    same = "equal to" if result.report.ledger_sha256 == calm.ledger_sha256 else "NOT equal to"
    say(f"ledger {result.report.ledger_sha256[:16]}, {same} the calm run's")
    sys.stdout.write(result.line + "\n")
    return 1 if differences else 0


def _leaves(failures: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """What went wrong itself: a group only says how many."""
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(failure)
        else:
            yield failure


def main() -> int:
    """Run, and say in words why when it could not end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return asyncio.run(run(arguments()))
    except* _FAILURES as failures:
        for failure in _leaves(failures):
            say(str(failure))
    except* KeyboardInterrupt:
        say("interrupted; everything was stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main())
