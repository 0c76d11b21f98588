"""Remittances: published once, or held with the equations that fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import orjson
from asyncpg import Record
from revcycle_events import ProviderAdjustment, RemittedClaim
from revcycle_messaging import UnitOfWork

from revcycle_adjudication_gateway.domain.remittance import FailingEquation, PaymentKey
from revcycle_adjudication_gateway.repositories.paging import select_page

PUBLISHED = "published"
HELD = "held"

_SHOWN = """
    remittance_id, state, identity_key, payer_id, trace_number, payment_date, payment_method, paid_cents,
    interchange_id, copies, failing, jsonb_array_length(claims) AS claim_count, received_at
"""


@dataclass(frozen=True, slots=True)
class StoredRemittance:
    """An 835 (one ST) as it is kept, whole."""

    remittance_id: UUID
    state: str
    identity_key: str
    payer_id: str
    trace_number: str
    payment_date: date
    payment_method: str
    paid_cents: int
    interchange_id: UUID
    failing: tuple[FailingEquation, ...]
    claims: Sequence[RemittedClaim]
    provider_adjustments: Sequence[ProviderAdjustment]


async def count_copies(uow: UnitOfWork, identity_keys: Sequence[str]) -> set[str]:
    """Count one copy more of those already here; returns their identity keys."""
    rows = await uow.fetch(
        """
        UPDATE gateway.remittance SET copies = copies + 1 WHERE identity_key = ANY($1::text[]) RETURNING identity_key
        """,
        list(identity_keys),
    )
    return {row["identity_key"] for row in rows}


async def published_payments(uow: UnitOfWork, keys: Sequence[PaymentKey]) -> set[PaymentKey]:
    """Those of these payments that a published remittance already advised."""
    rows = await uow.fetch(
        """
        SELECT DISTINCT payer_id, trace_number, payment_date::text AS payment_date, paid_cents FROM gateway.remittance
        JOIN unnest($1::text[], $2::text[], $3::date[], $4::bigint[])
            AS wanted (payer_id, trace_number, payment_date, paid_cents)
            USING (payer_id, trace_number, payment_date, paid_cents)
        WHERE state = 'published'
        """,
        [key.payer_id for key in keys],
        [key.trace_number for key in keys],
        [date.fromisoformat(key.payment_date) for key in keys],
        [key.paid_cents for key in keys],
    )
    return {PaymentKey(**row) for row in rows}


async def insert(uow: UnitOfWork, new: Sequence[StoredRemittance], *, at: datetime) -> None:
    """Keep remittances whole."""
    if not new:
        return
    await uow.execute(
        """
        INSERT INTO gateway.remittance (remittance_id, state, identity_key, payer_id, trace_number, payment_date,
            payment_method, paid_cents, interchange_id, failing, claims, provider_adjustments, received_at)
        SELECT remittance_id, state, identity_key, payer_id, trace_number, payment_date,
            payment_method, paid_cents, interchange_id, failing::jsonb, claims::jsonb, provider_adjustments::jsonb, $13
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::bigint[],
                $9::uuid[], $10::text[], $11::text[], $12::text[])
            AS new (remittance_id, state, identity_key, payer_id, trace_number, payment_date, payment_method,
                paid_cents, interchange_id, failing, claims, provider_adjustments)
        """,
        [each.remittance_id for each in new],
        [each.state for each in new],
        [each.identity_key for each in new],
        [each.payer_id for each in new],
        [each.trace_number for each in new],
        [each.payment_date for each in new],
        [each.payment_method for each in new],
        [each.paid_cents for each in new],
        [each.interchange_id for each in new],
        [orjson.dumps([equation.as_json() for equation in each.failing]).decode() for each in new],
        [orjson.dumps([claim.model_dump(mode="json") for claim in each.claims]).decode() for each in new],
        [orjson.dumps([plb.model_dump(mode="json") for plb in each.provider_adjustments]).decode() for each in new],
        at,
    )


async def page(uow: UnitOfWork, filters: Mapping[str, object], *, after: UUID | None, limit: int) -> list[Record]:
    """Remittances by filter (column name to value), newest first; without their claims."""
    return await select_page(
        uow,
        f"SELECT {_SHOWN} FROM gateway.remittance",  # noqa: S608
        order="remittance_id",
        order_type="uuid",
        filters=filters,
        after=after,
        limit=limit,
    )


async def get(uow: UnitOfWork, remittance_id: UUID) -> Record | None:
    """One remittance, whole."""
    return await uow.fetch_row(
        f"SELECT {_SHOWN}, claims, provider_adjustments FROM gateway.remittance WHERE remittance_id = $1",  # noqa: S608
        remittance_id,
    )
