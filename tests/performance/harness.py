"""What every benchmark needs: servers of its own with fsync on, claims of about 3 KB, interleaved rounds, figures."""

import asyncio
import gc
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from revcycle_devstack.layout import StateLayout
from revcycle_devstack.ports import choose_port
from revcycle_devstack.processes import ProcessIdentity, last_lines, stop_all
from revcycle_devstack.roles import ensure_checker
from revcycle_devstack.servers import Server, prepare_kafka, prepare_postgresql
from revcycle_devstack.testing import KafkaBroker, PostgresServer, TestDatabase
from revcycle_devstack.waiting import wait_until_ready
from revcycle_events import ClaimSubmitted
from revcycle_events.claims_v1 import BillingProvider, ClaimLine, ClaimPatient, RenderingPerson, Subscriber
from revcycle_events.patients_v1 import Address
from revcycle_messaging import Cause, Database, KeyRing
from revcycle_messaging.testing import TENANT, install_chassis, make_key_ring

TOPIC = ClaimSubmitted.contract.topic
PLAIN_TOPIC = "bench.claims-without-seal"
START = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
LINES = 8


@dataclass(frozen=True)
class Round:
    """Ours and the floor's, measured right after each other."""

    value: "Speed"
    floor: "Speed"


@dataclass(frozen=True)
class Speed:
    """Events per second, and microseconds of this process's own processor time per event, which are steadier."""

    per_second: float
    python_microseconds: float


@dataclass(frozen=True)
class Surroundings:
    """What a benchmark runs on."""

    postgresql: PostgresServer
    kafka: KafkaBroker
    keys: KeyRing

    async def database(self, purpose: str) -> tuple[Database, TestDatabase]:
        """A fresh database with the chassis."""
        made = await self.postgresql.create_database(purpose)
        await install_chassis(made.owner_url, made.service_role)
        return await Database.connect(made.service_url, service="bench", keys=self.keys), made

    async def fresh_topics(self, *names: str) -> None:
        """Empty topics of 12 partitions."""
        await self.kafka.delete_topics(names)
        await self.kafka.create_topics(names)


@asynccontextmanager
async def surroundings(folder: Path) -> AsyncIterator[Surroundings]:
    """PostgreSQL and Kafka for this run alone, both as durable as in production, stopped and removed at the end."""
    layout = StateLayout(folder / "servers")
    started: list[ProcessIdentity] = []
    try:
        postgresql = await asyncio.to_thread(prepare_postgresql, layout, {"max_wal_size": "4GB"}, choose_port(55732))
        kafka = await asyncio.to_thread(prepare_kafka, layout, choose_port(19292))
        await asyncio.gather(*(asyncio.to_thread(_start, server, started) for server in (postgresql, kafka)))
        await ensure_checker(postgresql.address, "bench")
        keys = make_key_ring(layout.root, service="bench")
        yield Surroundings(PostgresServer(postgresql.address, "bench"), KafkaBroker(kafka.address), keys)
    finally:
        await asyncio.to_thread(stop_all, started, 15)
        await asyncio.to_thread(shutil.rmtree, layout.root, ignore_errors=True)


def _start(server: Server, started: list[ProcessIdentity]) -> None:
    process = server.command.start()
    identity = ProcessIdentity.of(process.pid, server.command.stop_signal)
    if identity is not None:
        started.append(identity)
    log_file = server.command.log_file
    wait_until_ready(server.name, server.is_ready, identity, server.ready_seconds, lambda: last_lines(log_file))


