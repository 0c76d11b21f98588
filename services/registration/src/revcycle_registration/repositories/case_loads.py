"""Loading and storing case loads: a fixed number of statements, however many files a chunk has.

Lock order: patients by id, then encounters by id. New rows are claimed by their unique key; who loses that race
loads again and finds the winner's rows.
"""

from collections.abc import Sequence
from uuid import UUID

from revcycle_events import patients_v1
from revcycle_messaging import Cause, DependsOn, UnitOfWork

from revcycle_registration.domain.case_load import CaseLoad, EncounterFact, Fact, PatientFact
from revcycle_registration.domain.facts import carries_note, event_of
from revcycle_registration.repositories import coverages, documents, encounters, patients


async def load_by_keys(
    uow: UnitOfWork,
    cause: Cause,
    *,
    patient_keys: Sequence[tuple[str, str]],
    encounter_keys: Sequence[tuple[str, str]],
) -> CaseLoad:
    """Lock what is known under the facilities' own numbers, and every open encounter of those patients."""
    known = await patients.lock_by_record_numbers(uow, patient_keys)
    ids = [patient.id for patient in known]
    return CaseLoad(cause.derive).hold(
        known,
        await coverages.of_patients(uow, ids),
        await encounters.lock(uow, encounter_keys, (), ids),
    )


async def load_patient(uow: UnitOfWork, cause: Cause, patient_id: UUID) -> CaseLoad:
    """Lock a patient with every open encounter; an unknown id gives an empty case load."""
    known = await patients.lock_by_ids(uow, [patient_id])
    ids = [patient.id for patient in known]
    return CaseLoad(cause.derive).hold(
        known, await coverages.of_patients(uow, ids), await encounters.lock(uow, (), (), ids)
    )


async def load_encounter(uow: UnitOfWork, cause: Cause, encounter_id: UUID) -> CaseLoad:
    """Lock an encounter with its patient; an unknown id gives an empty case load."""
    seen = await encounters.get(uow, encounter_id)
    if seen is None:
        return CaseLoad(cause.derive)
    known = await patients.lock_by_ids(uow, [seen.patient_id])
    return CaseLoad(cause.derive).hold(
        known,
        await coverages.of_patients(uow, [seen.patient_id]),
        await encounters.lock(uow, (), [encounter_id], ()),
    )


async def store(uow: UnitOfWork, cause: Cause, load: CaseLoad) -> bool:
    """Store what changed and tell it; False (and nothing told) when another transaction was first with a new key."""
    if load.new_patients and not await patients.insert(uow, [load.patients[each] for each in load.new_patients]):
        return False
    if load.new_encounters and not await encounters.insert(
        uow, [load.encounters[each] for each in load.new_encounters]
    ):
        return False
    if changed := load.changed_patients - load.new_patients:
        await patients.update(uow, [load.patients[each] for each in changed])
    if load.changed_coverages:
        await coverages.store(uow, list(load.changed_coverages.values()))
    if load.documents:
        await documents.insert(uow, load.documents, cause.now)
    if changed := load.changed_encounters - load.new_encounters:
        await encounters.update(uow, [load.encounters[each] for each in changed])
    await _tell(uow, cause, load)
    return True


async def _tell(uow: UnitOfWork, cause: Cause, load: CaseLoad) -> None:
    texts = {new.document.id: new.text for new in load.documents}
    wanted = {document for fact in load.facts if (document := _note_of(fact)) is not None}
    if missing := wanted - texts.keys():
        texts |= await documents.texts(uow, sorted(missing))
    for fact in load.facts:
        note = _note_of(fact)
        event = event_of(fact, texts[note] if note else None)
        if isinstance(fact, EncounterFact):
            about = cause.about(fact.encounter.id)
            # What a claim needs of the person may arrive on the other topic later than this event.
            person = DependsOn(patients_v1.TOPIC, str(fact.encounter.patient_id))
            uow.add_event(event, about, depends_on=[person])
        else:
            uow.add_event(event, cause)


def _note_of(fact: Fact) -> UUID | None:
    if isinstance(fact, PatientFact) or not carries_note(fact) or not isinstance(fact, EncounterFact):
        return None
    return fact.encounter.document.id if fact.encounter.document else None
