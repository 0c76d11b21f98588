"""Remittances, their claims and lines, deposits, and the trace numbers that tie advice to cash."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from revcycle_events import RemittedClaim
from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.posting import RemittedLine
from revcycle_claims.repositories.json_rows import as_json

Trace = tuple[str, str]
"""(payer id, trace number)."""


@dataclass(frozen=True, slots=True)
class Remittance:
    """A payer's advice. ``state``: posted, held (with ``held_because``) or duplicate."""

    remittance_id: UUID
    payer_id: str
    trace_number: str
    payment_date: date
    payment_method: str
    paid_cents: int
    identity_key: str
    state: str
    held_because: str | None
    received_at: datetime

    @property
    def trace(self) -> Trace:
        """What it shares with its deposit."""
        return self.payer_id, self.trace_number


@dataclass(frozen=True, slots=True)
class RemittedClaimRow:
    """A CLP with where it was placed: posted, or unapplied for the reason in ``state``."""

    remittance_id: UUID
    position: int
    remitted: RemittedClaim
    state: str
    chain: int
    placed_at: datetime
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class RemittedLineRow:
    """A posted line of a CLP."""

    remittance_id: UUID
    position: int
    line_position: int
    claim_id: UUID
    chain: int
    line: RemittedLine
    answers: int


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money the bank reported. ``match_number`` counts how often it was matched or unmatched."""

    deposit_id: UUID
    bank_reference: str
    deposit_date: date
    payer_id: str
    trace_number: str
    amount_cents: int
    received_at: datetime
    remittance_id: UUID | None = None
    difference_cents: int | None = None
    match_number: int = 0

    @property
    def trace(self) -> Trace:
        """What it shares with its remittance."""
        return self.payer_id, self.trace_number


async def lock_traces(uow: UnitOfWork, traces: Iterable[Trace]) -> None:
    """Insert absent anchors and lock all of them in order; remittances and deposits then see each other."""
    wanted = sorted(set(traces))
    await uow.execute(
        """
        INSERT INTO claims.trace (payer_id, trace_number)
        SELECT payer_id, trace_number FROM unnest($1::text[], $2::text[]) AS w (payer_id, trace_number)
        ORDER BY payer_id, trace_number ON CONFLICT DO NOTHING
        """,
        *_columns(wanted),
    )
    await uow.execute(
        """
        SELECT 1 FROM claims.trace AS t JOIN unnest($1::text[], $2::text[]) AS w (payer_id, trace_number)
            USING (payer_id, trace_number) ORDER BY t.payer_id, t.trace_number FOR UPDATE OF t
        """,
        *_columns(wanted),
    )


def _columns(traces: Sequence[Trace]) -> tuple[list[str], list[str]]:
    return [payer_id for payer_id, _ in traces], [trace_number for _, trace_number in traces]


async def remittances_of(uow: UnitOfWork, traces: Iterable[Trace]) -> dict[Trace, list[Remittance]]:
    """The remittances of locked trace numbers."""
    rows = await uow.fetch(
        """
        SELECT remittance_id, payer_id, trace_number, payment_date, payment_method, paid_cents, identity_key, state,
            held_because, received_at
        FROM claims.remittance JOIN unnest($1::text[], $2::text[]) AS w (payer_id, trace_number)
            USING (payer_id, trace_number) ORDER BY remittance_id
        """,
        *_columns(sorted(set(traces))),
    )
    found: defaultdict[Trace, list[Remittance]] = defaultdict(list)
    for row in rows:
        remittance = Remittance(**dict(row))
        found[remittance.trace].append(remittance)
    return found


async def deposits_of(uow: UnitOfWork, traces: Iterable[Trace]) -> dict[Trace, list[Deposit]]:
    """The deposits of locked trace numbers."""
    rows = await uow.fetch(
        """
        SELECT deposit_id, bank_reference, deposit_date, payer_id, trace_number, amount_cents, received_at,
            remittance_id, difference_cents, match_number
        FROM claims.deposit JOIN unnest($1::text[], $2::text[]) AS w (payer_id, trace_number)
            USING (payer_id, trace_number) ORDER BY deposit_id
        """,
        *_columns(sorted(set(traces))),
    )
    found: defaultdict[Trace, list[Deposit]] = defaultdict(list)
    for row in rows:
        deposit = Deposit(**dict(row))
        found[deposit.trace].append(deposit)
    return found


async def deposits_by_reference(uow: UnitOfWork, references: Iterable[str]) -> dict[str, Deposit]:
    """The deposits with these bank references."""
    rows = await uow.fetch(
        """
        SELECT deposit_id, bank_reference, deposit_date, payer_id, trace_number, amount_cents, received_at,
            remittance_id, difference_cents, match_number
        FROM claims.deposit WHERE bank_reference = ANY($1)
        """,
        list(references),
    )
    return {row["bank_reference"]: Deposit(**dict(row)) for row in rows}


async def lock_bank_references(uow: UnitOfWork, references: Iterable[str]) -> None:
    """Make two requests with the same bank references wait for each other."""
    await uow.execute(
        """
        SELECT pg_advisory_xact_lock(hashtext('claims.deposit'), number)
        FROM (SELECT DISTINCT hashtext(r) AS number FROM unnest($1::text[]) AS r ORDER BY 1) AS w
        """,
        list(references),
    )


async def add_remittances(uow: UnitOfWork, remittances: Sequence[Remittance]) -> None:
    """Insert remittances."""
    await uow.execute(
        """
        INSERT INTO claims.remittance (remittance_id, payer_id, trace_number, payment_date, payment_method,
            paid_cents, identity_key, state, held_because, received_at)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (remittance_id uuid, payer_id text, trace_number text,
            payment_date date, payment_method text, paid_cents bigint, identity_key text, state text,
            held_because text, received_at timestamptz)
        """,
        as_json(remittances),
    )


async def unapplied_of(uow: UnitOfWork, claim_ids: Iterable[UUID]) -> list[RemittedClaimRow]:
    """What waits for these locked claims, in the order it came."""
    rows = await uow.fetch(
        """
        SELECT remittance_id, position, state, chain, placed_at, payload::text AS payload
        FROM claims.remitted_claim WHERE claim_id = ANY($1) AND state <> 'posted'
        ORDER BY placed_at, remittance_id, position
        """,
        list(claim_ids),
    )
    return [
        RemittedClaimRow(
            row["remittance_id"],
            row["position"],
            RemittedClaim.model_validate_json(row["payload"]),
            row["state"],
            row["chain"],
            row["placed_at"],
        )
        for row in rows
    ]


async def payers_of(uow: UnitOfWork, remittance_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Remittance to payer id."""
    rows = await uow.fetch(
        "SELECT remittance_id, payer_id FROM claims.remittance WHERE remittance_id = ANY($1)", list(remittance_ids)
    )
    return {row["remittance_id"]: row["payer_id"] for row in rows}


