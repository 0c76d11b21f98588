"""Register and update patients and their coverages; an encounter this completes is documented with it."""

from collections.abc import Mapping
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork

from revcycle_registration.domain.case_load import CaseLoad
from revcycle_registration.domain.coverage import Coverage, Policy
from revcycle_registration.domain.patient import Demographics, DemographicValue, Patient, learn
from revcycle_registration.repositories import case_loads


async def register_patient(
    uow: UnitOfWork,
    cause: Cause,
    facility_npi: str,
    medical_record_number: str,
    stated: Mapping[str, DemographicValue],
) -> Patient | None:
    """Register a patient; None when the facility already has one under that record number."""
    load = CaseLoad(cause.derive)
    known, _ = learn(Demographics(), stated)
    patient = load.register_patient(facility_npi, medical_record_number, known)
    return patient if await case_loads.store(uow, cause, load) else None


async def load_patient(uow: UnitOfWork, cause: Cause, patient_id: UUID) -> CaseLoad | None:
    """Lock a patient for one of the changes below; None when there is none."""
    load = await case_loads.load_patient(uow, cause, patient_id)
    return load if patient_id in load.patients else None


async def update_patient(
    uow: UnitOfWork, cause: Cause, load: CaseLoad, patient_id: UUID, stated: Mapping[str, DemographicValue]
) -> Patient:
    """Take over what was stated about a locked patient. A stated None forgets the value."""
    if load.update_patient(patient_id, stated):
        load.check_open_encounters(patient_id)
        await case_loads.store(uow, cause, load)
    return load.patients[patient_id]


async def record_coverage(
    uow: UnitOfWork, cause: Cause, load: CaseLoad, patient_id: UUID, policy: Policy
) -> tuple[Coverage, bool]:
    """Record or correct a coverage of a locked patient: the coverage, and whether it is a new one."""
    known = {coverage.id for coverage in load.coverages[patient_id]}
    coverage, changed = load.record_coverage(patient_id, policy)
    if changed:
        load.check_open_encounters(patient_id)
        await case_loads.store(uow, cause, load)
    return coverage, coverage.id not in known
