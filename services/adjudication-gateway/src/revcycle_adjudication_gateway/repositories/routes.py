"""Routes to payers, the tenants that have any, and the control numbers of what leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record
from revcycle_messaging import Database, UnitOfWork

from revcycle_adjudication_gateway.domain.route import Route

_COLUMNS = """
    payer_id, base_url, sender_id, receiver_id, usage_indicator, enabled, max_claims_per_interchange, poll_milliseconds
"""


@dataclass(frozen=True, slots=True)
class RouteLoad:
    """How much stands on a route: submissions waiting, under way, and unknown."""

    queued: int = 0
    in_flight: int = 0
    unknown: int = 0


async def save(uow: UnitOfWork, route: Route, *, by: str, at: datetime) -> bool:
    """Create or replace a route; True when it is new. The tenant becomes one that background work looks after."""
    await uow.execute("INSERT INTO gateway.tenant (id) VALUES ($1) ON CONFLICT DO NOTHING", uow.tenant_id)
    version = await uow.fetch_value(
        f"""
        INSERT INTO gateway.route AS route ({_COLUMNS}, version, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10)
        ON CONFLICT (tenant_id, payer_id) DO UPDATE SET
            base_url = excluded.base_url, sender_id = excluded.sender_id, receiver_id = excluded.receiver_id,
            usage_indicator = excluded.usage_indicator, enabled = excluded.enabled,
            max_claims_per_interchange = excluded.max_claims_per_interchange,
            poll_milliseconds = excluded.poll_milliseconds, version = route.version + 1,
            updated_at = excluded.updated_at, updated_by = excluded.updated_by
        RETURNING version
        """,  # noqa: S608 - constant column list
        route.payer_id,
        route.base_url,
        route.sender_id,
        route.receiver_id,
        route.usage_indicator,
        route.enabled,
        route.max_claims_per_interchange,
        round(route.poll_seconds * 1000),
        at,
        by,
    )
    return bool(version == 1)


async def disable(uow: UnitOfWork, payer_id: str, *, by: str, at: datetime) -> bool:
    """Stop sending on a route; False when there is none."""
    found = await uow.fetch_value(
        """
        UPDATE gateway.route SET enabled = false, version = version + 1, updated_at = $2, updated_by = $3
        WHERE payer_id = $1 RETURNING true
        """,
        payer_id,
        at,
        by,
    )
    return bool(found)


async def every(uow: UnitOfWork) -> list[Route]:
    """All routes of the tenant, by payer."""
    rows = await uow.fetch(f"SELECT {_COLUMNS} FROM gateway.route ORDER BY payer_id")  # noqa: S608
    return [_route(row) for row in rows]


async def due(uow: UnitOfWork, now: datetime) -> list[Route]:
    """The routes that have something to deliver: queued claims or bytes due again while enabled, questions always."""
    rows = await uow.fetch(
        f"""
        SELECT {_COLUMNS} FROM gateway.route AS route
        WHERE EXISTS (SELECT FROM gateway.inquiry AS i WHERE i.payer_id = route.payer_id AND i.state = 'queued')
            OR (enabled AND (
                EXISTS (
                    SELECT FROM gateway.submission AS s WHERE s.payer_id = route.payer_id AND s.sending = 'queued')
                OR EXISTS (
                    SELECT FROM gateway.interchange AS i WHERE i.payer_id = route.payer_id AND i.direction = 'out'
                        AND i.kind = '837P' AND i.state = 'not_sent' AND i.next_at <= $1)))
        ORDER BY payer_id
        """,  # noqa: S608 - constant column list
        now,
    )
    return [_route(row) for row in rows]


async def get(uow: UnitOfWork, payer_id: str) -> Route | None:
    """One route, or None."""
    row = await uow.fetch_row(f"SELECT {_COLUMNS} FROM gateway.route WHERE payer_id = $1", payer_id)  # noqa: S608
    return _route(row) if row else None


async def loads(uow: UnitOfWork, payer_ids: Sequence[str]) -> dict[str, RouteLoad]:
    """What stands on each of these routes."""
    rows = await uow.fetch(
        """
        SELECT payer_id,
            count(*) FILTER (WHERE sending = 'queued') AS queued,
            count(*) FILTER (WHERE sending IN ('intent', 'not_sent')) AS in_flight,
            count(*) FILTER (WHERE sending = 'unknown') AS unknown
        FROM gateway.submission
        WHERE payer_id = ANY($1::text[]) AND sending IN ('queued', 'intent', 'not_sent', 'unknown')
        GROUP BY payer_id
        """,
        list(payer_ids),
    )
    return {row["payer_id"]: RouteLoad(row["queued"], row["in_flight"], row["unknown"]) for row in rows}


async def tenants(database: Database) -> list[UUID]:
    """The tenants that have a route; no tenant's data is read for that."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT id FROM gateway.tenant ORDER BY id")
    return [row["id"] for row in rows]


async def own_names(uow: UnitOfWork) -> frozenset[str]:
    """Every sender id the tenant appears or has ever appeared under: answers may still be addressed to it."""
    rows = await uow.fetch("SELECT sender_id FROM gateway.route UNION SELECT sender_id FROM gateway.control_number")
    return frozenset(row["sender_id"].strip() for row in rows)


async def next_control_number(uow: UnitOfWork, route: Route) -> int:
    """The next ISA13 (and GS06) between us and this receiver. Gaps are harmless, a number used twice is not."""
    number = await uow.fetch_value(
        """
        INSERT INTO gateway.control_number AS number (sender_id, receiver_id, last_number) VALUES ($1, $2, 1)
        ON CONFLICT (tenant_id, sender_id, receiver_id) DO UPDATE SET last_number = number.last_number + 1
        RETURNING last_number
        """,
        route.sender_id,
        route.receiver_id,
    )
    return int(number)


def _route(row: Record) -> Route:
    return Route(
        payer_id=row["payer_id"],
        base_url=row["base_url"],
        sender_id=row["sender_id"],
        receiver_id=row["receiver_id"],
        usage_indicator=row["usage_indicator"],
        enabled=row["enabled"],
        max_claims_per_interchange=row["max_claims_per_interchange"],
        poll_seconds=row["poll_milliseconds"] / 1000,
    )
