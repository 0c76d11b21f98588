"""Taking in one encounter file: never a second encounter, never a second patient; an update goes by field."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID

import orjson

from revcycle_registration.domain.case_load import CaseLoad, NewDocument
from revcycle_registration.domain.coverage import Policy, read_policy
from revcycle_registration.domain.encounter import (
    DocumentVersion,
    Encounter,
    Provider,
    Service,
    document_with,
    left_to_coding,
    provider_blockers,
    provider_with,
    same_document,
)
from revcycle_registration.domain.encounter_file import (
    DocumentPart,
    EncounterFile,
    future_service,
    read_encounter_file,
)
from revcycle_registration.domain.findings import Finding
from revcycle_registration.domain.patient import Demographics, Patient, learn, moved, said


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one encounter file."""

    status: Literal["created", "updated", "unchanged", "refused"]
    encounter_id: UUID | None = None
    patient_id: UUID | None = None
    state: str | None = None
    blocked_by: tuple[str, ...] = ()
    left_to_coding: tuple[str, ...] = ()
    errors: tuple[Finding, ...] = ()


def refused(*errors: Finding) -> Outcome:
    """The file was not taken in."""
    return Outcome("refused", errors=errors)


def take_in(load: CaseLoad, file: EncounterFile, content_sha256: str) -> Outcome:
    """Take one file into the case load. ``content_sha256`` is the hash of its canonical JSON."""
    encounter = load.encounter_of(file.facility_npi, file.encounter_number)
    patient = load.patient_of(file.facility_npi, file.patient.medical_record_number)
    if encounter is not None:
        if encounter.content_sha256 == content_sha256:
            return _answer("unchanged", encounter)
        contradiction = _contradiction(encounter, patient, _provider(file))
        if contradiction is not None:
            return refused(contradiction)
    facts_before = len(load.facts)
    patient = _learn_patient(load, patient, file)
    policies, gaps = _policies(file)
    for policy in policies:
        load.record_coverage(patient.id, policy)
    person_changed = len(load.facts) > facts_before
    if encounter is None:
        encounter = _open(load, patient, file, content_sha256, gaps)
        status: Literal["created", "updated", "unchanged"] = "created"
    else:
        changed = _update(load, encounter, file, content_sha256, gaps)
        status = "updated" if changed or person_changed else "unchanged"
    if person_changed:
        load.check_open_encounters(patient.id)
    return _answer(status, load.encounters[encounter.id])


def _answer(status: Literal["created", "updated", "unchanged"], encounter: Encounter) -> Outcome:
    return Outcome(
        status,
        encounter.id,
        encounter.patient_id,
        encounter.state,
        encounter.blocked_by,
        left_to_coding(encounter),
    )


def _contradiction(encounter: Encounter, patient: Patient | None, stated: Provider) -> Finding | None:
    if encounter.state == "cancelled":
        return Finding(
            "encounter_number", "not_cancelled", "names a cancelled encounter", "a new encounter number for a new visit"
        )
    if patient is None or patient.id != encounter.patient_id:
        return Finding(
            "patient.medical_record_number",
            "same_patient",
            "differs from the patient this encounter was recorded for",
            "the record number sent first; cancel the encounter if it was recorded for the wrong patient",
        )
    if encounter.state == "documented" and provider_blockers(provider_with(encounter.rendering_provider, stated)):
        return Finding(
            "rendering_provider",
            "complete",
            "names another person only in part, on an encounter that is already documented",
            "npi, last_name and first_name of the person who rendered the service",
        )
    return None


def _learn_patient(load: CaseLoad, patient: Patient | None, file: EncounterFile) -> Patient:
    stated = said(file.patient)
    if patient is None:
        known, _ = learn(Demographics(), stated)
        return load.register_patient(file.facility_npi, file.patient.medical_record_number, known)
    load.update_patient(patient.id, moved(patient.demographics, stated))
    return load.patients[patient.id]


def _policies(file: EncounterFile) -> tuple[list[Policy], tuple[str, ...]]:
    """The policies that can be recorded, and the gaps that keep the others and the document from it."""
    policies: list[Policy] = []
    gaps: list[str] = []
    for index, part in enumerate(file.coverages):
        read = read_policy(part, f"coverages[{index}]")
        if isinstance(read, Policy):
            policies.append(read)
        else:
            gaps.extend(read)
    if file.document is not None:
        gaps.extend(_document_gaps(file.document))
    return policies, tuple(gaps)


def _document_gaps(part: DocumentPart) -> list[str]:
    values = {"type": part.type, "source": part.source, "text": (part.text or "").strip()}
    return [f"document.{name}" for name, value in values.items() if not value]


def _stated_document(load: CaseLoad, encounter_id: UUID, version: int, part: DocumentPart | None) -> NewDocument | None:
    if part is None or part.type is None or part.source is None or part.text is None or not part.text.strip():
        return None
    return new_document(load, encounter_id, version, part.type, part.source, part.text, part)


