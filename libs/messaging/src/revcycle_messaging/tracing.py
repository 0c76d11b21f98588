"""Traces: one encounter is one trace, whatever carries it and however long it takes.

The trace id of an encounter (or of a remittance) is its own id without dashes. Events, jobs, timers and people's
decisions weeks later therefore meet in one trace without anybody handing a context on, and every service samples the
same encounters. A request, a chunk, or a turn of background work may touch many encounters: it is a :class:`Work` with
a trace of its own, and each sampled encounter it touches gets one span that links to it.

Spans hold names, counts and ids of our own: nothing a patient or a caller wrote. Nothing here knows an exporter: ended
spans go to a function. With no tracer, events still carry a ``traceparent``, so that a service that has one goes on.
"""

import hashlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from revcycle_events import encounters_v1, remittances_v1

from revcycle_messaging.envelope import TRACEPARENT

if TYPE_CHECKING:
    from revcycle_messaging.cause import Cause
    from revcycle_messaging.streams import Item

Kind = Literal["internal", "server", "client", "producer", "consumer"]
MAX_CHILDREN: Final = 32
MAX_LINKS: Final = 100
_SAMPLED: Final = "-01"
# Traces begin with the first event of these topics; what comes later hangs below it.
_FIRST: Final = frozenset({encounters_v1.TOPIC, remittances_v1.TOPIC})
# The rightmost seven bytes of a trace id are what W3C Trace Context level 2 lets samplers rely on.
_RANDOM_BITS: Final = 56
_PLAIN_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Span:
    """Something that has ended. Times in nanoseconds since 1970; ``links`` are traceparents; ``failed`` names why."""

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_id: str | None
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    failed: str | None = None


