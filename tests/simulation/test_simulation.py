"""Short form of `make simulate`: some seeds hold every promise, and planted bugs are found with a short history."""

from collections.abc import Iterator
from typing import Any

import pytest
from revcycle_devstack.waiting import run_async
from sim_bugs import PLANTS
from sim_ground import Case, Ground, cut, find, shrunk
from sim_steps import CHUNKS
from sim_world import Result

SEEDS = range(1, 21)
SHORT_HISTORY = 12
SEEDS_PER_BUG = 400
SHORT = ("duplicates_applied", "events_after_commit")


@pytest.fixture(scope="module")
def ground(postgresql: Any) -> Iterator[Ground]:
    made = run_async(postgresql.create_database("simulation"))
    opened = Ground(made.owner_url, made.service_role)
    yield opened
    opened.close()


@pytest.mark.component
def test_whatever_is_interleaved_doubled_cut_off_or_killed_the_end_is_that_of_the_calm_run(ground: Ground) -> None:
    """Promises 1 to 4, 8, 10 and 12: order, once, nothing lost, nothing passes what waits, money at every instant."""
    total = Result()
    chunks = set()
    for seed in SEEDS:
        case = Case.of(seed)
        result = ground.run(case)
        assert result.violation is None, f"seed {seed}: {result.violation}; see: make simulate SEED={seed}"
        total.effective += result.effective
        total.crashes += result.crashes
        total.duplicates += result.duplicates
        chunks |= set(case.sizes.chunk.values())
    assert chunks == set(CHUNKS)
    assert len(total.effective) > 1000 and total.crashes > 20 and total.duplicates > 50, "too calm to prove anything"


@pytest.mark.component
def test_a_seed_runs_again_exactly(ground: Ground) -> None:
    case = Case.of(3)
    first, second = ground.run(case), ground.run(case)
    assert first.history == second.history
    assert first.outcome == second.outcome and first.duplicates == second.duplicates


@pytest.mark.component
@pytest.mark.parametrize(
    "bug", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in PLANTS]
)
def test_a_planted_bug_is_found_and_its_history_is_short(ground: Ground, bug: str) -> None:
    """A simulation that has never failed proves nothing."""
    found = find(ground, PLANTS[bug], range(1, SEEDS_PER_BUG))
    assert found is not None, f"{bug} was not found in {SEEDS_PER_BUG} seeds"
    case, result = found
    again = ground.run(Case.of(case.seed), PLANTS[bug])
    assert again.violation == result.violation, "the seed that found it finds it again"
    small, smallest = shrunk(ground, cut(Case.of(case.seed), again), PLANTS[bug])
    assert smallest.violation is not None
    assert len(small.steps) <= SHORT_HISTORY, smallest.history
    assert ground.run(small).violation is None, "without the bug the same history holds"
