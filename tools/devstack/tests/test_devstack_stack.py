"""Whole stacks with real PostgreSQL and Kafka and stub services: start, faults, stop, and nothing left behind."""

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from revcycle_devstack import SERVICES, DevstackError
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.lending import Lender
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.ports import HOST, accepts_connections
from revcycle_devstack.postgresql import accepts_queries
from revcycle_devstack.processes import ProcessIdentity
from revcycle_devstack.runner import run_until_stopped
from revcycle_devstack.stack import AlreadyRunningError, Stack
from revcycle_devstack.state import read_state, stop_everything

pytestmark = pytest.mark.component

CLI = Path(sys.executable).with_name("revcycle")
STUB = (sys.executable, str(Path(__file__).with_name("stub_service.py")))


@pytest.fixture(autouse=True)
def own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests kill servers: never ones that somebody named in the environment."""
    monkeypatch.delenv("DATABASE_URL_BASE", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


def stub_options(state_dir: Path) -> StackOptions:
    """Two stub services in place of the five."""
    services = ("claims", "coding")
    return StackOptions(state_dir=state_dir, services=services, programs=dict.fromkeys(services, STUB))


def _stack(state_dir: Path, instances: int = 1, fresh: bool = False) -> Stack:
    options = dataclasses.replace(stub_options(state_dir), instances=instances, fresh=fresh)
    return Stack(options, write_keys=lambda layout, options: None)


def _identities(stack: Stack) -> list[ProcessIdentity]:
    return [process.identity for process in stack.processes if process.identity is not None]


async def _starts(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT instance FROM stub.start ORDER BY instance")
        return [row["instance"] for row in rows]
    finally:
        await connection.close()


async def _topic_count(bootstrap_servers: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        return len([name for name in await admin.list_topics() if name.startswith("revcycle.")])
    finally:
        await admin.close()


def test_a_stack_runs_heals_and_leaves_nothing(tmp_path: Path) -> None:
    with _stack(tmp_path, instances=2) as stack:
        names = ["claims-1", "claims-2", "coding-1", "coding-2"]
        assert {process.state for process in stack.processes} == {"running"}
        assert [process.name for process in stack.processes if process.kind == "service"] == names
        assert stack.urls["claims"] == stack.urls["claims-1"] != stack.urls["claims-2"]
        assert asyncio.run(_topic_count(stack.kafka_bootstrap_servers)) == 14
        assert asyncio.run(_starts(stack.database_url("claims"))) == ["claims-1", "claims-2"]

        stack.kill("claims-1")
        stack.wait_ready("claims-1")
        stack.restart("coding-2")
        stack.wait_ready("coding-2")
        restarts = {process.name: process.restarts for process in stack.processes}
        assert restarts == dict.fromkeys(["postgresql", "kafka", "claims-2", "coding-1"], 0) | dict.fromkeys(
            ["claims-1", "coding-2"], 1
        )
        assert asyncio.run(_starts(stack.checker_url("claims"))) == ["claims-1", "claims-1", "claims-2"]

        with pytest.raises(AlreadyRunningError, match="already"):
            _stack(tmp_path).start()

        said = subprocess.run(
            [CLI, "status", "--json", "--state-dir", tmp_path], check=True, capture_output=True, text=True
        )
        lines = [json.loads(line) for line in said.stdout.splitlines()]
        server = {"name", "pid", "url", "state", "restarts"}
        assert [set(line) for line in lines] == [server] * 2 + [server | {"messaging"}] * 4
        assert {line["name"]: line["restarts"] for line in lines} == restarts
        identities = _identities(stack)
        assert len(identities) == 6
    assert not [identity for identity in identities if identity.is_alive()]


def test_servers_killed_with_9_come_back_with_their_data(tmp_path: Path) -> None:
    with _stack(tmp_path) as stack:
        before = asyncio.run(_topic_count(stack.kafka_bootstrap_servers))
        stack.kill("postgresql")
        stack.kill("kafka")
        stack.wait_ready("postgresql")
        stack.wait_ready("kafka")
        assert asyncio.run(_starts(stack.database_url("claims"))) == ["claims"]
        assert asyncio.run(_topic_count(stack.kafka_bootstrap_servers)) == before


async def test_a_taken_port_is_replaced_and_data_outlive_the_stack(tmp_path: Path) -> None:
    async with _stack(tmp_path) as stack:
        first = stack.urls["claims"]
    with socket.socket() as blocker:
        blocker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        blocker.bind((HOST, int(first.rsplit(":", 1)[1])))
        blocker.listen()
        async with _stack(tmp_path) as stack:
            assert stack.urls["claims"] != first
            assert await _starts(stack.database_url("claims")) == ["claims", "claims"]
    async with _stack(tmp_path, fresh=True) as stack:
        assert await _starts(stack.database_url("claims")) == ["claims"]


def test_a_migration_that_fails_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    options = stub_options(tmp_path)
    broken = (sys.executable, "-c", "raise SystemExit('no such column')")
    stack = Stack(
        dataclasses.replace(options, programs={**options.programs, "coding": broken}),
        write_keys=lambda layout, options: None,
    )
    with pytest.raises(DevstackError, match=r"the migration of coding failed[\s\S]*no such column"):
        stack.start()
    recorded = read_state(StateLayout(tmp_path))
    assert recorded is not None
    assert {process.state for process in recorded.processes} == {"stopped"}


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own, ready."""
    arguments = [sys.executable, __file__, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert any(line.strip() == "READY" for line in process.stdout)
        try:
            yield process
        finally:
            process.kill()
            stop_everything(StateLayout(tmp_path), 25.0, lambda text: None)


def _recorded_identities(state_dir: Path) -> list[ProcessIdentity]:
    recorded = read_state(StateLayout(state_dir))
    assert recorded is not None
    return [process.identity for process in recorded.processes if process.identity is not None]


def test_down_leaves_no_process_even_when_the_supervisor_was_killed(
    tmp_path: Path, program: subprocess.Popen[str]
) -> None:
    identities = _recorded_identities(tmp_path)
    assert len(identities) == 4
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert all(identity.is_alive() for identity in identities)
    said = subprocess.run([CLI, "status", "--state-dir", tmp_path], check=True, capture_output=True, text=True)
    assert "no supervisor" in said.stdout
    done = subprocess.run([CLI, "down", "--state-dir", tmp_path], check=True, capture_output=True, text=True)
    assert "everything is stopped" in done.stderr
    assert not [identity for identity in identities if identity.is_alive()]
    again = subprocess.run([CLI, "down", "--state-dir", tmp_path], check=True, capture_output=True, text=True)
    assert "nothing runs" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_supervisor_stops_everything_when_asked(
    tmp_path: Path, program: subprocess.Popen[str], number: signal.Signals
) -> None:
    identities = _recorded_identities(tmp_path)
    program.send_signal(number)
    assert program.wait(timeout=60) == 0
    assert not [identity for identity in identities if identity.is_alive()]


def test_what_a_killed_supervisor_left_gives_way_to_a_new_stack(tmp_path: Path, program: subprocess.Popen[str]) -> None:
    identities = _recorded_identities(tmp_path)
    program.send_signal(signal.SIGKILL)
    program.wait()
    with _stack(tmp_path) as stack:
        assert not [identity for identity in identities if identity.is_alive()]
        assert asyncio.run(_starts(stack.database_url("claims"))) == ["claims", "claims"]


@pytest.fixture
def stubs_for_everything(tmp_path: Path) -> dict[str, str]:
    """An environment in which the five services and the two sources of keys are stubs."""
    folder = tmp_path / "stubs"
    for service in SERVICES:
        module = folder / f"revcycle_{service.replace('-', '_')}.py"
        module.parent.mkdir(exist_ok=True)
        shutil.copy(STUB[1], module)
    for package, module_name, content in (
        ("revcycle_messaging", "keys", "def write_development_keyrings(folder, grants_file, tenants): pass"),
        ("revcycle_service_kit", "auth", "def ensure_development_key(path): pass\ndef issue_token(*_): return 'none'"),
    ):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / f"{module_name}.py").write_text(content)
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_up_detached_returns_when_ready_and_a_second_up_starts_nothing(
    tmp_path: Path, stubs_for_everything: dict[str, str]
) -> None:
    state_dir = tmp_path / "state"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [CLI, *arguments, "--state-dir", str(state_dir)]
        return subprocess.run(command, capture_output=True, text=True, env=stubs_for_everything, timeout=100)

    try:
        first = run("up", "--detach")
        assert first.returncode == 0, first.stderr
        identities = _recorded_identities(state_dir)
        assert len(identities) == 7
        assert "adjudication-gateway" in first.stdout
        assert first.stdout.count("/docs") == 5
        for detach in (["--detach"], []):
            second = run("up", *detach)
            assert second.returncode == 0
            assert "already" in second.stderr
            assert second.stdout.count("running") == 7
        assert _recorded_identities(state_dir) == identities
    finally:
        done = run("down")
    assert done.returncode == 0, done.stderr
    assert not [identity for identity in identities if identity.is_alive()]


def test_lent_servers_live_until_the_last_user_leaves(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other_session:
        layout = StateLayout(tmp_path)
        ours, theirs = Lender(layout, os.getpid()), Lender(layout, other_session.pid)
        address = ours.borrow("postgresql")
        assert theirs.borrow("postgresql") == address
        ours.give_back()
        assert asyncio.run(accepts_queries(address))
        assert not ours.stop_if_unused()
        # A session that was killed gives nothing back; it counts as gone.
        other_session.kill()
        other_session.wait()
        assert ours.stop_if_unused()
        assert not accepts_connections(int(address.rsplit(":", 1)[1].split("/")[0]))
        assert not layout.postgresql.exists()


if __name__ == "__main__":
    # The supervisor that the tests above start, signal and kill.
    run_until_stopped(_stack(Path(sys.argv[1])), print, lambda stack: print("READY", flush=True))