@dataclass(slots=True)
class Work:
    """Work under way that may touch many encounters; recorded if it is sampled, or touched one that is.

    ``asked``: whoever began it wants a trace of all it causes. ``sampled`` alone asks that of nobody else: one request
    may hand in hundreds of encounters.
    """

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_id: str | None
    asked: bool
    sampled: bool
    started_ns: int
    now_ns: Callable[[], int]
    attributes: dict[str, str | int] = field(default_factory=dict)
    children: list[Span] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    failed: str | None = None

    @property
    def traceparent(self) -> str:
        """What is handed on to whatever this work causes."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.asked else '00'}"

    def touch(self, traceparent: str) -> None:
        """Note that a sampled encounter was touched."""
        if len(self.touched) < MAX_LINKS:
            self.touched.append(traceparent)


current_work: ContextVar[Work | None] = ContextVar("current_work", default=None)
"""The work that the running task is part of."""


@lru_cache(maxsize=16_384)
def trace_id_of(correlation_id: str) -> str:
    """32 hexadecimal digits: the id itself, or a digest of one that is no UUID."""
    plain = correlation_id.replace("-", "").lower()
    if _PLAIN_ID.fullmatch(plain) and plain.strip("0"):
        return plain
    return hashlib.sha256(correlation_id.encode()).hexdigest()[:32]


def root_of(trace_id: str) -> str:
    """The span id of the first span of a trace: everybody can name it, whoever recorded it."""
    return trace_id[16:] if trace_id[16:].strip("0") else "0" * 15 + "1"


def is_sampled(traceparent: str | None) -> bool:
    """Whether whoever wrote it records spans; other bits of the flags are not ours to read."""
    return traceparent is not None and traceparent[-1] in "13579bdf"


def traceparent_without_spans(cause: "Cause") -> str | None:
    """What an event carries where nobody records spans."""
    given = cause.traceparent
    if cause.correlation_id is None:
        return given
    trace_id = trace_id_of(cause.correlation_id)
    if given is not None and given[3:35] == trace_id:
        return given
    return f"00-{trace_id}-{root_of(trace_id)}-{'01' if is_sampled(given) else '00'}"


class Tracer:
    """Decides what is sampled and hands ended spans to ``sink``, which must neither wait nor raise.

    Args:
        ratio: share of encounters, and of requests that come without a decision, from 0 to 1. Whoever comes with a
            decision keeps it.
    """

    def __init__(self, ratio: float, sink: Callable[[Span], None], now_ns: Callable[[], int] = time.time_ns) -> None:
        self._threshold = int(ratio * (1 << _RANDOM_BITS))
        self._sink = sink
        self.now_ns = now_ns

    def samples(self, trace_id: str) -> bool:
        """The same answer in every service with the same ratio."""
        return int(trace_id[18:], 16) < self._threshold

    def record(self, spans: Iterable[Span]) -> None:
        """Hand on what has ended."""
        for span in spans:
            self._sink(span)

    # -- work -------------------------------------------------------------------------------------------------------

    @contextmanager
    def work(self, name: str, kind: Kind = "internal", parent: str | None = None) -> Iterator[Work]:
        """Work of this task: a trace of its own, or below ``parent`` where there is one."""
        trace_id = parent[3:35] if parent else secrets.token_hex(16)
        asked = is_sampled(parent)
        work = Work(
            name,
            kind,
            trace_id,
            secrets.token_hex(8),
            parent[36:52] if parent else None,
            asked,
            # What nobody asked for is recorded for the sake of the encounters it touches, requests also by themselves.
            asked or (parent is None and kind == "server" and self.samples(trace_id)),
            self.now_ns(),
            self.now_ns,
        )
        before = current_work.set(work)
        try:
            yield work
        except BaseException as failure:
            work.failed = work.failed or type(failure).__name__
            raise
        finally:
            current_work.reset(before)
            self._close(work)

    def _close(self, work: Work) -> None:
        if not work.sampled and not work.touched:
            return
        ended = Span(
            work.name,
            work.kind,
            work.trace_id,
            work.span_id,
            work.parent_id,
            work.started_ns,
            self.now_ns(),
            work.attributes,
            tuple(work.touched),
            work.failed,
        )
        self.record([ended, *work.children])

    # -- encounters -------------------------------------------------------------------------------------------------

    def entered(self, item: "Item") -> "Item":
        """An item on its way to a handler; a sampled one gets a span of its own, which what it causes hangs below."""
        traceparent = item.envelope.traceparent
        if traceparent is None or not is_sampled(traceparent):
            return item
        own = f"{traceparent[:36]}{secrets.token_hex(8)}{traceparent[52:]}"
        envelope = item.envelope._replace(traceparent=own)
        received = item.received and replace(item.received, envelope=envelope)
        return item._replace(envelope=envelope, received=received)

    def handled(
        self, consumer: str, items: Sequence["Item"], started_ns: int, failure: BaseException | None = None
    ) -> None:
        """Record the spans of the sampled ones among handled items, and their chunk with links to them."""
        sampled = [item for item in items if is_sampled(item.envelope.traceparent)]
        if not sampled:
            return
        ended_ns = self.now_ns()
        chunk = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}{_SAMPLED}"
        failed = type(failure).__name__ if failure else None
        links = []
        for item in sampled:
            own = str(item.envelope.traceparent)
            links.append(own)
            self._sink(
                Span(
                    f"process {_short(item.envelope.type)}",
                    "consumer",
                    own[3:35],
                    own[36:52],
                    item.headers[TRACEPARENT][36:52],
                    started_ns,
                    ended_ns,
                    {
                        "messaging.system": "kafka",
                        "messaging.operation.type": "process",
                        "messaging.consumer.group.name": consumer,
                        "messaging.destination.name": item.topic,
                        "revcycle.event.type": item.envelope.type,
                        "revcycle.event.sequence": item.sequence,
                    },
                    (chunk,),
                    failed,
                )
            )
        about: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.consumer.group.name": consumer,
            "messaging.batch.message_count": len(items),
        }
        self._sink(
            Span(
                "process chunk",
                "consumer",
                chunk[3:35],
                chunk[36:52],
                None,
                started_ns,
                ended_ns,
                about,
                tuple(links[:MAX_LINKS]),
                failed,
            )
        )

    def sent(self, rows: Sequence[Any], started_ns: int) -> None:
        """Record the sending of the sampled ones among outbox rows, which the broker has acknowledged.

        Events of one cause that went to one topic together are one span.
        """
        sent = Counter((row["topic"], _in_text(row["headers"])) for row in rows)
        ended_ns = self.now_ns()
        for (topic, traceparent), count in sent.items():
            if traceparent is None or not is_sampled(traceparent):
                continue
            self._sink(
                Span(
                    f"send {topic}",
                    "producer",
                    traceparent[3:35],
                    secrets.token_hex(8),
                    traceparent[36:52],
                    started_ns,
                    ended_ns,
                    {
                        "messaging.system": "kafka",
                        "messaging.operation.type": "send",
                        "messaging.destination.name": topic,
                        "messaging.batch.message_count": count,
                    },
                )
            )


class TransactionSpans:
    """The spans of the encounters that one transaction touches from outside their traces; recorded once it commits."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._started_ns = tracer.now_ns()
        self._open: dict[str, tuple[str, Span | None]] = {}

    def traceparent(self, cause: "Cause", topic: str | None = None, sequence: int = 0) -> str | None:
        """What an event of this cause carries; ``topic`` and ``sequence`` say whether the trace begins with it."""
        given = cause.traceparent
        if cause.correlation_id is None:
            return given
        trace_id = trace_id_of(cause.correlation_id)
        if given is not None and given[3:35] == trace_id:
            return given
        known = self._open.get(trace_id)
        if known is None:
            begins = sequence == 1 and topic in _FIRST
            known = self._open[trace_id] = self._span(trace_id, given, cause.actor, begins=begins)
        return known[0]

    def _span(self, trace_id: str, given: str | None, actor: str, *, begins: bool) -> tuple[str, Span | None]:
        work = current_work.get()
        root = root_of(trace_id)
        if not (is_sampled(given) or self._tracer.samples(trace_id)):
            return f"00-{trace_id}-{root}-00", None
        span_id = root if begins else secrets.token_hex(8)
        name = work.name if work else _name_of(actor)
        source = given or (work and work.traceparent)
        span = Span(
            name,
            "internal",
            trace_id,
            span_id,
            None if begins else root,
            self._started_ns,
            0,
            {"revcycle.correlation_id": trace_id},
            (source,) if source else (),
        )
        return f"00-{trace_id}-{span_id}{_SAMPLED}", span

    def committed(self) -> None:
        """Record them."""
        ended_ns = self._tracer.now_ns()
        work = current_work.get()
        for traceparent, span in self._open.values():
            if span is not None:
                self._tracer.record([replace(span, ended_ns=ended_ns)])
                if work is not None:
                    work.touch(traceparent)


