"""The live page: what it shows of which figures, at which width; and spans as a tree."""

import json
from pathlib import Path
from typing import Any

import httpx
from revcycle_cli.flow import Moment, flow_table, read_moment
from revcycle_cli.spans import read_spans, span_tree
from rich.console import Console

URLS = {
    "registration": ["http://registration.test"],
    "claims": ["http://claims-1.test", "http://claims-2.test"],
    "analytics": ["http://away.test"],
}
FIGURES = {
    "lag": 3,
    "lag_seconds": 2.0,
    "outbox_oldest_age_seconds": 0.2,
    "parked_keys": 2,
    "parked_keys_oldest_age_seconds": 7300.0,
    "dead_letters": 1,
    "stopped_because": None,
    "refuses_because": "behind its topics",
}


def answer(applied: int) -> Any:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host == "away.test":
            raise httpx.ConnectError("refused")
        if request.url.path == "/v1/ops/messaging":
            return httpx.Response(200, json=FIGURES)
        if request.url.host == "registration.test":
            return httpx.Response(200, text="revcycle_relay_published_events_total 40.0\n")
        return httpx.Response(
            200,
            text=f'revcycle_consumer_handled_events_total{{outcome="applied"}} {applied}.0\n'
            'revcycle_consumer_handled_events_total{outcome="dead"} 5.0\n'
            'revcycle_work_waiting_items{kind="claims"} 4.0\n'
            'revcycle_work_waiting_items{kind="claim tasks"} 3.0\n'
            "revcycle_work_waiting_cents 1.234567e+08\n",
        )

    return handle


def moment(at: float, applied: int) -> Moment:
    with httpx.Client(transport=httpx.MockTransport(answer(applied))) as client:
        return read_moment(client, URLS, at)


def test_a_stage_is_all_its_instances_together() -> None:
    """Counts of processes add up; figures of the database and the group, which every instance tells, do not."""
    _, claims, away = moment(0, 10).stages
    assert (claims.instances, claims.done, claims.lag) == (2, 20, 3)
    assert (claims.parked, claims.dead, claims.waiting, claims.waiting_cents) == (2, 1, 7, 123_456_700)
    assert claims.oldest_seconds == 7300
    assert claims.told == "behind its topics"
    assert away.instances == 0


def test_the_page_fits_80_columns_and_names_what_stands_still() -> None:
    """Also with a large sum; the rate is what came between two looks."""
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(flow_table(moment(0, 10), moment(2, 25)))
    lines = captured.get().splitlines()
    assert all(len(line) <= 80 for line in lines)
    claims = next(line for line in lines if line.startswith("claims"))
    assert claims.split() == ["claims", "×2", "50", "15.0", "3", "2", "h", "2", "1", "7", "$1,234,567.00"]
    assert any(line.startswith("analytics") and "away" in line for line in lines)
    assert lines[-1].split() == ["together", "$1,234,567.00"]


def test_spans_are_read_and_drawn_as_a_tree(tmp_path: Path) -> None:
    """Half a line at the end and other traces are passed over; a span whose parent is not there stays visible."""

    def line(trace: str, span: str, parent: str | None, name: str, links: tuple[str, ...] = ()) -> str:
        record = {"trace_id": trace * 32, "span_id": span * 16, "parent_id": parent and parent * 16, "name": name}
        rest = {"kind": "internal", "service": "claims", "started_ns": 5, "ended_ns": 2_000_005, "failed": None}
        return json.dumps({**record, **rest, "attributes": {}, "links": list(links)}) + "\n"

    link = f"{'b' * 32}/{'9' * 16}"
    text = line("a", "1", None, "begins", (link,)) + line("a", "2", "1", "follows") + line("a", "3", "7", "lost")
    text += line("b", "9", None, "request") + line("c", "4", None, "another") + line("a", "5", "1", "half")[:60]
    (tmp_path / "claims.jsonl").write_text(text)
    found = read_spans(tmp_path, ["a" * 32])
    assert {trace[0]: sorted(span.name for span in spans) for trace, spans in found.items()} == {
        "a": ["begins", "follows", "lost"],
        "b": ["request"],
    }
    console = Console(width=80)
    with console.capture() as captured:
        console.print(span_tree("a" * 32, found["a" * 32]))
    tree = captured.get().splitlines()
    assert "3 spans, 1 services" in tree[0]
    assert [line.partition("claims  ")[0] for line in tree[1:]] == ["├── ", "│   └── ", "└── "]
