"""Promise 8 and the archive: exported, verified, detached, replayed, topics rebuilt, forks found."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from revcycle_messaging import Consumer, Database, KeyRing, Relay, Transport
from revcycle_messaging.archive import (
    ArchiveDamaged,
    archived_days,
    count_archive,
    detach_day,
    export_day,
    exports_in,
    manifest_path,
    read_archive,
    verify_export,
)
from revcycle_messaging.errors import Permanent
from revcycle_messaging.recovery import RecoveryRefused, adopt_topic_heads, find_forks, rebuild_topics, replay
from revcycle_messaging.testing import TENANT, NoteTaken, install_chassis, make_cause
from revcycle_messaging.transports.memory import MemoryBroker, MemoryTransport

from .conftest import install_effects, now
from .support import (
    TOPIC,
    consuming,
    copy_notes,
    count,
    effects,
    emitted,
    eventually,
    new_consumer,
    outbox_records,
    relaying,
    write,
)

pytestmark = pytest.mark.component
KEYS, EACH = "abcd", 25


@pytest.fixture
async def fresh(postgresql: Any, keys: KeyRing) -> AsyncIterator[Database]:
    """The empty database of another service, which consumes notes."""
    made = await postgresql.create_database("fresh")
    await install_chassis(made.owner_url, made.service_role)
    await install_effects(made.owner_url, made.service_role)
    opened = await Database.connect(made.service_url, service="copying", keys=keys)
    yield opened
    await opened.close()


async def publish(database: Database, transport: Transport, first: int = 1, last: int = EACH) -> None:
    for number in range(first, last + 1):
        for key in KEYS:
            await write(database, key, number)
    async with relaying(database, transport):
        await eventually(lambda: all_published(database))


async def all_published(database: Database) -> bool:
    async with database.connection() as connection:
        return await count(connection, "outbox", 0)


async def move_to(made: Any, day: date) -> None:
    """Let what was archived today have been archived on another day."""
    import asyncpg

    owner = await asyncpg.connect(made.owner_url)
    await owner.execute("SELECT messaging.ensure_archive_day($1)", day)
    await owner.execute("UPDATE messaging.archive SET day = $1", day)
    await owner.close()


YESTERDAY = now().date() - timedelta(days=1)


async def test_a_day_is_exported_verified_detached_and_read_back(database: Database, made: Any, tmp_path: Path) -> None:
    await publish(database, MemoryTransport())
    await move_to(made, YESTERDAY)
    before = [event async for events in read_archive(database) for event in events]
    manifest = await export_day(database, YESTERDAY, tmp_path, today=now().date())
    file = tmp_path / f"testing-{YESTERDAY}.jsonl.gz"
    assert verify_export(file) == manifest and manifest.events == len(KEYS) * EACH
    again = await export_day(database, YESTERDAY, tmp_path, today=now().date())
    assert again == manifest, "the same day gives the same bytes"
    assert await count_archive(database, [TOPIC], tmp_path) == manifest.events, "exported and attached counts once"
    await detach_day(made.owner_url, manifest, drop=True)
    assert await count_archive(database, [TOPIC], tmp_path) == manifest.events
    assert YESTERDAY not in await archived_days(database)
    after = [event async for events in read_archive(database, folder=tmp_path) for event in events]
    assert after == before and len(after) == manifest.events


async def test_a_day_that_is_not_over_is_not_exported(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not over"):
        await export_day(database, now().date(), tmp_path, today=now().date())


async def test_a_day_that_is_not_what_was_exported_stays(database: Database, made: Any, tmp_path: Path) -> None:
    import asyncpg

    await publish(database, MemoryTransport(), last=2)
    await move_to(made, YESTERDAY)
    manifest = await export_day(database, YESTERDAY, tmp_path, today=now().date())
    owner = await asyncpg.connect(made.owner_url)
    await owner.execute("UPDATE messaging.archive SET payload = payload || 'x' WHERE key = 'a' AND sequence = 1")
    await owner.close()
    with pytest.raises(ArchiveDamaged, match="is not what was exported"):
        await detach_day(made.owner_url, manifest)
    assert YESTERDAY in await archived_days(database)


@pytest.mark.parametrize("damage", ["bytes", "content", "missing"])
async def test_a_damaged_export_is_noticed(database: Database, made: Any, tmp_path: Path, damage: str) -> None:
    await publish(database, MemoryTransport(), last=3)
    await move_to(made, YESTERDAY)
    await export_day(database, YESTERDAY, tmp_path, today=now().date())
    (file,) = exports_in(tmp_path, "testing")
    if damage == "missing":
        manifest_path(file).unlink()
    elif damage == "bytes":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:
        lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        file.write_bytes(gzip.compress(b"".join(lines[1:])))
    with pytest.raises(ArchiveDamaged):
        verify_export(file)


@pytest.mark.parametrize("chunk", [1, 7, 500])
async def test_a_consumer_is_replayed_from_exports_and_archive_to_the_same_state(
    database: Database, made: Any, fresh: Database, tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 8: half of the events are in an export, half still attached, and the replay is broken off in between."""
    monkeypatch.setattr("revcycle_messaging.recovery.CHUNK", chunk)
    transport = MemoryTransport()
    await publish(database, transport)
    await move_to(made, YESTERDAY)
    manifest = await export_day(database, YESTERDAY, tmp_path, today=now().date())
    await detach_day(made.owner_url, manifest, drop=True)
    await publish(database, transport, EACH + 1, 2 * EACH)
    expected = {key: list(range(1, 2 * EACH + 1)) for key in KEYS}
    steps = 0

    def breaks_off(events: int) -> None:
        nonlocal steps
        steps += events
        if steps >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consumer = new_consumer(fresh, transport, "copies")
        await replay(consumer, fresh, [database], now=now(), folder=tmp_path, progress=breaks_off)
    consumer = new_consumer(fresh, transport, "copies")
    offered = await replay(consumer, fresh, [database], now=now(), folder=tmp_path)
    assert offered == len(KEYS) * EACH * 2 and consumer.duplicates > 0
    assert await effects(fresh) == await emitted(fresh) == expected
    async with fresh.connection() as connection:
        assert await count(connection, "outbox", 0), "what a replay emits is archived, not sent"
        assert await count(connection, "relay_stop", 0)


