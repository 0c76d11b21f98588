"""From what changed to the events that tell it."""

from revcycle_events import (
    Address,
    CoverageCorrected,
    CoveragePolicy,
    CoverageRecorded,
    DocumentationAmended,
    DocumentReference,
    EncounterCancelled,
    EncounterDocumented,
    EncounterOpened,
    EncounterService,
    Event,
    PatientDetails,
    PatientRegistered,
    PatientUpdated,
    PolicySubscriber,
    RenderingProvider,
)

from revcycle_registration.domain.case_load import CoverageFact, EncounterFact, Fact, PatientFact
from revcycle_registration.domain.coverage import Coverage
from revcycle_registration.domain.encounter import COMPLETENESS_RULE, DocumentVersion, Encounter
from revcycle_registration.domain.patient import Patient, missing_to_bill

NOTE_BYTES_MAX = 64 * 1024
"""A longer note travels as reference and SHA-256 only."""


def carries_note(fact: Fact) -> bool:
    """Whether the event of this fact holds the note's text."""
    return (
        isinstance(fact, EncounterFact)
        and fact.kind in ("documented", "amended")
        and fact.encounter.document is not None
        and fact.encounter.document.size_bytes <= NOTE_BYTES_MAX
    )


def event_of(fact: Fact, note_text: str | None) -> Event:
    """The event that tells a fact; ``note_text`` only where ``carries_note``."""
    if isinstance(fact, PatientFact):
        return _patient_event(fact)
    if isinstance(fact, CoverageFact):
        return _coverage_event(fact)
    return _encounter_event(fact, note_text)


def _patient_event(fact: PatientFact) -> Event:
    patient = fact.patient
    missing = list(missing_to_bill(patient.demographics))
    details = _details(patient)
    if not fact.changed:
        return PatientRegistered(
            patient_id=patient.id, facility_npi=patient.facility_npi, missing=missing, details=details
        )
    return PatientUpdated(
        patient_id=patient.id,
        facility_npi=patient.facility_npi,
        missing=missing,
        changed=list(fact.changed),
        details=details,
    )


def _details(patient: Patient) -> PatientDetails:
    known = patient.demographics
    return PatientDetails(
        medical_record_number=patient.medical_record_number,
        last_name=known.last_name,
        first_name=known.first_name,
        middle_name=known.middle_name,
        birth_date=known.birth_date,
        sex=known.sex,
        phone=known.phone,
        address=Address(
            line1=known.line1,
            line2=known.line2,
            city=known.city,
            state=known.state,
            postal_code=known.postal_code,
        ),
    )


def _coverage_event(fact: CoverageFact) -> Event:
    coverage = fact.coverage
    contract = CoverageRecorded if fact.kind == "recorded" else CoverageCorrected
    return contract(
        patient_id=coverage.patient_id,
        coverage_id=coverage.id,
        rank=coverage.policy.rank,
        payer_id=coverage.policy.payer_id,
        policy=_policy(coverage),
    )


def _policy(coverage: Coverage) -> CoveragePolicy:
    policy = coverage.policy
    holder = policy.subscriber
    return CoveragePolicy(
        member_id=policy.member_id,
        group_number=policy.group_number,
        relationship=policy.relationship,
        effective_from=policy.effective_from,
        effective_to=policy.effective_to,
        subscriber=PolicySubscriber(
            last_name=holder.last_name, first_name=holder.first_name, birth_date=holder.birth_date, sex=holder.sex
        )
        if holder
        else None,
    )


def _encounter_event(fact: EncounterFact, note_text: str | None) -> Event:
    encounter = fact.encounter
    if fact.kind == "opened":
        return EncounterOpened(
            encounter_id=encounter.id,
            patient_id=encounter.patient_id,
            facility_npi=encounter.facility_npi,
            blocked_by=list(encounter.blocked_by),
            encounter_number=encounter.encounter_number,
            date_of_service=encounter.date_of_service,
        )
    if fact.kind == "cancelled":
        return EncounterCancelled(
            encounter_id=encounter.id,
            patient_id=encounter.patient_id,
            facility_npi=encounter.facility_npi,
            reason=fact.reason,
        )
    return _documentation_event(fact, encounter, note_text)


def _documentation_event(fact: EncounterFact, encounter: Encounter, note_text: str | None) -> Event:
    assert encounter.document is not None, "a documented encounter has a document"
    assert encounter.place_of_service is not None, "a documented encounter has a place of service"
    state = {
        "encounter_id": encounter.id,
        "patient_id": encounter.patient_id,
        "facility_npi": encounter.facility_npi,
        "completeness_rule": COMPLETENESS_RULE,
        "document": _document(encounter.document),
        "rendering_provider": _rendering_provider(encounter),
        "primary_care_provider_npi": encounter.primary_care_provider_npi,
        "encounter_number": encounter.encounter_number,
        "date_of_service": encounter.date_of_service,
        "place_of_service": encounter.place_of_service,
        "diagnoses": list(encounter.diagnoses),
        "services": [
            EncounterService(
                code=each.code,
                modifiers=list(each.modifiers),
                units=each.units,
                diagnosis_pointers=list(each.diagnosis_pointers),
            )
            for each in encounter.services
        ],
        "note_text": note_text,
    }
    if fact.kind == "documented":
        return EncounterDocumented.model_validate(state)
    return DocumentationAmended.model_validate(state | {"changed": list(fact.changed)})


def _document(document: DocumentVersion) -> DocumentReference:
    return DocumentReference(
        document_id=document.id,
        version=document.version,
        type=document.type,
        source=document.source,
        author_npi=document.author_npi,
        signed=document.signed_at is not None,
        sha256=document.sha256,
        size_bytes=document.size_bytes,
    )


def _rendering_provider(encounter: Encounter) -> RenderingProvider:
    provider = encounter.rendering_provider
    assert provider.npi and provider.last_name and provider.first_name, "a documented encounter has a full provider"
    return RenderingProvider(
        npi=provider.npi, last_name=provider.last_name, first_name=provider.first_name, taxonomy=provider.taxonomy
    )
