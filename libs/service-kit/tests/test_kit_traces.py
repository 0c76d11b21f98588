"""Requests, events and jobs about one thing end in its trace; log lines lead there."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kit_sample_service.parts import Letter, Outside, build
from revcycle_messaging.testing import TENANT, make_cause
from revcycle_messaging.tracing import Span, Tracer, client_span
from revcycle_service_kit.jobs import JobWorker
from revcycle_service_kit.testing import eventually, running_service

pytestmark = pytest.mark.component
CALLER = f"00-{'ab' * 16}-{'cd' * 8}-01"


async def test_request_event_and_job_are_one_trace(
    postgresql: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: what the request did, what the consumer did of it, and a job about it later are in the trace whose id is
    the thing's own; the request is in its caller's trace and linked; the call a job makes is below the job.
    """
    spans: list[Span] = []
    outside = Outside()

    async def call(letter: Letter) -> None:
        with client_span("POST", {"server.address": "payer.test"}):
            pass

    outside.act = call
    async with running_service(build(outside), postgresql, tmp_path, run=("consumer", "relay")) as service:
        context = service.context
        tracer = context.tracer = context.database.tracer = Tracer(1, spans.append)
        answer = await service.client("biller").post(
            "/v1/notes", json={"number": 1}, headers={"traceparent": CALLER, "idempotency-key": "a"}
        )
        note_id = answer.json()["note_id"]
        trace_id = note_id.replace("-", "")
        about = replace(make_cause(7, now=context.clock.now()), correlation_id=note_id)
        async with context.database.unit_of_work(TENANT) as uow:
            uow.add_job("send_letter", UUID(int=9), {"address": "a"}, about)
        kinds = build(outside).job_kinds
        worker = JobWorker(context.database, kinds, context.clock, "w", context.metrics, context.log)
        assert await worker.work_once() == 1

        def of_note() -> dict[str, Span] | None:
            found = {span.name: span for span in spans if span.trace_id == trace_id}
            return found if len(found) == 4 else None

        found = await eventually(of_note, what="four spans of the note")
    assert found.keys() == {*("POST /v1/notes", "send revcycle.testing.v1", "process NoteTaken", "job send_letter")}
    request = next(span for span in spans if span.kind == "server")
    assert (request.trace_id, request.parent_id) == ("ab" * 16, "cd" * 8)
    assert [link[3:35] for link in request.links] == [trace_id]
    assert found["POST /v1/notes"].links[0][3:52] == f"{request.trace_id}-{request.span_id}"
    job = next(span for span in spans if span.name == "job send_letter" and span.trace_id != trace_id)
    assert found["job send_letter"].links[0][3:52] == f"{job.trace_id}-{job.span_id}"
    assert next(span for span in spans if span.kind == "client").parent_id == job.span_id
    assert tracer.samples(trace_id)
    line = next(line for line in capsys.readouterr().out.splitlines() if '"event":"request"' in line)
    assert f'"trace_id":"{request.trace_id}"' in line
    assert f'"correlation_id":"{note_id}"' in line


async def test_a_request_that_nobody_sampled_leaves_nothing(postgresql: Any, tmp_path: Path) -> None:
    """Promise: with a ratio of 0 nothing is recorded unless a caller asks for it."""
    spans: list[Span] = []
    async with running_service(build(), postgresql, tmp_path, run=("consumer", "relay")) as service:
        service.context.tracer = service.context.database.tracer = Tracer(0, spans.append)
        client = service.client("biller")
        await client.post("/v1/notes", json={"number": 1}, headers={"idempotency-key": "a"})
        await client.get("/v1/notes", headers={"traceparent": CALLER[:-1] + "0"})
        await service.drain()
        assert spans == []
        await client.get("/v1/notes", headers={"traceparent": CALLER})
    assert [span.name for span in spans] == ["GET /v1/notes"]
