"""Writing events into the outbox: sequences first, then every event of the transaction in one statement."""

import os
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final
from uuid import UUID

from revcycle_events import Event

from revcycle_messaging.cause import Cause
from revcycle_messaging.envelope import DependsOn, Envelope, headers_to_text
from revcycle_messaging.errors import Permanent
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.sealing import Entropy, nonce_bytes, seal_event

if TYPE_CHECKING:
    from revcycle_messaging.database import UnitOfWork

SHARDS: Final = 64
MAX_PAYLOAD_BYTES: Final = 3 * 1024 * 1024
"""Below what the broker takes (4 MiB): an event it would refuse for ever must not get into the outbox."""
Stream = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that a transaction will publish if it commits."""

    event_id: UUID
    event: Event
    cause: Cause
    depends_on: tuple[DependsOn, ...]
    topic: str


def shard_of(topic: str, key: str) -> int:
    """The shard of a stream, 0 to 63: a fixed function of topic and key, stored with every row and never changed."""
    return zlib.crc32(f"{topic}/{key}".encode()) % SHARDS


async def insert_events(uow: "UnitOfWork", events: Sequence[PendingEvent], service: str, keys: KeyRing) -> None:
    """Give each event its sequence, seal it and insert all of them in one statement, in the order they were added."""
    # The key is text made from a field: made once per event.
    places = [(pending.topic, pending.event.key) for pending in events]
    counts = Counter(places)
    newest = await _take_sequences(uow, counts)
    newest |= await _own_sequences(uow, events, newest)
    next_sequence = {stream: newest[stream] - count + 1 for stream, count in counts.items()}
    entropy = _drawn_at_once(events)
    rows: list[tuple[int, str, str, int, UUID, str, bytes]] = []
    for pending, stream in zip(events, places, strict=True):
        sequence = next_sequence[stream]
        next_sequence[stream] = sequence + 1
        envelope = Envelope(
            id=pending.event_id,
            type=pending.event.contract.type,
            source=f"revcycle/{service}",
            subject=stream[1],
            time=pending.cause.now,
            sequence=sequence,
            tenant_id=uow.tenant_id,
            correlation_id=pending.cause.correlation_id,
            causation_id=pending.cause.id,
            depends_on=_filled(pending, newest),
            traceparent=uow.traceparent(pending.cause, stream[0], sequence),
        )
        sealed = seal_event(pending.event, envelope, pending.topic, keys, entropy)
        if len(sealed.payload) > MAX_PAYLOAD_BYTES:
            raise Permanent(f"{envelope.type}: {len(sealed.payload)} bytes; an event holds at most {MAX_PAYLOAD_BYTES}")
        rows.append(
            (
                shard_of(*stream),
                *stream,
                sequence,
                pending.event_id,
                headers_to_text(sealed.headers),
                sealed.payload,
            )
        )
    await _insert_rows(uow, rows, [pending.cause.now for pending in events])


def _drawn_at_once(events: Sequence[PendingEvent]) -> Entropy:
    """Chance for the nonces of all events from one call of the kernel: each is read once and never kept."""
    contracts = Counter(type(pending.event) for pending in events)
    return BytesIO(os.urandom(sum(nonce_bytes(contract) * count for contract, count in contracts.items()))).read


async def _insert_rows(
    uow: "UnitOfWork", rows: Sequence[tuple[int, str, str, int, UUID, str, bytes]], times: Sequence[object]
) -> None:
    shards, topics, event_keys, sequences, ids, headers, payloads = (list(column) for column in zip(*rows, strict=True))
    await uow.execute(
        """
        INSERT INTO messaging.outbox
            (tenant_id, shard, topic, key, sequence, event_id, headers, payload, recorded_at)
        SELECT $1, shard, topic, key, sequence, event_id, headers, payload, recorded_at
        FROM unnest($2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[],
                    $9::timestamptz[]) WITH ORDINALITY
            AS e (shard, topic, key, sequence, event_id, headers, payload, recorded_at, position)
        ORDER BY position
        """,
        uow.tenant_id,
        shards,
        topics,
        event_keys,
        sequences,
        ids,
        headers,
        payloads,
        list(times),
    )


async def _take_sequences(uow: "UnitOfWork", counts: Counter[Stream]) -> dict[Stream, int]:
    """Advance each stream by its number of events; rows are locked in key order until the commit."""
    streams = sorted(counts)
    rows = await uow.fetch(
        """
        INSERT INTO messaging.outgoing_stream AS s (tenant_id, topic, key, last_sequence)
        SELECT $1, topic, key, events FROM unnest($2::text[], $3::text[], $4::bigint[]) AS u (topic, key, events)
        ORDER BY topic, key
        ON CONFLICT (tenant_id, topic, key) DO UPDATE SET last_sequence = s.last_sequence + excluded.last_sequence
        RETURNING s.topic, s.key, s.last_sequence
        """,
        uow.tenant_id,
        [topic for topic, _ in streams],
        [key for _, key in streams],
        [counts[stream] for stream in streams],
    )
    return {(row["topic"], row["key"]): row["last_sequence"] for row in rows}


async def _own_sequences(
    uow: "UnitOfWork", events: Sequence[PendingEvent], known: dict[Stream, int]
) -> dict[Stream, int]:
    """The newest sequences of own streams that events depend on without adding to them."""
    wanted = sorted(
        {
            (item.topic, item.key)
            for pending in events
            for item in pending.depends_on
            if item.sequence is None and (item.topic, item.key) not in known
        }
    )
    if not wanted:
        return {}
    rows = await uow.fetch(
        """
        SELECT s.topic, s.key, s.last_sequence FROM messaging.outgoing_stream AS s
        JOIN unnest($2::text[], $3::text[]) AS w (topic, key) USING (topic, key) WHERE s.tenant_id = $1
        """,
        uow.tenant_id,
        [topic for topic, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["topic"], row["key"]): row["last_sequence"] for row in rows}


def _filled(pending: PendingEvent, newest: dict[Stream, int]) -> tuple[DependsOn, ...]:
    filled = []
    for item in pending.depends_on:
        sequence = item.sequence if item.sequence is not None else newest.get((item.topic, item.key))
        if sequence is None:
            raise Permanent(f"{pending.event.contract.type} depends on a stream of {item.topic} that has no event")
        filled.append(DependsOn(item.topic, item.key, sequence))
    return tuple(filled)
