"""All topics lost and filled again from the services' archives."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from revcycle_devstack import SERVICES, DevstackError
from revcycle_devstack.connections import Connections
from revcycle_devstack.layout import checkout_root
from revcycle_devstack.topics import TopicDefinition, delete_topics, ensure_topics, load_topics
from revcycle_messaging import Database, KeyRing, MessagingError
from revcycle_messaging.recovery import rebuild_topics
from revcycle_messaging.transports.kafka import KafkaTransport

_TRIES: Final = 5
_FORGOTTEN_WITHIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1


class TopicsNotRebuiltError(Exception):
    """The topics could not be filled again; the run cannot go on."""


async def lose_and_rebuild(connections: Connections, tell: Callable[[str], None]) -> int:
    """Delete every topic, make them anew and fill them from the archives; returns how many events were sent.

    Nothing of the services may run: a consumer would go on at places that mean other events now.

    Raises:
        TopicsNotRebuiltError: it failed again and again; the text names the last reason.
    """
    reason = ""
    for _ in range(_TRIES):
        try:
            return await _once(connections)
        except (MessagingError, DevstackError, KafkaError, OSError, TimeoutError) as failure:
            reason = f"{type(failure).__name__}: {failure}"
            tell(reason)
            await asyncio.sleep(_POLL_SECONDS)
    raise TopicsNotRebuiltError(f"topics could not be rebuilt in {_TRIES} tries: {reason}")


async def _once(connections: Connections) -> int:
    definitions = load_topics(checkout_root() / "deploy" / "kafka" / "topics.yaml")
    address = connections.kafka_bootstrap_servers
    await delete_topics(address, [topic.name for topic in definitions])
    await _await_no_offsets(address)
    await ensure_topics(address, definitions)
    transport = KafkaTransport(address, client_id="chaos-rebuild")
    try:
        sent = await asyncio.gather(*(_rebuild(connections, transport, service, definitions) for service in SERVICES))
    finally:
        await transport.close()
    return sum(sent)


async def _rebuild(
    connections: Connections, transport: KafkaTransport, service: str, definitions: tuple[TopicDefinition, ...]
) -> int:
    produced = [topic.name for topic in definitions if topic.producer == service]
    if not produced:
        return 0
    keys = KeyRing(connections.layout.keyring_file(service))
    database = await Database.connect(connections.database_url(service), service=service, keys=keys)
    try:
        return await rebuild_topics(
            database, transport, produced, actor="chaos", reason="all topics were lost", now=datetime.now(UTC)
        )
    finally:
        await database.close()


async def _await_no_offsets(address: str) -> None:
    """The broker forgets the groups' places in topics that are gone, a moment later."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    deadline = time.monotonic() + _FORGOTTEN_WITHIN_SECONDS
    try:
        await admin.start()
        while True:
            kept = [group for group in SERVICES if await admin.list_consumer_group_offsets(group)]
            if not kept:
                return
            if time.monotonic() >= deadline:
                raise DevstackError(f"the broker still knows places of {', '.join(kept)} in topics that are gone")
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        await admin.close()
