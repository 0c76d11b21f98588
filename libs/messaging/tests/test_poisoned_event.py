"""One event that no handler can take: its key waits, everybody else goes on, and after the fix nothing tells of it."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from revcycle_messaging import ConsumerSettings, Database, KeyRing, Received, Transport, UnitOfWork
from revcycle_messaging.interventions import Selection, count_failed, redrive
from revcycle_messaging.testing import TENANT, NoteTaken, install_chassis, make_cause
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord
from revcycle_messaging.transports.memory import MemoryTransport

from .conftest import install_effects, now
from .support import consuming, copy_notes, count, effects, emitted, eventually, new_consumer, outbox_records, send

pytestmark = pytest.mark.component
OTHERS, EACH, POISONED = 1_000, 3, "poisoned"
WHO: dict[str, Any] = {"actor": "A. Operator", "reason": "corrected version deployed"}


@pytest.fixture
async def calm(postgresql: Any, keys: KeyRing) -> AsyncIterator[Database]:
    """A database whose consumer meets no fault."""
    made = await postgresql.create_database("calm")
    await install_chassis(made.owner_url, made.service_role)
    await install_effects(made.owner_url, made.service_role)
    opened = await Database.connect(made.service_url, service="testing", keys=keys)
    yield opened
    await opened.close()


class Deploy:
    """A handler with a fault: it cannot take the events in ``fails`` until a corrected version is deployed."""

    def __init__(self, *fails: tuple[str, int]) -> None:
        self.fails = set(fails)

    async def __call__(self, uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
        if self.fails & {(one.event.note_id, one.event.number) for one in received}:
            raise KeyError("a fault of ours")
        await copy_notes(uow, received)


async def published(database: Database, keys: Sequence[str], each: int) -> list[OutgoingRecord]:
    """Events of many keys, each key's later ones after all keys' earlier ones."""
    async with database.unit_of_work(TENANT) as uow:
        for number in range(1, each + 1):
            for index, key in enumerate(keys):
                uow.add_event(NoteTaken(note_id=key, number=number), make_cause(number * 100_000 + index))
    return await outbox_records(database)


async def state_hash(database: Database) -> str:
    """Over every effect and every emitted event, in the order of its key."""
    state = sorted((await effects(database)).items()), sorted((await emitted(database)).items())
    return hashlib.sha256(repr(state).encode()).hexdigest()


async def has_emitted(database: Database, expected: int) -> bool:
    async with database.connection() as connection:
        return await count(connection, "outbox WHERE topic = 'revcycle.testing-copies.v1'", expected)


async def test_a_poisoned_event_stops_its_key_alone_and_leaves_no_trace_after_the_fix(
    database: Database, calm: Database, transport: Transport
) -> None:
    """Promise 4, with 1,000 other keys on the way: they are not held up, the key's later events wait, and after fix and
    redrive the state is that of a run without the fault, hash for hash.
    """
    names = [f"note-{index}" for index in range(OTHERS)]
    records = await published(database, [*names[: OTHERS // 2], POISONED, *names[OTHERS // 2 :]], EACH)
    group = f"notes-{uuid4().hex[:8]}"
    deploy = Deploy((POISONED, 2))
    async with consuming(database, transport, deploy, name=group) as consumer:
        producer = await transport.producer()
        assert all(await producer.send(records))
        await producer.close()
        await eventually(lambda: consumer.applied == OTHERS * EACH + 1 and consumer.dead == 1, 60)
        found = await effects(database)
        assert found.pop(POISONED) == [1]
        assert found == {name: list(range(1, EACH + 1)) for name in names}
        (group_of_failed,) = await count_failed(database, Selection(group))
        assert (group_of_failed.events, group_of_failed.behind, group_of_failed.state) == (1, EACH - 2, "dead")
        assert consumer.stopped_because is None
        deploy.fails.clear()
        assert await redrive(database, Selection(group), **WHO, now=now()) == 1
        await eventually(lambda: consumer.applied == (OTHERS + 1) * EACH)
    async with consuming(calm, transport, copy_notes, name=f"{group}-calm") as consumer:
        await eventually(lambda: consumer.applied == (OTHERS + 1) * EACH, 60)
    assert await state_hash(database) == await state_hash(calm)
    async with database.connection() as connection:
        assert await count(connection, "parked_event", 0)
        assert await count(connection, "stream WHERE parked_since IS NOT NULL", 0)


async def test_a_scattered_fault_stops_the_consumer_by_its_share_and_one_call_recovers_after_the_fix(
    database: Database, calm: Database
) -> None:
    """Promise 5: a fault in scattered events never makes a run of dead letters; its share stops the consumer, which
    says why. After a corrected deploy consumption goes on by itself, and one redrive restores the calm state.
    """
    names = [f"note-{index}" for index in range(300)]
    deploy = Deploy(*((name, 1) for name in Random(1).sample(names, 80)))
    settings = ConsumerSettings(parked_poll_seconds=0.05, dead_run=10, dead_window=100, backoff_seconds_max=0.2)
    transport = MemoryTransport()
    records = await published(database, names, 2)
    await send(transport, records)
    async with consuming(database, transport, deploy, settings) as consumer:
        await eventually(lambda: consumer.stopped_because is not None)
        assert consumer.dead == 9
        assert "10 of the last" in str(consumer.stopped_because)
        assert "Deploy a corrected version" in str(consumer.stopped_because)
    async with consuming(database, transport, copy_notes, settings) as consumer:
        await eventually(lambda: has_emitted(database, len(records) - 9 * 2))
        assert await redrive(database, Selection("notes"), **WHO, now=now()) == 9
        await eventually(lambda: has_emitted(database, len(records)))
        assert consumer.stopped_because is None
    arrived = [
        IncomingRecord(one.topic, 0, offset, one.key.encode(), one.value, one.headers)
        for offset, one in enumerate(records)
    ]
    await new_consumer(calm, transport, "calm").process(arrived)
    assert await state_hash(database) == await state_hash(calm)
