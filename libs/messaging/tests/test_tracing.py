"""One encounter is one trace: the same id wherever it is touched, sampled by all or by none, at little cost."""

from typing import Any
from uuid import UUID

import pytest
from revcycle_messaging import Cause, Database, Envelope, Transport
from revcycle_messaging.envelope import headers_from_kafka, headers_from_text, headers_to_text, write_headers
from revcycle_messaging.streams import Item
from revcycle_messaging.testing import START, TENANT, NoteCopied, NoteTaken, make_cause
from revcycle_messaging.tracing import (
    Span,
    Tracer,
    Work,
    client_span,
    root_of,
    trace_id_of,
    traceparent_without_spans,
)

from .support import consuming, eventually, relaying

ENCOUNTER = UUID("0190a000-1111-7222-8333-444455556666")
TRACE = ENCOUNTER.hex
ELSEWHERE = f"00-{'ab' * 16}-{'cd' * 8}-00"


def about_encounter(traceparent: str | None = None, number: int = 1) -> Cause:
    return Cause(TENANT, UUID(int=number), START, "somebody@example.test", str(ENCOUNTER), traceparent)


def test_the_trace_of_an_encounter_is_its_own_id() -> None:
    """Known from the id alone: no job, timer or person has to carry it."""
    assert trace_id_of(str(ENCOUNTER)) == TRACE
    assert len(trace_id_of("not an id")) == 32
    assert traceparent_without_spans(about_encounter()) == f"00-{TRACE}-{root_of(TRACE)}-00"
    assert traceparent_without_spans(about_encounter(f"00-{'ab' * 16}-{'cd' * 8}-01")) == (
        f"00-{TRACE}-{root_of(TRACE)}-01"
    )
    inside = f"00-{TRACE}-{'12' * 8}-01"
    assert traceparent_without_spans(about_encounter(inside)) == inside


@pytest.mark.parametrize(("ratio", "low", "high"), [(0.0, 0, 0), (0.1, 700, 1300), (1.0, 10_000, 10_000)])
def test_every_service_samples_the_same_share(ratio: float, low: int, high: int) -> None:
    """The decision is a function of the id: two services with one ratio never disagree."""
    ids = [trace_id_of(str(make_cause(number).derive("encounter"))) for number in range(10_000)]
    first, second = (Tracer(ratio, lambda span: None) for _ in range(2))
    chosen = [one for one in ids if first.samples(one)]
    assert low <= len(chosen) <= high
    assert chosen == [one for one in ids if second.samples(one)]


def test_what_a_stranger_wrote_for_a_trace_context_goes_no_further() -> None:
    """No seal covers it, so it could smuggle a text, or other headers, into whatever keeps headers as lines."""
    foreign = "x\nce_tenantid:0190a000-0000-7000-8000-00000000000b"
    headers = headers_from_kafka([("ce_id", b"1"), ("traceparent", foreign.encode())])
    assert headers == headers_from_text(headers_to_text(headers)) == {"ce_id": "1"}
    assert "traceparent" in headers_from_kafka([("traceparent", ELSEWHERE.encode())])


def test_work_is_recorded_only_when_asked_for_or_when_it_touched_somebody() -> None:
    """A turn of background work that did nothing leaves nothing, nor do the calls it made."""
    spans: list[Span] = []
    tracer = Tracer(0, spans.append)
    with tracer.work("fetch"), client_span("GET", {}):
        pass
    assert not spans
    with tracer.work("fetch") as work, client_span("GET", {}) as told:
        told["http.response.status_code"] = 200
        work.touch(ELSEWHERE)
    assert [(span.name, span.parent_id) for span in spans] == [("fetch", None), ("GET", spans[0].span_id)]
    assert spans[0].links == (ELSEWHERE,)
    with pytest.raises(KeyError), tracer.work("POST", "server", ELSEWHERE[:-1] + "1"):
        raise KeyError("Synthetic")
    assert (spans[-1].trace_id, spans[-1].parent_id, spans[-1].failed) == ("ab" * 16, "cd" * 8, "KeyError")


