"""A transport in memory: partitions, groups, redelivery and rebalance, for tests that own time and order."""

import asyncio
from collections.abc import Mapping, Sequence

from revcycle_messaging.transports import IncomingRecord, OutgoingRecord, Standing, TopicPartition
from revcycle_messaging.waiting import wait_for_event


class MemoryBroker:
    """Topics of ``partitions`` partitions each, made at first use, and the committed offsets of groups."""

    def __init__(self, partitions: int = 12) -> None:
        self.partitions = partitions
        self.logs: dict[TopicPartition, list[OutgoingRecord]] = {}
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.groups: dict[str, list[MemoryConsumer]] = {}
        self.refuse_sends = 0
        self.lose_acknowledgments = 0
        self._arrived = asyncio.Event()

    def append(self, record: OutgoingRecord) -> None:
        """Put a record at the end of the partition its key belongs to."""
        partition = sum(record.key.encode()) % self.partitions
        self.logs.setdefault((record.topic, partition), []).append(record)
        self._arrived.set()

    def records(self, topic: str) -> list[OutgoingRecord]:
        """Everything on a topic, partition by partition."""
        return [record for (name, _), log in sorted(self.logs.items()) if name == topic for record in log]

    def rebalance(self, group: str) -> None:
        """Hand the partitions out again; members go back to what was committed."""
        members = [member for member in self.groups.get(group, []) if not member.closed]
        for member in members:
            member.next_offsets = {}
        for topic in sorted({topic for member in members for topic in member.topics}):
            takers = [member for member in members if topic in member.topics]
            for partition in range(self.partitions):
                taker = takers[partition % len(takers)]
                place = (topic, partition)
                taker.next_offsets[place] = self.committed.get((group, place), 0)

    async def wait(self, timeout_seconds: float) -> None:
        """Return when something was appended since the last wait, or after the time."""
        if await wait_for_event(self._arrived, timeout_seconds):
            self._arrived.clear()


class MemoryTransport:
    """A :class:`Transport` over one :class:`MemoryBroker`."""

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self.broker = broker or MemoryBroker()

    async def producer(self) -> "MemoryProducer":
        """A producer."""
        return MemoryProducer(self.broker)

    async def consumer(self, group: str, topics: Sequence[str], member: str) -> "MemoryConsumer":
        """A new member: the group rebalances."""
        consumer = MemoryConsumer(self.broker, group, tuple(topics), member)
        self.broker.groups.setdefault(group, []).append(consumer)
        self.broker.rebalance(group)
        return consumer

    async def reader(self, topics: Sequence[str], tail_records: int | None = None) -> "MemoryConsumer":
        """A reader of whole topics or their ends, outside any group."""
        reader = MemoryConsumer(self.broker, "", tuple(topics), "reader")
        for place, end in (await self.end_offsets(topics)).items():
            reader.next_offsets[place] = 0 if tail_records is None else max(0, end - tail_records)
        return reader

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """Next offset of each partition."""
        return {
            (topic, partition): len(self.broker.logs.get((topic, partition), []))
            for topic in topics
            for partition in range(self.broker.partitions)
        }

    async def close(self) -> None:
        """Nothing to let go of."""


class MemoryProducer:
    """Appends at once; can be told to refuse sends, or to append and lose the acknowledgment."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def send(self, records: Sequence[OutgoingRecord]) -> Sequence[bool]:
        """Append all records and acknowledge them, faults aside."""
        acknowledged = []
        refused: set[str] = set()
        for record in records:
            # As with an idempotent producer, nothing of a key follows what was refused before it.
            if self._broker.refuse_sends > 0 or record.key in refused:
                self._broker.refuse_sends = max(0, self._broker.refuse_sends - 1)
                refused.add(record.key)
                acknowledged.append(False)
                continue
            self._broker.append(record)
            lost = self._broker.lose_acknowledgments > 0
            self._broker.lose_acknowledgments -= int(lost)
            acknowledged.append(not lost)
        await asyncio.sleep(0)
        return acknowledged

    async def close(self) -> None:
        """Nothing to let go of."""


class MemoryConsumer:
    """A group member. ``next_offsets`` are its next offsets; a rebalance takes them back to what was committed."""

    def __init__(self, broker: MemoryBroker, group: str, topics: tuple[str, ...], member: str) -> None:
        self._broker = broker
        self.group = group
        self.topics = topics
        self.member = member
        self.next_offsets: dict[TopicPartition, int] = {}
        self.closed = False

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[IncomingRecord]:
        """The next records of the assigned partitions."""
        records = self._take(max_records)
        if not records:
            await self._broker.wait(timeout_seconds)
            records = self._take(max_records)
        return records

    def _take(self, max_records: int) -> list[IncomingRecord]:
        taken: list[IncomingRecord] = []
        for place in sorted(self.next_offsets):
            log = self._broker.logs.get(place, [])
            start = self.next_offsets[place]
            end = min(len(log), start + max_records - len(taken))
            topic, partition = place
            taken += [
                IncomingRecord(
                    topic, partition, offset, log[offset].key.encode(), log[offset].value, log[offset].headers
                )
                for offset in range(start, end)
            ]
            self.next_offsets[place] = max(start, end)
        return taken

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit what this member still holds; what it lost meanwhile is passed over, as a broker would refuse it."""
        for place, offset in positions.items():
            if place in self.next_offsets and not self.closed:
                self._broker.committed[self.group, place] = offset

    async def positions(self) -> Mapping[TopicPartition, int]:
        """Next offsets."""
        return dict(self.next_offsets)

    async def standings(self) -> Mapping[TopicPartition, Standing]:
        """Of the group in every partition of its topics."""
        return {
            place: Standing(self._broker.committed.get((self.group, place), 0), len(log))
            for place, log in self._broker.logs.items()
            if place[0] in self.topics
        }

    async def close(self) -> None:
        """Leave: the others take over."""
        self.closed = True
        if self in self._broker.groups.get(self.group, []):
            self._broker.groups[self.group].remove(self)
            self._broker.rebalance(self.group)
