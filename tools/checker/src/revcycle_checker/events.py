"""Invariants of events: archives, topics and consumers against each other."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from revcycle_checker.report import Finding
from revcycle_checker.topics import PRODUCERS, TopicRecord

StreamKey = tuple[str, str, str]
CAUSE_DEPTH_MAX = 20
ALWAYS_CAUSED = frozenset({"PaymentPosted", "AdjustmentPosted"})
"""Types that nothing but another event leads to; all others may also stem from a person's command or from a timer."""
SEVERAL_SUBJECTS = frozenset({"RemittanceReceived"})
"""Types that are about several encounters: what they cause is correlated by its own encounter."""


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """An archived event by its place, its name and its chain of causes."""

    service: str
    tenant_id: str
    topic: str
    key: str
    sequence: int
    sha256: str
    event_id: str
    kind: str
    correlation_id: str | None
    causation_id: str | None
    depends_on: tuple[str, ...]

    @property
    def place(self) -> str:
        """Stream and sequence, for findings."""
        return f"{self.topic}/{self.key}@{self.sequence}"


async def read_archives(connections: "Mapping[str, asyncpg.Connection[Any]]") -> list[ArchivedEvent]:
    """Every archived event of every service, in the order of publication."""
    events = []
    for service, connection in connections.items():
        rows = await connection.fetch(
            "SELECT tenant_id::text AS tenant_id, topic, key, sequence, event_id::text AS event_id, headers,"
            " encode(sha256(payload), 'hex') AS digest FROM messaging.archive ORDER BY seq"
        )
        events += [_archived(service, row) for row in rows]
    return events


def _archived(service: str, row: Any) -> ArchivedEvent:
    headers = dict(line.split(":", 1) for line in row["headers"].split("\n") if ":" in line)
    needed = headers.get("ce_dependson", "")
    return ArchivedEvent(
        service,
        row["tenant_id"],
        row["topic"],
        row["key"],
        row["sequence"],
        row["digest"],
        row["event_id"],
        headers["ce_type"].split(".")[-2],
        headers.get("ce_correlationid"),
        headers.get("ce_causationid"),
        tuple(one for one in needed.split(",") if one),
    )


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


def topics_match_archives(events: Iterable[ArchivedEvent], records: Iterable[TopicRecord]) -> list[Finding]:
    """E1: every archived event is on its topic with the same content, and nothing else is."""
    on_topic = {(one.topic, one.tenant_id, one.key, one.sequence, one.sha256) for one in records if not one.fault}
    committed = {
        (one.topic, one.tenant_id, one.key, one.sequence, one.sha256)
        for one in events
        if PRODUCERS.get(one.topic) == one.service
    }
    return [
        Finding("E1", f"{one[0]}/{one[2]}@{one[3]} is archived and not on its topic") for one in committed - on_topic
    ] + [Finding("E1", f"{one[0]}/{one[2]}@{one[3]} is on its topic and in no archive") for one in on_topic - committed]


async def everything_sent(
    connections: "Mapping[str, asyncpg.Connection[Any]]", events: Iterable[ArchivedEvent]
) -> list[Finding]:
    """E1: when all is quiet the outboxes are empty and each archive reaches the last sequence that was handed out."""
    reached: dict[StreamKey, int] = {}
    for event in events:
        stream = (event.tenant_id, event.topic, event.key)
        reached[stream] = max(reached.get(stream, 0), event.sequence)
    findings = []
    for service, connection in connections.items():
        waiting = await connection.fetchval("SELECT count(*) FROM messaging.outbox")
        if waiting:
            findings.append(Finding("E1", f"{service}: {waiting} events were never sent"))
        heads = await connection.fetch(
            "SELECT tenant_id::text AS tenant_id, topic, key, last_sequence FROM messaging.outgoing_stream"
        )
        findings += [
            Finding("E1", f"{head['topic']}/{head['key']} reached {head['last_sequence']}; its archive ends before")
            for head in heads
            if reached.get((head["tenant_id"], head["topic"], head["key"]), 0) != head["last_sequence"]
        ]
    return findings


def sequences_contiguous(events: Iterable[ArchivedEvent]) -> list[Finding]:
    """E3: at the source, the archive holds each sequence of a stream from 1 once, and each event id once."""
    streams: dict[StreamKey, list[int]] = {}
    places: dict[str, str] = {}
    findings = []
    for event in events:
        streams.setdefault((event.tenant_id, event.topic, event.key), []).append(event.sequence)
        if places.setdefault(event.event_id, event.place) != event.place:
            findings.append(Finding("E3", f"{event.place} has the id of {places[event.event_id]}"))
    for (_, topic, key), sequences in streams.items():
        if sorted(sequences) != list(range(1, len(sequences) + 1)):
            findings.append(Finding("E3", f"{topic}/{key} has {len(sequences)} events up to {max(sequences)}"))
    return findings


