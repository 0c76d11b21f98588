"""The CloudEvents 1.0 envelope in Kafka binary mode, and its one canonical text."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter

from revcycle_messaging.errors import BadSeal

CONTENT_TYPE: Final = "application/json"
SEAL_HEADER: Final = "ce_seal"
TRACEPARENT: Final = "traceparent"
# Telemetry may rewrite the trace context on the way, so it is the one header outside the seal.
MUTABLE_HEADERS: Final = frozenset({SEAL_HEADER, TRACEPARENT})
_TRACEPARENT_FORM: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
# A fifth of the time of the standard library's own constructor.
_read_uuid: Final = TypeAdapter(UUID).validator.validate_python


@dataclass(frozen=True, slots=True, order=True)
class DependsOn:
    """A prerequisite: an event of another stream. ``sequence`` None (own streams only): the newest at flush."""

    topic: str
    key: str
    sequence: int | None = None

    def __str__(self) -> str:
        return f"{self.topic}/{self.key}@{self.sequence}"


class Envelope(NamedTuple):
    """Everything the headers say about an event. Made for every event: a tuple takes a third of a frozen dataclass."""

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    sequence: int
    tenant_id: UUID
    correlation_id: str | None
    causation_id: UUID | None
    depends_on: tuple[DependsOn, ...]
    traceparent: str | None


def write_headers(envelope: Envelope) -> dict[str, str]:
    """The headers of an envelope, seal excepted, in the order of the specification."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(envelope.id),
        "ce_type": envelope.type,
        "ce_source": envelope.source,
        "ce_subject": envelope.subject,
        "ce_time": envelope.time.isoformat(),
        "content-type": CONTENT_TYPE,
        "ce_sequence": str(envelope.sequence),
        "ce_tenantid": str(envelope.tenant_id),
    }
    if envelope.correlation_id is not None:
        headers["ce_correlationid"] = envelope.correlation_id
    if envelope.causation_id is not None:
        headers["ce_causationid"] = str(envelope.causation_id)
    if envelope.depends_on:
        headers["ce_dependson"] = ",".join(str(item) for item in envelope.depends_on)
    if envelope.traceparent is not None:
        headers[TRACEPARENT] = envelope.traceparent
    return headers


def read_headers(headers: Mapping[str, str]) -> Envelope:
    """The envelope that the headers spell; BadSeal when they are no envelope of ours."""
    try:
        if headers["ce_specversion"] != "1.0":
            raise BadSeal("ce_specversion is not 1.0")
        causation = headers.get("ce_causationid")
        return Envelope(
            id=_read_uuid(headers["ce_id"]),
            type=headers["ce_type"],
            source=headers["ce_source"],
            subject=headers["ce_subject"],
            time=datetime.fromisoformat(headers["ce_time"]),
            sequence=int(headers["ce_sequence"]),
            tenant_id=_tenant(headers["ce_tenantid"]),
            correlation_id=headers.get("ce_correlationid"),
            causation_id=_read_uuid(causation) if causation else None,
            depends_on=tuple(parse_depends_on(headers.get("ce_dependson", ""))),
            traceparent=headers.get(TRACEPARENT),
        )
    except KeyError as missing:
        raise BadSeal(f"header {missing.args[0]} is missing") from None
    except ValueError:
        raise BadSeal("a header is not of its form") from None


@lru_cache(maxsize=1024)
def _tenant(text: str) -> UUID:
    """Tenants are few and come with every event."""
    return UUID(text)


def parse_depends_on(text: str) -> Iterable[DependsOn]:
    """``topic/key@sequence`` items, comma separated."""
    for item in filter(None, text.split(",")):
        stream, _, sequence = item.rpartition("@")
        topic, _, key = stream.partition("/")
        yield DependsOn(topic, key, int(sequence))


def associated_data(topic: str, key: str, headers: Mapping[str, str], payload: bytes) -> bytes:
    """What the seal covers: topic, key, every immutable header by name, and the exact bytes of the value.

    Raises:
        BadSeal: a line break inside a header could make two envelopes spell the same text.
    """
    form, names, values_of = _sealed_form(tuple(headers))
    text = form % (topic, key, *values_of(headers))
    if text.count("\n") != names + 1:
        raise BadSeal("a header, topic or key holds a line break")
    return text.encode() + b"\n\n" + payload


@lru_cache(maxsize=256)
def _sealed_form(headers: tuple[str, ...]) -> tuple[str, int, Callable[[Mapping[str, str]], Sequence[str]]]:
    """The text to be filled in for headers of these names, how many it holds, and what fetches their values.

    Names are the same from event to event.
    """
    names = sorted(name for name in headers if name not in MUTABLE_HEADERS)
    form = "\n".join(["%s", "%s", *(name.replace("%", "%%") + ":%s" for name in names)])
    # With a single name, the getter would give text instead of a sequence.
    return form, len(names), itemgetter(*names) if len(names) > 1 else lambda values: [values[name] for name in names]


def headers_to_text(headers: Mapping[str, str]) -> str:
    """Headers as one text column: ``name:value`` lines."""
    return "\n".join(f"{name}:{value}" for name, value in headers.items())


def headers_from_text(text: str) -> dict[str, str]:
    """The inverse of :func:`headers_to_text`."""
    return {name: value for name, _, value in (line.partition(":") for line in text.split("\n"))}


def headers_to_kafka(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """Headers as Kafka carries them."""
    return [(name, value.encode()) for name, value in headers.items()]


def headers_text_to_kafka(text: str) -> list[tuple[str, bytes]]:
    """From the text column to what Kafka carries, in one step: the relay does nothing else with headers."""
    return [(name, value.encode()) for name, _, value in [line.partition(":") for line in text.split("\n")]]


def headers_from_kafka(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """The inverse of :func:`headers_to_kafka`; BadSeal for a repeated name, a null, or bytes that are not UTF-8.

    A trace context that is none is left out: no seal covers it, so anybody may have written anything there.
    """
    try:
        read = {name: value.decode() for name, value in headers if value is not None}
    except UnicodeDecodeError:
        raise BadSeal("a header is not UTF-8") from None
    if len(read) != len(headers):
        raise BadSeal("a header is repeated or null")
    if not _TRACEPARENT_FORM.fullmatch(read.get(TRACEPARENT, "")):
        read.pop(TRACEPARENT, None)
    return read
