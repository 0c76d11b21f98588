"""The machine: versions, disk, memory, limits, ports."""

import os
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil
from revcycle_devstack import SERVICES, DevstackError
from revcycle_devstack.discovery import MINIMUM_JAVA, MINIMUM_POSTGRESQL, find_java, find_postgresql
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.plan import PAYER_PORT, PAYER_PROCESS, default_port
from revcycle_devstack.ports import accepts_connections
from revcycle_devstack.state import RecordedStack
from revcycle_devstack.supervision import ProcessStatus
from revcycle_edi.x12.outlines import COMPILED

from revcycle_cli.doctor import Finding, fail, ok, warn

GIB: Final = 1024**3
DISK_FREE_FAIL_BYTES: Final = 1 * GIB
DISK_FREE_WARN_BYTES: Final = 5 * GIB
MEMORY_WARN_BYTES: Final = 2 * GIB
OPEN_FILES_WARN: Final = 4096
MINIMUM_PYTHON: Final = (3, 11)


def look_at_machine(layout: StateLayout, recorded: RecordedStack | None) -> Iterator[Finding]:
    """Everything that needs no server."""
    yield from look_at_versions()
    yield look_at_disk(layout.root)
    yield look_at_memory()
    yield look_at_open_files()
    yield look_at_writer()
    yield from look_at_ports(recorded)


def look_at_versions() -> Iterator[Finding]:
    """Python, PostgreSQL and Java; a server from outside needs no program here."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    wanted = ".".join(str(part) for part in MINIMUM_PYTHON)
    yield (
        ok("Python", python)
        if sys.version_info[:2] >= MINIMUM_PYTHON
        else fail(
            "Python", f"{python}: {wanted} or newer is needed", f"install Python {wanted}, then: make clean setup"
        )
    )
    yield _program("PostgreSQL", "DATABASE_URL_BASE", MINIMUM_POSTGRESQL)
    yield _program("Java", "KAFKA_BOOTSTRAP_SERVERS", MINIMUM_JAVA)


def _program(name: str, variable: str, minimum: int, environment: Mapping[str, str] = os.environ) -> Finding:
    if environment.get(variable):
        return ok(name, f"not needed here: {variable} names a server")
    try:
        program = find_postgresql(environment).program if name == "PostgreSQL" else find_java(environment).program
    except DevstackError as missing:
        return fail(name, f"none of version {minimum} or newer", str(missing))
    return ok(name, f"{program.version}, from {program.source}")


def look_at_disk(folder: Path) -> Finding:
    """Room where state and data lie."""
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    told = f"{free / GIB:.1f} GiB free at {place}"
    remedy = (
        f"look what is large: du -xh --max-depth=2 {place} | sort -h | tail; exported days may leave the machine "
        "(revcycle archive export, verify, detach); `make clean` removes all state of this checkout"
    )
    if free < DISK_FREE_FAIL_BYTES:
        return fail("disk", told, remedy)
    return warn("disk", told, remedy) if free < DISK_FREE_WARN_BYTES else ok("disk", told)


def look_at_memory() -> Finding:
    """Room for Kafka's Java, PostgreSQL and five services."""
    available = psutil.virtual_memory().available
    told = f"{available / GIB:.1f} GiB available"
    if available >= MEMORY_WARN_BYTES:
        return ok("memory", told)
    return warn("memory", told, "a whole stack takes about 2 GiB: end something else, or run fewer INSTANCES")


def look_at_open_files() -> Finding:
    """The limit of open files: sockets and Kafka's segments."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = f"{soft} open files allowed"
    if soft >= OPEN_FILES_WARN:
        return ok("limits", told)
    return warn("limits", told, f"before starting: ulimit -n {min(max(hard, soft), 65536)}")


def look_at_writer(*, is_compiled: bool = COMPILED) -> Finding:
    """Whether claims and remittances are written by the compiled module."""
    if is_compiled:
        return ok("X12 writer", "compiled")
    return warn(
        "X12 writer",
        "not compiled: files are written at a tenth of the speed, with the same bytes",
        "install a C compiler (Debian, Ubuntu: sudo apt-get install gcc libc6-dev python3-dev), then: make clean setup",
    )


def look_at_ports(recorded: RecordedStack | None) -> Iterator[Finding]:
    """Who listens where our processes do, or would."""
    processes = [one for one in recorded.processes if one.kind != "infrastructure"] if recorded else []
    if recorded is None or recorded.supervisor is None:
        wanted = {default_port(SERVICES, name, 1): name for name in SERVICES} | {PAYER_PORT: PAYER_PROCESS}
        taken = [f"{port} ({name}: {_listener(port)})" for port, name in wanted.items() if accepts_connections(port)]
        if not taken:
            yield ok("ports", f"{min(wanted)} to {max(wanted)} are free")
        else:
            yield warn(
                "ports",
                f"taken by others: {', '.join(taken)}",
                "`revcycle up` takes free ones instead, see `revcycle status`; to have these, end those programs",
            )
        return
    yield from (_port_of(process) for process in processes)


def _port_of(process: ProcessStatus) -> Finding:
    """A supervised process listens on its port itself; somebody else there keeps it from starting."""
    port = int(process.url.rsplit(":", 1)[-1])
    area = f"port {port}"
    if not accepts_connections(port):
        return fail(
            area,
            f"{process.name} does not listen ({process.state}, started again {process.restarts} times)",
            f"read the end of its log, .revcycle/logs/{process.name}.log",
        )
    listening = _pids_on(port)
    if process.pid is not None and (not listening or process.pid in listening or _below(listening, process.pid)):
        return ok(area, process.name)
    return fail(
        area,
        f"taken: {process.name} should listen there, and {_listener(port)} does",
        "end that program, and the service starts by itself; or `revcycle down`, then `revcycle up` takes another port",
    )


def _pids_on(port: int) -> set[int]:
    """Who listens on a port, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return set()
    return {one.pid for one in connections if one.status == "LISTEN" and one.laddr and one.laddr[1] == port and one.pid}


def _below(pids: set[int], ancestor: int) -> bool:
    """Whether one of the processes was started by another."""
    for pid in pids:
        try:
            if ancestor in {parent.pid for parent in psutil.Process(pid).parents()}:
                return True
        except psutil.Error:
            continue
    return False


def _listener(port: int) -> str:
    for pid in sorted(_pids_on(port)):
        try:
            return f"{psutil.Process(pid).name()}, pid {pid}"
        except psutil.Error:
            continue
    return "another user's program"
