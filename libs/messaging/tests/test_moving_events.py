"""Promises of the chassis, each kept on real PostgreSQL with the real broker and with the memory transport."""

import asyncio
from uuid import uuid4

import pytest
from revcycle_messaging import ConsumerSettings, Database, Permanent, Retryable, Transport
from revcycle_messaging.envelope import headers_from_kafka, headers_to_kafka, read_headers
from revcycle_messaging.testing import OTHER_TENANT, TENANT, NoteErased, NoteTaken, make_cause
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord

from .conftest import TOPICS
from .support import Ledger, consuming, count, eventually, outbox_records, relaying, send, write

pytestmark = pytest.mark.component


async def test_an_event_is_on_the_topic_iff_its_transaction_committed(database: Database, transport: Transport) -> None:
    ledger = Ledger()
    group = f"notes-{uuid4().hex[:8]}"
    async with relaying(database, transport), consuming(database, transport, ledger, name=group):
        await write(database, "kept", 1)
        with pytest.raises(RuntimeError, match="rolled back"):
            async with database.unit_of_work(TENANT) as uow:
                uow.add_event(NoteTaken(note_id="kept", number=99), make_cause(99))
                await uow.flush()
                raise RuntimeError("rolled back")
        await write(database, "kept", 2)
        await eventually(lambda: len(ledger.of("kept")) == 2)
    assert ledger.of("kept") == [1, 2]


async def test_duplicates_are_dropped_and_events_after_a_gap_wait_for_it(
    database: Database, transport: Transport
) -> None:
    for number in (1, 2, 3, 4):
        await write(database, "a", number)
    one, two, three, four = await outbox_records(database)
    ledger = Ledger()
    async with consuming(database, transport, ledger, name=f"notes-{uuid4().hex[:8]}") as consumer:
        await send(transport, [one, one, three, four])
        await eventually(lambda: consumer.duplicates == 1 and ledger.of("a") == [1])
        async with database.connection() as connection:
            await eventually(lambda: count(connection, "parked_event", 2))
        await send(transport, [two, one, three])
        await eventually(lambda: ledger.of("a") == [1, 2, 3, 4])
        async with database.connection() as connection:
            await eventually(lambda: count(connection, "parked_event", 0))
            await eventually(lambda: count(connection, "stream WHERE parked_since IS NOT NULL", 0))


async def test_nothing_passes_an_earlier_parked_event_of_its_key_and_others_flow(
    database: Database, transport: Transport
) -> None:
    ledger = Ledger(failing={("bad", 2): [Retryable("later"), Retryable("later")]})
    for number in (1, 2, 3):
        for key in ("bad", "good"):
            await write(database, key, number)
    records = await outbox_records(database)
    async with consuming(database, transport, ledger, name=f"notes-{uuid4().hex[:8]}"):
        await send(transport, records)
        await eventually(lambda: ledger.of("good") == [1, 2, 3] and ledger.of("bad"))
        assert ledger.of("bad") == [1], "the failing event's successor must not pass it"
        ledger.failing.clear()
        await eventually(lambda: ledger.of("bad") == [1, 2, 3])


async def test_what_can_never_work_becomes_a_dead_letter_and_its_key_waits(
    database: Database, transport: Transport
) -> None:
    ledger = Ledger(failing={("bad", 2): [Permanent("no such thing")], ("odd", 1): [ValueError("SECRET")]})
    for key, number in [("bad", 1), ("bad", 2), ("bad", 3), ("odd", 1), ("good", 1)]:
        await write(database, key, number)
    records = await outbox_records(database)
    async with consuming(database, transport, ledger, name="notes") as consumer:
        await send(transport, records)
        await eventually(lambda: consumer.dead == 2 and ledger.of("good") == [1])
        async with database.connection() as connection:
            await eventually(lambda: count(connection, "parked_event", 3))
            reasons = await connection.fetch(
                "SELECT key, sequence, state, reason FROM messaging.parked_event ORDER BY key, sequence"
            )
    assert [(row["key"], row["sequence"], row["state"]) for row in reasons] == [
        ("bad", 2, "dead"),
        ("bad", 3, "waiting"),
        ("odd", 1, "dead"),
    ]
    assert ledger.of("bad") == [1]
    assert "SECRET" not in str([row["reason"] for row in reasons]), "foreign exception texts stay out"
    letters = await outbox_records(database)
    assert {letter.topic for letter in letters} == {"revcycle.dead-letters.notes.v1"} and len(letters) == 2


