"""Encounters, their readiness, and their documents."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import Conflict, NotFound, Page, PageParameters, ReadUnitOfWork, Reply, etag, run_command
from revcycle_service_kit.access import CurrentCaller

from revcycle_registration.api.encounter_models import (
    AddendumBody,
    CancelBody,
    DocumentBody,
    DocumentView,
    EncounterList,
    EncounterSearch,
    EncounterView,
    FullDocumentView,
    Readiness,
)
from revcycle_registration.api.pages import after_id
from revcycle_registration.domain.encounter_file import DocumentPart
from revcycle_registration.repositories import documents, encounters
from revcycle_registration.use_cases import keep_encounter
from revcycle_registration.use_cases.keep_encounter import Refused

router = APIRouter(prefix="/v1", tags=["encounters"])

_REFUSALS = {
    "cancelled": "the encounter is cancelled: send the visit again under a new encounter number",
    "not_newest": "an addendum is added to the newest version: read the encounter and use its document_id",
    "not_signed": "only a signed document takes an addendum: send the signed version to the encounter's documents",
    "too_long": "document and addendum together are longer than 1 MiB",
}


def _unknown() -> NotFound:
    return NotFound("no such encounter: find it with POST /v1/encounters:search")


def _conflict(refused: Refused) -> Conflict:
    return Conflict(_REFUSALS[refused.rule])


@router.get("/encounters", summary="Encounters, oldest first; blocked=true lists what waits for information")
async def list_encounters(
    uow: ReadUnitOfWork, page: PageParameters, blocked: bool | None = None
) -> Page[EncounterView]:
    """One page; follow `next_page_token`."""
    found = await encounters.page(uow, blocked=blocked, after=after_id(page), limit=page.fetch_limit)
    return page.of([EncounterView.of(each) for each in found], lambda view: (view.encounter_id,))


@router.post("/encounters:search", summary="Find encounters by a facility's encounter numbers")
async def search_encounters(body: EncounterSearch, uow: ReadUnitOfWork) -> EncounterList:
    """Encounter numbers are account numbers: they travel in the body, never in the address."""
    found = await encounters.search(uow, body.facility_npi, body.encounter_numbers)
    return EncounterList(items=[EncounterView.of(each) for each in found])


@router.get("/encounters/{encounter_id}", summary="An encounter")
async def get_encounter(encounter_id: UUID, uow: ReadUnitOfWork, response: Response) -> EncounterView:
    """With what blocks it, if anything."""
    encounter = await encounters.get(uow, encounter_id)
    if encounter is None:
        raise _unknown()
    response.headers["ETag"] = etag(encounter.version)
    return EncounterView.of(encounter)


@router.get("/encounters/{encounter_id}/readiness", summary="What blocks billing, and what would be right")
async def get_readiness(encounter_id: UUID, uow: ReadUnitOfWork) -> Readiness:
    """`left_to_coding` names what a coder may still supply."""
    encounter = await encounters.get(uow, encounter_id)
    if encounter is None:
        raise _unknown()
    return Readiness.of(encounter)


@router.post("/encounters/{encounter_id}:cancel", summary="Cancel an encounter", response_model=EncounterView)
async def cancel_encounter(encounter_id: UUID, body: CancelBody, request: Request, caller: CurrentCaller) -> Response:
    """It did not take place or was recorded in error; what was coded is not billed. Again is the same."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        encounter = await keep_encounter.cancel_encounter(uow, cause, encounter_id, body.reason)
        if encounter is None:
            raise _unknown()
        return Reply(200, EncounterView.of(encounter), {"ETag": etag(encounter.version)})

    return await run_command(request, caller, use_case)


@router.post(
    "/encounters/{encounter_id}/documents",
    summary="Add a version of the encounter's document",
    status_code=201,
    response_model=DocumentView,
    responses={200: {"model": DocumentView, "description": "The newest version already says exactly this"}},
)
async def add_document(encounter_id: UUID, body: DocumentBody, request: Request, caller: CurrentCaller) -> Response:
    """Versions are immutable. 200 when the newest version already says exactly this."""
    part = DocumentPart.model_construct(
        type=body.type, author_npi=body.author_npi, signed_at=body.signed_at, source=body.source, text=body.text
    )

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        added = await keep_encounter.add_document(uow, cause, encounter_id, part)
        if added is None:
            raise _unknown()
        if isinstance(added, Refused):
            raise _conflict(added)
        document, new = added
        headers = {"Location": f"/v1/documents/{document.id}"}
        return Reply(201 if new else 200, DocumentView.of(document), headers)

    return await run_command(request, caller, use_case)


@router.get("/documents/{document_id}", summary="A document version with its text and addenda")
async def get_document(document_id: UUID, uow: ReadUnitOfWork) -> FullDocumentView:
    """Every version ever stored can be read."""
    found = await keep_encounter.read_document(uow, document_id)
    if found is None:
        raise NotFound("no such document: an encounter names its document_id")
    return FullDocumentView.of_stored(*found)


@router.post(
    "/documents/{document_id}/addenda",
    summary="Add a signed addendum to the newest version",
    status_code=201,
    response_model=DocumentView,
)
async def add_addendum(document_id: UUID, body: AddendumBody, request: Request, caller: CurrentCaller) -> Response:
    """Makes a new version that holds the signed text unchanged, followed by the addendum."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        base = await documents.get(uow, document_id)
        if base is None:
            raise NotFound("no such document: an encounter names its document_id")
        added = await keep_encounter.add_addendum(uow, cause, base, body.author_npi, body.signed_at, body.text)
        if isinstance(added, Refused):
            raise _conflict(added)
        return Reply(201, DocumentView.of(added), {"Location": f"/v1/documents/{added.id}"})

    return await run_command(request, caller, use_case)
