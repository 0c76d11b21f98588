"""Decisions: table ``coding.decision``, append-only. Input and output are kept byte for byte."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_coding.domain.coding import StoredDecision
from revcycle_coding.repositories.rows import as_json, columns

if TYPE_CHECKING:
    import asyncpg

_STORED = (
    "id, encounter_id, billing_side, rule, input, input_hash, code_set_releases, output, evidence, decided_by, "
    "decided_at"
)


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision as stored: run ``redecide(row.input, code_sets)`` and compare with ``row.output``."""

    id: UUID
    encounter_id: UUID
    billing_side: str
    rule: str
    input: bytes
    input_hash: str
    code_set_releases: dict[str, str]
    output: bytes
    evidence: dict[str, object]
    decided_by: str
    decided_at: datetime


def _decision(row: "asyncpg.Record") -> DecisionRow:
    return DecisionRow(*(row[name] for name in _STORED.split(", ")))


async def insert(uow: UnitOfWork, decisions: Sequence[StoredDecision]) -> None:
    """Store decisions; the evidence is the document version they rest on."""
    rows = [
        (
            stored.id,
            stored.coding.encounter_id,
            stored.coding.billing_side,
            stored.decision.rule,
            stored.decision.input,
            stored.decision.input_hash,
            as_json(stored.decision.releases),
            stored.decision.output,
            as_json(
                {
                    "document_id": stored.coding.document.document_id,
                    "document_version": stored.coding.document.version,
                    "document_sha256": stored.coding.document.sha256,
                }
            ),
            stored.decided_by,
            stored.decided_at,
        )
        for stored in decisions
    ]
    await uow.execute(
        f"""
        INSERT INTO coding.decision ({_STORED})
        SELECT id, encounter_id, billing_side, rule, input, input_hash, code_set_releases::jsonb, output,
               evidence::jsonb, decided_by, decided_at
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::bytea[],
                    $9::text[], $10::text[], $11::timestamptz[]) AS u ({_STORED})
        """,
        *columns(rows, 11),
    )


async def get(uow: UnitOfWork, decision_id: UUID) -> DecisionRow | None:
    """A decision, or None."""
    row = await uow.fetch_row(f"SELECT {_STORED} FROM coding.decision WHERE id = $1", decision_id)
    return _decision(row) if row else None
