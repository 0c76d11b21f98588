"""Examples of requests and responses, composed from what models and fields say of themselves.

A model that has an example of its own is shown as that. Any other is composed field by field: the field's own example,
the service's table (by ``Model.field``, then by ``field``), the table of names every service shares, its format. A
field that none of them knows is an error, so nobody reads ``"string"`` where a claim number stands.
"""

from collections.abc import Mapping
from typing import Any, Final

from revcycle_events.examples import IDS

SHARED: Final[Mapping[str, Any]] = {
    **IDS,
    "DeadLetterGroup.state": "dead",
    "Intervention.id": 12,
    "JobRow.kind": "deliver_interchange",
    "JobRow.state": "unknown",
    "Lag.seconds": 0.4,
    "MessagingFigures.dead_letters": 1,
    "MessagingFigures.jobs": {"ready": 4, "running": 1, "unknown": 0, "done": 117, "failed": 0},
    "MessagingFigures.lag": 12,
    "MessagingFigures.parked_keys": 1,
    "MessagingFigures.refuses_because": None,
    "MessagingFigures.service": "claims",
    "MessagingFigures.stopped_because": None,
    "MessagingFigures.timers_due": 0,
    "Outbox.rows": 3,
    "ParkedKey.state": "waiting",
    "PartitionLag.seconds": 0.4,
    "TimerRow.aggregate": "claim/0199c0de-0000-7000-8000-000000000001",
    "TimerRow.name": "filing-deadline",
    "action": "redrive",
    "actor": "a.operator",
    "attempts": 3,
    "behind": 2,
    "bound": 200000,
    "chunk_in_flight": 0,
    "correlation_id": "0199c0de-0000-7000-8000-0000000000c0",
    "decided_by": "a.operator",
    "event_type": "revcycle.claims.ClaimSubmitted.v1",
    "events": 1,
    "first_sequence": 7,
    "group": "5f0c2a91d7b3e468",
    "instance": "worker-1",
    "key": "0199c0de-0000-7000-8000-000000000001",
    "last_error": "the payer did not answer",
    "last_sequence": 6,
    "leads_shards": 4,
    "limit": 50,
    "next_page_token": None,
    "outbox_bound": 200000,
    "outbox_rows": 3,
    "partition": 3,
    "payer_id": "REVPAY1",
    "quarantined": 0,
    "reason": "the reference data it needs was missing and is loaded now",
    "remaining": 0,
    "sequence": 7,
    "topic": "revcycle.claims.v1",
    "version": 3,
}
"""What fields of the operations side look like, and those every service has."""

_BY_FORMAT: Final[Mapping[str, Any]] = {
    "uuid": "0199c0de-0000-7000-8000-000000000001",
    "date": "2026-09-30",
    "date-time": "2026-09-30T12:00:00Z",
}
_BY_ENDING: Final[Mapping[str, Any]] = {
    "_cents": 12500,
    "_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "_seconds": 1.5,
    "_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
_MAX_DEPTH: Final = 12


class NoExample(LookupError):
    """A field has no example: give the field one, or the service's table an entry ``Model.field`` or ``field``."""


class ExampleWriter:
    """Writes examples into the operations of one document."""

    def __init__(self, schemas: Mapping[str, Any], examples: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._examples = {**SHARED, **examples}

    def write(self, operation: dict[str, Any]) -> None:
        """Give request body, parameters and successful answers of an operation an example each. Raises NoExample."""
        name = operation["operationId"]
        for parameter in operation.get("parameters", ()):
            if "example" not in parameter and "examples" not in parameter and parameter["name"] != "page_token":
                parameter["example"] = self.of(parameter["schema"], f"{name}.{parameter['name']}")
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [
            response.get("content", {}) for status, response in operation["responses"].items() if status.startswith("2")
        ]
        for content in contents:
            for media_type in content.values():
                if "example" not in media_type and "examples" not in media_type:
                    media_type["example"] = self.of(media_type["schema"], name)

    def of(self, schema: Mapping[str, Any], place: str, depth: int = 0) -> Any:
        """An example of a schema; ``place`` is ``Model.field``, or a name of the whole."""
        if depth > _MAX_DEPTH:
            raise NoExample(f"{place} is nested too deeply")
        if "$ref" in schema:
            return self._of_model(schema, place, depth)
        if "example" in schema:
            return self._completed(schema["example"], schema, place, depth)
        if schema.get("examples"):
            return self._completed(schema["examples"][0], schema, place, depth)
        if place in self._examples:
            return self._examples[place]
        if (values := _values_of(schema)) is not None:
            return values[0]
        field = place.rpartition(".")[2]
        if field in self._examples:
            return self._examples[field]
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in schema:
                return self._of_first(schema[keyword], place, depth)
        return self._of_type(schema, place, depth)

    def _completed(self, example: Any, schema: Mapping[str, Any], place: str, depth: int) -> Any:
        """A model's example with the fields it lacks: a model may inherit one, and the framework drops nulls."""
        if not isinstance(example, dict) or "properties" not in schema:
            return example
        missing = [name for name in schema.get("required", ()) if name not in example]
        fields = schema["properties"]
        return {**example, **{name: self.of(fields[name], f"{place}.{name}", depth + 1) for name in missing}}

    def _of_model(self, schema: Mapping[str, Any], place: str, depth: int) -> Any:
        model = schema["$ref"].rpartition("/")[2]
        if place in self._examples:
            return self._examples[place]
        if model in self._examples:
            return self._examples[model]
        return self.of(self._schemas[model], model, depth + 1)

    def _of_first(self, alternatives: list[Mapping[str, Any]], place: str, depth: int) -> Any:
        return self.of(next(each for each in alternatives if each.get("type") != "null"), place, depth + 1)

    def _of_type(self, schema: Mapping[str, Any], place: str, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "object":
            return self._of_object(schema, place, depth)
        if kind == "array":
            return [self.of(schema["items"], place, depth + 1)]
        if kind == "boolean":
            return bool(schema.get("default", False))
        if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        if schema.get("default") is not None:
            return schema["default"]
        for ending, example in _BY_ENDING.items():
            if place.endswith(ending):
                return example
        raise NoExample(f"{place} has no example: {dict(schema)}")

    def _of_object(self, schema: Mapping[str, Any], place: str, depth: int) -> Any:
        if "properties" not in schema:
            raise NoExample(f"{place} is an object without fields: give it an example")
        model = place.rpartition(".")[2]
        return {name: self.of(each, f"{model}.{name}", depth + 1) for name, each in schema["properties"].items()}


def _values_of(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values a schema, or its first alternative, is limited to."""
    for each in (schema, *schema.get("anyOf", ())):
        if "const" in each:
            return [each["const"]]
        if each.get("enum"):
            return list(each["enum"])
    return None