async def test_a_replay_is_refused_while_a_relay_of_a_frozen_process_holds_shards(
    database: Database, fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from revcycle_messaging import recovery
    from revcycle_messaging.relay import LOCK_CLASS

    frozen = await fresh.direct_connection("frozen relay")
    await frozen.execute("SELECT pg_advisory_lock($1, 7)", LOCK_CLASS)
    with pytest.raises(RecoveryRefused, match="1 shards"):
        async with recovery.relays_stopped(fresh, actor="x", reason="y", now=now(), wait_seconds=0.3):
            raise AssertionError("not reached")
    await frozen.close()


async def test_topics_are_rebuilt_from_the_archive_into_an_empty_broker(
    database: Database, transport: Transport, tmp_path: Path
) -> None:
    """All topics lost: after the rebuild a consumer that had applied half reaches the same state."""
    lost = MemoryTransport()
    await publish(database, lost)
    async with consuming(database, lost, copy_notes, name="notes") as consumer:
        await eventually(lambda: consumer.applied == len(KEYS) * EACH)
    await publish(database, lost, EACH + 1, 2 * EACH)
    relay = Relay(database, transport, now)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: len(relay.held_shards) == 64)
    sent = await rebuild_topics(database, transport, [TOPIC], actor="A. Operator", reason="lost", now=now())
    assert sent == len(KEYS) * EACH * 2
    await write(database, "a", 2 * EACH + 1)
    async with consuming(database, transport, copy_notes, name="notes") as consumer:
        await eventually(lambda: consumer.applied == len(KEYS) * EACH + 1)
    expected = {key: list(range(1, 2 * EACH + 1)) for key in KEYS} | {"a": list(range(1, 2 * EACH + 2))}
    assert await effects(database) == expected
    with pytest.raises(RecoveryRefused, match="must exist and be empty"):
        await rebuild_topics(database, transport, [TOPIC], actor="A. Operator", reason="again", now=now())
    await eventually(lambda: len(relay.held_shards) == 64)
    relay.stop()
    await running


