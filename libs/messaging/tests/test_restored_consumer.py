"""After a restore of a consuming service a replay brings it forward: what it decides from events comes back."""

from typing import Any

import asyncpg
import pytest
from revcycle_messaging import Database, KeyRing, Transport
from revcycle_messaging.errors import DatabaseBehind
from revcycle_messaging.recovery import find_forks, replay
from revcycle_messaging.restores import RestoreGuard
from revcycle_messaging.testing import NoteCopied, install_chassis

from .conftest import install_effects, now
from .support import consuming, copy_notes, effects, emitted, eventually, new_consumer, relaying, write

pytestmark = pytest.mark.component
COPIES = NoteCopied.contract.topic
KEYS = "abc"


async def told(database: Database, transport: Transport, first: int, last: int) -> None:
    for number in range(first, last + 1):
        for key in KEYS:
            await write(database, key, number)
    async with relaying(database, transport) as relay:
        await eventually(lambda: relay.published == len(KEYS) * (last - first + 1))


async def copied(copying: Database, transport: Transport, events: int) -> None:
    async with (
        consuming(copying, transport, copy_notes, name="copies") as consumer,
        relaying(copying, transport) as relay,
    ):
        await eventually(lambda: (consumer.applied, relay.published) == (events, events))


async def test_a_replay_brings_a_restored_consumer_forward_to_its_own_topics(
    database: Database, transport: Transport, postgresql: Any, keys: KeyRing
) -> None:
    """The guard refuses; after the replay the heads are at or behind the database, and nothing is published twice."""
    made = await postgresql.create_database("copying")
    await install_chassis(made.owner_url, made.service_role)
    await install_effects(made.owner_url, made.service_role)

    async def opened() -> Database:
        return await Database.connect(made.service_url, service="copying", keys=keys)

    await told(database, transport, 1, 4)
    copying = await opened()
    await copied(copying, transport, 12)
    await copying.close()
    admin = await asyncpg.connect(postgresql.admin_url)
    await admin.execute(f"CREATE DATABASE {made.name}_backup TEMPLATE {made.name} OWNER {made.owner_role}")
    await told(database, transport, 5, 8)
    copying = await opened()
    await copied(copying, transport, 12)
    await copying.close()
    await admin.execute(f"DROP DATABASE {made.name} WITH (FORCE)")
    await admin.execute(f"ALTER DATABASE {made.name}_backup RENAME TO {made.name}")
    await admin.close()

    copying = await opened()
    guard = RestoreGuard(copying, transport, [COPIES])
    with pytest.raises(DatabaseBehind, match="3 streams are further"):
        await guard.check()
    beside = await opened()
    await replay(new_consumer(beside, transport, "copies"), beside, [database], now=now())
    assert await find_forks(beside, transport, [COPIES], tail_records=None) == []
    await guard.check()
    assert copying.takes_writes
    expected = {key: list(range(1, 9)) for key in KEYS}
    assert await effects(copying) == await emitted(copying) == expected
    assert sum((await transport.end_offsets([COPIES])).values()) == 24, "nothing was published a second time"
    await beside.close()
    await copying.close()
    await postgresql.drop_database(made)
