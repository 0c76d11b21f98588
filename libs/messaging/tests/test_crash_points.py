"""Promise 3: effects happen once per (consumer, event), at every crash point, on both transports.

A crash is an exception that nothing catches; what died is started anew from what is in the database and on the topic.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from revcycle_messaging import Database, Permanent, Relay, RelaySettings, Retryable, Transient, Transport
from revcycle_messaging.crash_points import arm, disarm
from revcycle_messaging.envelope import headers_from_kafka, read_headers
from revcycle_messaging.transports.kafka import KafkaTransport

from .conftest import now
from .support import (
    TOPIC,
    Crash,
    consuming,
    copy_notes,
    count,
    dies,
    effects,
    emitted,
    eventually,
    new_consumer,
    outbox_records,
    send,
    write,
)

pytestmark = pytest.mark.component
KEYS = ("a", "b", "c", "d")
EACH = 10
EXPECTED = {key: list(range(1, EACH + 1)) for key in KEYS}


@pytest.fixture(autouse=True)
def harmless_afterwards() -> Iterator[None]:
    yield
    disarm()


async def write_all(database: Database) -> None:
    for number in range(1, EACH + 1):
        for key in KEYS:
            await write(database, key, number)


async def applied(database: Database) -> bool:
    return sum(map(len, (await effects(database)).values())) >= EACH * len(KEYS)


async def nothing_waits(database: Database) -> bool:
    async with database.connection() as connection:
        return await count(connection, "parked_event", 0)


@pytest.mark.parametrize(
    "point", ["before_commit", "after_commit", "consumer_before_offsets", "consumer_after_offsets"]
)
async def test_effects_happen_once_wherever_a_consumer_dies(
    database: Database, transport: Transport, point: str
) -> None:
    await write_all(database)
    records = await outbox_records(database)
    # Out of order and doubled, so that crashes also hit parking and draining.
    await send(transport, [*records[4:8], *records, *records[:12]])
    name = f"notes-{uuid4().hex[:8]}"
    arm(point, dies(times=4))
    deaths = 0
    while True:
        consumer = new_consumer(database, transport, name)
        running = asyncio.create_task(consumer.run())
        finished = asyncio.create_task(eventually(lambda: applied(database), 40))
        await asyncio.wait([running, finished], return_when=asyncio.FIRST_COMPLETED)
        if finished.done():
            await finished
            break
        finished.cancel()
        with pytest.raises(Crash):
            await running
        deaths += 1
    await eventually(lambda: nothing_waits(database))
    consumer.stop()
    with suppress(Crash):
        await running
    assert deaths >= 2, "the crash point was never reached: this test proves nothing"
    assert await effects(database) == EXPECTED
    assert await emitted(database) == EXPECTED


async def test_a_commit_whose_answer_is_lost_is_not_repeated(database: Database, transport: Transport) -> None:
    await write_all(database)
    await send(transport, await outbox_records(database))
    lost = dies(times=3)

    def lose_answer() -> None:
        try:
            lost()
        except Crash:
            raise Transient("the connection was lost while committing") from None

    arm("after_commit", lose_answer)
    consumer = new_consumer(database, transport, f"notes-{uuid4().hex[:8]}")
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: applied(database))
    consumer.stop()
    await running
    assert consumer.duplicates > 0, "no chunk was tried again: this test proves nothing"
    assert await effects(database) == EXPECTED and await emitted(database) == EXPECTED


@pytest.mark.parametrize("point", ["relay_before_send", "relay_after_send", "relay_after_archive"])
async def test_every_event_is_on_the_topic_in_order_wherever_a_relay_dies(
    database: Database, transport: Transport, point: str
) -> None:
    await write_all(database)
    arm(point, dies(times=4))
    deaths = 0
    for _ in range(20):
        relay = Relay(database, transport, now, RelaySettings(round_rows=6, leader_retry_seconds=0.05))
        running = asyncio.create_task(relay.run())
        with suppress(Crash):
            while not running.done() and await outbox_holds(database):
                await asyncio.wait([running], timeout=0.05)
            relay.stop()
            await running
            break
        deaths += 1
    assert deaths >= 2, "the crash point was never reached: this test proves nothing"
    reader = await transport.reader([TOPIC])
    newest: dict[str, int] = {}
    while records := await reader.fetch(500, 1.0):
        for record in records:
            envelope = read_headers(headers_from_kafka(record.headers))
            assert envelope.sequence <= newest.get(envelope.subject, 0) + 1, "nothing overtakes its predecessor"
            newest[envelope.subject] = max(newest.get(envelope.subject, 0), envelope.sequence)
    await reader.close()
    assert newest == {key: EACH for key in KEYS}
    async with database.connection() as connection:
        assert await count(connection, "archive", EACH * len(KEYS)), "the archive holds each event once"


async def outbox_holds(database: Database) -> bool:
    async with database.connection() as connection:
        return not await count(connection, "outbox", 0)


async def test_two_members_with_the_same_records_apply_each_once(database: Database, transport: Transport) -> None:
    """A zombie that thaws beside its successor: both work on the same chunk at the same time."""
    await write_all(database)
    await send(transport, await outbox_records(database))
    reader = await transport.reader([TOPIC])
    records = [record for _ in range(3) for record in await reader.fetch(500, 1.0)]
    await reader.close()
    one, two = (new_consumer(database, transport, "notes") for _ in range(2))
    await asyncio.gather(one.process(records), two.process(records), one.process(records[7:]), two.process(records))
    for member in (one, two):
        await member.drain_parked()
    assert one.duplicates + two.duplicates > 0
    assert await effects(database) == EXPECTED and await emitted(database) == EXPECTED


async def test_two_members_drain_the_same_parked_keys_once_and_in_order(
    database: Database, transport: Transport
) -> None:
    await write_all(database)
    records = await outbox_records(database)
    late = records[: len(KEYS)]
    await send(transport, [*records[len(KEYS) :], *late])
    reader = await transport.reader([TOPIC])
    fetched = [record for _ in range(3) for record in await reader.fetch(500, 1.0)]
    await reader.close()
    one, two = (new_consumer(database, transport, "notes") for _ in range(2))
    await one.process(fetched)
    assert await effects(database) == {}, "every key waits: its first event came last"
    await asyncio.gather(one.drain_parked(), two.drain_parked(), one.drain_parked(), two.drain_parked())
    assert await effects(database) == EXPECTED and await emitted(database) == EXPECTED
    async with database.connection() as connection:
        assert await count(connection, "stream WHERE parked_since IS NOT NULL", 0)


@pytest.mark.parametrize("failure", [Retryable("not yet"), Permanent("never"), ValueError("a bug")])
async def test_a_crash_while_parking_a_failing_event_loses_and_repeats_nothing(
    database: Database, transport: Transport, failure: Exception
) -> None:
    fails = True

    async def handler(uow: Any, received: Any) -> None:
        if fails and any((one.event.note_id, one.event.number) == ("b", 4) for one in received):
            raise failure
        await copy_notes(uow, received)

    await write_all(database)
    await send(transport, await outbox_records(database))
    name = f"notes-{uuid4().hex[:8]}"
    arm("before_commit", dies(times=4))
    for _ in range(20):
        consumer = new_consumer(database, transport, name, handler)
        running = asyncio.create_task(consumer.run())
        finished = asyncio.create_task(eventually(lambda: others_applied(database), 20))
        await asyncio.wait([running, finished], return_when=asyncio.FIRST_COMPLETED)
        finished.cancel()
        if not running.done():
            break
        with pytest.raises(Crash):
            await running
    assert (await effects(database))["b"] == [1, 2, 3], "nothing passes the failing event"
    fails = False
    async with database.connection() as connection:
        await connection.execute("UPDATE messaging.parked_event SET state = 'waiting', not_before = NULL")
    await eventually(lambda: applied(database))
    consumer.stop()
    await running
    assert await effects(database) == EXPECTED and await emitted(database) == EXPECTED


async def others_applied(database: Database) -> bool:
    async with database.connection() as connection:
        waiting = await connection.fetchval("SELECT count(*) FROM messaging.parked_event")
    return sum(map(len, (await effects(database)).values())) == EACH * len(KEYS) - 7 and waiting == 7


@pytest.mark.slow
async def test_effects_happen_once_when_a_consumer_process_is_killed(
    database: Database, made: Any, kafka: Any, tmp_path: Path
) -> None:
    """The same with a process that really dies: no clean-up, no goodbye to the group."""
    transport = KafkaTransport(kafka.bootstrap_servers, client_id="killed")
    await kafka.delete_topics([TOPIC])
    await kafka.create_topics([TOPIC])
    await write_all(database)
    await send(transport, await outbox_records(database))
    name = f"notes-{uuid4().hex[:8]}"
    for point in ("before_commit", "after_commit", "consumer_before_offsets"):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("dying_consumer.py")),
            *(made.service_url, kafka.bootstrap_servers, str(tmp_path / "testing.json"), name, point),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL, f"{point} was not reached"
    async with consuming(database, transport, copy_notes, name=name):
        await eventually(lambda: applied(database), 40)
    assert await effects(database) == EXPECTED and await emitted(database) == EXPECTED