def claim(number: int) -> ClaimSubmitted:
    """A synthetic submission of eight lines, about 3 KB on the wire."""
    address = Address(line1=f"{number} Synthetic Street", city="Testville", state="TX", postal_code="75001")
    return ClaimSubmitted(
        claim_id=UUID(int=number),
        encounter_id=UUID(int=number + 1),
        patient_id=UUID(int=number % 1000),
        submission_id=UUID(int=number + 2),
        billing_side="professional",
        payer_id="SYNTH1",
        payer_name="Synthetic Payer",
        frequency="1",
        patient_control_number=f"PCN{number:012d}",
        charge_cents=LINES * 12_500,
        business_date=date(2026, 9, 1),
        billing_provider=BillingProvider(
            npi="1999999984", name="Synthetic Clinic", tax_id="999999999", taxonomy="261QR1300X", address=address
        ),
        rendering_provider=RenderingPerson(npi="1999999992", last_name="Synthetic", first_name="Provider"),
        subscriber=Subscriber(
            member_id=f"SYN{number:09d}", relationship="self", last_name="Synthetic", first_name=f"Person{number}"
        ),
        patient=ClaimPatient(
            last_name="Synthetic", first_name=f"Person{number}", birth_date=date(1970, 1, 1), sex="U", address=address
        ),
        encounter_number=f"ENC{number:09d}",
        filing_deadline=date(2027, 9, 1),
        date_of_service=date(2026, 8, 30),
        place_of_service="11",
        diagnoses=["Z0000", "E119"],
        lines=[
            ClaimLine(
                line_number=line,
                line_control_number=f"{number:012d}{line:03d}",
                code="G0463",
                modifiers=["25"],
                units=1,
                charge_cents=12_500,
                diagnosis_pointers=[1, 2],
            )
            for line in range(1, LINES + 1)
        ],
    )


async def fill_outbox(database: Database, numbers: Sequence[int]) -> None:
    """Write a claim per number through the unit of work, 500 to a transaction."""
    for start in range(0, len(numbers), 500):
        async with database.unit_of_work(TENANT) as uow:
            for number in numbers[start : start + 500]:
                uow.add_event(claim(number), Cause(TENANT, UUID(int=number), START, "bench"))


async def measured(count: int, work: Awaitable[Any]) -> Speed:
    """How fast some work was, the garbage before it collected."""
    gc.collect()
    started, busy = time.perf_counter(), time.process_time()
    await work
    return Speed(count / (time.perf_counter() - started), (time.process_time() - busy) / count * 1e6)


async def reached(count: Callable[[], int], wanted: int) -> None:
    """Wait until a counter has come so far, looking every five milliseconds."""
    async with asyncio.timeout(120):
        while count() < wanted:  # noqa: ASYNC110  (a counter tells nobody)
            await asyncio.sleep(0.005)


async def rounds_of(name: str, rounds: int, one_round: Callable[[], Awaitable[Round]]) -> list[Round]:
    """One round to warm everything up, which does not count, then the rounds; each is told on standard error."""
    found = []
    for number in range(rounds + 1):
        found.append(await one_round())
        kind = f"round {number} of {rounds}" if number else "warm-up"
        _tell(f"{name}: {kind}: {_told(found[-1].value)}, floor {_told(found[-1].floor)}")
    return found[1:]


def report(name: str, unit: str, rounds: Sequence[Round], target: float, folder: Path) -> float:
    """Print the line of a benchmark and write its figures beside it; returns the median ratio."""
    ratios = [one.value.per_second / one.floor.per_second for one in rounds]
    value, floor = (median(getattr(one, kind).per_second for one in rounds) for kind in ("value", "floor"))
    ratio = median(ratios)
    sys.stdout.write(f"bench {name} value={value:.0f} unit={unit} floor={floor:.0f} ratio={ratio:.2f}\n")
    sys.stdout.flush()
    _tell(f"{name}: ratio {min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds, target {target:.2f}")
    content = {
        "name": name,
        "unit": unit,
        "value": value,
        "floor": floor,
        "ratio": ratio,
        "ratio_range": [min(ratios), max(ratios)],
        "target": target,
        "rounds": [asdict(one) for one in rounds],
    }
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    return ratio


def _told(speed: Speed) -> str:
    return f"{speed.per_second:,.0f}/s ({speed.python_microseconds:.0f} us of Python each)"


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
