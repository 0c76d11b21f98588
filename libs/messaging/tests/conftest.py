"""Fixtures: a database with the chassis, and the two transports every promise is kept on."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from revcycle_messaging import Database, KeyRing, Transport
from revcycle_messaging.testing import install_chassis, make_key_ring
from revcycle_messaging.transports.kafka import KafkaTransport
from revcycle_messaging.transports.memory import MemoryTransport


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return make_key_ring(tmp_path)


@pytest.fixture
async def database(postgresql: Any, keys: KeyRing) -> AsyncIterator[Database]:
    made = await postgresql.create_database("messaging")
    await install_chassis(made.owner_url, made.service_role)
    opened = await Database.connect(made.service_url, service="testing", keys=keys, pool_size=12)
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", "kafka"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    if request.param == "memory":
        yield MemoryTransport()
        return
    broker = request.getfixturevalue("kafka")
    await broker.delete_topics(["revcycle.testing.v1"])
    await broker.create_topics(["revcycle.testing.v1", "revcycle.dead-letters.notes.v1"])
    made = KafkaTransport(broker.bootstrap_servers, client_id=f"test-{uuid4().hex[:8]}")
    yield made
    await made.close()
