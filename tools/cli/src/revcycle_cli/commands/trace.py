"""`revcycle trace`: the whole life of an encounter, claim or remittance across the services."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from revcycle_checker import CheckInputs
    from revcycle_checker.trace import TraceLine


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace")(trace)


def trace(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="An encounter's id or number, a claim's id or control number, a remittance's id or trace number.",
        ),
    ],
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
    spans: Annotated[
        bool,
        typer.Option("--spans", help="Print what the services did and how long it took, as a tree, instead of events."),
    ] = False,
) -> None:
    """Print every event about ID, oldest first: time, service, event, place in its stream, money.

    Shows ids, states and money only: sealed fields stay sealed. With --spans: the OpenTelemetry trace of the encounter
    (its trace id is its id without dashes). `revcycle up` and `revcycle demo` keep spans in files; where they go to a
    collector (REVCYCLE_OTLP_ENDPOINT), look for that trace id there.
    """
    import asyncio

    from revcycle_cli.stack import check_inputs, fail, running_stack

    stack = running_stack(state_dir)
    lines = asyncio.run(_read(check_inputs(stack), wanted))
    if not lines:
        fail("nothing is known by that id. Encounter numbers and claim ids are listed by GET /v1/claims")
    if spans:
        _show_spans(stack.connections.layout.traces, lines)
    else:
        _show(lines)


def _show_spans(folder: Path, lines: "list[TraceLine]") -> None:
    from revcycle_messaging.tracing import trace_id_of
    from rich.console import Console

    from revcycle_cli.spans import read_spans, span_tree
    from revcycle_cli.stack import fail

    wanted = dict.fromkeys(trace_id_of(line.correlation) for line in lines if line.correlation)
    found = read_spans(folder, wanted.keys())
    traces = [(one, found[one]) for one in wanted if one in found]
    if not traces:
        fail(
            f"no spans of {', '.join(wanted)} in {folder}: `revcycle up` and `revcycle demo` keep them there, unless "
            "REVCYCLE_OTLP_ENDPOINT sends them to a collector. What has just ended may still be on its way"
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    for trace_id, members in traces:
        console.print(span_tree(trace_id, members))


async def _read(inputs: "CheckInputs", wanted: str) -> "list[TraceLine]":
    from revcycle_checker.run import open_databases
    from revcycle_checker.trace import trace as read_trace

    async with open_databases(inputs.database_urls, inputs.database_tls) as connections:
        return await read_trace(connections, wanted)


def _show(lines: "list[TraceLine]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("time", "service", "event", "stream", "#", "money", "what it says"):
        table.add_column(title, justify="right" if title == "#" else "left", no_wrap=title != "what it says")
    for line in lines:
        table.add_row(
            line.at.strftime("%H:%M:%S.%f")[:-3],
            line.service,
            line.event,
            line.stream,
            str(line.sequence),
            line.money,
            line.told,
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)
