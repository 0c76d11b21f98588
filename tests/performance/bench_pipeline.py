"""Pipeline: the real services with all rules, from intake to ClaimSubmitted counted by analytics, payers off.

Floor: five stages that promise nothing and know no rule (see bench_chassis). Beside it, what intake alone takes, and
how long one encounter needs from the answer that it is documented until its submission is on the topic.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from itertools import count, islice
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from fleet import Fleet, fleet, percentiles
from ground import Ground, busy_seconds
from harness import Bench, Line, Measure, OneRound, Round
from intake_floor import IntakeFloor, intake_floor
from revcycle_cli.commands.load import api_of
from revcycle_devstack.connections import connect_to
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.stack import Stack
from revcycle_events import ClaimSubmitted
from revcycle_hospital_simulator import Api, Pace, generate, send_files, set_up_tenant
from revcycle_hospital_simulator.intake import send_file
from revcycle_messaging.transports.kafka import KafkaTransport
from telemetry import traced_share

BUSINESS_DATE = date(2026, 9, 30)
ENCOUNTERS = 1_000
FLOOR_CLAIMS = 3_000
SEED = 1
VISITS = 60_000
"""Of which 55 in a hundred are plain, and a round takes about 3,000."""
LATENCY_ENCOUNTERS = 60
LATENCY_PER_SECOND = 10
PACE = Pace(files_per_request=100, requests_at_once=4)
BEHIND_INTAKE = ("coding", "claims", "adjudication-gateway", "analytics")
COUNTED = "SELECT coalesce(sum(value), 0)::bigint FROM analytics.rollup WHERE measure = 'claims_submitted'"


@dataclass(slots=True)
class Pipeline:
    """The running services, plain visits to send, and what analytics has counted."""

    stack: Stack
    api: Api
    visits: Iterator[object]
    counted: asyncpg.Connection
    numbers: "count[int]"
    sent: int = 0

    async def throughput(self, encounters: int) -> Measure:
        """Encounters per second from the first file sent to the last claim counted."""
        files = list(islice(self.visits, encounters))
        python, servers = self._busy_seconds("service"), self._busy_seconds("infrastructure")
        started = time.monotonic()
        await self._send(files)
        await self._all_counted()
        elapsed = time.monotonic() - started
        return Measure(
            encounters / elapsed,
            (self._busy_seconds("service") - python) / encounters * 1e6,
            (self._busy_seconds("infrastructure") - servers) / encounters * 1e6,
        )

    async def intake(self, encounters: int) -> Measure:
        """Files per second until the last one is answered, everything behind registration standing still."""
        files = list(islice(self.visits, encounters))
        try:
            self._signal_behind_intake(signal.SIGSTOP)
            python = self._busy_seconds("service")
            started = time.monotonic()
            await self._send(files)
            found = Measure(
                encounters / (time.monotonic() - started), (self._busy_seconds("service") - python) / encounters * 1e6
            )
        finally:
            self._signal_behind_intake(signal.SIGCONT)
        await self._all_counted()
        return found

    async def latencies(self, encounters: int, per_second: int) -> list[float]:
        """Milliseconds from the answer of registration to ClaimSubmitted on its topic, encounter by encounter."""
        client = KafkaTransport(self.stack.kafka_bootstrap_servers, client_id="bench")
        ends = await client.end_offsets([ClaimSubmitted.contract.topic])
        await client.close()
        reader = AIOKafkaConsumer(bootstrap_servers=self.stack.kafka_bootstrap_servers)
        await reader.start()
        documented: dict[str, float] = {}
        submitted: dict[str, float] = {}
        try:
            await _assign(reader, ends)
            reading = asyncio.create_task(_note_submissions(reader, submitted, encounters))
            started = time.monotonic()
            for ordinal, file in enumerate(list(islice(self.visits, encounters))):
                await asyncio.sleep(max(0.0, started + ordinal / per_second - time.monotonic()))
                answer = await send_file(self.api, file, f"bench-{next(self.numbers)}")
                documented[str(answer.encounter_id)] = time.monotonic()
            async with asyncio.timeout(60):
                await reading
        finally:
            await reader.stop()
        self.sent += encounters
        await self._all_counted()
        return [(submitted[encounter] - moment) * 1000 for encounter, moment in documented.items()]

    async def _send(self, files: Sequence[object]) -> None:
        answers: list[Any] = []
        await send_files(self.api, enumerate(files, start=1), f"bench-{next(self.numbers)}", PACE, answers.extend)
        refused = [answer for answer in answers if answer.status != "created" or answer.blocked_by]
        assert not refused, refused[:3]
        self.sent += len(files)

    async def _all_counted(self) -> None:
        async with asyncio.timeout(180):
            while await self.counted.fetchval(COUNTED) < self.sent:  # noqa: ASYNC110  (another process counts)
                await asyncio.sleep(0.02)

    def _busy_seconds(self, kind: str) -> float:
        return sum(busy_seconds(each.pid) for each in self.stack.processes if each.kind == kind and each.pid)

    def _signal_behind_intake(self, number: int) -> None:
        for each in self.stack.processes:
            if each.name in BEHIND_INTAKE and each.pid:
                os.kill(each.pid, number)


async def _assign(reader: AIOKafkaConsumer, ends: Mapping[tuple[str, int], int]) -> None:
    reader.assign([TopicPartition(*place) for place in ends])
    for place, end in ends.items():
        reader.seek(TopicPartition(*place), end)


async def _note_submissions(reader: AIOKafkaConsumer, submitted: dict[str, float], wanted: int) -> None:
    while len(submitted) < wanted:
        record = await reader.getone()
        headers = dict(record.headers)
        if headers["ce_type"] == ClaimSubmitted.contract.type.encode():
            submitted[headers["ce_correlationid"].decode()] = time.monotonic()


def plain_visits() -> Iterator[object]:
    """Encounter files with nothing wrong in them, each of a patient of its own.

    Of one seed: another one gives its people the same record numbers, so coverages of two people mix under one number,
    and some of their claims are rightly held.
    """
    yield from (each.file for each in generate(SEED, VISITS, BUSINESS_DATE) if each.kind == "plain")
    raise AssertionError(f"more than {VISITS} visits should have been planned")


@asynccontextmanager
async def pipeline(ground: Ground) -> AsyncIterator[Pipeline]:
    """The whole stack of its own, payers off."""
    options = StackOptions(
        state_dir=ground.folder / "stack", business_date=BUSINESS_DATE, fresh=True, trace_ratio=traced_share()
    )
    async with AsyncExitStack() as held:
        stack = await held.enter_async_context(Stack(options))
        client = await held.enter_async_context(httpx.AsyncClient(timeout=httpx.Timeout(60, connect=5)))
        api = api_of(connect_to(stack.state_dir), client)
        await set_up_tenant(api, None)
        counted = await asyncpg.connect(stack.checker_url("analytics"))
        held.push_async_callback(counted.close)
        yield Pipeline(stack, api, plain_visits(), counted, count(1))


@asynccontextmanager
async def prepare(ground: Ground) -> AsyncIterator[OneRound]:
    """The stack and the floors, for all rounds; one rests while another works."""
    servers = await ground.servers()
    async with (
        pipeline(ground) as ours,
        fleet("floor", servers) as floor,
        intake_floor(servers) as plain_intake,
    ):

        async def one_round() -> Mapping[str, Round]:
            base, value = await floor.throughput(FLOOR_CLAIMS), await ours.throughput(ENCOUNTERS)
            intake = Round(await ours.intake(ENCOUNTERS), await _plain_intake(plain_intake, ours))
            return {"pipeline": Round(value, base), "intake": intake} | await latency_round(ours, floor)

        yield one_round


async def _plain_intake(floor: IntakeFloor, ours: Pipeline) -> Measure:
    return await floor.measure(list(islice(ours.visits, ENCOUNTERS)), PACE)


async def latency_round(ours: Pipeline, floor: Fleet) -> dict[str, Round]:
    """One encounter at a time on a system that has nothing else to do."""
    base = percentiles(await floor.latencies(LATENCY_ENCOUNTERS, LATENCY_PER_SECOND))
    value = percentiles(await ours.latencies(LATENCY_ENCOUNTERS, LATENCY_PER_SECOND))
    return {
        name: Round(Measure(value[at]), Measure(base[at])) for at, name in enumerate(("latency-p50", "latency-p99"))
    }


LINES = (
    Line("pipeline", "encounters/s", ratio_min=0.2),
    Line("intake", "encounters/s"),
    Line("latency-p50", "ms", value_max=75),
    Line("latency-p99", "ms", value_max=400),
)
BENCHES = (Bench("pipeline", LINES, prepare),)
