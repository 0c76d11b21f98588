"""The topics of `deploy/kafka/topics.yaml`, created through the broker's own admin protocol."""

import asyncio
import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code

from revcycle_devstack import DevstackError

_TOPIC_ALREADY_EXISTS: Final = 36
_FIELDS: Final = ("name", "key", "producer", "partitions", "retention_days")
# On the one node of a development machine: one; on a cluster named by the environment: what production uses.
_COPIES: Final = 3
_DAY_MILLISECONDS: Final = 86_400_000
_REQUEST_TIMEOUT_MILLISECONDS: Final = 30_000
_GONE_SECONDS_MAX: Final = 60.0
_LET_GO_SECONDS_MAX: Final = 90.0
_SETTLED_STATES: Final = frozenset({"Stable", "Empty", "Dead"})


@dataclass(frozen=True)
class TopicDefinition:
    """One stream: what its key is, which service alone writes it, how it is split and how long Kafka keeps it."""

    name: str
    key: str
    producer: str
    partitions: int
    retention_days: int


def load_topics(file: Path) -> tuple[TopicDefinition, ...]:
    """Read the definitions.

    Raises:
        DevstackError: a field is missing, unknown or out of range, or a name comes twice; names topic and field.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    topics = []
    for entry in content["topics"]:
        name = entry.get("name", "a topic without a name")
        if wrong := set(entry) ^ set(_FIELDS):
            raise DevstackError(f"{file}: {name}: these fields are missing or unknown: {', '.join(sorted(wrong))}")
        for number in ("partitions", "retention_days"):
            if not isinstance(entry[number], int) or entry[number] < 1:
                raise DevstackError(f"{file}: {name}: {number} must be a whole number of at least 1")
        topics.append(TopicDefinition(**entry))
    names = [topic.name for topic in topics]
    if twice := {name for name in names if names.count(name) > 1}:
        raise DevstackError(f"{file}: defined twice: {', '.join(sorted(twice))}")
    return tuple(topics)


def check_partitions(wanted: Sequence[TopicDefinition], found: dict[str, int]) -> list[TopicDefinition]:
    """Return the topics that are missing, given the partition counts `found` on the broker.

    Raises:
        DevstackError: an existing topic has another partition count than its definition.
    """
    for topic in wanted:
        count = found.get(topic.name)
        if count is not None and count != topic.partitions:
            raise DevstackError(
                f"topic {topic.name} has {count} partitions, its definition says {topic.partitions}. "
                "A changed count would move keys to other partitions and lose their order: "
                "restore the definition, or define a new major version of the topic"
            )
    return [topic for topic in wanted if topic.name not in found]


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _await_leaders(admin: AIOKafkaAdminClient, names: Iterable[str], timeout_seconds: float) -> None:
    """Creation is answered before every partition has a leader; a producer would then wait for its first record."""
    wanted = set(names)
    deadline = time.monotonic() + timeout_seconds
    while True:
        led = {
            topic["topic"]
            for topic in await admin.describe_topics()
            if topic["partitions"] and all(partition["leader"] >= 0 for partition in topic["partitions"])
        }
        if wanted <= led:
            return
        if time.monotonic() >= deadline:
            raise DevstackError(f"no leader after {timeout_seconds:.0f} s for {', '.join(sorted(wanted - led))}")
        await asyncio.sleep(0.05)


async def ensure_topics(bootstrap_servers: str, topics: Sequence[TopicDefinition]) -> tuple[str, ...]:
    """Create the topics that are missing and return their names; ready for records when it returns.

    Raises:
        DevstackError: the broker cannot be reached or refuses, or an existing topic has another partition count.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MILLISECONDS)
    try:
        await admin.start()
        missing = check_partitions(topics, await _partition_counts(admin))
        if not missing:
            return ()
        copies = min(_COPIES, len((await admin.describe_cluster())["brokers"]))
        response = await admin.create_topics(
            [
                NewTopic(
                    topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=copies,
                    topic_configs={"retention.ms": str(topic.retention_days * _DAY_MILLISECONDS)},
                )
                for topic in missing
            ]
        )
        for name, code, *_ in response.topic_errors:
            if code not in (0, _TOPIC_ALREADY_EXISTS):
                raise DevstackError(f"the broker refused topic {name}: {for_code(code).__name__}")
        await _await_leaders(admin, (topic.name for topic in missing), timeout_seconds=30.0)
    except (KafkaError, OSError) as error:
        raise DevstackError(f"the broker at {bootstrap_servers} could not be used: {error}") from error
    finally:
        await admin.close()
    return tuple(topic.name for topic in missing)


