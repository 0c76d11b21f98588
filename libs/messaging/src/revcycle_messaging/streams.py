"""Stream rows: one per (consumer, tenant, topic, key). They decide what is new, doubled, early or waiting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from revcycle_messaging.database import UnitOfWork
from revcycle_messaging.envelope import Envelope, headers_to_text
from revcycle_messaging.sealing import Received

Stream = tuple[str, str]


class Item(NamedTuple):
    """A checked record on its way to a handler. ``headers`` and ``payload`` are kept for parking it as it came.

    ``received`` is the event opened ahead, where that was possible.
    """

    topic: str
    key: str
    envelope: Envelope
    headers: Mapping[str, str]
    payload: bytes
    received: Received[Any] | None = None

    @property
    def stream(self) -> Stream:
        """Topic and key."""
        return self.topic, self.key

    @property
    def sequence(self) -> int:
        """Place in the stream, from 1."""
        return self.envelope.sequence


@dataclass(slots=True)
class Verdict:
    """What becomes of offered items: ``fresh`` are applied in this order, ``early`` are parked, the rest were known."""

    fresh: list[Item] = field(default_factory=list)
    early: list[Item] = field(default_factory=list)
    duplicates: int = 0


_OFFER = """
    INSERT INTO messaging.stream AS s (consumer, tenant_id, topic, key, last_sequence, run_start, run_end)
    SELECT $1, $2, topic, key, CASE WHEN run_start = 0 THEN run_end ELSE 0 END, run_start, run_end
    FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[]) AS offered (topic, key, run_start, run_end)
    ORDER BY topic, key
    ON CONFLICT (consumer, tenant_id, topic, key) DO UPDATE SET
        run_start = excluded.run_start,
        run_end = excluded.run_end,
        last_sequence = CASE
            WHEN s.parked_since IS NULL AND s.last_sequence BETWEEN excluded.run_start AND excluded.run_end
            THEN excluded.run_end ELSE s.last_sequence END
    RETURNING topic, key, coalesce(old.last_sequence, 0) AS before, new.last_sequence AS after, new.parked_since
"""
_CORRECT = """
    UPDATE messaging.stream AS s SET
        last_sequence = c.last_sequence,
        parked_since = CASE WHEN c.parked THEN coalesce(s.parked_since, $3) ELSE s.parked_since END
    FROM unnest($4::text[], $5::text[], $6::bigint[], $7::boolean[]) AS c (topic, key, last_sequence, parked)
    WHERE s.consumer = $1 AND s.tenant_id = $2 AND s.topic = c.topic AND s.key = c.key
"""


async def offer(uow: UnitOfWork, consumer: str, items: Sequence[Item]) -> Verdict:
    """Lock the items' stream rows in key order, judge every item, and advance the rows past what is fresh.

    One round trip when every key's items are a run without holes, which is nearly always; else one more to correct.
    """
    by_stream = _grouped(items)
    streams = sorted(by_stream)
    runs = [_run([item.sequence for item in by_stream[stream]]) for stream in streams]
    rows = await uow.fetch(
        _OFFER,
        consumer,
        uow.tenant_id,
        [topic for topic, _ in streams],
        [key for _, key in streams],
        [start for start, _ in runs],
        [end for _, end in runs],
    )
    state = {(row["topic"], row["key"]): row for row in rows}
    verdict = Verdict()
    last = {stream: row["before"] for stream, row in state.items()}
    parked = {stream for stream, row in state.items() if row["parked_since"] is not None}
    newly_parked = set()
    for item in items:
        stream = item.stream
        if item.sequence <= last[stream]:
            verdict.duplicates += 1
        elif item.sequence == last[stream] + 1 and stream not in parked:
            assert item.sequence > last[stream], "a stream never goes back"
            last[stream] = item.sequence
            verdict.fresh.append(item)
        else:
            verdict.early.append(item)
            parked.add(stream)
            newly_parked.add(stream)
    wrong = [stream for stream in streams if last[stream] != state[stream]["after"] or stream in newly_parked]
    if wrong:
        await _correct(uow, consumer, items, wrong, last, newly_parked)
    return verdict


async def park(uow: UnitOfWork, consumer: str, items: Iterable[Item], reason: str) -> None:
    """Put items behind their key, as they came. The key's stream row is locked and marked already."""
    kept = list(items)
    if not kept:
        return
    await uow.execute(
        """
        INSERT INTO messaging.parked_event
            (consumer, tenant_id, topic, key, sequence, event_id, headers, payload, state, reason, first_failed_at)
        SELECT $1, $2, topic, key, sequence, event_id, headers, payload, 'waiting', $3, recorded_at
        FROM unnest($4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::text[], $9::bytea[], $10::timestamptz[])
            AS p (topic, key, sequence, event_id, headers, payload, recorded_at)
        ON CONFLICT DO NOTHING
        """,
        consumer,
        uow.tenant_id,
        reason,
        [item.topic for item in kept],
        [item.key for item in kept],
        [item.sequence for item in kept],
        [item.envelope.id for item in kept],
        [headers_to_text(item.headers) for item in kept],
        [item.payload for item in kept],
        [item.envelope.time for item in kept],
    )


async def _correct(
    uow: UnitOfWork,
    consumer: str,
    items: Sequence[Item],
    wrong: Sequence[Stream],
    last: dict[Stream, int],
    parked: set[Stream],
) -> None:
    """Set what the optimistic upsert could not know: runs with holes, and keys that wait from now on."""
    await uow.execute(
        _CORRECT,
        consumer,
        uow.tenant_id,
        max(item.envelope.time for item in items),
        [topic for topic, _ in wrong],
        [key for _, key in wrong],
        [last[stream] for stream in wrong],
        [stream in parked for stream in wrong],
    )


def _grouped(items: Sequence[Item]) -> dict[Stream, list[Item]]:
    groups: dict[Stream, list[Item]] = {}
    for item in items:
        groups.setdefault(item.stream, []).append(item)
    return groups


def _run(sequences: Sequence[int]) -> tuple[int, int]:
    """(before the first, last) of a run without holes; (-1, -1), which matches no row, for anything else."""
    first = sequences[0]
    contiguous = all(sequence == first + offset for offset, sequence in enumerate(sequences))
    return (first - 1, sequences[-1]) if contiguous else (-1, -1)
