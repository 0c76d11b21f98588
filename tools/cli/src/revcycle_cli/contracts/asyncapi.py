"""AsyncAPI 3.0 of every topic: who publishes what, under which key, with which headers, sealed how."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from revcycle_events import Compartment, Event
from revcycle_events.examples import IDS

from revcycle_cli.contracts.events import event_example, event_schema

JSON_SCHEMA: Final = "application/schema+json;version=draft-2020-12"
_SEAL_FORM: Final = r"^[^.]+\.[A-Za-z0-9+/]+={0,2}$"
_UUID: Final = {"type": "string", "format": "uuid"}
_TENANT: Final = "0199c0de-0000-7000-8000-0000000000fe"


def asyncapi_document(contracts: Iterable[type[Event]], topics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document.

    Args:
        contracts: the published events.
        topics: the entries of ``deploy/kafka/topics.yaml``: name, key, producer, partitions, retention_days.
    """
    by_topic: dict[str, list[type[Event]]] = {}
    for contract in contracts:
        by_topic.setdefault(contract.contract.topic, []).append(contract)
    published = [topic for topic in topics if topic["name"] in by_topic]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "revcycle events",
            "version": "1",
            "description": "CloudEvents 1.0 in Kafka binary mode. Within a key, `ce_sequence` rises by 1 without gap; "
            "an event may come more than once, with the same `ce_id`. See events.md for the seal, byte for byte.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {topic["name"]: _channel(topic, by_topic[topic["name"]]) for topic in published},
        "operations": {
            f"{action}.{topic['name']}": _operation(action, topic)
            for topic in published
            for action in ("send", "receive")
        },
        "components": {
            "messages": {
                contract.contract.type: _message(contract) for each in published for contract in by_topic[each["name"]]
            },
            "messageTraits": {"cloudevent": {"headers": _headers(), "contentType": "application/json"}},
            "schemas": {
                contract.contract.type: {"schemaFormat": JSON_SCHEMA, "schema": wire_schema(contract)}
                for each in published
                for contract in by_topic[each["name"]]
            },
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "127.0.0.1:{port}",
        "protocol": "kafka",
        "description": "The broker of `make up`; `make status` says its port.",
        "variables": {"port": {"default": "9092"}},
    }


def _channel(topic: Mapping[str, Any], contracts: Sequence[type[Event]]) -> dict[str, Any]:
    return {
        "address": topic["name"],
        "description": f"Written by {topic['producer']} alone; record key: {topic['key']}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {each.contract.type: {"$ref": f"#/components/messages/{each.contract.type}"} for each in contracts},
        "bindings": {
            "kafka": {
                "topic": topic["name"],
                "partitions": topic["partitions"],
                "topicConfiguration": {"retention.ms": topic["retention_days"] * 24 * 60 * 60 * 1000},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(action: str, topic: Mapping[str, Any]) -> dict[str, Any]:
    who = topic["producer"] if action == "send" else "anyone who may read the topic"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic['name']}"},
        "summary": f"{'Published' if action == 'send' else 'Read'} by {who}",
    }


def _message(contract: type[Event]) -> dict[str, Any]:
    identity = contract.contract
    return {
        "name": identity.type,
        "title": contract.__name__,
        "summary": (contract.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {"$ref": f"#/components/schemas/{identity.type}"},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"The text of {identity.key_field}"},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"name": "on-the-wire", "headers": _header_example(contract), "payload": wire_example(contract)}],
    }


def _headers() -> dict[str, Any]:
    """The CloudEvents headers, and ours, of every record."""
    properties: dict[str, Any] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**_UUID, "description": "The same for every copy of an event: what consumers deduplicate by"},
        "ce_type": {"type": "string", "description": "Ends in the major version of the contract"},
        "ce_source": {"type": "string", "description": "The service that published it"},
        "ce_subject": {"type": "string", "description": "The record key again"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_sequence": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "Per tenant and key, without gap"},
        "ce_tenantid": _UUID,
        "ce_correlationid": {"type": "string", "description": "The same through everything that came of one request"},
        "ce_causationid": {**_UUID, "description": "The event or request this came of"},
        "ce_dependson": {"type": "string", "description": "`topic/key@sequence`, comma separated: apply those first"},
        "ce_seal": {"type": "string", "pattern": _SEAL_FORM, "description": "Over topic, key, headers and value"},
        "content-type": {"const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context; the one header outside the seal"},
    }
    optional = {"ce_correlationid", "ce_causationid", "ce_dependson", "traceparent"}
    return {"type": "object", "properties": properties, "required": sorted(properties.keys() - optional)}


def _header_example(contract: type[Event]) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": IDS["event_id"],
        "ce_type": contract.contract.type,
        "ce_source": "revcycle/" + contract.contract.type.split(".")[1],
        "ce_subject": str(event_example(contract)[contract.contract.key_field]),
        "ce_time": "2026-09-30T12:00:00+00:00",
        "content-type": "application/json",
        "ce_sequence": "1",
        "ce_tenantid": _TENANT,
        "ce_seal": "k1.bm9uY2Ugb2YgMTIgYi50YWcgb2YgMTYgYnl0ZXM=",
    }


def wire_schema(contract: type[Event]) -> dict[str, Any]:
    """The value of a record: clear fields, and one sealed text per compartment that holds the others."""
    whole = event_schema(contract)
    sealed = sealed_compartments(contract)
    properties = {
        name: field for name, field in whole["properties"].items() if contract.compartments[name] is Compartment.CLEAR
    }
    required = [name for name in whole.get("required", ()) if name in properties]
    if sealed:
        properties["sealed"] = {
            "type": "object",
            "description": "Per compartment `<key id>.<base64 of nonce and ciphertext>`",
            "properties": {
                name: {"type": "string", "pattern": _SEAL_FORM, "description": f"Opens to {', '.join(fields)}"}
                for name, fields in sealed.items()
            },
            "required": list(sealed),
        }
        required.append("sealed")
    wire = {"title": whole["title"], "type": "object", "properties": properties, "required": required}
    # One document holds many schemas: what they share is written out, so that none refers outside itself.
    inlined: dict[str, Any] = _inline(wire, whole.get("$defs", {}))
    return inlined


def sealed_compartments(contract: type[Event]) -> dict[str, list[str]]:
    """The compartments an event has sealed, with their fields."""
    found: dict[str, list[str]] = {}
    for name, compartment in contract.compartments.items():
        if compartment is not Compartment.CLEAR:
            found.setdefault(compartment.value, []).append(name)
    return found


def wire_example(contract: type[Event]) -> dict[str, Any]:
    """What a reader without a compartment's key sees."""
    clear = {
        name: value
        for name, value in event_example(contract).items()
        if contract.compartments[name] is Compartment.CLEAR
    }
    sealed = {name: "k1.bm9uY2Ugb2YgMTIgYi5jaXBoZXJ0ZXh0IGFuZCB0YWc=" for name in sealed_compartments(contract)}
    return {**clear, "sealed": sealed} if sealed else clear


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inline(part, definitions) for name, part in schema.items()}
