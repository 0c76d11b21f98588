"""The test environment of the chassis, as public API: its tables, a key ring, contracts to play with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import yaml
from revcycle_events import Clear, Clinical, Event, Identity

from revcycle_messaging.cause import Cause
from revcycle_messaging.keys import COMPARTMENTS, KeyRing, write_development_keyrings
from revcycle_messaging.migrations import CHASSIS_SQL, grant_sql

TENANT = UUID("0190a000-0000-7000-8000-00000000000a")
OTHER_TENANT = UUID("0190a000-0000-7000-8000-00000000000b")
START = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


class NoteTaken(Event, type="revcycle.testing.NoteTaken.v1", topic="revcycle.testing.v1", key="note_id"):
    """A contract for tests: a counter in the clear, a name and a code sealed."""

    note_id: Clear[str]
    number: Clear[int]
    cents: Clear[int] = 0
    name: Identity[str] = "SYNTHETIC"
    code: Clinical[str] = "Z00.00"


class NoteErased(Event, type="revcycle.testing.NoteErased.v1", topic="revcycle.testing.v1", key="note_id"):
    """A second type on the same topic."""

    note_id: Clear[str]


class NoteCopied(Event, type="revcycle.testing.NoteCopied.v1", topic="revcycle.testing-copies.v1", key="note_id"):
    """What a handler of the tests emits for each note, so that outgoing events can be counted too."""

    note_id: Clear[str]
    number: Clear[int]


async def install_chassis(owner_url: str, service_role: str) -> None:
    """Create the chassis tables as a service's migration would."""
    connection = await asyncpg.connect(owner_url)
    try:
        for script in CHASSIS_SQL:
            await connection.execute(script)
        await connection.execute(grant_sql(service_role))
    finally:
        await connection.close()


def make_key_ring(
    folder: Path, granted: Sequence[str] = COMPARTMENTS, *, service: str = "testing", tenants: Sequence[UUID] = ()
) -> KeyRing:
    """A key ring for tests with the given grants; the same folder gives the same keys to every service."""
    grants = folder / f"{service}-grants.yaml"
    grants.write_text(yaml.safe_dump({"grants": {service: list(granted)}}))
    write_development_keyrings(folder, grants, tenants or (TENANT, OTHER_TENANT))
    return KeyRing(folder / f"{service}.json")


def make_cause(number: int = 1, *, tenant_id: UUID = TENANT, now: datetime = START) -> Cause:
    """A cause for tests, the same for the same number."""
    return Cause(tenant_id, UUID(int=number), now, "test", correlation_id=str(UUID(int=1)))
