"""Relay: outbox to acknowledged to archived. Floor: aiokafka's ``send`` per record of the same records."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import asyncpg
from aiokafka import AIOKafkaProducer
from ground import TOPIC, Ground, Servers, fill_outbox, reached
from harness import Bench, Line, Measure, OneRound, Round, measured
from revcycle_messaging import Database, Relay
from revcycle_messaging.envelope import headers_from_text, headers_to_kafka
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.kafka import KafkaTransport

EVENTS = 6_000
_numbers = count(1_000_000, EVENTS)


@asynccontextmanager
async def prepare(ground: Ground) -> AsyncIterator[OneRound]:
    """A database with the chassis, the same for all rounds."""
    servers = await ground.servers()
    database, made = await servers.database("relay")

    async def one_round() -> Mapping[str, Round]:
        return {"relay": await relay_round(servers, database, made.owner_url)}

    yield one_round
    await database.close()


async def relay_round(servers: Servers, database: Database, owner_url: str) -> Round:
    """Fill the outbox, send its records the plain way, then let the relay do it."""
    start = next(_numbers)
    await _clear(owner_url)
    await fill_outbox(database, range(start, start + EVENTS))
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT topic, key, headers, payload FROM messaging.outbox ORDER BY seq")
    records = [
        OutgoingRecord(row["topic"], row["key"], row["payload"], headers_to_kafka(headers_from_text(row["headers"])))
        for row in rows
    ]
    del rows
    await servers.fresh_topics(TOPIC)
    floor = await _send_each(servers.kafka.bootstrap_servers, records)
    del records
    await servers.fresh_topics(TOPIC)
    transport = KafkaTransport(servers.kafka.bootstrap_servers, client_id="bench")
    relay = Relay(database, transport, lambda: datetime.now(UTC))
    value = await measured(EVENTS, _carry(relay))
    await transport.close()
    return Round(value, floor)


async def _clear(owner_url: str) -> None:
    """Every round starts from the same state: what autovacuum does in time, and nothing left to be written to disk."""
    owner = await asyncpg.connect(owner_url)
    await owner.execute("TRUNCATE messaging.archive, messaging.outbox")
    await owner.close()
    await asyncio.to_thread(os.sync)


async def _carry(relay: Relay) -> None:
    running = asyncio.create_task(relay.run())
    await reached(lambda: relay.published, EVENTS)
    relay.stop()
    await running


async def _send_each(bootstrap_servers: str, records: Sequence[OutgoingRecord]) -> Measure:
    async def send() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_batch_size=256 * 1024,
        )
        await producer.start()
        sent = [
            await producer.send(one.topic, key=one.key.encode(), value=one.value, headers=list(one.headers))
            for one in records
        ]
        await asyncio.gather(*sent)
        await producer.stop()

    return await measured(len(records), send())


BENCHES = (Bench("relay", (Line("relay", "events/s", ratio_min=0.8),), prepare),)
