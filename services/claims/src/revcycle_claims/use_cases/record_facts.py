"""Write what other services tell us into our slots, event by event, and advance the claims concerned."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from revcycle_events import (
    CoverageCorrected,
    CoverageRecorded,
    CoverageTerminated,
    DocumentationAmended,
    EncounterCancelled,
    EncounterDocumented,
    EncounterNotBillable,
    EncounterOpened,
    FacilityRecorded,
    PatientRegistered,
    PatientUpdated,
    PayerRecorded,
)
from revcycle_messaging import Received, UnitOfWork

from revcycle_claims.domain.reference import Facility, Payer
from revcycle_claims.domain.slots import CodingSlot, CoverageSlot, EncounterSlot, Prerequisite, Visit
from revcycle_claims.repositories import reference, slots
from revcycle_claims.use_cases.advance_claims import Rulebook, new_claim, open_workspace, sweep_at_once

Coverage = CoverageRecorded | CoverageCorrected | CoverageTerminated


async def record_patients(rulebook: Rulebook, uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
    """Patients and coverages: their claims in preparation are advanced after each event."""
    patient_ids = {item.event.patient_id for item in received}
    encounter_ids = await _encounters_of(uow, patient_ids)
    workspace = await open_workspace(uow, rulebook, patient_ids=patient_ids, encounter_ids=encounter_ids)
    told = [item.event for item in received if isinstance(item.event, PatientRegistered | PatientUpdated)]
    await workspace.scrub_ahead(patients={event.patient_id: event.details for event in told})
    for item in received:
        event = item.event
        slot = workspace.patients[event.patient_id].model_copy(update={"sequence": item.envelope.sequence})
        if isinstance(event, PatientRegistered | PatientUpdated):
            slot = slot.model_copy(update={"details": event.details})
        elif isinstance(event, Coverage):
            workspace.set_coverage(_coverage_of(event))
        workspace.set_patient(slot)
        workspace.advance_patient(event.patient_id, item.cause)
    await workspace.flush()


async def _encounters_of(uow: UnitOfWork, patient_ids: set[UUID]) -> set[UUID]:
    """The encounters to advance, found under the patients' locks so that none appears between look and lock."""
    await slots.lock_patients(uow, patient_ids)
    return await slots.encounters_in_preparation(uow, patient_ids)


def _coverage_of(event: Coverage) -> CoverageSlot:
    return CoverageSlot(
        coverage_id=event.coverage_id,
        patient_id=event.patient_id,
        rank=event.rank,
        payer_id=event.payer_id,
        policy=event.policy,
    )


async def record_encounters(rulebook: Rulebook, uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
    """Encounters: opened, documented, amended or cancelled."""
    workspace = await open_workspace(
        uow,
        rulebook,
        patient_ids={item.event.patient_id for item in received},
        encounter_ids={item.event.encounter_id for item in received},
    )
    documented = [item.event for item in received if isinstance(item.event, EncounterDocumented | DocumentationAmended)]
    await workspace.scrub_ahead(visits={event.encounter_id: _visit_of(event) for event in documented})
    for item in received:
        workspace.set_encounter(_encounter_after(workspace.encounters[item.event.encounter_id], item))
        workspace.advance_encounter(item.event.encounter_id, item.cause)
    await workspace.flush()


def _encounter_after(slot: EncounterSlot, item: Received[Any]) -> EncounterSlot:
    event: EncounterOpened | EncounterDocumented | DocumentationAmended | EncounterCancelled = item.event
    changed: dict[str, object] = {"sequence": item.envelope.sequence, "patient_id": event.patient_id}
    if isinstance(event, EncounterCancelled):
        changed["cancelled"] = event.reason
    elif isinstance(event, EncounterDocumented | DocumentationAmended):
        changed |= {"visit": _visit_of(event), "cancelled": None, "prerequisites": _prerequisites(item)}
    return slot.model_copy(update=changed)


def _visit_of(event: EncounterDocumented | DocumentationAmended) -> Visit:
    return Visit(
        patient_id=event.patient_id,
        facility_npi=event.facility_npi,
        encounter_number=event.encounter_number,
        date_of_service=event.date_of_service,
        place_of_service=event.place_of_service,
        document_version=event.document.version,
        rendering_provider=event.rendering_provider,
    )


async def record_codings(rulebook: Rulebook, uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
    """Codings: the first one of a billing side brings its claim into being."""
    codes = {service.code for item in received for service in getattr(item.event, "services", ())}
    workspace = await open_workspace(
        uow, rulebook, encounter_ids={item.event.encounter_id for item in received}, codes=codes
    )
    told = [(item, _coding_of(item)) for item in received]
    await workspace.scrub_ahead(codings={(slot.encounter_id, slot.billing_side): slot for _, slot in told})
    for item, slot in told:
        side = slot.encounter_id, slot.billing_side
        workspace.set_coding(slot)
        if side not in workspace.claims:
            workspace.claims[side] = new_claim(side, item.cause)
        workspace.advance(side, item.cause)
    await workspace.flush()


def _coding_of(item: Received[Any]) -> CodingSlot:
    event = item.event
    if isinstance(event, EncounterNotBillable):
        return CodingSlot(
            encounter_id=event.encounter_id,
            billing_side=event.billing_side,
            sequence=item.envelope.sequence,
            coding_version=event.coding_version,
            not_billable=event.reason,
        )
    return CodingSlot(
        encounter_id=event.encounter_id,
        billing_side=event.billing_side,
        sequence=item.envelope.sequence,
        coding_version=event.coding_version,
        date_of_service=event.date_of_service,
        diagnoses=tuple(event.diagnoses),
        services=tuple(event.services),
        code_set_releases=event.code_set_releases,
        prerequisites=_prerequisites(item),
    )


def _prerequisites(item: Received[Any]) -> tuple[Prerequisite, ...]:
    return tuple(
        Prerequisite(depends_on.topic, depends_on.key, depends_on.sequence)
        for depends_on in item.envelope.depends_on
        if depends_on.sequence is not None
    )


async def record_facilities(uow: UnitOfWork, received: Sequence[Received[FacilityRecorded]]) -> None:
    """Facilities; claims held for an unknown one are tried again by the sweep."""
    facilities = [
        Facility(
            npi=item.event.npi,
            name=item.event.name,
            tax_id=item.event.tax_id,
            taxonomy=item.event.taxonomy,
            address=item.event.address,
            time_zone=item.event.time_zone,
        )
        for item in received
    ]
    await reference.write_facilities(uow, facilities)
    sweep_at_once(uow, received[-1].cause.now)


async def record_payers(uow: UnitOfWork, received: Sequence[Received[PayerRecorded]]) -> None:
    """Payers; claims held for an unknown one are tried again by the sweep."""
    payers = [
        Payer(payer_id=item.event.payer_id, name=item.event.name, filing_limit_days=item.event.filing_limit_days)
        for item in received
    ]
    await reference.write_payers(uow, payers)
    sweep_at_once(uow, received[-1].cause.now)
