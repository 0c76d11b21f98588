"""A minute of chaos; `make chaos` is the long form."""

from collections import Counter
from pathlib import Path

import httpx
import pytest
from chaos_equipment import member_names
from chaos_harness import ENCOUNTERS, SEED, Ending, Result, chaos_run, storm
from chaos_nemesis import Nemesis
from chaos_schedule import NETWORK_FAULTS, PAYER, Targets, draw_schedule, overlaps
from revcycle_checker import Finding, Mismatch, OutcomeRow, Report
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import Api

SECONDS = 60.0
MEMBERS = tuple(member_names(2))
WELL_EQUIPPED = Targets(
    members=MEMBERS,
    brokers=("kafka",),
    routes_to_postgresql=tuple(f"{name}-to-postgresql" for name in MEMBERS),
    routes_to_brokers=("services-to-kafka",),
    clocked=("claims-1",),
    disk=True,
)
KILLS = ("kill", "immediate_stop", "kill_leader")


@pytest.mark.parametrize("seed", range(20))
def test_one_seed_decides_every_fault_and_everything_ends_in_time(seed: int) -> None:
    """Promise: the same seed draws the same schedule, ten minutes hold 100 kills of all processes, all is bounded."""
    schedule = draw_schedule(seed, 600, WELL_EQUIPPED)
    assert schedule == draw_schedule(seed, 600, WELL_EQUIPPED) != draw_schedule(seed + 1, 600, WELL_EQUIPPED)
    kills = Counter(action.target for action in schedule if action.fault in KILLS)
    assert kills.total() >= 130
    assert set(kills) == {*MEMBERS, *WELL_EQUIPPED.servers, PAYER}
    assert min(kills.values()) >= 5
    assert overlaps(schedule) == 0
    assert all(action.at_seconds + action.seconds <= 600 for action in schedule)


@pytest.mark.parametrize("seed", range(20))
def test_ten_minutes_hold_every_kind_of_fault(seed: int) -> None:
    """Promise: no kind is left to luck: each comes in every long run, whatever the seed."""
    schedule = draw_schedule(seed, 600, WELL_EQUIPPED)
    faults = {action.fault for action in schedule}
    assert {"kill", "immediate_stop", "freeze", "service_down", "payer", "network", "disk_full", "clock"} <= faults
    assert {"postgresql_down", "kafka_down"} & faults
    assert {action.detail for action in schedule if action.fault == "network"} == set(NETWORK_FAULTS)
    assert {action.detail for action in schedule if action.fault == "clock"} == {"forward", "back"}
    lost = [action for action in schedule if action.fault == "topics_lost"]
    assert len(lost) == 1
    meanwhile = [action for action in schedule if action is not lost[0] and lost[0].during(action.at_seconds)]
    assert [action for action in meanwhile if action.at_seconds > lost[0].at_seconds] == []


def test_what_is_not_to_be_had_is_not_drawn() -> None:
    """Promise: without Toxiproxy, root or libfaketime the rest goes on; leaders are killed where there are several."""
    plain = draw_schedule(1, 600, Targets(MEMBERS, ("kafka-1", "kafka-2", "kafka-3")))
    faults = {action.fault for action in plain}
    assert faults.isdisjoint({"network", "disk_full", "clock"})
    assert "kill_leader" in faults


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
    nemesis = Nemesis(Stack(StackOptions(tmp_path)), api, httpx.AsyncClient(), tmp_path / "log")
    nemesis.kills = Counter(a=2, b=1)
    nemesis.kinds = Counter(kill=3, freeze=1)
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
        result = await chaos_run(made, draw_schedule(SEED, SECONDS, made.targets), SECONDS)
    assert result.differences(calm) == [], result.line
    assert result.nemesis.kills.total() >= 12
    assert {"postgresql", "kafka"} <= set(result.nemesis.kills)
