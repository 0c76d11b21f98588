"""An encounter that claims cannot handle, on a whole stack: everybody else is paid, and after the fix so is it."""

import sys
from pathlib import Path

import asyncpg
import pytest
from recovery_harness import BUSINESS_DATE, SEED, Hospital, hospital, ledger_of, messaging_of, revcycle, wait_until
from revcycle_devstack import DEVELOPMENT_TENANT
from revcycle_devstack.layout import checkout_root
from revcycle_hospital_simulator import generate

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]

ENCOUNTERS = 400
KEYS = 1_000
FAULTY = checkout_root() / "tests" / "integration" / "faulty_claims.py"


async def claims_rows(made: Hospital, sql: str) -> int:
    """A number from the database of claims."""
    connection = await asyncpg.connect(made.stack.checker_url("claims"), timeout=10)
    try:
        await connection.execute("SELECT set_config('app.tenant', $1, false)", str(DEVELOPMENT_TENANT))
        return int(await connection.fetchval(sql))
    finally:
        await connection.close()


async def test_a_poisoned_encounter_holds_up_nobody_and_ends_as_in_the_calm_run(tmp_path: Path) -> None:
    """Promise 4, in production form: the fault is planted in claims before the first event, more than 1,000 other keys
    flow to their ends, `revcycle redrive` after the fix is one command, and the ledger is the calm run's.
    """
    async with hospital(tmp_path / "calm", SEED) as calm:
        await calm.play(SEED, ENCOUNTERS)
        expected = await ledger_of(calm.stack)
    visit = next(each for each in generate(SEED, ENCOUNTERS, BUSINESS_DATE) if each.kind == "plain")
    faults = tmp_path / "faults"
    faults.write_text(visit.encounter_number, encoding="utf-8")
    changed = {
        "programs": {"claims": (sys.executable, str(FAULTY))},
        "extra_environment": {"claims": {"REVCYCLE_TEST_FAULTS": str(faults)}},
    }
    async with hospital(tmp_path / "poisoned", SEED, **changed) as made:
        await made.play(SEED, ENCOUNTERS)
        figures = await messaging_of(made.stack, "claims")
        assert figures["dead_letters"] >= 1 and figures["stopped_because"] is None
        assert await ledger_of(made.stack) != expected
        streams = "SELECT count(*) FROM messaging.stream WHERE consumer = 'claims' AND parked_since IS NULL"
        flowing = await claims_rows(made, streams)
        assert flowing >= KEYS
        where = ("--state-dir", str(made.stack.state_dir))
        shown = await revcycle("redrive", "claims", *where)
        faults.unlink()
        await revcycle("redrive", "claims", "--yes", "--by", "A. Operator", "--reason", "corrected", *where)

        async def is_calm() -> bool:
            return await ledger_of(made.stack) == expected

        await wait_until("the ledger of the calm run", is_calm, 60)
        figures = await messaging_of(made.stack, "claims")
        assert figures["dead_letters"] == figures["parked_keys"] == 0
        sys.stdout.write(f"{shown}poisoned: {flowing} keys unaffected, ledger {expected[:16]}\n")
