"""Promise: two members of claims, and its timers, never meet crosswise: there is one order of locks for a whole chunk.

The interleavings are constructed: each side is held behind its first handler until the other one has finished its own,
or waits for a lock. Without the chunk's common locks PostgreSQL then has to break a deadlock, and the test says so.
"""

import asyncio
from datetime import timedelta

import pytest
from revcycle_claims.bootstrap import build
from revcycle_claims.consumers import handlers
from revcycle_claims.domain.bank_list import BankDeposit
from revcycle_claims.rulebook import rulebook_of
from revcycle_claims.use_cases.lock_chunk import lock_chunk
from revcycle_claims.use_cases.match_deposits import ADVICE_TIMER
from revcycle_claims.use_cases.record_deposits import record_deposits
from revcycle_messaging import Consumer, Transient
from revcycle_messaging.testing import TENANT
from revcycle_messaging.transports.memory import MemoryTransport
from revcycle_service_kit.testing import eventually
from revcycle_service_kit.timers import TimerWorker

pytestmark = pytest.mark.component


class Crossing:
    """Two members, each with its chunk, each held behind its first handler until the other is as far as it can get."""

    def __init__(self, service, locks):
        self.database = service.database
        self.sealer = service.sealer
        self.first_done = [asyncio.Event(), asyncio.Event()]
        self.ready = [asyncio.Event(), asyncio.Event()]
        self.pids = [0, 0]
        known = handlers(rulebook_of(service.under_test.context))
        self.members = [
            Consumer(
                "claims",
                service.database,
                MemoryTransport(),
                {contract: self.held(side, handler) for contract, handler in known.items()},
                service.under_test.clock.now,
                lock_chunk=locks,
            )
            for side in (0, 1)
        ]

    def held(self, side, handler):
        async def hold(uow, received):
            await handler(uow, received)
            if not self.first_done[side].is_set():
                self.first_done[side].set()
                await eventually(lambda: self.other_is_stuck(1 - side), what="the other side done or waiting")

        return hold

    async def other_is_stuck(self, other):
        if self.first_done[other].is_set():
            return True
        return await waits_for_a_lock(self.database, self.pids[other])

    async def run(self, side, told):
        member = self.members[side]
        items = [member._check(self.sealer.record(item, number)) for number, item in enumerate(told)]
        async with self.database.unit_of_work(TENANT) as uow:
            self.pids[side] = await uow.fetch_value("SELECT pg_backend_pid()")
            self.ready[side].set()
            await self.ready[1 - side].wait()
            return await member.handle(uow, items)


async def waits_for_a_lock(database, pid):
    async with database.connection() as connection:
        return await connection.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid)


def crosswise(world, what):
    """Two chunks whose handlers want the same things in opposite order."""
    if what == "patients":
        for name in "ab":
            world.visit(name)
        return (
            [world.coverage("a", rank=2), world.documented("b")],
            [world.coverage("b", rank=2), world.documented("a")],
        )
    if what == "claims not here yet":
        for name in "ab":
            world.visit(name)
    claims = [world.remittance(f"T-{name}", [world.remitted(name)]) for name in "ab"]
    return [world.transmitted("a"), claims[1]], [world.transmitted("b"), claims[0]]


@pytest.mark.parametrize("what", ["patients", "claims", "claims not here yet"])
@pytest.mark.parametrize("locks", [lock_chunk, None], ids=["one order", "each handler its own"])
async def test_two_members_never_meet_crosswise(service, world, what, locks):
    await service.prices()
    await service.consume([world.facility(), world.payer()])
    if what == "claims":
        await service.consume([*world.visit("a"), *world.visit("b")])
    left, right = crosswise(world, what)
    crossing = Crossing(service, locks)
    ended = await asyncio.gather(crossing.run(0, left), crossing.run(1, right), return_exceptions=True)
    if locks is None:
        deadlocks = [one for one in ended if isinstance(one, Transient) and "40P01" in str(one)]
        assert len(deadlocks) == 1, f"the construction no longer meets crosswise: {ended}"
    else:
        assert ended == [2, 2], "both chunks are applied without a deadlock"


async def test_a_timer_and_the_money_it_waits_for_never_meet_crosswise(service, world):
    """The deposit holds the trace number and cancels the timer at its end; the timer rings in between."""
    await service.prices()
    await service.consume([world.facility(), world.payer(), *world.visit("a")])
    await service.consume([world.remittance("T1", [world.remitted("a")])])
    context = service.under_test.context
    clock = context.clock
    before = clock.now()
    clock.set(before + timedelta(days=30))
    timers = TimerWorker(context.database, build(context).timers, clock, context.metrics, context.log)
    deposit = BankDeposit(
        bank_reference="BANK-1",
        deposit_date=before.date(),
        payer_id="TESTPAY",
        trace_number="T1",
        amount_cents=8_000,
    )
    try:
        async with service.database.unit_of_work(TENANT) as uow:
            await record_deposits(uow, [deposit], world.cause())
            remittance = f"remittance/{world.id('remittance', 'T1', 1)}"
            ringing = asyncio.create_task(timers._fire(TENANT, ADVICE_TIMER, [remittance]))

            async def rings() -> bool:
                return ringing.done() or await a_fire_waits(service.database)

            await eventually(rings, what="the timer waits for the trace number")
            assert not ringing.done(), "it waits for the trace number, and holds no timer meanwhile"
        assert await ringing == 0, "checked again behind the locks: the money has come, nothing rings"
    finally:
        clock.set(before)
    assert await service.value("SELECT count(*) FROM claims.task WHERE kind = 'advice_without_money'") == 0


async def test_a_set_up_that_comes_while_a_sweep_begins_is_swept_again(service, world):
    """Promise: what was held for an older set-up is tried at once. The new set-up is committed between the locks of a
    sweep and its firing, which takes out the one timer that both share: the sweep must see that, and set it again.
    """
    await service.consume([world.facility(), world.payer()])
    timer = build(service.under_test.context).timers["sweep"]
    async with service.database.unit_of_work(TENANT) as uow:
        workspace = await timer.lock(uow, [])
        assert workspace is None, "nothing is held yet"
        await service.consume(world.visit("a"))
        await service.prices()
        await uow.execute("DELETE FROM messaging.timer WHERE aggregate = 'sweep/set-up'")
        await timer.fire(uow, [], workspace)
    assert await service.value("SELECT count(*) FROM claims.claim WHERE state = 'held'") == 1
    assert await service.value("SELECT count(*) FROM messaging.timer WHERE aggregate = 'sweep/set-up'") == 1
    await service.ring("sweep")
    assert await service.value("SELECT count(*) FROM claims.claim WHERE state = 'held'") == 0


async def a_fire_waits(database):
    async with database.connection() as connection:
        return await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND cardinality(pg_blocking_pids(pid)) > 0)"
        )
