"""The invariants that have their data: each a function from what was read to findings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from revcycle_checker.raw_log import RawLog
from revcycle_checker.report import Finding
from revcycle_checker.topics import PRODUCERS, TopicRecord

Connection = "asyncpg.Connection[Any]"
StreamKey = tuple[str, str, str]


def arrivals_once(log: RawLog, rejected: set[str]) -> list[Finding]:
    """C4: each (CLM01, CLM05-3) arrived at the payer at most once."""
    counts = Counter(log.arrivals)
    return [
        Finding("C4", f"claim {clm01} frequency {frequency} arrived {count} times at {route}")
        for (route, clm01, frequency), count in sorted(counts.items())
        if count > 1 and clm01 not in rejected
    ]


def control_numbers_once(log: RawLog) -> list[Finding]:
    """C3: an ISA13 is given once per (sender, receiver); the same number again only with the same bytes."""
    bytes_of: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for route, sender, number, digest in log.interchanges:
        bytes_of[route, sender, number].add(digest)
    return [
        Finding("C3", f"ISA13 {number} of {sender} to {route} carried {len(digests)} different contents")
        for (route, sender, number), digests in sorted(bytes_of.items())
        if len(digests) > 1
    ]


def seals_hold(records: Iterable[TopicRecord]) -> list[Finding]:
    """E5: every record on every topic carries a seal that holds."""
    return [Finding("E5", f"{record.topic}: {record.fault}") for record in records if record.fault]


def order_on_topics(records: Iterable[TopicRecord]) -> list[Finding]:
    """E3: per stream, sequences on the topic are contiguous from 1 and go down only as exact repeats."""
    newest: dict[StreamKey, int] = {}
    seen: dict[tuple[str, str, str, int], str] = {}
    findings = []
    for record in records:
        if record.fault:
            continue
        stream = (record.tenant_id, record.topic, record.key)
        known = seen.setdefault((*stream, record.sequence), record.sha256)
        if known != record.sha256:
            findings.append(Finding("E3", f"{record.topic}/{record.key}@{record.sequence} has two contents"))
        elif record.sequence > newest.get(stream, 0) + 1:
            findings.append(Finding("E3", f"{record.topic}/{record.key}@{record.sequence} overtook its predecessor"))
        newest[stream] = max(newest.get(stream, 0), record.sequence)
    return findings


async def topics_match_archives(
    connections: "Mapping[str, asyncpg.Connection[Any]]", records: Iterable[TopicRecord]
) -> list[Finding]:
    """E1: what was committed is on its topic, and nothing else is; the outboxes are empty at the end."""
    on_topic = {(one.topic, one.tenant_id, one.key, one.sequence, one.sha256) for one in records if not one.fault}
    committed = set()
    findings = []
    for service, connection in connections.items():
        rows = await connection.fetch(
            "SELECT topic, tenant_id::text AS tenant_id, key, sequence, encode(sha256(payload), 'hex') AS digest"
            " FROM messaging.archive WHERE topic = ANY($1)",
            [topic for topic, producer in PRODUCERS.items() if producer == service],
        )
        committed |= {tuple(row.values()) for row in rows}
        waiting = await connection.fetchval("SELECT count(*) FROM messaging.outbox")
        if waiting:
            findings.append(Finding("E1", f"{service}: {waiting} events were never sent"))
    findings += [
        Finding("E1", f"{one[0]}/{one[2]}@{one[3]} is archived and not on its topic") for one in committed - on_topic
    ]
    findings += [
        Finding("E1", f"{one[0]}/{one[2]}@{one[3]} is on its topic and in no archive") for one in on_topic - committed
    ]
    return findings


async def everything_applied(
    connections: "Mapping[str, asyncpg.Connection[Any]]", records: Iterable[TopicRecord]
) -> list[Finding]:
    """E2, E6: every consumer has applied each of its streams to the end, and nothing is parked or in quarantine."""
    last: dict[StreamKey, int] = {}
    for record in records:
        if not record.fault:
            stream = (record.tenant_id, record.topic, record.key)
            last[stream] = max(last.get(stream, 0), record.sequence)
    findings = []
    for service, connection in connections.items():
        rows = await connection.fetch(
            "SELECT tenant_id::text AS tenant_id, topic, key, last_sequence, parked_since FROM messaging.stream"
        )
        applied = {(row["tenant_id"], row["topic"], row["key"]): row for row in rows}
        topics = {row["topic"] for row in rows}
        for stream, sequence in last.items():
            if stream[1] not in topics:
                continue
            row = applied.get(stream)
            if row is None or row["last_sequence"] != sequence:
                reached = row["last_sequence"] if row else 0
                findings.append(Finding("E6", f"{service} applied {stream[1]}/{stream[2]} to {reached} of {sequence}"))
        findings += [
            Finding("E2", f"{service}: {row['topic']}/{row['key']} is parked since {row['parked_since']}")
            for row in rows
            if row["parked_since"] is not None
        ]
        held = await connection.fetchval("SELECT count(*) FROM messaging.quarantine")
        if held:
            findings.append(Finding("E5", f"{service}: {held} records in quarantine"))
    return findings


async def sequences_contiguous(connections: "Mapping[str, asyncpg.Connection[Any]]") -> list[Finding]:
    """E3 at the source: per stream, the archive holds each sequence from 1 once."""
    findings = []
    for service, connection in connections.items():
        rows = await connection.fetch(
            """
            SELECT topic, key, count(*) AS events, max(sequence) AS last, count(DISTINCT sequence) AS different
            FROM messaging.archive GROUP BY tenant_id, topic, key
            HAVING count(*) <> max(sequence) OR count(DISTINCT sequence) <> count(*)
            """
        )
        findings += [
            Finding("E3", f"{service}: {row['topic']}/{row['key']} has {row['events']} events up to {row['last']}")
            for row in rows
        ]
    return findings


async def journals_balance(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> tuple[list[Finding], int]:
    """M3: every journal sums to zero over at least two entries. Returns the findings and the cents that fail."""
    rows = await connection.fetch(
        "SELECT journal_id, sum(cents)::bigint AS difference, count(*) AS entries FROM claims.entry"
        " WHERE tenant_id = $1 GROUP BY journal_id HAVING sum(cents) <> 0 OR count(*) < 2",
        tenant_id,
    )
    findings = [
        Finding("M3", f"journal {row['journal_id']}: {row['entries']} entries, off by {row['difference']} cents")
        for row in rows
    ]
    return findings, sum(abs(row["difference"]) for row in rows)


async def lines_add_up(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> tuple[list[Finding], int]:
    """M5: charge = paid + contractual + other adjustments + patient responsibility + open, per line and per claim."""
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


async def one_live_claim(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """C1, C2: one live claim per encounter and billing side; a patient control number is never given twice."""
    claims = await connection.fetch(
        "SELECT encounter_id, billing_side, count(*) AS claims FROM claims.claim WHERE tenant_id = $1"
        " GROUP BY encounter_id, billing_side HAVING count(*) > 1",
        tenant_id,
    )
    numbers = await connection.fetch(
        "SELECT patient_control_number, frequency, count(*) AS times FROM claims.submission WHERE tenant_id = $1"
        " GROUP BY patient_control_number, frequency HAVING count(*) > 1",
        tenant_id,
    )
    return [Finding("C1", f"encounter {row['encounter_id']} has {row['claims']} claims") for row in claims] + [
        Finding("C2", f"patient control number {row['patient_control_number']} was given {row['times']} times")
        for row in numbers
    ]


async def posted_once(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> list[Finding]:
    """M1: a remittance is posted to a claim's line once."""
    rows = await connection.fetch(
        """
        SELECT identity_key, count(*) AS times FROM claims.remittance
        WHERE tenant_id = $1 AND state = 'posted' GROUP BY identity_key HAVING count(*) > 1
        """,
        tenant_id,
    )
    return [Finding("M1", f"a remittance was posted {row['times']} times") for row in rows]


async def same_tenant(connections: "Mapping[str, asyncpg.Connection[Any]]", tenants: set[str]) -> list[Finding]:
    """A3: no stream row and no archived event belongs to a tenant nobody set up."""
    findings = []
    for service, connection in connections.items():
        rows = await connection.fetch("SELECT DISTINCT tenant_id::text AS tenant_id FROM messaging.archive")
        findings += [
            Finding("A3", f"{service}: events of unknown tenant {row['tenant_id']}")
            for row in rows
            if row["tenant_id"] not in tenants
        ]
    return findings
