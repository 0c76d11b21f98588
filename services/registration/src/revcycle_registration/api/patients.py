"""Patients and their coverages."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import (
    Conflict,
    NotFound,
    Page,
    PageParameters,
    ReadUnitOfWork,
    Reply,
    Unprocessable,
    etag,
    require_if_match,
    run_command,
    takes,
)
from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.validation import IsoDate

from revcycle_registration.api.models import (
    CoverageBody,
    CoverageList,
    CoverageView,
    PatientBody,
    PatientList,
    PatientPatch,
    PatientSearch,
    PatientView,
    field_errors,
)
from revcycle_registration.api.pages import after_id
from revcycle_registration.domain.case_load import CaseLoad
from revcycle_registration.domain.coverage import Policy, in_billing_order, read_policy
from revcycle_registration.domain.encounter_file import AddressPart, coverage_contradictions
from revcycle_registration.domain.findings import Finding
from revcycle_registration.domain.patient import DemographicValue, said
from revcycle_registration.repositories import coverages, patients
from revcycle_registration.use_cases import keep_patient

router = APIRouter(prefix="/v1", tags=["patients"])


def _unknown() -> NotFound:
    return NotFound("no such patient: find them with POST /v1/patients:search")


async def _locked(uow: UnitOfWork, cause: Cause, patient_id: UUID) -> CaseLoad:
    load = await keep_patient.load_patient(uow, cause, patient_id)
    if load is None:
        raise _unknown()
    return load


@router.post("/patients", summary="Register a patient; incomplete is fine", status_code=201, response_model=PatientView)
async def register_patient(body: PatientBody, request: Request, caller: CurrentCaller) -> Response:
    """`missing` names what blocks billing. 409 when the facility already has the record number."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        patient = await keep_patient.register_patient(
            uow, cause, body.facility_npi, body.medical_record_number, said(body)
        )
        if patient is None:
            raise Conflict(
                "the facility has a patient under this record number: see POST /v1/patients:search",
                code="already_exists",
            )
        headers = {"ETag": etag(patient.version), "Location": f"/v1/patients/{patient.id}"}
        return Reply(201, PatientView.of(patient), headers)

    return await run_command(request, caller, use_case)


@router.get("/patients", summary="Patients, oldest first")
async def list_patients(uow: ReadUnitOfWork, page: PageParameters) -> Page[PatientView]:
    """One page; follow `next_page_token`."""
    found = await patients.page(uow, after_id(page), page.fetch_limit)
    return page.of([PatientView.of(each) for each in found], lambda view: (view.patient_id,))


@router.post("/patients:search", summary="Find patients by a facility's record numbers")
async def search_patients(body: PatientSearch, uow: ReadUnitOfWork) -> PatientList:
    """Record numbers travel in the body, never in the address."""
    found = await patients.search(uow, body.facility_npi, body.medical_record_numbers)
    return PatientList(items=[PatientView.of(each) for each in found])


@router.get("/patients/{patient_id}", summary="A patient")
async def get_patient(patient_id: UUID, uow: ReadUnitOfWork, response: Response) -> PatientView:
    """The ETag is what PATCH wants in If-Match."""
    patient = await patients.get(uow, patient_id)
    if patient is None:
        raise _unknown()
    response.headers["ETag"] = etag(patient.version)
    return PatientView.of(patient)


def _patched(body: PatientPatch) -> dict[str, DemographicValue]:
    """The fields a patch names, by the names the domain gives them; null forgets."""
    stated: dict[str, DemographicValue] = {name: getattr(body, name) for name in body.model_fields_set - {"address"}}
    if body.address is not None:
        stated |= {name: getattr(body.address, name) for name in body.address.model_fields_set}
    elif "address" in body.model_fields_set:
        stated |= dict.fromkeys(AddressPart.model_fields)
    return stated


@router.patch(
    "/patients/{patient_id}",
    summary="Change a patient (If-Match)",
    response_model=PatientView,
    openapi_extra=takes(if_match="required"),
)
async def patch_patient(patient_id: UUID, body: PatientPatch, request: Request, caller: CurrentCaller) -> Response:
    """Encounters that waited only for what this says are documented with it."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        load = await _locked(uow, cause, patient_id)
        require_if_match(request, load.patients[patient_id].version)
        patient = await keep_patient.update_patient(uow, cause, load, patient_id, _patched(body))
        return Reply(200, PatientView.of(patient), {"ETag": etag(patient.version)})

    return await run_command(request, caller, use_case)


def _policy(body: CoverageBody) -> Policy:
    """The policy a body states; refused with every reason when it cannot be billed."""
    findings = coverage_contradictions(body, "coverage")
    read = read_policy(body, "coverage")
    if not isinstance(read, Policy):
        findings += [Finding(path, "required", "is missing", "a value") for path in read]
    if findings or not isinstance(read, Policy):
        stripped = [Finding(each.field.partition(".")[2], each.rule, each.message, each.expected) for each in findings]
        raise Unprocessable(errors=field_errors(stripped))
    return read


@router.post(
    "/patients/{patient_id}/coverages",
    summary="Record or correct a coverage",
    status_code=201,
    response_model=CoverageView,
    responses={200: {"model": CoverageView, "description": "Corrected, or already known"}},
)
async def record_coverage(patient_id: UUID, body: CoverageBody, request: Request, caller: CurrentCaller) -> Response:
    """201 for a new coverage, 200 for one that was corrected or already known.

    Same payer and member id with an overlapping period is the same coverage. Encounters that waited only for a
    coverage in force are documented with it.
    """
    policy = _policy(body)

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        load = await _locked(uow, cause, patient_id)
        coverage, new = await keep_patient.record_coverage(uow, cause, load, patient_id, policy)
        return Reply(201 if new else 200, CoverageView.of(coverage))

    return await run_command(request, caller, use_case)


@router.get("/patients/{patient_id}/coverages", summary="Coverages; with a date, who was primary then")
async def list_coverages(patient_id: UUID, uow: ReadUnitOfWork, date: IsoDate | None = None) -> CoverageList:
    """Without `date`: all. With it: those in force, primary first. Rank decides, then an insurer before self-pay,
    then the policy that began last.
    """
    if await patients.get(uow, patient_id) is None:
        raise _unknown()
    known = await coverages.of_patients(uow, [patient_id])
    if date is None:
        return CoverageList(items=[CoverageView.of(each) for each in known])
    views = [CoverageView.of(each) for each in in_billing_order(known, date)]
    return CoverageList(items=views, primary=views[0] if views else None)
