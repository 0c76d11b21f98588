"""Intent, bytes, outcome: the two transactions around a delivery.

First the interchange is committed with its control numbers, its bytes and its attempt; then the bytes leave (not
here); then what came of it is written. Between the two anything may die: the attempt's lease then runs out and the
transmission is unknown.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from revcycle_edi.x12 import X12Error, build_837p
from revcycle_edi.x12.records import Envelope, ProfessionalClaim, SubmissionHeader
from revcycle_events import ClaimSubmitted, Event
from revcycle_messaging import Cause, UnitOfWork

from revcycle_adjudication_gateway.domain.claim_writing import professional_claim
from revcycle_adjudication_gateway.domain.delivery import DoorAnswer
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.references import reference_number
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import (
    Outcome,
    Sending,
    Submission,
    lose_worker,
    refuse_unwritable,
    send_again,
    settle,
)
from revcycle_adjudication_gateway.repositories import findings, interchanges, routes, submissions
from revcycle_adjudication_gateway.repositories.findings import ExceptionItem
from revcycle_adjudication_gateway.repositories.interchanges import CLAIMS_837P, INQUIRY_276, Delivery, Outbound
from revcycle_adjudication_gateway.use_cases.record_decisions import publish, record_decision

SUBMITTER_NAME = "REVCYCLE"
"""The name in NM1*41; the submitter's id is the route's sender id."""

_EXPIRED_PER_SWEEP = 50


async def open_delivery(uow: UnitOfWork, cause: Cause, route: Route, policy: SendingPolicy) -> Delivery | None:
    """Commit to the next delivery on a route: bytes that are definitely not there go before new batches.

    None: nothing is due. A disabled route opens nothing.
    """
    if not route.enabled:
        return None
    again = await _send_again(uow, cause, route, policy)
    return again or await _open_batch(uow, cause, route, policy)


async def settle_delivery(
    uow: UnitOfWork, cause: Cause, delivery: Delivery, answer: DoorAnswer, policy: SendingPolicy
) -> None:
    """Write what a delivery came to; an answer of the payer or a lost lease may have said so already."""
    await interchanges.settle_attempt(
        uow,
        delivery.interchange_id,
        delivery.attempt,
        outcome=answer.outcome,
        http_status=answer.http_status,
        detail=answer.detail,
        at=cause.now,
    )
    transmission = (await interchanges.lock_transmissions(uow, [delivery.interchange_id]))[delivery.interchange_id]
    codes = (f"http-{answer.http_status}",) if answer.http_status else ()
    decision = settle(transmission, delivery.attempt, answer.outcome, codes)
    await record_decision(uow, cause, transmission.state, decision, policy)
    item = _exception(cause, delivery, answer, policy)
    if item is not None:
        await findings.insert_exceptions(uow, [item], at=cause.now)


async def expire_deliveries(uow: UnitOfWork, cause: Cause, policy: SendingPolicy) -> int:
    """Deliveries whose worker is gone are unknown: the bytes may have left. Returns how many there were."""
    questions = await interchanges.due(uow, Sending.INTENT, cause.now, kind=INQUIRY_276, limit=_EXPIRED_PER_SWEEP)
    for interchange_id, _, _ in questions:
        await interchanges.set_state(uow, interchange_id, Sending.UNKNOWN, next_at=None, at=cause.now)
    expired = await interchanges.due(uow, Sending.INTENT, cause.now, kind=CLAIMS_837P, limit=_EXPIRED_PER_SWEEP)
    transmissions = await interchanges.lock_transmissions(uow, [interchange_id for interchange_id, _, _ in expired])
    for transmission in transmissions.values():
        await interchanges.settle_attempt(
            uow,
            transmission.interchange_id,
            transmission.attempt,
            outcome=Outcome.UNKNOWN,
            http_status=None,
            detail="worker-lost",
            at=cause.now,
        )
        await record_decision(uow, cause, transmission.state, lose_worker(transmission), policy)
    return len(transmissions)


async def _send_again(uow: UnitOfWork, cause: Cause, route: Route, policy: SendingPolicy) -> Delivery | None:
    row = await interchanges.take_resendable(uow, route.payer_id, cause.now)
    if row is None:
        return None
    transmission = (await interchanges.lock_transmissions(uow, [row["interchange_id"]]))[row["interchange_id"]]
    again = send_again(transmission)
    await submissions.save(uow, again.submissions, at=cause.now)
    return await interchanges.begin_attempt(
        uow,
        again.interchange_id,
        CLAIMS_837P,
        route,
        attempt=again.attempt,
        raw=bytes(row["raw"]),
        at=cause.now,
        lease_until=policy.lease_until(cause.now),
    )


async def _open_batch(uow: UnitOfWork, cause: Cause, route: Route, policy: SendingPolicy) -> Delivery | None:
    queued = await submissions.take_queued(
        uow,
        route.payer_id,
        limit=route.max_claims_per_interchange,
        flush_before=policy.flush_before(cause.now),
    )
    if not queued:
        return None
    interchange_id = cause.derive("interchange")
    envelope = envelope_of(route, await routes.next_control_number(uow, route), cause)
    header = SubmissionHeader(
        reference=reference_number(interchange_id),
        submitter_name=SUBMITTER_NAME,
        submitter_id=route.sender_id,
        receiver_name=queued[0][1].payer_name,
        receiver_id=route.receiver_id,
        contact_name="EDI DESK",
        contact_phone="5550100000",
    )
    raw, written, refused = await asyncio.to_thread(_write, envelope, header, queued)
    await submissions.save(uow, [submission for submission, _ in refused], at=cause.now)
    publish(uow, cause, refused)
    if not written:
        return None
    delivery = await interchanges.insert_outbound(
        uow,
        Outbound(
            interchange_id=interchange_id,
            kind=CLAIMS_837P,
            route=route,
            raw=raw,
            control_number=envelope.control_number,
            batch_reference=header.reference,
            claim_count=len(written),
        ),
        at=cause.now,
        lease_until=policy.lease_until(cause.now),
    )
    bound = [replace(each, sending=Sending.INTENT, interchange_id=interchange_id) for each in written]
    await submissions.save(uow, bound, at=cause.now)
    return delivery


def envelope_of(route: Route, control_number: int, cause: Cause) -> Envelope:
    """ISA and GS of what leaves on a route."""
    return Envelope(
        sender_id=route.sender_id,
        receiver_id=route.receiver_id,
        control_number=control_number,
        created_at=cause.now,
        usage="P" if route.usage_indicator == "P" else "T",
    )


def _write(
    envelope: Envelope, header: SubmissionHeader, queued: Sequence[tuple[Submission, ClaimSubmitted]]
) -> tuple[bytes, list[Submission], list[tuple[Submission, Event]]]:
    """Bytes of a batch, the submissions in it, and those that cannot be written, each refused on its own."""
    claims = [(submission, professional_claim(claim)) for submission, claim in queued]
    try:
        return build_837p(envelope, header, [claim for _, claim in claims]), [each for each, _ in claims], []
    except X12Error:
        pass
    written: list[tuple[Submission, ProfessionalClaim]] = []
    refused: list[tuple[Submission, Event]] = []
    for submission, claim in claims:
        try:
            build_837p(envelope, header, [claim])
            written.append((submission, claim))
        except X12Error as error:
            answered = refuse_unwritable(submission, error.rule)
            assert answered.event is not None, "a refusal is announced"
            refused.append((answered.submission, answered.event))
    raw = build_837p(envelope, header, [claim for _, claim in written]) if written else b""
    return raw, [each for each, _ in written], refused


def _exception(cause: Cause, delivery: Delivery, answer: DoorAnswer, policy: SendingPolicy) -> ExceptionItem | None:
    if answer.outcome is Outcome.REFUSED:
        kind = "refused_at_door"
        detail = f"the payer's door refused the interchange: {answer.detail}"
        remedy = "look at the raw interchange, correct its claims and submit them anew"
    elif answer.outcome is Outcome.NOT_SENT and delivery.attempt == policy.attempts_before_alarm:
        kind = "route_not_answering"
        detail = f"{delivery.attempt} attempts reached nobody: {answer.detail}"
        remedy = "check base_url and certificate of the route; the same bytes go again by themselves"
    else:
        return None
    return ExceptionItem(
        exception_id=cause.derive("exception"),
        kind=kind,
        payer_id=delivery.payer_id,
        reference=str(delivery.interchange_id),
        detail=detail,
        remedy=remedy,
        interchange_id=delivery.interchange_id,
    )
