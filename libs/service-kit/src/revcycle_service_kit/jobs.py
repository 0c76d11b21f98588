"""Effects outside: the attempt is committed, then the act happens, then its outcome is committed.

A job whose worker died while acting is never simply run again: its effect may have happened. Its kind decides
(``recover``), and unless it knows better the job is ``unknown`` until an inquiry or a named person resolves it.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, TypeVar
from uuid import UUID

import structlog
from revcycle_messaging import Cause, Database, DatabaseRefused, Transient, UnitOfWork
from revcycle_messaging.database import translated_errors
from revcycle_messaging.waiting import wait_for_event

from revcycle_service_kit.clock import Clock
from revcycle_service_kit.ids import new_id
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.telemetry import working

BACKOFF_SECONDS: Final = (1, 2, 5, 10, 30, 60, 120, 300)
POLL_SECONDS_MIN: Final = 0.1
POLL_SECONDS_MAX: Final = 1.0
SWEEP_SECONDS: Final = 1.0
_EXPIRED_PER_SWEEP: Final = 200
_FINISHED: Final = ("done", "failed")


class NotAttempted(Exception):
    """Raised by ``act`` when the effect certainly did not happen, for example: no connection was made."""


@dataclass(frozen=True, slots=True)
class Job:
    """An effect to be had. ``attempts`` counts this one in."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    payload: Mapping[str, Any]
    attempts: int
    correlation_id: str | None
    created_at: datetime

    def cause(self, now: datetime) -> Cause:
        """This attempt as the cause of what it changes."""
        attempt = Cause(self.tenant_id, self.job_id, now, f"job:{self.kind}", self.correlation_id)
        return Cause(self.tenant_id, attempt.derive("attempt", self.attempts), now, attempt.actor, self.correlation_id)


