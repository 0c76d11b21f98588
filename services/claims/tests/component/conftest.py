"""The service on a fresh PostgreSQL database, fed by chunks of real records, without a broker."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from revcycle_claims.bootstrap import build
from revcycle_claims.consumers import handlers
from revcycle_claims.domain.reference import Price
from revcycle_claims.repositories.reference import write_fee_schedule
from revcycle_claims.rulebook import rulebook_of
from revcycle_claims.use_cases.lock_chunk import lock_chunk
from revcycle_devstack.testing import PostgresServer
from revcycle_messaging import Cause, Consumer, ConsumerSettings
from revcycle_messaging.sealing import Received
from revcycle_messaging.transports.memory import MemoryTransport
from revcycle_service_kit.clock import SettableClock
from revcycle_service_kit.testing import OTHER_TENANT, TENANT, ServiceUnderTest, running_service
from revcycle_service_kit.timers import DueTimer

BUSINESS_DATE = date(2026, 9, 30)
PRICES = {"G0463": 10_000, "T1015": 2_500}


NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
CLOCK = SettableClock(NOW, BUSINESS_DATE)


def _timer_cause(due_at: datetime, number: int) -> Cause:
    return Cause(TENANT, UUID(int=900 + number), due_at, "timer:test")


class Service:
    """The consuming side of claims on one database."""

    def __init__(self, under_test: ServiceUnderTest, sealer: Any) -> None:
        self.under_test = under_test
        self.database = database = under_test.database
        self.client = under_test.client
        self.sealer = sealer
        self.consumer = Consumer(
            "claims",
            database,
            MemoryTransport(),
            handlers(rulebook_of(under_test.context)),
            CLOCK.now,
            settings=ConsumerSettings(dead_run=1000),
            lock_chunk=lock_chunk,
        )
        self._offset = 0

    async def consume(self, received: Sequence[Received[Any]], chunk_size: int = 500) -> None:
        """Apply events in chunks, as the poll loop would; fails when an event was parked for good."""
        for start in range(0, len(received), chunk_size):
            self._offset += chunk_size
            chunk = received[start : start + chunk_size]
            await self.consumer.process([self.sealer.record(item, self._offset + n) for n, item in enumerate(chunk)])
        assert self.consumer.dead == 0, await self.fetch("SELECT reason FROM messaging.parked_event")

    async def drain(self) -> None:
        """Apply what was parked behind a gap and is whole by now."""
        await self.consumer.drain_parked()

    async def ring(self, name: str) -> int:
        """Ring all timers of a name, whenever they are due; returns how many there were."""
        handler = build(self.under_test.context).timers[name]
        async with self.database.unit_of_work(TENANT) as uow:
            rows = await uow.fetch(
                "DELETE FROM messaging.timer WHERE name = $1 AND tenant_id = $2 RETURNING *", name, TENANT
            )
            due = [
                DueTimer(row["aggregate"], name, row["due_at"], row["payload"], _timer_cause(row["due_at"], number))
                for number, row in enumerate(rows)
            ]
            if due:
                await handler(uow, due)
        return len(due)

    async def prices(self, prices: dict[str, int] | None = None, tenant: Any = TENANT) -> None:
        async with self.database.unit_of_work(tenant) as uow:
            rows = [
                Price(code=code, effective_from=date(2026, 1, 1), price_cents=cents)
                for code, cents in (prices or PRICES).items()
            ]
            await write_fee_schedule(uow, "standard", 1, "hash", rows, (NOW, "test"))

    async def fetch(self, sql: str, *args: object, tenant: Any = TENANT) -> list[Any]:
        async with self.database.unit_of_work(tenant, read_only=True) as uow:
            return await uow.fetch(sql, *args)

    async def value(self, sql: str, *args: object, tenant: Any = TENANT) -> Any:
        async with self.database.unit_of_work(tenant, read_only=True) as uow:
            return await uow.fetch_value(sql, *args)

    async def outcome(self, claim_id: Any) -> Any:
        return (await self.fetch("SELECT * FROM claims.claim_outcome WHERE claim_id = $1", claim_id))[0]

    async def event_types(self) -> list[str]:
        rows = await self.fetch("SELECT headers FROM messaging.outbox ORDER BY seq")
        return [row["headers"].split("ce_type")[1].split(".")[2] for row in rows]

    async def ledger(self) -> list[str]:
        rows = await self.fetch("SELECT * FROM claims.ledger_line_balance")
        return sorted(
            f"{row['facility_npi']}|{row['encounter_number']}|{row['line_number']}|{row['account']}|{row['cents']}"
            for row in rows
        )

    async def check_books(self) -> None:
        """Every journal balances, every line's identity holds, everything sums to zero."""
        unbalanced = await self.fetch(
            "SELECT journal_id FROM claims.entry GROUP BY journal_id, claim_id, line_number HAVING sum(cents) <> 0"
        )
        assert unbalanced == []
        lines = await self.fetch(
            """
            SELECT * FROM claims.line_money WHERE charge_cents <>
                paid_cents + contractual_cents + other_adjustment_cents + patient_cents + open_cents
            """
        )
        assert lines == []
        assert await self.value("SELECT coalesce(sum(cents), 0) FROM claims.entry") == 0


MakeService = Callable[[], Awaitable[Service]]


@pytest.fixture
async def make_service(postgresql: PostgresServer, tmp_path: Path, sealer_class: Any) -> AsyncIterator[MakeService]:
    """Makes services, each on a database of its own with the real migrations; events come in chunks of the test."""
    async with AsyncExitStack() as stack:
        sealer = sealer_class(tmp_path, (TENANT, OTHER_TENANT))

        async def make() -> Service:
            running = running_service(build, postgresql, tmp_path, run=(), clock=CLOCK, grants=("identity", "clinical"))
            return Service(await stack.enter_async_context(running), sealer)

        yield make


@pytest.fixture
async def service(make_service: MakeService) -> Service:
    return await make_service()
