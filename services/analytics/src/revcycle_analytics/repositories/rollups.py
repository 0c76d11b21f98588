"""The rollup table: exact sums per measure, day, payer and CARC."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_analytics.domain.measures import Place, Sums


async def _one_writer(uow: UnitOfWork) -> None:
    """Let one transaction of a tenant write at a time.

    A chunk's handlers write one after the other in one transaction, so key order within each is not enough to keep
    two members from waiting for each other crosswise.
    """
    await uow.execute("SELECT pg_advisory_xact_lock(hashtext('analytics.rollup'), hashtext($1))", str(uow.tenant_id))


async def add(uow: UnitOfWork, sums: Sums) -> None:
    """Add to the sums."""
    rows = sorted((place, value) for place, value in sums.items() if value)
    if not rows:
        return
    await _one_writer(uow)
    await uow.execute(
        """
        INSERT INTO analytics.rollup AS r (measure, day, payer_id, carc, value)
        SELECT * FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::bigint[])
        ON CONFLICT (tenant_id, measure, day, payer_id, carc) DO UPDATE SET value = r.value + excluded.value
        """,
        [place.measure for place, _ in rows],
        [place.day for place, _ in rows],
        [place.payer_id for place, _ in rows],
        [place.carc for place, _ in rows],
        [value for _, value in rows],
    )


async def read(uow: UnitOfWork, first: date | None, last: date | None, payer_id: str | None) -> list[tuple[Place, int]]:
    """All sums of a period, optionally of one payer."""
    rows = await uow.fetch(
        """
        SELECT measure, day, payer_id, carc, value FROM analytics.rollup
        WHERE ($1::date IS NULL OR day >= $1) AND ($2::date IS NULL OR day <= $2)
            AND ($3::text IS NULL OR payer_id = $3)
        ORDER BY measure, day, payer_id, carc
        """,
        first,
        last,
        payer_id,
    )
    return [(Place(row["measure"], row["day"], row["payer_id"], row["carc"]), row["value"]) for row in rows]


async def note_first_answers(uow: UnitOfWork, claim_ids: Sequence[UUID]) -> set[UUID]:
    """Remember that these claims were answered; returns those whose answer this is the first of."""
    await _one_writer(uow)
    rows = await uow.fetch(
        """
        INSERT INTO analytics.answered_claim (claim_id) SELECT DISTINCT claim_id FROM unnest($1::uuid[]) AS c (claim_id)
        ORDER BY claim_id ON CONFLICT DO NOTHING RETURNING claim_id
        """,
        list(claim_ids),
    )
    return {row["claim_id"] for row in rows}
