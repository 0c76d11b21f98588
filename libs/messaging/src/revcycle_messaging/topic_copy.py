"""Topics copied to another broker in another order: what consumers promise about order and repeats, put to the test.

Per key the order stays. Across keys and topics it is drawn anew from a seed, so that whole streams come before others
they followed the first time, and every event comes one to three times. Keys, values and headers stay byte for byte.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Final

from revcycle_messaging.archive import Progress
from revcycle_messaging.recovery import RecoveryRefused, send_whole
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord, TopicPartition, Transport

WINDOW: Final = 100_000
"""Records held in memory at once; a larger source is shuffled window by window, in the order it was read."""
REPEAT_MAX: Final = 3
_FETCH: Final = 2000
# Small, so that a consumer that reads meanwhile meets the topics in the order drawn here.
_SEND: Final = 100
_REPEATED_WITHIN: Final = 3
"""A repeat comes right behind its event or behind one of the next two of its key, as after a crash of a relay."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to: ``events`` of the source, ``sent`` with all repeats, ``passed_over`` that are no events."""

    events: int
    sent: int
    passed_over: int


def shuffled(records: Sequence[OutgoingRecord], random: Random, repeat: int) -> list[OutgoingRecord]:
    """The records in a drawn order that keeps each key's own, every one of them one to ``repeat`` times.

    Every topic and every key of it gets a stretch of time of its own, so some come whole before others begin.
    """
    streams: dict[tuple[str, str], list[OutgoingRecord]] = {}
    for record in records:
        streams.setdefault((record.topic, record.key), []).append(record)
    begins = {topic: random.random() for topic in sorted({topic for topic, _ in streams})}
    placed: list[tuple[float, int, int, OutgoingRecord]] = []
    # The order of reading several partitions is the broker's; the seed alone shall decide.
    for number, ((topic, _), events) in enumerate(sorted(streams.items())):
        first, last = sorted((random.random(), random.random()))
        moments = sorted(begins[topic] + random.uniform(first, last) for _ in events)
        for index, event in enumerate(events):
            repeats = (index + random.randrange(_REPEATED_WITHIN) for _ in range(random.randint(1, repeat) - 1))
            places = [index, *(min(place, len(events) - 1) for place in repeats)]
            placed += [(moments[place], number, index, event) for place in places]
    placed.sort(key=lambda one: one[:3])
    return [record for *_, record in placed]


async def copy_topics(
    source: Transport,
    target: Transport,
    topics: Sequence[str],
    *,
    seed: int,
    repeat: int = REPEAT_MAX,
    append: bool = False,
    progress: Progress = lambda events: None,
) -> Copied:
    """Copy what stands on ``topics`` now to the topics of the same names at ``target``.

    ``repeat``: how often an event comes at most, 1 to 3. ``append``: also to topics that hold records already.
    ``progress`` is told of events of the source, repeats not counted.

    Raises:
        ValueError: repeat out of range.
        RecoveryRefused: a topic is missing at either end, or not empty at the target, or the target did not take all.
        Transient: a broker is away.
    """
    if not 1 <= repeat <= REPEAT_MAX:
        raise ValueError(f"repeat is {repeat}; an event comes 1 to {REPEAT_MAX} times")
    ends = await source.end_offsets(topics)
    await _refuse_unfit(topics, {topic for topic, _ in ends}, target, append=append)
    random = Random(seed)
    events = sent = passed_over = 0
    async with aclosing(_windows(source, topics, ends)) as windows:
        async for window, unknown in windows:
            sent += await _send(target, shuffled(window, random, repeat), progress)
            events += len(window)
            passed_over += unknown
    return Copied(events, sent, passed_over)


async def _windows(
    source: Transport, topics: Sequence[str], ends: Mapping[TopicPartition, int]
) -> AsyncGenerator[tuple[list[OutgoingRecord], int], None]:
    """Everything before ``ends``, so many records at a time; with each, how many were passed over."""
    reader = await source.reader(topics)
    try:
        left = {place for place, end in ends.items() if end}
        while left:
            window: list[OutgoingRecord] = []
            passed_over = 0
            while left and len(window) < WINDOW:
                fetched = await reader.fetch(_FETCH, 1.0)
                wanted = [record for record in fetched if record.offset < ends[record.topic, record.partition]]
                records = [outgoing for record in wanted if (outgoing := _outgoing(record)) is not None]
                passed_over += len(wanted) - len(records)
                window += records
                positions = await reader.positions()
                left = {place for place in left if positions.get(place, 0) < ends[place]}
            yield window, passed_over
    finally:
        await reader.close()


async def _refuse_unfit(topics: Sequence[str], found: set[str], target: Transport, *, append: bool) -> None:
    missing = set(topics) - found
    if missing:
        raise RecoveryRefused(f"the source has no {', '.join(sorted(missing))}")
    ends = await target.end_offsets(topics)
    missing = set(topics) - {topic for topic, _ in ends}
    if missing:
        raise RecoveryRefused(f"create these topics at the target first: {', '.join(sorted(missing))}")
    used = {topic for (topic, _), end in ends.items() if end}
    if used and not append:
        raise RecoveryRefused(
            f"the target holds records already, on {', '.join(sorted(used))}: take an empty broker, or say that the "
            "copies shall follow what is there (--append)"
        )


def _outgoing(record: IncomingRecord) -> OutgoingRecord | None:
    """The record as it is sent; None for one that no producer of ours sends: consumers quarantine such a record."""
    if record.key is None or record.value is None:
        return None
    try:
        key = record.key.decode()
    except UnicodeDecodeError:
        return None
    headers = [(name, value) for name, value in record.headers if value is not None]
    return OutgoingRecord(record.topic, key, record.value, headers) if len(headers) == len(record.headers) else None


async def _send(target: Transport, records: Sequence[OutgoingRecord], progress: Progress) -> int:
    seen: set[int] = set()
    producer = await target.producer()
    try:
        for start in range(0, len(records), _SEND):
            part = records[start : start + _SEND]
            producer = await send_whole(target, producer, part)
            before = len(seen)
            seen.update(map(id, part))
            progress(len(seen) - before)
    finally:
        await producer.close()
    return len(records)