@contextmanager
def client_span(name: str, attributes: Mapping[str, str | int]) -> Iterator[dict[str, str | int]]:
    """A call to the outside within the current work; yields a dictionary for what is known only afterwards.

    Nothing is handed on to the other side: a payer is another company.
    """
    told = dict(attributes)
    work = current_work.get()
    if work is None:
        yield told
        return
    started_ns = work.now_ns()
    failed: str | None = None
    try:
        yield told
    except BaseException as failure:
        failed = type(failure).__name__
        raise
    finally:
        if len(work.children) < MAX_CHILDREN:
            span_id, ended_ns = secrets.token_hex(8), work.now_ns()
            work.children.append(
                Span(name, "client", work.trace_id, span_id, work.span_id, started_ns, ended_ns, told, failed=failed)
            )


def _short(event_type: str) -> str:
    """``revcycle.claims.ClaimSubmitted.v1`` to ``ClaimSubmitted``."""
    return event_type.rpartition(".")[0].rpartition(".")[2]


def _name_of(actor: str) -> str:
    """What acts: an event, a job, a timer by name; of whoever else only that somebody does, it may be a person."""
    kind, _, name = actor.partition(":")
    if kind == "event":
        return f"event {_short(name)}"
    return f"{kind} {name}" if kind in ("job", "timer") else "work"


def _in_text(headers: str) -> str | None:
    """The traceparent among headers as the outbox keeps them."""
    at = headers.find(f"\n{TRACEPARENT}:")
    if at < 0:
        return None
    start = at + len(TRACEPARENT) + 2
    return headers[start : start + 55]
