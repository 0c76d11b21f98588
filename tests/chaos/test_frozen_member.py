"""One of two members stands still in the middle of a chunk and comes back; the long form: after a minute."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
from chaos_harness import ENCOUNTERS, SEED, Ending, Storm, storm
from revcycle_checker import Report
from revcycle_devstack.processes import ProcessIdentity
from revcycle_hospital_simulator import Pace

MEMBER, SERVICE = "claims-1", "claims"
SECONDS_OF_TRAFFIC = 12
ENCOUNTERS_OF_SHORT_FORM = 40
SHORTLY_FROZEN_SECONDS = 9.0
"""Longer than a consumer's session: the group has given the member up when it comes back."""
FROZEN_SECONDS = 60.0
PATIENCE_SECONDS = 60

_WRITING = """
    SELECT count(*) FROM pg_stat_activity WHERE client_port = ANY($1::int[]) AND backend_xid IS NOT NULL
"""


@pytest.mark.component
@pytest.mark.timeout(600)
async def test_a_member_frozen_in_mid_chunk_and_thawed_breaks_nothing(tmp_path: Path) -> None:
    """Promise: a member that was given up, and works on with what it held, applies nothing twice and skips nothing."""
    async with storm(SEED, ENCOUNTERS_OF_SHORT_FORM, tmp_path) as made:
        report = await _play_with_a_frozen_member(made, SHORTLY_FROZEN_SECONDS)
        assert await made.streams_with_gaps() == []
    assert report.violations == []
    assert report.mismatches == []
    assert report.unbalanced_cents == 0


@pytest.mark.component
@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_member_frozen_for_a_minute_changes_nothing(tmp_path: Path, calm: Ending) -> None:
    """Promise: the same with a freeze that outlasts every lease and session; to the cent as in the calm run."""
    async with storm(SEED, ENCOUNTERS, tmp_path) as made:
        report = await _play_with_a_frozen_member(made, FROZEN_SECONDS)
        assert await made.streams_with_gaps() == []
    assert report.violations == []
    assert report.mismatches == []
    assert Ending.of(report) == calm


async def _play_with_a_frozen_member(made: Storm, seconds: float) -> Report:
    pace = Pace(files_per_request=5, rate_per_second=made.encounters / SECONDS_OF_TRAFFIC)
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(made.play(pace))
        await _freeze_in_mid_chunk(made, seconds)
        await playing
    return await made.check()


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
