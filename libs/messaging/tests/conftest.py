"""Fixtures: a database with the chassis, and the two transports every promise is kept on."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from revcycle_messaging import Database, KeyRing, Transport
from revcycle_messaging.testing import install_chassis, make_key_ring
from revcycle_messaging.transports.kafka import KafkaTransport
from revcycle_messaging.transports.memory import MemoryTransport

TOPICS = ("revcycle.testing.v1", "revcycle.testing-copies.v1", "revcycle.dead-letters.notes.v1")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return make_key_ring(tmp_path)


async def install_effects(owner_url: str, service_role: str) -> None:
    """A business table without any uniqueness: a doubled effect shows as a second row."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute(
        f"""
        CREATE SCHEMA testing;
        CREATE TABLE testing.effect (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, number integer NOT NULL);
        GRANT USAGE ON SCHEMA testing TO "{service_role}";
        GRANT SELECT, INSERT, UPDATE, DELETE ON testing.effect TO "{service_role}";
        """
    )
    await connection.close()


@pytest.fixture
async def made(postgresql: Any) -> Any:
    """A fresh database with the chassis: its addresses by role."""
    found = await postgresql.create_database("messaging")
    await install_chassis(found.owner_url, found.service_role)
    await install_effects(found.owner_url, found.service_role)
    return found


@pytest.fixture
async def database(made: Any, keys: KeyRing) -> AsyncIterator[Database]:
    opened = await Database.connect(made.service_url, service="testing", keys=keys, pool_size=12)
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", "kafka"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    if request.param == "memory":
        yield MemoryTransport()
        return
    broker = request.getfixturevalue("kafka")
    await broker.delete_topics(TOPICS)
    await broker.create_topics(TOPICS)
    made = KafkaTransport(broker.bootstrap_servers, client_id=f"test-{uuid4().hex[:8]}")
    yield made
    await made.close()
