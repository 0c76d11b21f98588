"""Runs without a coder and a biller, and what they come to: ledger hash and KPIs, to be compared figure by figure."""

import asyncio
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
from revcycle_checker.run import ledger_hash
from revcycle_cli.commands.load import api_of
from revcycle_devstack import DEVELOPMENT_TENANT
from revcycle_devstack.connections import connect_to
from revcycle_devstack.layout import StateLayout, checkout_root
from revcycle_devstack.plan import PAYER_PROCESS, StackOptions
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import Api, Delivery, Pace, Simulation, facilities_of, generate, set_up_tenant
from revcycle_hospital_simulator.watch import Board, Calm
from revcycle_service_kit.auth import ROLES, ensure_development_key, issue_token

BUSINESS_DATE: Final = date(2026, 9, 30)
SEED: Final = 5
ENCOUNTERS: Final = 60
GROUPS: Final = (None, "payer_id", "carc", "day")
"""Every KPI is compared as a whole and in each of its groupings."""

Tell = Callable[[Board], None]
Json = Any
"""JSON as it came over the wire."""


@dataclass(slots=True)
class Hospital:
    """A stack with the tenant set up, and a hospital whose coder and biller stay at home unless they are asked."""

    stack: Stack
    api: Api
    payer: httpx.AsyncClient

    async def play(
        self,
        seed: int,
        encounters: int,
        calm: Callable[[], Calm] = Calm,
        tell: Tell | None = None,
        *,
        corrections: bool = False,
    ) -> None:
        """Send the encounters of a seed and return when nothing moves any more."""
        planned = generate(seed, encounters, BUSINESS_DATE)
        if not corrections:
            planned = [replace(each, correction=None) for each in planned]
        simulation = Simulation(
            api=self.api,
            deliveries=[Delivery.planned(each) for each in planned],
            run=f"recovery-{seed}",
            deposits_file=StateLayout(self.stack.state_dir).payer / "deposits.csv",
            payer=self.payer,
            tell=tell or (lambda board: None),
            pace=Pace(files_per_request=5),
            calm=calm,
        )
        await simulation.play()


@asynccontextmanager
async def hospital(state_dir: Path, seed: int, **changed: Any) -> AsyncIterator[Hospital]:
    """Start a whole stack from an empty folder and stop it at the end; ``changed``: other options of the stack."""
    options = StackOptions(
        state_dir=state_dir, simulators=("payer",), seed=seed, business_date=BUSINESS_DATE, fresh=True, **changed
    )
    async with Stack(options) as stack:
        trusted = ssl.create_default_context(cafile=str(StateLayout(stack.state_dir).payer_ca_file))
        payer_url = stack.urls[PAYER_PROCESS]
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(30, connect=2)) as client,
            httpx.AsyncClient(base_url=payer_url, verify=trusted, timeout=10) as payer,
        ):
            api = api_of(connect_to(stack.state_dir), client)
            await set_up_tenant(api, payer_url, facilities_of(()))
            yield Hospital(stack, api, payer)


async def ledger_of(stack: Stack) -> str:
    """The hash of the claims' ledger."""
    connection = await asyncpg.connect(stack.checker_url("claims"), timeout=10)
    try:
        return await ledger_hash(connection, DEVELOPMENT_TENANT)
    finally:
        await connection.close()


def caller(stack: Stack, tenant: UUID = DEVELOPMENT_TENANT) -> httpx.AsyncClient:
    """A client with every role."""
    token = issue_token(ensure_development_key(stack.token_key_file), tenant, "recovery-test", ROLES)
    return httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=20)


async def kpis_of(stack: Stack) -> dict[str, Json]:
    """Every figure that analytics tells, by KPI and grouping."""
    found: dict[str, Json] = {}
    async with caller(stack) as client:
        for group in GROUPS:
            response = await client.get(
                f"{stack.urls['analytics']}/v1/kpis", params={"group_by": group} if group else {}
            )
            assert response.status_code == 200, response.text
            found |= {f"{item['kpi_id']} by {group}": item for item in response.json()["items"]}
    return found


def figures_in(kpis: Mapping[str, Json]) -> int:
    """How many numbers a comparison of KPIs compares."""
    return sum(2 + 2 * len(item["groups"]) for item in kpis.values())


async def messaging_of(stack: Stack, service: str) -> Json:
    """What a service says of its messaging."""
    async with caller(stack) as client:
        response = await client.get(f"{stack.urls[service]}/v1/ops/messaging")
        assert response.status_code == 200, response.text
        return response.json()


async def revcycle(*arguments: str) -> str:
    """Run the command line as a person would; returns its standard output, fails unless its status is 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "revcycle_cli.main", *arguments),
        cwd=checkout_root(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def wait_until(what: str, probe: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Look again and again until ``probe`` says yes; fails when the time is up."""
    deadline = time.monotonic() + seconds
    while not await probe():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.2)


async def wait_quiet(stack: Stack, services: tuple[str, ...], seconds: float) -> None:
    """Wait until every event was applied and no timer is due; fails when an event could not be applied."""

    async def is_quiet() -> bool:
        for service in services:
            figures = await messaging_of(stack, service)
            assert figures["stopped_because"] is None, figures
            assert figures["dead_letters"] == figures["quarantined"] == 0, figures
            moving = figures["lag"] is None or any(
                figures[name] for name in ("lag", "chunk_in_flight", "parked_keys", "timers_due")
            )
            if moving:
                return False
        return True

    await wait_until("all events applied", is_quiet, seconds)