async def answers(bootstrap_servers: str) -> bool:
    """Whether the broker serves the admin protocol now."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError, KeyError):
        return False
    finally:
        await admin.close()


async def await_brokers(bootstrap_servers: str, count: int, timeout_seconds: float = 60.0) -> None:
    """Wait until so many brokers belong to the cluster: topics made earlier would get too few copies.

    Raises:
        DevstackError: the time was up, or the cluster could not be reached.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MILLISECONDS)
    deadline = time.monotonic() + timeout_seconds
    try:
        await admin.start()
        while (found := len((await admin.describe_cluster())["brokers"])) < count:
            if time.monotonic() >= deadline:
                raise DevstackError(f"after {timeout_seconds:.0f} s {found} of {count} brokers belong to the cluster")
            await asyncio.sleep(0.1)
    except (KafkaError, OSError) as error:
        raise DevstackError(f"the broker at {bootstrap_servers} could not be used: {error}") from error
    finally:
        await admin.close()


async def delete_topics(bootstrap_servers: str, names: Iterable[str]) -> None:
    """Delete the topics that exist; the others are passed over."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        if doomed := [name for name in names if name in existing]:
            await admin.delete_topics(doomed, timeout_ms=_REQUEST_TIMEOUT_MILLISECONDS)
    finally:
        await admin.close()


async def recreate_topics(bootstrap_servers: str, topics: Sequence[TopicDefinition]) -> None:
    """Delete topics and create them empty, so that every consumer group begins again at their start.

    They come again only when every member of every group has seen that they are gone: one that has not would read on
    in the new topic where it stood in the old one, and pass over what lies before.

    Raises:
        DevstackError: they were not gone in time, a member did not let go of them, or as `ensure_topics`.
    """
    names = [topic.name for topic in topics]
    await delete_topics(bootstrap_servers, names)
    await _await_gone(bootstrap_servers, names)
    await ensure_topics(bootstrap_servers, topics)


async def _holders(admin: AIOKafkaAdminClient, topics: Set[str]) -> list[str]:
    """Groups with a member that a topic of these is assigned to, or that are handing out partitions just now."""
    holders = []
    for name, *_ in await admin.list_consumer_groups():
        # One at a time: the library reads an answer about several groups wrongly.
        (answer,) = await admin.describe_consumer_groups([name])
        ((_, _, state, _, _, members, *_),) = answer.groups
        if state not in _SETTLED_STATES or any(topics & _assigned(assignment) for *_, assignment in members):
            holders.append(name)
    return sorted(holders)


def _assigned(assignment: bytes) -> set[str]:
    if not assignment:
        return set()
    return {topic for topic, _ in ConsumerProtocolMemberAssignment.decode(assignment).assignment}


async def _await_gone(bootstrap_servers: str, names: Iterable[str]) -> None:
    doomed = set(names)
    deadline = time.monotonic() + _GONE_SECONDS_MAX
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MILLISECONDS)
    try:
        await admin.start()
        while left := doomed & set(await admin.list_topics()):
            if time.monotonic() >= deadline:
                raise DevstackError(f"not deleted after {_GONE_SECONDS_MAX:.0f} s: {', '.join(sorted(left))}")
            await asyncio.sleep(0.1)
        deadline = time.monotonic() + _LET_GO_SECONDS_MAX
        while holders := await _holders(admin, doomed):
            if time.monotonic() >= deadline:
                raise DevstackError(
                    f"after {_LET_GO_SECONDS_MAX:.0f} s these consumer groups still hold deleted topics: "
                    f"{', '.join(holders)}. Stop their services, then start again"
                )
            await asyncio.sleep(0.1)
    except (KafkaError, OSError) as error:
        raise DevstackError(f"the broker at {bootstrap_servers} could not be used: {error}") from error
    finally:
        await admin.close()
