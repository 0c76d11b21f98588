"""Topics copied in another order: what stays is the order per key and every byte, what changes is all the rest."""

from collections import Counter
from random import Random

import pytest
from revcycle_messaging import MessagingError
from revcycle_messaging.topic_copy import copy_topics, shuffled
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.memory import MemoryTransport

TOPICS = ("revcycle.first.v1", "revcycle.second.v1", "revcycle.third.v1")
KEYS, EACH = 8, 12
RECORDS = [
    OutgoingRecord(topic, f"key-{key}", f"{topic} {key} {number}".encode(), (("ce_sequence", str(number).encode()),))
    for topic in TOPICS
    for number in range(1, EACH + 1)
    for key in range(KEYS)
]


def first_of_each(records: list[OutgoingRecord]) -> list[OutgoingRecord]:
    return list(dict.fromkeys(records))


@pytest.mark.parametrize("repeat", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_order_per_key_and_every_event_stay_whatever_the_seed(seed: int, repeat: int) -> None:
    """Promise: a copy never reorders a key, never drops an event, and repeats each at most as often as asked."""
    copies = shuffled(RECORDS, Random(seed), repeat)
    for topic in TOPICS:
        for key in range(KEYS):
            mine = [one for one in copies if (one.topic, one.key) == (topic, f"key-{key}")]
            assert first_of_each(mine) == [one for one in RECORDS if (one.topic, one.key) == (topic, f"key-{key}")]
    counts = Counter(copies)
    assert set(counts) == set(RECORDS)
    assert set(counts.values()) == set(range(1, repeat + 1))


def test_the_seed_alone_decides_and_some_streams_come_whole_before_others() -> None:
    """Promise: the same seed gives the same order however the source was read; topics no longer follow each other."""
    copies = shuffled(RECORDS, Random(3), 3)
    by_key = sorted(RECORDS, key=lambda one: (one.key, one.topic))
    assert shuffled(by_key, Random(3), 3) == copies
    assert shuffled(RECORDS, Random(4), 3) != copies
    places = {key: [n for n, one in enumerate(copies) if one.key == key] for key in {one.key for one in copies}}
    assert any(max(places[one]) < max(places[other]) for one in places for other in places)
    assert first_of_each(copies) != RECORDS


async def filled(records: list[OutgoingRecord]) -> MemoryTransport:
    transport = MemoryTransport()
    assert all(await (await transport.producer()).send(records))
    return transport


async def test_a_copy_arrives_byte_for_byte_and_its_progress_adds_up() -> None:
    """Promise: keys, values and headers arrive as they are; the bar ends at the number of events."""
    source, target = await filled(RECORDS), MemoryTransport()
    told: list[int] = []
    copied = await copy_topics(source, target, TOPICS, seed=1, repeat=2, progress=told.append)
    sent = [record for topic in TOPICS for record in target.broker.records(topic)]
    arrived = [OutgoingRecord(one.topic, one.key, one.value, tuple(one.headers)) for one in sent]
    assert Counter(arrived).keys() == Counter(RECORDS).keys()
    assert copied.events == sum(told) == len(RECORDS) < copied.sent == len(arrived)
    assert copied.passed_over == 0


async def test_a_target_that_is_in_use_is_refused_unless_told() -> None:
    """Promise: a copy never mixes with what others have published, except on purpose."""
    source, target = await filled(RECORDS), await filled(RECORDS[:1])
    with pytest.raises(MessagingError, match=r"holds records already, on revcycle\.first\.v1"):
        await copy_topics(source, target, TOPICS, seed=1)
    copied = await copy_topics(source, target, TOPICS, seed=1, repeat=1, append=True)
    assert copied.sent == len(RECORDS)


async def test_a_send_that_failed_is_tried_again_in_order() -> None:
    """Promise: a lost acknowledgment or a refused send neither drops nor reorders anything."""
    source, target = await filled(RECORDS), MemoryTransport()
    target.broker.refuse_sends, target.broker.lose_acknowledgments = 3, 2
    copied = await copy_topics(source, target, TOPICS, seed=1, repeat=1)
    assert copied.sent == len(RECORDS)
    for topic in TOPICS:
        for key in range(KEYS):
            mine = [one.value for one in target.broker.records(topic) if one.key == f"key-{key}"]
            assert list(dict.fromkeys(mine)) == [
                one.value for one in RECORDS if (one.topic, one.key) == (topic, f"key-{key}")
            ]


async def test_what_the_target_did_not_take_is_said() -> None:
    """Promise: a copy is whole, or says that it is not and what to do."""
    source, target = await filled(RECORDS), MemoryTransport()
    target.broker.refuse_sends = 10 * len(RECORDS)
    with pytest.raises(MessagingError, match="did not take all events; delete and create the topics"):
        await copy_topics(source, target, TOPICS, seed=1)
    with pytest.raises(ValueError, match="an event comes 1 to 3 times"):
        await copy_topics(source, target, TOPICS, seed=1, repeat=4)
