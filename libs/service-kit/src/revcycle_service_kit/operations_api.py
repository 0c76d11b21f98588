"""The operations side of every service over HTTP: what waits and why, and what a named person decides about it.

Figures are those of the whole service, lists and decisions those of the caller's tenant. Reading needs the role
operator or auditor; deciding needs operator, and the token's subject is the name that is written down.
"""

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, field_validator
from revcycle_messaging import Cause, UnitOfWork
from revcycle_messaging import interventions as decisions
from revcycle_messaging.interventions import Decision, Selection

from revcycle_service_kit import operations_rows as rows
from revcycle_service_kit.access import AccessTable, CurrentCaller, allow
from revcycle_service_kit.auth import Caller
from revcycle_service_kit.commands import ReadUnitOfWork, Reply, run_command, service_context
from revcycle_service_kit.operations import Instance, MessagingFigures, measure
from revcycle_service_kit.paging import Page, PageParameters
from revcycle_service_kit.problems import RequestModel, Unprocessable

OVERVIEW_ROWS = 20
_READER: Final = allow("operator", "auditor")
OPERATIONS_ACCESS: Final[AccessTable] = {
    "read_operations": _READER,
    "read_messaging": _READER,
    "read_lag": _READER,
    "read_outbox": _READER,
    "list_parked_keys": _READER,
    "list_dead_letters": _READER,
    "redrive_dead_letters": allow("operator", data="event"),
    "discard_dead_letters": allow("operator", data="event"),
    "list_jobs": _READER,
    "list_timers": _READER,
    "list_interventions": _READER,
}
"""Who may call the operations side of every service."""
operations_router = APIRouter(prefix="/v1/ops", tags=["operations"])


class PartitionLag(BaseModel):
    """Records of a partition that the consumer group has not committed, and since how many seconds the oldest waits."""

    topic: str
    partition: int
    events: int
    seconds: float


class Lag(BaseModel):
    """How far the consumer group is behind; null while this instance belongs to none or the broker does not answer."""

    events: int | None
    seconds: float | None
    partitions: list[PartitionLag]


class Outbox(BaseModel):
    """Events not yet acknowledged by the broker. At the bound, writes are answered 503 and consumers pause."""

    rows: int
    bound: int
    oldest_age_seconds: float
    relay_stopped: bool
    leads_shards: int


class Overview(BaseModel):
    """Everything on one page: the figures, and the first rows of what waits."""

    figures: MessagingFigures
    parked_keys: list[rows.ParkedKey]
    dead_letters: list[rows.DeadLetterGroup]
    jobs_unknown: list[rows.JobRow]
    timers_due: list[rows.TimerRow]
    interventions: list[rows.Intervention]


SEQUENCE_MAX: Final = 10**12
"""More events than a stream will ever have, and no more than the database can compare."""


class DecideRequest(RequestModel):
    """Which failed events are meant (what is left out is not narrowed) and why.

    With ``dry_run``, which is the default, only what would be done is answered: count and money first.
    """

    reason: str = Field(min_length=3, max_length=500, description="Why; written down with every event")
    group: str | None = Field(default=None, pattern="^[0-9a-f]{16}$", description="As listed by group_by=fingerprint")
    topic: str | None = Field(default=None, max_length=200)
    key: str | None = Field(default=None, max_length=300)
    sequence: int | None = Field(default=None, ge=1, le=SEQUENCE_MAX)
    dry_run: bool = True

    @field_validator("reason")
    @classmethod
    def _say_why(cls, reason: str) -> str:
        if len(reason.strip()) < 3:
            raise ValueError("say why in words")
        return reason.strip()


class Decided(BaseModel):
    """What was done, or with ``dry_run`` would be. ``remaining``: selected events that are left, for another call.

    ``money_at_stake_cents``: charges, payments or amounts the selected events carry in the clear.
    """

    action: Literal["redrive", "discard"]
    dry_run: bool
    events: int
    behind: int
    remaining: int
    money_at_stake_cents: int
    decided_by: str
    groups: list[rows.DeadLetterGroup]


def instance_of(request: Request) -> Instance:
    """The running process, as far as it runs parts of the service."""
    runtime = request.app.state.runtime
    if runtime is None:
        return Instance()
    found: Instance = runtime.instance
    return found


def _consumer(request: Request) -> str:
    name: str = service_context(request).settings.service_name
    return name


@operations_router.get("", summary="Everything on one page")
async def read_operations(request: Request, uow: ReadUnitOfWork) -> Overview:
    """Figures of the service, and the first rows of what waits for the caller's tenant."""
    context, consumer = service_context(request), _consumer(request)
    return Overview(
        figures=await measure(context, instance_of(request)),
        parked_keys=await rows.parked_keys(uow, consumer, None, OVERVIEW_ROWS),
        dead_letters=(await _groups(uow, Selection(consumer, uow.tenant_id)))[:OVERVIEW_ROWS],
        jobs_unknown=await rows.jobs(uow, "unknown", None, OVERVIEW_ROWS),
        timers_due=await rows.timers_due(uow, context.clock.now(), None, OVERVIEW_ROWS),
        interventions=await rows.interventions(uow, None, OVERVIEW_ROWS),
    )


@operations_router.get("/messaging", summary="All figures of messaging")
async def read_messaging(request: Request) -> MessagingFigures:
    """Outbox, lag, open jobs, parked keys and dead letters of this service, measured now."""
    return await measure(service_context(request), instance_of(request))


