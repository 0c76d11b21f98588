"""Facilities and payers of the tenant: tables ``registration.facility`` and ``registration.payer``."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from revcycle_messaging import UnitOfWork

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True, slots=True)
class Facility:
    """A facility as it bills. ``tax_id`` 9 digits; ``time_zone`` IANA name."""

    npi: str
    name: str
    tax_id: str
    taxonomy: str | None
    line1: str
    line2: str | None
    city: str
    state: str
    postal_code: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Payer:
    """A payer the tenant bills. ``filing_limit_days`` counts from the date of service."""

    payer_id: str
    name: str
    filing_limit_days: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a PUT: the row's version, and whether it was new or changed."""

    version: int
    created: bool
    changed: bool


_FACILITY = "npi, name, tax_id, taxonomy, line1, line2, city, state, postal_code, time_zone"
_PAYER = "payer_id, name, filing_limit_days"


def _facility(row: "asyncpg.Record") -> Facility:
    return Facility(*(row[name] for name in _FACILITY.split(", ")))


def _payer(row: "asyncpg.Record") -> Payer:
    return Payer(*(row[name] for name in _PAYER.split(", ")))


async def store_facility(uow: UnitOfWork, facility: Facility) -> Stored:
    """Insert or replace a facility; an equal one stays as it is."""
    row = await uow.fetch_row(
        f"""
        INSERT INTO registration.facility AS f ({_FACILITY}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (tenant_id, npi) DO UPDATE SET
            name = excluded.name, tax_id = excluded.tax_id, taxonomy = excluded.taxonomy, line1 = excluded.line1,
            line2 = excluded.line2, city = excluded.city, state = excluded.state,
            postal_code = excluded.postal_code, time_zone = excluded.time_zone, version = f.version + 1
        WHERE (f.name, f.tax_id, f.taxonomy, f.line1, f.line2, f.city, f.state, f.postal_code, f.time_zone)
            IS DISTINCT FROM (excluded.name, excluded.tax_id, excluded.taxonomy, excluded.line1, excluded.line2,
                              excluded.city, excluded.state, excluded.postal_code, excluded.time_zone)
        RETURNING version
        """,
        facility.npi,
        facility.name,
        facility.tax_id,
        facility.taxonomy,
        facility.line1,
        facility.line2,
        facility.city,
        facility.state,
        facility.postal_code,
        facility.time_zone,
    )
    if row is not None:
        return Stored(row["version"], created=row["version"] == 1, changed=True)
    version = await uow.fetch_value("SELECT version FROM registration.facility WHERE npi = $1", facility.npi)
    return Stored(version, created=False, changed=False)


async def store_payer(uow: UnitOfWork, payer: Payer) -> Stored:
    """Insert or replace a payer; an equal one stays as it is."""
    row = await uow.fetch_row(
        f"""
        INSERT INTO registration.payer AS p ({_PAYER}) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, payer_id) DO UPDATE SET
            name = excluded.name, filing_limit_days = excluded.filing_limit_days, version = p.version + 1
        WHERE (p.name, p.filing_limit_days) IS DISTINCT FROM (excluded.name, excluded.filing_limit_days)
        RETURNING version
        """,
        payer.payer_id,
        payer.name,
        payer.filing_limit_days,
    )
    if row is not None:
        return Stored(row["version"], created=row["version"] == 1, changed=True)
    version = await uow.fetch_value("SELECT version FROM registration.payer WHERE payer_id = $1", payer.payer_id)
    return Stored(version, created=False, changed=False)


async def get_facility(uow: UnitOfWork, npi: str) -> tuple[Facility, int] | None:
    """A facility with its version, or None."""
    row = await uow.fetch_row(f"SELECT {_FACILITY}, version FROM registration.facility WHERE npi = $1", npi)
    return (_facility(row), row["version"]) if row else None


async def get_payer(uow: UnitOfWork, payer_id: str) -> tuple[Payer, int] | None:
    """A payer with its version, or None."""
    row = await uow.fetch_row(f"SELECT {_PAYER}, version FROM registration.payer WHERE payer_id = $1", payer_id)
    return (_payer(row), row["version"]) if row else None


async def facilities_page(uow: UnitOfWork, after: str | None, limit: int) -> list[Facility]:
    """Facilities in NPI order, from behind ``after``."""
    rows = await uow.fetch(
        f"SELECT {_FACILITY} FROM registration.facility WHERE $1::text IS NULL OR npi > $1 ORDER BY npi LIMIT $2",
        after,
        limit,
    )
    return [_facility(row) for row in rows]


async def payers_page(uow: UnitOfWork, after: str | None, limit: int) -> list[Payer]:
    """Payers in id order, from behind ``after``."""
    rows = await uow.fetch(
        f"SELECT {_PAYER} FROM registration.payer WHERE $1::text IS NULL OR payer_id > $1 ORDER BY payer_id LIMIT $2",
        after,
        limit,
    )
    return [_payer(row) for row in rows]


async def time_zones(uow: UnitOfWork, npis: Sequence[str]) -> dict[str, str]:
    """The time zone of each facility that is known."""
    rows = await uow.fetch("SELECT npi, time_zone FROM registration.facility WHERE npi = ANY($1::text[])", list(npis))
    return {row["npi"]: row["time_zone"] for row in rows}
