"""Every service process is killed (signal 9) once while it has work in flight, and nobody can tell afterwards."""

import re
from pathlib import Path

import pytest
from revcycle_devstack import SERVICES

from .conftest import ENCOUNTERS, Kept
from .harness import demo, figures

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(300)]

INSTANCES = 2
_KILLED = re.compile(r"killed (\S+) \(pid \d+\) with work in flight: outbox (\d+), open jobs (\d+), chunk (\d+)")


def test_killed_processes_change_neither_outcomes_nor_ledger(tmp_path: Path, kept: Kept) -> None:
    """The same seed a second time, and what is more, with kills: the same figures and the same ledger."""
    killed = demo(
        tmp_path / "state",
        *("--seed", "1", "--encounters", str(ENCOUNTERS), "--json"),
        *("--instances", str(INSTANCES), "--kill-each"),
        timeout_seconds=200,
    )

    assert killed.status == 0, killed.err
    kills = {name: sum(map(int, work)) for name, *work in _KILLED.findall(killed.err)}
    assert kills.keys() == {f"{service}-{one}" for service in SERVICES for one in range(1, INSTANCES + 1)}
    assert all(kills.values()), f"killed while idle: {kills}"
    assert figures(killed.last_line) == figures(kept.ran.last_line)
    assert killed.report()["ledger_sha256"] == kept.command("ledger", "--hash").out.strip()
