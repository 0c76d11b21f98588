"""Encounter files that were refused: what they called themselves and why, never what they said."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import asyncpg
import orjson
from revcycle_messaging import Cause, UnitOfWork

from revcycle_registration.domain.findings import Finding


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused file: facility and number as far as they could be read, the hash of its content, all that was wrong."""

    facility_npi: str | None
    encounter_number: str | None
    content_sha256: str
    errors: tuple[Finding, ...]


async def keep(uow: UnitOfWork, cause: Cause, refusals: Sequence[Refusal]) -> None:
    """Keep refused files to be looked at; the same file refused again counts up."""
    # One statement may touch a row once only, and two requests lock rows in one order.
    distinct = sorted({each.content_sha256: each for each in refusals}.values(), key=lambda each: each.content_sha256)
    if not distinct:
        return
    await uow.execute(
        """
        INSERT INTO registration.intake_refusal AS r
            (id, facility_npi, encounter_number, content_sha256, errors, first_refused_at, last_refused_at)
        SELECT id, facility_npi, encounter_number, content_sha256, errors::jsonb, $1, $1
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
            AS f (id, facility_npi, encounter_number, content_sha256, errors)
        ON CONFLICT (tenant_id, content_sha256)
        DO UPDATE SET times = r.times + 1, errors = excluded.errors, last_refused_at = excluded.last_refused_at
        """,
        cause.now,
        [cause.derive("intake-refusal", index) for index in range(len(distinct))],
        [each.facility_npi for each in distinct],
        [each.encounter_number for each in distinct],
        [each.content_sha256 for each in distinct],
        [orjson.dumps([asdict(error) for error in each.errors]).decode() for each in distinct],
    )


async def page(uow: UnitOfWork, after: UUID | None, limit: int) -> "list[asyncpg.Record]":
    """Refusals in the order they first came."""
    return await uow.fetch(
        """
        SELECT id, facility_npi, encounter_number, errors, times, first_refused_at, last_refused_at
        FROM registration.intake_refusal WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        after,
        limit,
    )
