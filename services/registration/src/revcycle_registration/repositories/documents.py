"""Documents: table ``registration.document``, whose rows are never changed (a trigger sees to it)."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_registration.domain.case_load import NewDocument
from revcycle_registration.domain.encounter import DocumentVersion
from revcycle_registration.repositories.rows import columns

if TYPE_CHECKING:
    import asyncpg

_COLUMNS = (
    "id, encounter_id, version, type, source, author_npi, signed_at, sha256, size_bytes, addendum_to, addendum_offset, "
    "recorded_at, text"
)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document version with its text. ``addendum_offset``: where in the text an addendum begins, in characters."""

    document: DocumentVersion
    encounter_id: UUID
    addendum_to: UUID | None
    addendum_offset: int | None
    recorded_at: datetime
    text: str


def document_version(row: "asyncpg.Record", prefix: str = "") -> DocumentVersion:
    """A version from a row whose columns carry ``prefix``."""
    return DocumentVersion(
        id=row[f"{prefix}id"],
        version=row[f"{prefix}version"],
        type=row[f"{prefix}type"],
        source=row[f"{prefix}source"],
        author_npi=row[f"{prefix}author_npi"],
        signed_at=row[f"{prefix}signed_at"],
        sha256=row[f"{prefix}sha256"],
        size_bytes=row[f"{prefix}size_bytes"],
    )


def _stored(row: "asyncpg.Record") -> StoredDocument:
    return StoredDocument(
        document=document_version(row),
        encounter_id=row["encounter_id"],
        addendum_to=row["addendum_to"],
        addendum_offset=row["addendum_offset"],
        recorded_at=row["recorded_at"],
        text=row["text"],
    )


async def insert(uow: UnitOfWork, documents: Sequence[NewDocument], recorded_at: datetime) -> None:
    """Store new versions."""
    rows = [
        (
            new.document.id,
            new.encounter_id,
            new.document.version,
            new.document.type,
            new.document.source,
            new.document.author_npi,
            new.document.signed_at,
            new.document.sha256,
            new.document.size_bytes,
            new.addendum_to,
            new.addendum_offset,
            recorded_at,
            new.text,
        )
        for new in documents
    ]
    await uow.execute(
        f"""
        INSERT INTO registration.document ({_COLUMNS})
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[],
            $7::timestamptz[], $8::text[], $9::integer[], $10::uuid[], $11::integer[], $12::timestamptz[], $13::text[])
        """,
        *columns(rows, 13),
    )


async def texts(uow: UnitOfWork, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The texts of document versions."""
    rows = await uow.fetch("SELECT id, text FROM registration.document WHERE id = ANY($1::uuid[])", list(ids))
    return {row["id"]: row["text"] for row in rows}


async def get(uow: UnitOfWork, document_id: UUID) -> StoredDocument | None:
    """A document version, or None."""
    row = await uow.fetch_row(f"SELECT {_COLUMNS} FROM registration.document WHERE id = $1", document_id)
    return _stored(row) if row else None


async def addenda(uow: UnitOfWork, document_id: UUID) -> list[StoredDocument]:
    """The addenda to a version, oldest first."""
    rows = await uow.fetch(
        f"SELECT {_COLUMNS} FROM registration.document WHERE addendum_to = $1 ORDER BY version", document_id
    )
    return [_stored(row) for row in rows]
