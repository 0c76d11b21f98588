"""What the API reads: pages, a claim with everything that belongs to it, the ledger as a whole."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.ledger import LineMoney
from revcycle_claims.repositories import tasks
from revcycle_claims.repositories.remittances import Trace

_SUMMARY: Final = """
    SELECT claim_id, encounter_id, encounter_number, facility_npi, billing_side, payer_id, date_of_service, state,
        outcome, charge_cents, submission, adjudication, receivable, waiting_for, since, filing_deadline, version
    FROM claims.claim
"""


def _where(filters: Mapping[str, object | None], after: str | None, values: list[object]) -> str:
    """Conditions on columns that are named in code, their values as parameters; ``after`` is the cursor's condition."""
    conditions = []
    for column, value in filters.items():
        if value is not None:
            values.append(value)
            conditions.append(f"{column} = ${len(values)}")
    if after is not None:
        conditions.append(after)
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


async def _page_of(
    uow: UnitOfWork,
    select: str,
    filters: Mapping[str, object | None],
    key: str,
    after: Sequence[object] | None,
    limit: int,
) -> "list[asyncpg.Record]":
    """A page in the order of one column. ``select``, ``key`` and the names of the filters come from code only."""
    values: list[object] = []
    cursor = None
    if after is not None:
        values.append(after[0])
        cursor = f"{key} > $1"
    where = _where(filters, cursor, values)
    return await uow.fetch(f"{select} {where} ORDER BY {key} LIMIT {limit:d}", *values)


async def claims_page(
    uow: UnitOfWork, filters: Mapping[str, object | None], after: Sequence[object] | None, limit: int
) -> "list[asyncpg.Record]":
    """Claims in the order of their ids, which is that of their making."""
    return await _page_of(uow, _SUMMARY, filters, "claim_id", after, limit)


async def tasks_page(
    uow: UnitOfWork, filters: Mapping[str, object | None], after: Sequence[object] | None, limit: int
) -> "list[asyncpg.Record]":
    """Work items in the order of their ids."""
    return await _page_of(uow, tasks.SELECT, filters, "task_id", after, limit)


async def fee_schedules_page(uow: UnitOfWork, after: Sequence[object] | None, limit: int) -> "list[asyncpg.Record]":
    """Fee schedules by name."""
    select = "SELECT name, version, row_count, posted_at, posted_by FROM claims.fee_schedule"
    return await _page_of(uow, select, {}, "name", after, limit)


async def prices_page(
    uow: UnitOfWork, filters: Mapping[str, object | None], after: Sequence[object] | None, limit: int
) -> "list[asyncpg.Record]":
    """Rows of the fee schedules in force, as they were handed in."""
    select = """
        SELECT row_number, code, modifier, effective_from, effective_to, price_cents
        FROM claims.price JOIN claims.fee_schedule USING (tenant_id, name, version)
    """
    return await _page_of(uow, select, filters, "row_number", after, limit)


async def has_fee_schedule(uow: UnitOfWork, name: str) -> bool:
    """Whether a fee schedule of this name exists."""
    return await uow.fetch_value("SELECT 1 FROM claims.fee_schedule WHERE name = $1", name) is not None


async def deposits_page(
    uow: UnitOfWork, filters: Mapping[str, object | None], after: Sequence[object] | None, limit: int
) -> "list[asyncpg.Record]":
    """Deposits with what is wrong with each; ``id`` is ours, ``deposit_id`` the bank's."""
    select = """
        SELECT * FROM (
            SELECT deposit_id AS id, bank_reference AS deposit_id, deposit_date AS date, payer_id, trace_number,
                amount_cents, remittance_id, CASE WHEN remittance_id IS NULL THEN 'money_without_advice'
                    WHEN difference_cents <> 0 THEN 'difference' END AS exception
            FROM claims.deposit
        ) AS d
    """
    return await _page_of(uow, select, filters, "id", after, limit)


async def remittances_page(
    uow: UnitOfWork, filters: Mapping[str, object | None], after: Sequence[object] | None, limit: int
) -> "list[asyncpg.Record]":
    """Remittances with what of them is deposited and what is wrong."""
    select = """
        SELECT remittance_id, payer_id, trace_number, payment_date, payment_method, paid_cents, state, held_because,
            deposited_cents, clearing_cents, exception FROM claims.remittance_clearing
    """
    return await _page_of(uow, select, filters, "remittance_id", after, limit)


