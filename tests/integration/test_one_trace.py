"""One encounter is one trace across five services, read back from what they wrote and printed as a tree."""

import sys
from collections.abc import Sequence

import httpx
import pytest
from revcycle_cli.spans import ReadSpan, read_spans, span_tree
from revcycle_devstack import SERVICES
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.stack import Stack
from rich.console import Console

from .harness import Caller, Visits, revcycle, wait_for

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(240)]

CALLERS_TRACE = "5ec0ffee" * 4


def test_one_encounter_is_one_trace_across_five_services(
    stack: Stack, caller: Caller, visits: Visits, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: from the hospital's request to the payment, through HTTP, outbox, Kafka and the gateway's sending,
    all that is done for an encounter is in the trace whose id is the encounter's, and connected.
    """
    traceparent = f"00-{CALLERS_TRACE}-{'ab' * 8}-01"
    answer = caller.call("registration", "POST", "/v1/intake", {"encounters": [visits.file()]}, traceparent=traceparent)
    encounter_id: str = answer.json()["results"][0]["encounter_id"]
    caller.wait_claim(encounter_id, "paid")
    trace_id = encounter_id.replace("-", "")

    def whole() -> dict[str, list[ReadSpan]] | None:
        found = read_spans(StateLayout(stack.state_dir).traces, [trace_id])
        wanted = {(service, "process ClaimAdjudicated") for service in ("claims", "analytics")}
        members = found.get(trace_id, [])
        there = wanted <= {(span.service, span.name) for span in members} and not _unconnected(members)
        return found if there else None

    traces = wait_for("the spans of all services", whole)
    spans = traces[trace_id]
    with capsys.disabled():
        Console(file=sys.stdout, width=140, highlight=False).print(span_tree(trace_id, spans))
    assert {span.service for span in spans} == set(SERVICES)
    (request,) = [span for span in traces[CALLERS_TRACE] if span.kind == "server"]
    (root,) = [span for span in spans if span.parent_id is None]
    assert f"{CALLERS_TRACE}/{request.span_id}" in root.links
    deliveries = [
        span for spans in traces.values() for span in spans if span.name == "deliver" and span.kind == "internal"
    ]
    calls = [span for spans in traces.values() for span in spans if span.kind == "client"]
    assert {call.parent_id for call in calls} & {delivery.span_id for delivery in deliveries}
    printed = revcycle("trace", encounter_id, "--spans", "--state-dir", str(stack.state_dir))
    assert printed.status == 0, printed.err
    assert all(service in printed.out for service in SERVICES)


def test_log_lines_carry_the_trace_and_the_encounter(stack: Stack, caller: Caller, visits: Visits) -> None:
    """Promise: from a log line one gets to the trace and to the encounter, and back."""
    encounter_id = caller.send(visits.file())

    def logged() -> list[str]:
        text = StateLayout(stack.state_dir).log_file("registration").read_text(encoding="utf-8")
        return [line for line in text.splitlines() if f'"correlation_id":"{encounter_id}"' in line]

    lines = wait_for("a line about the encounter", logged)
    assert all('"trace_id":"' in line for line in lines)


def test_a_trace_context_that_is_none_is_ignored(caller: Caller) -> None:
    """Promise: what a caller writes there never comes back, nor into a span."""
    answer = httpx.get(f"{caller.urls['claims']}/livez", headers={"traceparent": "Wombatina"}, timeout=20)
    assert answer.status_code == 200
    assert "traceparent" not in answer.headers


def _unconnected(spans: Sequence[ReadSpan]) -> list[str]:
    """Spans whose parent is not there; the root has none."""
    known = {span.span_id for span in spans}
    return [
        f"{span.service} {span.name}" for span in spans if span.parent_id is not None and span.parent_id not in known
    ]
