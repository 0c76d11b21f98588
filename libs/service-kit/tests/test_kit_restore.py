"""Promise: a database restored to the past is not written to, and publishes nothing, until a person heals it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from kit_sample_service.parts import build
from revcycle_messaging import Database, Transport
from revcycle_messaging.recovery import adopt_topic_heads, find_forks
from revcycle_messaging.testing import TENANT, NoteTaken, make_cause
from revcycle_messaging.transports.kafka import KafkaTransport
from revcycle_messaging.transports.memory import MemoryTransport
from revcycle_service_kit.testing import ServiceUnderTest, eventually, running_service

pytestmark = pytest.mark.component
TOPIC = NoteTaken.contract.topic
# Under this name the sample is the producer of its contract.
PARTS = replace(build(), name="testing")
RUN = ("relay", "consumer", "jobs", "timers", "background")


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


async def make_notes(client: httpx.AsyncClient, *numbers: int) -> list[httpx.Response]:
    return [
        await client.post("/v1/notes", json={"number": number}, headers={"idempotency-key": f"n{number}"})
        for number in numbers
    ]


async def on_topic(transport: Transport) -> int:
    return sum((await transport.end_offsets([TOPIC])).values())


async def refused(service: ServiceUnderTest) -> bool:
    (answer,) = await make_notes(service.client("biller"), 99)
    return answer.status_code == 503 and answer.json()["code"] == "database_behind"


async def test_after_a_restore_nothing_is_written_or_published_until_it_is_healed(
    postgresql: Any, tmp_path: Path, transport: Transport
) -> None:
    """A database is copied, lives on, and is replaced by its copy: under a running process, and before a start."""
    made = await postgresql.create_database("restored")
    admin = await asyncpg.connect(postgresql.admin_url)
    common: dict[str, Any] = {"run": RUN, "transport": transport, "database": made}
    try:
        async with running_service(PARTS, postgresql, tmp_path, **common) as service:
            assert [one.status_code for one in await make_notes(service.client("biller"), 1, 2)] == [201, 201]
            await eventually(lambda: published(service, transport, 2), 30)
        await admin.execute(f"CREATE DATABASE {made.name}_backup TEMPLATE {made.name} OWNER {made.owner_role}")
        async with running_service(PARTS, postgresql, tmp_path, **common) as service:
            assert [one.status_code for one in await make_notes(service.client("biller"), 3, 4)] == [201, 201]
            await eventually(lambda: published(service, transport, 4), 30)
            await admin.execute(f"DROP DATABASE {made.name} WITH (FORCE)")
            await admin.execute(f"ALTER DATABASE {made.name}_backup RENAME TO {made.name}")
            await eventually(lambda: refused(service), 30, "a restore under the running process is noticed")
        async with running_service(PARTS, postgresql, tmp_path, **common) as service:
            await stay_refused(service, transport)
            await heal(service, transport)
            await eventually(lambda: service.database.takes_writes, 30, "the process goes on by itself")
            assert [one.status_code for one in await make_notes(service.client("biller"), 3)] == [201]
            await eventually(lambda: published(service, transport, 6), 30)
    finally:
        await admin.close()
        await postgresql.drop_database(made)


async def published(service: ServiceUnderTest, transport: Transport, expected: int) -> bool:
    async with service.database.connection() as connection:
        left = await connection.fetchval("SELECT count(*) FROM messaging.outbox")
    return left == 0 and await on_topic(transport) == expected


async def stay_refused(service: ServiceUnderTest, transport: Transport) -> None:
    """Commands, jobs and the outbox wait; reading goes on; the refusal names the command."""
    client = service.client("biller", "operator")
    (answer,) = await make_notes(client, 3)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (503, "database_behind")
    assert "revcycle archive forks testing --adopt" in problem["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert (await client.get("/v1/notes")).status_code == 200
    await eventually(lambda: set(service.app.state.health.failing) == {"restore"}, 30, "nothing else is missing")
    ready = await client.get("/readyz")
    assert (ready.status_code, [one["field"] for one in ready.json()["errors"]]) == (503, ["restore"])
    figures = (await client.get("/v1/ops/messaging")).json()
    assert figures["refuses_because"] == problem["detail"]
    # What stood in the outbox when the backup was taken: written here past the refusal.
    beside = await Database.connect(service.made.service_url, service="testing", keys=service.context.keyring)
    async with beside.unit_of_work(TENANT) as uow:
        uow.add_event(NoteTaken(note_id="left-over", number=5), make_cause(5))
    await beside.close()
    relay = service.runtime.relay
    assert relay is not None
    await eventually(lambda: len(relay.held_shards) == 64 or relay.published == 0)
    assert (await on_topic(transport), relay.published) == (4, 0)


async def heal(service: ServiceUnderTest, transport: Transport) -> None:
    """What the command that the problem names does."""
    beside = await Database.connect(service.made.service_url, service="testing", keys=service.context.keyring)
    forks = await find_forks(beside, transport, [TOPIC])
    assert len(forks) == 2
    now = service.clock.now()
    assert await adopt_topic_heads(beside, forks, actor="A. Operator", reason="restored", now=now) == 2
    await beside.close()
