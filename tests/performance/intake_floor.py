"""The floor of bulk intake, a process of its own: ``python intake_floor.py DATABASE PORT``.

Bare ASGI: the body is read, each file is inserted as it came in one statement per request, and answered.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import msgspec
import uvicorn
from ground import Servers, busy_seconds
from harness import Measure
from revcycle_devstack.ports import choose_port
from revcycle_hospital_simulator import Pace

TABLE = "CREATE TABLE encounter_file (facility_npi text, encounter_number text, content text)"
INSERT = "INSERT INTO encounter_file SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"


class File(msgspec.Struct):
    """What is looked at in a file."""

    facility_npi: str
    encounter_number: str


class Intake(msgspec.Struct):
    """A request."""

    encounters: list[msgspec.Raw]


class App:
    """POST takes files in; GET says that the process is there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool: Any = None
        self.decode_request = msgspec.json.Decoder(Intake).decode
        self.decode_file = msgspec.json.Decoder(File).decode

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["method"] == "POST":
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message.get("more_body", False)
            numbers = await self._keep(self.decode_request(body).encounters)
        else:
            numbers = []
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode({"results": numbers})})

    async def _keep(self, raw: Sequence[msgspec.Raw]) -> list[str]:
        self.pool = self.pool or await asyncpg.create_pool(self.url, min_size=1, max_size=4)
        files = [self.decode_file(each) for each in raw]
        numbers = [file.encounter_number for file in files]
        await self.pool.execute(
            INSERT, [file.facility_npi for file in files], numbers, [bytes(each).decode() for each in raw]
        )
        return numbers


@dataclass(frozen=True, slots=True)
class IntakeFloor:
    """The running process."""

    pid: int
    url: str
    client: httpx.AsyncClient

    async def measure(self, files: Sequence[object], pace: Pace) -> Measure:
        """Files per second until the last one is answered, sent as the real ones are."""
        size = pace.files_per_request
        batches = [files[start : start + size] for start in range(0, len(files), size)]
        places = asyncio.Semaphore(pace.requests_at_once)

        async def post(batch: Sequence[object]) -> None:
            async with places:
                (await self.client.post(self.url, content=json.dumps({"encounters": batch}))).raise_for_status()

        busy, started = busy_seconds(self.pid), time.monotonic()
        await asyncio.gather(*map(post, batches))
        elapsed = time.monotonic() - started
        return Measure(len(files) / elapsed, (busy_seconds(self.pid) - busy) / len(files) * 1e6)


@asynccontextmanager
async def intake_floor(servers: Servers) -> AsyncIterator[IntakeFloor]:
    """A database with one table and the process; it ends with the block."""
    made = await servers.postgresql.create_database("intake")
    owner = await asyncpg.connect(made.owner_url)
    await owner.execute(f'{TABLE}; GRANT ALL ON encounter_file TO "{made.service_role}"')
    await owner.close()
    port = choose_port(18300)
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, made.service_url, str(port))
    url = f"http://127.0.0.1:{port}/"
    try:
        async with httpx.AsyncClient(timeout=60) as client:
            async with asyncio.timeout(30):
                while not await _answers(client, url):  # noqa: ASYNC110  (another process starts)
                    await asyncio.sleep(0.1)
            yield IntakeFloor(process.pid, url, client)
    finally:
        process.kill()
        await process.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    uvicorn.run(App(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), lifespan="off", log_level="error")
