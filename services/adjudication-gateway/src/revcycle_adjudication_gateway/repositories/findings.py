"""What came of answers: acknowledgments, exceptions for people, and what people decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from asyncpg import Record
from revcycle_messaging import UnitOfWork

from revcycle_adjudication_gateway.repositories.paging import select_page


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """One answer about an interchange or a claim: TA1, 999, 277CA or 277. ``codes`` in the payer's notation."""

    acknowledgment_id: UUID
    kind: str
    received_in: UUID
    interchange_id: UUID | None
    submission_id: UUID | None
    verdict: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExceptionItem:
    """Something no rule settles. ``reference`` is a control number or id; ``remedy`` says what to do next. No PHI."""

    exception_id: UUID
    kind: str
    payer_id: str
    reference: str
    detail: str
    remedy: str
    interchange_id: UUID | None = None
    submission_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a named person decided about an unknown transmission."""

    resolution_id: UUID
    submission_id: UUID
    interchange_id: UUID
    attempt: int
    resolution: str
    reason: str
    resolved_by: str


async def insert_acknowledgments(
    uow: UnitOfWork, payer_id: str, new: Sequence[Acknowledgment], *, at: datetime
) -> None:
    """Keep what the payer acknowledged."""
    if not new:
        return
    await uow.execute(
        """
        INSERT INTO gateway.acknowledgment (acknowledgment_id, kind, payer_id, received_in, interchange_id,
            submission_id, verdict, codes, received_at)
        SELECT acknowledgment_id, kind, $8, received_in, interchange_id, submission_id, verdict, codes::jsonb, $9
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[])
            AS new (acknowledgment_id, kind, received_in, interchange_id, submission_id, verdict, codes)
        """,
        [each.acknowledgment_id for each in new],
        [each.kind for each in new],
        [each.received_in for each in new],
        [each.interchange_id for each in new],
        [each.submission_id for each in new],
        [each.verdict for each in new],
        [orjson.dumps(each.codes).decode() for each in new],
        payer_id,
        at,
    )


async def insert_exceptions(uow: UnitOfWork, new: Sequence[ExceptionItem], *, at: datetime) -> None:
    """Open exceptions for people."""
    if not new:
        return
    await uow.execute(
        """
        INSERT INTO gateway.exception_item (exception_id, kind, payer_id, reference, detail, remedy, interchange_id,
            submission_id, opened_at)
        SELECT exception_id, kind, payer_id, reference, detail, remedy, interchange_id, submission_id, $9
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[])
            AS new (exception_id, kind, payer_id, reference, detail, remedy, interchange_id, submission_id)
        ON CONFLICT DO NOTHING
        """,
        [each.exception_id for each in new],
        [each.kind for each in new],
        [each.payer_id for each in new],
        [each.reference for each in new],
        [each.detail for each in new],
        [each.remedy for each in new],
        [each.interchange_id for each in new],
        [each.submission_id for each in new],
        at,
    )


async def insert_resolution(uow: UnitOfWork, new: Resolution, *, at: datetime) -> None:
    """Record a person's decision: it is what a second arrival would have to be explained by."""
    await uow.execute(
        """
        INSERT INTO gateway.resolution (resolution_id, submission_id, interchange_id, attempt, resolution, reason,
            resolved_by, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        new.resolution_id,
        new.submission_id,
        new.interchange_id,
        new.attempt,
        new.resolution,
        new.reason,
        new.resolved_by,
        at,
    )


async def acknowledgments(
    uow: UnitOfWork, filters: Mapping[str, object], *, after: UUID | None, limit: int
) -> list[Record]:
    """Acknowledgments by filter (column name to value), newest first."""
    return await select_page(
        uow,
        """
        SELECT acknowledgment_id, kind, payer_id, received_in, interchange_id, submission_id, verdict, codes,
            received_at
        FROM gateway.acknowledgment
        """,
        order="acknowledgment_id",
        order_type="uuid",
        filters=filters,
        after=after,
        limit=limit,
    )


async def exceptions(uow: UnitOfWork, filters: Mapping[str, object], *, after: UUID | None, limit: int) -> list[Record]:
    """Exceptions by filter (column name to value), newest first."""
    return await select_page(
        uow,
        """
        SELECT exception_id, kind, payer_id, reference, detail, remedy, interchange_id, submission_id, opened_at
        FROM gateway.exception_item
        """,
        order="exception_id",
        order_type="uuid",
        filters=filters,
        after=after,
        limit=limit,
    )
