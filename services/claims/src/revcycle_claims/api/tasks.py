"""Work items: see what is to be done, and say that it is."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.commands import ReadUnitOfWork, Reply, run_command
from revcycle_service_kit.etag import etag, require_if_match
from revcycle_service_kit.openapi import takes
from revcycle_service_kit.paging import Page, PageParameters
from revcycle_service_kit.problems import NotFound

from revcycle_claims.api import models
from revcycle_claims.repositories import queries, tasks
from revcycle_claims.use_cases.resolve_task import resolve_task

router = APIRouter(prefix="/v1", tags=["work items"])


@router.get("/tasks", summary="Work items, by state, kind or claim")
async def list_tasks(
    uow: ReadUnitOfWork,
    page: PageParameters,
    state: Literal["open", "resolved"] | None = None,
    kind: Annotated[str | None, Query(max_length=40, examples=["claim_denied"])] = None,
    claim_id: UUID | None = None,
) -> Page[models.Task]:
    """Each says what, why, who, until when and how much is at stake, and what to do about it."""
    filters = {"state": state, "kind": kind, "claim_id": claim_id}
    rows = await queries.tasks_page(uow, filters, page.after(), page.fetch_limit)
    return page.of([models.Task(**dict(row)) for row in rows], lambda item: (item.task_id,))


@router.get("/tasks/{task_id}", summary="A work item")
async def get_task(uow: ReadUnitOfWork, task_id: UUID, response: Response) -> models.Task:
    """Its ETag is what a PATCH names in If-Match."""
    row = await tasks.read_task(uow, task_id)
    if row is None:
        raise NotFound("no work item has this id")
    response.headers["etag"] = etag(row.version)
    return _task(row)


@router.patch(
    "/tasks/{task_id}",
    summary="Resolve a work item",
    response_model=models.Task,
    openapi_extra=takes(if_match="required"),
)
async def patch_task(request: Request, caller: CurrentCaller, task_id: UUID, body: models.TaskPatch) -> Response:
    """Needs If-Match. 409 when it is resolved already, or resolves itself (`claim_held`)."""

    async def act(uow: UnitOfWork, cause: Cause) -> Reply:
        task = await resolve_task(
            uow, task_id, body.resolution, lambda version: require_if_match(request, version), cause
        )
        return Reply(200, _task(task), {"etag": etag(task.version)})

    return await run_command(request, caller, act)


def _task(row: tasks.Task) -> models.Task:
    return models.Task(**{name: getattr(row, name) for name in models.Task.model_fields})
