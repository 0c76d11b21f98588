"""The same stack in containers, for commands that use it from outside: `docker-compose.yml` as a project of its own.

The state folder then looks as devstack's does: addresses, the checker's password and key ring, the payers' raw log.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from revcycle_devstack import SERVICES, DevstackError, kafka, postgresql
from revcycle_devstack.connections import RunningStack, connect_to
from revcycle_devstack.files import write_atomically
from revcycle_devstack.layout import StateLayout, checkout_root, default_state_folder
from revcycle_devstack.plan import PAYER_PORT, PAYER_PROCESS
from revcycle_devstack.ports import HOST, choose_port

PROJECT: Final = "revcycle-demo"
"""Not the project of somebody's `docker compose up`: this one begins and ends without data."""

_UP_SECONDS: Final = 600
_FIRST_API_PORT: Final = 8101
_FIRST_WORKER_PORT: Final = 8111
_OPERATOR: Final = "/run/revcycle/operator/."
_PAYER_DOOR: Final = f"https://{PAYER_PROCESS}:{PAYER_PORT}"
_PAYER_CA: Final = "/run/revcycle/payer-ca/ca.pem"


@dataclass(frozen=True)
class ComposeOptions:
    """Where the state lies, and what decides the outcome; ``build``: make the images anew from this checkout."""

    state_dir: Path = field(default_factory=lambda: default_state_folder() / "compose")
    seed: int = 1
    business_date: date | None = None
    build: bool = True


def environment_file(state_dir: Path) -> Path:
    """The variables of `docker-compose.yml` for the stack of this folder; there while the stack is."""
    return state_dir / "compose.env"


def choose_ports(choose: Callable[[int, set[int]], int] = choose_port) -> dict[str, int]:
    """A free port of this machine for every variable of `docker-compose.yml` that names one, the usual one if it is."""
    wanted = {"REVCYCLE_POSTGRESQL_PORT": postgresql.DEFAULT_PORT, "REVCYCLE_KAFKA_PORT": kafka.DEFAULT_PORT}
    for number, service in enumerate(SERVICES):
        wanted[port_variable(service)] = _FIRST_API_PORT + number
        wanted[port_variable(f"{service}-worker")] = _FIRST_WORKER_PORT + number
    wanted["REVCYCLE_PAYER_PORT"] = PAYER_PORT
    promised: set[int] = set()
    ports = {}
    for name, port in wanted.items():
        ports[name] = choose(port, promised)
        promised.add(ports[name])
    return ports


def port_variable(process: str) -> str:
    """`REVCYCLE_CLAIMS_WORKER_PORT` for `claims-worker`."""
    return f"REVCYCLE_{process.replace('-', '_').upper()}_PORT"


def addresses(ports: Mapping[str, int]) -> dict[str, str]:
    """Base address by process name, as this machine reaches it; a service's own name is its REST API."""
    names = [name for service in SERVICES for name in (service, f"{service}-worker")]
    urls = {name: f"http://{HOST}:{ports[port_variable(name)]}" for name in names}
    return {**urls, PAYER_PROCESS: f"https://{HOST}:{ports['REVCYCLE_PAYER_PORT']}"}


def start_compose(options: ComposeOptions, tell: Callable[[str], None]) -> RunningStack:
    """Start everything in containers from an empty state and return when all of it is healthy.

    Raises:
        DevstackError: no Docker engine or Compose plugin, or something did not become healthy; it is stopped again.
    """
    require_compose()
    layout = StateLayout(options.state_dir.resolve())
    stop_compose(layout.root, tell)
    shutil.rmtree(layout.root, ignore_errors=True)
    # The container's user is nobody here: it writes into a folder that is open, and holds invented people alone.
    layout.payer.mkdir(parents=True)
    layout.payer.chmod(0o777)
    ports = choose_ports()
    variables = {
        **{name: str(port) for name, port in ports.items()},
        "REVCYCLE_PAYER_STATE": str(layout.payer),
        "REVCYCLE_PAYER_SEED": str(options.seed),
        "REVCYCLE_CA_FILE": _PAYER_CA,
        **({"REVCYCLE_BUSINESS_DATE": options.business_date.isoformat()} if options.business_date else {}),
    }
    write_atomically(environment_file(layout.root), "".join(f"{name}={value}\n" for name, value in variables.items()))
    try:
        if options.build:
            tell("building the images; what has not changed is kept from the last time")
            _compose(layout.root, "build", "--quiet")
        began = time.monotonic()
        _compose(layout.root, "up", "--detach", "--wait", "--wait-timeout", str(_UP_SECONDS))
        tell(f"every container of project {PROJECT} is healthy after {time.monotonic() - began:.0f} s")
        _compose(layout.root, "cp", f"secrets:{_OPERATOR}", str(layout.root))
    except BaseException:
        stop_compose(layout.root, tell)
        raise
    content = {
        "supervisor": None,
        "ready": True,
        "notes": [f"containers of the Compose project {PROJECT}: docker compose --project-name {PROJECT} ps"],
        "connections": {
            "postgresql": f"postgresql://{HOST}:{ports['REVCYCLE_POSTGRESQL_PORT']}",
            "kafka": f"{HOST}:{ports['REVCYCLE_KAFKA_PORT']}",
        },
        "urls": addresses(ports),
        "payer_door": _PAYER_DOOR,
        "processes": [],
    }
    write_atomically(layout.state_file, json.dumps(content, indent=2) + "\n")
    return connect_to(layout.root)


def stop_compose(state_dir: Path, tell: Callable[[str], None]) -> bool:
    """Stop and remove the containers and volumes of this folder's stack; its logs stay. False when there is none."""
    variables = environment_file(state_dir)
    if not variables.exists():
        return False
    logs = StateLayout(state_dir).log_file("compose")
    logs.parent.mkdir(parents=True, exist_ok=True)
    with logs.open("w", encoding="utf-8") as stream:
        subprocess.run(_command(state_dir, "logs", "--no-color"), stdout=stream, stderr=stream, check=False)
    _compose(state_dir, "down", "--volumes", "--remove-orphans")
    variables.unlink()
    tell(f"containers and volumes of {PROJECT} are gone; their logs: {logs}")
    return True


def require_compose() -> None:
    """Refuse early, with what to do.

    Raises:
        DevstackError: there is no `docker`, no Compose plugin, or no engine that answers.
    """
    remedy = (
        "start or install Docker with Compose 2.20 or newer, or run it without containers: leave STACK=compose away"
    )
    for what, command in (
        ("no Compose plugin", ("docker", "compose", "version")),
        ("no Docker engine answers", ("docker", "info")),
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as failure:
            raise DevstackError(f"{what} ({' '.join(command)}): {remedy}") from failure


def _command(state_dir: Path, *arguments: str) -> Sequence[str]:
    project = ("--project-name", PROJECT, "--env-file", str(environment_file(state_dir)), "--profile", "demo")
    return ("docker", "compose", *project, *arguments)


def _compose(state_dir: Path, *arguments: str) -> None:
    """Run one command of Compose; what it says goes to standard error, where progress belongs."""
    # The environment wins over the file: what was meant for another stack must not move a port of this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REVCYCLE_")}
    done = subprocess.run(
        _command(state_dir, *arguments), cwd=checkout_root(), env=environment, stdout=sys.stderr, check=False
    )
    if done.returncode != 0:
        raise DevstackError(f"docker compose {arguments[0]} ended with status {done.returncode}; it says why above")
