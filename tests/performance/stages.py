"""One stage of five, a process of its own: ``python stages.py KIND NUMBER DATABASE BROKER RING``.

KIND ``chassis``: the consumer, relay, outbox, seals, stream rows and archive of revcycle, no business rules.
KIND ``floor``: the same way without seal, stream rows and archive, on msgspec; what is known is not applied again.

Stage 1 writes claims on command, stages 2 to 4 keep a row and pass the claim on, stage 5 keeps a row and counts.
Commands come on standard input, one per line; each is answered with one JSON line on standard output.
"""

import asyncio
import gc
import json
import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Place
from ground import START, claim
from plain import claim_decoder
from revcycle_events import ClaimSubmitted, Event
from revcycle_messaging import Cause, Consumer, Database, KeyRing, Received, Relay, UnitOfWork
from revcycle_messaging.envelope import Envelope, headers_text_to_kafka, headers_to_text, write_headers
from revcycle_messaging.testing import TENANT
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.kafka import KafkaTransport
from telemetry import encounter_of, record_spans

LAST = 5
CLAIMS_PER_TRANSACTION = 200


class Passed1(ClaimSubmitted, type="revcycle.bench.Passed1.v1", topic="bench.chassis-1", key="claim_id"):
    """What stage 1 publishes."""


class Passed2(ClaimSubmitted, type="revcycle.bench.Passed2.v1", topic="bench.chassis-2", key="claim_id"):
    """What stage 2 publishes."""


class Passed3(ClaimSubmitted, type="revcycle.bench.Passed3.v1", topic="bench.chassis-3", key="claim_id"):
    """What stage 3 publishes."""


class Passed4(ClaimSubmitted, type="revcycle.bench.Passed4.v1", topic="bench.chassis-4", key="claim_id"):
    """What stage 4 publishes."""


CONTRACTS: tuple[type[ClaimSubmitted], ...] = (Passed1, Passed2, Passed3, Passed4)
CHASSIS_TOPICS = tuple(contract.contract.topic for contract in CONTRACTS)
FLOOR_TOPICS = tuple(f"bench.floor-{number}" for number in range(1, LAST))

CHASSIS_TABLES = """
    CREATE SCHEMA bench;
    CREATE TABLE bench.claim (
        tenant_id uuid NOT NULL, claim_id uuid NOT NULL, payer_id text NOT NULL, charge_cents bigint NOT NULL,
        date_of_service date NOT NULL, member_id text NOT NULL, PRIMARY KEY (tenant_id, claim_id));
    ALTER TABLE bench.claim ENABLE ROW LEVEL SECURITY;
    ALTER TABLE bench.claim FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON bench.claim USING (tenant_id = current_setting('app.tenant')::uuid);
"""
FLOOR_TABLES = """
    CREATE SCHEMA bench;
    CREATE TABLE bench.claim (
        claim_id uuid PRIMARY KEY, payer_id text NOT NULL, charge_cents bigint NOT NULL,
        date_of_service date NOT NULL, member_id text NOT NULL);
    CREATE TABLE bench.outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, headers text NOT NULL,
        payload bytea NOT NULL) WITH (toast_tuple_target = 8160);
    ALTER TABLE bench.outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
"""
_KEEP = """
    INSERT INTO bench.claim (tenant_id, claim_id, payer_id, charge_cents, date_of_service, member_id)
    SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::date[], $6::text[])
"""
_KEEP_PLAINLY = """
    INSERT INTO bench.claim (claim_id, payer_id, charge_cents, date_of_service, member_id)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::date[], $5::text[])
    ON CONFLICT (claim_id) DO NOTHING RETURNING claim_id
"""
_PASS_ON_PLAINLY = """
    INSERT INTO bench.outbox (key, headers, payload)
    SELECT key, headers, payload
    FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS e (key, headers, payload, position)
    ORDER BY position
"""


