"""Invariants of single rows: their tenant, their answers to requests, and who still holds what."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from revcycle_checker.report import Finding

OVERDUE_SECONDS = 300
PARENTS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "registration": (
        ("registration.coverage", "registration.patient", "c.patient_id = p.id"),
        ("registration.encounter", "registration.patient", "c.patient_id = p.id"),
        ("registration.document", "registration.encounter", "c.encounter_id = p.id"),
    ),
    "coding": (
        ("coding.task", "coding.coding", "c.encounter_id = p.encounter_id AND c.billing_side = p.billing_side"),
        ("coding.decision", "coding.coding", "c.encounter_id = p.encounter_id AND c.billing_side = p.billing_side"),
    ),
    "claims": (
        ("claims.claim_line", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.submission", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.journal", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.entry", "claims.journal", "c.journal_id = p.journal_id"),
        ("claims.entry", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.remitted_claim", "claims.remittance", "c.remittance_id = p.remittance_id"),
        ("claims.remitted_claim", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.patient_bill", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.decision", "claims.claim", "c.claim_id = p.claim_id"),
        ("claims.task", "claims.claim", "c.claim_id = p.claim_id"),
    ),
    "adjudication-gateway": (
        ("gateway.submission", "gateway.interchange", "c.interchange_id = p.interchange_id"),
        ("gateway.attempt", "gateway.interchange", "c.interchange_id = p.interchange_id"),
        ("gateway.acknowledgment", "gateway.interchange", "c.received_in = p.interchange_id"),
        ("gateway.remittance", "gateway.interchange", "c.interchange_id = p.interchange_id"),
        ("gateway.resolution", "gateway.submission", "c.submission_id = p.submission_id"),
    ),
}
"""Service to (child table, parent table, how they belong together); a child whose reference is null needs no parent."""

CREATED: Mapping[str, tuple[str, str, str]] = {
    "encounter": ("registration", "registration.encounter", "id"),
    "deposit": ("claims", "claims.deposit", "bank_reference"),
    "submission": ("claims", "claims.submission", "submission_id"),
}
"""Where what an answer calls created must stand: service, table, column."""


async def parents_are_of_the_tenant(connections: "Mapping[str, asyncpg.Connection[Any]]") -> list[Finding]:
    """A3: every row has its parent, and the parent's tenant."""
    findings = []
    for service, relations in PARENTS.items():
        for child, parent, condition in relations:
            reference = condition.split(" = ")[0]
            strays = await connections[service].fetchval(
                f"SELECT count(*) FROM {child} AS c WHERE {reference} IS NOT NULL"  # noqa: S608 (names from the table above)
                f" AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.tenant_id = c.tenant_id AND {condition})"
            )
            if strays:
                findings.append(Finding("A3", f"{strays} rows of {child} have no {parent} of their tenant"))
    return findings


async def answers_hold(connections: "Mapping[str, asyncpg.Connection[Any]]", tenant_id: UUID) -> list[Finding]:
    """R1, R2: what a stored answer called created exists, and no two requests were told that they created it."""
    created: Counter[tuple[str, str]] = Counter()
    # Answers first: an answer and what it created are committed together, so whatever it names is there by then.
    for service in ("registration", "claims"):
        answers = await connections[service].fetch(
            "SELECT path, body FROM kit.idempotency WHERE tenant_id = $1 AND status BETWEEN 200 AND 299", tenant_id
        )
        for answer in answers:
            created.update(_created(answer["path"], answer["body"]))
    existing = {
        what: {str(row[0]) for row in await connections[service].fetch(f"SELECT {column} FROM {table}")}  # noqa: S608
        for what, (service, table, column) in CREATED.items()
    }
    return [
        Finding("R1", f"{what} {one} was answered as created and does not exist")
        for what, one in sorted(created)
        if one not in existing[what]
    ] + [
        Finding("R2", f"{what} {one} was answered as created {times} times")
        for (what, one), times in sorted(created.items())
        if times > 1
    ]


def _created(path: str, body: bytes) -> list[tuple[str, str]]:
    """What an answer says it created: encounters of the intake, deposits, the newest submission of a claim."""
    if path.endswith("/submissions"):
        submissions = orjson.loads(body).get("submissions") or []
        return [("submission", str(submissions[-1]["submission_id"]))] if submissions else []
    if path not in {"/v1/intake", "/v1/deposits"}:
        return []
    what, field = ("encounter", "encounter_id") if path == "/v1/intake" else ("deposit", "deposit_id")
    results = orjson.loads(body)["results"]
    return [(what, str(one[field])) for one in results if one["status"] == "created"]


async def nothing_hangs(connections: "Mapping[str, asyncpg.Connection[Any]]") -> list[Finding]:
    """L1: when all is quiet no timer is overdue, no job is held by a dead owner, and the outcome of none is unknown."""
    findings = []
    for service, connection in connections.items():
        overdue = await connection.fetchval(
            "SELECT count(*) FROM messaging.timer WHERE due_at < now() - make_interval(secs => $1)", OVERDUE_SECONDS
        )
        hanging = await connection.fetchval(
            "SELECT count(*) FROM messaging.job"
            " WHERE state = 'unknown' OR (state = 'running' AND leased_until < now() - make_interval(secs => $1))",
            OVERDUE_SECONDS,
        )
        findings += [Finding("L1", f"{service}: {overdue} timers are overdue")] if overdue else []
        findings += [Finding("L1", f"{service}: {hanging} jobs hang")] if hanging else []
    return findings
