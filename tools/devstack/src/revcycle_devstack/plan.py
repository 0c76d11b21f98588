"""What a stack consists of: options, names, ports, the environment of every process. Pure; nothing starts here."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

from revcycle_devstack import DEVELOPMENT_TENANT, SERVICES, DevstackError
from revcycle_devstack.connections import Connections
from revcycle_devstack.layout import StateLayout, default_state_folder
from revcycle_devstack.network import Network
from revcycle_devstack.ports import HOST
from revcycle_devstack.roles import database_name
from revcycle_devstack.supervision import LONGEST_BACKOFF_SECONDS

MAXIMUM_INSTANCES: Final = 9
PAYER_PROCESS: Final = "payer-simulator"
PAYER_PORT: Final = 8190

_FIRST_SERVICE_PORT: Final = 8101
_PORTS_PER_INSTANCE: Final = 100
_SIMULATORS: Final = ("payer",)
_CLUSTER_SIZES: Final = (1, 3)
# On one machine a single credential plays whole hospitals, and a bench measures the service, not its limit.
_LOCAL_LIMITS: Final = {f"REVCYCLE_RATE_LIMIT_{rate_class}": "1000000" for rate_class in ("READ", "WRITE", "BULK")}


def service_program(service: str) -> tuple[str, ...]:
    """How a service is run; `serve` or `migrate` follows. `adjudication-gateway` is `revcycle_adjudication_gateway`."""
    return (sys.executable, "-m", "revcycle_" + service.replace("-", "_"))


@dataclass(frozen=True)
class StackOptions:
    """What to run and where its state lies.

    `extra_environment` maps a process name (`claims-1`), a service name (`claims`) or `*` to variables; the more
    specific name wins. `programs` replaces the command of a service. `fresh` empties the state folder first.
    `echo` shows every log line on standard error. `trace_ratio` is the share of encounters whose spans are kept in
    files of the state folder.

    For those who try faults: `brokers` is 1 or 3; `proxied` puts Toxiproxy between the services and their servers;
    `postgresql_disk_mib` puts PostgreSQL's data on a tmpfs of this size (root only); `longest_backoff_seconds` bounds
    the pause before a process that keeps dying is started again.
    """

    state_dir: Path = field(default_factory=default_state_folder)
    instances: int = 1
    services: tuple[str, ...] = SERVICES
    simulators: tuple[str, ...] = ()
    seed: int = 1
    business_date: date | None = None
    tenants: tuple[UUID, ...] = (DEVELOPMENT_TENANT,)
    extra_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fresh: bool = False
    echo: bool = False
    trace_ratio: float = 0
    brokers: int = 1
    proxied: bool = False
    postgresql_disk_mib: int | None = None
    longest_backoff_seconds: float = LONGEST_BACKOFF_SECONDS

    def __post_init__(self) -> None:
        if self.brokers not in _CLUSTER_SIZES:
            raise DevstackError(f"brokers: {self.brokers} is neither 1 nor 3")
        if not 1 <= self.instances <= MAXIMUM_INSTANCES:
            raise DevstackError(f"instances: {self.instances} is not between 1 and {MAXIMUM_INSTANCES}")
        if unknown := set(self.simulators) - set(_SIMULATORS):
            raise DevstackError(f"simulators: {', '.join(sorted(unknown))} unknown; there is: {', '.join(_SIMULATORS)}")


@dataclass(frozen=True)
class PlannedProcess:
    """One process of a service: `claims`, or `claims-1` and `claims-2` when there are several."""

    name: str
    service: str
    port: int

    @property
    def url(self) -> str:
        """Base address of its REST API."""
        return f"http://{HOST}:{self.port}"


def default_port(services: Sequence[str], service: str, instance: int) -> int:
    """8101 to 8105 in the order of the flow; second instances 8201 to 8205, and so on."""
    order = SERVICES if service in SERVICES else tuple(services)
    return _FIRST_SERVICE_PORT + order.index(service) + _PORTS_PER_INSTANCE * (instance - 1)


def plan_processes(options: StackOptions, choose_port: Callable[[int, set[int]], int]) -> tuple[PlannedProcess, ...]:
    """Name and port of every process; `choose_port` gets the wanted port and those promised already."""
    promised: set[int] = set()
    planned: list[PlannedProcess] = []
    for service in options.services:
        for instance in range(1, options.instances + 1):
            port = choose_port(default_port(options.services, service, instance), promised)
            promised.add(port)
            name = service if options.instances == 1 else f"{service}-{instance}"
            planned.append(PlannedProcess(name, service, port))
    return tuple(planned)


def _extra(options: StackOptions, *names: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for name in ("*", *names):
        merged.update(options.extra_environment.get(name, {}))
    return merged


def service_environment(
    base: Mapping[str, str],
    options: StackOptions,
    connections: Connections,
    process: PlannedProcess,
    payer_url: str | None,
    network: Network | None = None,
) -> dict[str, str]:
    """Everything a service learns from its environment; the database owner's password is not among it."""
    layout = StateLayout(options.state_dir)
    database_url = connections.database_url(process.service)
    bootstrap_servers = connections.kafka_bootstrap_servers
    if network is not None:
        database_url, bootstrap_servers = network.database_url(process.name, database_url), network.bootstrap_servers
    own = {
        "PYTHONUNBUFFERED": "1",
        "REVCYCLE_SERVICE_NAME": process.service,
        "REVCYCLE_INSTANCE": process.name,
        "REVCYCLE_DATABASE_URL": database_url,
        "REVCYCLE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "REVCYCLE_HTTP_HOST": HOST,
        "REVCYCLE_HTTP_PORT": str(process.port),
        "REVCYCLE_KEYRING_FILE": str(layout.keyring_file(process.service)),
        "REVCYCLE_TOKEN_KEY_FILE": str(layout.token_key_file),
        "REVCYCLE_LOG_FORMAT": "json",
    }
    if options.business_date is not None:
        own["REVCYCLE_BUSINESS_DATE"] = options.business_date.isoformat()
    if options.trace_ratio > 0:
        own["REVCYCLE_TRACE_FILE"] = str(layout.traces / f"{process.name}.jsonl")
        own["REVCYCLE_TRACE_RATIO"] = str(options.trace_ratio)
    if payer_url is not None:
        own["REVCYCLE_PAYER_URL"] = payer_url
        own["REVCYCLE_CA_FILE"] = str(layout.payer_ca_file)
    # An admin's address has no business in a service.
    inherited = {name: value for name, value in base.items() if name != "DATABASE_URL_BASE"}
    return {**_LOCAL_LIMITS, **inherited, **own, **_extra(options, process.service, process.name)}


