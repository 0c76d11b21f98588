"""The whole life of an encounter, claim or remittance: every event about it, from the archives of all services."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from revcycle_messaging.envelope import headers_from_text

MONEY_FIELDS = ("charge_cents", "paid_cents", "amount_cents", "patient_responsibility_cents", "difference_cents")
TOLD_FIELDS = ("outcome", "frequency", "category", "payer_id", "trace_number", "finalised_by", "kind", "resolution")
IDS_MAX = 1000

_WHO = {
    "registration": """
        SELECT id::text AS id FROM registration.encounter WHERE id::text = $1 OR encounter_number = $1
        UNION SELECT id::text FROM registration.encounter WHERE patient_id::text = $1
        UNION SELECT patient_id::text FROM registration.encounter WHERE id::text = $1 OR encounter_number = $1
    """,
    "claims": """
        SELECT claim_id::text AS id FROM claims.claim
            WHERE claim_id::text = $1 OR encounter_id::text = $1 OR encounter_number = $1
        UNION SELECT encounter_id::text FROM claims.claim WHERE claim_id::text = $1
        UNION SELECT claim_id::text FROM claims.submission WHERE patient_control_number = $1
        UNION SELECT remittance_id::text FROM claims.remittance WHERE trace_number = $1 OR remittance_id::text = $1
        UNION SELECT deposit_id::text FROM claims.deposit WHERE trace_number = $1 OR remittance_id::text = $1
    """,
}
_CLAIMS = "SELECT claim_id::text AS id FROM claims.claim WHERE encounter_id::text = ANY($1)"
_EVENTS = """
    SELECT headers, payload, topic, key, sequence, recorded_at FROM messaging.archive
    WHERE key = ANY($1) OR substring(headers FROM 'ce_correlationid:([^\n]+)') = ANY($1)
    UNION ALL
    SELECT headers, payload, topic, key, sequence, recorded_at FROM messaging.outbox
    WHERE key = ANY($1) OR substring(headers FROM 'ce_correlationid:([^\n]+)') = ANY($1)
"""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One event: when, which service, what, its place in its stream, the money, a word of what it says, whom about."""

    at: datetime
    service: str
    event: str
    stream: str
    sequence: int
    money: str
    told: str
    correlation: str | None


async def trace(connections: "Mapping[str, asyncpg.Connection[Any]]", wanted: str) -> list[TraceLine]:
    """All events about an id: an encounter's id or number, a claim's id or control number, a remittance's id or trace.

    Empty when nothing is known by that id.
    """
    ids = await related_ids(connections, wanted)
    lines: dict[str, TraceLine] = {}
    causes: dict[str, str] = {}
    for service, connection in connections.items():
        for row in await connection.fetch(_EVENTS, sorted(ids)[:IDS_MAX]):
            headers = headers_from_text(row["headers"])
            lines[headers["ce_id"]] = _line(service, row)
            causes[headers["ce_id"]] = headers.get("ce_causationid", "")
    return _in_order(lines, causes)


async def related_ids(connections: "Mapping[str, asyncpg.Connection[Any]]", wanted: str) -> set[str]:
    """The id itself, and what belongs to it: a patient's encounters, an encounter's patient and claims, and so on."""
    ids = {wanted}
    for service, sql in _WHO.items():
        rows = await connections[service].fetch(sql, wanted)
        ids |= {row["id"] for row in rows}
    ids |= await _encounters_of(connections["claims"], ids)
    rows = await connections["claims"].fetch(_CLAIMS, sorted(ids)[:IDS_MAX])
    return ids | {row["id"] for row in rows}


def _in_order(lines: Mapping[str, TraceLine], causes: Mapping[str, str]) -> list[TraceLine]:
    """By time, causes before effects, and never against the order within a stream.

    An effect bears the time of its cause, and a timer decides as of the time it was due. Both mappings are by event id.
    """
    reached: dict[tuple[str, str], tuple[datetime, int]] = {}
    places = {}
    for event_id, line in sorted(lines.items(), key=lambda item: (item[1].stream, item[1].sequence)):
        stream, place = (line.service, line.stream), (line.at, _steps(event_id, causes))
        reached[stream] = max(place, reached.get(stream, place))
        places[line] = reached[stream]
    return sorted(lines.values(), key=lambda line: (places[line], line.stream, line.sequence))


def _steps(event_id: str, causes: Mapping[str, str]) -> int:
    """How many known events led to this one."""
    steps = 0
    while (event_id := causes.get(event_id, "")) in causes:
        steps += 1
    return steps


async def _encounters_of(connection: "asyncpg.Connection[Any]", ids: set[str]) -> set[str]:
    """Encounters of the claims among the ids, which correlate everything that was ever caused by them."""
    rows = await connection.fetch(
        "SELECT encounter_id::text AS id FROM claims.claim WHERE claim_id = ANY($1)",
        [UUID(one) for one in ids if len(one) == 36],
    )
    return {row["id"] for row in rows}


def _line(service: str, row: Any) -> TraceLine:
    headers = headers_from_text(row["headers"])
    clear = orjson.loads(row["payload"])
    money = " ".join(
        f"{field.removesuffix('_cents')}={clear[field] / 100:.2f}"
        for field in MONEY_FIELDS
        if clear.get(field) is not None
    )
    told = " ".join(f"{field}={clear[field]}" for field in TOLD_FIELDS if clear.get(field) is not None)
    reasons = clear.get("reasons") or clear.get("causes")
    if reasons:
        told += " " + ",".join(str(one.get("rule") or one.get("carc") or one.get("category")) for one in reasons)
    aggregate = row["topic"].removeprefix("revcycle.").removesuffix(".v1")
    return TraceLine(
        at=datetime.fromisoformat(headers["ce_time"]),
        service=service,
        event=headers["ce_type"].split(".")[-2],
        stream=f"{aggregate}/{row['key'][:13]}",
        sequence=row["sequence"],
        money=money,
        told=told.strip(),
        correlation=headers.get("ce_correlationid"),
    )
