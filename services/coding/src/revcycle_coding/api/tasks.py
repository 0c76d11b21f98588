"""The coder's worklist."""

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import Page, PageParameters, ReadUnitOfWork, Reply, etag, run_command
from revcycle_service_kit.access import CurrentCaller

from revcycle_coding.api.models import ClaimedTask, CodingView, TaskList, TaskSearch, TaskView
from revcycle_coding.api.pages import after_id
from revcycle_coding.repositories import codings, tasks

router = APIRouter(prefix="/v1", tags=["worklist"])

LEASE = timedelta(minutes=30)


@router.get("/coding-tasks", summary="Worklist items, oldest first")
async def list_tasks(
    uow: ReadUnitOfWork, page: PageParameters, state: Literal["open", "resolved"] | None = None
) -> Page[TaskView]:
    """One page; follow `next_page_token`."""
    found = await tasks.page(uow, state, after_id(page), page.fetch_limit)
    return page.of([TaskView.of(each) for each in found], lambda view: (view.task_id,))


@router.post("/coding-tasks:search", summary="The worklist items of some encounters")
async def search_tasks(body: TaskSearch, uow: ReadUnitOfWork) -> TaskList:
    """Open and resolved ones."""
    return TaskList(items=[TaskView.of(each) for each in await tasks.search(uow, body.encounter_ids)])


@router.post(
    "/coding-tasks:claim-next",
    summary="Take the oldest open item nobody has; 204 when there is none",
    response_model=ClaimedTask,
    responses={204: {"description": "Nothing to do"}},
)
async def claim_next_task(request: Request, caller: CurrentCaller) -> Response:
    """The item is yours for 30 minutes; then somebody else may take it."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        claimed = await tasks.claim_next(uow, caller.subject, cause.now, cause.now + LEASE)
        if claimed is None:
            return Reply(204, None)
        coding = await codings.get(uow, claimed.task.encounter_id, claimed.task.billing_side)
        assert coding is not None, "an item belongs to a coding"
        note = await codings.note(uow, coding.document.document_id)
        view = ClaimedTask(
            task=TaskView.of(claimed), coding=CodingView.of(coding, note_text=note), etag=etag(coding.version)
        )
        return Reply(200, view, {"ETag": etag(coding.version)})

    return await run_command(request, caller, use_case)
