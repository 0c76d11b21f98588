"""Promise: the AsyncAPI document is one, covers every topic and event, and its examples are what travels."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from revcycle_cli.contracts import event_example, published_events
from revcycle_messaging.testing import make_cause

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/contracts/asyncapi.json").read_text())
FORMAT = Draft202012Validator.FORMAT_CHECKER
REFERENCE = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string", "pattern": "^#/"}},
    "additionalProperties": False,
}
STRUCTURE: dict[str, Any] = {
    # The structure of AsyncAPI 3.0.0 as its specification states it, as far as this document uses it.
    "type": "object",
    "required": ["asyncapi", "info"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "info": {"type": "object", "required": ["title", "version"]},
        "defaultContentType": {"type": "string"},
        "servers": {"additionalProperties": {"type": "object", "required": ["host", "protocol"]}},
        "channels": {
            "propertyNames": {"pattern": r"^[A-Za-z0-9_.\-]+$"},
            "additionalProperties": {
                "type": "object",
                "required": ["address", "messages"],
                "properties": {
                    "address": {"type": ["string", "null"]},
                    "messages": {"additionalProperties": REFERENCE, "minProperties": 1},
                    "servers": {"type": "array", "items": REFERENCE},
                },
            },
        },
        "operations": {
            "additionalProperties": {
                "type": "object",
                "required": ["action", "channel"],
                "properties": {"action": {"enum": ["send", "receive"]}, "channel": REFERENCE},
            }
        },
        "components": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "messageTraits": {"additionalProperties": {"not": {"required": ["payload"]}}},
                "messages": {
                    "propertyNames": {"pattern": r"^[A-Za-z0-9_.\-]+$"},
                    "additionalProperties": {
                        "type": "object",
                        "required": ["name", "payload", "traits", "examples"],
                        "properties": {
                            "payload": REFERENCE,
                            "traits": {"type": "array", "items": REFERENCE},
                            "correlationId": {
                                "properties": {"location": {"pattern": r"^\$message\.(header|payload)#/"}}
                            },
                        },
                    },
                },
                "schemas": {"additionalProperties": {"required": ["schemaFormat", "schema"]}},
            },
        },
    },
}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_it_has_the_structure_of_asyncapi_3() -> None:
    assert [error.message for error in Draft202012Validator(STRUCTURE).iter_errors(DOCUMENT)] == []
    for reference in references(DOCUMENT):
        assert resolve(reference), reference


def test_it_covers_every_topic_that_carries_events() -> None:
    topics = {
        topic["name"]: topic for topic in yaml.safe_load((ROOT / "deploy/kafka/topics.yaml").read_text())["topics"]
    }
    published = published_events()
    assert set(DOCUMENT["channels"]) == {each.contract.topic for each in published} <= set(topics)
    assert set(DOCUMENT["components"]["messages"]) == {each.contract.type for each in published}
    assert len(published) >= 37
    for name, channel in DOCUMENT["channels"].items():
        assert channel["bindings"]["kafka"]["partitions"] == topics[name]["partitions"]


@pytest.mark.parametrize("contract", published_events(), ids=lambda each: each.contract.type)
def test_the_example_of_an_event_is_one(contract: Any) -> None:
    """Whole, it is a valid event; on the wire, it fits the payload and header schemas of the document."""
    contract.model_validate(event_example(contract))
    message = DOCUMENT["components"]["messages"][contract.contract.type]
    payload = resolve(message["payload"]["$ref"])["schema"]
    headers = resolve(message["traits"][0]["$ref"])["headers"]
    for example in message["examples"]:
        assert not list(Draft202012Validator(payload, format_checker=FORMAT).iter_errors(example["payload"]))
        assert not list(Draft202012Validator(headers, format_checker=FORMAT).iter_errors(example["headers"]))


@pytest.mark.parametrize("contract", published_events(), ids=lambda each: each.contract.type)
def test_what_is_sealed_for_the_wire_fits_the_document(contract: Any, tmp_path: Path) -> None:
    """The schemas describe real records: an event sealed by the chassis validates, headers and value."""
    from revcycle_messaging.envelope import Envelope
    from revcycle_messaging.sealing import seal_event
    from revcycle_messaging.testing import make_key_ring

    event, cause = contract.model_validate(event_example(contract)), make_cause()
    envelope = Envelope(
        id=cause.id,
        type=contract.contract.type,
        source="revcycle/testing",
        subject=event.key,
        time=cause.now,
        sequence=1,
        tenant_id=cause.tenant_id,
        correlation_id=cause.correlation_id,
        causation_id=cause.id,
        depends_on=(),
        traceparent=None,
    )
    sealed = seal_event(event, envelope, contract.contract.topic, make_key_ring(tmp_path))
    message = DOCUMENT["components"]["messages"][contract.contract.type]
    payload, headers = resolve(message["payload"]["$ref"])["schema"], resolve(message["traits"][0]["$ref"])["headers"]
    errors = [
        *Draft202012Validator(payload, format_checker=FORMAT).iter_errors(json.loads(sealed.payload)),
        *Draft202012Validator(headers, format_checker=FORMAT).iter_errors(sealed.headers),
    ]
    assert not errors
    assert re.fullmatch(headers["properties"]["ce_seal"]["pattern"], sealed.headers["ce_seal"])