def test_only_a_sampled_event_gets_a_span_of_its_own_when_it_is_handled() -> None:
    """What it causes hangs below that span; another event goes on as it came, whatever its context says."""

    def item(traceparent: str | None) -> Item:
        event_id, kind = UUID(int=1), "revcycle.testing.NoteTaken.v1"
        envelope = Envelope(
            event_id, kind, "revcycle/testing", "n1", START, 1, TENANT, str(ENCOUNTER), None, (), traceparent
        )
        return Item("revcycle.testing.v1", "n1", envelope, write_headers(envelope), b"{}")

    spans: list[Span] = []
    tracer = Tracer(0, spans.append)
    sampled = tracer.entered(item(f"00-{TRACE}-{'12' * 8}-01"))
    others = [tracer.entered(item(given)) for given in (None, f"00-{TRACE}-{'12' * 8}-00")]
    tracer.handled("notes", [sampled, *others], 5)
    assert [(span.name, span.parent_id) for span in spans] == [("process NoteTaken", "12" * 8), ("process chunk", None)]
    assert sampled.envelope.traceparent == f"00-{TRACE}-{spans[0].span_id}-01"
    assert [other.envelope.traceparent for other in others] == [None, f"00-{TRACE}-{'12' * 8}-00"]


def test_the_children_of_a_work_have_a_limit() -> None:
    """A turn that calls for hours does not grow for hours."""
    with Tracer(1, lambda span: None).work("fetch") as work:
        for _ in range(100):
            with client_span("GET", {}):
                pass
            work.touch(ELSEWHERE)
    assert isinstance(work, Work)
    assert len(work.children) == 32
    assert len(work.touched) == 100


@pytest.mark.component
async def test_an_event_and_all_it_causes_are_one_tree(database: Database, transport: Transport) -> None:
    """Written, sent, handled, and written on in the handler: one trace, each span below what caused it; request and
    chunk have traces of their own and are linked; an encounter that is not sampled, or whose transaction rolled back,
    leaves no span.
    """
    spans: list[Span] = []
    tracer = database.tracer = Tracer(0, spans.append)
    sampled, unsampled = about_encounter(ELSEWHERE[:-1] + "1"), make_cause(2)

    async def copy(uow: Any, received: Any) -> None:
        for one in received:
            uow.add_event(NoteCopied(note_id=one.event.note_id, number=one.event.number), one.cause)

    async with relaying(database, transport), consuming(database, transport, copy) as consumer:
        with pytest.raises(RuntimeError, match="no"):
            async with database.unit_of_work(TENANT) as uow:
                uow.add_event(NoteTaken(note_id="gone", number=1), sampled)
                raise RuntimeError("no")
        with tracer.work("POST", "server"):
            async with database.unit_of_work(TENANT) as uow:
                uow.add_event(NoteTaken(note_id="seen", number=1), sampled)
                uow.add_event(NoteTaken(note_id="unseen", number=1), unsampled)
        await eventually(lambda: consumer.applied == 2 and len(spans) >= 6)
    of_encounter = {span.name: span for span in spans if span.trace_id == TRACE}
    (request,) = [span for span in spans if span.kind == "server"]
    (chunk,) = [span for span in spans if span.name == "process chunk"]
    assert len(spans) == 6
    assert of_encounter.keys() == {
        *("POST", "process NoteTaken", "send revcycle.testing.v1", "send revcycle.testing-copies.v1")
    }
    written, handled = of_encounter["POST"], of_encounter["process NoteTaken"]
    assert written.parent_id == root_of(TRACE)
    assert of_encounter["send revcycle.testing.v1"].parent_id == written.span_id
    assert handled.parent_id == written.span_id
    assert of_encounter["send revcycle.testing-copies.v1"].parent_id == handled.span_id
    assert request.links == (f"00-{TRACE}-{written.span_id}-01",)
    assert chunk.links == (f"00-{TRACE}-{handled.span_id}-01",)
    assert handled.links[0][3:35] == chunk.trace_id
    assert all(span.started_ns <= span.ended_ns for span in spans)
    assert "somebody" not in repr(spans)
