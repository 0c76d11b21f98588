"""Claims with their lines, submissions, transmissions, decisions and patient bills."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.build_claim import DraftLine
from revcycle_claims.domain.claim import Claim
from revcycle_claims.domain.decisions import Decision
from revcycle_claims.domain.holds import Hold
from revcycle_claims.domain.transmission import Transmission
from revcycle_claims.repositories.json_rows import as_json


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission as decided; its way to the payer stands in the transmission of the same id."""

    submission_id: UUID
    claim_id: UUID
    ordinal: int
    frequency: str
    patient_control_number: str
    payer_claim_control_number: str | None
    predecessor: UUID | None
    charge_cents: int
    draft_hash: str
    decided_at: datetime
    decided_by: str


@dataclass(frozen=True, slots=True)
class PatientBill:
    """A bill to the patient; negative when a correction lowered the share."""

    bill_id: UUID
    claim_id: UUID
    patient_id: UUID
    amount_cents: int
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimLineRow:
    """A service line as it stands on the claim; without a control number while it has not gone out."""

    claim_id: UUID
    line: DraftLine
    line_control_number: str | None


_COLUMNS: Final = {
    "claim_id": "uuid",
    "encounter_id": "uuid",
    "billing_side": "text",
    "created_at": "timestamptz",
    "since": "timestamptz",
    "state": "text",
    "submission": "text",
    "adjudication": "text",
    "receivable": "text",
    "outcome": "text",
    "waiting_for": "text",
    "patient_id": "uuid",
    "facility_npi": "text",
    "encounter_number": "text",
    "date_of_service": "date",
    "payer_id": "text",
    "coding_version": "integer",
    "charge_cents": "bigint",
    "filing_deadline": "date",
    "holds": "jsonb",
    "manual_hold": "text",
    "drafted": "boolean",
    "draft_hash": "text",
    "submissions": "integer",
    "chain": "integer",
    "frequency": "text",
    "submission_id": "uuid",
    "patient_control_number": "text",
    "payer_claim_control_number": "text",
    "charge_journal_id": "uuid",
    "answers_before": "integer",
    "billed_patient_cents": "bigint",
    "closed": "boolean",
    "reference_seen": "bigint",
    "checked_at": "timestamptz",
    "version": "integer",
}
assert set(_COLUMNS) == set(Claim._fields), "the table holds exactly the aggregate"

_NAMES: Final = ", ".join(_COLUMNS)
_TYPED: Final = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
_ASSIGNED: Final = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "claim_id")
_SELECT: Final = f"SELECT {_NAMES} FROM claims.claim"  # noqa: S608 (column names of this module)
_UPSERT: Final = f"""
    INSERT INTO claims.claim ({_NAMES}) SELECT {_NAMES} FROM jsonb_to_recordset($1::text::jsonb) AS w ({_TYPED})
    ON CONFLICT (tenant_id, claim_id) DO UPDATE SET {_ASSIGNED}
"""  # noqa: S608 (column names of this module)


def claim_of(record: "asyncpg.Record") -> Claim:
    """The aggregate of a row."""
    values: dict[str, Any] = dict(record)
    values["holds"] = tuple(Hold(**hold) for hold in values["holds"])
    return Claim(**values)


async def lock_by_encounter(uow: UnitOfWork, encounter_ids: Iterable[UUID]) -> dict[tuple[UUID, str], Claim]:
    """The claims of locked encounters, locked, by encounter and billing side."""
    rows = await uow.fetch(f"{_SELECT} WHERE encounter_id = ANY($1) ORDER BY claim_id FOR UPDATE", list(encounter_ids))
    return {(row["encounter_id"], row["billing_side"]): claim_of(row) for row in rows}


@dataclass(frozen=True, slots=True)
class LockedClaim:
    """A locked claim in few words. ``side``: encounter and billing side."""

    claim_id: UUID
    side: tuple[UUID, str]
    in_preparation: bool


async def lock_concerned(
    uow: UnitOfWork, encounter_ids: Iterable[UUID], claim_ids: Iterable[UUID]
) -> list[LockedClaim]:
    """Lock claims of encounters and claims by id in one go, in the order of their ids."""
    rows = await uow.fetch(
        """
        SELECT claim_id, encounter_id, billing_side, state IN ('waiting', 'held') AS in_preparation FROM claims.claim
        WHERE encounter_id = ANY($1) OR claim_id = ANY($2) ORDER BY claim_id FOR UPDATE
        """,
        list(encounter_ids),
        list(claim_ids),
    )
    return [
        LockedClaim(row["claim_id"], (row["encounter_id"], row["billing_side"]), row["in_preparation"]) for row in rows
    ]


async def lock_claims(uow: UnitOfWork, claim_ids: Iterable[UUID]) -> dict[UUID, Claim]:
    """Claims by id, locked in the order of their ids. Absent ones are looked for again after their turn has come."""
    wanted = list(claim_ids)
    found = await _lock(uow, wanted)
    absent = [claim_id for claim_id in wanted if claim_id not in found]
    if absent:
        await take_turns(uow, absent)
        found |= await _lock(uow, absent)
    return found


async def _lock(uow: UnitOfWork, claim_ids: list[UUID]) -> dict[UUID, Claim]:
    rows = await uow.fetch(f"{_SELECT} WHERE claim_id = ANY($1) ORDER BY claim_id FOR UPDATE", claim_ids)
    return {row["claim_id"]: claim_of(row) for row in rows}