async def claims_of_encounters(uow: UnitOfWork, encounter_ids: Sequence[UUID]) -> "list[asyncpg.Record]":
    """The claims of encounters."""
    return await uow.fetch(f"{_SUMMARY} WHERE encounter_id = ANY($1) ORDER BY claim_id", encounter_ids)


async def money_of(uow: UnitOfWork, claim_ids: Iterable[UUID]) -> dict[UUID, dict[int, LineMoney]]:
    """Claim to line to money, from the ledger."""
    rows = await uow.fetch("SELECT * FROM claims.line_money WHERE claim_id = ANY($1)", list(claim_ids))
    money: dict[UUID, dict[int, LineMoney]] = {}
    for row in rows:
        money.setdefault(row["claim_id"], {})[row["line_number"]] = LineMoney(
            row["charge_cents"],
            row["paid_cents"],
            row["contractual_cents"],
            row["other_adjustment_cents"],
            row["patient_cents"],
            row["open_cents"],
        )
    return money


async def lines_of(uow: UnitOfWork, claim_id: UUID) -> "list[asyncpg.Record]":
    """The service lines of a claim."""
    return await uow.fetch(
        """
        SELECT line_number, line_control_number, code, modifiers, units, charge_cents, diagnosis_pointers
        FROM claims.claim_line WHERE claim_id = $1 ORDER BY line_number
        """,
        claim_id,
    )


async def submissions_of(uow: UnitOfWork, claim_id: UUID) -> "list[asyncpg.Record]":
    """The submissions of a claim with what the payer's side says of each."""
    return await uow.fetch(
        """
        SELECT s.submission_id, s.ordinal, s.frequency, s.patient_control_number, s.charge_cents, s.decided_at,
            s.decided_by, coalesce(t.payer_claim_control_number, s.payer_claim_control_number)
                AS payer_claim_control_number,
            CASE coalesce(t.state, 'not_sent') WHEN 'not_sent' THEN 'decided' ELSE t.state END AS state,
            coalesce(t.reasons, '[]'::jsonb) AS reasons
        FROM claims.submission AS s LEFT JOIN claims.transmission AS t USING (tenant_id, submission_id)
        WHERE s.claim_id = $1 ORDER BY s.ordinal
        """,
        claim_id,
    )


async def decisions_of(uow: UnitOfWork, claim_id: UUID) -> "list[asyncpg.Record]":
    """The stored decisions on a claim, oldest first."""
    return await uow.fetch(
        """
        SELECT decision_id, kind, rule_id, rule_version, input_hash, input_text, output_text, decided_at
        FROM claims.decision WHERE claim_id = $1 ORDER BY decided_at, decision_id
        """,
        claim_id,
    )


async def timeline_of(uow: UnitOfWork, claim_id: UUID) -> "list[asyncpg.Record]":
    """What happened to a claim, oldest first: decisions, submissions, word of the payer, money, work."""
    return await uow.fetch(
        """
        SELECT created_at AS at, 'coded' AS what, billing_side AS detail, NULL::bigint AS cents
        FROM claims.claim WHERE claim_id = $1
        UNION ALL
        SELECT decided_at, kind, rule_id || ' ' || rule_version, NULL FROM claims.decision WHERE claim_id = $1
        UNION ALL
        SELECT decided_at, 'submitted', 'frequency ' || frequency || ', CLM01 ' || patient_control_number, charge_cents
        FROM claims.submission WHERE claim_id = $1
        UNION ALL
        SELECT updated_at, 'submission ' || state,
            (SELECT string_agg(r, '; ') FROM jsonb_array_elements_text(reasons) AS r),
            NULL FROM claims.transmission WHERE claim_id = $1
        UNION ALL
        SELECT j.posted_at, 'journal ' || j.kind, r.trace_number,
            (SELECT sum(cents) FROM claims.entry AS e WHERE e.journal_id = j.journal_id AND cents > 0)::bigint
        FROM claims.journal AS j LEFT JOIN claims.remittance AS r USING (tenant_id, remittance_id)
        WHERE j.claim_id = $1
        UNION ALL
        SELECT opened_at, 'task ' || kind, cause, money_at_stake_cents FROM claims.task WHERE claim_id = $1
        UNION ALL
        SELECT resolved_at, 'task resolved ' || kind, resolution, NULL
        FROM claims.task WHERE claim_id = $1 AND resolved_at IS NOT NULL
        UNION ALL
        SELECT issued_at, 'patient billed', NULL, amount_cents FROM claims.patient_bill WHERE claim_id = $1
        ORDER BY at, what
        """,
        claim_id,
    )