async def write_remitted_claims(uow: UnitOfWork, rows: Sequence[RemittedClaimRow]) -> None:
    """Insert CLPs, or store where they were placed meanwhile."""
    await uow.execute(
        """
        INSERT INTO claims.remitted_claim (remittance_id, position, claim_id, state, chain, patient_control_number,
            payer_claim_control_number, is_reversal, charge_cents, paid_cents, reversed, payload, placed_at)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (remittance_id uuid, position integer, claim_id uuid,
            state text, chain integer, patient_control_number text, payer_claim_control_number text,
            is_reversal boolean, charge_cents bigint, paid_cents bigint, reversed boolean, payload jsonb,
            placed_at timestamptz)
        ON CONFLICT (tenant_id, remittance_id, position) DO UPDATE SET state = excluded.state,
            chain = excluded.chain, placed_at = excluded.placed_at
        """,
        as_json([_remitted_values(row) for row in rows]),
    )


def _remitted_values(row: RemittedClaimRow) -> dict[str, Any]:
    remitted = row.remitted
    return {
        "remittance_id": row.remittance_id,
        "position": row.position,
        "claim_id": remitted.claim_id,
        "state": row.state,
        "chain": row.chain,
        "patient_control_number": remitted.patient_control_number,
        "payer_claim_control_number": remitted.payer_claim_control_number,
        "is_reversal": remitted.is_reversal,
        "charge_cents": remitted.charge_cents,
        "paid_cents": remitted.paid_cents,
        "reversed": row.reversed,
        "payload": remitted.model_dump(mode="json"),
        "placed_at": row.placed_at,
    }


async def mark_reversed(uow: UnitOfWork, places: Sequence[tuple[UUID, int]]) -> None:
    """Note that posted answers, by remittance and position, have been taken back."""
    await uow.execute(
        """
        UPDATE claims.remitted_claim AS r SET reversed = true
        FROM unnest($1::uuid[], $2::integer[]) AS w (remittance_id, position)
        WHERE r.remittance_id = w.remittance_id AND r.position = w.position
        """,
        [remittance_id for remittance_id, _ in places],
        [position for _, position in places],
    )


async def add_remitted_lines(uow: UnitOfWork, rows: Sequence[RemittedLineRow]) -> None:
    """Insert the lines of posted CLPs."""
    await uow.execute(
        """
        INSERT INTO claims.remitted_line (remittance_id, position, line_position, claim_id, chain, line_number,
            matched_by, charge_cents, paid_cents, contractual_cents, other_adjustment_cents, patient_cents,
            denied_cents, carcs, rarcs, answers)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (remittance_id uuid, position integer,
            line_position integer, claim_id uuid, chain integer, line_number integer, matched_by text,
            charge_cents bigint, paid_cents bigint, contractual_cents bigint, other_adjustment_cents bigint,
            patient_cents bigint, denied_cents bigint, carcs text[], rarcs text[], answers integer)
        """,
        as_json([_line_values(row) for row in rows]),
    )


def _line_values(row: RemittedLineRow) -> dict[str, Any]:
    line = row.line
    return {
        "remittance_id": row.remittance_id,
        "position": row.position,
        "line_position": row.line_position,
        "claim_id": row.claim_id,
        "chain": row.chain,
        "line_number": line.line_number,
        "matched_by": line.matched_by,
        "charge_cents": line.charge_cents,
        "paid_cents": line.paid_cents,
        "contractual_cents": line.contractual_cents,
        "other_adjustment_cents": line.other_adjustment_cents,
        "patient_cents": line.patient_cents,
        "denied_cents": line.denied_cents,
        "carcs": line.carcs,
        "rarcs": line.rarcs,
        "answers": row.answers,
    }


async def write_deposits(uow: UnitOfWork, deposits: Sequence[Deposit]) -> None:
    """Insert deposits, or store what they were matched to meanwhile."""
    await uow.execute(
        """
        INSERT INTO claims.deposit (deposit_id, bank_reference, deposit_date, payer_id, trace_number, amount_cents,
            received_at, remittance_id, difference_cents, match_number)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (deposit_id uuid, bank_reference text, deposit_date date,
            payer_id text, trace_number text, amount_cents bigint, received_at timestamptz, remittance_id uuid,
            difference_cents bigint, match_number integer)
        ON CONFLICT (tenant_id, deposit_id) DO UPDATE SET remittance_id = excluded.remittance_id,
            difference_cents = excluded.difference_cents, match_number = excluded.match_number
        """,
        as_json(deposits),
    )
