"""Invariants of claims and submissions: the claims service, the gateway and the payer's bytes against each other."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

import asyncpg

from revcycle_checker.raw_log import RawLog
from revcycle_checker.report import Finding

CONTROL_NUMBER_CHARACTERS_MAX = 20


def arrivals_once(log: RawLog, rejected: set[str]) -> list[Finding]:
    """C4: each (CLM01, CLM05-3) arrived at the payer at most once, except after a rejection."""
    counts = Counter((claim.route, claim.patient_control_number, claim.frequency) for claim in log.claims)
    return [
        Finding("C4", f"claim {clm01} frequency {frequency} arrived {count} times at {route}")
        for (route, clm01, frequency), count in sorted(counts.items())
        if count > 1 and clm01 not in rejected
    ]


def control_numbers_once(log: RawLog) -> list[Finding]:
    """C3: ISA13, GS06 and BHT03 are given once per sender and payer; again only with the very same bytes."""
    digests: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for one in log.interchanges:
        digests["ISA13", one.sender, one.route, one.control_number].add(one.digest)
        for number in one.group_numbers:
            digests[f"GS06 of {one.kind}", one.sender, one.route, number].add(one.digest)
        for reference in one.batch_references:
            digests["BHT03", one.sender, "", reference].add(one.digest)
    return [
        Finding("C3", f"{what} {number} of {sender} to {route or 'any'} carried {len(found)} different contents")
        for (what, sender, route, number), found in sorted(digests.items())
        if len(found) > 1
    ]


def envelopes_count(log: RawLog) -> list[Finding]:
    """C3: SE01, GE01, IEA01, ST02 and the HL numbering of what arrived equal a recount."""
    return [
        Finding("C3", f"interchange {one.control_number} to {one.route}: {miscount}")
        for one in log.distinct_interchanges
        for miscount in one.miscounts
    ]


async def one_live_claim(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """C1: one live claim per encounter and billing side."""
    rows = await connection.fetch(
        "SELECT encounter_id, count(*) AS claims FROM claims.claim WHERE tenant_id = $1 AND state <> 'voided'"
        " GROUP BY encounter_id, billing_side HAVING count(*) > 1",
        tenant_id,
    )
    return [Finding("C1", f"encounter {row['encounter_id']} has {row['claims']} claims") for row in rows]


async def chains_have_one_head(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """C1: a replacement or void names its predecessor and the payer's number; nothing is superseded twice."""
    rows = await connection.fetch(
        """
        SELECT s.submission_id, s.frequency <> '1' AND (p.submission_id IS NULL
                OR s.payer_claim_control_number IS NULL OR p.claim_id <> s.claim_id) AS headless,
            count(*) OVER (PARTITION BY s.predecessor) > 1 AND s.predecessor IS NOT NULL AS forked
        FROM claims.submission AS s
        LEFT JOIN claims.submission AS p ON (p.tenant_id, p.submission_id) = (s.tenant_id, s.predecessor)
        WHERE s.tenant_id = $1
        """,
        tenant_id,
    )
    return [
        Finding("C1", f"submission {row['submission_id']} names no predecessor of its claim")
        for row in rows
        if row["headless"]
    ] + [Finding("C1", f"submission {row['submission_id']} shares its predecessor") for row in rows if row["forked"]]


