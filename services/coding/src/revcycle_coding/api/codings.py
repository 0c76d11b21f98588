"""Codings: read, correct, finalise, not billable, reopen."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias
from uuid import UUID

from fastapi import APIRouter, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import (
    Caller,
    Conflict,
    FieldError,
    NotFound,
    ReadUnitOfWork,
    Reply,
    etag,
    require_if_match,
    run_command,
    takes,
)
from revcycle_service_kit.access import CurrentCaller

from revcycle_coding.api.models import CodesBody, CodingView, NotBillableBody
from revcycle_coding.domain.coding import Coding
from revcycle_coding.domain.rulebook import Rulebook
from revcycle_coding.repositories import codings, decisions
from revcycle_coding.use_cases import work_on_coding
from revcycle_coding.use_cases.work_on_coding import Held, Refused

Work: TypeAlias = Callable[[UnitOfWork, Cause, Held], Awaitable[Coding | Refused]]

HAS_ERRORS = "coding_has_errors"

_REFUSALS = {
    "not_open": "the coding is not open: take it back with :reopen first",
    "nothing_to_reopen": "only a finalised or not billable coding can be reopened",
    "claimed_by_another": "another person has claimed this item: take another one with :claim-next",
    "has_errors": "the coding has errors: correct them with PUT, then finalise",
}


def _unknown() -> NotFound:
    return NotFound("no such coding: it appears once its encounter is documented")


def _conflict(refused: Refused) -> Conflict:
    return Conflict(
        _REFUSALS[refused.rule],
        code=HAS_ERRORS if refused.findings else None,
        errors=tuple(
            FieldError(
                field=str(each["field"]),
                rule=str(each["rule"]),
                message=str(each["message"]),
                expected=str(each["expected"]),
            )
            for each in refused.findings
        ),
    )


async def _command(
    request: Request, caller: Caller, encounter_id: UUID, side: str, work: Work, *, if_match: bool
) -> Response:
    """Lock the coding, check If-Match where it is wanted or sent, do the work."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        held = await work_on_coding.hold(uow, encounter_id, side)
        if held is None:
            raise _unknown()
        if if_match or "if-match" in request.headers:
            require_if_match(request, held.coding.version)
        done = await work(uow, cause, held)
        if isinstance(done, Refused):
            raise _conflict(done)
        return Reply(200, CodingView.of(done), {"ETag": etag(done.version)})

    return await run_command(request, caller, use_case)


def _add_reading(routes: APIRouter) -> None:
    @routes.get("/{encounter_id}/{side}", summary="A coding with its note, findings and decision")
    async def get_coding(encounter_id: UUID, side: str, uow: ReadUnitOfWork, response: Response) -> CodingView:
        """`side` is `professional`. The ETag is what PUT wants in If-Match."""
        coding = await codings.get(uow, encounter_id, side)
        if coding is None:
            raise _unknown()
        response.headers["ETag"] = etag(coding.version)
        decision = await decisions.get(uow, coding.decision_id) if coding.decision_id else None
        return CodingView.of(coding, await codings.note(uow, coding.document.document_id), decision)


def router(rulebook: Rulebook) -> APIRouter:
    """The routes; corrections are checked with the code sets of this process."""
    routes = APIRouter(prefix="/v1/codings", tags=["codings"])
    _add_reading(routes)

    @routes.put(
        "/{encounter_id}/{side}",
        summary="Correct the codes (If-Match)",
        response_model=CodingView,
        openapi_extra=takes(if_match="required"),
    )
    async def put_coding(
        encounter_id: UUID, side: str, body: CodesBody, request: Request, caller: CurrentCaller
    ) -> Response:
        """Replaces diagnoses and services and answers with the findings; nothing is finalised."""
        diagnoses = tuple(each.strip() for each in body.diagnoses)
        services = tuple(each.service() for each in body.services)

        async def work(uow: UnitOfWork, cause: Cause, held: Held) -> Coding | Refused:
            return await work_on_coding.correct(uow, cause, held, diagnoses, services, rulebook)

        return await _command(request, caller, encounter_id, side, work, if_match=True)

    @routes.post(
        "/{encounter_id}/{side}:finalise",
        summary="Finalise a coding",
        response_model=CodingView,
        openapi_extra=takes(if_match="optional"),
    )
    async def finalise_coding(encounter_id: UUID, side: str, request: Request, caller: CurrentCaller) -> Response:
        """409 with every error while there is one; warnings do not hold it."""
        work = partial(work_on_coding.finalise, rulebook=rulebook)
        return await _command(request, caller, encounter_id, side, work, if_match=False)

    @routes.post(
        "/{encounter_id}/{side}:not-billable",
        summary="Decide that nothing is billed",
        response_model=CodingView,
        openapi_extra=takes(if_match="optional"),
    )
    async def decide_not_billable(
        encounter_id: UUID, side: str, body: NotBillableBody, request: Request, caller: CurrentCaller
    ) -> Response:
        """The worklist item is resolved; `:reopen` takes it back."""

        async def work(uow: UnitOfWork, cause: Cause, held: Held) -> Coding | Refused:
            return await work_on_coding.not_billable(uow, cause, held, body.reason)

        return await _command(request, caller, encounter_id, side, work, if_match=False)

    @routes.post(
        "/{encounter_id}/{side}:reopen",
        summary="Take a coding back",
        response_model=CodingView,
        openapi_extra=takes(if_match="optional"),
    )
    async def reopen_coding(encounter_id: UUID, side: str, request: Request, caller: CurrentCaller) -> Response:
        """A finalised or not billable coding goes back onto the worklist; the claim waits for the next finalisation."""
        return await _command(request, caller, encounter_id, side, work_on_coding.reopen, if_match=False)

    return routes
