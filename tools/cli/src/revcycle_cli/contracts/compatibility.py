"""What may change between releases, judged in both directions: old readers of new data, new readers of old data.

The rules are those of a schema registry's FULL_TRANSITIVE for events, and "a client that works goes on working" for
REST. Both sides are generated documents: the released ones are committed, the present ones come from the code.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Documents = Mapping[str, Mapping[str, Any]]
_SHAPE: Final = ("type", "format", "const", "pattern", "x-compartment")
_METHODS: Final = ("get", "put", "post", "patch", "delete")


def incompatibilities(released: Documents, present: Documents) -> list[str]:
    """Every change that breaks somebody, by document and place. ``event:`` and ``rest:`` documents by name."""
    found: list[str] = []
    for name, old in sorted(released.items()):
        new = present.get(name)
        if new is None:
            found.append(f"{name}: was removed")
        elif new == old:
            continue
        elif name.startswith("event:"):
            found += [f"{name}: {what}" for what in _event(old, new)]
        else:
            found += [f"{name}: {what}" for what in _rest(old, new)]
    return found


def _event(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for identity in ("x-topic", "x-key"):
        if old[identity] != new[identity]:
            yield f"{identity} changed from {old[identity]} to {new[identity]}"
    yield from _both_ways(Schema(old, old), Schema(new, new), "")


Compare = Callable[["Schema", "Schema", str, int], Iterator[str]]


class Schema:
    """A schema within its document."""

    def __init__(self, node: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        self.document = document
        while "$ref" in node:
            target: Any = document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        self.node = node

    def child(self, node: Mapping[str, Any]) -> "Schema":
        """A part of it."""
        return Schema(node, self.document)

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its properties."""
        found: Mapping[str, Any] = self.node.get("properties", {})
        return found

    @property
    def required(self) -> frozenset[str]:
        """Names of the properties that must be there."""
        return frozenset(self.node.get("required", ()))

    @property
    def alternatives(self) -> dict[str, "Schema"]:
        """What it may be, by the name of the model or the type."""
        listed = self.node.get("anyOf") or self.node.get("oneOf") or ()
        return {each.get("$ref", str(each.get("type"))).rpartition("/")[2]: self.child(each) for each in listed}

    @property
    def values(self) -> frozenset[str] | None:
        """The values it is limited to, as text."""
        listed = self.node.get("enum")
        return frozenset(map(str, listed)) if listed is not None else None


def _both_ways(old: Schema, new: Schema, place: str, depth: int = 0) -> Iterator[str]:
    """Changes that break a reader of the old on new data, or of the new on old data."""
    yield from _reshaped(old, new, place)
    if old.values is not None and new.values is not None and old.values - new.values:
        yield f"{place or 'root'}: value removed: {', '.join(sorted(old.values - new.values))}"
    for name in old.fields.keys() - new.fields.keys():
        yield f"{_at(place, name)}: field removed"
    for name in sorted(new.required - old.required):
        yield f"{_at(place, name)}: newly required"
    for name in sorted((old.required - new.required) & new.fields.keys()):
        yield f"{_at(place, name)}: no longer always there"
    yield from _deeper(old, new, place, depth)


def _deeper(old: Schema, new: Schema, place: str, depth: int) -> Iterator[str]:
    if depth > 20:
        return
    for name in sorted(old.fields.keys() & new.fields.keys()):
        yield from _both_ways(old.child(old.fields[name]), new.child(new.fields[name]), _at(place, name), depth + 1)
    for keyword in ("items", "additionalProperties"):
        was, now = old.node.get(keyword), new.node.get(keyword)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _both_ways(old.child(was), new.child(now), f"{place}[]", depth + 1)
    yield from _alternatives(old, new, place, depth, _both_ways)


def _alternatives(old: Schema, new: Schema, place: str, depth: int, compare: Compare) -> Iterator[str]:
    """Each alternative there was must still be one; a new one is as much of a surprise to an old reader."""
    for kind in sorted(old.alternatives.keys() - new.alternatives.keys()):
        yield f"{place}: may no longer be {kind}"
    for kind in sorted(new.alternatives.keys() - old.alternatives.keys()):
        yield f"{place}: may now be {kind}"
    for kind in sorted(old.alternatives.keys() & new.alternatives.keys()):
        yield from compare(old.alternatives[kind], new.alternatives[kind], place, depth + 1)


