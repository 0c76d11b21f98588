"""Codings: table ``coding.coding``; the note's text stands apart in ``coding.note``."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_coding.domain.coding import CodedDocument, Codes, Coding
from revcycle_coding.domain.decision import service_of
from revcycle_coding.repositories.rows import as_json, columns

if TYPE_CHECKING:
    import asyncpg

_STORED = (
    "encounter_id, billing_side, patient_id, facility_npi, place_of_service, document, "
    "encounter_sequence, codes, state, findings, coded, coding_version, finalised_by, decision_id, edited_by, version"
)
_NAMES = _STORED.split(", ")
_JSON = {"document", "codes", "findings", "coded"}
_SELECTED = ", ".join(f"u.{name}::jsonb" if name in _JSON else f"u.{name}" for name in _NAMES)
_ARRAYS = (
    "$1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], "
    "$10::text[], $11::text[], $12::integer[], $13::text[], $14::uuid[], $15::text[], $16::integer[]"
)


def codes_of(stored: Mapping[str, Any]) -> Codes:
    """Codes from their JSON."""
    return Codes(
        date_of_service=date.fromisoformat(stored["date_of_service"]),
        diagnoses=tuple(stored["diagnoses"]),
        services=tuple(service_of(each) for each in stored["services"]),
    )


def _coding(row: "asyncpg.Record") -> Coding:
    document = row["document"]
    return Coding(
        encounter_id=row["encounter_id"],
        billing_side=row["billing_side"],
        patient_id=row["patient_id"],
        facility_npi=row["facility_npi"],
        place_of_service=row["place_of_service"],
        document=CodedDocument(**(document | {"document_id": UUID(document["document_id"])})),
        encounter_sequence=row["encounter_sequence"],
        codes=codes_of(row["codes"]),
        state=row["state"],
        findings=tuple(row["findings"]),
        coded=codes_of(row["coded"]) if row["coded"] else None,
        coding_version=row["coding_version"],
        finalised_by=row["finalised_by"],
        decision_id=row["decision_id"],
        edited_by=row["edited_by"],
        version=row["version"],
    )


def _row(coding: Coding) -> tuple[object, ...]:
    return (
        coding.encounter_id,
        coding.billing_side,
        coding.patient_id,
        coding.facility_npi,
        coding.place_of_service,
        as_json(asdict(coding.document)),
        coding.encounter_sequence,
        as_json(asdict(coding.codes)),
        coding.state,
        as_json(coding.findings),
        as_json(asdict(coding.coded)) if coding.coded else None,
        coding.coding_version,
        coding.finalised_by,
        coding.decision_id,
        coding.edited_by,
        coding.version,
    )


async def lock(uow: UnitOfWork, encounter_ids: Sequence[UUID], billing_side: str) -> dict[UUID, Coding]:
    """Lock the codings of encounters on one side, in id order."""
    rows = await uow.fetch(
        f"""
        SELECT {_STORED} FROM coding.coding WHERE encounter_id = ANY($1::uuid[]) AND billing_side = $2
        ORDER BY encounter_id FOR UPDATE
        """,
        list(encounter_ids),
        billing_side,
    )
    return {row["encounter_id"]: _coding(row) for row in rows}


async def get(uow: UnitOfWork, encounter_id: UUID, billing_side: str) -> Coding | None:
    """A coding, or None."""
    row = await uow.fetch_row(
        f"SELECT {_STORED} FROM coding.coding WHERE encounter_id = $1 AND billing_side = $2",
        encounter_id,
        billing_side,
    )
    return _coding(row) if row else None


async def store(uow: UnitOfWork, codings: Sequence[Coding]) -> None:
    """Insert new codings and replace changed ones."""
    fixed = ("encounter_id", "billing_side", "patient_id", "facility_npi")
    assignments = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in fixed)
    await uow.execute(
        f"""
        INSERT INTO coding.coding ({_STORED}) SELECT {_SELECTED} FROM unnest({_ARRAYS}) AS u ({_STORED})
        ON CONFLICT (tenant_id, encounter_id, billing_side) DO UPDATE SET {assignments}
        """,
        *columns([_row(coding) for coding in codings], len(_NAMES)),
    )


async def store_notes(uow: UnitOfWork, notes: Mapping[UUID, str]) -> None:
    """Keep the text of document versions, by document id."""
    await uow.execute(
        """
        INSERT INTO coding.note (document_id, text) SELECT * FROM unnest($1::uuid[], $2::text[])
        ON CONFLICT (tenant_id, document_id) DO NOTHING
        """,
        list(notes.keys()),
        list(notes.values()),
    )


async def note(uow: UnitOfWork, document_id: UUID) -> str | None:
    """The text of a document version; None when it was too long to travel with its event."""
    text: str | None = await uow.fetch_value("SELECT text FROM coding.note WHERE document_id = $1", document_id)
    return text
