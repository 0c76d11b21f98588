"""Spans leave the process: to a collector over OTLP/HTTP, or to a bounded file; or nobody records them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from revcycle_messaging.tracing import Tracer
from revcycle_service_kit import ServiceSettings, TracedTransport, telemetry
from revcycle_service_kit.telemetry import FileExporter, end_request, open_outlet, request_work

CALLER = f"00-{'ab' * 16}-{'cd' * 8}-01"


def settings(**more: object) -> ServiceSettings:
    values = {"service_name": "sample", "database_url": "postgresql://nobody@localhost/none", **more}
    return ServiceSettings.model_validate(values)


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector as the protocol has it: protobuf posted to /v1/traces."""
    received: list[ExportTraceServiceRequest] = []

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            received.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def record_request(tracer: Tracer) -> None:
    with request_work(tracer, "POST", CALLER) as work:
        assert work is not None
        end_request(work, "POST", "/v1/notes", 500)


def test_spans_reach_a_collector_over_otlp() -> None:
    """Promise: what an OpenTelemetry collector receives is a span below the caller's, with names and numbers only."""
    with collector() as (address, received):
        outlet = open_outlet(settings(otlp_endpoint=address, instance="sample-2"))
        assert outlet is not None
        record_request(outlet.tracer)
        outlet.close()
    (resource,) = received[0].resource_spans
    about = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (about["service.name"], about["service.instance.id"]) == ("sample", "sample-2")
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("POST /v1/notes", "ab" * 16, "cd" * 8)
    assert {one.key for one in span.attributes} == {"http.request.method", "http.route", "http.response.status_code"}
    assert span.status.message == "status 500"
    assert span.start_time_unix_nano <= span.end_time_unix_nano


def test_a_collector_that_is_away_costs_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: recording neither waits nor fails, and closing gives up."""
    monkeypatch.setattr(telemetry, "EXPORT_SECONDS", 0.1)
    before = set(threading.enumerate())
    outlet = open_outlet(settings(otlp_endpoint="http://127.0.0.1:9"))
    assert outlet is not None
    for _ in range(20):
        record_request(outlet.tracer)
    # A thread that goes on trying draws random waits, which other tests' generated data may not meet.
    outlet.close()
    assert set(threading.enumerate()) <= before


def test_a_file_takes_spans_up_to_its_limit(tmp_path: Path) -> None:
    """Promise: one line a span; a full file makes room once, so the disk has a bound."""
    outlet = open_outlet(settings(trace_file=tmp_path / "traces" / "sample.jsonl", trace_ratio=1))
    assert outlet is not None
    record_request(outlet.tracer)
    outlet.close()
    (line,) = (tmp_path / "traces" / "sample.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert line.startswith(f'{{"trace_id": "{"ab" * 16}"'), "where its readers look for it"
    assert (record["service"], record["name"], record["failed"]) == ("sample", "POST /v1/notes", "status 500")

    exporter = FileExporter(tmp_path / "small.jsonl", limit_bytes=0)
    exporter.export([])
    for _ in range(3):
        (tmp_path / "small.jsonl").write_text("full\n")
        exporter.export([])
    assert sorted(file.name for file in tmp_path.glob("small*")) == ["small.jsonl", "small.jsonl.1"]


def test_without_a_place_to_go_nobody_records() -> None:
    """Promise: the default costs nothing."""
    assert open_outlet(settings()) is None
    with request_work(None, "GET", CALLER) as work:
        assert work is None


async def test_a_call_to_the_outside_is_a_span_and_hands_nothing_on() -> None:
    """Promise: method, host and status are told; the other company learns of no trace."""
    seen: list[httpx.Headers] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(204)

    tracer = Tracer(1, lambda span: None)
    async with httpx.AsyncClient(transport=TracedTransport(httpx.MockTransport(handle))) as client:
        with tracer.work("deliver") as work:
            await client.post("https://payer.test/routes/SECRET?name=SECRET")
    (call,) = work.children
    assert (call.name, call.kind, call.parent_id) == ("POST", "client", work.span_id)
    assert dict(call.attributes) == {
        "http.request.method": "POST",
        "server.address": "payer.test",
        "http.response.status_code": 204,
    }
    assert "traceparent" not in seen[0]
