"""Take every lock that the handlers of a chunk will want, in one order, before the first of them runs.

Handlers run type by type. Each takes its locks in order, but one after the other two handlers of two members may meet
crosswise: the first holds what the other member's second wants, and the other way round. The order of the house is
patients, encounters, trace numbers, claims, turns at claims that are not there yet, work items on remittances; each
sorted. Timers are locked behind all of them (:class:`revcycle_service_kit.TimerKind`), sequences of streams last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from revcycle_events import RemittanceReceived
from revcycle_messaging import Received, UnitOfWork

from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import remittances, slots, tasks
from revcycle_claims.repositories.remittances import Trace
from revcycle_claims.use_cases.advance_claims import CODINGS, ENCOUNTERS, PATIENTS, new_claim


@dataclass(slots=True)
class Anchors:
    """What a chunk is about."""

    patient_ids: set[UUID] = field(default_factory=set)
    told_patient_ids: set[UUID] = field(default_factory=set)
    encounter_ids: set[UUID] = field(default_factory=set)
    traces: set[Trace] = field(default_factory=set)
    claim_ids: set[UUID] = field(default_factory=set)
    coded: dict[slots.Side, UUID] = field(default_factory=dict)

    def add(self, item: Received[Any]) -> None:
        """Note what the handler of an event will lock."""
        event = item.event
        if isinstance(event, RemittanceReceived):
            self.traces.add((event.payer_id, event.trace_number))
            self.claim_ids |= {claim.claim_id for claim in event.claims if claim.claim_id}
        elif item.topic == PATIENTS:
            self.told_patient_ids.add(event.patient_id)
        elif item.topic == ENCOUNTERS:
            self.patient_ids.add(event.patient_id)
            self.encounter_ids.add(event.encounter_id)
        elif item.topic == CODINGS:
            self.encounter_ids.add(event.encounter_id)
            side = event.encounter_id, event.billing_side
            self.coded.setdefault(side, new_claim(side, item.cause).claim_id)
        elif hasattr(event, "submission_id"):
            self.claim_ids.add(event.claim_id)


async def lock_chunk(uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
    """Lock everything the events of a chunk are about. A chunk of one type is left to its only handler's own order."""
    if len({item.envelope.type for item in received}) < 2:
        return
    anchors = Anchors()
    for item in received:
        anchors.add(item)
    await lock_anchors(uow, anchors)


async def lock_anchors(uow: UnitOfWork, anchors: Anchors) -> None:
    """Lock in the order of the house. What is locked already costs a look and no wait."""
    patient_ids = anchors.patient_ids | anchors.told_patient_ids
    encounter_ids = set(anchors.encounter_ids)
    if encounter_ids:
        patient_ids |= await slots.patients_of(uow, encounter_ids)
    if patient_ids:
        await slots.lock_patients(uow, patient_ids)
    if anchors.told_patient_ids:
        # Under the patients' locks, so that none appears between look and lock.
        encounter_ids |= await slots.encounters_in_preparation(uow, anchors.told_patient_ids)
    if encounter_ids:
        await slots.lock_encounters(uow, encounter_ids)
    if anchors.traces:
        await remittances.lock_traces(uow, anchors.traces)
    if encounter_ids or anchors.claim_ids:
        await _lock_claims(uow, encounter_ids, anchors)


async def _lock_claims(uow: UnitOfWork, encounter_ids: Iterable[UUID], anchors: Anchors) -> None:
    """Claims, then turns at those that are absent, or may go out here and have word of the payer waiting for them."""
    found = await claim_rows.lock_concerned(uow, encounter_ids, anchors.claim_ids)
    here = {row.claim_id for row in found}
    sides = {row.side for row in found}
    turns = anchors.claim_ids - here
    turns |= {row.claim_id for row in found if row.in_preparation}
    turns |= {claim_id for side, claim_id in anchors.coded.items() if side not in sides}
    if turns:
        await claim_rows.take_turns(uow, turns)
    await tasks.lock_remittance_tasks(uow, here | turns)
