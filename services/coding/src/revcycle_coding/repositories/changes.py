"""Storing what changed and telling it: one statement per table, however many codings."""

from collections.abc import Sequence

from revcycle_events import encounters_v1
from revcycle_messaging import Cause, DependsOn, UnitOfWork

from revcycle_coding.domain.coding import Change
from revcycle_coding.repositories import codings, decisions, tasks


async def store(uow: UnitOfWork, changes: Sequence[tuple[Change, Cause]]) -> None:
    """Store changes in their order; of several to one coding the last state stands, every event is told."""
    if not changes:
        return
    newest = {(change.coding.encounter_id, change.coding.billing_side): change.coding for change, _ in changes}
    await codings.store(uow, list(newest.values()))
    if taken := [stored for change, _ in changes for stored in change.decisions]:
        await decisions.insert(uow, taken)
    if items := {task.id: task for change, _ in changes for task in change.tasks}:
        await tasks.store(uow, list(items.values()))
    for change, cause in changes:
        coding = change.coding
        # Claims reads the encounter from another topic: it has to know which state of it was coded.
        rests_on = DependsOn(encounters_v1.TOPIC, str(coding.encounter_id), coding.encounter_sequence)
        for event in change.events:
            uow.add_event(event, cause.about(coding.encounter_id), depends_on=[rests_on])
