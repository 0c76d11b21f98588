"""Apache Kafka through aiokafka: idempotent producer with batches built here, group members with manual offsets.

Every failure of the library is turned into ``Transient``: the outbox and the stream rows are the truth, so the only
right reaction is to begin again from them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from struct import unpack_from
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, ProducerClosed

from revcycle_messaging.errors import Transient
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord, Standing, TopicPartition

BATCH_BYTES: Final = 512 * 1024
MAX_REQUEST_BYTES: Final = 8 * 1024 * 1024
START_TIMEOUT_SECONDS: Final = 20
SEND_TIMEOUT_SECONDS: Final = 20
STOP_TIMEOUT_SECONDS: Final = 5
STANDINGS_TIMEOUT_SECONDS: Final = 1
_MURMUR: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF


class KafkaTransport:
    """A :class:`revcycle_messaging.transports.Transport` on a cluster. ``security`` goes to every client as it is."""

    def __init__(self, bootstrap_servers: str, *, client_id: str, security: Mapping[str, Any] | None = None) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        self._security = dict(security or {})
        self._probe: AIOKafkaConsumer | None = None

    async def producer(self) -> "KafkaProducer":
        """A started idempotent producer."""
        client = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            client_id=self._client_id,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=15_000,
            **self._security,
        )
        await _started(client)
        return KafkaProducer(client)

    async def consumer(self, group: str, topics: Sequence[str], member: str) -> "KafkaConsumer":
        """A started group member. ``member`` names it in the broker's logs."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            client_id=f"{self._client_id}-{member}",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=500,
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
            fetch_max_wait_ms=500,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=1_000,
            rebalance_timeout_ms=30_000,
            max_poll_interval_ms=300_000,
            metadata_max_age_ms=30_000,
            **self._security,
        )
        client.subscribe(topics=list(topics))
        await _started(client)
        return KafkaConsumer(client)

    async def reader(self, topics: Sequence[str], tail_records: int | None = None) -> "KafkaConsumer":
        """Reads whole topics, or the ends of their partitions, without a group: leaves no trace at the broker."""
        ends = await self.end_offsets(topics) if tail_records is not None else {}
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            client_id=f"{self._client_id}-reader",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
            **self._security,
        )
        await _started(client)
        places = [KafkaPartition(topic, place) for topic in topics for place in await _partitions(client, topic)]
        client.assign(places)
        await client.seek_to_beginning(*places)
        for place in places:
            end = ends.get((place.topic, place.partition), 0)
            if tail_records is not None and end > tail_records:
                client.seek(place, end - tail_records)
        return KafkaConsumer(client)

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """Next offset of each partition of the topics."""
        try:
            client = await self._probe_client()
            places = []
            for topic in topics:
                places += [KafkaPartition(topic, partition) for partition in await _partitions(client, topic)]
            async with asyncio.timeout(10):
                ends = await client.end_offsets(places) if places else {}
        except (KafkaError, TimeoutError, OSError) as failure:
            await self._drop_probe()
            raise Transient(f"broker: {type(failure).__name__}") from None
        return {(place.topic, place.partition): offset for place, offset in ends.items()}

    async def close(self) -> None:
        """Let go of the client that answers questions."""
        await self._drop_probe()

    async def _probe_client(self) -> AIOKafkaConsumer:
        if self._probe is None:
            client = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap_servers, client_id=f"{self._client_id}-probe", **self._security
            )
            await _started(client)
            self._probe = client
        return self._probe

    async def _drop_probe(self) -> None:
        client, self._probe = self._probe, None
        if client is not None:
            await _stopped(client)


