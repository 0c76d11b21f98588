"""Spans as the services of a stack write them to files, and one trace of them as a tree for people."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.tree import Tree


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """One span of a file. Times in nanoseconds since 1970; ``links`` as ``trace id/span id``."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    service: str
    started_ns: int
    ended_ns: int
    links: tuple[str, ...]
    failed: str | None
    attributes: Mapping[str, Any]


def read_spans(folder: Path, trace_ids: Collection[str]) -> dict[str, list[ReadSpan]]:
    """The spans of these traces, and of the requests, chunks and turns of work they link to; by trace id."""
    found: dict[str, list[ReadSpan]] = defaultdict(list)
    for span in _spans_of(folder, trace_ids):
        found[span.trace_id].append(span)
    linked = {link[:32] for spans in found.values() for span in spans for link in span.links} - found.keys()
    for span in _spans_of(folder, linked):
        found[span.trace_id].append(span)
    return dict(found)


def _spans_of(folder: Path, trace_ids: Collection[str]) -> Iterator[ReadSpan]:
    for file in sorted(folder.glob("*.jsonl*")) if trace_ids else ():
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                # The last line may be half written; and most lines are of other traces.
                if line[14:46] in trace_ids and line.endswith("}\n"):
                    yield _span(json.loads(line))


def _span(record: Mapping[str, Any]) -> ReadSpan:
    names = ("trace_id", "span_id", "parent_id", "name", "kind", "service", "started_ns", "ended_ns", "failed")
    return ReadSpan(
        **{name: record[name] for name in names}, links=tuple(record["links"]), attributes=record["attributes"]
    )


def span_tree(trace_id: str, spans: Sequence[ReadSpan]) -> Tree:
    """One trace: what began it on top, what each step caused below it, in order of time."""
    from rich.text import Text
    from rich.tree import Tree

    members = sorted(spans, key=lambda span: (span.started_ns, span.ended_ns))
    first = members[0].started_ns
    last = max(span.ended_ns for span in members)
    services = len({span.service for span in members})
    tree = Tree(f"trace {trace_id}: {len(members)} spans, {services} services, {_milliseconds(last - first)}")
    nodes: dict[str, Tree] = {}
    waiting = list(members)
    while waiting:
        known = {span.span_id for span in waiting}
        # Whoever has no parent, or one that nobody recorded, hangs at the top; a round always places somebody.
        placed = [span for span in waiting if span.parent_id not in known] or waiting[:1]
        for span in placed:
            parent = nodes.get(span.parent_id or "", tree)
            nodes[span.span_id] = parent.add(Text(_line(span, first), style="red" if span.failed else ""))
        waiting = [span for span in waiting if span.span_id not in nodes]
    return tree


def _line(span: ReadSpan, first_ns: int) -> str:
    failed = f"  failed: {span.failed}" if span.failed else ""
    began = f"+{_milliseconds(span.started_ns - first_ns)}"
    return f"{span.service}  {span.name}  {began} took {_milliseconds(span.ended_ns - span.started_ns)}{failed}"


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.1f} ms"
