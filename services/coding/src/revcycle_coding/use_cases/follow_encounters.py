"""Follow the encounters' stream: code what is documented, code again what is amended, drop what is cancelled."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from revcycle_events import DocumentationAmended, EncounterCancelled, EncounterDocumented
from revcycle_messaging import Cause, Received, UnitOfWork

from revcycle_coding.domain.coding import Change, Coding, Moment, Task, cancel_encounter, document_encounter
from revcycle_coding.domain.decision import PROFESSIONAL
from revcycle_coding.domain.rulebook import Rulebook
from revcycle_coding.repositories import changes, codings, tasks

EncounterEvent = EncounterDocumented | DocumentationAmended | EncounterCancelled


async def follow_encounters(uow: UnitOfWork, received: Sequence[Received[EncounterEvent]], rulebook: Rulebook) -> None:
    """Apply a chunk of the encounters' stream, events of one encounter in their order."""
    ids = sorted({each.event.encounter_id for each in received})
    known = await codings.lock(uow, ids, PROFESSIONAL)
    open_tasks = await tasks.open_of(uow, ids, PROFESSIONAL)
    # Checking codes is arithmetic for the processor: kept off the event loop.
    made = await asyncio.to_thread(_apply_in_order, received, known, open_tasks, rulebook)
    await changes.store(uow, made)
    notes = {
        each.event.document.document_id: each.event.note_text
        for each in received
        if not isinstance(each.event, EncounterCancelled) and each.event.note_text is not None
    }
    if notes:
        await codings.store_notes(uow, notes)


def _apply_in_order(
    received: Sequence[Received[EncounterEvent]],
    known: Mapping[UUID, Coding],
    open_tasks: Mapping[UUID, Task],
    rulebook: Rulebook,
) -> list[tuple[Change, Cause]]:
    state: dict[UUID, tuple[Coding, Task | None]] = {
        encounter_id: (coding, open_tasks.get(encounter_id)) for encounter_id, coding in known.items()
    }
    made: list[tuple[Change, Cause]] = []
    for each in received:
        coding, task = state.get(each.event.encounter_id, (None, None))
        change = _apply(coding, task, each, rulebook)
        if change is not None:
            state[each.event.encounter_id] = (change.coding, change.task)
            made.append((change, each.cause))
    return made


def _apply(
    coding: Coding | None, task: Task | None, received: Received[EncounterEvent], rulebook: Rulebook
) -> Change | None:
    moment = moment_of(received.cause)
    event, sequence = received.event, received.envelope.sequence
    if isinstance(event, EncounterCancelled):
        # An encounter that was never documented has nothing to code, and nothing to take back.
        return cancel_encounter(coding, task, event, sequence, moment) if coding else None
    return document_encounter(coding, task, event, sequence, moment, rulebook)


def moment_of(cause: Cause) -> Moment:
    """The time, person and ids of a cause, as the domain takes them."""
    return Moment(cause.now, cause.actor, cause.derive)
