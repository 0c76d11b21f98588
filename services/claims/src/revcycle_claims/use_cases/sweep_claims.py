"""Look again at claims that nothing else will wake: held for an older set-up, or waiting for long."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.timers import DueTimer

from revcycle_claims.domain.claim import Preparation
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import reference
from revcycle_claims.use_cases.advance_claims import (
    WAITING_LONG,
    Rulebook,
    Workspace,
    open_workspace,
    schedule_sweep,
    sweep_at_once,
)
from revcycle_claims.use_cases.changes import Work

LIMIT: Final = 500
"""Claims per sweep; what is left is swept at once afterwards, in a transaction of its own."""
LEFT_ALONE: Final = timedelta(minutes=1)
"""A claim that was looked at so shortly ago is left to the event it waits for."""
ALARM_AFTER: Final = timedelta(days=1)


async def lock_sweep(
    rulebook: Rulebook, clock: Callable[[], datetime], uow: UnitOfWork, _due: Sequence[DueTimer]
) -> Workspace | None:
    """The claims to look at again, locked with their anchors; None when there are none."""
    encounter_ids = await claim_rows.encounters_to_advance(uow, clock() - LEFT_ALONE, LIMIT)
    return await open_workspace(uow, rulebook, encounter_ids=encounter_ids) if encounter_ids else None


async def sweep_claims(
    clock: Callable[[], datetime], uow: UnitOfWork, due: Sequence[DueTimer], workspace: Workspace | None
) -> None:
    """Advance claims again, as of now: a sweep asks what is possible by now, no deadline hangs on when it was due.

    Here the consumer's own sequences count beside those of the slots: an event of a type that this version does not
    handle is applied by being passed over, and no slot knows of it.
    """
    now = clock()
    if workspace is None:
        if await _came_meanwhile(uow, now, None):
            sweep_at_once(uow, now)
        elif await claim_rows.any_waiting(uow):
            schedule_sweep(uow, now)
        return
    await workspace.scrub_ahead()
    wanted = [item for coding in workspace.codings.values() for item in coding.prerequisites]
    wanted += [item for encounter in workspace.encounters.values() for item in encounter.prerequisites]
    streams = {(item.topic, item.key) for item in wanted}
    workspace.applied = await uow.last_sequences("claims", sorted(streams))
    cause = replace(due[-1].cause, now=now)
    for encounter_id in sorted(workspace.encounters):
        workspace.advance_encounter(encounter_id, cause)
    _alarm(workspace, cause)
    await workspace.flush()
    if len(workspace.encounters) == LIMIT or await _came_meanwhile(uow, now, workspace):
        sweep_at_once(uow, now)


async def _came_meanwhile(uow: UnitOfWork, now: datetime, workspace: Workspace | None) -> bool:
    """Whether a newer set-up, or a claim held for an older one, was committed after the claims were locked.

    The timer that was to wake it has the same row as the one that fires, and was taken out with it.
    """
    found = await claim_rows.encounters_to_advance(uow, now - LEFT_ALONE, LIMIT)
    if workspace is None:
        return bool(found)
    is_newer = await reference.newest_version(uow) > workspace.reference.version
    return is_newer or any(encounter_id not in workspace.encounters for encounter_id in found)


def _alarm(workspace: Workspace, cause: Cause) -> None:
    """A prerequisite that has not come for a day is work for operations."""
    for claim in workspace.claims.values():
        if claim.state == Preparation.WAITING and cause.now - claim.since > ALARM_AFTER:
            work = Work(
                WAITING_LONG,
                "operations",
                f"waits for the {claim.waiting_for} for more than a day",
                "look for parked events and for services that are down",
            )
            workspace.changes.open_claim_task(claim, work, cause)
