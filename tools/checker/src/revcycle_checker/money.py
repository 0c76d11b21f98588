"""Invariants of money, in integer cents: the ledger against itself, against the payer's bytes and the bank's list."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from revcycle_checker.raw_log import RawLog
from revcycle_checker.report import Finding

Deposits = Mapping[str, tuple[str, str, int]]
"""The bank's list: deposit id to (payer, trace number, cents)."""


async def posted_once(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """M1: a remittance is posted once, and the ledger holds for each of its lines what was remitted, once."""
    twice = await connection.fetch(
        "SELECT min(remittance_id::text) AS one, count(*) AS times FROM claims.remittance"
        " WHERE tenant_id = $1 AND state = 'posted' GROUP BY identity_key HAVING count(*) > 1",
        tenant_id,
    )
    lines = await connection.fetch(
        """
        WITH ledger AS (
            SELECT j.remittance_id, e.claim_id, e.line_number,
                coalesce(sum(e.cents) FILTER (WHERE e.account = 'clearing_remittance'), 0) AS paid,
                coalesce(sum(e.cents) FILTER (WHERE e.account = 'contractual_adjustment'), 0) AS contractual,
                coalesce(sum(e.cents) FILTER (WHERE e.account = 'other_adjustment'), 0) AS other,
                coalesce(sum(e.cents) FILTER (WHERE e.account = 'receivable_patient'), 0) AS patient
            FROM claims.entry AS e JOIN claims.journal AS j USING (tenant_id, journal_id)
            WHERE tenant_id = $1 AND j.kind = 'remittance' AND e.claim_id IS NOT NULL GROUP BY 1, 2, 3
        ), remitted AS (
            SELECT l.remittance_id, l.claim_id, l.line_number, sum(l.paid_cents) AS paid,
                sum(l.contractual_cents) AS contractual, sum(l.other_adjustment_cents) AS other,
                sum(l.patient_cents) AS patient
            FROM claims.remitted_line AS l JOIN claims.remitted_claim AS c USING (tenant_id, remittance_id, position)
            WHERE tenant_id = $1 AND c.state = 'posted' GROUP BY 1, 2, 3
        )
        SELECT remittance_id, claim_id, line_number
        FROM ledger FULL JOIN remitted USING (remittance_id, claim_id, line_number)
        WHERE (coalesce(ledger.paid, 0), coalesce(ledger.contractual, 0), coalesce(ledger.other, 0),
               coalesce(ledger.patient, 0))
            <> (coalesce(remitted.paid, 0), coalesce(remitted.contractual, 0), coalesce(remitted.other, 0),
               coalesce(remitted.patient, 0))
        """,
        tenant_id,
    )
    return [Finding("M1", f"remittance {row['one']} was posted {row['times']} times") for row in twice] + [
        Finding("M1", f"claim {row['claim_id']} line {row['line_number']} of remittance {row['remittance_id']}")
        for row in lines
    ]


async def advices_posted(
    connection: "asyncpg.Connection[Any]", log: RawLog, tenant_id: UUID
) -> tuple[list[Finding], int]:
    """M2: each balanced advice in the payer's bytes is posted with its cents, and nothing else is. With cents off."""
    rows = await connection.fetch(
        "SELECT payer_id, trace_number, to_char(payment_date, 'YYYYMMDD') AS paid_on, paid_cents"
        " FROM claims.remittance WHERE tenant_id = $1 AND state = 'posted'",
        tenant_id,
    )
    posted = {tuple(row.values()) for row in rows}
    advised = {(one.route, one.trace_number, one.payment_date, one.paid_cents) for one in log.advices}
    findings = [
        Finding("M2", f"advice {one[1]} of {one[0]} over {one[3]} cents is not posted") for one in advised - posted
    ]
    findings += [
        Finding("M2", f"posted {one[1]} of {one[0]} over {one[3]} cents is no balanced advice")
        for one in posted - advised
    ]
    return findings, abs(sum(one.paid_cents for one in log.advices) - sum(row["paid_cents"] for row in rows))


async def journals_balance(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> tuple[list[Finding], int]:
    """M3: every journal, and each claim's line in it, sums to zero over at least two entries. With the cents off."""
    rows = await connection.fetch(
        """
        SELECT journal_id, sum(cents)::bigint AS difference, sum(entries) AS entries
        FROM (SELECT journal_id, claim_id, line_number, sum(cents) AS cents, count(*) AS entries
              FROM claims.entry WHERE tenant_id = $1 GROUP BY journal_id, claim_id, line_number) AS part
        GROUP BY journal_id HAVING sum(entries) < 2 OR bool_or(cents <> 0)
        """,
        tenant_id,
    )
    findings = [
        Finding("M3", f"journal {row['journal_id']}: {row['entries']} entries, off by {row['difference']} cents")
        for row in rows
    ]
    return findings, sum(abs(row["difference"]) for row in rows)


async def ledger_only_grows(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """M4: no role may change the ledger or the archive, no entry or journal is missing, and events told the same."""
    grants = await connection.fetch(
        """
        SELECT DISTINCT c.oid::regclass::text AS place, a.grantee::regrole::text AS grantee
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE (c.oid IN ('claims.entry'::regclass, 'claims.journal'::regclass, 'messaging.archive'::regclass)
                OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'messaging.archive'::regclass))
            AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE') AND a.grantee <> c.relowner
        """
    )
    holes = await connection.fetch(
        """
        SELECT j.journal_id, j.kind FROM claims.journal AS j LEFT JOIN claims.entry AS e USING (tenant_id, journal_id)
        WHERE tenant_id = $1 GROUP BY j.journal_id, j.kind, j.reverses
        HAVING count(e.entry_number) <> coalesce(max(e.entry_number), -1) OR min(e.entry_number) <> 1
            OR (j.kind = 'charge_reversal' AND j.reverses IS NULL)
            OR (j.reverses IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM claims.journal AS r WHERE r.tenant_id = $1 AND r.journal_id = j.reverses))
        """,
        tenant_id,
    )
    gone = await connection.fetch(
        """
        SELECT c.claim_id FROM claims.claim AS c WHERE c.tenant_id = $1 AND c.charge_journal_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM claims.journal AS j
                            WHERE (j.tenant_id, j.journal_id) = (c.tenant_id, c.charge_journal_id))
        """,
        tenant_id,
    )
    findings = [Finding("M4", f"{row['grantee']} may change {row['place']}") for row in grants]
    findings += [Finding("M4", f"{row['kind']} journal {row['journal_id']} is not whole") for row in holes]
    findings += [Finding("M4", f"the charge journal of claim {row['claim_id']} is gone") for row in gone]
    return findings + await _events_told_otherwise(connection, tenant_id)


async def _events_told_otherwise(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """The events said at posting are a second book: a change of the ledger alone does not change them."""
    rows = await connection.fetch(
        """
        WITH said AS (
            SELECT key::uuid AS claim_id, sum((convert_from(payload, 'UTF8')::jsonb ->> 'paid_cents')::bigint) AS cents
            FROM (SELECT tenant_id, key, headers, payload FROM messaging.archive
                  UNION ALL SELECT tenant_id, key, headers, payload FROM messaging.outbox) AS event
            WHERE tenant_id = $1 AND headers LIKE '%ce_type:revcycle.claims.PaymentPosted.v1%' GROUP BY 1
        ), booked AS (
            SELECT claim_id, sum(paid_cents) AS cents FROM claims.line_money WHERE tenant_id = $1 GROUP BY 1
        )
        SELECT claim_id, coalesce(said.cents, 0) AS said, coalesce(booked.cents, 0) AS booked
        FROM said FULL JOIN booked USING (claim_id) WHERE coalesce(said.cents, 0) <> coalesce(booked.cents, 0)
        """,
        tenant_id,
    )
    return [
        Finding("M4", f"claim {row['claim_id']}: payments of {row['said']} cents were told, {row['booked']} are booked")
        for row in rows
    ]


async def lines_add_up(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> tuple[list[Finding], int]:
    """M5: charge = paid + contractual + other adjustments + patient + open, per line and per claim. With cents off."""
    rows = await connection.fetch(
        """
        SELECT claim_id, line_number,
            charge_cents - paid_cents - contractual_cents - other_adjustment_cents - patient_cents - open_cents AS off
        FROM claims.line_money WHERE tenant_id = $1
        """,
        tenant_id,
    )
    by_claim: Counter[Any] = Counter()
    findings = []
    for row in rows:
        by_claim[row["claim_id"]] += row["off"]
        if row["off"]:
            findings.append(Finding("M5", f"claim {row['claim_id']} line {row['line_number']} is off by {row['off']}"))
    off = sum(abs(row["off"]) for row in rows) + sum(abs(value) for value in by_claim.values())
    return findings, int(off)


async def charges_are_booked(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """M5: the lines of a claim sum to its charge, and what went out is booked line by line."""
    rows = await connection.fetch(
        """
        SELECT c.claim_id, c.charge_cents, c.charge_journal_id IS NOT NULL AS went_out,
            (SELECT coalesce(sum(l.charge_cents), 0) FROM claims.claim_line AS l
             WHERE (l.tenant_id, l.claim_id) = (c.tenant_id, c.claim_id)) AS lines,
            (SELECT coalesce(sum(m.charge_cents), 0) FROM claims.line_money AS m
             WHERE (m.tenant_id, m.claim_id) = (c.tenant_id, c.claim_id)) AS booked
        FROM claims.claim AS c WHERE c.tenant_id = $1
        """,
        tenant_id,
    )
    return [
        Finding(
            "M5",
            f"claim {row['claim_id']} charges {row['charge_cents']} cents, its lines {row['lines']},"
            f" the ledger {row['booked']}",
        )
        for row in rows
        if row["charge_cents"] != row["lines"] or (row["went_out"] and row["booked"] != row["charge_cents"])
    ]


async def clearing_is_explained(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """M6: what stands in clearing is exactly advice less its deposits, and money without advice; receivables agree."""
    remittances = await connection.fetch(
        "SELECT trace_number, clearing_cents, paid_cents - deposited_cents AS expected FROM claims.remittance_clearing"
        " WHERE tenant_id = $1 AND state = 'posted' AND clearing_cents <> paid_cents - deposited_cents",
        tenant_id,
    )
    deposits = await connection.fetch(
        """
        SELECT d.bank_reference, coalesce(sum(e.cents), 0)::bigint AS cents,
            CASE WHEN d.remittance_id IS NULL THEN -d.amount_cents ELSE 0 END AS expected
        FROM claims.deposit AS d LEFT JOIN claims.entry AS e
            ON (e.tenant_id, e.deposit_id) = (d.tenant_id, d.deposit_id) AND e.account = 'clearing_deposit'
        WHERE d.tenant_id = $1 GROUP BY d.deposit_id, d.bank_reference, d.remittance_id, d.amount_cents
        """,
        tenant_id,
    )
    loose = await connection.fetchval(
        "SELECT count(*) FROM claims.entry WHERE tenant_id = $1 AND account LIKE 'receivable%' AND claim_id IS NULL",
        tenant_id,
    )
    findings = [
        Finding(
            "M6",
            f"remittance {row['trace_number']} has {row['clearing_cents']} cents in clearing, not {row['expected']}",
        )
        for row in remittances
    ]
    findings += [
        Finding("M6", f"deposit {row['bank_reference']} has {row['cents']} cents in clearing, not {row['expected']}")
        for row in deposits
        if row["cents"] != row["expected"]
    ]
    return findings + ([Finding("M6", f"{loose} entries of receivables belong to no claim")] if loose else [])


async def payments_are_placed(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """M7: payments are applied or unapplied, nothing a patient owes is below zero, reversals net to zero."""
    bills = await connection.fetch(
        """
        SELECT c.claim_id, c.billed_patient_cents AS noted, coalesce(sum(b.amount_cents), 0)::bigint AS billed,
            (SELECT coalesce(sum(m.patient_cents), 0)::bigint FROM claims.line_money AS m
             WHERE (m.tenant_id, m.claim_id) = (c.tenant_id, c.claim_id)) AS owed
        FROM claims.claim AS c LEFT JOIN claims.patient_bill AS b USING (tenant_id, claim_id)
        WHERE tenant_id = $1 GROUP BY c.tenant_id, c.claim_id, c.billed_patient_cents
        """,
        tenant_id,
    )
    unapplied = await connection.fetch(
        """
        SELECT r.trace_number, r.unplaced, coalesce(e.cents, 0) AS cents FROM (
            SELECT r.remittance_id, r.trace_number,
                coalesce(sum(c.paid_cents) FILTER (WHERE c.state <> 'posted'), 0)::bigint AS unplaced
            FROM claims.remittance AS r LEFT JOIN claims.remitted_claim AS c USING (tenant_id, remittance_id)
            WHERE tenant_id = $1 AND r.state = 'posted' GROUP BY r.remittance_id, r.trace_number
        ) AS r LEFT JOIN (
            SELECT remittance_id, sum(cents)::bigint AS cents FROM claims.entry
            WHERE tenant_id = $1 AND account = 'unapplied' GROUP BY remittance_id
        ) AS e USING (remittance_id) WHERE r.unplaced <> -coalesce(e.cents, 0)
        """,
        tenant_id,
    )
    reversals = await connection.fetch(
        "SELECT claim_id FROM claims.remitted_claim WHERE tenant_id = $1 AND state = 'posted'"
        " AND (is_reversal OR reversed) GROUP BY claim_id HAVING sum(paid_cents) <> 0",
        tenant_id,
    )
    findings = []
    for row in bills:
        if min(row["billed"], row["owed"]) < 0:
            findings.append(Finding("M7", f"claim {row['claim_id']}: the patient owes less than nothing"))
        if row["noted"] != row["billed"] or (row["billed"] and row["billed"] != row["owed"]):
            findings.append(
                Finding("M7", f"claim {row['claim_id']}: {row['billed']} cents billed, the patient owes {row['owed']}")
            )
    findings += [
        Finding("M7", f"remittance {row['trace_number']}: {row['unplaced']} cents unplaced, {-row['cents']} unapplied")
        for row in unapplied
    ]
    return findings + [Finding("M7", f"claim {row['claim_id']}: a reversal left money behind") for row in reversals]


async def deposits_posted(
    connection: "asyncpg.Connection[Any]", deposits: Deposits, tenant_id: UUID
) -> tuple[list[Finding], int]:
    """M8: each deposit of the bank's list is in cash once with its cents, and nothing else is. With cents off."""
    rows = await connection.fetch(
        """
        SELECT d.bank_reference, d.payer_id, d.trace_number, d.amount_cents, coalesce(sum(e.cents), 0)::bigint AS cash
        FROM claims.deposit AS d LEFT JOIN claims.entry AS e
            ON (e.tenant_id, e.deposit_id) = (d.tenant_id, d.deposit_id) AND e.account = 'cash'
        WHERE d.tenant_id = $1 GROUP BY d.deposit_id, d.bank_reference, d.payer_id, d.trace_number, d.amount_cents
        """,
        tenant_id,
    )
    total = await connection.fetchval(
        "SELECT coalesce(sum(cents), 0)::bigint FROM claims.entry WHERE tenant_id = $1 AND account = 'cash'", tenant_id
    )
    known = {row["bank_reference"]: (row["payer_id"], row["trace_number"], row["amount_cents"]) for row in rows}
    findings = [Finding("M8", f"deposit {one} at the bank is not recorded") for one in deposits.keys() - known]
    findings += [Finding("M8", f"deposit {one} is not at the bank") for one in known.keys() - deposits.keys()]
    findings += [
        Finding("M8", f"deposit {row['bank_reference']} of {row['amount_cents']} cents is in cash with {row['cash']}")
        for row in rows
        if row["cash"] != row["amount_cents"]
        or deposits.get(row["bank_reference"], known[row["bank_reference"]]) != known[row["bank_reference"]]
    ]
    off = abs(sum(amount for _, _, amount in deposits.values()) - int(total))
    if off and not findings:
        findings.append(Finding("M8", f"cash and the bank differ by {off} cents"))
    return findings, off


async def exceptions_are_planted(
    connection: "asyncpg.Connection[Any]", planted: set[str], tenant_id: UUID
) -> tuple[list[Finding], int]:
    """M8: the named exceptions are, by trace number, exactly the late and short deposits. With how many are named."""
    rows = await connection.fetch("SELECT trace_number FROM claims.clearing_exception WHERE tenant_id = $1", tenant_id)
    named = {row["trace_number"] for row in rows}
    findings = [Finding("M8", f"trace {trace} is an exception nobody planted") for trace in sorted(named - planted)]
    findings += [Finding("M8", f"planted exception {trace} is not named") for trace in sorted(planted - named)]
    return findings, len(named)


async def analytics_agree(connections: "Mapping[str, asyncpg.Connection[Any]]", tenant_id: UUID) -> list[Finding]:
    """E8: when all is quiet, analytics' totals are the ledger's and the claims service's, to the cent and the piece."""
    rolled = await connections["analytics"].fetch(
        "SELECT measure, sum(value)::bigint AS value FROM analytics.rollup WHERE tenant_id = $1 GROUP BY measure",
        tenant_id,
    )
    totals: dict[str, int] = defaultdict(int, {row["measure"]: row["value"] for row in rolled})
    expected = await connections["claims"].fetchrow(
        """
        SELECT
            (SELECT coalesce(sum(charge_cents), 0) FROM claims.submission
             WHERE tenant_id = $1 AND frequency = '1')::bigint AS charge_cents,
            (SELECT count(*) FROM claims.submission WHERE tenant_id = $1) AS submissions,
            (SELECT coalesce(sum(amount_cents), 0) FROM claims.deposit WHERE tenant_id = $1)::bigint AS deposit_cents,
            coalesce(sum(paid_cents), 0)::bigint AS paid_cents,
            coalesce(sum(contractual_cents), 0)::bigint AS contractual_cents,
            coalesce(sum(other_adjustment_cents), 0)::bigint AS other_adjustment_cents
        FROM claims.line_money WHERE tenant_id = $1
        """,
        tenant_id,
    )
    assert expected is not None, "sums without groups give one row"
    return [
        Finding("E8", f"analytics has {totals[measure]} for {measure}, claims {value}")
        for measure, value in expected.items()
        if totals[measure] != value
    ]
