"""Where spans go: to an OpenTelemetry collector over OTLP/HTTP, to a file, or nowhere.

What is sampled, and what a span says, is decided in :mod:`revcycle_messaging.tracing`. Here ended spans become those of
the OpenTelemetry SDK, whose batch processor hands them on from a thread of its own: at most ``QUEUE_SPANS`` wait, and
what comes beyond that is dropped, so that a collector that is away costs spans and nothing else.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from revcycle_messaging import tracing
from revcycle_messaging.tracing import Span, Tracer, Work, client_span

from revcycle_service_kit.settings import ServiceSettings

QUEUE_SPANS: Final = 8_192
BATCH_SPANS: Final = 512
BATCH_MILLISECONDS: Final = 1_000
EXPORT_SECONDS: Final = 5
FILE_BYTES: Final = 64 * 1024 * 1024
"""A full file becomes ``….1``, in place of the one before, so twice this is the most that lies there."""
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class Outlet:
    """The way out for the spans of one process.

    Attributes:
        tracer: goes into ``Database.tracer``; everything that records spans finds it there.
    """

    def __init__(self, exporter: SpanExporter, ratio: float, service: str, instance: str) -> None:
        self._processor = BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=BATCH_MILLISECONDS,
            max_export_batch_size=BATCH_SPANS,
        )
        self._resource = Resource({"service.name": service, "service.instance.id": instance})
        self.tracer = Tracer(ratio, self._take)

    def _take(self, span: Span) -> None:
        self._processor.on_end(_readable(span, self._resource))

    def close(self) -> None:
        """Hand on what still waits, for a bounded time. Waits: call it in a thread."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's


def open_outlet(settings: ServiceSettings) -> Outlet | None:
    """The way out that the settings name: a collector before a file; None when they name neither."""
    exporter: SpanExporter
    if settings.otlp_endpoint:
        address = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
        exporter = OTLPSpanExporter(endpoint=address, timeout=EXPORT_SECONDS)
    elif settings.trace_file is not None:
        exporter = FileExporter(settings.trace_file)
    else:
        return None
    return Outlet(exporter, settings.trace_ratio, settings.service_name, settings.instance)


def working(tracer: Tracer | None, name: str) -> AbstractContextManager[object]:
    """``with working(database.tracer, "deliver"):`` work that may touch many encounters; free where nobody records."""
    return tracer.work(name) if tracer else nullcontext()


def request_work(tracer: Tracer | None, method: str, parent: str | None) -> AbstractContextManager[Work | None]:
    """A request as work, below the caller's span where the caller named one; None where nobody records."""
    return tracer.work(method, "server", parent) if tracer else nullcontext()


def end_request(work: Work, method: str, route: str, status: int) -> None:
    """Say what came of it: names and numbers only, never what was in the path or the query."""
    work.name = f"{method} {route}"
    work.attributes |= {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    if status >= 500:
        work.failed = f"status {status}"


class FileExporter(SpanExporter):
    """Appends spans to a file, one JSON object a line; `revcycle trace ID --spans` reads it."""

    def __init__(self, path: Path, limit_bytes: int = FILE_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch; a disk that takes nothing costs spans and nothing else."""
        text = "".join(json.dumps(_as_record(span)) + "\n" for span in spans)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size + len(text) > self._limit_bytes:
                os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


class TracedTransport(httpx.AsyncBaseTransport):
    """A transport for ``httpx.AsyncClient`` whose calls are spans of the work they are made in."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One call; the span ends with the head of the answer."""
        about: dict[str, str | int] = {"http.request.method": request.method, "server.address": request.url.host}
        with client_span(request.method, about) as told:
            response = await self._inner.handle_async_request(request)
            told["http.response.status_code"] = response.status_code
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        span.name,
        _context(span.trace_id, span.span_id),
        _context(span.trace_id, span.parent_id) if span.parent_id else None,
        resource,
        span.attributes,
        (),
        [Link(_context(link[3:35], link[36:52])) for link in span.links],
        _KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(),
        start_time=span.started_ns,
        end_time=span.ended_ns,
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)


def _as_record(span: ReadableSpan) -> dict[str, Any]:
    context, parent = span.context, span.parent
    assert context is not None
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_id": f"{parent.span_id:016x}" if parent else None,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "service": span.resource.attributes["service.name"],
        "instance": span.resource.attributes["service.instance.id"],
        "started_ns": span.start_time,
        "ended_ns": span.end_time,
        "attributes": dict(span.attributes or {}),
        "links": [f"{link.context.trace_id:032x}/{link.context.span_id:016x}" for link in span.links],
        "failed": span.status.description,
    }


_KINDS: Final[Mapping[tracing.Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
