"""A real payer simulator over HTTPS and a gateway on a real database, worked by hand so that every order can be had."""

import base64
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
import pytest
from revcycle_adjudication_gateway.bootstrap import service_parts
from revcycle_adjudication_gateway.clients.payer_door import PayerDoor
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.jobs.answering import Fetcher, Reader
from revcycle_adjudication_gateway.jobs.sending import Means, Sender
from revcycle_adjudication_gateway.settings import GatewaySettings
from revcycle_devstack.testing import PostgresServer
from revcycle_events import (
    Address,
    BillingProvider,
    ClaimLine,
    ClaimPatient,
    ClaimSubmitted,
    Event,
    Subscriber,
)
from revcycle_events.claims_v1 import RenderingPerson
from revcycle_messaging import Cause
from revcycle_messaging.testing import TENANT
from revcycle_service_kit import new_id
from revcycle_service_kit.testing import ServiceUnderTest, eventually, running_service

E = TypeVar("E", bound=Event)
PAYER = "REVPAY1"
BUSINESS_DATE = date(2026, 9, 30)
ADDRESS = Address(line1="1 SAMPLE STREET", city="AUSTIN", state="TX", postal_code="787010001")


@dataclass
class RunningPayer:
    """The payer simulator as its own process."""

    url: str
    folder: Path

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=ssl.create_default_context(cafile=str(self.ca_file)), timeout=10)

    def plan(self, **faults: int) -> None:
        """Plan faults by name."""
        with self.client() as client:
            client.post("/faults", json=faults).raise_for_status()

    def arrived(self, kind: str = "ST*837*") -> list[bytes]:
        """Every interchange of a kind the payer recorded, with repetitions."""
        lines = (self.folder / "raw.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        raws = [base64.b64decode(entry["bytes_base64"]) for entry in entries if entry["direction"] == "in"]
        return [raw for raw in raws if kind.encode() in raw]


@pytest.fixture
def payer(tmp_path: Path) -> Iterator[RunningPayer]:
    """A payer in a hurry, without its manners: nothing happens now and then, only what a test plans."""
    folder = tmp_path / "payer"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "revcycle_payer_simulator",
        "serve",
        "--port",
        str(port),
        "--state-dir",
        str(folder),
    ]
    command += ["--seed", "7", "--business-date", BUSINESS_DATE.isoformat(), "--steady"]
    command += ["--remit-delay-seconds", "0.1", "--batch-seconds", "0.3", "--pend-seconds", "0.5"]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running = RunningPayer(f"https://127.0.0.1:{port}", folder)
    try:
        _wait_until_it_answers(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_until_it_answers(payer: RunningPayer, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        assert process.poll() is None, "the payer simulator ended while starting"
        try:
            with payer.client() as client:
                client.get("/livez").raise_for_status()
            return
        except (httpx.HTTPError, OSError):
            _wait_a_moment(process)
    raise AssertionError("the payer simulator does not answer")


def _wait_a_moment(process: "subprocess.Popen[bytes]") -> None:
    """A moment in which the process may end."""
    try:
        process.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        pass


@dataclass
class Gateway:
    """The gateway's background work in the hands of a test, on the database of a running service."""

    service: ServiceUnderTest
    payer: RunningPayer
    policy: SendingPolicy
    doors: list[PayerDoor] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    failures: list[tuple[str, Exception]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sender = self.new_sender()
        self.fetcher = Fetcher(self.means(), self.new_door())
        self.reader = Reader(self.means(), self.policy)

    def means(self) -> Means:
        context = self.service.context

        def new_cause(tenant_id: UUID) -> Cause:
            now = context.clock.now()
            return Cause(tenant_id, new_id(now), now, "gateway")

        return Means(context.database, new_cause, lambda what, error: self.failures.append((what, error)))

    def new_door(self) -> PayerDoor:
        door = PayerDoor(self.payer.ca_file, connect_timeout_seconds=2, read_timeout_seconds=1)
        self.doors.append(door)
        return door

    def new_sender(self, door: PayerDoor | None = None) -> Sender:
        """One more instance of the sending worker."""
        sender = Sender(self.means(), door or self.new_door(), self.policy, delivery_limit_seconds=2, lanes_per_route=2)
        self.senders.append(sender)
        return sender

    async def submit(self, *claims: ClaimSubmitted) -> None:
        """Submit claims as the claims service would."""
        await self.service.feed(
            [
                (claim, Cause(TENANT, new_id(self.service.clock.now()), self.service.clock.now(), "claims"))
                for claim in claims
            ]
        )
        await self.service.drain()

    async def turn(self) -> None:
        """One turn of everything that never rests."""
        for sender in self.senders:
            await sender.sweep()
            await sender.turn()
        await self.fetcher.turn()
        await self.reader.turn()

    async def until(self, sql: str, expected: object, *, seconds: float = 30, faults_of_ours: bool = False) -> None:
        """Turn until a value in the database is what is expected; reading must not have failed unless planned."""

        async def condition() -> bool:
            await self.turn()
            return await self.value(sql) == expected

        await eventually(condition, limit_seconds=seconds)
        assert faults_of_ours or not [failure for failure in self.failures if failure[0] == "reading"], self.failures

    async def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait, without turning anything, until a condition holds."""
        await eventually(condition, limit_seconds=10)

    async def value(self, sql: str, *args: object) -> object:
        """One value of the tenant's data."""
        async with self.service.database.unit_of_work(TENANT, read_only=True) as uow:
            found: object = await uow.fetch_value(sql, *args)
            return found

    async def put_route(self, **changes: object) -> None:
        """Set the route to the payer up, through REST."""
        body = {
            "base_url": self.payer.url,
            "sender_id": "REVCYCLE01",
            "receiver_id": PAYER,
            "usage_indicator": "T",
            "poll_seconds": 0.05,
        }
        async with self.service.client("operator", tenant_id=TENANT) as client:
            answer = await client.put(f"/v1/routes/{PAYER}", json=body | changes)
            assert answer.status_code in (200, 201), answer.text

    async def published(self, event_type: type[E]) -> list[E]:
        """The events of a type that are on their topic."""
        await self.service.drain()
        return [received.event for received in self.service.published(event_type)]


@pytest.fixture
async def gateway(postgresql: PostgresServer, tmp_path: Path, payer: RunningPayer) -> AsyncIterator[Gateway]:
    """A gateway without background work of its own: the test turns it."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    policy = SendingPolicy(
        flush_after_seconds=0.05,
        lease_seconds=3,
        retry_first_seconds=0.2,
        retry_limit_seconds=1,
        inquiry_after_seconds=0.3,
        inquiry_limit_seconds=2,
    )
    async with running_service(
        service_parts, postgresql, folder, settings_class=GatewaySettings, run=("consumer", "relay")
    ) as service:
        running = Gateway(service, payer, policy)
        try:
            await running.put_route()
            yield running
        finally:
            for sender in running.senders:
                await sender.close()
            await running.fetcher.close()
            for door in running.doors:
                await door.close()


@pytest.fixture
def make_claim() -> Callable[..., ClaimSubmitted]:
    """Makes synthetic claims the payer can adjudicate: a number, and what is to be different."""
    return _make_claim


def _make_claim(number: int, **changes: object) -> ClaimSubmitted:
    values: dict[str, object] = {
        "claim_id": UUID(int=number),
        "encounter_id": UUID(int=10_000 + number),
        "patient_id": UUID(int=20_000 + number),
        "submission_id": UUID(int=30_000 + number),
        "billing_side": "professional",
        "payer_id": PAYER,
        "payer_name": "PAYER ONE",
        "frequency": "1",
        "patient_control_number": f"RC{number:08d}",
        "charge_cents": 35000,
        "business_date": BUSINESS_DATE,
        "billing_provider": BillingProvider(
            npi="1900000005", name="SAMPLE CLINIC", tax_id="999999999", address=ADDRESS
        ),
        "rendering_provider": RenderingPerson(npi="1700000411", last_name="SYNTHETIC", first_name="DOC"),
        "subscriber": Subscriber(
            member_id=f"W{number:09d}", relationship="self", last_name="TESTPERSON", first_name="SAMPLE"
        ),
        "patient": ClaimPatient(
            last_name="TESTPERSON", first_name="SAMPLE", birth_date=date(1980, 1, 2), sex="F", address=ADDRESS
        ),
        "encounter_number": f"E{number:06d}",
        "filing_deadline": date(2026, 12, 1),
        "date_of_service": date(2026, 9, 1),
        "place_of_service": "11",
        "diagnoses": ["I10"],
        "lines": [
            ClaimLine(
                line_number=1,
                line_control_number="L1",
                code="T1015",
                units=1,
                charge_cents=25000,
                diagnosis_pointers=[1],
            ),
            ClaimLine(
                line_number=2,
                line_control_number="L2",
                code="G0444",
                units=1,
                charge_cents=10000,
                diagnosis_pointers=[1],
            ),
        ],
    }
    return ClaimSubmitted.model_validate(values | changes)