def new_document(
    load: CaseLoad, encounter_id: UUID, version: int, type_: str, source: str, text: str, signature: DocumentPart
) -> NewDocument:
    """A document version of an encounter; the id comes from the case load's cause."""
    encoded = text.encode()
    document = DocumentVersion(
        id=load.new_id("document"),
        version=version,
        type=type_,
        source=source,
        author_npi=signature.author_npi,
        signed_at=signature.signed_at,
        sha256=hashlib.sha256(encoded).hexdigest(),
        size_bytes=len(encoded),
    )
    return NewDocument(encounter_id, document, text)


def _provider(file: EncounterFile) -> Provider:
    part = file.rendering_provider
    return Provider(part.npi, part.last_name, part.first_name, part.taxonomy) if part else Provider()


def _services(file: EncounterFile) -> tuple[Service, ...]:
    return tuple(
        Service(each.code, tuple(each.modifiers), each.units, tuple(each.diagnosis_pointers))
        for each in file.services or ()
    )


def _open(
    load: CaseLoad, patient: Patient, file: EncounterFile, content_sha256: str, gaps: tuple[str, ...]
) -> Encounter:
    encounter_id = load.new_id("encounter")
    new = _stated_document(load, encounter_id, 1, file.document)
    if new is not None:
        load.add_document(new)
    return load.open_encounter(
        Encounter(
            id=encounter_id,
            facility_npi=file.facility_npi,
            encounter_number=file.encounter_number,
            patient_id=patient.id,
            date_of_service=file.date_of_service,
            place_of_service=file.place_of_service,
            rendering_provider=_provider(file),
            primary_care_provider_npi=file.primary_care_provider_npi,
            diagnoses=tuple(file.diagnoses or ()),
            services=_services(file),
            document=new.document if new else None,
            gaps=gaps,
            content_sha256=content_sha256,
        )
    )


def _update(load: CaseLoad, known: Encounter, file: EncounterFile, content_sha256: str, gaps: tuple[str, ...]) -> bool:
    """Bring an encounter up to a later file; what the file leaves out keeps its value. Whether a fact changed."""
    document = known.document
    new = _stated_document(load, known.id, document.version + 1 if document else 1, file.document)
    if new is not None and document is not None:
        # A file that repeats the signed text knows nothing of the addendum to it, and does not undo it.
        known_by_addendum = new.document.sha256 in document.repeats
        new = None if known_by_addendum else replace(new, document=document_with(document, new.document))
    if new is not None and (document is None or not same_document(document, new.document)):
        load.add_document(new)
        document = new.document
    updated = replace(
        known,
        date_of_service=file.date_of_service,
        place_of_service=file.place_of_service or known.place_of_service,
        rendering_provider=provider_with(known.rendering_provider, _provider(file)),
        primary_care_provider_npi=file.primary_care_provider_npi or known.primary_care_provider_npi,
        diagnoses=known.diagnoses if file.diagnoses is None else tuple(file.diagnoses),
        services=known.services if file.services is None else _services(file),
        document=document,
        gaps=gaps,
    )
    changed = changed_fields(known, updated)
    load.change_encounter(replace(updated, content_sha256=content_sha256), changed)
    return bool(changed)


def changed_fields(before: Encounter, after: Encounter) -> tuple[str, ...]:
    """Names of the encounter's own fields that differ: what an amendment tells."""
    names = (
        "date_of_service",
        "place_of_service",
        "rendering_provider",
        "primary_care_provider_npi",
        "document",
        "diagnoses",
        "services",
    )
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


@dataclass(frozen=True, slots=True)
class ReadFile:
    """An element of an intake that could be read, with the hash of its canonical JSON."""

    file: EncounterFile
    content_sha256: str


def read_intake(raw_files: Sequence[object]) -> list[ReadFile | tuple[Finding, ...]]:
    """Read every element of an intake by itself: the file, or all that is wrong with it."""
    read: list[ReadFile | tuple[Finding, ...]] = []
    for raw in raw_files:
        file = read_encounter_file(raw)
        if isinstance(file, EncounterFile):
            canonical = orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
            read.append(ReadFile(file, hashlib.sha256(canonical).hexdigest()))
        else:
            read.append(file)
    return read


def take_in_all(
    load: CaseLoad, files: Sequence[ReadFile | tuple[Finding, ...]], business_dates: Mapping[str, date]
) -> list[Outcome]:
    """Take files into the case load in their order. ``business_dates``: today at each facility, by NPI."""
    outcomes = []
    for each in files:
        if not isinstance(each, ReadFile):
            outcomes.append(refused(*each))
            continue
        future = future_service(each.file, business_dates[each.file.facility_npi])
        outcomes.append(refused(future) if future else take_in(load, each.file, each.content_sha256))
    return outcomes
