"""Facilities (locations) and payers of the tenant."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Request, Response
from revcycle_edi.npi import is_valid_npi
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import (
    FieldError,
    NotFound,
    Page,
    PageParameters,
    ReadUnitOfWork,
    Reply,
    Unprocessable,
    etag,
    run_command,
)
from revcycle_service_kit.access import CurrentCaller

from revcycle_registration.api.models import FacilityAddress, FacilityBody, FacilityView, PayerBody, PayerView
from revcycle_registration.api.pages import after_text
from revcycle_registration.repositories import directory
from revcycle_registration.repositories.directory import Facility, Payer
from revcycle_registration.use_cases.record_directory import record_facility, record_payer

router = APIRouter(prefix="/v1", tags=["directory"])

PAYER_ID_LENGTH_MAX = 80


def _facility_view(facility: Facility) -> FacilityView:
    return FacilityView.model_construct(
        npi=facility.npi,
        name=facility.name,
        tax_id=facility.tax_id,
        taxonomy=facility.taxonomy,
        address=FacilityAddress.model_construct(
            line1=facility.line1,
            line2=facility.line2,
            city=facility.city,
            state=facility.state,
            postal_code=facility.postal_code,
        ),
        time_zone=facility.time_zone,
    )


def _payer_view(payer: Payer) -> PayerView:
    return PayerView(payer_id=payer.payer_id, name=payer.name, filing_limit_days=payer.filing_limit_days)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unprocessable(
            errors=(
                FieldError(
                    "time_zone", "time_zone", "is not a known time zone", "an IANA name such as America/Chicago"
                ),
            )
        ) from None


def _check_payer_id(payer_id: str) -> None:
    """What an encounter file cannot name is no payer id: its ids are trimmed and stand on one line."""
    if len(payer_id) > PAYER_ID_LENGTH_MAX:
        error = FieldError("payer_id", "too_long", "is too long", f"at most {PAYER_ID_LENGTH_MAX} characters")
    elif payer_id != payer_id.strip() or not payer_id.isprintable():
        error = FieldError("payer_id", "one_line", "holds blanks around it or a control character", "printable text")
    else:
        return
    raise Unprocessable(errors=(error,))


@router.put(
    "/locations/{npi}",
    summary="Record a facility as it bills",
    response_model=FacilityView,
    responses={201: {"model": FacilityView, "description": "A new facility"}},
)
async def put_facility(npi: str, body: FacilityBody, request: Request, caller: CurrentCaller) -> Response:
    """201 when new, 200 otherwise. The same facility again changes nothing and tells nobody."""
    if not is_valid_npi(npi):
        raise Unprocessable(errors=(FieldError("npi", "npi", "is not a valid NPI", "10 digits with check digit"),))
    _check_zone(body.time_zone)
    facility = Facility(
        npi=npi,
        name=body.name,
        tax_id=body.tax_id,
        taxonomy=body.taxonomy,
        line1=body.address.line1,
        line2=body.address.line2,
        city=body.address.city,
        state=body.address.state,
        postal_code=body.address.postal_code,
        time_zone=body.time_zone,
    )

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        stored = await record_facility(uow, cause, facility)
        return Reply(201 if stored.created else 200, _facility_view(facility), {"ETag": etag(stored.version)})

    return await run_command(request, caller, use_case)


@router.get("/locations", summary="The tenant's facilities")
async def list_facilities(uow: ReadUnitOfWork, page: PageParameters) -> Page[FacilityView]:
    """In NPI order."""
    found = await directory.facilities_page(uow, after_text(page), page.fetch_limit)
    return page.of([_facility_view(each) for each in found], lambda view: (view.npi,))


@router.get("/locations/{npi}", summary="A facility")
async def get_facility(npi: str, uow: ReadUnitOfWork, response: Response) -> FacilityView:
    """404 for a facility that was not recorded."""
    found = await directory.get_facility(uow, npi) if is_valid_npi(npi) else None
    if found is None:
        raise NotFound("no such facility: record it with PUT /v1/locations/{npi}")
    response.headers["ETag"] = etag(found[1])
    return _facility_view(found[0])


@router.put(
    "/payers/{payer_id}",
    summary="Record a payer and its filing limit",
    response_model=PayerView,
    responses={201: {"model": PayerView, "description": "A new payer"}},
)
async def put_payer(payer_id: str, body: PayerBody, request: Request, caller: CurrentCaller) -> Response:
    """201 when new, 200 otherwise. The same payer again changes nothing and tells nobody."""
    _check_payer_id(payer_id)
    payer = Payer(payer_id, body.name, body.filing_limit_days)

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        stored = await record_payer(uow, cause, payer)
        return Reply(201 if stored.created else 200, _payer_view(payer), {"ETag": etag(stored.version)})

    return await run_command(request, caller, use_case)


@router.get("/payers", summary="The tenant's payers")
async def list_payers(uow: ReadUnitOfWork, page: PageParameters) -> Page[PayerView]:
    """In id order."""
    found = await directory.payers_page(uow, after_text(page), page.fetch_limit)
    return page.of([_payer_view(each) for each in found], lambda view: (view.payer_id,))


@router.get("/payers/{payer_id}", summary="A payer")
async def get_payer(payer_id: str, uow: ReadUnitOfWork, response: Response) -> PayerView:
    """404 for a payer that was not recorded."""
    # No text with a NUL can be asked for.
    found = await directory.get_payer(uow, payer_id) if "\0" not in payer_id else None
    if found is None:
        raise NotFound("no such payer: record it with PUT /v1/payers/{payer_id}")
    response.headers["ETag"] = etag(found[1])
    return _payer_view(found[0])
