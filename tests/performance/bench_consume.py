"""Consume: fetched, seal checked, opened, judged by its stream row, handled, committed.

Floor: ``getmany``, msgspec, the same bulk upsert and both commits, on the same content under the same headers, with
nothing checked or opened and no stream rows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Place
from ground import PLAIN_TOPIC, TOPIC, Ground, Servers, claim, fill_outbox, reached
from harness import Bench, Line, Measure, OneRound, Round, measured
from plain import claim_decoder
from pydantic_core import to_json
from revcycle_events import ClaimSubmitted
from revcycle_messaging import Consumer, Database, Received, UnitOfWork
from revcycle_messaging.envelope import headers_from_text, headers_to_kafka
from revcycle_messaging.testing import TENANT
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.kafka import KafkaTransport

EVENTS = 12_000
TABLE = """
    CREATE SCHEMA bench;
    CREATE TABLE bench.claim (
        tenant_id uuid NOT NULL, claim_id uuid NOT NULL, payer_id text NOT NULL, charge_cents bigint NOT NULL,
        date_of_service date NOT NULL, member_id text NOT NULL, lines text NOT NULL,
        PRIMARY KEY (tenant_id, claim_id));
    ALTER TABLE bench.claim ENABLE ROW LEVEL SECURITY;
    ALTER TABLE bench.claim FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON bench.claim USING (tenant_id = current_setting('app.tenant')::uuid);
"""
UPSERT = """
    INSERT INTO bench.claim (tenant_id, claim_id, payer_id, charge_cents, date_of_service, member_id, lines)
    SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::date[], $6::text[], $7::text[])
    ON CONFLICT (tenant_id, claim_id) DO UPDATE SET charge_cents = excluded.charge_cents
"""
_groups = count(1)


@asynccontextmanager
async def prepare(ground: Ground) -> AsyncIterator[OneRound]:
    """The same claims on both topics, for all rounds."""
    servers = await ground.servers()
    database, url = await prepare_consume(servers)

    async def one_round() -> Mapping[str, Round]:
        return {"consume": await consume_round(servers, database, url)}

    yield one_round
    await database.close()


async def prepare_consume(servers: Servers) -> tuple[Database, str]:
    """Put the same claims on both topics, once; returns the consumer's database and its address."""
    database, made = await servers.database("consume")
    owner = await asyncpg.connect(made.owner_url)
    await owner.execute(TABLE)
    await owner.execute(f'GRANT USAGE ON SCHEMA bench TO "{made.service_role}"')
    await owner.close()
    await fill_outbox(database, range(1, EVENTS + 1))
    async with database.connection() as connection:
        rows = await connection.fetch("DELETE FROM messaging.outbox RETURNING topic, key, headers, payload")
    sealed = [
        OutgoingRecord(row["topic"], row["key"], row["payload"], headers_to_kafka(headers_from_text(row["headers"])))
        for row in rows
    ]
    plain = [
        OutgoingRecord(PLAIN_TOPIC, one.key, claim(number).model_dump_json().encode(), one.headers)
        for number, one in enumerate(sealed, start=1)
    ]
    await servers.fresh_topics(TOPIC, PLAIN_TOPIC)
    transport = KafkaTransport(servers.kafka.bootstrap_servers, client_id="bench")
    producer = await transport.producer()
    for records in (sealed, plain):
        for start in range(0, EVENTS, 1000):
            assert all(await producer.send(records[start : start + 1000]))
    await producer.close()
    return database, made.service_url


async def consume_round(servers: Servers, database: Database, url: str) -> Round:
    """Both consume all claims in a new group into an empty table."""
    group = f"bench-{next(_groups)}"
    await empty(database)
    floor = await consume_plainly(servers.kafka.bootstrap_servers, url, f"{group}-plain")
    await empty(database)
    transport = KafkaTransport(servers.kafka.bootstrap_servers, client_id="bench")
    consumer = Consumer(group, database, transport, {ClaimSubmitted: on_claims}, lambda: datetime.now(UTC))
    value = await measured(EVENTS, _consume(consumer))
    await transport.close()
    return Round(value, floor)


async def on_claims(uow: UnitOfWork, received: Sequence[Received[ClaimSubmitted]]) -> None:
    """The business: one bulk upsert."""
    events = [one.event for one in received]
    await uow.fetch(UPSERT, uow.tenant_id, *_columns(events, lambda one: to_json(one.lines).decode()))


def _columns(claims: Sequence[Any], lines: Callable[[Any], str]) -> list[list[Any]]:
    return [
        [one.claim_id for one in claims],
        [one.payer_id for one in claims],
        [one.charge_cents for one in claims],
        [one.date_of_service for one in claims],
        [one.subscriber.member_id for one in claims],
        [lines(one) for one in claims],
    ]


async def empty(database: Database) -> None:
    async with database.unit_of_work(TENANT) as uow:
        await uow.execute("DELETE FROM bench.claim")


async def _consume(consumer: Consumer) -> None:
    running = asyncio.create_task(consumer.run())
    await reached(lambda: consumer.applied, EVENTS)
    consumer.stop()
    await running


async def consume_plainly(bootstrap_servers: str, url: str, group: str) -> Measure:
    decode = claim_decoder()

    async def consume() -> None:
        client = AIOKafkaConsumer(
            PLAIN_TOPIC,
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=500,
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        await client.start()
        connection = await asyncpg.connect(url)
        done = 0
        while done < EVENTS:
            found = await client.getmany(timeout_ms=500, max_records=500)
            claims = [decode(record.value) for records in found.values() for record in records]
            if not claims:
                continue
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.tenant', $1, true)", str(TENANT))
                await connection.fetch(
                    UPSERT, TENANT, *_columns(claims, lambda one: msgspec.json.encode(one.lines).decode())
                )
            await client.commit(
                {Place(place.topic, place.partition): records[-1].offset + 1 for place, records in found.items()}
            )
            done += len(claims)
        await connection.close()
        await client.stop()

    return await measured(EVENTS, consume())


BENCHES = (Bench("consume", (Line("consume", "events/s", ratio_min=0.5),), prepare),)
