"""Patients: table ``registration.patient``."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_registration.domain.patient import Demographics, Patient
from revcycle_registration.repositories.rows import columns

if TYPE_CHECKING:
    import asyncpg

_KNOWN = tuple(field.name for field in fields(Demographics))
_COLUMNS = "id, facility_npi, medical_record_number, version, " + ", ".join(_KNOWN)
_ARRAYS = (
    "$1::uuid[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::date[], $9::text[], "
    "$10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[]"
)
_WIDTH = 4 + len(_KNOWN)


def _patient(row: "asyncpg.Record") -> Patient:
    return Patient(
        id=row["id"],
        facility_npi=row["facility_npi"],
        medical_record_number=row["medical_record_number"],
        demographics=Demographics(*(row[name] for name in _KNOWN)),
        version=row["version"],
    )


def _row(patient: Patient) -> tuple[object, ...]:
    return (
        patient.id,
        patient.facility_npi,
        patient.medical_record_number,
        patient.version,
        *astuple(patient.demographics),
    )


async def lock_by_record_numbers(uow: UnitOfWork, keys: Sequence[tuple[str, str]]) -> list[Patient]:
    """Lock the patients under (facility NPI, record number), in id order."""
    rows = await uow.fetch(
        f"""
        SELECT {_COLUMNS} FROM registration.patient
        WHERE (facility_npi, medical_record_number) IN (SELECT * FROM unnest($1::text[], $2::text[]))
        ORDER BY id FOR UPDATE
        """,
        *columns(keys, 2),
    )
    return [_patient(row) for row in rows]


async def lock_by_ids(uow: UnitOfWork, ids: Sequence[UUID]) -> list[Patient]:
    """Lock patients by id, in id order."""
    rows = await uow.fetch(
        f"SELECT {_COLUMNS} FROM registration.patient WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(ids)
    )
    return [_patient(row) for row in rows]


async def get(uow: UnitOfWork, patient_id: UUID) -> Patient | None:
    """A patient, or None."""
    row = await uow.fetch_row(f"SELECT {_COLUMNS} FROM registration.patient WHERE id = $1", patient_id)
    return _patient(row) if row else None


async def page(uow: UnitOfWork, after: UUID | None, limit: int) -> list[Patient]:
    """Patients in id order (oldest first), from behind ``after``."""
    rows = await uow.fetch(
        f"""
        SELECT {_COLUMNS} FROM registration.patient WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        after,
        limit,
    )
    return [_patient(row) for row in rows]


async def search(uow: UnitOfWork, facility_npi: str, record_numbers: Sequence[str]) -> list[Patient]:
    """The patients of a facility under any of the record numbers."""
    rows = await uow.fetch(
        f"""
        SELECT {_COLUMNS} FROM registration.patient
        WHERE facility_npi = $1 AND medical_record_number = ANY($2::text[]) ORDER BY medical_record_number
        """,
        facility_npi,
        list(record_numbers),
    )
    return [_patient(row) for row in rows]


async def insert(uow: UnitOfWork, patients: Sequence[Patient]) -> bool:
    """Insert new patients; False when another transaction registered one of them first."""
    # In key order, so that two intakes of the same new patients wait for each other instead of crosswise.
    rows = sorted((_row(patient) for patient in patients), key=lambda row: (row[1], row[2]))
    inserted = await uow.fetch(
        f"""
        INSERT INTO registration.patient ({_COLUMNS})
        SELECT * FROM unnest({_ARRAYS}) ON CONFLICT (tenant_id, facility_npi, medical_record_number) DO NOTHING
        RETURNING id
        """,
        *columns(rows, _WIDTH),
    )
    return len(inserted) == len(rows)


async def update(uow: UnitOfWork, patients: Sequence[Patient]) -> None:
    """Store changed patients, which are locked by this transaction."""
    assignments = ", ".join(f"{name} = u.{name}" for name in _KNOWN)
    await uow.execute(
        f"""
        UPDATE registration.patient AS p SET version = u.version, {assignments}
        FROM unnest({_ARRAYS}) AS u ({_COLUMNS}) WHERE p.id = u.id
        """,
        *columns([_row(patient) for patient in patients], _WIDTH),
    )
