"""Asks the payer what became of submissions (276). Questions are reads: they may be put again at any time."""

from collections.abc import Sequence
from uuid import UUID

from revcycle_edi.x12 import build_276
from revcycle_messaging import Cause, UnitOfWork

from revcycle_adjudication_gateway.domain.claim_writing import status_inquiry
from revcycle_adjudication_gateway.domain.delivery import DoorAnswer
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.references import reference_number
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import Outcome, Sending, Transmission
from revcycle_adjudication_gateway.repositories import findings, inquiries, interchanges, routes, submissions
from revcycle_adjudication_gateway.repositories.findings import ExceptionItem
from revcycle_adjudication_gateway.repositories.inquiries import Inquiry
from revcycle_adjudication_gateway.repositories.interchanges import CLAIMS_837P, INQUIRY_276, Delivery, Outbound
from revcycle_adjudication_gateway.use_cases.send_interchange import SUBMITTER_NAME, envelope_of

GATEWAY = "gateway"
_UNKNOWN_PER_SWEEP = 20


async def plan_inquiries(uow: UnitOfWork, cause: Cause, policy: SendingPolicy) -> int:
    """Queue a question for every claim of the unknown transmissions that are due; returns how many questions."""
    due = await interchanges.due(uow, Sending.UNKNOWN, cause.now, kind=CLAIMS_837P, limit=_UNKNOWN_PER_SWEEP)
    transmissions = await interchanges.lock_transmissions(uow, [interchange_id for interchange_id, _, _ in due])
    planned: list[Inquiry] = []
    for interchange_id, _, asked in due:
        transmission = transmissions[interchange_id]
        planned.extend(_questions(transmission, cause, len(planned)))
        await interchanges.count_inquiry(uow, interchange_id, next_at=policy.next_inquiry(asked + 1, cause.now))
        if asked + 1 == policy.inquiries_before_alarm:
            await findings.insert_exceptions(uow, [_unresolved(transmission, cause)], at=cause.now)
    if planned:
        await inquiries.insert(uow, planned, at=cause.now)
    return len(planned)


async def request_inquiries(
    uow: UnitOfWork, cause: Cause, wanted: Sequence[tuple[UUID, str]], *, requested_by: str
) -> list[Inquiry]:
    """Queue a person's questions about submissions (id, payer). Whatever the answer, it permits no second sending."""
    planned = [
        Inquiry(reference_number(cause.derive("inquiry", ordinal)), submission_id, payer_id, None, 0, requested_by)
        for ordinal, (submission_id, payer_id) in enumerate(wanted)
    ]
    await inquiries.insert(uow, planned, at=cause.now)
    return planned


async def open_inquiry(uow: UnitOfWork, cause: Cause, route: Route, policy: SendingPolicy) -> Delivery | None:
    """Write the queued questions of a route into one 276 and commit to sending it; None when nothing is queued."""
    taken = await inquiries.take_queued(uow, route.payer_id, limit=policy.claims_per_inquiry)
    if not taken:
        return None
    claims = await submissions.claims(uow, [submission_id for _, submission_id in taken])
    interchange_id = cause.derive("interchange")
    envelope = envelope_of(route, await routes.next_control_number(uow, route), cause)
    reference = reference_number(interchange_id)
    questions = [
        status_inquiry(claims[submission_id], trace, SUBMITTER_NAME, route.sender_id) for trace, submission_id in taken
    ]
    new = Outbound(
        interchange_id=interchange_id,
        kind=INQUIRY_276,
        route=route,
        raw=build_276(envelope, reference, questions),
        control_number=envelope.control_number,
        batch_reference=reference,
        claim_count=len(taken),
    )
    delivery = await interchanges.insert_outbound(uow, new, at=cause.now, lease_until=policy.lease_until(cause.now))
    await inquiries.mark_asked(uow, [trace for trace, _ in taken], asked_in=interchange_id, route=route)
    return delivery


async def settle_inquiry(uow: UnitOfWork, cause: Cause, delivery: Delivery, answer: DoorAnswer) -> None:
    """Write what became of a 276. It is never sent again: a new question is put when the answer stays away."""
    if answer.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
        await inquiries.mark_failed(uow, delivery.interchange_id)
    await interchanges.settle_attempt(
        uow,
        delivery.interchange_id,
        delivery.attempt,
        outcome=answer.outcome,
        http_status=answer.http_status,
        detail=answer.detail,
        at=cause.now,
    )
    await interchanges.set_state(
        uow, delivery.interchange_id, _INQUIRY_STATES[answer.outcome], next_at=None, at=cause.now
    )


_INQUIRY_STATES = {
    Outcome.TAKEN: Sending.SENT,
    Outcome.REFUSED: Sending.REFUSED,
    Outcome.NOT_SENT: Sending.NOT_SENT,
    Outcome.UNKNOWN: Sending.UNKNOWN,
}


def _questions(transmission: Transmission, cause: Cause, first: int) -> list[Inquiry]:
    open_members = [member for member in transmission.submissions if member.absent_attempt != transmission.attempt]
    return [
        Inquiry(
            trace=reference_number(cause.derive("inquiry", first + ordinal)),
            submission_id=member.submission_id,
            payer_id=transmission.payer_id,
            asked_about=transmission.interchange_id,
            attempt=transmission.attempt,
            requested_by=GATEWAY,
        )
        for ordinal, member in enumerate(open_members)
    ]


def _unresolved(transmission: Transmission, cause: Cause) -> ExceptionItem:
    return ExceptionItem(
        exception_id=cause.derive(f"unresolved:{transmission.interchange_id}"),
        kind="unresolved",
        payer_id=transmission.payer_id,
        reference=transmission.control_number,
        detail=f"the payer does not answer whether the interchange arrived (attempt {transmission.attempt})",
        remedy="ask the payer, then decide with POST /v1/submissions/{id}:resolve",
        interchange_id=transmission.interchange_id,
    )