async def take_turns(uow: UnitOfWork, claim_ids: Iterable[UUID]) -> None:
    """Make who submits a claim and who brings word of it wait for each other, so that neither overlooks the other.

    A row lock cannot do it: for the one who brings word too early there is no row yet.
    """
    await uow.execute(
        """
        SELECT pg_advisory_xact_lock(hashtext('claims.claim'), number)
        FROM (SELECT DISTINCT hashtext(id::text) AS number FROM unnest($1::uuid[]) AS id ORDER BY 1) AS w
        """,
        list(claim_ids),
    )


async def read_claim(uow: UnitOfWork, claim_id: UUID) -> Claim | None:
    """One claim, without a lock."""
    row = await uow.fetch_row(f"{_SELECT} WHERE claim_id = $1", claim_id)
    return claim_of(row) if row else None


async def encounters_to_advance(uow: UnitOfWork, checked_before: datetime, limit: int) -> list[UUID]:
    """Encounters of held claims that have not seen the newest set-up, and of claims that have waited for long."""
    rows = await uow.fetch(
        """
        SELECT DISTINCT encounter_id FROM (
            SELECT encounter_id, checked_at FROM claims.claim
            WHERE (state = 'held' AND reference_seen < (SELECT max(version) FROM claims.reference_version))
                OR (state = 'waiting' AND checked_at < $1)
            ORDER BY checked_at LIMIT $2
        ) AS due
        """,
        checked_before,
        limit,
    )
    return [row["encounter_id"] for row in rows]


async def any_waiting(uow: UnitOfWork) -> bool:
    """Whether any claim waits for a fact."""
    return await uow.fetch_value("SELECT 1 FROM claims.claim WHERE state = 'waiting' LIMIT 1") is not None


async def write_claims(uow: UnitOfWork, claims: Sequence[Claim]) -> None:
    """Insert or replace claims; existing ones are locked."""
    await uow.execute(_UPSERT, as_json([claim._asdict() for claim in claims]))


async def write_lines(uow: UnitOfWork, claim_ids: Sequence[UUID], lines: Sequence[ClaimLineRow]) -> None:
    """Replace the lines of claims."""
    await uow.execute("DELETE FROM claims.claim_line WHERE claim_id = ANY($1)", list(claim_ids))
    if not lines:
        return
    await uow.execute(
        """
        INSERT INTO claims.claim_line (claim_id, line_number, line_control_number, code, modifiers, units,
            unit_price_cents, charge_cents, diagnosis_pointers)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (claim_id uuid, line_number integer,
            line_control_number text, code text, modifiers text[], units integer, unit_price_cents bigint,
            charge_cents bigint, diagnosis_pointers integer[])
        """,
        as_json(
            [
                {
                    "claim_id": row.claim_id,
                    "line_control_number": row.line_control_number,
                    **row.line.model_dump(),
                }
                for row in lines
            ]
        ),
    )


async def add_submissions(uow: UnitOfWork, submissions: Sequence[Submission]) -> None:
    """Insert submissions; a control number used before is refused by the database."""
    await uow.execute(
        """
        INSERT INTO claims.submission (submission_id, claim_id, ordinal, frequency, patient_control_number,
            payer_claim_control_number, predecessor, charge_cents, draft_hash, decided_at, decided_by)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (submission_id uuid, claim_id uuid, ordinal integer,
            frequency text, patient_control_number text, payer_claim_control_number text, predecessor uuid,
            charge_cents bigint, draft_hash text, decided_at timestamptz, decided_by text)
        """,
        as_json(submissions),
    )


async def transmissions(uow: UnitOfWork, submission_ids: Iterable[UUID]) -> dict[UUID, Transmission]:
    """The payer's side of submissions, as far as anything is known."""
    rows = await uow.fetch(
        """
        SELECT submission_id, claim_id, state, adjudication, payer_claim_control_number, reasons, updated_at
        FROM claims.transmission WHERE submission_id = ANY($1)
        """,
        list(submission_ids),
    )
    return {row["submission_id"]: Transmission(**{**dict(row), "reasons": tuple(row["reasons"])}) for row in rows}


async def write_transmissions(uow: UnitOfWork, found: Sequence[Transmission]) -> None:
    """Insert or replace the payer's side of submissions, in the order of their ids."""
    await uow.execute(
        """
        INSERT INTO claims.transmission (submission_id, claim_id, state, adjudication, payer_claim_control_number,
            reasons, updated_at)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (submission_id uuid, claim_id uuid, state text,
            adjudication text, payer_claim_control_number text, reasons jsonb, updated_at timestamptz)
        ORDER BY submission_id
        ON CONFLICT (tenant_id, submission_id) DO UPDATE SET state = excluded.state,
            adjudication = excluded.adjudication, payer_claim_control_number = excluded.payer_claim_control_number,
            reasons = excluded.reasons, updated_at = excluded.updated_at
        """,
        as_json(found),
    )


async def add_decisions(uow: UnitOfWork, decisions: Sequence[Decision]) -> None:
    """Insert decisions; the same decision taken again changes nothing."""
    await uow.execute(
        """
        INSERT INTO claims.decision (decision_id, claim_id, kind, rule_id, rule_version, input_hash, input_text,
            output_text, decided_at)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (decision_id uuid, claim_id uuid, kind text,
            rule_id text, rule_version text, input_hash text, input_text text, output_text text,
            decided_at timestamptz)
        ON CONFLICT DO NOTHING
        """,
        as_json(decisions),
    )


async def add_bills(uow: UnitOfWork, bills: Sequence[PatientBill]) -> None:
    """Insert patient bills."""
    await uow.execute(
        """
        INSERT INTO claims.patient_bill (bill_id, claim_id, patient_id, amount_cents, issued_at)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (bill_id uuid, claim_id uuid, patient_id uuid,
            amount_cents bigint, issued_at timestamptz)
        """,
        as_json(bills),
    )
