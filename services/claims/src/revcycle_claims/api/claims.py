"""Claims: look at them, hold them, send them again."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.commands import ReadUnitOfWork, Reply, run_command, service_context
from revcycle_service_kit.etag import etag
from revcycle_service_kit.openapi import takes
from revcycle_service_kit.paging import Page, PageParameters
from revcycle_service_kit.problems import NotFound

from revcycle_claims.api import models, reads
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import queries
from revcycle_claims.rulebook import rulebook_of
from revcycle_claims.use_cases.advance_claims import Rulebook
from revcycle_claims.use_cases.hold_claim import hold_claim, release_claim
from revcycle_claims.use_cases.submit_claim import SubmitClaim, submit_claim

router = APIRouter(prefix="/v1", tags=["claims"])


def rulebook(request: Request) -> Rulebook:
    """What claims are judged by, for use cases."""
    return rulebook_of(service_context(request))


Rules = Annotated[Rulebook, Depends(rulebook)]


@router.get("/claims", summary="Claims, by outcome, encounter or facility")
async def list_claims(
    uow: ReadUnitOfWork,
    page: PageParameters,
    outcome: Annotated[str | None, Query(max_length=40, examples=["denied"])] = None,
    state: Annotated[str | None, Query(max_length=40, examples=["held"])] = None,
    encounter_id: UUID | None = None,
    encounter_number: Annotated[str | None, Query(max_length=38)] = None,
    facility_npi: Annotated[str | None, Query(max_length=10)] = None,
) -> Page[models.ClaimSummary]:
    """A claim exists from the first coding of its encounter and side on. `outcome` is null while it is under way."""
    filters = {
        "outcome": outcome,
        "state": state,
        "encounter_id": encounter_id,
        "encounter_number": encounter_number,
        "facility_npi": facility_npi,
    }
    rows = await queries.claims_page(uow, filters, page.after(), page.fetch_limit)
    return page.of([models.ClaimSummary(**dict(row)) for row in rows], lambda item: (item.claim_id,))


@router.post("/claims:search", summary="The claims of up to 500 encounters, with their money")
async def search_claims(uow: ReadUnitOfWork, body: models.ClaimSearch) -> models.ClaimSearchResult:
    """Encounters without a claim are left out of the answer."""
    return await reads.found_claims(uow, body.encounter_ids)


@router.get("/claims/{claim_id}", summary="A claim: axes, lines with their money, holds, submissions")
async def get_claim(uow: ReadUnitOfWork, claim_id: UUID, response: Response) -> models.ClaimDetail:
    """Per line: charge = paid + contractual + other + patient + open, each figure read from its own account."""
    claim = await reads.claim_detail(uow, claim_id)
    response.headers["etag"] = etag(claim.version)
    return claim


@router.get("/claims/{claim_id}/timeline", summary="Everything that happened to a claim, oldest first")
async def get_timeline(uow: ReadUnitOfWork, claim_id: UUID) -> models.Timeline:
    """Decisions, submissions, the payer's word, journals, work items and bills."""
    await _require_claim(uow, claim_id)
    rows = await queries.timeline_of(uow, claim_id)
    return models.Timeline(items=[models.TimelineItem(**dict(row)) for row in rows])


@router.get("/claims/{claim_id}/explanation", summary="Why a claim is what it is: the stored decisions")
async def get_explanation(uow: ReadUnitOfWork, claim_id: UUID) -> models.Explanation:
    """Prices, holds and postings, each with the rule, the exact input and its hash."""
    await _require_claim(uow, claim_id)
    return await reads.explanation(uow, claim_id)


async def _require_claim(uow: UnitOfWork, claim_id: UUID) -> None:
    if await claim_rows.read_claim(uow, claim_id) is None:
        raise NotFound("no claim has this id")


async def _and_show(act: Any, claim_id: UUID, status: int, uow: UnitOfWork, cause: Cause) -> Reply:
    """Do something to a claim and answer with the claim."""
    await act(uow, cause)
    claim = await reads.claim_detail(uow, claim_id)
    headers = {"etag": etag(claim.version)}
    if status == 201:
        headers["location"] = f"/v1/claims/{claim_id}"
    return Reply(status, claim, headers)


@router.post("/claims/{claim_id}:hold", summary="Keep a claim from going out", response_model=models.ClaimDetail)
async def post_hold(
    request: Request, caller: CurrentCaller, claim_id: UUID, body: models.HoldRequest, rules: Rules
) -> Response:
    """Only before submission; afterwards 409."""

    async def act(uow: UnitOfWork, cause: Cause) -> None:
        await hold_claim(uow, rules, claim_id, body.reason, cause)

    return await run_command(request, caller, partial(_and_show, act, claim_id, 200))


@router.post(
    "/claims/{claim_id}:release", summary="Let a claim go that was held by hand", response_model=models.ClaimDetail
)
async def post_release(request: Request, caller: CurrentCaller, claim_id: UUID, rules: Rules) -> Response:
    """Other holds stay; without any the claim goes out at once."""

    async def act(uow: UnitOfWork, cause: Cause) -> None:
        await release_claim(uow, rules, claim_id, cause)

    return await run_command(request, caller, partial(_and_show, act, claim_id, 200))


@router.post(
    "/claims/{claim_id}/submissions",
    summary="Send a claim again: 1 new after a rejection, 7 replacement, 8 void",
    status_code=201,
    response_model=models.ClaimDetail,
    openapi_extra=takes(idempotency_key="required"),
)
async def post_submission(
    request: Request, caller: CurrentCaller, claim_id: UUID, body: models.SubmissionRequest, rules: Rules
) -> Response:
    """The claim is built anew from what is known now.

    409 `not_rejected`, `rejected`, `nothing_changed`, `payer_control_number_missing`, `submission_unresolved` or
    `not_submitted`; 422 `would_be_held` with every hold in `errors`. Needs an Idempotency-Key.
    """
    command = SubmitClaim(claim_id, body.frequency, body.confirm_unchanged)

    async def act(uow: UnitOfWork, cause: Cause) -> None:
        await submit_claim(uow, rules, command, cause)

    return await run_command(request, caller, partial(_and_show, act, claim_id, 201), idempotency="required")
