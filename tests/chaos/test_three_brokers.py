"""Three brokers, every record on three disks and acknowledged by two: leaders die and nothing is lost or reordered."""

from pathlib import Path

import pytest
from chaos_equipment import Equipment
from chaos_harness import ENCOUNTERS, SEED, Ending, chaos_run, storm
from chaos_schedule import LEADERS, Action

SECONDS = 75.0
EVERY_SECONDS = 15
"""A broker that was killed is back, and in sync, before the next one goes."""


@pytest.mark.component
@pytest.mark.long
@pytest.mark.timeout(900)
async def test_leaders_of_partitions_die_one_after_the_other(tmp_path: Path, calm: Ending) -> None:
    """Promise: whoever takes over from a dead leader has everything that was acknowledged."""
    schedule = [
        Action(float(at), "kill_leader", LEADERS[at % len(LEADERS)], count=at % 12)
        for at in range(5, int(SECONDS), EVERY_SECONDS)
    ]
    async with storm(SEED, ENCOUNTERS, tmp_path, Equipment(brokers=3)) as made:
        result = await chaos_run(made, schedule, SECONDS)
        assert await made.streams_with_gaps() == []
    assert result.differences(calm) == [], result.line
    assert result.nemesis.kinds["kill_leader"] == len(schedule)