async def ledger_hash(uow: UnitOfWork) -> tuple[str, int]:
    """SHA-256 over the claim-line balances of the tenant, and how many they are."""
    rows = await uow.fetch("SELECT * FROM claims.ledger_line_balance")
    lines = sorted(
        f"{row['facility_npi']}|{row['encounter_number']}|{row['line_number']}|{row['account']}|{row['cents']}".encode()
        for row in rows
    )
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest(), len(lines)


async def rollforward(uow: UnitOfWork) -> dict[str, Any]:
    """Every account's balance, and how much fails of the equations: each journal, each line."""
    accounts = await uow.fetch(
        "SELECT account, sum(cents)::bigint AS cents FROM claims.entry GROUP BY account ORDER BY account"
    )
    counts = await uow.fetch_row(
        "SELECT (SELECT count(*) FROM claims.entry) AS entries, (SELECT count(*) FROM claims.journal) AS journals"
    )
    unbalanced = await uow.fetch_row(
        """
        SELECT count(DISTINCT journal_id) AS journals, coalesce(sum(abs(cents)), 0)::bigint AS cents FROM (
            SELECT journal_id, sum(cents) AS cents FROM claims.entry
            GROUP BY journal_id, claim_id, line_number HAVING sum(cents) <> 0
        ) AS off
        """
    )
    assert counts is not None and unbalanced is not None, "aggregates always answer"
    return {
        "accounts": [dict(row) for row in accounts],
        "entries": counts["entries"],
        "journals": counts["journals"],
        "unbalanced_journals": unbalanced["journals"],
        "unbalanced_cents": unbalanced["cents"],
        "total": sum(row["cents"] for row in accounts),
    }


async def remitted_claims_of(uow: UnitOfWork, remittance_id: UUID) -> "list[asyncpg.Record]":
    """The CLPs of a remittance with where each was placed."""
    return await uow.fetch(
        """
        SELECT position, claim_id, state, is_reversal, charge_cents, paid_cents, patient_control_number
        FROM claims.remitted_claim WHERE remittance_id = $1 ORDER BY position
        """,
        remittance_id,
    )


async def unapplied_page(uow: UnitOfWork, after: Sequence[object] | None, limit: int) -> "list[asyncpg.Record]":
    """Money of the payers that is applied to no claim (yet)."""
    return await uow.fetch(
        """
        SELECT u.remittance_id, u.position, r.payer_id, r.trace_number, u.patient_control_number, u.paid_cents,
            u.state AS why, u.placed_at AS since
        FROM claims.remitted_claim AS u JOIN claims.remittance AS r USING (tenant_id, remittance_id)
        WHERE u.state <> 'posted' AND ($1::uuid IS NULL OR (u.remittance_id, u.position) > ($1, $2::integer))
        ORDER BY u.remittance_id, u.position LIMIT $3
        """,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )


async def remittance_traces(uow: UnitOfWork, remittance_ids: Iterable[UUID]) -> list[Trace]:
    """Payer and trace number of remittances."""
    rows = await uow.fetch(
        "SELECT payer_id, trace_number FROM claims.remittance WHERE remittance_id = ANY($1)", list(remittance_ids)
    )
    return [(row["payer_id"], row["trace_number"]) for row in rows]


async def deposit_traces(uow: UnitOfWork, deposit_ids: Iterable[UUID]) -> list[Trace]:
    """Payer and trace number of deposits."""
    rows = await uow.fetch(
        "SELECT payer_id, trace_number FROM claims.deposit WHERE deposit_id = ANY($1)", list(deposit_ids)
    )
    return [(row["payer_id"], row["trace_number"]) for row in rows]
