"""A network between the services and their servers that can be made bad: Toxiproxy, one door per connection kind.

Every service process reaches PostgreSQL through a proxy of its own, and each broker through one that all services
share: brokers tell their clients where to go next, so the proxied listener of a broker advertises its proxy.
Whoever looks from outside (tests, the checker, the command line) goes straight to the servers.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from revcycle_devstack.files import write_atomically
from revcycle_devstack.ports import HOST
from revcycle_devstack.probes import answers_ok
from revcycle_devstack.processes import Command
from revcycle_devstack.servers import Server

TOXIPROXY_PROCESS: Final = "toxiproxy"

_READY_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Route:
    """What listens at ``port`` and passes everything on to ``upstream_port``, both on the loopback interface."""

    name: str
    port: int
    upstream_port: int


@dataclass(frozen=True)
class Network:
    """All routes of a stack. `api_port` is where Toxiproxy takes its orders."""

    api_port: int
    to_postgresql: Mapping[str, Route]
    """By service process."""
    to_brokers: Sequence[Route]

    @property
    def bootstrap_servers(self) -> str:
        """Where services find the brokers."""
        return ",".join(f"{HOST}:{route.port}" for route in self.to_brokers)

    def database_url(self, process: str, url: str) -> str:
        """The same database, seen through the process' own proxy."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@{HOST}:{self.to_postgresql[process].port}"
        return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


def plan_network(
    processes: Iterable[str],
    postgresql_port: int,
    brokers: Mapping[str, int],
    choose_port: Callable[[], int],
) -> Network:
    """Routes with free ports; ``brokers``: port of the proxied listener by broker."""
    to_postgresql = {name: Route(f"{name}-to-postgresql", choose_port(), postgresql_port) for name in processes}
    to_brokers = [Route(f"services-to-{name}", choose_port(), port) for name, port in brokers.items()]
    return Network(choose_port(), to_postgresql, to_brokers)


def toxiproxy_server(executable: Path, network: Network, folder: Path, log_file: Path) -> Server:
    """Toxiproxy ready to be started; it opens all routes by itself, also after it died."""
    routes = [*network.to_postgresql.values(), *network.to_brokers]
    config = [
        {
            "name": route.name,
            "listen": f"{HOST}:{route.port}",
            "upstream": f"{HOST}:{route.upstream_port}",
            "enabled": True,
        }
        for route in routes
    ]
    file = folder / "toxiproxy.json"
    write_atomically(file, json.dumps(config, indent=1))
    address = f"http://{HOST}:{network.api_port}"
    arguments = (str(executable), "-host", HOST, "-port", str(network.api_port), "-config", str(file))
    return Server(
        name=TOXIPROXY_PROCESS,
        command=Command(arguments, {"LOG_LEVEL": "warn"}, log_file),
        port=network.api_port,
        address=address,
        is_ready=lambda: answers_ok(f"{address}/version"),
        notes=(f"services reach PostgreSQL and Kafka through {len(routes)} proxies of {executable.parent.name}",),
        ready_seconds=_READY_SECONDS,
    )
