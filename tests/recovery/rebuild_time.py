"""How long it takes to rebuild a lost topic: `python tests/recovery/rebuild_time.py --events 100000`.

Publishes events into a scratch database's archive, then fills an empty topic with them, and prints one line. The last
round's topic is read back whole: every event once, in the order of its key.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import uvloop
from revcycle_devstack.layout import StateLayout, default_state_folder
from revcycle_devstack.lending import Lender
from revcycle_devstack.testing import Infrastructure, KafkaBroker, TestDatabase
from revcycle_messaging import Database, KeyRing
from revcycle_messaging.recovery import rebuild_topics, withhold_outbox
from revcycle_messaging.testing import TENANT, NoteTaken, install_chassis, make_cause, make_key_ring
from revcycle_messaging.transports.kafka import KafkaTransport

TOPIC: Final = NoteTaken.contract.topic
PER_TRANSACTION: Final = 1_000
EVENTS_PER_KEY: Final = 10


async def archive_events(database: Database, events: int) -> None:
    """Publish events and archive them unsent, as if they had been acknowledged long ago."""
    for start in range(0, events, PER_TRANSACTION):
        async with database.unit_of_work(TENANT) as uow:
            for number in range(start, min(events, start + PER_TRANSACTION)):
                note = NoteTaken(note_id=f"note-{number // EVENTS_PER_KEY}", number=number % EVENTS_PER_KEY + 1)
                uow.add_event(note, make_cause(number + 1))
    async with database.connection() as connection:
        await connection.execute("ANALYZE messaging.outbox")
    await withhold_outbox(database, datetime.now(UTC))


async def rebuild_once(database: Database, broker: KafkaBroker) -> float:
    """Seconds for one rebuild into a topic that has just been created."""
    await broker.delete_topics([TOPIC])
    await broker.create_topics([TOPIC])
    transport = KafkaTransport(broker.bootstrap_servers, client_id="rebuild-time")
    try:
        began = time.monotonic()
        await rebuild_topics(database, transport, [TOPIC], actor="bench", reason="time", now=datetime.now(UTC))
        return time.monotonic() - began
    finally:
        await transport.close()


async def read_back(broker: KafkaBroker, events: int) -> int:
    """Bytes on the topic; fails unless every event is there once and in order."""
    transport = KafkaTransport(broker.bootstrap_servers, client_id="rebuild-time")
    reader = await transport.reader([TOPIC])
    sequences: dict[bytes | None, int] = defaultdict(int)
    count = size = 0
    try:
        while count < events:
            for record in await reader.fetch(5_000, 5.0):
                headers = dict(record.headers)
                sequence = int(headers["ce_sequence"] or 0)
                if sequence != sequences[record.key] + 1:
                    raise SystemExit(f"{record.key!r}: {sequence} follows {sequences[record.key]}")
                sequences[record.key] = sequence
                count += 1
                size += len(record.value or b"") + sum(len(name) + len(value or b"") for name, value in record.headers)
        ends = sum((await transport.end_offsets([TOPIC])).values())
        if ends != events:
            raise SystemExit(f"{ends} records on the topic, {events} were archived")
    finally:
        await reader.close()
        await transport.close()
    return size


async def measure(infrastructure: Infrastructure, events: int, rounds: int, keys: KeyRing) -> None:
    """Archive once, rebuild several times."""
    made: TestDatabase = await infrastructure.postgresql.create_database("rebuild_time")
    try:
        await install_chassis(made.owner_url, made.service_role)
        database = await Database.connect(made.service_url, service="testing", keys=keys)
        try:
            await archive_events(database, events)
            seconds = [await rebuild_once(database, infrastructure.kafka) for _ in range(rounds)]
        finally:
            await database.close()
        size = await read_back(infrastructure.kafka, events)
        await infrastructure.kafka.delete_topics([TOPIC])
    finally:
        await infrastructure.postgresql.drop_database(made)
    middle = median(seconds)
    sys.stdout.write(
        f"rebuild: events={events} bytes={size} rounds={rounds} seconds={middle:.2f} "
        f"range={min(seconds):.2f}-{max(seconds):.2f} events_per_second={events / middle:.0f}\n"
    )


def main() -> None:
    """Start or borrow the servers of the tests, measure, leave nothing behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000, help="how many events (default: 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median is told (default: 3)")
    given = parser.parse_args()
    lender = Lender(StateLayout(default_state_folder() / "test"), os.getpid())
    try:
        infrastructure = Infrastructure(lender)
        with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure(infrastructure, given.events, given.rounds, make_key_ring(Path(folder))))
        infrastructure.close()
    finally:
        lender.give_back()


if __name__ == "__main__":
    main()
