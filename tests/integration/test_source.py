"""Encounter files from outside: every one ends settled or waiting with its reason, most of them adjudicated."""

import os
from pathlib import Path

import pytest
from revcycle_devstack.layout import checkout_root

from .harness import demo, figures

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(150)]

ADJUDICATED = ("paid", "partly_paid", "denied")
ADJUDICATED_AT_LEAST = 60


def test_real_style_visit_notes_come_home(tmp_path: Path) -> None:
    shared = Path(os.environ.get("REVCYCLE_SHARED_DATA") or checkout_root() / ".." / "shared" / "data").resolve()
    source = shared / "encounters" / "aci_bench.jsonl"
    if not source.is_file():
        pytest.skip("shared data absent: aci_bench.jsonl (set REVCYCLE_SHARED_DATA)")
    count = len(source.read_text(encoding="utf-8").splitlines())

    ran = demo(tmp_path / "state", "--source", str(source), "--json")

    assert ran.status == 0, ran.err
    found = figures(ran.last_line)
    assert int(found["encounters"]) == int(found["settled"]) + int(found["waiting"]) == count
    assert (found["lost"], found["doubled"], found["unbalanced_cents"]) == ("0", "0", "0")
    assert "as_expected" not in found, "nobody knows the truth about files from outside"
    assert not (tmp_path / "state" / "truth.jsonl").exists()
    outcomes = {row["outcome"]: row["encounters"] for row in ran.report()["outcomes"]}
    assert sum(outcomes.get(each, 0) for each in ADJUDICATED) >= ADJUDICATED_AT_LEAST, outcomes