class Stage(ABC):
    """One stage. ``seen``: loop time at which each claim was committed here, by its number; kept at the ends only."""

    def __init__(self, number: int, bootstrap_servers: str) -> None:
        self.number = number
        self.transport = KafkaTransport(bootstrap_servers, client_id=f"stage-{number}")
        self.bootstrap_servers = bootstrap_servers
        self.seen: dict[int, float] = {}
        self.template = claim(1)

    def columns(self, claims: Sequence[Any]) -> list[list[Any]]:
        """What a stage keeps of claims."""
        return [
            [one.claim_id for one in claims],
            [one.payer_id for one in claims],
            [one.charge_cents for one in claims],
            [one.date_of_service for one in claims],
            [one.subscriber.member_id for one in claims],
        ]

    def note(self, claims: Sequence[Any]) -> None:
        """Remember when these claims were committed."""
        now = time.monotonic()
        self.seen.update((one.claim_id.int, now) for one in claims)

    @abstractmethod
    async def start(self) -> None:
        """Connect and begin to work."""

    @abstractmethod
    async def write(self, numbers: Sequence[int]) -> None:
        """Stage 1: write these claims in one transaction."""

    async def answer(self, command: str, *numbers: int) -> object:
        """``fill FIRST COUNT``, ``trickle FIRST COUNT PER_SECOND``, ``reach COUNT``, ``seen``, ``forget``."""
        if command == "fill":
            first, count = numbers
            for start in range(first, first + count, CLAIMS_PER_TRANSACTION):
                await self.write(range(start, min(start + CLAIMS_PER_TRANSACTION, first + count)))
        elif command == "trickle":
            await self._trickle(*numbers)
        elif command == "reach":
            async with asyncio.timeout(120):
                while len(self.seen) < numbers[0]:  # noqa: ASYNC110  (a dictionary tells nobody)
                    await asyncio.sleep(0.002)
            return max(self.seen.values())
        elif command == "forget":
            self.seen.clear()
        else:
            return list(self.seen.items())
        return None

    async def _trickle(self, first: int, count: int, per_second: int) -> None:
        started = time.monotonic()
        for ordinal in range(count):
            await asyncio.sleep(max(0.0, started + ordinal / per_second - time.monotonic()))
            await self.write([first + ordinal])


class ChassisStage(Stage):
    """A stage on everything of `revcycle_messaging`."""

    def __init__(self, number: int, url: str, bootstrap_servers: str, ring: Path) -> None:
        super().__init__(number, bootstrap_servers)
        self.url = url
        self.keys = KeyRing(ring)
        self.uncommitted: list[Any] = []

    async def start(self) -> None:
        self.database = await Database.connect(self.url, service=f"stage-{self.number}", keys=self.keys)
        record_spans(self.database)
        self.database.on_commit("claims", self._committed)
        works: list[Awaitable[None]] = []
        if self.number < LAST:
            works.append(Relay(self.database, self.transport, lambda: datetime.now(UTC)).run())
        if self.number > 1:
            handlers: dict[type[Event], Any] = {CONTRACTS[self.number - 2]: self.on_claims}
            name = f"stage-{self.number}"
            works.append(Consumer(name, self.database, self.transport, handlers, lambda: datetime.now(UTC)).run())
        self.running = [asyncio.ensure_future(work) for work in works]

    def _committed(self) -> None:
        self.note(self.uncommitted)
        self.uncommitted = []

    async def write(self, numbers: Sequence[int]) -> None:
        async with self.database.unit_of_work(TENANT) as uow:
            claims = [Passed1(**(dict(self.template) | {"claim_id": UUID(int=number)})) for number in numbers]
            await self._keep(uow, claims)
            for one in claims:
                uow.add_event(one, Cause(TENANT, one.claim_id, START, "bench", encounter_of(one.claim_id.int)))

    async def on_claims(self, uow: UnitOfWork, received: Sequence[Received[ClaimSubmitted]]) -> None:
        """The business: keep a row, pass the claim on."""
        await self._keep(uow, [one.event for one in received])
        if self.number < LAST:
            contract = CONTRACTS[self.number - 1]
            for one in received:
                uow.add_event(contract(**dict(one.event)), one.cause)

    async def _keep(self, uow: UnitOfWork, claims: Sequence[ClaimSubmitted]) -> None:
        await uow.execute(_KEEP, uow.tenant_id, *self.columns(claims))
        if self.number in (1, LAST):
            self.uncommitted = list(claims)
            uow.wakes.add("claims")


