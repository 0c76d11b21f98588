"""PostgreSQL away, then Kafka away, then each service, under a client that writes down every answer.

What was answered with success is there at the end; what was refused is not; what got no answer may be either.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from chaos_harness import BUSINESS_DATE, SEED, Storm, storm
from revcycle_devstack import SERVICES
from revcycle_devstack.layout import StateLayout
from revcycle_hospital_simulator import Api, generate
from revcycle_hospital_simulator.catalogue import FACILITY_NPI
from revcycle_hospital_simulator.rest import Body
from revcycle_hospital_simulator.staff import Cashier
from revcycle_hospital_simulator.watch import in_flight

OUTAGE_SECONDS = 60.0
SHORT_OUTAGE_SECONDS = 5.0
DRAINED_WITHIN_SECONDS = 60
READY_AGAIN_WITHIN_SECONDS = 120
NOT_READY_WITHIN_SECONDS = 60
REQUESTS_PER_SECOND = 4
PLANNED = 6000
UPSTREAM = {after: before for before, after in pairwise(SERVICES)}
"""Who goes on publishing for a service that is away."""
POLL_SECONDS = 0.1


@dataclass
class Recorder:
    """Sends each encounter once, in a request of its own that is never repeated, and writes down what it heard."""

    api: Api
    answers: dict[str, int | None] = field(default_factory=dict)
    """Status by encounter number; None when nothing was heard."""

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send while the block runs."""
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.send_until(enough))
            yield
            enough.set()

    async def send_until(self, enough: asyncio.Event) -> None:
        """One request after the other at a fixed rate, whether the ones before were answered or not."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(10, connect=2)) as client:
            files = [each.file for each in generate(SEED, PLANNED, BUSINESS_DATE) if each.expected.outcome == "paid"]
            async with asyncio.TaskGroup() as tasks:
                for number, file in enumerate(files):
                    if enough.is_set():
                        break
                    tasks.create_task(self._send(client, number, file))
                    await asyncio.sleep(1 / REQUESTS_PER_SECOND)
                assert enough.is_set(), "more encounters should have been planned"

    async def _send(self, client: httpx.AsyncClient, number: int, file: Mapping[str, object]) -> None:
        urls = self.api.urls["registration"]
        body = Body.of({"encounters": [file]})
        headers = self.api.headers("integration", body, key=f"recorded-{number}")
        url = f"{urls[number % len(urls)]}/v1/intake"
        status: int | None = None
        try:
            status = (await client.post(url, content=body.content, headers=headers)).status_code
        except httpx.TransportError:
            pass
        self.answers[str(file["encounter_number"])] = status

    def numbers(self, *, taken: bool) -> set[str]:
        """Encounter numbers that were taken, or refused."""
        return {
            number for number, status in self.answers.items() if status is not None and (status in (200, 201)) == taken
        }


@pytest.mark.component
@pytest.mark.timeout(600)
async def test_what_was_acknowledged_is_there_and_what_was_refused_is_not(tmp_path: Path) -> None:
    """Promise: an outage of PostgreSQL or Kafka costs refusals, never an acknowledged request nor a process."""
    await _servers_away(tmp_path, SHORT_OUTAGE_SECONDS)


@pytest.mark.component
@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_minute_without_postgresql_and_then_without_kafka(tmp_path: Path) -> None:
    """Promise: the same when each outage lasts a minute; drained within a minute of the end."""
    await _servers_away(tmp_path, OUTAGE_SECONDS)


async def _servers_away(tmp_path: Path, seconds: float) -> None:
    async with storm(SEED, 1, tmp_path) as made:
        before = _pids(made)
        recorder = Recorder(made.api)
        async with recorder.sending():
            for name in ("postgresql", "kafka"):
                await _outage(made, name, seconds)
            ended = time.monotonic()
        await _drained(made, ended + DRAINED_WITHIN_SECONDS)
        assert _pids(made) == before
        await _judge(made, recorder)
        assert len(recorder.numbers(taken=True)) >= seconds
        assert recorder.numbers(taken=False), "the outage of PostgreSQL was not felt"


@pytest.mark.component
@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_any_one_service_away_for_a_minute_leaves_the_others_at_work(tmp_path: Path) -> None:
    """Promise: without one service the others stay ready and go on, and what piled up for it drains."""
    async with storm(SEED, 1, tmp_path) as made:
        recorder = Recorder(made.api)
        async with recorder.sending():
            for service in SERVICES:
                await _service_away(made, service, OUTAGE_SECONDS)
            ended = time.monotonic()
        await _drained(made, ended + DRAINED_WITHIN_SECONDS)
        await _judge(made, recorder)
        assert await made.streams_with_gaps() == []


async def _judge(made: Storm, recorder: Recorder) -> None:
    """What was taken is there, what was refused is not, and no invariant is broken."""
    there = await _known(made.api, list(recorder.answers))
    assert recorder.numbers(taken=True) - there == set()
    assert recorder.numbers(taken=False) & there == set()
    report = await made.check()
    assert report.violations == []
    assert report.unbalanced_cents == 0


async def _service_away(made: Storm, service: str, seconds: float) -> None:
    """Keep both processes of a service down; the others stay ready, and who comes before it goes on publishing."""
    away = [name for name in made.members if name.startswith(f"{service}-")]
    others = [name for name in made.members if name not in away]
    upstream = UPSTREAM.get(service)
    published = await made.events_published(upstream) if upstream else 0
    async with httpx.AsyncClient(timeout=10) as client:
        for name in away:
            await asyncio.to_thread(made.stack.hold_down, name)
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for name in others:
                    answer = await client.get(f"{made.stack.urls[name]}/readyz")
                    assert answer.status_code == 200, f"{name} is not ready without {service}"
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for name in away:
                made.stack.release(name)
        if upstream:
            assert await made.events_published(upstream) > published, f"{upstream} stood still without {service}"
        await _ready_again(made, client, service)


def _pids(made: Storm) -> dict[str, int | None]:
    return {each.name: each.pid for each in made.stack.processes if each.kind == "service"}


async def _outage(made: Storm, name: str, seconds: float) -> None:
    """Take a server down; meanwhile every process lives, and each says that it is not ready; then wait for all."""
    not_ready: set[str] = set()
    async with httpx.AsyncClient(timeout=20) as client:
        await asyncio.to_thread(made.stack.hold_down, name)
        try:
            began = time.monotonic()
            while time.monotonic() < began + seconds or (
                not_ready != set(made.members) and time.monotonic() < began + NOT_READY_WITHIN_SECONDS
            ):
                asked = [_lives_and_is_ready(client, member, made.stack.urls[member]) for member in made.members]
                ready = await asyncio.gather(*asked)
                not_ready |= {member for member, is_ready in zip(made.members, ready, strict=True) if not is_ready}
                await asyncio.sleep(POLL_SECONDS)
        finally:
            made.stack.release(name)
        assert not_ready == set(made.members), f"without {name}, these said they were ready"
        await _ready_again(made, client, name)


async def _lives_and_is_ready(client: httpx.AsyncClient, member: str, url: str) -> bool:
    assert (await client.get(f"{url}/livez")).status_code == 200, f"{member} does not live"
    status = (await client.get(f"{url}/readyz")).status_code
    assert status in (200, 503), f"{member}: {status}"
    return status == 200


async def _ready_again(made: Storm, client: httpx.AsyncClient, name: str) -> None:
    deadline = time.monotonic() + READY_AGAIN_WITHIN_SECONDS
    for member in made.members:
        while not await _is_ready(client, f"{made.stack.urls[member]}/readyz"):
            assert time.monotonic() < deadline, f"{member} is not ready again after {name} came back"
            await asyncio.sleep(POLL_SECONDS)


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


async def _drained(made: Storm, deadline: float) -> None:
    """Wait until nothing is on its way, posting the bank's deposits meanwhile."""
    cashier = Cashier(made.api, StateLayout(made.stack.state_dir).payer / "deposits.csv")
    while True:
        await cashier.work()
        waiting = await in_flight(made.api, made.payer)
        if not waiting and not cashier.waiting():
            return
        assert time.monotonic() < deadline, waiting
        await asyncio.sleep(POLL_SECONDS)


async def _known(api: Api, numbers: list[str]) -> set[str]:
    """Which of these encounter numbers registration has."""
    found: set[str] = set()
    for start in range(0, len(numbers), 500):
        body = Body.of({"facility_npi": FACILITY_NPI, "encounter_numbers": numbers[start : start + 500]})
        answer = await api.call("integration", "registration", "POST", "/v1/encounters:search", body)
        found |= {each["encounter_number"] for each in answer.body["items"]}
    return found
