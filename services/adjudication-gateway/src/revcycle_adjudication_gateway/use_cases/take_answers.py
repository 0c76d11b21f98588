"""Keeps what a payer sends, then reads it: first durable, then acknowledged to the payer, then understood."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork

from revcycle_adjudication_gateway.domain.inbound import Malformed, Reading
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.repositories import findings, interchanges
from revcycle_adjudication_gateway.repositories.findings import ExceptionItem
from revcycle_adjudication_gateway.repositories.interchanges import Inbound, Stored, Unread
from revcycle_adjudication_gateway.use_cases.answers import open_desk
from revcycle_adjudication_gateway.use_cases.read_acknowledgments import (
    read_claim_report,
    read_implementation_acknowledgment,
    read_interchange_acknowledgment,
)
from revcycle_adjudication_gateway.use_cases.read_remittances import read_remittances
from revcycle_adjudication_gateway.use_cases.read_status_answers import read_status_answers

PROCESSED = "processed"
MALFORMED = "malformed"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Came:
    """Bytes that came, and from where: ``mailbox`` or the subject of the person who dropped the file."""

    raw: bytes
    source: str


async def keep_inbound(uow: UnitOfWork, cause: Cause, payer_id: str, came: Sequence[Came]) -> list[Stored]:
    """Store bytes as they came. The same bytes on the same route are one interchange, however often they come."""
    inbound = [
        Inbound(_content_cause(cause, payer_id, each.raw).derive("inbound"), payer_id, each.raw, each.source, cause.now)
        for each in came
    ]
    return await interchanges.insert_inbound(uow, inbound)


async def read_inbound(uow: UnitOfWork, unread: Unread, understood: Reading | Malformed, policy: SendingPolicy) -> None:
    """Work off one inbound interchange, whole or not at all. Its own id and time are the cause of what follows."""
    if not await interchanges.lock_unread(uow, unread.interchange_id):
        return
    cause = inbound_cause(uow.tenant_id, unread)
    if isinstance(understood, Malformed):
        await _keep_malformed(uow, cause, unread, understood)
        return
    desk = await open_desk(uow, cause, unread.payer_id, unread.interchange_id, understood)
    for interchange_acknowledgment in understood.interchange_acknowledgments:
        read_interchange_acknowledgment(desk, interchange_acknowledgment)
    for implementation_acknowledgment in understood.implementation_acknowledgments:
        read_implementation_acknowledgment(desk, implementation_acknowledgment)
    for report in understood.claim_reports:
        read_claim_report(desk, report)
    read_status_answers(desk, [answer for each in understood.status_answers for answer in each.answers])
    if understood.remittances:
        await read_remittances(uow, desk, understood.remittances, hashlib.sha256(unread.raw).hexdigest())
    await desk.write(uow, policy)
    await interchanges.finish_inbound(
        uow,
        unread.interchange_id,
        state=PROCESSED,
        kind=understood.kind,
        control_number=understood.control_number,
        finding=None,
        at=cause.now,
    )


def _content_cause(cause: Cause, payer_id: str, raw: bytes) -> Cause:
    """The same bytes on the same route are the same cause, whoever fetched them."""
    return replace(cause, id=UUID(bytes=hashlib.sha256(payer_id.encode() + raw).digest()[:16]))


def inbound_cause(tenant_id: UUID, unread: Unread) -> Cause:
    """What follows from an inbound interchange follows from its content and the time it came."""
    return Cause(tenant_id, unread.interchange_id, unread.received_at, f"payer:{unread.payer_id}")


async def _keep_malformed(uow: UnitOfWork, cause: Cause, unread: Unread, malformed: Malformed) -> None:
    finding = malformed.finding
    await interchanges.finish_inbound(
        uow,
        unread.interchange_id,
        state=MALFORMED,
        kind=UNREADABLE,
        control_number=None,
        finding=finding,
        at=cause.now,
    )
    item = ExceptionItem(
        exception_id=cause.derive("exception"),
        kind=MALFORMED,
        payer_id=unread.payer_id,
        reference=str(unread.interchange_id),
        detail=f"{finding['rule']} at segment {finding['segment_number']}, byte {finding['byte_offset']}",
        remedy="the bytes are kept; ask the payer to send this answer again, well-formed",
        interchange_id=unread.interchange_id,
    )
    await findings.insert_exceptions(uow, [item], at=cause.now)
