"""`revcycle doctor` finds what is wrong with a real stack, names it, and says what to do."""

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from revcycle_devstack import SERVICES
from revcycle_devstack.connections import connect_to
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.stack import Stack

from .harness import Caller, Json, Ran, Visits, revcycle, wait_for

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(240)]


def findings(ran: Ran) -> dict[str, Json]:
    return {line["area"]: line for line in map(json.loads, ran.out.splitlines())}


def doctor(folder: Path) -> Ran:
    return revcycle("doctor", "--json", "--state-dir", str(folder))


def test_a_sound_stack_is_found_sound(stack: Stack, caller: Caller, visits: Visits) -> None:
    """Promise: everything it stands on is looked at, and no fault is seen where there is none."""
    encounter_id = caller.send(visits.file())
    wait_for("an event of claims", lambda: caller.claim(encounter_id))
    ran = doctor(Path(stack.state_dir))
    found = findings(ran)
    assert ran.status == 0, ran.out + ran.err
    assert {"Python", "PostgreSQL", "Java", "disk", "memory", "limits", "broker", "topics", "clock"} <= found.keys()
    for service in SERVICES:
        for area in ("database", "migrations", "keys"):
            assert found[f"{area} {service}"]["level"] == "ok", found[f"{area} {service}"]
    assert "checks its newest event" in found["keys claims"]["found"]


def test_three_planted_faults_are_named_each_with_its_remedy(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: a port that is taken, a migration that is missing and a wrong key are each named, with what to do."""
    with _port_taken(stack, tmp_path) as port, _migration_missing(stack):
        _put_wrong_key(StateLayout(tmp_path).keyring_file("claims"))
        ran = doctor(tmp_path)
        shown = revcycle("doctor", "--state-dir", str(tmp_path))
    with capsys.disabled():
        sys.stdout.write(f"\n{shown.out}")
    assert ran.status == shown.status == 1
    failed = {area: one for area, one in findings(ran).items() if one["level"] == "fail"}
    assert failed.keys() == {f"port {port}", "migrations coding", "keys claims"}
    taken, migration, key = failed[f"port {port}"], failed["migrations coding"], failed["keys claims"]
    assert "analytics should listen there" in taken["found"]
    assert "end that program" in taken["remedy"]
    assert "missing" in migration["found"]
    assert "python -m revcycle_coding migrate" in migration["remedy"]
    assert "wrong key (envelope k1)" in key["found"]
    assert "put the right ring back" in key["remedy"]


def test_of_nothing_it_says_what_to_do(tmp_path: Path) -> None:
    """Promise: it helps before anything was ever started."""
    ran = doctor(tmp_path)
    assert ran.status == 0, ran.out
    assert findings(ran)["stack"]["remedy"] == "revcycle up"


@contextmanager
def _port_taken(stack: Stack, folder: Path) -> Iterator[int]:
    """A copy of the stack's state in which analytics should listen where somebody else does."""
    layout = StateLayout(Path(stack.state_dir))
    shutil.copytree(layout.keys, folder / "keys")
    shutil.copy(layout.secrets_file, folder)
    state = json.loads(layout.state_file.read_text(encoding="utf-8"))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port: int = stranger.getsockname()[1]
        for process in state["processes"]:
            if process["name"] == "analytics":
                process["url"] = f"http://127.0.0.1:{port}"
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        yield port


@contextmanager
def _migration_missing(stack: Stack) -> Iterator[None]:
    url = connect_to(Path(stack.state_dir)).connections.owner_url("coding")
    newest = asyncio.run(_set_revision(url, "coding_0001"))
    try:
        yield
    finally:
        asyncio.run(_set_revision(url, newest))


async def _set_revision(url: str, revision: str) -> str:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        before: str = await connection.fetchval("SELECT version_num FROM kit.alembic_version")
        await connection.execute("UPDATE kit.alembic_version SET version_num = $1", revision)
    finally:
        await connection.close()
    return before


def _put_wrong_key(file: Path) -> None:
    """Another installation's key under the same name."""
    ring = json.loads(file.read_text(encoding="utf-8"))
    (tenant,) = ring["tenants"]
    ring["tenants"][tenant]["envelope"]["keys"]["k1"] = "A" * 43 + "="
    file.write_text(json.dumps(ring), encoding="utf-8")
