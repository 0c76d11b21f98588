"""What an operator wants to know about a service's messaging, measured in a handful of bounded queries."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from revcycle_messaging import Consumer, Database
from revcycle_messaging.database import translated_errors

from revcycle_service_kit.auth import require

if TYPE_CHECKING:
    from revcycle_service_kit.context import ServiceContext

_COUNT_LIMIT: Final = 200_000
_FIGURES: Final = """
    SELECT (SELECT count(*) FROM (SELECT 1 FROM messaging.outbox LIMIT $2) AS bounded) AS outbox_rows,
        (SELECT recorded_at FROM messaging.outbox ORDER BY seq LIMIT 1) AS outbox_oldest_at,
        (SELECT count(*) FROM messaging.stream WHERE consumer = $1 AND parked_since IS NOT NULL) AS parked_keys,
        (SELECT count(*) FROM messaging.parked_event WHERE consumer = $1 AND state = 'dead') AS dead_letters,
        (SELECT min(first_failed_at) FROM messaging.parked_event
            WHERE consumer = $1 AND state = 'dead') AS dead_letters_oldest_at,
        (SELECT count(*) FROM messaging.quarantine WHERE consumer = $1) AS quarantined,
        (SELECT count(*) FROM messaging.timer WHERE due_at <= $3) AS timers_due
"""
_JOBS: Final = """
    SELECT (SELECT count(*) FROM messaging.job WHERE state = 'ready') AS ready,
        (SELECT count(*) FROM messaging.job WHERE state = 'running') AS running,
        (SELECT count(*) FROM messaging.job WHERE state = 'unknown') AS unknown
"""


class MessagingFigures(BaseModel):
    """The state of a service's messaging. ``lag`` is null while this instance belongs to no consumer group."""

    service: str
    instance: str
    measured_at: datetime
    outbox_rows: int
    outbox_oldest_age_seconds: float
    chunk_in_flight: int
    lag: int | None
    jobs: dict[str, int]
    timers_due: int
    parked_keys: int
    dead_letters: int
    dead_letters_oldest_age_seconds: float
    quarantined: int
    stopped_because: str | None
    leads_shards: int


async def measure(context: "ServiceContext", consumer: Consumer | None, leads_shards: int = 0) -> MessagingFigures:
    """Measure now. Raises Transient when the database is away."""
    now = context.clock.now()
    row, jobs = await _read(context.database, context.settings.service_name, now)
    return MessagingFigures(
        service=context.settings.service_name,
        instance=context.settings.instance,
        measured_at=now,
        outbox_rows=row["outbox_rows"],
        outbox_oldest_age_seconds=_age(row["outbox_oldest_at"], now),
        chunk_in_flight=consumer.in_flight if consumer else 0,
        lag=await _lag(consumer),
        jobs=jobs,
        timers_due=row["timers_due"],
        parked_keys=row["parked_keys"],
        dead_letters=row["dead_letters"],
        dead_letters_oldest_age_seconds=_age(row["dead_letters_oldest_at"], now),
        quarantined=row["quarantined"],
        stopped_because=consumer.stopped_because if consumer else None,
        leads_shards=leads_shards,
    )


async def _read(database: Database, consumer: str, now: datetime) -> tuple[Any, dict[str, int]]:
    with translated_errors():
        async with database.connection() as connection:
            row = await connection.fetchrow(_FIGURES, consumer, _COUNT_LIMIT, now)
            jobs = dict(await connection.fetchrow(_JOBS) or {})
    return row, jobs


async def _lag(consumer: Consumer | None) -> int | None:
    client = consumer.client if consumer else None
    return None if client is None else sum((await client.lag()).values())


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, round((now - moment).total_seconds(), 3))


operations_router = APIRouter(prefix="/v1/ops", tags=["operations"])


@operations_router.get("/messaging", dependencies=[Depends(require("operator", "auditor"))])
async def read_messaging(request: Request) -> MessagingFigures:
    """Outbox, lag, open jobs, parked keys and dead letters of this service, measured now."""
    runtime = request.app.state.runtime
    consumer: Consumer | None = runtime.consumer if runtime else None
    shards = len(runtime.relay.held_shards) if runtime and runtime.relay else 0
    return await measure(request.app.state.context, consumer, shards)
