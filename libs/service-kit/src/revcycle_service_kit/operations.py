"""What an operator wants to know about a service's messaging, measured in a handful of bounded queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from revcycle_messaging import Consumer, Database
from revcycle_messaging.database import translated_errors
from revcycle_messaging.transports import TopicPartition

from revcycle_service_kit.lag import LagClock

if TYPE_CHECKING:
    from revcycle_service_kit.context import ServiceContext

_COUNT_LIMIT: Final = 200_000
_FIGURES: Final = """
    SELECT (SELECT count(*) FROM (SELECT 1 FROM messaging.outbox LIMIT $2) AS bounded) AS outbox_rows,
        (SELECT recorded_at FROM messaging.outbox ORDER BY seq LIMIT 1) AS outbox_oldest_at,
        (SELECT count(*) FROM messaging.stream WHERE consumer = $1 AND parked_since IS NOT NULL) AS parked_keys,
        (SELECT min(parked_since) FROM messaging.stream
            WHERE consumer = $1 AND parked_since IS NOT NULL) AS parked_oldest_at,
        (SELECT count(*) FROM messaging.parked_event WHERE consumer = $1 AND state = 'dead') AS dead_letters,
        (SELECT min(first_failed_at) FROM messaging.parked_event
            WHERE consumer = $1 AND state = 'dead') AS dead_letters_oldest_at,
        (SELECT count(*) FROM messaging.quarantine WHERE consumer = $1) AS quarantined,
        (SELECT count(*) FROM messaging.timer WHERE due_at <= $3) AS timers_due,
        (SELECT min(due_at) FROM messaging.timer WHERE due_at <= $3) AS timers_oldest_due_at,
        EXISTS (SELECT FROM messaging.relay_stop) AS relay_stopped
"""
_JOBS: Final = """
    SELECT (SELECT count(*) FROM messaging.job WHERE state = 'ready') AS ready,
        (SELECT count(*) FROM messaging.job WHERE state = 'running') AS running,
        (SELECT count(*) FROM messaging.job WHERE state = 'unknown') AS unknown
"""


class MessagingFigures(BaseModel):
    """The state of a service's messaging; ages and lags in seconds, 0 when there is nothing to be old.

    ``lag`` counts records of its topics that the consumer group has not committed, whoever of its instances holds them,
    and ``lag_seconds`` says since when the oldest waits; both are null while this instance belongs to no group or the
    broker does not answer. ``refuses_because``: nothing is written or published.
    """

    service: str
    instance: str
    measured_at: datetime
    outbox_rows: int
    outbox_bound: int
    outbox_oldest_age_seconds: float
    relay_stopped: bool
    leads_shards: int
    chunk_in_flight: int
    lag: int | None
    lag_seconds: float | None
    jobs: dict[str, int]
    timers_due: int
    timers_oldest_due_seconds: float
    parked_keys: int
    parked_keys_oldest_age_seconds: float
    dead_letters: int
    dead_letters_oldest_age_seconds: float
    quarantined: int
    stopped_because: str | None
    refuses_because: str | None


@dataclass
class Instance:
    """What only the running process knows: its consumer, the shards it leads, since when it is behind."""

    consumer: Consumer | None = None
    leads_shards: int = 0
    lag_clock: LagClock = field(default_factory=LagClock)

    async def lag(self, now: datetime) -> Mapping[TopicPartition, tuple[int, float]] | None:
        """Records and seconds the group is behind, per partition; None while that is not known."""
        client = self.consumer.client if self.consumer else None
        standings = await client.standings() if client else None
        if standings is None:
            return None
        seconds = self.lag_clock.seconds(standings, now)
        return {place: (standing.lag, seconds[place]) for place, standing in standings.items()}


async def measure(context: "ServiceContext", instance: Instance) -> MessagingFigures:
    """Measure now. Raises Transient when the database is away."""
    database, consumer = context.database, instance.consumer
    # The lag first: what was applied up to there has left its timers, parked keys and events where they are counted.
    lag = await instance.lag(context.clock.now())
    now = context.clock.now()
    row, jobs = await _read(database, context.settings.service_name, now)
    return MessagingFigures(
        service=context.settings.service_name,
        instance=context.settings.instance,
        measured_at=now,
        outbox_rows=row["outbox_rows"],
        outbox_bound=database.outbox_bound,
        outbox_oldest_age_seconds=_age(row["outbox_oldest_at"], now),
        relay_stopped=row["relay_stopped"],
        leads_shards=instance.leads_shards,
        chunk_in_flight=consumer.in_flight if consumer else 0,
        lag=None if lag is None else sum(records for records, _ in lag.values()),
        lag_seconds=None if lag is None else max((seconds for _, seconds in lag.values()), default=0.0),
        jobs=jobs,
        timers_due=row["timers_due"],
        timers_oldest_due_seconds=_age(row["timers_oldest_due_at"], now),
        parked_keys=row["parked_keys"],
        parked_keys_oldest_age_seconds=_age(row["parked_oldest_at"], now),
        dead_letters=row["dead_letters"],
        dead_letters_oldest_age_seconds=_age(row["dead_letters_oldest_at"], now),
        quarantined=row["quarantined"],
        stopped_because=consumer.stopped_because if consumer else None,
        refuses_because=database.refuses_because,
    )


async def _read(database: Database, consumer: str, now: datetime) -> tuple[Any, dict[str, int]]:
    with translated_errors():
        async with database.connection() as connection:
            row = await connection.fetchrow(_FIGURES, consumer, _COUNT_LIMIT, now)
            jobs = dict(await connection.fetchrow(_JOBS) or {})
    return row, jobs


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, round((now - moment).total_seconds(), 3))
