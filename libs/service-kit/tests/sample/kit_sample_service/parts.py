"""The parts of the sample: a REST resource, a handler, a job kind, a timer, background work."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, field_validator
from revcycle_messaging import Cause, Received, UnitOfWork
from revcycle_messaging.testing import NoteTaken
from revcycle_service_kit import (
    MIB,
    ROLES,
    Background,
    Conflict,
    DueTimer,
    Job,
    JobKind,
    JobResult,
    NotFound,
    Page,
    PageParameters,
    Prepared,
    ReadUnitOfWork,
    Reply,
    RequestModel,
    ServiceContext,
    ServiceParts,
    allow,
    etag,
    not_modified,
    require_if_match,
    run_command,
)
from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.problems import ProblemType

ACCESS = {
    "create_note": allow("biller", data="note"),
    "create_quick_note": allow("biller", data="note"),
    "list_notes": allow(*ROLES, data="note"),
    "read_note": allow(*ROLES, data="note"),
    "change_note": allow("biller", data="note"),
    "take_big": allow("biller", bulk=True),
    "take_small": allow("biller"),
}
EXAMPLES = {"number": 1, "number[gte]": 1, "title": "synthetic", "name": "Ada Fixture"}
router = APIRouter(prefix="/v1", tags=["notes"])


class Author(RequestModel):
    """Who wrote it."""

    name: str = Field(min_length=3, max_length=20)


class NewNote(RequestModel):
    """A note to be made."""

    number: int = Field(ge=1)
    title: str = Field(default="synthetic", max_length=100)
    authors: list[Author] = Field(default=[], max_length=5)

    @field_validator("title")
    @classmethod
    def _no_echo(cls, title: str) -> str:
        if "forbidden" in title:
            raise ValueError(f"title {title} holds a forbidden word")
        return title


class Note(BaseModel):
    """A note."""

    note_id: UUID
    number: int
    title: str
    version: int


@router.post("/notes", status_code=201, response_model=Note)
async def create_note(request: Request, caller: CurrentCaller, body: NewNote) -> Response:
    """Make a note, publish it, have it sent."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        note_id = cause.derive("note")
        await uow.execute(
            "INSERT INTO sample.note (note_id, number, title) VALUES ($1, $2, $3)", note_id, body.number, body.title
        )
        if body.title == "conflict":
            raise Conflict("not in this state", code="not_in_this_state")
        if body.title == "fault":
            raise RuntimeError("SECRET-CANARY in a fault")
        uow.add_event(NoteTaken(note_id=str(note_id), number=body.number), cause.about(note_id))
        note = Note(note_id=note_id, number=body.number, title=body.title, version=1)
        return Reply(201, note, {"etag": etag(1), "location": f"/v1/notes/{note_id}"})

    return await run_command(request, caller, use_case, idempotency="required")


@router.post("/quick-notes", status_code=201, response_model=Note)
async def create_quick_note(request: Request, caller: CurrentCaller, body: NewNote) -> Response:
    """The same, the key optional, and slow."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        note_id = cause.derive("note")
        await uow.execute("INSERT INTO sample.note (note_id, number, title) VALUES ($1, $2, 'q')", note_id, body.number)
        await uow.execute("SELECT pg_sleep(0.5)")
        return Reply(201, Note(note_id=note_id, number=body.number, title="q", version=1))

    return await run_command(request, caller, use_case)


@router.get("/notes")
async def list_notes(
    uow: ReadUnitOfWork, page: PageParameters, number_from: Annotated[int | None, Query(alias="number[gte]")] = None
) -> Page[Note]:
    """Notes by number."""
    after = page.after()
    rows = await uow.fetch(
        "SELECT note_id, number, title, version FROM sample.note WHERE number > $1 AND number >= $2"
        " ORDER BY number LIMIT $3",
        after[0] if after else 0,
        number_from or 0,
        page.fetch_limit,
    )
    return page.of([Note(**dict(row)) for row in rows], lambda note: (note.number,))


@router.get("/notes/{note_id}", response_model=Note)
async def read_note(note_id: UUID, request: Request, response: Response, uow: ReadUnitOfWork) -> Any:
    """One note."""
    row = await uow.fetch_row("SELECT note_id, number, title, version FROM sample.note WHERE note_id = $1", note_id)
    if row is None:
        raise NotFound("there is no such note")
    if not_modified(request, row["version"]):
        return Response(status_code=304)
    response.headers["etag"] = etag(row["version"])
    return Note(**dict(row))


@router.patch("/notes/{note_id}", response_model=Note)
async def change_note(note_id: UUID, request: Request, caller: CurrentCaller, body: NewNote) -> Response:
    """Change a note that was read."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        row = await uow.fetch_row("SELECT version FROM sample.note WHERE note_id = $1 FOR UPDATE", note_id)
        if row is None:
            raise NotFound("there is no such note")
        require_if_match(request, row["version"])
        version = row["version"] + 1
        await uow.execute(
            "UPDATE sample.note SET number = $2, version = $3 WHERE note_id = $1", note_id, body.number, version
        )
        return Reply(200, Note(note_id=note_id, number=body.number, title="", version=version), {"etag": etag(version)})

    return await run_command(request, caller, use_case)


