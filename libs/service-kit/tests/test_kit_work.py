"""Jobs, timers and background work on a real database: attempts, leases, unknown outcomes, one leader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kit_sample_service.parts import Letter, Outside, SendLetter, build
from revcycle_messaging.testing import make_cause
from revcycle_service_kit import Background, JobResult, NotAttempted, ServiceContext, SettableClock, resolve_jobs
from revcycle_service_kit.background import BackgroundWorker
from revcycle_service_kit.jobs import JobWorker
from revcycle_service_kit.testing import OTHER_TENANT, TENANT, ServiceUnderTest, eventually, running_service

pytestmark = pytest.mark.component
NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@asynccontextmanager
async def sample(
    postgresql: Any, folder: Path, outside: Outside | None = None, run: tuple[str, ...] = ()
) -> AsyncIterator[ServiceUnderTest]:
    async with running_service(build(outside), postgresql, folder, run=run, clock=SettableClock(NOW)) as service:
        yield service


def worker(service: ServiceUnderTest, outside: Outside, name: str = "w") -> JobWorker:
    context = service.context
    kinds = {"send_letter": SendLetter(outside)}
    made = JobWorker(context.database, kinds, context.clock, name, context.metrics, context.log)
    # Every call looks for expired leases, not only one a second.
    made._swept_at = float("-inf")
    return made


async def add_jobs(service: ServiceUnderTest, *addresses: str, tenant_id: UUID = TENANT) -> list[UUID]:
    cause = make_cause(tenant_id=tenant_id, now=NOW)
    job_ids = [cause.derive("job", number) for number in range(len(addresses))]
    async with service.database.unit_of_work(tenant_id) as uow:
        for job_id, address in zip(job_ids, addresses, strict=True):
            uow.add_job("send_letter", job_id, {"address": address}, cause)
    return job_ids


async def states(service: ServiceUnderTest) -> dict[str, tuple[str, int, str | None]]:
    async with service.database.connection() as connection:
        rows = await connection.fetch("SELECT payload, state, attempts, last_error FROM messaging.job")
    return {row["payload"]["address"]: (row["state"], row["attempts"], row["last_error"]) for row in rows}


async def effects(service: ServiceUnderTest, place: str) -> list[str]:
    async with service.database.unit_of_work(TENANT) as uow:
        rows = await uow.fetch("SELECT what FROM sample.effect WHERE place = $1 ORDER BY what", place)
    return [row["what"] for row in rows]


def advance(service: ServiceUnderTest, seconds: float) -> None:
    clock = service.clock
    assert isinstance(clock, SettableClock)
    clock.set(clock.now() + timedelta(seconds=seconds))


async def test_the_attempt_is_committed_before_the_act(postgresql: Any, tmp_path: Path) -> None:
    """While acting, intent and attempt are there for everyone to see, and no transaction of the worker is open."""
    outside = Outside()
    async with sample(postgresql, tmp_path, outside) as service:
        seen: list[Any] = []

        async def look(prepared: Letter) -> None:
            seen.append(((await states(service))[prepared.address], await effects(service, "intent")))

        outside.act = look
        await add_jobs(service, "a")
        assert await worker(service, outside).work_once() == 1
        assert seen == [(("running", 1, None), ["a"])]
        assert await states(service) == {"a": ("done", 1, None)}
        assert await effects(service, "outcome") == ["sent"]


async def test_two_workers_share_the_jobs_and_do_each_once(postgresql: Any, tmp_path: Path) -> None:
    """Forty jobs of two tenants, three workers: forty effects, none twice."""
    outside = Outside()
    async with sample(postgresql, tmp_path, outside) as service:
        ours = [f"t1-{number:02}" for number in range(25)]
        theirs = [f"t2-{number:02}" for number in range(15)]
        await add_jobs(service, *ours)
        await add_jobs(service, *theirs, tenant_id=OTHER_TENANT)
        workers = [worker(service, outside, f"w{number}") for number in range(3)]
        for _ in range(8):
            await asyncio.gather(*(one.work_once() for one in workers))
        assert sorted(outside.sent) == ours + theirs
        assert {state for state, _, _ in (await states(service)).values()} == {"done"}


async def test_no_more_acts_at_once_than_the_kind_allows(postgresql: Any, tmp_path: Path) -> None:
    """Five letters of one batch, four of them under way; the fifth when one is done."""
    outside, go_on = Outside(), asyncio.Event()
    acting: list[str] = []

    async def wait(letter: Letter) -> None:
        acting.append(letter.address)
        await go_on.wait()

    outside.act = wait
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, *"abcde")
        working = asyncio.create_task(worker(service, outside).work_once())
        await eventually(lambda: len(acting) == SendLetter.concurrency == 4)
        assert {state for state, _, _ in (await states(service)).values()} == {"running"}
        assert len(acting) == 4
        go_on.set()
        assert await working == 5
        assert sorted(outside.sent) == list("abcde")


async def test_a_job_nobody_prepared_is_done(postgresql: Any, tmp_path: Path) -> None:
    """There was nothing left to do for it."""
    outside = Outside()
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, "nobody")
        await worker(service, outside).work_once()
        assert await states(service) == {"nobody": ("done", 1, None)}
        assert outside.sent == []


async def test_what_was_certainly_not_done_is_tried_again_until_the_limit(postgresql: Any, tmp_path: Path) -> None:
    """NotAttempted: ready again after a pause, failed after the last attempt, with the reason."""
    outside = Outside()

    async def refuse(_: Letter) -> None:
        raise NotAttempted("no connection")

    outside.act = refuse
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, "a")
        work = worker(service, outside)
        await work.work_once()
        assert await states(service) == {"a": ("ready", 1, "not attempted: no connection")}
        assert await work.work_once() == 0
        for _ in range(2):
            advance(service, 400)
            assert await work.work_once() == 1
        state, attempts, reason = (await states(service))["a"]
        assert (state, attempts) == ("failed", 3)
        assert reason is not None
        assert "gave up after 3 attempts" in reason
        advance(service, 4000)
        assert await work.work_once() == 0


async def test_an_act_that_fails_is_unknown_and_never_run_again(postgresql: Any, tmp_path: Path) -> None:
    """It may have happened; only an inquiry or a person decides. The text of the failure is not kept."""
    outside = Outside()

    async def explode(_: Letter) -> None:
        raise RuntimeError("SECRET-CANARY")

    outside.act = explode
    async with sample(postgresql, tmp_path, outside) as service:
        (job_id,) = await add_jobs(service, "a")
        work = worker(service, outside)
        await work.work_once()
        assert await states(service) == {"a": ("unknown", 1, "RuntimeError while acting")}
        outside.act = None
        advance(service, 100_000)
        assert await work.work_once() == 0
        async with service.database.unit_of_work(TENANT) as uow:
            await resolve_jobs(uow, {job_id: JobResult.retry("the payer never got it", NOW)}, service.clock.now())
        assert await work.work_once() == 1
        assert (await states(service))["a"][:2] == ("done", 2)


async def test_an_act_that_does_not_end_is_unknown_before_its_lease_ends(postgresql: Any, tmp_path: Path) -> None:
    """The worker gives up within the lease, so no other can judge the job meanwhile."""
    outside = Outside()

    async def hang(_: Letter) -> None:
        await asyncio.Event().wait()

    outside.act = hang
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, "a")
        await worker(service, outside).work_once()
        assert (await states(service))["a"] == ("unknown", 1, "TimeoutError while acting")


async def test_a_dead_worker_s_jobs_are_recovered_not_repeated(postgresql: Any, tmp_path: Path) -> None:
    """Killed while acting: after the lease the kind decides; what it does not know is unknown."""
    outside = Outside()

    async def hang(_: Letter) -> None:
        await asyncio.Event().wait()

    outside.act = hang
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, "risky", "safe")
        dying = asyncio.create_task(worker(service, outside, "dead").work_once())

        async def both_act() -> bool:
            return {state for state, _, _ in (await states(service)).values()} == {"running"}

        await eventually(both_act)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        outside.act = None
        heir = worker(service, outside, "heir")
        assert await heir.recover_expired("send_letter") == 0
        advance(service, 3)
        assert await heir.recover_expired("send_letter") == 2
        found = await states(service)
        assert found["risky"] == ("unknown", 1, "the worker died while acting")
        assert found["safe"] == ("ready", 1, "known not sent")
        advance(service, 2)
        await heir.work_once()
        assert outside.sent == ["safe"]


async def test_an_outcome_after_the_lease_still_counts(postgresql: Any, tmp_path: Path) -> None:
    """The worker was slow, not dead: its outcome replaces `unknown`, because it is the truth about that attempt."""
    outside, go_on = Outside(), asyncio.Event()

    async def wait(_: Letter) -> None:
        await go_on.wait()

    outside.act = wait
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, "a")
        slow = asyncio.create_task(worker(service, outside, "slow").work_once())

        async def acting() -> bool:
            return (await states(service))["a"][0] == "running"

        await eventually(acting)
        advance(service, 3)
        assert await worker(service, outside, "other").recover_expired("send_letter") == 1
        assert (await states(service))["a"][0] == "unknown"
        go_on.set()
        await slow
        assert (await states(service))["a"][0] == "done"


async def test_a_late_outcome_keeps_an_effect_from_being_had_again(postgresql: Any, tmp_path: Path) -> None:
    """Promise 10: the worker was slow; its job was recovered as not sent and waits to go again when word comes."""
    outside, go_on = Outside(), asyncio.Event()

    async def wait(_: Letter) -> None:
        await go_on.wait()

    outside.act = wait
    async with sample(postgresql, tmp_path, outside) as service:
        await add_jobs(service, "safe")
        slow = asyncio.create_task(worker(service, outside, "slow").work_once())

        async def acting() -> bool:
            return (await states(service))["safe"][0] == "running"

        await eventually(acting)
        advance(service, 3)
        assert await worker(service, outside, "other").recover_expired("send_letter") == 1
        assert (await states(service))["safe"][:2] == ("ready", 1)
        go_on.set()
        await slow
        assert (await states(service))["safe"][0] == "done"
        advance(service, 100)
        assert await worker(service, outside, "other").work_once() == 0
        assert outside.sent == ["safe"]


async def test_only_an_unknown_job_can_be_resolved(postgresql: Any, tmp_path: Path) -> None:
    """Promise 10: no inquiry and no person makes a job that is done go again."""
    outside = Outside()
    async with sample(postgresql, tmp_path, outside) as service:
        (job_id,) = await add_jobs(service, "a")
        work = worker(service, outside)
        await work.work_once()
        async with service.database.unit_of_work(TENANT) as uow:
            assert await resolve_jobs(uow, {job_id: JobResult.retry("not there")}, service.clock.now()) == set()
        async with service.database.unit_of_work(OTHER_TENANT) as uow:
            assert await resolve_jobs(uow, {job_id: JobResult.failed("not mine")}, service.clock.now()) == set()
        advance(service, 1000)
        assert await work.work_once() == 0
        assert (await states(service))["a"][0] == "done" and outside.sent == ["a"]


async def test_jobs_run_at_once_when_their_transaction_commits(postgresql: Any, tmp_path: Path) -> None:
    """The commit wakes the worker; `drain` waits for the rest."""
    outside = Outside()
    async with sample(postgresql, tmp_path, outside, run=("jobs",)) as service:
        await add_jobs(service, "a", "b")
        await service.drain()
        assert sorted(outside.sent) == ["a", "b"]


# -- timers ---------------------------------------------------------------------------------------------------------


async def set_timer(service: ServiceUnderTest, aggregate: str, due_at: datetime, **payload: Any) -> None:
    async with service.database.unit_of_work(TENANT) as uow:
        uow.set_timer(aggregate, "overdue", due_at, payload)


async def timers_left(service: ServiceUnderTest) -> dict[str, datetime]:
    async with service.database.connection() as connection:
        return {row["aggregate"]: row["due_at"] for row in await connection.fetch("SELECT * FROM messaging.timer")}


async def test_a_timer_fires_once_as_of_its_due_time(postgresql: Any, tmp_path: Path) -> None:
    """Not before; then once; and what it decides is dated when it was due, however late it fires."""
    async with sample(postgresql, tmp_path, run=("timers",)) as service:
        due = NOW + timedelta(days=90)
        await set_timer(service, "claim/1", due)
        timers = service.runtime.timers
        assert timers is not None
        assert await timers.fire_once() == 0
        advance(service, 100 * 86_400)
        await service.drain()
        async with service.database.unit_of_work(TENANT) as uow:
            rows = await uow.fetch("SELECT what, at FROM sample.effect WHERE place = 'timer'")
        assert [(row["what"], row["at"]) for row in rows] == [("claim/1", due)]
        assert await timers_left(service) == {}


async def test_a_timer_may_set_itself_again(postgresql: Any, tmp_path: Path) -> None:
    """What the handler sets stays."""
    async with sample(postgresql, tmp_path, run=("timers",)) as service:
        await set_timer(service, "claim/1", NOW, again=True)
        await service.drain()
        assert await timers_left(service) == {"claim/1": NOW + timedelta(days=400)}


async def test_a_failing_timer_keeps_only_itself(postgresql: Any, tmp_path: Path) -> None:
    """The others of its chunk fire; it stays, rests, and its transaction left nothing."""
    async with sample(postgresql, tmp_path) as service:
        for number in range(5):
            await set_timer(service, f"claim/{number}", NOW, fail=number == 2)
        from revcycle_service_kit.timers import TimerWorker

        context, parts = service.context, build()
        timers = TimerWorker(context.database, parts.timers, context.clock, context.metrics, context.log)
        assert await timers.fire_once() == 4
        assert list(await timers_left(service)) == ["claim/2"]
        assert await effects(service, "timer") == ["claim/0", "claim/1", "claim/3", "claim/4"]
        assert await timers.fire_once() == 0


async def test_a_cancelled_timer_does_not_fire(postgresql: Any, tmp_path: Path) -> None:
    """Cancelled between being found due and being locked: checked again, passed over."""
    async with sample(postgresql, tmp_path) as service:
        await set_timer(service, "claim/1", NOW)
        await set_timer(service, "claim/2", NOW)
        async with service.database.unit_of_work(TENANT) as uow:
            uow.cancel_timer("claim/1", "overdue")
            uow.set_timer("claim/2", "overdue", NOW + timedelta(days=1))
        from revcycle_service_kit.timers import TimerWorker

        context, parts = service.context, build()
        timers = TimerWorker(context.database, parts.timers, context.clock, context.metrics, context.log)
        assert await timers._fire(TENANT, "overdue", ["claim/1", "claim/2"]) == 0
        assert list(await timers_left(service)) == ["claim/2"]


async def test_a_timer_locks_what_it_is_about_first_and_is_checked_again_behind_it(
    postgresql: Any, tmp_path: Path
) -> None:
    """Who changes the aggregate holds its lock and cancels the timer: the timer waits for it and then does not ring."""
    from revcycle_service_kit.timers import DueTimer, TimerKind, TimerWorker

    async with sample(postgresql, tmp_path) as service:
        await set_timer(service, "claim/1", NOW)
        await set_timer(service, "claim/2", NOW)
        rung: list[str] = []

        async def lock(uow: Any, due: Any) -> str:
            await uow.execute("SELECT pg_advisory_xact_lock(4711)")
            return "locked"

        async def fire(uow: Any, due: list[DueTimer], locked: str) -> None:
            rung.extend(f"{timer.aggregate} {locked}" for timer in due)

        context = service.context
        kinds = {"overdue": TimerKind(lock, fire)}
        timers = TimerWorker(context.database, kinds, context.clock, context.metrics, context.log)
        async with service.database.unit_of_work(TENANT) as uow:
            await uow.execute("SELECT pg_advisory_xact_lock(4711)")
            ringing = asyncio.create_task(timers.fire_once())

            async def waits() -> bool:
                async with service.database.connection() as connection:
                    found: bool = await connection.fetchval(
                        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
                        " AND cardinality(pg_blocking_pids(pid)) > 0)"
                    )
                return found

            await eventually(waits)
            uow.cancel_timer("claim/1", "overdue")
        assert await ringing == 1
        assert rung == ["claim/2 locked"]


# -- background work and probes -------------------------------------------------------------------------------------


async def test_one_leader_at_a_time_and_another_when_it_goes(postgresql: Any, tmp_path: Path) -> None:
    """Two instances, one works; it stops, the other takes over."""
    async with sample(postgresql, tmp_path) as service:
        calls: list[str] = []

        def made(name: str) -> BackgroundWorker:
            async def note(_: ServiceContext) -> None:
                calls.append(name)

            return BackgroundWorker(Background("tick", 0.01, note), service.context)

        first, second = made("first"), made("second")
        running = [asyncio.create_task(first.run())]
        await eventually(lambda: calls.count("first") > 3)
        running.append(asyncio.create_task(second.run()))
        await eventually(lambda: calls.count("first") > 30)
        assert "second" not in calls
        first.stop()
        await eventually(lambda: calls.count("second") > 3)
        second.stop()
        await asyncio.gather(*running)


async def test_a_database_that_is_away_makes_it_not_ready_and_never_dead(postgresql: Any, tmp_path: Path) -> None:
    """Not ready within five seconds, alive all the time, ready again when it is back."""
    async with running_service(build(), postgresql, tmp_path) as service:
        client = service.anonymous_client()

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        async def not_ready() -> bool:
            return not await ready()

        await eventually(ready)
        pool = service.database._pool
        service.database._pool = Away()  # type: ignore[assignment]  # stands for a server that went away
        await eventually(not_ready, 5)
        assert (await client.get("/livez")).status_code == 200
        problem = (await client.get("/readyz")).json()
        assert [error["field"] for error in problem["errors"]] == ["database"]
        service.database._pool = pool
        await eventually(ready, 5)
        service.app.state.health.draining = True
        assert await not_ready()


async def test_a_poll_loop_that_stands_still_is_a_reason_to_die(
    postgresql: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when everything it needs is there and records wait: then the process should be replaced."""
    async with running_service(build(), postgresql, tmp_path, run=("consumer",)) as service:
        runtime = service.runtime
        await eventually(lambda: runtime._last_figures is not None and runtime._last_figures.lag is not None)
        figures = runtime._last_figures
        assert figures is not None
        monkeypatch.setattr("revcycle_service_kit.runtime.STALLED_SECONDS", -1.0)
        runtime._last_figures = figures.model_copy(update={"lag": 5})
        assert "stood still" in (runtime._stall({}) or "")
        assert runtime._stall({"database": "away"}) is None
        runtime._last_figures = figures.model_copy(update={"lag": 0})
        assert runtime._stall({}) is None
        service.app.state.health.stalled = "the poll loop has stood still"
        assert (await service.anonymous_client().get("/livez")).status_code == 503


class Away:
    """A pool whose server is gone."""

    def acquire(self, **_: Any) -> Any:
        raise ConnectionRefusedError
