"""Promises 7 and 8 on both transports: nothing newer stops a consumer; whatever the delivery, the same state."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from revcycle_events import Clear, Event
from revcycle_messaging import Database, Envelope, KeyRing, Transport
from revcycle_messaging.envelope import headers_to_kafka
from revcycle_messaging.recovery import replay
from revcycle_messaging.sealing import seal_event
from revcycle_messaging.testing import START, TENANT, NoteErased, NoteTaken, install_chassis, make_cause
from revcycle_messaging.transports import OutgoingRecord

from .conftest import install_effects, now
from .support import (
    TOPIC,
    consuming,
    copy_notes,
    count,
    effects,
    eventually,
    new_consumer,
    read_all,
    relaying,
    send,
    state_hash,
    write,
)

pytestmark = pytest.mark.component
KEYS, EACH = "abcd", 12
MakeDatabase = Callable[[], Awaitable[Database]]


class NoteTakenNext(Event, type="revcycle.testing.NoteTakenNext.v1", topic="revcycle.testing.v1", key="note_id"):
    """Stands for a newer minor version of NoteTaken: the same type on the wire, a field and a value more."""

    note_id: Clear[str]
    number: Clear[int]
    cents: Clear[int] = 0
    mood: Clear[str] = "a-value-nobody-knew"
    parts: Clear[list[dict[str, str]]] = [{"kind": "new"}]


def sealed(event: Event, sequence: int, keys: KeyRing, as_type: str) -> OutgoingRecord:
    """An event as some producer sends it, under the type it claims."""
    envelope = Envelope(
        id=make_cause(sequence).derive("event"),
        type=as_type,
        source="revcycle/newer",
        subject=event.key,
        time=START,
        sequence=sequence,
        tenant_id=TENANT,
        correlation_id=None,
        causation_id=make_cause(sequence).id,
        depends_on=(),
        traceparent=None,
    )
    made = seal_event(event, envelope, TOPIC, keys)
    return OutgoingRecord(TOPIC, event.key, made.payload, headers_to_kafka(made.headers))


async def test_unknown_types_values_and_newer_minor_versions_never_stop_a_consumer(
    database: Database, transport: Transport, keys: KeyRing
) -> None:
    """Promise 7: they are data, not a crash: passed over or applied, and the key goes on behind them."""
    known = NoteTaken.contract.type
    told = [
        (NoteTaken(note_id="a", number=1), known),
        (NoteTakenNext(note_id="a", number=2), "revcycle.testing.NoteFolded.v1"),
        (NoteErased(note_id="a"), NoteErased.contract.type),
        (NoteTakenNext(note_id="a", number=4), known),
        (NoteTaken(note_id="a", number=5), "revcycle.testing.NoteTaken.v2"),
        (NoteTaken(note_id="a", number=6), known),
    ]
    await send(transport, [sealed(event, number, keys, name) for number, (event, name) in enumerate(told, start=1)])
    async with consuming(database, transport, copy_notes) as consumer:
        await eventually(lambda: consumer.applied == len(told))
        assert (consumer.dead, consumer.quarantined, consumer.stopped_because) == (0, 0, None)
    assert await effects(database) == {"a": [1, 4, 6]}
    async with database.connection() as connection:
        assert await count(connection, "parked_event", 0)
        assert await count(connection, "stream WHERE last_sequence = 6 AND parked_since IS NULL", 1)


@pytest.fixture
async def make_database(postgresql: Any, keys: KeyRing) -> AsyncIterator[MakeDatabase]:
    """Makes empty databases of another service, which consumes notes."""
    async with AsyncExitStack() as stack:

        async def make() -> Database:
            made = await postgresql.create_database("fresh")
            await install_chassis(made.owner_url, made.service_role)
            await install_effects(made.owner_url, made.service_role)
            opened = await Database.connect(made.service_url, service="copying", keys=keys)
            stack.push_async_callback(opened.close)
            return opened

        yield make


async def test_any_delivery_gives_the_same_state_hash_for_hash(
    database: Database, transport: Transport, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 8: duplicated, shuffled, replayed from offset 0 or from the archive, in chunks of 1, 7 and 500."""
    for number in range(1, EACH + 1):
        for key in KEYS:
            await write(database, key, number)
    async with relaying(database, transport) as relay:
        await eventually(lambda: relay.published == len(KEYS) * EACH)
    calm = await make_database()
    async with consuming(calm, transport, copy_notes, name="copies") as consumer:
        await eventually(lambda: consumer.applied == len(KEYS) * EACH)
    expected = await state_hash(calm, "copies")
    assert (await effects(calm)) == {key: list(range(1, EACH + 1)) for key in KEYS}
    records = await read_all(transport, TOPIC)
    for chunk in (1, 7, 500):
        again = new_consumer(calm, transport, "copies")
        for start in range(0, len(records), chunk):
            await again.process(records[start : start + chunk])
        assert (again.applied, again.duplicates) == (0, len(records))
        assert await state_hash(calm, "copies") == expected, f"replayed from offset 0 in chunks of {chunk}"

        wild, chance = await make_database(), random.Random(chunk)
        mixed = [record for record in records for _ in range(chance.randint(1, 3))]
        chance.shuffle(mixed)
        consumer = new_consumer(wild, transport, "copies")
        for start in range(0, len(mixed), chunk):
            await consumer.process(mixed[start : start + chunk])
        while await consumer.drain_parked():
            pass
        assert await state_hash(wild, "copies") == expected, f"duplicated and shuffled in chunks of {chunk}"

        old = await make_database()
        monkeypatch.setattr("revcycle_messaging.recovery.CHUNK", chunk)
        await replay(new_consumer(old, transport, "copies"), old, [database], now=now())
        assert await state_hash(old, "copies") == expected, f"replayed from the archive in chunks of {chunk}"
