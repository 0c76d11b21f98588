"""PostgreSQL away, then Kafka away, under a client that writes down every answer. REVCYCLE_CHAOS_LONG=1: a minute each.

What was answered with success is there at the end; what was refused is not; what got no answer may be either.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from chaos_harness import BUSINESS_DATE, OUTAGE_SECONDS, SEED, Storm, storm
from revcycle_devstack.layout import StateLayout
from revcycle_hospital_simulator import Api, generate
from revcycle_hospital_simulator.catalogue import FACILITY_NPI
from revcycle_hospital_simulator.rest import Body
from revcycle_hospital_simulator.staff import Cashier
from revcycle_hospital_simulator.watch import in_flight

DRAINED_WITHIN_SECONDS = 60
READY_AGAIN_WITHIN_SECONDS = 120
REQUESTS_PER_SECOND = 8
PLANNED = 2000
POLL_SECONDS = 0.1


@dataclass
class Recorder:
    """Sends each encounter once, in a request of its own that is never repeated, and writes down what it heard."""

    api: Api
    answers: dict[str, int | None] = field(default_factory=dict)
    """Status by encounter number; None when nothing was heard."""
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

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
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_what_was_acknowledged_is_there_and_what_was_refused_is_not(tmp_path: Path) -> None:
    """Promise: an outage of PostgreSQL or Kafka costs refusals, never an acknowledged request nor a process."""
    async with storm(SEED, 1, tmp_path) as made:
        recorder, enough = Recorder(made.api), asyncio.Event()
        before = _pids(made)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(recorder.send_until(enough))
            for name in ("postgresql", "kafka"):
                await _outage(made, name)
            ended = time.monotonic()
            enough.set()
        await _drained(made, ended + DRAINED_WITHIN_SECONDS)
        assert _pids(made) == before
        there = await _known(made.api, list(recorder.answers))
        assert recorder.numbers(taken=True) - there == set()
        assert recorder.numbers(taken=False) & there == set()
        assert len(recorder.numbers(taken=True)) >= OUTAGE_SECONDS
        assert recorder.numbers(taken=False), "the outage of PostgreSQL was not felt"
        report = await made.check()
    assert report.violations == []
    assert report.unbalanced_cents == 0


def _pids(made: Storm) -> dict[str, int | None]:
    return {each.name: each.pid for each in made.stack.processes if each.kind == "service"}


async def _outage(made: Storm, name: str) -> None:
    """Take a server down; meanwhile every process lives, and each says that it is not ready; then wait for all."""
    not_ready: set[str] = set()
    async with httpx.AsyncClient(timeout=10) as client:
        await asyncio.to_thread(made.stack.hold_down, name)
        try:
            until = time.monotonic() + OUTAGE_SECONDS
            while time.monotonic() < until:
                for member in made.members:
                    url = made.stack.urls[member]
                    assert (await client.get(f"{url}/livez")).status_code == 200, f"{member} without {name}"
                    if (await client.get(f"{url}/readyz")).status_code == 503:
                        not_ready.add(member)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            made.stack.release(name)
        assert not_ready == set(made.members), f"without {name}, these said they were ready"
        deadline = time.monotonic() + READY_AGAIN_WITHIN_SECONDS
        for member in made.members:
            while (await client.get(f"{made.stack.urls[member]}/readyz")).status_code != 200:
                assert time.monotonic() < deadline, f"{member} is not ready again after {name} came back"
                await asyncio.sleep(POLL_SECONDS)


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
