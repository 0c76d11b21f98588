"""What payers answered: acknowledgments, remittances, and what fits nowhere."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from revcycle_service_kit import NotFound, Page, PageParameters, ReadUnitOfWork

from revcycle_adjudication_gateway.api.filters import after, chosen
from revcycle_adjudication_gateway.api.models import (
    AcknowledgmentView,
    ExceptionView,
    RemittanceDetail,
    RemittanceView,
)
from revcycle_adjudication_gateway.repositories import findings, remittances

router = APIRouter(prefix="/v1", tags=["answers"])

PayerId = Annotated[str | None, Query(max_length=80)]
ExceptionKind = Literal[
    "acknowledgment_for_nobody",
    "contradiction",
    "malformed",
    "refused_at_door",
    "remittance_claim_unknown",
    "remittance_held",
    "route_not_answering",
    "unresolved",
]


@router.get("/acknowledgments", summary="TA1, 999, 277CA and 277, newest first")
async def list_acknowledgments(
    uow: ReadUnitOfWork,
    page: PageParameters,
    payer_id: PayerId = None,
    interchange_id: UUID | None = None,
    submission_id: UUID | None = None,
) -> Page[AcknowledgmentView]:
    """What each said about which interchange or submission."""
    filters = chosen(payer_id=payer_id, interchange_id=interchange_id, submission_id=submission_id)
    rows = await findings.acknowledgments(uow, filters, after=after(page, UUID), limit=page.fetch_limit)
    views = [AcknowledgmentView.model_validate(dict(row)) for row in rows]
    return page.of(views, position=lambda view: (view.acknowledgment_id,))


@router.get("/exceptions", summary="What no rule settles, newest first")
async def list_exceptions(
    uow: ReadUnitOfWork,
    page: PageParameters,
    kind: ExceptionKind | None = None,
    payer_id: PayerId = None,
) -> Page[ExceptionView]:
    """Each with what to do next."""
    rows = await findings.exceptions(
        uow, chosen(kind=kind, payer_id=payer_id), after=after(page, UUID), limit=page.fetch_limit
    )
    views = [ExceptionView.model_validate(dict(row)) for row in rows]
    return page.of(views, position=lambda view: (view.exception_id,))


@router.get("/remittances", summary="Remittances (835), newest first")
async def list_remittances(
    uow: ReadUnitOfWork,
    page: PageParameters,
    state: Literal["published", "held"] | None = None,
    payer_id: PayerId = None,
    trace_number: Annotated[str | None, Query(max_length=50)] = None,
) -> Page[RemittanceView]:
    """`state=held`: an equation fails, or the same payment came with another content; nothing of it was published."""
    filters = chosen(state=state, payer_id=payer_id, trace_number=trace_number)
    rows = await remittances.page(uow, filters, after=after(page, UUID), limit=page.fetch_limit)
    views = [RemittanceView.model_validate(dict(row)) for row in rows]
    return page.of(views, position=lambda view: (view.remittance_id,))


@router.get("/remittances/{remittance_id}", summary="One remittance, whole")
async def get_remittance(remittance_id: UUID, uow: ReadUnitOfWork) -> RemittanceDetail:
    """Claims and lines with the rule that tied each, provider-level adjustments, and every equation that fails."""
    row = await remittances.get(uow, remittance_id)
    if row is None:
        raise NotFound("no such remittance")
    return RemittanceDetail.model_validate(dict(row))
