"""The relay experiment: 8 writers, hot keys, rollbacks, long transactions, relay killed at random.

Promise: nothing is lost and nothing overtakes its predecessor. The naive ``seq > cursor`` relay runs over the same
traffic and must lose events, or the experiment is too tame to show anything.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from revcycle_messaging import Database, Relay, RelaySettings, Transport
from revcycle_messaging.envelope import headers_from_kafka, read_headers
from revcycle_messaging.testing import TENANT, NoteTaken, make_cause
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.memory import MemoryTransport

from .conftest import now
from .support import on_topic

pytestmark = pytest.mark.component
TOPIC = "revcycle.testing.v1"
WRITERS, TRANSACTIONS, HOT_KEYS = 8, 90, 5


class NaiveRelay:
    """What must not be built: publish what is above a cursor, then move the cursor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.published: list[Any] = []
        self._cursor = 0

    async def turn(self) -> None:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                """
                SELECT seq, event_id FROM messaging.outbox WHERE seq > $1
                UNION ALL SELECT seq, event_id FROM messaging.archive WHERE seq > $1 ORDER BY seq
                """,
                self._cursor,
            )
        self.published += [row["event_id"] for row in rows]
        self._cursor = rows[-1]["seq"] if rows else self._cursor


async def writer(database: Database, number: int, committed: list[Any]) -> None:
    """Transactions of one to three events on hot keys; some are long, some roll back."""
    chance = random.Random(number)
    for transaction in range(TRANSACTIONS):
        cause = make_cause(number * 1_000_000 + transaction)
        written = []
        with suppress(ZeroDivisionError):
            async with database.unit_of_work(TENANT) as uow:
                for key in sorted(chance.sample(range(HOT_KEYS * 4), chance.randint(1, 3))):
                    name = f"hot{key}" if key < HOT_KEYS else f"cold{number}-{key}"
                    written.append(uow.add_event(NoteTaken(note_id=name, number=transaction), cause))
                await uow.flush()  # by hand, so that the transaction can stay open behind its events
                if chance.random() < 0.15:
                    await uow.execute("SELECT pg_sleep($1)", chance.random() * 0.05)
                if chance.random() < 0.2:
                    raise ZeroDivisionError
            committed += written


async def killed_at_random(database: Database, transport: Transport, done: asyncio.Event) -> int:
    """Run relays one after the other, each killed after a random while; the last one drains.

    The broker in memory also refuses sends and loses acknowledgments; a real one is cut off in the middle of them.
    """
    chance = random.Random(99)
    kills = 0
    while not done.is_set():
        relay = Relay(database, transport, now, RelaySettings(round_rows=40, leader_retry_seconds=0.05))
        task = asyncio.create_task(relay.run())
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), chance.uniform(0.05, 0.3))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        kills += 1
        if isinstance(transport, MemoryTransport):
            transport.broker.lose_acknowledgments = chance.choice([0, 0, 3])
            transport.broker.refuse_sends = chance.choice([0, 0, 2])
    if isinstance(transport, MemoryTransport):
        transport.broker.lose_acknowledgments = transport.broker.refuse_sends = 0
    relay = Relay(database, transport, now)
    task = asyncio.create_task(relay.run())
    async with database.connection() as connection:
        for _ in range(1000):
            if await connection.fetchval("SELECT count(*) FROM messaging.outbox") == 0:
                break
            await asyncio.sleep(0.02)
    relay.stop()
    await task
    return kills


def overtakings(records: Sequence[OutgoingRecord]) -> int:
    """Records whose sequence skips one that has not been on the topic before it."""
    newest: dict[str, int] = {}
    count = 0
    for record in records:
        sequence = read_headers(headers_from_kafka(list(record.headers))).sequence
        count += int(sequence > newest.get(record.key, 0) + 1)
        newest[record.key] = max(newest.get(record.key, 0), sequence)
    return count


async def test_nothing_is_lost_or_reordered_while_a_naive_cursor_loses(
    database: Database, transport: Transport
) -> None:
    """Promises 1 and 2."""
    naive = NaiveRelay(database)
    committed: list[Any] = []
    done = asyncio.Event()
    relays = asyncio.create_task(killed_at_random(database, transport, done))

    async def watch() -> None:
        while not done.is_set():
            await naive.turn()
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(writer(database, number, committed) for number in range(1, WRITERS + 1)))
    done.set()
    await watcher
    await naive.turn()
    kills = await relays
    records = await on_topic(transport, TOPIC)
    published = {read_headers(headers_from_kafka(list(record.headers))).id for record in records}
    async with database.connection() as connection:
        archived = await connection.fetchval("SELECT count(*) FROM messaging.archive")
    assert kills > 3 and len(committed) > WRITERS * TRANSACTIONS
    assert published == set(committed), "every committed event, and no other, is on the topic"
    assert archived == len(committed), "the archive holds each event once"
    assert overtakings(records) == 0, "per key, nothing overtakes its predecessor"
    lost = len(set(committed) - set(naive.published))
    assert lost > 0, "the naive cursor lost nothing: this traffic proves nothing"
