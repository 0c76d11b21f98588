"""Promises 1 to 3 while PostgreSQL and the broker are killed under load: nothing lost, doubled or reordered."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from revcycle_devstack.layout import StateLayout, default_state_folder
from revcycle_devstack.ports import choose_port
from revcycle_devstack.processes import ProcessIdentity, last_lines, stop_all
from revcycle_devstack.roles import ensure_checker
from revcycle_devstack.servers import Server, prepare_kafka, prepare_postgresql
from revcycle_devstack.testing import KafkaBroker, PostgresServer
from revcycle_devstack.waiting import wait_until_ready
from revcycle_messaging import Consumer, ConsumerSettings, Database, KeyRing, Relay
from revcycle_messaging.errors import MessagingError
from revcycle_messaging.testing import TENANT, NoteTaken, install_chassis, make_cause
from revcycle_messaging.transports.kafka import KafkaTransport

from .conftest import TOPICS, install_effects, now
from .support import copy_notes, effects, emitted, eventually

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(240)]
WRITERS = 4


class Killable:
    """A server of this test's own, killed and started again on the same data."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.identity: ProcessIdentity | None = None

    async def start(self) -> None:
        process = self.server.command.start()
        self.identity = ProcessIdentity.of(process.pid, self.server.command.stop_signal)
        await asyncio.to_thread(
            wait_until_ready,
            self.server.name,
            self.server.is_ready,
            self.identity,
            self.server.ready_seconds,
            lambda: last_lines(self.server.command.log_file),
        )

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.identity is not None
        os.kill(self.identity.pid, signal.SIGKILL)
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        if self.identity is not None:
            stop_all([self.identity], 10)


@pytest.fixture
async def servers() -> AsyncIterator[tuple[Killable, Killable]]:
    # PostgreSQL runs as a user of its own, who has no way into pytest's folders.
    layout = StateLayout(default_state_folder() / f"killed-{os.getpid()}")
    postgresql = Killable(await asyncio.to_thread(prepare_postgresql, layout, {}, choose_port(55632)))
    kafka = Killable(await asyncio.to_thread(prepare_kafka, layout, choose_port(19192)))
    try:
        await asyncio.gather(postgresql.start(), kafka.start())
        yield postgresql, kafka
    finally:
        for server in (kafka, postgresql):
            await asyncio.to_thread(server.stop)
        await asyncio.to_thread(shutil.rmtree, layout.root, ignore_errors=True)


async def writer(database: Database, number: int, committed: dict[str, list[int]], done: asyncio.Event) -> None:
    """Write notes one after the other, each with the number that follows what is known to be committed."""
    key, at = f"w{number}", 0
    while not done.is_set():
        at += 1
        cause = make_cause(number * 1_000_000 + at)
        with suppress(MessagingError):
            async with database.unit_of_work(TENANT) as uow:
                uow.add_event(NoteTaken(note_id=key, number=at), cause)
            committed.setdefault(key, []).append(at)
        await asyncio.sleep(0.005)


async def test_nothing_is_lost_doubled_or_reordered_while_servers_are_killed(
    servers: tuple[Killable, Killable], keys: KeyRing
) -> None:
    postgresql, kafka = servers
    lent = PostgresServer(postgresql.server.address, "unused")
    broker = KafkaBroker(kafka.server.address)
    await broker.create_topics(TOPICS)
    await ensure_checker(postgresql.server.address, "unused")
    made = await lent.create_database("killed")
    await install_chassis(made.owner_url, made.service_role)
    await install_effects(made.owner_url, made.service_role)
    database = await Database.connect(made.service_url, service="testing", keys=keys)
    transport = KafkaTransport(kafka.server.address, client_id="killed")
    relay = Relay(database, transport, now)
    settings = ConsumerSettings(parked_poll_seconds=0.1, stall_seconds=10)
    consumer = Consumer("notes", database, transport, {NoteTaken: copy_notes}, now, settings=settings)
    running = [asyncio.create_task(part.run()) for part in (relay, consumer)]
    committed: dict[str, list[int]] = {}
    done = asyncio.Event()
    writers = [asyncio.create_task(writer(database, number, committed, done)) for number in range(WRITERS)]
    for victim in (kafka, postgresql, kafka, postgresql):
        before = consumer.applied
        await eventually(lambda before=before: consumer.applied > before + 50, 60)
        await victim.kill()
        await victim.start()
    before = consumer.applied
    await eventually(lambda: consumer.applied > before + 50, 60)
    done.set()
    await asyncio.gather(*writers)
    await eventually(lambda: at_rest(database, relay, consumer), 60)
    relay.stop()
    consumer.stop()
    await asyncio.gather(*running)
    applied = await effects(database)
    on_topic = await emitted(database)
    await transport.close()
    await database.close()
    for key, numbers in committed.items():
        assert set(numbers) <= set(applied[key]), "every write that was confirmed was applied"
        assert sorted(set(applied[key])) == applied[key], "in order and once"
        assert on_topic[key] == list(range(1, len(applied[key]) + 1))
    assert consumer.dead == 0 and sum(map(len, committed.values())) > 250


async def at_rest(database: Database, relay: Relay, consumer: Consumer) -> bool:
    async with database.connection() as connection:
        counts: Any = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM messaging.outbox) AS outbox,"
            " (SELECT count(*) FROM messaging.archive WHERE topic = 'revcycle.testing.v1') AS published,"
            " (SELECT count(*) FROM testing.effect) AS applied"
        )
    return bool(counts["outbox"] == 0 and counts["published"] == counts["applied"])