async def test_duplicated_shuffled_and_replayed_events_give_the_same_state(database: Database, fresh: Database) -> None:
    """Promise 8: order across keys and number of deliveries change nothing."""
    transport = MemoryTransport(MemoryBroker(partitions=3))
    await publish(database, transport)
    chance = random.Random(7)
    records = [event.record() for event in [e async for chunk in read_archive(database) for e in chunk]]
    shuffled = MemoryTransport()
    for record in chance.sample(records, len(records)) + records:
        for _ in range(chance.randint(1, 3)):
            shuffled.broker.append(record)
    consumer = Consumer("copies", fresh, shuffled, {NoteTaken: copy_notes}, now)
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.applied == len(KEYS) * EACH, 30)
    consumer.stop()
    await running
    assert await effects(fresh) == await emitted(fresh) == {key: list(range(1, EACH + 1)) for key in KEYS}


async def test_a_database_restored_to_the_past_is_noticed_and_a_person_resolves_it(
    database: Database, transport: Transport
) -> None:
    await publish(database, transport, last=5)
    assert await find_forks(database, transport, [TOPIC]) == []
    async with database.connection() as connection:
        # A restore to a moment before the last events: they are on the topic, but not here.
        await connection.execute("UPDATE messaging.outgoing_stream SET last_sequence = 3 WHERE key = 'a'")
        await connection.execute("DELETE FROM messaging.outgoing_stream WHERE key = 'b'")
    forks = await find_forks(database, transport, [TOPIC], tail_records=5)
    assert [(fork.key, fork.topic_sequence, fork.own_sequence) for fork in forks] == [("a", 5, 3), ("b", 5, 0)]
    assert await adopt_topic_heads(database, forks, actor="A. Operator", reason="restored", now=now()) == 2
    assert await find_forks(database, transport, [TOPIC]) == []
    await write(database, "a", 6)
    assert [record.key for record in await outbox_records(database)] == ["a"]
    async with database.connection() as connection:
        assert await count(connection, "outgoing_stream WHERE key = 'a' AND last_sequence = 6", 1)
        assert await count(connection, "intervention WHERE action = 'adopt'", 2)


async def test_a_sequence_given_twice_is_a_fork(database: Database) -> None:
    transport = MemoryTransport()
    await publish(database, transport, last=2)
    async with database.connection() as connection:
        await connection.execute("UPDATE messaging.outgoing_stream SET last_sequence = 1 WHERE key = 'a'")
    async with database.unit_of_work(TENANT) as uow:
        uow.add_event(NoteTaken(note_id="a", number=99), make_cause(99))
    (fork,) = await find_forks(database, transport, [TOPIC])
    assert fork.differs and fork.topic_sequence == fork.own_sequence == 2
    assert await adopt_topic_heads(database, [fork], actor="A. Operator", reason="restored", now=now()) == 0


async def test_an_event_that_cannot_be_handled_in_a_replay_is_kept_for_a_person(
    database: Database, fresh: Database
) -> None:
    transport = MemoryTransport()
    await publish(database, transport, last=3)

    async def handler(uow: Any, received: Any) -> None:
        if any((one.event.note_id, one.event.number) == ("a", 2) for one in received):
            raise Permanent("no such rule")
        await copy_notes(uow, received)

    await replay(new_consumer(fresh, transport, "copies", handler), fresh, [database], now=now())
    assert (await effects(fresh))["a"] == [1] and (await effects(fresh))["b"] == [1, 2, 3]
    async with fresh.connection() as connection:
        assert await count(connection, "parked_event WHERE state = 'dead'", 1)