def _reshaped(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for keyword in _SHAPE:
        was, now = old.node.get(keyword), new.node.get(keyword)
        if was != now:
            yield f"{place or 'root'}: {keyword} changed from {was} to {now}"


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _rest(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in sorted(old["paths"].items()):
        for method in (each for each in _METHODS if each in methods):
            operation = new["paths"].get(path, {}).get(method)
            place = f"{method.upper()} {path}"
            if operation is None:
                yield f"{place}: operation removed"
                continue
            for what in _operation(Schema(methods[method], old), Schema(operation, new)):
                yield f"{place}: {what}"


def _operation(old: Schema, new: Schema) -> Iterator[str]:
    yield from _parameters(old, new)
    yield from _request(old, new)
    for status, response in old.node["responses"].items():
        now = new.node["responses"].get(status)
        if now is None:
            yield f"status {status} removed"
            continue
        yield from _response(old.child(response), new.child(now), status)


def _parameters(old: Schema, new: Schema) -> Iterator[str]:
    was = {(each["in"], each["name"]): each for each in old.node.get("parameters", ())}
    now = {(each["in"], each["name"]): each for each in new.node.get("parameters", ())}
    for where, name in sorted(was.keys() - now.keys()):
        yield f"{where} parameter {name} removed"
    for (where, name), parameter in sorted(now.items()):
        before = was.get((where, name))
        if parameter.get("required") and not (before and before.get("required")):
            yield f"{where} parameter {name} newly required"
        if before is not None:
            yield from _narrowed(old.child(before["schema"]), new.child(parameter["schema"]), f"parameter {name}")


def _request(old: Schema, new: Schema) -> Iterator[str]:
    was, now = old.node.get("requestBody", {}), new.node.get("requestBody", {})
    if now.get("required") and not was:
        yield "a request body is newly required"
    for media_type, content in was.get("content", {}).items():
        then = now.get("content", {}).get(media_type)
        if then is None:
            yield f"request may no longer be {media_type}"
        else:
            yield from _narrowed(old.child(content["schema"]), new.child(then["schema"]), "request")


def _narrowed(old: Schema, new: Schema, place: str, depth: int = 0) -> Iterator[str]:
    """What a client may send: nothing it sends today may be refused tomorrow."""
    if not old.alternatives and not new.alternatives:
        yield from _reshaped(old, new, place)
    if old.values is not None and new.values is not None and old.values - new.values:
        yield f"{place}: value removed: {', '.join(sorted(old.values - new.values))}"
    for name in sorted(old.fields.keys() - new.fields.keys()):
        yield f"{_at(place, name)}: field removed"
    for name in sorted(new.required - old.required):
        yield f"{_at(place, name)}: newly required"
    for name in sorted(old.fields.keys() & new.fields.keys()) if depth < 20 else ():
        yield from _narrowed(old.child(old.fields[name]), new.child(new.fields[name]), _at(place, name), depth + 1)
    was, now = old.node.get("items"), new.node.get("items")
    if isinstance(was, Mapping) and isinstance(now, Mapping) and depth < 20:
        yield from _narrowed(old.child(was), new.child(now), f"{place}[]", depth + 1)


def _response(old: Schema, new: Schema, status: str) -> Iterator[str]:
    for media_type, content in old.node.get("content", {}).items():
        then = new.node.get("content", {}).get(media_type)
        if then is None:
            yield f"{status} is no longer {media_type}"
        elif "schema" in content:
            yield from _lost(old.child(content["schema"]), new.child(then.get("schema", {})), status)


def _lost(old: Schema, new: Schema, place: str, depth: int = 0) -> Iterator[str]:
    """What a client reads: every field it reads today is there tomorrow, in the same shape."""
    if depth > 20:
        return
    yield from _reshaped(old, new, place)
    for name in sorted(old.fields.keys() - new.fields.keys()):
        yield f"{_at(place, name)}: field removed"
    for name in sorted((old.required - new.required) & new.fields.keys()):
        yield f"{_at(place, name)}: no longer always there"
    for name in sorted(old.fields.keys() & new.fields.keys()):
        yield from _lost(old.child(old.fields[name]), new.child(new.fields[name]), _at(place, name), depth + 1)
    was, now = old.node.get("items"), new.node.get("items")
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        yield from _lost(old.child(was), new.child(now), f"{place}[]", depth + 1)
    yield from _alternatives(old, new, place, depth, _lost)
