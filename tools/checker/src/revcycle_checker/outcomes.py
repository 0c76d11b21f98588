"""Where every encounter ended: one label, its money, and whether it is settled, waits explained, or is lost.

Settled: an end of its own, or refused at intake with reasons. Waiting: an explained wait (for whom, since when).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from revcycle_checker.report import Finding, Mismatch

SETTLED_OUTCOMES = frozenset({"refused", "cancelled", "not_billable", "paid", "patient_only", "voided"})
WORK_OUTCOMES = frozenset({"held", "rejected", "denied", "partly_paid"})


@dataclass(slots=True)
class Ending:
    """The end, or the present wait, of one encounter. ``explained`` is why it may stay as it is; None: it is lost."""

    facility_npi: str
    encounter_number: str
    outcome: str
    explained: str | None
    settled: bool = False
    charged_cents: int = 0
    paid_cents: int = 0
    adjusted_cents: int = 0
    patient_cents: int = 0
    open_cents: int = 0


async def read_endings(
    connections: "Mapping[str, asyncpg.Connection[Any]]", tenant_id: UUID
) -> dict[tuple[str, str], Ending]:
    """One ending per (facility, encounter number), read from the three services it passes through."""
    endings = await _refusals(connections["registration"], tenant_id)
    codings = await _codings(connections["coding"], tenant_id)
    claims = await _claims(connections["claims"], tenant_id)
    rows = await connections["registration"].fetch(
        "SELECT id, facility_npi, encounter_number, state, blocked_by FROM registration.encounter WHERE tenant_id = $1",
        tenant_id,
    )
    for row in rows:
        place = (row["facility_npi"], row["encounter_number"])
        endings[place] = _ending(row, codings.get(row["id"]), claims.get(row["id"]))
    return endings


async def _refusals(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> dict[tuple[str, str], Ending]:
    rows = await connection.fetch(
        "SELECT DISTINCT coalesce(facility_npi, '') AS facility_npi,"
        " coalesce(encounter_number, content_sha256) AS encounter_number"
        " FROM registration.intake_refusal WHERE tenant_id = $1",
        tenant_id,
    )
    return {
        (row["facility_npi"], row["encounter_number"]): Ending(
            row["facility_npi"], row["encounter_number"], "refused", "refused at intake with reasons", settled=True
        )
        for row in rows
    }


async def _codings(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> dict[UUID, Any]:
    rows = await connection.fetch(
        """
        SELECT c.encounter_id, c.state, t.kind AS task_kind, t.opened_at FROM coding.coding AS c
        LEFT JOIN coding.task AS t ON (t.tenant_id, t.encounter_id, t.billing_side)
            = (c.tenant_id, c.encounter_id, c.billing_side) AND t.resolved_at IS NULL
        WHERE c.tenant_id = $1
        """,
        tenant_id,
    )
    return {row["encounter_id"]: row for row in rows}


async def _claims(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> dict[UUID, Any]:
    rows = await connection.fetch(
        """
        SELECT o.*, EXISTS (
            SELECT 1 FROM claims.task AS t
            WHERE t.tenant_id = o.tenant_id AND t.claim_id = o.claim_id AND t.state = 'open') AS has_task
        FROM claims.claim_outcome AS o WHERE o.tenant_id = $1
        """,
        tenant_id,
    )
    return {row["encounter_id"]: row for row in rows}


def _ending(encounter: Any, coding: Any, claim: Any) -> Ending:
    ending = Ending(encounter["facility_npi"], encounter["encounter_number"], "lost", None)
    if encounter["state"] == "cancelled":
        ending.outcome, ending.explained, ending.settled = "cancelled", "cancelled", True
    elif encounter["state"] == "open":
        if encounter["blocked_by"] not in (None, "[]", []):
            ending.outcome, ending.explained = "blocked", "registration: what blocks billing is listed"
    elif claim is not None:
        _from_claim(ending, claim)
    elif coding is not None:
        _from_coding(ending, coding)
    return ending


def _from_coding(ending: Ending, coding: Any) -> None:
    if coding["state"] == "open" and coding["task_kind"] is not None:
        ending.outcome, ending.explained = "worklist", f"coder: {coding['task_kind']} since {coding['opened_at']}"
    elif coding["state"] in {"not_billable", "cancelled"}:
        ending.outcome, ending.explained, ending.settled = "not_billable", "decided by a coder", True


def _from_claim(ending: Ending, claim: Any) -> None:
    ending.charged_cents = claim["charge_cents"]
    ending.paid_cents = claim["paid_cents"]
    ending.adjusted_cents = claim["contractual_cents"] + claim["other_adjustment_cents"]
    ending.patient_cents = claim["patient_cents"]
    ending.open_cents = claim["open_cents"]
    outcome = claim["outcome"]
    if outcome in SETTLED_OUTCOMES:
        ending.outcome, ending.explained, ending.settled = outcome, "settled", True
    elif outcome in WORK_OUTCOMES:
        ending.outcome = outcome
        ending.explained = f"biller: open work item for {outcome}" if claim["has_task"] else None
    elif claim["waiting_for"] is not None:
        ending.outcome = f"waiting_{claim['waiting_for']}"
        ending.explained = f"{claim['waiting_for']} since {claim['since']}"


def ends_explained(endings: Iterable[Ending]) -> list[Finding]:
    """R3: every encounter has one end, or an explained wait: an open work item, a timer, an unanswered transmission."""
    return [
        Finding("R3", f"encounter {ending.encounter_number} of {ending.facility_npi} is {ending.outcome}")
        for ending in endings
        if ending.explained is None
    ]


def nothing_planted_lost(
    endings: Mapping[tuple[str, str], Ending], truth: Iterable[Mapping[str, Any]]
) -> tuple[int, list[Mismatch], list[Finding]]:
    """R1: every planted encounter is there. With how many ended as planted (label, paid, patient) and which not."""
    as_expected = 0
    mismatches, lost = [], []
    # A file that was refused for its facility's number is known by its encounter number alone.
    refused = {ending.encounter_number: ending for ending in endings.values() if ending.outcome == "refused"}
    for planted in truth:
        number = planted["encounter_number"]
        ending = endings.get((planted["facility_npi"], number)) or refused.get(number)
        expected = f"{planted['expected']} paid={planted['paid_cents']} patient={planted['patient_cents']}"
        if ending is None:
            lost.append(Finding("R1", f"planted encounter {number} is nowhere"))
            mismatches.append(Mismatch(number, expected, "nowhere", planted["why"]))
            continue
        got = f"{ending.outcome} paid={ending.paid_cents} patient={ending.patient_cents}"
        if got == expected:
            as_expected += 1
        else:
            mismatches.append(Mismatch(number, expected, got, planted["why"]))
    return as_expected, mismatches, lost
