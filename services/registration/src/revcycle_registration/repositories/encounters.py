"""Encounters: table ``registration.encounter``."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_registration.domain.encounter import DocumentVersion, Encounter, Provider, Service
from revcycle_registration.repositories.documents import document_version
from revcycle_registration.repositories.rows import as_json, columns

if TYPE_CHECKING:
    import asyncpg

_STORED = (
    "id, facility_npi, encounter_number, patient_id, date_of_service, place_of_service, rendering_npi, "
    "rendering_last_name, rendering_first_name, rendering_taxonomy, primary_care_provider_npi, diagnoses, services, "
    "document_id, gaps, state, blocked_by, content_sha256, version"
)
_NAMES = _STORED.split(", ")
_JSON = {"diagnoses", "services", "gaps", "blocked_by"}
_SELECTED = ", ".join(f"u.{name}::jsonb" if name in _JSON else f"u.{name}" for name in _NAMES)
_ARRAYS = (
    "$1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::date[], $6::text[], $7::text[], $8::text[], $9::text[], "
    "$10::text[], $11::text[], $12::text[], $13::text[], $14::uuid[], $15::text[], $16::text[], $17::text[], "
    "$18::text[], $19::integer[]"
)
_SELECT = (
    "SELECT "
    + ", ".join(f"e.{name}" for name in _NAMES)
    + ", d.id AS document__id, d.version AS document__version, d.type AS document__type, "
    "d.source AS document__source, d.author_npi AS document__author_npi, d.signed_at AS document__signed_at, "
    "d.sha256 AS document__sha256, d.size_bytes AS document__size_bytes, "
    "CASE WHEN d.addendum_to IS NOT NULL THEN (WITH RECURSIVE base AS ("
    "SELECT b.addendum_to, b.sha256 FROM registration.document AS b WHERE b.id = d.addendum_to "
    "UNION ALL SELECT b.addendum_to, b.sha256 FROM registration.document AS b JOIN base ON b.id = base.addendum_to"
    ") SELECT array_agg(sha256) FROM base) END AS document__repeats "
    "FROM registration.encounter AS e "
    "LEFT JOIN registration.document AS d ON d.tenant_id = e.tenant_id AND d.id = e.document_id "
)


def _document(row: "asyncpg.Record") -> DocumentVersion:
    return replace(document_version(row, "document__"), repeats=tuple(row["document__repeats"] or ()))


def _encounter(row: "asyncpg.Record") -> Encounter:
    return Encounter(
        id=row["id"],
        facility_npi=row["facility_npi"],
        encounter_number=row["encounter_number"],
        patient_id=row["patient_id"],
        date_of_service=row["date_of_service"],
        place_of_service=row["place_of_service"],
        rendering_provider=Provider(
            row["rendering_npi"], row["rendering_last_name"], row["rendering_first_name"], row["rendering_taxonomy"]
        ),
        primary_care_provider_npi=row["primary_care_provider_npi"],
        diagnoses=tuple(row["diagnoses"]),
        services=tuple(
            Service(each["code"], tuple(each["modifiers"]), each["units"], tuple(each["diagnosis_pointers"]))
            for each in row["services"]
        ),
        document=_document(row) if row["document_id"] else None,
        gaps=tuple(row["gaps"]),
        state=row["state"],
        blocked_by=tuple(row["blocked_by"]),
        content_sha256=row["content_sha256"],
        version=row["version"],
    )


def _row(encounter: Encounter) -> tuple[object, ...]:
    provider = encounter.rendering_provider
    return (
        encounter.id,
        encounter.facility_npi,
        encounter.encounter_number,
        encounter.patient_id,
        encounter.date_of_service,
        encounter.place_of_service,
        provider.npi,
        provider.last_name,
        provider.first_name,
        provider.taxonomy,
        encounter.primary_care_provider_npi,
        as_json(encounter.diagnoses),
        as_json([asdict(each) for each in encounter.services]),
        encounter.document.id if encounter.document else None,
        as_json(encounter.gaps),
        encounter.state,
        as_json(encounter.blocked_by),
        encounter.content_sha256,
        encounter.version,
    )


async def lock(
    uow: UnitOfWork, keys: Sequence[tuple[str, str]], ids: Sequence[UUID], open_of_patients: Sequence[UUID]
) -> list[Encounter]:
    """Lock, in id order, encounters by (facility NPI, number), by id, and all open ones of some patients."""
    rows = await uow.fetch(
        f"""
        {_SELECT} WHERE e.id IN (
            SELECT id FROM registration.encounter
            WHERE (facility_npi, encounter_number) IN (SELECT * FROM unnest($1::text[], $2::text[]))
            UNION SELECT unnest($3::uuid[])
            UNION SELECT id FROM registration.encounter WHERE patient_id = ANY($4::uuid[]) AND state = 'open'
        ) ORDER BY e.id FOR UPDATE OF e
        """,
        *columns(keys, 2),
        list(ids),
        list(open_of_patients),
    )
    return [_encounter(row) for row in rows]


async def get(uow: UnitOfWork, encounter_id: UUID) -> Encounter | None:
    """An encounter, or None."""
    row = await uow.fetch_row(f"{_SELECT} WHERE e.id = $1", encounter_id)
    return _encounter(row) if row else None


async def page(uow: UnitOfWork, *, blocked: bool | None, after: UUID | None, limit: int) -> list[Encounter]:
    """Encounters in id order (oldest first), from behind ``after``; ``blocked`` narrows to open ones or the others."""
    # Written out, not passed: a condition in a parameter could not use the index of open encounters.
    wanted = {None: "", True: "AND e.state = 'open'", False: "AND e.state <> 'open'"}[blocked]
    rows = await uow.fetch(
        f"{_SELECT} WHERE ($1::uuid IS NULL OR e.id > $1) {wanted} ORDER BY e.id LIMIT $2",
        after,
        limit,
    )
    return [_encounter(row) for row in rows]


async def search(uow: UnitOfWork, facility_npi: str, encounter_numbers: Sequence[str]) -> list[Encounter]:
    """The encounters of a facility under any of the numbers."""
    rows = await uow.fetch(
        f"{_SELECT} WHERE e.facility_npi = $1 AND e.encounter_number = ANY($2::text[]) ORDER BY e.encounter_number",
        facility_npi,
        list(encounter_numbers),
    )
    return [_encounter(row) for row in rows]


async def insert(uow: UnitOfWork, encounters: Sequence[Encounter]) -> bool:
    """Insert new encounters; False when another transaction took one of them in first."""
    # In key order, for the same reason as patients.
    rows = sorted((_row(encounter) for encounter in encounters), key=lambda row: (row[1], row[2]))
    inserted = await uow.fetch(
        f"""
        INSERT INTO registration.encounter ({_STORED})
        SELECT {_SELECTED} FROM unnest({_ARRAYS}) AS u ({_STORED})
        ON CONFLICT (tenant_id, facility_npi, encounter_number) DO NOTHING RETURNING id
        """,
        *columns(rows, len(_NAMES)),
    )
    return len(inserted) == len(rows)


async def update(uow: UnitOfWork, encounters: Sequence[Encounter]) -> None:
    """Store changed encounters, which are locked by this transaction."""
    kept = ("id", "facility_npi", "encounter_number", "patient_id")
    assignments = ", ".join(
        f"{name} = u.{name}::jsonb" if name in _JSON else f"{name} = u.{name}" for name in _NAMES if name not in kept
    )
    await uow.execute(
        f"""
        UPDATE registration.encounter AS e SET {assignments}
        FROM unnest({_ARRAYS}) AS u ({_STORED}) WHERE e.id = u.id
        """,
        *columns([_row(encounter) for encounter in encounters], len(_NAMES)),
    )
