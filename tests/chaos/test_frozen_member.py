"""One of two members stands still in the middle of a chunk and comes back. REVCYCLE_CHAOS_LONG=1: for a minute."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
from chaos_harness import ENCOUNTERS, FROZEN_SECONDS, SEED, Ending, Storm, storm
from revcycle_devstack.processes import ProcessIdentity
from revcycle_hospital_simulator import Pace

MEMBER, SERVICE = "claims-1", "claims"
SECONDS_OF_TRAFFIC = 12
PATIENCE_SECONDS = 60

_WRITING = """
    SELECT count(*) FROM pg_stat_activity WHERE client_port = ANY($1::int[]) AND backend_xid IS NOT NULL
"""


@pytest.mark.component
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_member_frozen_in_mid_chunk_and_thawed_changes_nothing(tmp_path: Path, calm: Ending) -> None:
    """Promise: a member that was given up, and works on with what it held, applies nothing twice and skips nothing."""
    async with storm(SEED, ENCOUNTERS, tmp_path) as made, asyncio.TaskGroup() as tasks:
        pace = Pace(files_per_request=5, rate_per_second=ENCOUNTERS / SECONDS_OF_TRAFFIC)
        playing = tasks.create_task(made.play(pace))
        await _freeze_in_mid_chunk(made, FROZEN_SECONDS)
        await playing
        report = await made.check()
    assert report.violations == []
    assert report.mismatches == []
    assert Ending.of(report) == calm


async def _freeze_in_mid_chunk(made: Storm, seconds: float) -> None:
    """Stop the member when it holds a transaction that has written, for that long, and let it go on."""
    identity = next(each.identity for each in made.stack.processes if each.name == MEMBER)
    assert identity is not None
    connection = await asyncpg.connect(made.stack.database_url(SERVICE))
    try:
        await _stop_while(identity, lambda: _is_writing(connection, identity.pid))
        await asyncio.sleep(seconds)
    finally:
        identity.send(signal.SIGCONT)
        await connection.close()


async def _stop_while(identity: ProcessIdentity, holds: Callable[[], Awaitable[bool]]) -> None:
    """Stop the process, look, and let it run again at once when the condition does not hold; until it does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        identity.send(signal.SIGSTOP)
        if await holds():
            return
        identity.send(signal.SIGCONT)
        await asyncio.sleep(0.01)
    pytest.fail(f"{MEMBER} was never met with an open chunk")


async def _is_writing(connection: "asyncpg.Connection[asyncpg.Record]", pid: int) -> bool:
    ports = [each.laddr.port for each in psutil.Process(pid).net_connections(kind="tcp") if each.laddr]
    return bool(await connection.fetchval(_WRITING, ports))
