"""`revcycle bench`: how fast revcycle is, against floors measured on the same machine in the same minutes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which; see --list. [default: all]")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Rounds that count, after one to warm up.")] = 5,
    folder: Annotated[
        Path | None, typer.Option(help="Where the figures go as JSON. [default: .revcycle/bench of the checkout]")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Print the names and end.")] = False,
) -> None:
    """Start PostgreSQL and Kafka with fsync on and print one line per benchmark: value, floor and their ratio.

    * relay: from the outbox to acknowledged and archived. Floor: aiokafka sends the same records one by one.

    * consume: fetched, seal checked, opened, judged, applied, committed. Floor: fetched, decoded, applied, committed.

    * chassis, pipeline: five stages without and with the business rules. Floor: five stages with nothing promised.

    Nothing else should run on the machine. A running stack is not touched.
    """
    import os

    from revcycle_devstack.layout import checkout_root

    program = checkout_root() / "tests" / "performance"
    options = ["--rounds", str(rounds), *(["--folder", str(folder)] if folder else []), *(["--list"] * list_them)]
    # In our place, so that whoever ends us ends what it started.
    os.execv(sys.executable, [sys.executable, str(program), *(names or ()), *options])
