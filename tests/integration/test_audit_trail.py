"""`revcycle audit` on a running stack: whole, then with one row changed, one dropped, one exchanged."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from revcycle_devstack.connections import connect_to
from revcycle_devstack.stack import Stack

from .harness import Caller, Visits, revcycle

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(300)]
_OPEN = "ALTER TABLE kit.audit_record DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY"
_SHUT = "ALTER TABLE kit.audit_record ENABLE TRIGGER USER, FORCE ROW LEVEL SECURITY"
_KEEP = "CREATE TABLE kit.kept AS SELECT * FROM kit.audit_record"
_GIVE_BACK = "DELETE FROM kit.audit_record; INSERT INTO kit.audit_record SELECT * FROM kit.kept; DROP TABLE kit.kept"


@contextmanager
def planted(stack: Stack, service: str, *statements: str) -> Iterator[None]:
    """What somebody with every right on a service's database does to its audit; put right again afterwards."""

    async def run(*wanted: str) -> None:
        connection = await asyncpg.connect(connect_to(stack.state_dir).connections.owner_url(service))
        for statement in wanted:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run(_OPEN, _KEEP, *statements, _SHUT))
    try:
        yield
    finally:
        asyncio.run(run(_OPEN, _GIVE_BACK, _SHUT))


def test_a_row_that_is_changed_dropped_or_exchanged_is_named(stack: Stack, caller: Caller, visits: Visits) -> None:
    """Promise: who looked at whom stands in the audit, and every change of it is found and named."""
    encounter_id = caller.send(visits.file())
    for _ in range(3):
        caller.read("registration", f"/v1/encounters/{encounter_id}")
    state = ("--state-dir", str(stack.state_dir))
    shown = revcycle("audit", "show", "--about", encounter_id, *state)
    assert (shown.status, shown.out.count("get_encounter")) == (0, 3), shown.err
    assert "take_in_encounter_files" in shown.out and "whole-system-test" in shown.out
    whole = revcycle("audit", "verify", *state)
    assert whole.status == 0 and "audit: sound" in whole.out, whole.out + whole.err
    row = "WHERE chain = 0 AND sequence"
    for damage, statements in (
        ("changed", [f"UPDATE kit.audit_record SET subject = 'nobody' {row} = 2"]),
        ("dropped", [f"DELETE FROM kit.audit_record {row} = 2"]),
        (
            "reordered",
            [
                f"UPDATE kit.audit_record SET sequence = sequence + 1000000 {row} IN (2, 3)",
                f"UPDATE kit.audit_record SET sequence = 1000005 - sequence {row} > 1000000",
            ],
        ),
    ):
        with planted(stack, "registration", *statements):
            broken = revcycle("audit", "verify", "registration", *state)
        assert broken.status == 1
        (line,) = [line for line in broken.out.splitlines() if line.startswith(f"{damage}: ")]
        assert "chain 0, row 2:" in line, line
    assert revcycle("audit", "verify", *state).status == 0