class FloorStage(Stage):
    """A stage that promises nothing but that what is known is not applied again."""

    def __init__(self, number: int, url: str, bootstrap_servers: str) -> None:
        super().__init__(number, bootstrap_servers)
        self.url = url
        self.decode = claim_decoder()
        self.plain_template = self.decode(self.template.model_dump_json().encode())
        self.wake = asyncio.Event()

    async def start(self) -> None:
        self.pool = await asyncpg.create_pool(self.url, min_size=1, max_size=4)
        works: list[Awaitable[None]] = []
        if self.number < LAST:
            works.append(self._relay())
        if self.number > 1:
            works.append(self._consume())
        self.running = [asyncio.ensure_future(work) for work in works]

    async def write(self, numbers: Sequence[int]) -> None:
        await self._apply(
            [msgspec.structs.replace(self.plain_template, claim_id=UUID(int=number)) for number in numbers]
        )

    async def _apply(self, claims: Sequence[Any]) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            fresh = {row["claim_id"] for row in await connection.fetch(_KEEP_PLAINLY, *self.columns(claims))}
            kept = [one for one in claims if one.claim_id in fresh]
            if self.number < LAST:
                await connection.execute(
                    _PASS_ON_PLAINLY,
                    [str(one.claim_id) for one in kept],
                    [headers_to_text(write_headers(self._envelope(one))) for one in kept],
                    [msgspec.json.encode(one) for one in kept],
                )
        self.wake.set()
        if self.number in (1, LAST):
            self.note(kept)

    def _envelope(self, one: Any) -> Envelope:
        source, subject = f"revcycle/stage-{self.number}", str(one.claim_id)
        return Envelope(
            one.claim_id, Passed1.contract.type, source, subject, START, 1, TENANT, None, one.claim_id, (), None
        )

    async def _consume(self) -> None:
        client = AIOKafkaConsumer(
            FLOOR_TOPICS[self.number - 2],
            bootstrap_servers=self.bootstrap_servers,
            group_id=f"floor-{self.number}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=500,
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        await client.start()
        while True:
            found = await client.getmany(timeout_ms=500, max_records=500)
            claims = [self.decode(record.value) for records in found.values() for record in records]
            if claims:
                await self._apply(claims)
                await client.commit(
                    {Place(place.topic, place.partition): records[-1].offset + 1 for place, records in found.items()}
                )

    async def _relay(self) -> None:
        producer = await self.transport.producer()
        topic = FLOOR_TOPICS[self.number - 1]
        while True:
            self.wake.clear()
            rows = await self.pool.fetch("SELECT * FROM bench.outbox ORDER BY seq LIMIT 500")
            if not rows:
                await self.wake.wait()
                continue
            records = [
                OutgoingRecord(topic, row["key"], row["payload"], headers_text_to_kafka(row["headers"])) for row in rows
            ]
            assert all(await producer.send(records))
            await self.pool.execute("DELETE FROM bench.outbox WHERE seq = ANY($1)", [row["seq"] for row in rows])


async def obey(stage: Stage) -> None:
    """Answer commands until standard input ends."""
    await stage.start()
    sys.stdout.write("null\n")
    sys.stdout.flush()
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        answer = await stage.answer(line[0], *(int(word) for word in line[1:]))
        for work in stage.running:
            if work.done():
                work.result()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main(make: Callable[[], Stage]) -> None:
    """Run as a service does: on uvloop, with its collector's thresholds."""

    async def run() -> None:
        stage = make()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        await obey(stage)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    kind, place, url, broker, ring = sys.argv[1:]
    if kind == "chassis":
        main(lambda: ChassisStage(int(place), url, broker, Path(ring)))
    else:
        main(lambda: FloorStage(int(place), url, broker))
