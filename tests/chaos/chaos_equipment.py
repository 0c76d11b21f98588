"""What faults are made with, as far as this machine has it; what is missing is named with the reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from chaos_schedule import Targets
from revcycle_devstack import SERVICES, DevstackError
from revcycle_devstack.attack_tools import ensure_faketime, ensure_toxiproxy
from revcycle_devstack.memory_disk import can_mount
from revcycle_devstack.servers import broker_names
from revcycle_devstack.stack import Stack

DISK_MIB: Final = 1536
RESTART_SECONDS_MAX: Final = 2.0
"""Whoever dies often is started again sooner than in production: a run has few minutes."""

Tool = TypeVar("Tool")


@dataclass(frozen=True, slots=True)
class Equipment:
    """``clock_library``: preloaded into ``clocked``, one service process drawn from the seed."""

    brokers: int = 1
    proxied: bool = False
    disk_mib: int | None = None
    clock_library: Path | None = None
    clocked: str | None = None
    missing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Reason by kind of fault that is left out."""

    def environment(self, state_dir: Path) -> dict[str, dict[str, str]]:
        """What the process with the false clock needs."""
        if self.clock_library is None or self.clocked is None:
            return {}
        return {
            self.clocked: {
                "LD_PRELOAD": str(self.clock_library),
                "FAKETIME_TIMESTAMP_FILE": str(clock_file(state_dir)),
                # Event loops and timeouts go on as ever: only the time of day is wrong.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
            }
        }

    def targets(self, stack: Stack) -> Targets:
        """What there is to break in this stack."""
        network = stack.network
        return Targets(
            members=tuple(each.name for each in stack.processes if each.kind == "service"),
            brokers=broker_names(self.brokers),
            routes_to_postgresql=tuple(route.name for route in network.to_postgresql.values()) if network else (),
            routes_to_brokers=tuple(route.name for route in network.to_brokers) if network else (),
            clocked=(self.clocked,) if self.clocked else (),
            disk=self.disk_mib is not None,
        )


PLAIN: Final = Equipment()
"""Nothing but the processes themselves."""


def clock_file(state_dir: Path) -> Path:
    """Says by how many seconds the false clock is off."""
    return state_dir.with_name(f"{state_dir.name}-clock") / "offset"


def find_equipment(clocked: str, brokers: int = 1) -> Equipment:
    """Everything this machine has; building Toxiproxy takes half a minute the first time."""
    missing: dict[str, str] = {}

    def ask(kind: str, tool: Callable[[], Tool]) -> Tool | None:
        try:
            return tool()
        except DevstackError as reason:
            missing[kind] = str(reason).splitlines()[0]
            return None

    proxied = ask("network", ensure_toxiproxy) is not None
    library = ask("clock", ensure_faketime)
    reason = can_mount()
    if reason is not None:
        missing["disk_full"] = reason
    return Equipment(
        brokers=brokers,
        proxied=proxied,
        disk_mib=None if reason else DISK_MIB,
        clock_library=library,
        clocked=clocked if library else None,
        missing=missing,
    )


def member_names(instances: int) -> list[str]:
    """Names of the services' processes, known before they run."""
    return [f"{service}-{number}" for service in SERVICES for number in range(1, instances + 1)]
