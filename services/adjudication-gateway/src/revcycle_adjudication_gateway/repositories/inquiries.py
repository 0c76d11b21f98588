"""Questions about submissions (276) and what the payer answered (277)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record
from revcycle_messaging import UnitOfWork

from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.repositories.paging import select_page


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question. ``attempt``: the delivery of ``asked_about`` after which it was put; 0 permits no conclusion."""

    trace: str
    submission_id: UUID
    payer_id: str
    asked_about: UUID | None
    attempt: int
    requested_by: str


@dataclass(frozen=True, slots=True)
class InquiryAnswer:
    """What a 277 said to one question."""

    trace: str
    finding: str
    category: str
    status: str


async def insert(uow: UnitOfWork, new: Sequence[Inquiry], *, at: datetime) -> None:
    """Queue questions to be asked."""
    await uow.execute(
        """
        INSERT INTO gateway.inquiry (trace, submission_id, payer_id, asked_about, attempt, state, requested_by,
            created_at)
        SELECT trace, submission_id, payer_id, asked_about, attempt, 'queued', requested_by, $7
        FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::integer[], $6::text[])
            AS new (trace, submission_id, payer_id, asked_about, attempt, requested_by)
        """,
        [each.trace for each in new],
        [each.submission_id for each in new],
        [each.payer_id for each in new],
        [each.asked_about for each in new],
        [each.attempt for each in new],
        [each.requested_by for each in new],
        at,
    )


async def take_queued(uow: UnitOfWork, payer_id: str, *, limit: int) -> list[tuple[str, UUID]]:
    """Lock queued questions of a route: trace and submission."""
    rows = await uow.fetch(
        """
        SELECT trace, submission_id FROM gateway.inquiry WHERE state = 'queued' AND payer_id = $1
        ORDER BY created_at, trace LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        payer_id,
        limit,
    )
    return [(row["trace"], row["submission_id"]) for row in rows]


async def mark_asked(uow: UnitOfWork, traces: Sequence[str], *, asked_in: UUID, route: Route) -> None:
    """These questions stand in this 276, put on this route.

    A question put at another door, or under another name, than the delivery it is about permits no conclusion.
    """
    await uow.execute(
        """
        UPDATE gateway.inquiry AS q SET state = 'asked', asked_in = $2, attempt = coalesce((
            SELECT a.attempt FROM gateway.interchange AS i JOIN gateway.attempt AS a USING (tenant_id, interchange_id)
            WHERE i.interchange_id = q.asked_about AND a.attempt = q.attempt
                AND i.sender_id = $3 AND i.receiver_id = $4 AND a.base_url = $5), 0)
        WHERE trace = ANY($1::text[])
        """,
        list(traces),
        asked_in,
        route.sender_id,
        route.receiver_id,
        route.base_url,
    )


async def mark_failed(uow: UnitOfWork, asked_in: UUID) -> None:
    """The 276 reached nobody: its questions were not put."""
    await uow.execute("UPDATE gateway.inquiry SET state = 'failed' WHERE asked_in = $1 AND state = 'asked'", asked_in)


async def find(uow: UnitOfWork, traces: Sequence[str]) -> dict[str, Inquiry]:
    """Questions by trace (TRN02)."""
    rows = await uow.fetch(
        """
        SELECT trace, submission_id, payer_id, asked_about, attempt, requested_by FROM gateway.inquiry
        WHERE trace = ANY($1::text[])
        """,
        list(traces),
    )
    return {row["trace"]: Inquiry(**row) for row in rows}


async def record_answers(uow: UnitOfWork, answers: Sequence[InquiryAnswer], *, at: datetime) -> None:
    """Write what the payer said; said twice, the last word stands."""
    if not answers:
        return
    await uow.execute(
        """
        UPDATE gateway.inquiry AS i SET state = 'answered', finding = said.finding, category = said.category,
            status = said.status, answered_at = $5
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS said (trace, finding, category, status)
        WHERE i.trace = said.trace
        """,
        [each.trace for each in answers],
        [each.finding for each in answers],
        [each.category for each in answers],
        [each.status for each in answers],
        at,
    )


async def page(uow: UnitOfWork, filters: Mapping[str, object], *, after: str | None, limit: int) -> list[Record]:
    """Questions by filter (column name to value), newest first (traces are ordered by time)."""
    return await select_page(
        uow,
        """
        SELECT trace, submission_id, payer_id, asked_about, asked_in, state, finding, category, status, requested_by,
            created_at, answered_at
        FROM gateway.inquiry
        """,
        order="trace",
        order_type="text",
        filters=filters,
        after=after,
        limit=limit,
    )
