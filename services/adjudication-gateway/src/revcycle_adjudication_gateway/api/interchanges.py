"""Interchanges as they left or came."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import (
    BadRequest,
    FieldError,
    NotFound,
    Page,
    PageParameters,
    ReadUnitOfWork,
    Reply,
    Unprocessable,
    UnsupportedMediaType,
    run_command,
)
from revcycle_service_kit.access import CurrentCaller

from revcycle_adjudication_gateway.api.filters import after, chosen
from revcycle_adjudication_gateway.api.models import AttemptView, InterchangeDetail, InterchangeView, KeptInterchange
from revcycle_adjudication_gateway.repositories import interchanges, routes
from revcycle_adjudication_gateway.use_cases.take_answers import Came, keep_inbound

X12 = "application/edi-x12"

router = APIRouter(prefix="/v1/interchanges", tags=["interchanges"])

State = Literal["intent", "sent", "unknown", "not_sent", "refused", "received", "processed", "malformed"]
Kind = Literal["837P", "276", "TA1", "999", "277CA", "277", "835", "mixed", "unread", "unreadable"]


@router.get("", summary="Interchanges, newest first")
async def list_interchanges(
    uow: ReadUnitOfWork,
    page: PageParameters,
    direction: Literal["out", "in"] | None = None,
    state: State | None = None,
    kind: Kind | None = None,
    payer_id: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[InterchangeView]:
    """`state=malformed`: kept, with the place, the rule and what would be right."""
    rows = await interchanges.page(
        uow,
        chosen(direction=direction, state=state, kind=kind, payer_id=payer_id),
        after=after(page, int),
        limit=page.fetch_limit,
    )
    # The position is the order of arrival, which the view does not show.
    cut = page.of(list(rows), position=lambda row: (row["arrival"],))
    return Page(items=[InterchangeView.of(row) for row in cut.items], next_page_token=cut.next_page_token)


@router.get("/{interchange_id}", summary="One interchange with its attempts")
async def get_interchange(interchange_id: UUID, uow: ReadUnitOfWork) -> InterchangeDetail:
    """The bytes stand at `…/raw`."""
    row = await interchanges.get(uow, interchange_id)
    if row is None:
        raise _unknown()
    attempts = await interchanges.attempts(uow, interchange_id)
    view = InterchangeView.of(row)
    return InterchangeDetail(
        **view.model_dump(), attempts=[AttemptView.model_validate(dict(attempt)) for attempt in attempts]
    )


@router.get(
    "/{interchange_id}/raw",
    summary="The bytes as they left or came",
    response_class=Response,
    responses={200: {"content": {X12: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_raw(interchange_id: UUID, uow: ReadUnitOfWork) -> Response:
    """Holds patients' data: handle accordingly."""
    raw = await interchanges.raw(uow, interchange_id)
    if raw is None:
        raise _unknown()
    return Response(raw, media_type=X12, headers={"cache-control": "no-store"})


@router.post(
    "",
    summary="Drop a file a payer sent by another way",
    status_code=202,
    response_model=KeptInterchange,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {X12: {"schema": {"type": "string", "format": "binary"}, "example": "ISA*00*          *00*…~"}},
        }
    },
)
async def drop_interchange(
    request: Request, caller: CurrentCaller, payer_id: Annotated[str, Query(min_length=1, max_length=80)]
) -> Response:
    """TA1, 999, 277CA, 277 or 835: kept, then read exactly like one from the payer's mailbox."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != X12:
        raise UnsupportedMediaType(f"send the file as {X12}")
    raw = await request.body()
    if not raw.strip():
        raise BadRequest("the body is empty: send one X12 file")

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        if await routes.get(uow, payer_id) is None:
            raise Unprocessable(
                "there is no route to this payer",
                errors=(
                    FieldError(
                        field="payer_id",
                        rule="known_route",
                        message="no route to this payer",
                        expected="a payer of GET /v1/routes",
                    ),
                ),
            )
        stored = (await keep_inbound(uow, cause, payer_id, [Came(raw, cause.actor)]))[0]
        view = KeptInterchange(interchange_id=stored.interchange_id, state=stored.state, copies=stored.copies)
        return Reply(202, view, {"Location": f"/v1/interchanges/{stored.interchange_id}"})

    return await run_command(request, caller, use_case)


def _unknown() -> NotFound:
    return NotFound("no such interchange")
