"""The faults that are no signal to a process: a bad network, a full disk, a false clock, the leader of a partition."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from revcycle_devstack.files import write_atomically

_STREAMS: Final = ("upstream", "downstream")
_TOXICS: Final[Mapping[str, tuple[str, Mapping[str, int]]]] = {
    "latency": ("latency", {"latency": 300, "jitter": 200}),
    # Nothing passes, nobody is told: the connection looks alive until the toxic is taken away.
    "half_open": ("timeout", {"timeout": 0}),
    "reset": ("reset_peer", {"timeout": 0}),
    "bandwidth": ("bandwidth", {"rate": 20}),
    "slicer": ("slicer", {"average_size": 64, "size_variation": 32, "delay": 2000}),
}
_CUT: Final = "cut"


class Toxiproxy:
    """Takes orders about the proxies of a stack. All methods raise httpx.HTTPError when it does not answer."""

    def __init__(self, address: str) -> None:
        self._client = httpx.AsyncClient(base_url=address, timeout=10)

    async def spoil(self, route: str, fault: str) -> None:
        """Begin a fault of `chaos_schedule.NETWORK_FAULTS` on a route, in both directions."""
        if fault == _CUT:
            await self._post(f"/proxies/{route}", {"enabled": False})
            return
        kind, attributes = _TOXICS[fault]
        for stream in _STREAMS:
            await self._post(
                f"/proxies/{route}/toxics",
                {"name": f"{fault}-{stream}", "type": kind, "stream": stream, "attributes": dict(attributes)},
            )

    async def heal(self) -> None:
        """All routes as they were at first."""
        await self._post("/reset", None)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()

    async def _post(self, path: str, body: Mapping[str, Any] | None) -> None:
        (await self._client.post(path, json=body)).raise_for_status()


class Filler:
    """A file that takes all that is left of a disk."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "filler"

    def fill(self) -> int:
        """Take what is free now, also what became free since the last time; returns the bytes taken in all."""
        with self._file.open("ab") as stream:
            end = stream.seek(0, os.SEEK_END)
            state = os.statvfs(self._file)
            free = state.f_bavail * state.f_frsize
            if free:
                try:
                    os.posix_fallocate(stream.fileno(), end, free)
                except OSError:
                    # The server was faster with some of it; the rest of what was asked for is not given.
                    return end
            return end + free

    def free(self) -> None:
        """Give it back."""
        self._file.unlink(missing_ok=True)


def set_clock(file: Path, offset_seconds: int) -> None:
    """From within a second on, the process that reads this file lives so many seconds in the future."""
    write_atomically(file, f"{offset_seconds:+d}\n")


async def leader_of(bootstrap_servers: str, topic: str, partition: int) -> int | None:
    """Number of the broker that leads a partition; None when nobody does or nobody answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        described = await admin.describe_topics([topic])
    except (KafkaError, OSError):
        return None
    finally:
        await admin.close()
    leaders = {each["partition"]: int(each["leader"]) for found in described for each in found["partitions"]}
    leader = leaders.get(partition, -1)
    return leader if leader >= 0 else None
