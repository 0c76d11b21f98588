"""What benchmarks with servers run on: a PostgreSQL and a Kafka of this run alone, claims of about 3 KB, an outbox."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
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
from telemetry import encounter_of, record_spans

TOPIC = ClaimSubmitted.contract.topic
PLAIN_TOPIC = "bench.claims-without-seal"
START = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
LINES = 8


@dataclass(frozen=True)
class Servers:
    """PostgreSQL, Kafka and the keys of this run; ``ring`` is the file of the keys."""

    postgresql: PostgresServer
    kafka: KafkaBroker
    ring: Path
    processes: Sequence[ProcessIdentity]

    @property
    def keys(self) -> KeyRing:
        """All keys."""
        return KeyRing(self.ring)

    def busy_seconds(self) -> float:
        """Processor time of both servers and of all their processes since they started."""
        return sum(busy_seconds(identity.pid) for identity in self.processes)

    async def database(self, purpose: str) -> tuple[Database, TestDatabase]:
        """A fresh database with the chassis."""
        made = await self.postgresql.create_database(purpose)
        await install_chassis(made.owner_url, made.service_role)
        database = await Database.connect(made.service_url, service="bench", keys=self.keys)
        record_spans(database)
        return database, made

    async def fresh_topics(self, *names: str) -> None:
        """Empty topics of 12 partitions."""
        await self.kafka.delete_topics(names)
        await self.kafka.create_topics(names)


def busy_seconds(pid: int) -> float:
    """Processor time of a process and its children, also of those that ended, since it started."""
    own = _stat(pid)
    children = [
        stat
        for path in Path("/proc").glob("[0-9]*/stat")
        if (stat := _stat(int(path.parent.name))) and stat[1] == str(pid)
    ]
    ticks = sum(int(text) for text in own[11:15]) + sum(int(text) for stat in children for text in stat[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of a process behind its name: state, parent, …; zeros when it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 20


class Ground:
    """Starts the servers when the first benchmark asks for them; ``close`` stops and removes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = AsyncExitStack()
        self._servers: Servers | None = None

    async def servers(self) -> Servers:
        """The servers, both as durable as in production."""
        if self._servers is None:
            self._servers = await self._stack.enter_async_context(_servers(self.folder))
        return self._servers

    async def close(self) -> None:
        """Stop what was started. A benchmark that starts a stack of its own calls it too, to have the cores."""
        self._servers = None
        await self._stack.aclose()


@asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[Servers]:
    layout = StateLayout(folder / "servers")
    started: list[ProcessIdentity] = []
    try:
        postgresql = await asyncio.to_thread(prepare_postgresql, layout, {"max_wal_size": "4GB"}, choose_port(55732))
        kafka = await asyncio.to_thread(prepare_kafka, layout, choose_port(19292))
        await asyncio.gather(*(asyncio.to_thread(_start, server, started) for server in (postgresql, kafka)))
        await ensure_checker(postgresql.address, "bench")
        make_key_ring(layout.root, service="bench")
        ring = layout.root / "bench.json"
        yield Servers(PostgresServer(postgresql.address, "bench"), KafkaBroker(kafka.address), ring, started)
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
                uow.add_event(claim(number), Cause(TENANT, UUID(int=number), START, "bench", encounter_of(number)))


async def reached(count: Callable[[], int], wanted: int) -> None:
    """Wait until a counter has come so far, looking every five milliseconds."""
    async with asyncio.timeout(120):
        while count() < wanted:  # noqa: ASYNC110  (a counter tells nobody)
            await asyncio.sleep(0.005)