@dataclass(frozen=True)
class Prepared:
    """One effect, ready to be had; it may cover several jobs. Kinds add what ``act`` needs."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class JobResult:
    """What becomes of a job. ``run_at`` None with ``ready``: after the usual backoff."""

    state: Literal["done", "ready", "failed", "unknown"]
    reason: str | None = None
    run_at: datetime | None = None

    @classmethod
    def done(cls) -> "JobResult":
        """The effect was had."""
        return cls("done")

    @classmethod
    def retry(cls, reason: str, at: datetime | None = None) -> "JobResult":
        """The effect was certainly not had; try again at a time, or after the usual backoff."""
        return cls("ready", reason, at)

    @classmethod
    def failed(cls, reason: str) -> "JobResult":
        """The effect can not be had."""
        return cls("failed", reason)

    @classmethod
    def unknown(cls, reason: str) -> "JobResult":
        """Whether the effect was had is not known."""
        return cls("unknown", reason)


P = TypeVar("P", bound=Prepared)
O = TypeVar("O")  # noqa: E741  # the outcome's type; P and O read as they do in the contract


class JobKind(ABC, Generic[P, O]):
    """A kind of effect. All jobs of one call belong to one tenant."""

    batch_size = 20
    max_attempts = 8
    lease_seconds = 60
    concurrency = 4

    @abstractmethod
    async def prepare(self, uow: UnitOfWork, jobs: Sequence[Job], cause: Cause) -> Sequence[P]:
        """Commit to the attempt. A job that no result names is done: there is nothing left to do for it."""

    @abstractmethod
    async def act(self, prepared: P) -> O:
        """Have the effect; no transaction is open. NotAttempted: try again. Any other exception: unknown."""

    @abstractmethod
    async def settle(self, uow: UnitOfWork, prepared: P, outcome: O, cause: Cause) -> JobResult:
        """Commit the outcome."""

    async def recover(self, uow: UnitOfWork, jobs: Sequence[Job], cause: Cause) -> Mapping[UUID, JobResult]:
        """Decide about jobs whose worker died while acting; those not named are unknown."""
        return {}


async def resolve_jobs(uow: UnitOfWork, results: Mapping[UUID, JobResult], now: datetime) -> set[UUID]:
    """Write what became of ``unknown`` jobs, as an acknowledgment, an inquiry or a named person says; returns which.

    Any other job is passed over: what is done stays done, and what is running says itself what came of it.
    """
    rows = await uow.fetch(
        """
        SELECT job_id FROM messaging.job WHERE tenant_id = $1 AND job_id = ANY($2) AND state = 'unknown'
        ORDER BY job_id FOR UPDATE
        """,
        uow.tenant_id,
        list(results),
    )
    resolved = [row["job_id"] for row in rows]
    await _write(uow, [(job_id, 0, results[job_id]) for job_id in resolved], now, max_attempts=None)
    return set(resolved)


class JobWorker:
    """Works off the ready jobs of some kinds until stopped."""

    def __init__(
        self,
        database: Database,
        kinds: Mapping[str, JobKind[Any, Any]],
        clock: Clock,
        worker: str,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._clock = clock
        # A name per process, not per instance: a restarted worker must not take its predecessor's leases for its own.
        self._worker = f"{worker}:{new_id(clock.now())}"
        self._metrics = metrics
        self._log = log
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._swept_at = float("-inf")
        database.on_commit("jobs", self._wake.set)

    def stop(self) -> None:
        """Finish what is in hand, then return from ``run``."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until stopped: woken by commits, looking on its own every 0.1 to 1 second."""
        pause_seconds = POLL_SECONDS_MIN
        while not self._stopping.is_set():
            try:
                worked = await self.work_once()
            except Transient as failure:
                self._log.warning("jobs wait", reason=str(failure))
                worked = 0
            if worked:
                pause_seconds = POLL_SECONDS_MIN
                continue
            if await wait_for_event(self._wake, pause_seconds):
                self._wake.clear()
                pause_seconds = POLL_SECONDS_MIN
            else:
                pause_seconds = min(pause_seconds * 2, POLL_SECONDS_MAX)

    async def work_once(self) -> int:
        """One batch of each kind that has ready jobs; returns how many jobs were taken or recovered."""
        worked = 0
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            for name in self._kinds:
                worked += await self.recover_expired(name)
        for name, kind in self._kinds.items():
            for tenant_id in await self._tenants_with_ready_jobs(name):
                worked += await self._work_batch(name, kind, tenant_id)
                if self._stopping.is_set():
                    return worked
        return worked

    async def _tenants_with_ready_jobs(self, kind: str) -> list[UUID]:
        """Whoever waits longest first, so that one tenant's many jobs do not starve the others."""
        with translated_errors():
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    """
                    SELECT tenant_id FROM messaging.job WHERE kind = $1 AND state = 'ready' AND run_at <= $2
                    GROUP BY tenant_id ORDER BY min(run_at) LIMIT 50
                    """,
                    kind,
                    self._clock.now(),
                )
        return [row["tenant_id"] for row in rows]

    async def _work_batch(self, name: str, kind: JobKind[Any, Any], tenant_id: UUID) -> int:
        now = self._clock.now()
        # Taken before the claim: the whole batch shares one lease, and those whose turn comes last have least of it.
        act_until = asyncio.get_running_loop().time() + kind.lease_seconds * 0.8
        try:
            jobs, prepared = await self._claim(name, kind, tenant_id, now)
        except Transient:
            raise
        except Exception as failure:
            self._log.error("jobs could not be prepared", exc_info=failure, kind=name)
            await self._postpone_ready(name, kind, tenant_id, failure)
            return 0
        gate = asyncio.Semaphore(kind.concurrency)

        async def one(item: Prepared) -> None:
            async with gate:
                with working(self._database.tracer, f"job {name}"):
                    await self._act_and_settle(name, kind, tenant_id, item, act_until)

        await asyncio.gather(*(one(item) for item in prepared))
        return len(jobs)

    async def _claim(
        self, name: str, kind: JobKind[Any, Any], tenant_id: UUID, now: datetime
    ) -> tuple[list[Job], Sequence[Prepared]]:
        """Take ready jobs and commit the attempt together with whatever the kind notes about it."""
        async with self._database.unit_of_work(tenant_id) as uow:
            rows = await uow.fetch(
                """
                WITH taken AS (
                    SELECT job_id FROM messaging.job
                    WHERE tenant_id = $1 AND kind = $2 AND state = 'ready' AND run_at <= $3
                    ORDER BY run_at LIMIT $4 FOR UPDATE SKIP LOCKED)
                UPDATE messaging.job AS j
                SET state = 'running', attempts = attempts + 1, leased_until = $5, leased_by = $6
                FROM taken WHERE j.job_id = taken.job_id
                RETURNING j.job_id, j.tenant_id, j.kind, j.payload, j.attempts, j.correlation_id, j.created_at
                """,
                tenant_id,
                name,
                now,
                kind.batch_size,
                now + timedelta(seconds=kind.lease_seconds),
                self._worker,
            )
            jobs = [Job(**dict(row)) for row in rows]
            if not jobs:
                return [], []
            prepared = await kind.prepare(uow, jobs, jobs[0].cause(now))
            covered = {job.job_id for item in prepared for job in item.jobs}
            idle = [job for job in jobs if job.job_id not in covered]
            await _write(uow, [(job.job_id, job.attempts, JobResult.done()) for job in idle], now, kind.max_attempts)
        return jobs, prepared

    async def _act_and_settle(
        self, name: str, kind: JobKind[Any, Any], tenant_id: UUID, prepared: Prepared, act_until: float
    ) -> None:
        """Act without a transaction, then commit what came of it. What fails in between leaves the lease to expire."""
        started_at = time.perf_counter()
        outcome: Any = None
        result: JobResult | None = None
        try:
            # Within the lease, or another worker might judge a job this one is still busy with.
            if asyncio.get_running_loop().time() >= act_until:
                raise NotAttempted("its batch took the whole lease")
            async with asyncio.timeout_at(act_until):
                outcome = await kind.act(prepared)
        except NotAttempted as failure:
            result = JobResult.retry(f"not attempted: {str(failure)[:200]}")
        except Exception as failure:
            self._log.error("act failed", exc_info=failure, kind=name, correlation_id=_about(prepared))
            result = JobResult.unknown(f"{type(failure).__name__} while acting")
        self._metrics.job_seconds.labels(name).observe(time.perf_counter() - started_at)
        try:
            written = await self._settle(kind, tenant_id, prepared, outcome, result)
        except (Transient, DatabaseRefused) as failure:
            self._log.warning("outcome not written, the lease decides", reason=str(failure), kind=name)
            written = "not_written"
        except Exception as failure:
            self._log.error("settle failed, the lease decides", exc_info=failure, kind=name)
            written = "not_written"
        self._metrics.job_outcomes.labels(name, written).inc()

    async def _settle(
        self, kind: JobKind[Any, Any], tenant_id: UUID, prepared: Prepared, outcome: Any, result: JobResult | None
    ) -> str:
        now = self._clock.now()
        async with self._database.unit_of_work(tenant_id) as uow:
            # An outcome that comes after the lease ended still tells the truth about this very attempt: what was taken
            # for not sent meanwhile is not sent again, as long as nobody has begun to.
            held = await uow.fetch(
                """
                SELECT job_id FROM messaging.job
                JOIN unnest($1::uuid[], $2::int[]) AS mine (job_id, attempts) USING (job_id, attempts)
                WHERE state IN ('running', 'unknown', 'ready') ORDER BY job_id FOR UPDATE OF job
                """,
                [job.job_id for job in prepared.jobs],
                [job.attempts for job in prepared.jobs],
            )
            if len(held) != len(prepared.jobs):
                return "lost_lease"
            for job in prepared.jobs:
                # Whether or not it leads to an event: the encounter's trace shows that this was tried.
                uow.traceparent(job.cause(now))
            if result is None:
                result = await kind.settle(uow, prepared, outcome, prepared.jobs[0].cause(now))
            rows = [(job.job_id, job.attempts, result) for job in prepared.jobs]
            await _write(uow, rows, now, kind.max_attempts)
        return result.state

    async def _postpone_ready(self, name: str, kind: JobKind[Any, Any], tenant_id: UUID, failure: Exception) -> None:
        """Nothing was attempted: the batch counts as tried and waits, so a bug cannot spin."""
        now = self._clock.now()
        async with self._database.unit_of_work(tenant_id) as uow:
            rows = await uow.fetch(
                """
                SELECT job_id, attempts FROM messaging.job
                WHERE tenant_id = $1 AND kind = $2 AND state = 'ready' AND run_at <= $3
                ORDER BY run_at LIMIT $4 FOR UPDATE SKIP LOCKED
                """,
                tenant_id,
                name,
                now,
                kind.batch_size,
            )
            result = JobResult.retry(f"{type(failure).__name__} while preparing")
            await uow.execute(
                "UPDATE messaging.job SET attempts = attempts + 1 WHERE job_id = ANY($1)",
                [row["job_id"] for row in rows],
            )
            results = [(row["job_id"], row["attempts"] + 1, result) for row in rows]
            await _write(uow, results, now, kind.max_attempts)

    async def recover_expired(self, name: str) -> int:
        """Hand jobs whose lease ended to their kind; returns how many."""
        kind = self._kinds[name]
        now = self._clock.now()
        with translated_errors():
            async with self._database.connection() as connection:
                tenants = await connection.fetch(
                    """
                    SELECT DISTINCT tenant_id FROM messaging.job
                    WHERE state = 'running' AND kind = $1 AND leased_until < $2
                    """,
                    name,
                    now,
                )
        recovered = 0
        for row in tenants:
            try:
                recovered += await self._recover_tenant(name, kind, row["tenant_id"], now)
            except Transient:
                raise
            except Exception as failure:
                self._log.error("recover failed", exc_info=failure, kind=name)
        return recovered

    async def _recover_tenant(self, name: str, kind: JobKind[Any, Any], tenant_id: UUID, now: datetime) -> int:
        async with self._database.unit_of_work(tenant_id) as uow:
            rows = await uow.fetch(
                """
                SELECT job_id, tenant_id, kind, payload, attempts, correlation_id, created_at FROM messaging.job
                WHERE tenant_id = $1 AND kind = $2 AND state = 'running' AND leased_until < $3
                ORDER BY job_id LIMIT $4 FOR UPDATE SKIP LOCKED
                """,
                tenant_id,
                name,
                now,
                _EXPIRED_PER_SWEEP,
            )
            jobs = [Job(**dict(row)) for row in rows]
            if not jobs:
                return 0
            decided = await kind.recover(uow, jobs, jobs[0].cause(now))
            unknown = JobResult.unknown("the worker died while acting")
            results = [(job.job_id, job.attempts, decided.get(job.job_id, unknown)) for job in jobs]
            await _write(uow, results, now, kind.max_attempts)
        self._metrics.job_outcomes.labels(name, "recovered").inc(len(jobs))
        return len(jobs)


