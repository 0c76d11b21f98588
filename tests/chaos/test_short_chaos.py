"""A minute of chaos; `make chaos` is the long form."""

from collections import Counter
from pathlib import Path

import httpx
import pytest
from chaos_harness import ENCOUNTERS, SEED, Ending, Result, chaos_run, storm
from chaos_nemesis import Nemesis
from chaos_schedule import SERVERS, draw_schedule, overlaps
from revcycle_checker import Finding, Mismatch, OutcomeRow, Report
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import Api

SECONDS = 60.0
MEMBERS = tuple(f"{name}-{number}" for name in ("a", "b", "c", "d", "e") for number in (1, 2))


@pytest.mark.parametrize("seed", range(20))
def test_one_seed_decides_every_fault_and_everything_ends_in_time(seed: int) -> None:
    """Promise: the same seed draws the same schedule, ten minutes hold 100 kills of all processes, all is bounded."""
    schedule = draw_schedule(seed, 600, MEMBERS)
    assert schedule == draw_schedule(seed, 600, MEMBERS) != draw_schedule(seed + 1, 600, MEMBERS)
    kills = Counter(action.target for action in schedule if action.fault == "kill")
    assert kills.total() >= 100
    assert set(kills) == {*MEMBERS, *SERVERS}
    assert min(kills.values()) >= 3
    assert overlaps(schedule) == 0
    assert all(action.at_seconds + action.seconds <= 600 for action in schedule)


CALM = Ending("ab" * 32, [])
BROKEN = [
    {"ledger_sha256": "cd" * 32},
    {"outcomes": [OutcomeRow("paid", encounters=1)]},
    {"violations": [Finding("E3", "overtaken")]},
    {"mismatches": [Mismatch("T-1", "paid", "denied", "planted")]},
    {"unbalanced_cents": 1},
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: next(iter(broken)))
def test_whatever_differs_from_the_calm_run_or_breaks_an_invariant_is_told(
    broken: dict[str, object], tmp_path: Path
) -> None:
    """Promise: a run that lost, doubled, reordered or moved anything does not end with status 0."""
    assert _result(tmp_path).differences(CALM) == []
    assert len(_result(tmp_path, **broken).differences(CALM)) == 1


def test_the_last_line_has_the_agreed_form(tmp_path: Path) -> None:
    """Promise: programs read the last line."""
    reordered = _result(tmp_path, violations=[Finding("E3", "overtaken"), Finding("M3", "off")], encounters=9)
    assert reordered.line == (
        "chaos: seed=7 kills=3 faults=4 encounters=9 lost=0 doubled=0 reordered=1 unbalanced_cents=0 violations=2 "
        "drained_seconds=1.5"
    )


def _result(tmp_path: Path, **report: object) -> Result:
    api = Api({}, {}, httpx.AsyncClient())
    nemesis = Nemesis(Stack(StackOptions(tmp_path)), api, httpx.AsyncClient(), tmp_path / "log", Counter(a=2, b=1))
    nemesis.faults = 4
    found = Report(ledger_sha256=CALM.ledger_sha256)
    for name, value in report.items():
        setattr(found, name, value)
    return Result(7, found, nemesis, 1.5)


@pytest.mark.component
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_or_reordered_while_everything_is_killed(tmp_path: Path, calm: Ending) -> None:
    """Promise: whatever dies, every encounter ends to the cent as in a run in which nothing went wrong."""
    async with storm(SEED, ENCOUNTERS, tmp_path) as made:
        result = await chaos_run(made, draw_schedule(SEED, SECONDS, made.members), SECONDS)
    assert result.differences(calm) == [], result.line
    assert result.nemesis.kills.total() >= 12
    assert set(SERVERS) <= set(result.nemesis.kills)
