"""Submissions and the questions about them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import (
    Conflict,
    FieldError,
    NotFound,
    Page,
    PageParameters,
    ReadUnitOfWork,
    Reply,
    Unprocessable,
    run_command,
)
from revcycle_service_kit.access import CurrentCaller

from revcycle_adjudication_gateway.api.filters import after, chosen
from revcycle_adjudication_gateway.api.models import (
    QueuedInquiries,
    ResolveBody,
    StatusInquiryBody,
    StatusInquiryView,
    SubmissionView,
)
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.submission import Answer, NotUnknown, Sending
from revcycle_adjudication_gateway.repositories import inquiries, submissions
from revcycle_adjudication_gateway.use_cases.inquire_status import request_inquiries
from revcycle_adjudication_gateway.use_cases.resolve_submission import resolve_submission

_NO_SUBMISSION = "no such submission"


def router(policy: SendingPolicy) -> APIRouter:
    """The routes; a person's decision is scheduled by the same policy as everything else."""
    routes = APIRouter(prefix="/v1", tags=["submissions"])

    @routes.get("/submissions", summary="Submissions, newest first")
    async def list_submissions(
        uow: ReadUnitOfWork,
        page: PageParameters,
        state: Sending | None = None,
        answer: Answer | None = None,
        payer_id: Annotated[str | None, Query(max_length=80)] = None,
        claim_id: UUID | None = None,
        patient_control_number: Annotated[str | None, Query(max_length=38)] = None,
    ) -> Page[SubmissionView]:
        """`state=unknown`: may or may not have arrived; resolved by an answer, an inquiry or a named person."""
        filters = chosen(
            sending=state,
            answer=answer,
            payer_id=payer_id,
            claim_id=claim_id,
            patient_control_number=patient_control_number,
        )
        rows = await submissions.page(uow, filters, after=after(page, UUID), limit=page.fetch_limit)
        return page.of([SubmissionView.of(row) for row in rows], position=lambda view: (view.submission_id,))

    @routes.get("/submissions/{submission_id}", summary="One submission")
    async def get_submission(submission_id: UUID, uow: ReadUnitOfWork) -> SubmissionView:
        """Where its bytes are, and how far the payer's answer has come."""
        return await _view(uow, submission_id)

    @routes.post(
        "/submissions/{submission_id}:resolve", summary="Decide what is unknown", response_model=SubmissionView
    )
    async def resolve(submission_id: UUID, body: ResolveBody, request: Request, caller: CurrentCaller) -> Response:
        """Say whether the bytes arrived; recorded with your name. It decides about the whole interchange.

        `not_sent` sends the same bytes once more, under the same control numbers: ask the payer first.
        """

        async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
            try:
                found = await resolve_submission(uow, cause, submission_id, body.resolution, body.reason, policy)
            except NotUnknown as error:
                raise Conflict(
                    f"the submission is {error.state}: only an unknown one is decided by a person", code="not_unknown"
                ) from None
            if not found:
                raise NotFound(_NO_SUBMISSION)
            return Reply(200, await _view(uow, submission_id))

        return await run_command(request, caller, use_case)

    _add_status_inquiries(routes)
    return routes


def _add_status_inquiries(routes: APIRouter) -> None:
    """Questions to payers: anyone who works on claims may ask."""

    @routes.post("/status-inquiries", summary="Ask the payer", status_code=202, response_model=QueuedInquiries)
    async def ask(body: StatusInquiryBody, request: Request, caller: CurrentCaller) -> Response:
        """A 276 goes out on the route of each submission; the answers appear here and at the submission."""

        async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
            asked = await _ask(uow, cause, body.submission_ids)
            return Reply(202, asked)

        return await run_command(request, caller, use_case)

    @routes.get("/status-inquiries", summary="Questions and answers, newest first")
    async def list_inquiries(
        uow: ReadUnitOfWork, page: PageParameters, submission_id: UUID | None = None
    ) -> Page[StatusInquiryView]:
        """Those of the gateway (about what is unknown) and those of people."""
        rows = await inquiries.page(
            uow, chosen(submission_id=submission_id), after=after(page, str), limit=page.fetch_limit
        )
        views = [StatusInquiryView.model_validate(dict(row)) for row in rows]
        return page.of(views, position=lambda view: (view.trace,))


async def _view(uow: UnitOfWork, submission_id: UUID) -> SubmissionView:
    row = await submissions.get(uow, submission_id)
    if row is None:
        raise NotFound(_NO_SUBMISSION)
    return SubmissionView.of(row)


async def _ask(uow: UnitOfWork, cause: Cause, submission_ids: list[UUID]) -> QueuedInquiries:
    wanted = list(dict.fromkeys(submission_ids))
    payers = await submissions.payers(uow, wanted)
    missing = [position for position, each in enumerate(submission_ids) if each not in payers]
    if missing:
        raise Unprocessable(
            "some submissions are not known",
            errors=tuple(
                FieldError(
                    field=f"submission_ids[{position}]",
                    rule="known_submission",
                    message="no such submission",
                    expected="an id from GET /v1/submissions",
                )
                for position in missing
            ),
        )
    planned = await request_inquiries(uow, cause, [(each, payers[each]) for each in wanted], requested_by=cause.actor)
    return QueuedInquiries(items=[StatusInquiryView.queued(each, cause.now) for each in planned])
