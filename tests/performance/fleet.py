"""Five stages as five processes, told what to do and watched: throughput, processor time, latency."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, Literal

import asyncpg
from ground import Servers, busy_seconds
from harness import Measure
from revcycle_devstack.testing import PostgresServer
from revcycle_messaging.testing import install_chassis
from stages import CHASSIS_TABLES, CHASSIS_TOPICS, FLOOR_TABLES, FLOOR_TOPICS, LAST

PROGRAM: Final = Path(__file__).resolve().parent / "stages.py"
ANSWER_SECONDS: Final = 150
Kind = Literal["chassis", "floor"]


@dataclass(slots=True)
class Fleet:
    """Five running stages; each carries claims of numbers of its own."""

    processes: Sequence[asyncio.subprocess.Process]
    servers_busy_seconds: Callable[[], float]
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def throughput(self, claims: int) -> Measure:
        """Claims per second from the first one's write to the last one's commit in stage 5, and Python per claim."""
        await self._tell(LAST, "forget")
        busy, servers_busy = self._busy_seconds(), self.servers_busy_seconds()
        loop = asyncio.get_running_loop()
        started = loop.time()
        first = self._take(claims)
        filling = asyncio.create_task(self._tell(1, f"fill {first} {claims}"))
        ended = await self._tell(LAST, f"reach {claims}")
        await filling
        return Measure(
            claims / (ended - started),
            (self._busy_seconds() - busy) / claims * 1e6,
            (self.servers_busy_seconds() - servers_busy) / claims * 1e6,
        )

    async def latencies(self, claims: int, per_second: int) -> list[float]:
        """Milliseconds from commit in stage 1 to commit in stage 5, claim by claim on an otherwise idle fleet."""
        for stage in (1, LAST):
            await self._tell(stage, "forget")
        await self._tell(1, f"trickle {self._take(claims)} {claims} {per_second}")
        await self._tell(LAST, f"reach {claims}")
        written, counted = dict(await self._tell(1, "seen")), dict(await self._tell(LAST, "seen"))
        return [(counted[number] - moment) * 1000 for number, moment in written.items()]

    def _take(self, claims: int) -> int:
        first = next(self.numbers)
        self.numbers = count(first + claims)
        return first

    async def _tell(self, stage: int, command: str) -> Any:
        process = self.processes[stage - 1]
        assert process.stdin is not None
        process.stdin.write(f"{command}\n".encode())
        return await _answer(process)

    def _busy_seconds(self) -> float:
        """Processor time of all stages since they started."""
        return sum(busy_seconds(process.pid) for process in self.processes)


def percentiles(milliseconds: Sequence[float]) -> tuple[float, float]:
    """p50 and p99."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


@asynccontextmanager
async def fleet(kind: Kind, servers: Servers) -> AsyncIterator[Fleet]:
    """Databases, topics and five processes; the processes end with the block."""
    await servers.kafka.create_topics(CHASSIS_TOPICS if kind == "chassis" else FLOOR_TOPICS)
    urls = [await _database(kind, servers.postgresql, number) for number in range(1, LAST + 1)]
    processes: list[asyncio.subprocess.Process] = []
    try:
        for number, url in enumerate(urls, start=1):
            processes.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    str(PROGRAM),
                    kind,
                    str(number),
                    url,
                    servers.kafka.bootstrap_servers,
                    str(servers.ring),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=2**24,
                )
            )
        for process in processes:
            await _answer(process)
        yield Fleet(processes, servers.busy_seconds)
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _answer(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(ANSWER_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a stage has ended; its error stands above")
    return json.loads(line)


async def _database(kind: Kind, postgresql: PostgresServer, number: int) -> str:
    made = await postgresql.create_database(f"{kind}_{number}")
    owner = await asyncpg.connect(made.owner_url)
    try:
        if kind == "chassis":
            await install_chassis(made.owner_url, made.service_role)
        await owner.execute(CHASSIS_TABLES if kind == "chassis" else FLOOR_TABLES)
        await owner.execute(f'GRANT USAGE ON SCHEMA bench TO "{made.service_role}"')
        await owner.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA bench TO "{made.service_role}"')
    finally:
        await owner.close()
    return made.service_url
