"""`revcycle trace`: the whole life of an encounter, claim or remittance across the services."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

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
) -> None:
    """Print every event about ID, oldest first: time, service, event, place in its stream, money.

    Shows ids, states and money only: sealed fields stay sealed.
    """
    import asyncio

    from revcycle_cli.stack import check_inputs, fail, running_stack

    lines = asyncio.run(_read(check_inputs(running_stack(state_dir)).database_urls, wanted))
    if not lines:
        fail("nothing is known by that id. Encounter numbers and claim ids are listed by GET /v1/claims")
    _show(lines)


async def _read(database_urls: "Mapping[str, str]", wanted: str) -> "list[TraceLine]":
    from revcycle_checker.run import open_databases
    from revcycle_checker.trace import trace as read_trace

    async with open_databases(database_urls) as connections:
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
