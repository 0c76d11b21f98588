"""The tools of the nemesis do what they say: a fault that is not felt would make every green run worthless."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
from chaos_schedule import NETWORK_FAULTS
from chaos_tools import Filler, Toxiproxy, set_clock
from revcycle_devstack import DevstackError
from revcycle_devstack.attack_tools import ensure_faketime, ensure_toxiproxy
from revcycle_devstack.memory_disk import can_mount, mount_memory_disk, unmount_memory_disk
from revcycle_devstack.network import Network, plan_network, toxiproxy_server
from revcycle_devstack.ports import HOST, choose_port

PIECE = b"x" * 16_384
READY_WITHIN_SECONDS = 30
FELT_SECONDS = 0.15
"""An undisturbed echo on the loopback interface takes a hundredth of it."""


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[tuple[Network, Toxiproxy]]:
    """Toxiproxy before an echo server."""
    try:
        executable = await asyncio.to_thread(ensure_toxiproxy)
    except DevstackError as reason:
        pytest.skip(str(reason))
    ports = count(24_500)
    taken = {port: choose_port(next(ports)) for port in range(3)}
    chosen = iter([taken[1], taken[2]])
    network = plan_network(["echo"], taken[0], {}, lambda: next(chosen))
    server = toxiproxy_server(executable, network, tmp_path, tmp_path / "toxiproxy.log")
    process = server.command.start()
    echo = await asyncio.start_server(_echo, HOST, taken[0])
    toxiproxy = Toxiproxy(server.address)
    try:
        await _until(lambda: asyncio.to_thread(server.is_ready))
        yield network, toxiproxy
    finally:
        await toxiproxy.close()
        echo.close()
        process.kill()
        process.wait()


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _there_and_back(port: int) -> str:
    """How a piece fares: `arrived`, `late`, or `refused` when the connection breaks."""
    try:
        async with asyncio.timeout(FELT_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(PIECE)
                returned = await reader.readexactly(len(PIECE))
            finally:
                writer.close()
    except TimeoutError:
        return "late"
    except (OSError, asyncio.IncompleteReadError):
        return "refused"
    assert returned == PIECE
    return "arrived"


@pytest.mark.component
@pytest.mark.parametrize("fault", NETWORK_FAULTS)
async def test_every_network_fault_is_felt_and_heals(fault: str, network: tuple[Network, Toxiproxy]) -> None:
    """Promise: each kind of bad network really stands between a service and its server, and goes away again."""
    port = network[0].to_postgresql["echo"].port
    route = network[0].to_postgresql["echo"].name
    await network[1].spoil(route, fault)
    assert await _there_and_back(port) == ("refused" if fault in ("cut", "reset") else "late")
    await network[1].heal()

    async def arrives() -> bool:
        return await _there_and_back(port) == "arrived"

    await _until(arrives)


async def test_a_proxy_that_does_not_exist_is_an_error(network: tuple[Network, Toxiproxy]) -> None:
    """Promise: a fault that was not made is never counted as one."""
    with pytest.raises(httpx.HTTPStatusError):
        await network[1].spoil("nowhere", "cut")


@pytest.mark.skipif(can_mount() is not None, reason=str(can_mount()))
def test_a_filled_disk_has_no_byte_left_until_it_is_freed(tmp_path: Path) -> None:
    """Promise: while the disk is full nobody can write, also not where something was deleted meanwhile."""
    disk = tmp_path / "disk"
    mount_memory_disk(disk, 4)
    try:
        (disk / "own").write_bytes(b"x" * 1_000_000)
        filler = Filler(disk)
        filler.fill()
        assert shutil.disk_usage(disk).free == 0
        (disk / "own").unlink()
        filler.fill()
        assert shutil.disk_usage(disk).free == 0
        with pytest.raises(OSError, match="No space left"):
            (disk / "more").write_bytes(b"x" * 100_000)
        filler.free()
        (disk / "more").write_bytes(b"x" * 100_000)
    finally:
        unmount_memory_disk(disk)


@pytest.mark.slow
def test_a_false_clock_jumps_and_comes_back_in_a_living_process(tmp_path: Path) -> None:
    """Promise: the time of day moves under a running process, the time that timeouts go by does not."""
    try:
        library = ensure_faketime()
    except DevstackError as reason:
        pytest.skip(str(reason))
    file = tmp_path / "offset"
    set_clock(file, 0)
    script = "import sys, time\nfor line in sys.stdin:\n    print(time.time(), time.monotonic(), flush=True)\n"
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def ask() -> tuple[float, float]:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            wall, monotonic = process.stdout.readline().split()
            return float(wall), float(monotonic)

        _, before = ask()
        for offset in (3600, -1800, 0):
            set_clock(file, offset)
            deadline = datetime.now(UTC) + timedelta(seconds=READY_WITHIN_SECONDS)
            while abs(ask()[0] - datetime.now(UTC).timestamp() - offset) > 1:
                assert datetime.now(UTC) < deadline, f"the clock never stood {offset} s off"
        assert 0 <= ask()[1] - before < READY_WITHIN_SECONDS * 3
        process.stdin.close()