@router.post("/big", status_code=204)
async def take_big(request: Request) -> Response:
    """Read a body of any kind."""
    await request.body()
    return Response(status_code=204)


@router.post("/small", status_code=204)
async def take_small(request: Request) -> Response:
    """Read a body of any kind, under the usual limit."""
    await request.body()
    return Response(status_code=204)


async def on_notes(uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
    """Note that they were seen."""
    await uow.execute(
        "INSERT INTO sample.seen (note_id, number) SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT DO NOTHING",
        [item.event.note_id for item in received],
        [item.event.number for item in received],
    )


@dataclass(frozen=True)
class Letter(Prepared):
    """A letter to be sent."""

    address: str


@dataclass
class Outside:
    """The world outside, as the tests want it."""

    sent: list[str] = field(default_factory=list)
    act: Any = None


class SendLetter(JobKind[Letter, str]):
    """Sends letters; what happens outside is up to the test."""

    batch_size = 5
    max_attempts = 3
    lease_seconds = 2

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    async def prepare(self, uow: UnitOfWork, jobs: Sequence[Job], cause: Cause) -> Sequence[Letter]:
        """Write the intent."""
        letters = [Letter((job,), job.payload["address"]) for job in jobs if job.payload["address"] != "nobody"]
        await uow.execute(
            "INSERT INTO sample.effect (place, what, at) SELECT 'intent', a, $2 FROM unnest($1::text[]) AS a",
            [letter.address for letter in letters],
            cause.now,
        )
        return letters

    async def act(self, prepared: Letter) -> str:
        """Send."""
        if self.outside.act is not None:
            await self.outside.act(prepared)
        self.outside.sent.append(prepared.address)
        return "sent"

    async def settle(self, uow: UnitOfWork, prepared: Letter, outcome: str, cause: Cause) -> JobResult:
        """Write the outcome."""
        await uow.execute("INSERT INTO sample.effect (place, what, at) VALUES ('outcome', $1, $2)", outcome, cause.now)
        return JobResult.done()

    async def recover(self, uow: UnitOfWork, jobs: Sequence[Job], cause: Cause) -> Mapping[UUID, JobResult]:
        """Only what was certainly not sent goes again."""
        return {job.job_id: JobResult.retry("known not sent") for job in jobs if job.payload["address"] == "safe"}


async def on_overdue(uow: UnitOfWork, timers: Sequence[DueTimer]) -> None:
    """Note each; one that says so fails; one that says so sets itself again."""
    for timer in timers:
        if timer.payload.get("fail"):
            raise RuntimeError("SECRET-CANARY")
        if timer.payload.get("again"):
            uow.set_timer(timer.aggregate, timer.name, timer.due_at + timedelta(days=400))
        await uow.execute(
            "INSERT INTO sample.effect (place, what, at) VALUES ('timer', $1, $2)", timer.aggregate, timer.cause.now
        )


def build(outside: Outside | None = None, ticks: list[str] | None = None) -> ServiceParts:
    """The sample's parts."""

    async def tick(context: ServiceContext) -> None:
        await asyncio.sleep(0)
        if ticks is not None:
            ticks.append(context.settings.instance)

    return ServiceParts(
        name="sample",
        schema="sample",
        title="Sample",
        migrations="kit_sample_service.migrations",
        routers=(router,),
        access=ACCESS,
        handlers={NoteTaken: on_notes},
        job_kinds={"send_letter": SendLetter(outside or Outside())},
        timers={"overdue": on_overdue},
        background=(Background("tick", 0.05, tick),),
        body_limits={"/v1/big": 3 * MIB},
        problems={"not_in_this_state": ProblemType(409, "The note is in another state.")},
        examples=EXAMPLES,
    )