async def control_number_given_once(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """C2: a patient control number has at most 20 characters, belongs to one claim and is given once per frequency."""
    rows = await connection.fetch(
        """
        SELECT patient_control_number AS number FROM claims.submission WHERE tenant_id = $1
        GROUP BY patient_control_number
        HAVING count(DISTINCT claim_id) > 1 OR count(*) FILTER (WHERE frequency = '1') > 1
            OR length(patient_control_number) > $2
        """,
        tenant_id,
        CONTROL_NUMBER_CHARACTERS_MAX,
    )
    return [Finding("C2", f"patient control number {row['number']} was given again or is too long") for row in rows]


async def bounds_hold(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """R5: no claim has more than 20 submissions."""
    rows = await connection.fetch(
        "SELECT claim_id, count(*) AS sent FROM claims.submission WHERE tenant_id = $1"
        " GROUP BY claim_id HAVING count(*) > 20",
        tenant_id,
    )
    return [Finding("R5", f"claim {row['claim_id']} was submitted {row['sent']} times") for row in rows]


async def intents_committed(gateway: "asyncpg.Connection[Any]", log: RawLog, tenant_id: UUID) -> list[Finding]:
    """C5: whatever arrived at the payer is an interchange of ours, with an attempt committed for each arrival."""
    rows = await gateway.fetch(
        """
        SELECT i.payer_id, i.sha256, i.state, count(a.attempt) AS attempts,
            count(a.attempt) FILTER (WHERE a.outcome IS NULL) AS open_attempts
        FROM gateway.interchange AS i LEFT JOIN gateway.attempt AS a USING (tenant_id, interchange_id)
        WHERE i.tenant_id = $1 AND i.direction = 'out' GROUP BY i.interchange_id, i.payer_id, i.sha256, i.state
        """,
        tenant_id,
    )
    arrived = Counter((one.route, one.digest) for one in log.interchanges)
    attempts = {(row["payer_id"], row["sha256"]): row["attempts"] for row in rows}
    findings = [
        Finding(
            "C5",
            f"an interchange {digest[:12]} arrived at {route} {times} times with {attempts[route, digest]} attempts",
        )
        if (route, digest) in attempts
        else Finding("C5", f"an interchange {digest[:12]} arrived at {route} and was never intended")
        for (route, digest), times in arrived.items()
        if attempts.get((route, digest), 0) < times
    ]
    return findings + [
        Finding(
            "C5", f"interchange {row['sha256'][:12]} to {row['payer_id']} is sent and has an attempt without outcome"
        )
        for row in rows
        if row["state"] == "sent" and row["open_attempts"]
    ]


async def decided_is_handed_over(
    claims: "asyncpg.Connection[Any]", gateway: "asyncpg.Connection[Any]", tenant_id: UUID
) -> list[Finding]:
    """C5, E8: the gateway knows exactly the submissions that were decided, with equal amounts."""
    sql = "SELECT submission_id, charge_cents FROM {} WHERE tenant_id = $1"
    decided = {row[0]: row[1] for row in await claims.fetch(sql.format("claims.submission"), tenant_id)}
    known = {row[0]: row[1] for row in await gateway.fetch(sql.format("gateway.submission"), tenant_id)}
    return (
        [Finding("C5", f"submission {one} was decided and never reached the gateway") for one in decided.keys() - known]
        + [Finding("C5", f"submission {one} is at the gateway and nobody decided it") for one in known.keys() - decided]
        + [
            Finding("E8", f"submission {one} charges {decided[one]} cents upstream and {known[one]} at the gateway")
            for one in decided.keys() & known
            if decided[one] != known[one]
        ]
    )


async def everything_acknowledged(gateway: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """C6: what was sent has a TA1 or 999, each claim in it a 277CA, or somebody asked after it."""
    rows = await gateway.fetch(
        """
        SELECT s.submission_id,
            count(*) FILTER (WHERE a.kind IN ('TA1', '999')) = 0 AS not_received,
            count(*) FILTER (WHERE a.kind IN ('TA1', '999') AND a.verdict NOT LIKE 'accepted%') > 0 AS turned_down,
            count(*) FILTER (WHERE a.kind = '277CA' AND a.submission_id = s.submission_id) = 0 AS not_taken
        FROM gateway.submission AS s
        LEFT JOIN gateway.acknowledgment AS a USING (tenant_id, interchange_id)
        WHERE s.tenant_id = $1 AND s.sending = 'sent' AND NOT EXISTS (
            SELECT 1 FROM gateway.inquiry AS i WHERE (i.tenant_id, i.submission_id) = (s.tenant_id, s.submission_id))
        GROUP BY s.submission_id
        """,
        tenant_id,
    )
    return [
        Finding("C6", f"submission {row['submission_id']} has no {'TA1 or 999' if row['not_received'] else '277CA'}")
        for row in rows
        if row["not_received"] or (row["not_taken"] and not row["turned_down"])
    ]


async def charges_agree(gateway: "asyncpg.Connection[Any]", log: RawLog, tenant_id: UUID) -> list[Finding]:
    """C7: in the payer's bytes a claim's charge is the sum of its lines, and it is the charge that was submitted."""
    rows = await gateway.fetch(
        "SELECT patient_control_number, frequency, charge_cents FROM gateway.submission WHERE tenant_id = $1", tenant_id
    )
    submitted = {(row["patient_control_number"], row["frequency"]): row["charge_cents"] for row in rows}
    findings = []
    for claim in log.claims:
        wanted = submitted.get((claim.patient_control_number, claim.frequency))
        if not claim.charge_cents == claim.line_cents == wanted:
            findings.append(
                Finding(
                    "C7",
                    f"claim {claim.patient_control_number} arrived with {claim.charge_cents} cents, its lines with"
                    f" {claim.line_cents}; {'nothing' if wanted is None else wanted} was submitted",
                )
            )
    return findings


async def dates_agree(
    registration: "asyncpg.Connection[Any]", claims: "asyncpg.Connection[Any]", log: RawLog, tenant_id: UUID
) -> list[Finding]:
    """C8: the date of service is registration's, in the claim and in the payer's bytes; the deadline counts from it."""
    dates = {
        row["id"]: row["date_of_service"]
        for row in await registration.fetch(
            "SELECT id, date_of_service FROM registration.encounter WHERE tenant_id = $1", tenant_id
        )
    }
    limits = {
        row["payer_id"]: row["filing_limit_days"]
        for row in await registration.fetch(
            "SELECT payer_id, filing_limit_days FROM registration.payer WHERE tenant_id = $1", tenant_id
        )
    }
    # A claim whose inputs changed after it went out shows the new facts, and a work item says so.
    rows = await claims.fetch(
        """
        SELECT c.claim_id, c.encounter_id, c.payer_id, c.date_of_service, c.filing_deadline,
            array(SELECT s.patient_control_number FROM claims.submission AS s
                  WHERE (s.tenant_id, s.claim_id) = (c.tenant_id, c.claim_id)) AS numbers,
            EXISTS (SELECT 1 FROM claims.task AS t WHERE (t.tenant_id, t.claim_id) = (c.tenant_id, c.claim_id)
                    AND t.kind = 'changed_after_submission') AS changed
        FROM claims.claim AS c WHERE c.tenant_id = $1 AND c.date_of_service IS NOT NULL
        """,
        tenant_id,
    )
    sent: dict[str, set[str]] = defaultdict(set)
    for claim in log.claims:
        sent[claim.patient_control_number] |= claim.service_dates
    findings = []
    for row in rows:
        known = dates.get(row["encounter_id"])
        told = {date for number in row["numbers"] for date in sent.get(number, ())}
        if not row["changed"] and (row["date_of_service"] != known or told - {f"{known:%Y%m%d}"}):
            findings.append(Finding("C8", f"claim {row['claim_id']} has another date of service than its encounter"))
        deadline, limit = row["filing_deadline"], limits.get(row["payer_id"])
        if deadline is not None and limit is not None and (deadline - row["date_of_service"]).days != limit:
            findings.append(Finding("C8", f"claim {row['claim_id']} has a filing deadline not counted from its date"))
    return findings
