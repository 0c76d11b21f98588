"""Promise: a stranger reads our topics in another language and checks every seal, by the published contracts."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from revcycle_cli.contracts import event_example, published_events
from revcycle_devstack.testing import KafkaBroker
from revcycle_events import Event
from revcycle_messaging.envelope import Envelope, headers_to_kafka
from revcycle_messaging.sealing import seal_event
from revcycle_messaging.testing import TENANT, make_cause, make_key_ring
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.kafka import KafkaTransport

SOURCE = Path(__file__).resolve().parents[2] / "examples" / "go-consumer"
PREFIX = "stranger."
pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built once from its lock file."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed: the consumer in Go is not built")
    program = tmp_path_factory.mktemp("go") / "consumer"
    built = subprocess.run(
        [go, "build", "-mod=readonly", "-o", str(program), "."],
        cwd=SOURCE,
        env={**os.environ, "GOFLAGS": "-p=1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and "dial tcp" in built.stderr:
        pytest.skip("the modules of the consumer in Go cannot be fetched here")
    assert built.returncode == 0, built.stderr
    return program


def sealed_record(event: Event, topic: str, number: int, folder: Path) -> OutgoingRecord:
    cause = make_cause(number)
    envelope = Envelope(
        id=cause.id,
        type=event.contract.type,
        source="revcycle/testing",
        subject=event.key,
        time=cause.now,
        sequence=number,
        tenant_id=TENANT,
        correlation_id=cause.correlation_id,
        causation_id=None,
        depends_on=(),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    sealed = seal_event(event, envelope, topic, make_key_ring(folder, service="everyone"))
    return OutgoingRecord(topic, event.key, sealed.payload, headers_to_kafka(sealed.headers))


def changed(record: OutgoingRecord, **header: str) -> OutgoingRecord:
    """The record with one header changed on its way, or its value when none is named."""
    if not header:
        return OutgoingRecord(record.topic, record.key, record.value + b" ", record.headers)
    headers = [(name, header.get(name, value.decode()).encode()) for name, value in record.headers]
    return OutgoingRecord(record.topic, record.key, record.value, headers)


async def test_every_event_is_read_and_every_changed_one_refused(
    consumer: Path, kafka: KafkaBroker, tmp_path: Path
) -> None:
    contracts = published_events()
    topics = sorted({PREFIX + each.contract.topic for each in contracts})
    await kafka.create_topics(topics, partitions=3)
    events = [each.model_validate(event_example(each)) for each in contracts]
    good = [
        sealed_record(event, PREFIX + event.contract.topic, number, tmp_path) for number, event in enumerate(events, 1)
    ]
    bad = [
        changed(good[0]),
        changed(good[1], ce_sequence="99"),
        changed(good[2], ce_type="revcycle.claims.Other.v1"),
        OutgoingRecord(good[4].topic, "another-key", good[4].value, good[4].headers),
    ]
    rewritten = changed(good[3], traceparent="00-00000000000000000000000000000001-0000000000000001-00")
    transport = KafkaTransport(kafka.bootstrap_servers, client_id="stranger")
    producer = await transport.producer()
    assert all(await producer.send([*good, *bad, rewritten]))
    await producer.close()
    make_key_ring(tmp_path, (), service="stranger")

    expected = len(good) + len(bad) + 1
    ran = await asyncio.to_thread(
        subprocess.run,
        [
            str(consumer),
            f"-brokers={kafka.bootstrap_servers}",
            f"-keyring={tmp_path / 'stranger.json'}",
            f"-topics={','.join(topics)}",
            f"-count={expected}",
            "-limit=60s",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    await kafka.delete_topics(topics)

    assert ran.returncode == 0, ran.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
    read = [line for line in lines if line["sealed"]]
    refused = [line for line in lines if not line["sealed"]]
    assert {line["type"] for line in read} == {each.contract.type for each in contracts}
    assert len(read) == len(good) + 1 and len(refused) == len(bad), "what telemetry rewrites is outside the seal"
    assert all("data" not in line and line["refused"] for line in refused)
    by_type = {line["type"]: line for line in read}
    for event in events:
        data = by_type[event.contract.type]["data"]
        assert data[event.contract.key_field] == event.key
