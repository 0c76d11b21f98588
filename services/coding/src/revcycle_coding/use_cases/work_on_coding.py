"""What a coder does with one coding: correct, finalise, decide that nothing is billed, take back.

Each returns the new state, or why it may not be done; ids and time come from the cause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork

from revcycle_coding.domain.coding import (
    Change,
    Coding,
    Moment,
    Task,
    correct_codes,
    decide_not_billable,
    finalise_coding,
    reopen_coding,
)
from revcycle_coding.domain.decision import FindingRecord, Service, errors
from revcycle_coding.domain.rulebook import Rulebook
from revcycle_coding.repositories import changes, codings, tasks
from revcycle_coding.use_cases.follow_encounters import moment_of


@dataclass(frozen=True, slots=True)
class Held:
    """A coding locked for work, with its open worklist item."""

    coding: Coding
    task: Task | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was done. ``findings``: the errors that forbid finalising."""

    rule: Literal["not_open", "nothing_to_reopen", "claimed_by_another", "has_errors"]
    findings: tuple[FindingRecord, ...] = ()


async def hold(uow: UnitOfWork, encounter_id: UUID, billing_side: str) -> Held | None:
    """Lock a coding for one of the changes below; None when there is none."""
    found = await codings.lock(uow, [encounter_id], billing_side)
    if encounter_id not in found:
        return None
    open_tasks = await tasks.open_of(uow, [encounter_id], billing_side)
    return Held(found[encounter_id], open_tasks.get(encounter_id))


async def _work(
    uow: UnitOfWork, cause: Cause, held: Held, change: Callable[[Moment], Change | Refused]
) -> Coding | Refused:
    """Do a piece of work on an open coding nobody else has claimed."""
    if held.coding.state != "open":
        return Refused("not_open")
    holder = await tasks.holder(uow, held.coding.encounter_id, held.coding.billing_side, cause.now)
    if holder is not None and holder != cause.actor:
        return Refused("claimed_by_another")
    made = change(moment_of(cause))
    if isinstance(made, Refused):
        return made
    await changes.store(uow, [(made, cause)])
    return made.coding


async def correct(
    uow: UnitOfWork,
    cause: Cause,
    held: Held,
    diagnoses: tuple[str, ...],
    services: tuple[Service, ...],
    rulebook: Rulebook,
) -> Coding | Refused:
    """Replace the codes; the result carries the findings of the check."""
    return await _work(
        uow,
        cause,
        held,
        lambda moment: correct_codes(held.coding, held.task, diagnoses, services, moment, rulebook),
    )


async def finalise(uow: UnitOfWork, cause: Cause, held: Held, rulebook: Rulebook) -> Coding | Refused:
    """Finalise; refused with every error while there is one."""

    def change(moment: Moment) -> Change | Refused:
        made = finalise_coding(held.coding, held.task, moment, rulebook)
        return made if isinstance(made, Change) else Refused("has_errors", tuple(errors(made.findings)))

    return await _work(uow, cause, held, change)


async def not_billable(uow: UnitOfWork, cause: Cause, held: Held, reason: str) -> Coding | Refused:
    """Decide that nothing is billed on this side."""
    return await _work(uow, cause, held, lambda moment: decide_not_billable(held.coding, held.task, reason, moment))


async def reopen(uow: UnitOfWork, cause: Cause, held: Held) -> Coding | Refused:
    """Take a finalised or not billable coding back onto the worklist."""
    if held.coding.state not in ("finalised", "not_billable"):
        return Refused("nothing_to_reopen")
    change = reopen_coding(held.coding, moment_of(cause))
    await changes.store(uow, [(change, cause)])
    return change.coding