@operations_router.get("/lag", summary="How far the consumer is behind")
async def read_lag(request: Request) -> Lag:
    """In events and in seconds, per partition of its topics: the same from every instance."""
    behind = await instance_of(request).lag(service_context(request).clock.now())
    partitions = [
        PartitionLag(topic=topic, partition=partition, events=events, seconds=seconds)
        for (topic, partition), (events, seconds) in sorted((behind or {}).items())
    ]
    if behind is None:
        return Lag(events=None, seconds=None, partitions=[])
    return Lag(
        events=sum(one.events for one in partitions),
        seconds=max((one.seconds for one in partitions), default=0.0),
        partitions=partitions,
    )


@operations_router.get("/outbox", summary="Events not yet published")
async def read_outbox(request: Request) -> Outbox:
    """How many, how old, and whether the relay stands by."""
    figures = await measure(service_context(request), instance_of(request))
    return Outbox(
        rows=figures.outbox_rows,
        bound=figures.outbox_bound,
        oldest_age_seconds=figures.outbox_oldest_age_seconds,
        relay_stopped=figures.relay_stopped,
        leads_shards=figures.leads_shards,
    )


@operations_router.get("/parked-keys", summary="Keys whose events wait")
async def list_parked_keys(request: Request, uow: ReadUnitOfWork, page: PageParameters) -> Page[rows.ParkedKey]:
    """By topic and key, with the first event that waits in each and why."""
    found = await rows.parked_keys(uow, _consumer(request), page.after(), page.fetch_limit)
    return page.of(found, lambda row: (row.topic, row.key))


@operations_router.get("/dead-letters", summary="Events that wait for a named person")
async def list_dead_letters(
    request: Request,
    uow: ReadUnitOfWork,
    page: PageParameters,
    group_by: Annotated[Literal["fingerprint"] | None, Query(description="Groups of what failed alike")] = None,
) -> Page[rows.DeadLetter] | rows.DeadLetterGroups:
    """One by one, or with ``group_by=fingerprint`` by what failed: that is what redrive and discard take."""
    if group_by is not None:
        return rows.DeadLetterGroups(items=await _groups(uow, Selection(_consumer(request), uow.tenant_id)))
    found = await rows.dead_letters(uow, _consumer(request), page.after(), page.fetch_limit)
    return page.of(found, lambda row: (row.topic, row.key, row.sequence))


@operations_router.post(
    "/dead-letters:redrive", summary="Let failed events be tried again", response_model=Decided, status_code=200
)
async def redrive_dead_letters(request: Request, caller: CurrentCaller, body: DecideRequest) -> Response:
    """Order and ids stay; the service takes the events up within a second or two. Written down under your name."""
    return await _decide(request, caller, body, "redrive")


@operations_router.post(
    "/dead-letters:discard", summary="Let keys go on without their failed event", response_model=Decided
)
async def discard_dead_letters(request: Request, caller: CurrentCaller, body: DecideRequest) -> Response:
    """Only the event a key stands at. It stays in its producer's archive. Written down under your name."""
    return await _decide(request, caller, body, "discard")


async def _decide(
    request: Request, caller: Caller, body: DecideRequest, action: Literal["redrive", "discard"]
) -> Response:
    consumer = _consumer(request)
    act = decisions.redrive_some if action == "redrive" else decisions.discard_some

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        selection = Selection(consumer, uow.tenant_id, body.topic, body.key, body.sequence, body.group)
        groups = await _groups(uow, selection)
        events, behind = sum(group.events for group in groups), sum(group.behind for group in groups)
        cents = await decisions.money_at_stake(uow, selection) if events else 0
        done = 0
        if not body.dry_run:
            done = await act(uow, selection, _decision(body, cause))
        shown = events if body.dry_run else done
        decided = Decided(
            action=action,
            dry_run=body.dry_run,
            events=shown,
            behind=behind,
            remaining=0 if body.dry_run else max(0, events - done),
            money_at_stake_cents=cents,
            decided_by=caller.subject,
            groups=groups,
        )
        return Reply(200, decided)

    return await run_command(request, caller, use_case, idempotency="optional" if body.dry_run else "required")


def _decision(body: DecideRequest, cause: Cause) -> Decision:
    """Raises Unprocessable for a token that names nobody."""
    try:
        return Decision(cause.actor, body.reason, cause.now)
    except ValueError:
        raise Unprocessable(
            "a named person decides: get a token whose subject is your name", code="nobody_named"
        ) from None


async def _groups(uow: UnitOfWork, selection: Selection) -> list[rows.DeadLetterGroup]:
    found: Any = await decisions.failed_groups(uow, selection)
    return [rows.DeadLetterGroup(**asdict(group)) for group in found]


@operations_router.get("/jobs", summary="Effects outside, by state")
async def list_jobs(
    uow: ReadUnitOfWork,
    page: PageParameters,
    state: Annotated[Literal["ready", "running", "unknown", "done", "failed"], Query()] = "unknown",
) -> Page[rows.JobRow]:
    """``unknown`` ones, unless another state is asked for; the oldest first."""
    found = await rows.jobs(uow, state, page.after(), page.fetch_limit)
    return page.of(found, lambda row: (row.created_at, row.job_id))


@operations_router.get("/timers", summary="Timers that are due")
async def list_timers(request: Request, uow: ReadUnitOfWork, page: PageParameters) -> Page[rows.TimerRow]:
    """Due and not fired yet, the oldest first."""
    found = await rows.timers_due(uow, service_context(request).clock.now(), page.after(), page.fetch_limit)
    return page.of(found, lambda row: (row.due_at, row.aggregate, row.name))


@operations_router.get("/interventions", summary="What named persons decided")
async def list_interventions(uow: ReadUnitOfWork, page: PageParameters) -> Page[rows.Intervention]:
    """Who, when, what and why; the newest first. Rows are only ever added."""
    found = await rows.interventions(uow, page.after(), page.fetch_limit)
    return page.of(found, lambda row: (row.id,))
