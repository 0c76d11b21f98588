"""Resolve a work item by hand."""

from collections.abc import Callable
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.problems import Conflict, NotFound

from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import tasks
from revcycle_claims.repositories.tasks import Task
from revcycle_claims.use_cases.changes import Changes

_RESOLVED_BY_ITSELF = ("claim_held",)


async def resolve_task(
    uow: UnitOfWork, task_id: UUID, resolution: str, require_version: Callable[[int], None], cause: Cause
) -> Task:
    """Close a work item with a resolution code; ``require_version`` refuses a stale one.

    Raises:
        NotFound: no such work item. Conflict: it is resolved already, or resolves itself.
    """
    seen = await tasks.read_task(uow, task_id)
    if seen is None:
        raise NotFound("no work item has this id")
    # The claim is locked before its work item: its stream gets the next sequence.
    claims = await claim_rows.lock_claims(uow, [seen.claim_id]) if seen.claim_id else {}
    task = await tasks.lock_task(uow, task_id)
    assert task is not None, "work items are never deleted"
    require_version(task.version)
    if task.state != "open":
        raise Conflict("the work item is resolved already", code="already_resolved")
    if task.kind in _RESOLVED_BY_ITSELF:
        raise Conflict("clear the claim's holds: the work item is then resolved by itself", code="resolves_itself")
    changes = Changes(uow, claims, {(task.subject_id, task.kind): task})
    changes.resolve_task(task.subject_id, task.kind, resolution, cause.actor, cause)
    await changes.flush()
    resolved = await tasks.read_task(uow, task_id)
    assert resolved is not None
    return resolved