def migration_environment(serving: Mapping[str, str], connections: Connections, service: str) -> dict[str, str]:
    """The service's environment plus the owner's URL and the role that migrations grant the use of schemas to."""
    return {
        **serving,
        "REVCYCLE_DATABASE_OWNER_URL": connections.owner_url(service),
        "REVCYCLE_DATABASE_SERVICE_ROLE": f"{database_name(service)}_service",
    }


def payer_arguments(options: StackOptions, port: int) -> tuple[str, ...]:
    """Command of the payer simulator; without a pinned business date it uses the real one."""
    pinned = ("--business-date", options.business_date.isoformat()) if options.business_date else ()
    program = options.programs.get(PAYER_PROCESS, (sys.executable, "-m", "revcycle_payer_simulator"))
    folder = StateLayout(options.state_dir).payer
    return (
        *(*program, "serve", "--host", HOST, "--port", str(port)),
        *("--state-dir", str(folder), "--seed", str(options.seed), *pinned),
    )


def payer_environment(base: Mapping[str, str], options: StackOptions) -> dict[str, str]:
    """The payer gets none of our addresses, passwords or keys: it is another company."""
    inherited = {
        name: value for name, value in base.items() if not name.startswith(("REVCYCLE_", "DATABASE_URL", "KAFKA_"))
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", **_extra(options, PAYER_PROCESS)}