def _about(prepared: Prepared) -> str | None:
    """The encounter it is about, when it is one."""
    found = {job.correlation_id for job in prepared.jobs}
    return found.pop() if len(found) == 1 else None


async def _write(
    uow: UnitOfWork, results: Sequence[tuple[UUID, int, JobResult]], now: datetime, max_attempts: int | None
) -> None:
    """Write (job, attempts, result) rows; a retry beyond the last attempt is a failure."""
    if not results:
        return
    rows = [(job_id, *_final(result, attempts, now, max_attempts)) for job_id, attempts, result in results]
    job_ids, states, reasons, run_ats = (list(column) for column in zip(*rows, strict=True))
    await uow.execute(
        """
        UPDATE messaging.job AS j SET
            state = r.state, last_error = r.reason, run_at = coalesce(r.run_at, j.run_at),
            leased_until = NULL, leased_by = NULL, finished_at = CASE WHEN r.state = ANY($5) THEN $6::timestamptz END
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS r (job_id, state, reason, run_at)
        WHERE j.job_id = r.job_id
        """,
        job_ids,
        states,
        reasons,
        run_ats,
        list(_FINISHED),
        now,
    )
    if any(state == "ready" for state in states):
        uow.wakes.add("jobs")


def _final(
    result: JobResult, attempts: int, now: datetime, max_attempts: int | None
) -> tuple[str, str | None, datetime | None]:
    """State, reason and next time of a result."""
    reason = None if result.reason is None else result.reason[:500]
    if result.state != "ready":
        return result.state, reason, None
    if max_attempts is not None and attempts >= max_attempts:
        return "failed", f"gave up after {attempts} attempts: {reason}"[:500], None
    pause = timedelta(seconds=BACKOFF_SECONDS[min(max(attempts, 1), len(BACKOFF_SECONDS)) - 1])
    return "ready", reason, result.run_at or now + pause