class KafkaProducer:
    """An idempotent producer. After the first failure it must be closed and made anew."""

    def __init__(self, client: AIOKafkaProducer) -> None:
        self._client = client

    async def send(self, records: Sequence[OutgoingRecord]) -> Sequence[bool]:
        """Send prebuilt batches per partition; True per record that all in-sync replicas have.

        Never waits longer than ``SEND_TIMEOUT_SECONDS``: an idempotent client would retry for ever.
        """
        acknowledged = [False] * len(records)
        # Which records arrived after a failure is not known; the caller begins again from the outbox.
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                by_place = await self._by_place(records)
                await asyncio.gather(
                    *(self._send_place(*place, indexes, records, acknowledged) for place, indexes in by_place.items())
                )
        return acknowledged

    async def _by_place(self, records: Sequence[OutgoingRecord]) -> dict[TopicPartition, list[int]]:
        """Indexes of the records by partition, as every Kafka client's default partitioner places their keys."""
        counts = {topic: len(await _partitions(self._client, topic)) for topic in {one.topic for one in records}}
        by_place: dict[TopicPartition, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            by_place[record.topic, hash_of_key(record.key) % counts[record.topic]].append(index)
        return by_place

    async def _send_place(
        self, topic: str, partition: int, indexes: Sequence[int], records: Sequence[OutgoingRecord], done: list[bool]
    ) -> None:
        position = 0
        sent: list[tuple[asyncio.Future[Any], Sequence[int]]] = []
        while position < len(indexes):
            batch = self._client.create_batch()
            first = position
            while position < len(indexes):
                record = records[indexes[position]]
                # A batch takes its first record whatever its size; the bound of an event is far below the broker's.
                if (
                    batch.append(key=record.key.encode(), value=record.value, timestamp=None, headers=record.headers)
                    is None
                ):
                    break
                position += 1
            batch.close()
            future = await self._client.send_batch(batch, topic, partition=partition)
            sent.append((future, indexes[first:position]))
        for future, members in sent:
            await future
            for index in members:
                done[index] = True

    async def close(self) -> None:
        """Drop the client; what was not acknowledged counts as not sent."""
        # Without this, stopping would wait for the broker to take what the outbox still holds anyway.
        self._client._message_accumulator.fail_all(ProducerClosed())
        await _stopped(self._client)


@lru_cache(maxsize=16_384)
def hash_of_key(key: str) -> int:
    """murmur2, positive, as every Kafka client's default partitioner computes it; twice as fast as the library's."""
    data = key.encode()
    words = len(data) // 4
    hashed = 0x9747B28C ^ len(data)
    for word in unpack_from(f"<{words}I", data):
        word = word * _MURMUR & _WORD
        hashed = hashed * _MURMUR & _WORD ^ (word ^ word >> 24) * _MURMUR & _WORD
    rest = data[words * 4 :]
    if rest:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MURMUR & _WORD
    hashed = (hashed ^ hashed >> 13) * _MURMUR & _WORD
    return (hashed ^ hashed >> 15) & 0x7FFFFFFF


class KafkaConsumer:
    """A group member with manual offsets."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[IncomingRecord]:
        """Up to ``max_records`` records, per partition in order of offset."""
        try:
            async with asyncio.timeout(timeout_seconds + 15):
                found = await self._client.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
        except (KafkaError, OSError, TimeoutError) as failure:
            raise Transient(f"broker: {type(failure).__name__}") from None
        return [
            IncomingRecord(place.topic, place.partition, record.offset, record.key, record.value, record.headers)
            for place, records in found.items()
            for record in records
        ]

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit next offsets; a partition that was handed on meanwhile is the new owner's business."""
        held = self._client.assignment()
        offsets = {
            KafkaPartition(topic, partition): offset
            for (topic, partition), offset in positions.items()
            if KafkaPartition(topic, partition) in held
        }
        if not offsets:
            return
        try:
            async with asyncio.timeout(15):
                await self._client.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            return
        except (KafkaError, OSError, TimeoutError) as failure:
            raise Transient(f"broker: {type(failure).__name__}") from None

    async def positions(self) -> Mapping[TopicPartition, int]:
        """Next offset per assigned partition; 0 for one that the client has not found its place in.

        All at once: a client without its coordinator would otherwise keep the caller waiting once per partition.
        """
        places = list(self._client.assignment())
        found = await asyncio.gather(*map(self._position, places))
        return {(place.topic, place.partition): position for place, position in zip(places, found, strict=True)}

    async def _position(self, place: KafkaPartition) -> int:
        try:
            async with asyncio.timeout(5):
                position: int = await self._client.position(place)
        except (KafkaError, TimeoutError, OSError):
            return 0
        return position

    async def standings(self) -> Mapping[TopicPartition, Standing] | None:
        """As the broker knows them: a client's ends are old, and it knows no partition that nobody holds."""
        try:
            async with asyncio.timeout(STANDINGS_TIMEOUT_SECONDS):
                places = [
                    KafkaPartition(topic, partition)
                    for topic in self._client.subscription()
                    for partition in await _partitions(self._client, topic)
                ]
                # Before the ends: what is committed between the two questions would else look like a place beyond them.
                committed = await self._client._coordinator.fetch_committed_offsets(places)
                ends = await self._client.end_offsets(places)
        except (KafkaError, OSError, TimeoutError):
            return None
        return {
            (place.topic, place.partition): Standing(committed[place].offset if place in committed else 0, end)
            for place, end in ends.items()
        }

    async def close(self) -> None:
        """Leave the group."""
        await _stopped(self._client)


async def _partitions(client: AIOKafkaProducer | AIOKafkaConsumer, topic: str) -> set[int]:
    """Partitions of a topic; asks the cluster the first time."""
    if isinstance(client, AIOKafkaProducer):
        known: set[int] = await client.partitions_for(topic)
        return known
    partitions: set[int] | None = client.partitions_for_topic(topic)
    if partitions is None:
        # Without a subscription the library learns of a topic in no public way.
        await client._client.add_topic(topic)
        await client._client.force_metadata_update()
        partitions = client.partitions_for_topic(topic) or set()
    return partitions


async def _started(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            await client.start()
    except (KafkaError, OSError, TimeoutError) as failure:
        await _stopped(client)
        raise Transient(f"broker: {type(failure).__name__}") from None
    except asyncio.CancelledError:
        await _stopped(client)
        raise


async def _stopped(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stop a client, in bounded time whatever state it is in.

    The library passes over cancellations while it stops, so a timeout around it would not hold: it gets a task of its
    own. One that cannot say goodbye is cut off, or it would go on beating for a member that reads nothing.
    """
    stopping = asyncio.create_task(client.stop())
    _, late = await asyncio.wait([stopping], timeout=STOP_TIMEOUT_SECONDS)
    if late:
        stopping.cancel()
        low_level = client.client if isinstance(client, AIOKafkaProducer) else client._client
        stopping = asyncio.create_task(low_level.close())
        await asyncio.wait([stopping], timeout=STOP_TIMEOUT_SECONDS)
    if stopping.done() and not stopping.cancelled():
        # Looked at, so that nobody complains of an error nobody can act on.
        stopping.exception()
