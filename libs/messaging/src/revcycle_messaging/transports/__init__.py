"""What a transport is. Two exist: Kafka and memory; the chassis and its tests run on both."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

TopicPartition = tuple[str, int]


class OutgoingRecord(NamedTuple):
    """A record to be sent: value and headers are final bytes."""

    topic: str
    key: str
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class IncomingRecord(NamedTuple):
    """A record as it was found on the topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Standing(NamedTuple):
    """Where a group stands in a partition: the offset it committed (0 when none) and the partition's end."""

    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Records not committed. Beyond the end stands who knew the topic before it was made anew: all of it waits."""
        return self.end - self.committed if self.committed <= self.end else self.end


class Producer(Protocol):
    """Sends records in order per key; every record is acknowledged by all in-sync replicas or counts as not sent."""

    async def send(self, records: Sequence[OutgoingRecord]) -> Sequence[bool]:
        """Send all; per record True when acknowledged. A False says nothing about whether it arrived."""
        ...

    async def close(self) -> None:
        """Let go of everything without waiting for what was not acknowledged."""
        ...


class ConsumerClient(Protocol):
    """One member of a consumer group with manual offsets."""

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[IncomingRecord]:
        """Up to ``max_records``, per partition in order of offset; empty when nothing came in time."""
        ...

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit next offsets. Losing a partition meanwhile is normal and raises nothing."""
        ...

    async def positions(self) -> Mapping[TopicPartition, int]:
        """Offset of the next record to be fetched, per assigned partition."""
        ...

    async def standings(self) -> Mapping[TopicPartition, Standing] | None:
        """The group's standing in every partition of its topics, whoever holds it; None when it is not known."""
        ...

    async def close(self) -> None:
        """Leave the group."""
        ...


class Transport(Protocol):
    """Makes producers and group members."""

    async def producer(self) -> Producer:
        """A started producer. Raises Transient when the broker is away."""
        ...

    async def consumer(self, group: str, topics: Sequence[str], member: str) -> ConsumerClient:
        """A started member of ``group``. Raises Transient when the broker is away."""
        ...

    async def reader(self, topics: Sequence[str], tail_records: int | None = None) -> ConsumerClient:
        """Reads topics without a group: whole, or about the last so many records of each partition.

        Raises Transient when the broker is away.
        """
        ...

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """Next offset of each partition. Raises Transient when the broker is away: the readiness check."""
        ...

    async def close(self) -> None:
        """Let go of shared resources."""
        ...
