"""The set-up of a tenant: facilities, payers, fee schedules, and the count of its changes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.advance import Reference
from revcycle_claims.domain.reference import Facility, Payer, Price


async def load_reference(uow: UnitOfWork, codes: Iterable[str]) -> Reference:
    """Everything a chunk is priced against. The version is read first: what is read after it is at least as new."""
    version = await newest_version(uow)
    facilities = await uow.fetch("SELECT facts::text AS facts FROM claims.facility")
    payers = await uow.fetch("SELECT facts::text AS facts FROM claims.payer")
    rows = await uow.fetch(
        """
        SELECT p.code, p.modifier, p.effective_from, p.effective_to, p.price_cents
        FROM claims.price AS p JOIN claims.fee_schedule AS f USING (tenant_id, name, version)
        WHERE p.code = ANY($1) ORDER BY f.name, p.row_number
        """,
        sorted(set(codes)),
    )
    prices: defaultdict[str, list[Price]] = defaultdict(list)
    for row in rows:
        prices[row["code"]].append(Price.model_validate(dict(row)))
    known_facilities = [Facility.model_validate_json(row["facts"]) for row in facilities]
    known_payers = [Payer.model_validate_json(row["facts"]) for row in payers]
    return Reference(
        facilities={facility.npi: facility for facility in known_facilities},
        payers={payer.payer_id: payer for payer in known_payers},
        prices={code: tuple(found) for code, found in prices.items()},
        version=version,
    )


async def newest_version(uow: UnitOfWork) -> int:
    """How often the set-up has changed."""
    return await uow.fetch_value("SELECT version FROM claims.reference_version") or 0


async def time_zones(uow: UnitOfWork) -> dict[str, str]:
    """NPI to IANA time zone of every facility."""
    rows = await uow.fetch("SELECT npi, facts->>'time_zone' AS zone FROM claims.facility")
    return {row["npi"]: row["zone"] for row in rows}


async def write_facilities(uow: UnitOfWork, facilities: Sequence[Facility]) -> None:
    """Store facilities, the last of each NPI."""
    last = {facility.npi: facility for facility in facilities}
    await uow.execute(
        """
        INSERT INTO claims.facility (npi, facts)
        SELECT npi, facts::jsonb FROM unnest($1::text[], $2::text[]) AS w (npi, facts) ORDER BY npi
        ON CONFLICT (tenant_id, npi) DO UPDATE SET facts = excluded.facts
        """,
        list(last),
        [facility.model_dump_json() for facility in last.values()],
    )
    await _count_change(uow)


async def write_payers(uow: UnitOfWork, payers: Sequence[Payer]) -> None:
    """Store payers, the last of each id."""
    last = {payer.payer_id: payer for payer in payers}
    await uow.execute(
        """
        INSERT INTO claims.payer (payer_id, facts)
        SELECT payer_id, facts::jsonb FROM unnest($1::text[], $2::text[]) AS w (payer_id, facts) ORDER BY payer_id
        ON CONFLICT (tenant_id, payer_id) DO UPDATE SET facts = excluded.facts
        """,
        list(last),
        [payer.model_dump_json() for payer in last.values()],
    )
    await _count_change(uow)


async def lock_fee_schedule(uow: UnitOfWork, name: str) -> "asyncpg.Record | None":
    """The current version of a fee schedule, its row locked; None for a new name."""
    await uow.execute("SELECT pg_advisory_xact_lock(hashtext('claims.fee_schedule'), hashtext($1))", name)
    return await uow.fetch_row("SELECT version, content_hash FROM claims.fee_schedule WHERE name = $1", name)


async def write_fee_schedule(
    uow: UnitOfWork,
    name: str,
    version: int,
    content_hash: str,
    prices: Sequence[Price],
    posted: tuple[datetime, str],
) -> None:
    """Store a new version with its rows; former versions stay readable. ``posted`` is (when, by whom)."""
    await uow.execute(
        """
        INSERT INTO claims.fee_schedule (name, version, content_hash, row_count, posted_at, posted_by)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, name) DO UPDATE SET version = excluded.version, content_hash = excluded.content_hash,
            row_count = excluded.row_count, posted_at = excluded.posted_at, posted_by = excluded.posted_by
        """,
        name,
        version,
        content_hash,
        len(prices),
        *posted,
    )
    await uow.execute(
        """
        INSERT INTO claims.price (name, version, row_number, code, modifier, effective_from, effective_to, price_cents)
        SELECT $1, $2, position, code, modifier, effective_from, effective_to, price_cents
        FROM unnest($3::text[], $4::text[], $5::date[], $6::date[], $7::bigint[]) WITH ORDINALITY
            AS w (code, modifier, effective_from, effective_to, price_cents, position)
        """,
        name,
        version,
        [price.code for price in prices],
        [price.modifier for price in prices],
        [price.effective_from for price in prices],
        [price.effective_to for price in prices],
        [price.price_cents for price in prices],
    )
    await _count_change(uow)


async def _count_change(uow: UnitOfWork) -> None:
    """Who has seen an older set-up is to be tried again."""
    await uow.execute(
        """
        INSERT INTO claims.reference_version AS r (version) VALUES (1)
        ON CONFLICT (tenant_id) DO UPDATE SET version = r.version + 1
        """
    )
