"""Event contracts as JSON Schema, with an example each."""

from typing import Any

from revcycle_events import REGISTRY, Event
from revcycle_events.examples import EXAMPLES
from revcycle_service_kit.examples import ExampleWriter


def published_events() -> list[type[Event]]:
    """Every contract of the package, by type; those of tests, and of the chassis for itself, are not published."""
    return [contract for _, contract in sorted(REGISTRY.items()) if contract.__module__.startswith("revcycle_events.")]


def event_schema(contract: type[Event]) -> dict[str, Any]:
    """JSON Schema 2020-12 of a contract; every property says in which compartment it travels."""
    schema = contract.model_json_schema(mode="serialization")
    for name, compartment in contract.compartments.items():
        schema["properties"][name]["x-compartment"] = compartment.value
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-type": contract.contract.type,
        "x-topic": contract.contract.topic,
        "x-key": contract.contract.key_field,
        **schema,
    }


def event_example(contract: type[Event]) -> dict[str, Any]:
    """A whole event, every compartment open. Raises NoExample for a field the table of examples does not know."""
    schema = contract.model_json_schema(mode="serialization")
    example: dict[str, Any] = ExampleWriter(schema.get("$defs", {}), EXAMPLES).of(schema, contract.__name__)
    return example
