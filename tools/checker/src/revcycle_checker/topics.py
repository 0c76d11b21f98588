"""Every topic from its first record to its end."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from revcycle_messaging.envelope import headers_from_kafka
from revcycle_messaging.errors import MessagingError
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.sealing import check_seal
from revcycle_messaging.transports.kafka import KafkaTransport

FETCH_SECONDS = 1.0
EMPTY_FETCHES_MAX = 20
PRODUCERS = {
    "revcycle.patients.v1": "registration",
    "revcycle.encounters.v1": "registration",
    "revcycle.directory.v1": "registration",
    "revcycle.codings.v1": "coding",
    "revcycle.claims.v1": "claims",
    "revcycle.deposits.v1": "claims",
    "revcycle.adjudications.v1": "adjudication-gateway",
    "revcycle.remittances.v1": "adjudication-gateway",
}
"""Which service produces each topic of the flow."""


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record by its place in its stream and the hash of its value; ``fault`` when its seal does not hold."""

    topic: str
    tenant_id: str
    key: str
    sequence: int
    sha256: str
    fault: str | None


async def read_topics(
    bootstrap_servers: str, keys: KeyRing, security: Mapping[str, Any] | None = None
) -> list[TopicRecord]:
    """All records of the flow's topics, per partition in order. ``security`` goes to the broker's client as it is."""
    transport = KafkaTransport(bootstrap_servers, client_id="revcycle-checker", security=security)
    topics = sorted(PRODUCERS)
    ends = await transport.end_offsets(topics)
    wanted = sum(ends.values())
    # No group: nothing is committed, so reading leaves no trace at the broker.
    records: list[TopicRecord] = []
    consumer = await transport.reader(topics)
    try:
        empty = 0
        while len(records) < wanted and empty < EMPTY_FETCHES_MAX:
            found = await consumer.fetch(5000, FETCH_SECONDS)
            empty = 0 if found else empty + 1
            records += [
                judge_record(one.topic, one.key or b"", one.value or b"", list(one.headers), keys) for one in found
            ]
    finally:
        await consumer.close()
        await transport.close()
    return records


def judge_record(
    topic: str, key: bytes, value: bytes, raw: list[tuple[str, bytes | None]], keys: KeyRing
) -> TopicRecord:
    """A record as it came from the broker, its seal checked."""
    digest = hashlib.sha256(value).hexdigest()
    text_key = key.decode(errors="replace")
    try:
        headers = headers_from_kafka(raw)
        envelope = check_seal(topic, text_key, headers, value, keys)
    except MessagingError as failure:
        return TopicRecord(topic, "", text_key, 0, digest, str(failure))
    return TopicRecord(topic, str(envelope.tenant_id), text_key, envelope.sequence, digest, None)
