"""Promise 6: shutdown under load loses nothing and ends within its budget; what does not end in time is rolled back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from kit_sample_service.parts import build, on_notes
from revcycle_messaging import Received, Transport, UnitOfWork
from revcycle_messaging.relay import LOCK_CLASS
from revcycle_messaging.testing import TENANT, NoteTaken
from revcycle_messaging.transports.kafka import KafkaTransport
from revcycle_messaging.transports.memory import MemoryTransport
from revcycle_service_kit.testing import ServiceUnderTest, eventually, running_service

pytestmark = pytest.mark.component
TOPIC = NoteTaken.contract.topic
RUN = ("relay", "consumer", "jobs", "timers", "background")
DRAIN_SECONDS = 2


@pytest.fixture(params=["memory", "kafka"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    if request.param == "memory":
        yield MemoryTransport()
        return
    broker = request.getfixturevalue("kafka")
    topics = (TOPIC, "revcycle.dead-letters.testing.v1")
    await broker.delete_topics(topics)
    await broker.create_topics(topics, partitions=3)
    made = KafkaTransport(broker.bootstrap_servers, client_id=f"test-{uuid4().hex[:8]}")
    yield made
    await made.close()


class Slowly:
    """A handler that never ends while it is told so: what a shutdown has to cut off."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.began = asyncio.Event()

    async def __call__(self, uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
        await on_notes(uow, received)
        self.began.set()
        await self.may_end.wait()


async def load(client: httpx.AsyncClient, first: int, done: asyncio.Event, made: dict[int, str]) -> None:
    """Make notes until told to stop; remembers what was answered 201, and repeats what was answered 503."""
    number = first
    while not done.is_set():
        answer = await client.post("/v1/notes", json={"number": number}, headers={"idempotency-key": f"n{number}"})
        assert answer.status_code in (201, 503), answer.text
        if answer.status_code == 201:
            made[number] = answer.json()["note_id"]
            number += 1
        else:
            assert int(answer.headers["retry-after"]) > 0
            await asyncio.sleep(0.02)


async def test_shutdown_under_load_loses_nothing_and_ends_within_its_budget(
    postgresql: Any, tmp_path: Path, transport: Transport
) -> None:
    """Three times stopped with requests, chunks and sends in hand, once with a handler that does not end."""
    database = await postgresql.create_database("shutdown")
    handler, made = Slowly(), dict[int, str]()
    parts = replace(build(), name="testing", handlers={NoteTaken: handler})
    settings = {"drain_seconds": DRAIN_SECONDS}
    for turn in range(3):
        handler.may_end, handler.began = asyncio.Event(), asyncio.Event()
        if turn != 1:
            handler.may_end.set()
        async with running_service(
            parts, postgresql, tmp_path, run=RUN, transport=transport, database=database, settings=settings
        ) as service:
            done = asyncio.Event()
            loads = [
                asyncio.create_task(load(service.client("biller"), 1 + turn * 100_000 + one * 10_000, done, made))
                for one in range(4)
            ]
            before = len(made)
            await eventually(lambda before=before: len(made) > before + 20 and handler.began.is_set(), 30)
            async with asyncio.timeout(DRAIN_SECONDS + 5):
                await service.runtime.stop()
            assert await shards_held(service) == 0, "another process takes the shards at once"
            done.set()
            await asyncio.gather(*loads)
    handler.may_end.set()
    async with running_service(parts, postgresql, tmp_path, run=RUN, transport=transport, database=database) as service:
        await eventually(lambda: everything_arrived(service, made), 30)
        async with service.database.connection() as connection:
            archived = await connection.fetchval("SELECT count(*) FROM messaging.archive WHERE topic = $1", TOPIC)
        assert archived == len(made), "every answered note is published, once in the archive, and no other"
    await postgresql.drop_database(database)


async def shards_held(service: ServiceUnderTest) -> int:
    async with service.database.connection() as connection:
        held: int = await connection.fetchval(
            "SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = pg_locks.database"
            " WHERE locktype = 'advisory' AND classid = $1 AND d.datname = current_database()",
            LOCK_CLASS,
        )
    return held


async def everything_arrived(service: ServiceUnderTest, made: dict[int, str]) -> bool:
    """Each note answered 201 is there, was applied once, and nothing else was."""
    async with service.database.unit_of_work(TENANT, read_only=True) as uow:
        notes = {row["note_id"] for row in await uow.fetch("SELECT note_id::text FROM sample.note")}
        seen = [row["note_id"] for row in await uow.fetch("SELECT note_id FROM sample.seen")]
        left = await uow.fetch_value("SELECT count(*) FROM messaging.outbox")
    assert notes == set(made.values()), "no 201 is lost, and nothing that was refused is there"
    assert len(seen) == len(set(seen))
    return left == 0 and set(seen) == notes