def causes_exist(events: Sequence[ArchivedEvent]) -> list[Finding]:
    """E4: what only events lead to names an event that exists; chains of causes end; what was depended on exists."""
    known = {event.event_id: event for event in events}
    places = {(event.tenant_id, event.place) for event in events}
    findings = []
    for event in events:
        if event.kind in ALWAYS_CAUSED and event.causation_id not in known:
            findings.append(Finding("E4", f"{event.place} names a cause that does not exist"))
        findings += [
            Finding("E4", f"{event.place} depends on {place}, which does not exist")
            for place in event.depends_on
            if (event.tenant_id, place) not in places
        ]
        if _depth(event, known) > CAUSE_DEPTH_MAX:
            findings.append(
                Finding("E4", f"{event.place} has more than {CAUSE_DEPTH_MAX} causes in a row, or a circle")
            )
    return findings


def _depth(event: ArchivedEvent, known: Mapping[str, ArchivedEvent]) -> int:
    depth, cause = 0, known.get(event.causation_id or "")
    while cause is not None and depth <= CAUSE_DEPTH_MAX:
        depth, cause = depth + 1, known.get(cause.causation_id or "")
    return depth


def causes_belong_together(events: Sequence[ArchivedEvent]) -> list[Finding]:
    """E4, A3: an event and its cause are of one tenant, and of one encounter where the cause is about one."""
    known = {event.event_id: event for event in events}
    findings = []
    for event in events:
        cause = known.get(event.causation_id or "")
        if cause is None:
            continue
        if cause.tenant_id != event.tenant_id:
            findings.append(Finding("A3", f"{event.place} was caused by another tenant's event"))
        elif cause.kind not in SEVERAL_SUBJECTS and cause.correlation_id not in {None, event.correlation_id}:
            findings.append(Finding("E4", f"{event.place} and its cause are correlated to different encounters"))
    return findings


async def everything_applied(
    connections: "Mapping[str, asyncpg.Connection[Any]]", records: Iterable[TopicRecord]
) -> list[Finding]:
    """E6: every consumer has applied each of its streams exactly to its end."""
    last: dict[StreamKey, int] = {}
    for record in records:
        if not record.fault:
            stream = (record.tenant_id, record.topic, record.key)
            last[stream] = max(last.get(stream, 0), record.sequence)
    findings = []
    for service, connection in connections.items():
        rows = await connection.fetch(
            "SELECT tenant_id::text AS tenant_id, topic, key, last_sequence FROM messaging.stream"
        )
        applied = {(row["tenant_id"], row["topic"], row["key"]): row["last_sequence"] for row in rows}
        topics = {row["topic"] for row in rows}
        for stream, sequence in last.items():
            reached = applied.get(stream, 0)
            if stream[1] in topics and reached != sequence:
                findings.append(Finding("E6", f"{service} applied {stream[1]}/{stream[2]} to {reached} of {sequence}"))
    return findings


async def nothing_set_aside(connections: "Mapping[str, asyncpg.Connection[Any]]") -> list[Finding]:
    """E2, E5: when all is quiet no key is parked, no event waits or is dead, and no record is in quarantine."""
    findings = []
    for service, connection in connections.items():
        parked = await connection.fetch(
            """
            SELECT topic, key, 'is parked' AS how FROM messaging.stream WHERE parked_since IS NOT NULL
            UNION ALL SELECT topic, key, 'has an event that is ' || state FROM messaging.parked_event
            """
        )
        findings += [Finding("E2", f"{service}: {row['topic']}/{row['key']} {row['how']}") for row in parked]
        held = await connection.fetchval("SELECT count(*) FROM messaging.quarantine")
        if held:
            findings.append(Finding("E5", f"{service}: {held} records in quarantine"))
    return findings


def histories_are_paths(events: Iterable[ArchivedEvent]) -> list[Finding]:
    """R4: a claim is drafted before it is submitted, and submitted before anything is posted to it."""
    needed = {"ClaimSubmitted": "ClaimDrafted", "PaymentPosted": "ClaimSubmitted", "AdjustmentPosted": "ClaimSubmitted"}
    said: dict[StreamKey, set[str]] = {}
    findings = []
    for event in sorted((one for one in events if one.topic == "revcycle.claims.v1"), key=lambda one: one.sequence):
        before = said.setdefault((event.tenant_id, event.topic, event.key), set())
        if event.kind in needed and needed[event.kind] not in before:
            findings.append(Finding("R4", f"{event.place}: {event.kind} before any {needed[event.kind]}"))
        before.add(event.kind)
    return findings


def known_tenants(events: Iterable[ArchivedEvent], tenants: Collection[str]) -> list[Finding]:
    """A3: no archived event belongs to a tenant nobody set up."""
    strangers = {(event.service, event.tenant_id) for event in events if event.tenant_id not in tenants}
    return [Finding("A3", f"{service}: events of unknown tenant {tenant}") for service, tenant in sorted(strangers)]