async def test_a_bad_deploy_stops_the_consumer_instead_of_dead_lettering_the_topic(
    database: Database, transport: Transport
) -> None:
    keys = [f"k{index}" for index in range(60)]
    ledger = Ledger(failing={(key, 1): [KeyError("bug")] for key in keys})
    for key in keys:
        await write(database, key, 1)
    records = await outbox_records(database)
    settings = ConsumerSettings(dead_run=10, backoff_seconds_max=0.2)
    async with consuming(database, transport, ledger, settings, name=f"notes-{uuid4().hex[:8]}") as consumer:
        await send(transport, records)
        await eventually(lambda: consumer.stopped_because is not None)
        assert consumer.dead == 9 and "Deploy a corrected version" in (consumer.stopped_because or "")
        ledger.failing.clear()
        await eventually(lambda: len(ledger.seen) == len(keys) - consumer.dead and consumer.stopped_because is None)


async def test_a_tampered_record_is_quarantined_and_the_genuine_one_still_flows(
    database: Database, transport: Transport
) -> None:
    await write(database, "a", 1, cents=100)
    await write(database, "a", 2, cents=100)
    one, two = await outbox_records(database)
    changed = OutgoingRecord(two.topic, two.key, two.value.replace(b'"cents":100', b'"cents":900'), two.headers)
    headers = headers_from_kafka(list(two.headers))
    foreign = OutgoingRecord(
        two.topic, two.key, two.value, headers_to_kafka({**headers, "ce_tenantid": str(OTHER_TENANT)})
    )
    later = OutgoingRecord(two.topic, two.key, two.value, headers_to_kafka({**headers, "ce_sequence": "3"}))
    assert changed.value != two.value
    ledger = Ledger()
    async with consuming(database, transport, ledger, name=f"notes-{uuid4().hex[:8]}") as consumer:
        await send(transport, [one, changed, foreign, later, two])
        await eventually(lambda: ledger.of("a") == [1, 2])
        assert consumer.quarantined == 3
        async with database.connection() as connection:
            assert await count(connection, "quarantine", 3)
            assert await count(connection, "parked_event", 0), "a forged record must not park the key it claims"


@pytest.mark.parametrize("chunk", [1, 7, 500])
async def test_chunk_borders_change_nothing(database: Database, chunk: int) -> None:
    from revcycle_messaging.transports.memory import MemoryTransport

    transport = MemoryTransport()
    for number in range(1, 31):
        await write(database, f"k{number % 4}", number)
    async with database.unit_of_work(TENANT) as uow:
        uow.add_event(NoteErased(note_id="k1"), make_cause(1000))
    await write(database, "k1", 31)
    records = await outbox_records(database)
    ledger = Ledger()
    settings = ConsumerSettings(max_records=chunk)
    async with consuming(database, transport, ledger, settings):
        await send(transport, [*records, *records])
        await eventually(lambda: len(ledger.seen) >= 31)
        async with database.connection() as connection:
            await eventually(lambda: count(connection, "stream WHERE key = 'k1' AND last_sequence = 10", 1))
    assert {key: ledger.of(key) for key in ("k0", "k1", "k2", "k3")} == {
        f"k{index}": [number for number in range(1, 32) if number % 4 == index or (index == 1 and number == 31)]
        for index in range(4)
    } | {"k3": [number for number in range(1, 31) if number % 4 == 3]}


async def test_tenants_do_not_share_a_stream(database: Database, transport: Transport) -> None:
    await write(database, "REVPAY1", 1)
    await write(database, "REVPAY1", 10, tenant_id=OTHER_TENANT)
    await write(database, "REVPAY1", 2)
    records = await outbox_records(database)
    assert [read_headers(headers_from_kafka(list(record.headers))).sequence for record in records] == [1, 1, 2]
    ledger = Ledger()
    async with consuming(database, transport, ledger, name=f"notes-{uuid4().hex[:8]}"):
        await send(transport, records)
        await eventually(lambda: len(ledger.seen) == 3)


async def test_what_no_member_has_committed_is_behind_whoever_holds_it(transport: Transport) -> None:
    """Promise: nothing is called quiet while records wait: not before partitions are assigned, not while a
    chunk that was fetched is worked on; and every member says the same.
    """
    topic = TOPICS[0]
    records = [OutgoingRecord(topic, f"key-{number}", b"x", []) for number in range(20)]
    producer = await transport.producer()
    assert all(await producer.send(records))
    members = [await transport.consumer("behind", [topic], str(number)) for number in range(2)]

    async def behind() -> list[int]:
        found = [await member.standings() for member in members]
        return [sum(one.lag for one in standings.values()) for standings in found if standings is not None]

    assert await behind() == [20, 20]
    fetched: list[IncomingRecord] = []
    async with asyncio.timeout(60):
        while len(fetched) < len(records):
            for member in members:
                fetched += await member.fetch(500, 0.5)
    assert await behind() == [20, 20], "fetched is not done"
    positions = {(one.topic, one.partition): one.offset + 1 for one in fetched}
    for member in members:
        await member.commit(positions)
    assert await behind() == [0, 0]
    await producer.send(records[:1])
    assert await behind() == [1, 1]
    for client in (*members, producer):
        await client.close()
