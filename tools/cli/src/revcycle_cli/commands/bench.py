"""`revcycle bench`: how fast the chassis is, against floors measured on the same machine in the same minutes."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Bench(StrEnum):
    """The benchmarks there are."""

    RELAY = "relay"
    CONSUME = "consume"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    names: Annotated[list[Bench] | None, typer.Argument(help="Which. [default: all]")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Rounds that count, after one to warm up.")] = 5,
    folder: Annotated[
        Path | None, typer.Option(help="Where the figures go as JSON. [default: .revcycle/bench of the checkout]")
    ] = None,
) -> None:
    """Start PostgreSQL and Kafka with fsync on and print one line per benchmark: value, floor and their ratio.

    * relay: from the outbox to acknowledged and archived. Floor: aiokafka sends the same records one by one.

    * consume: fetched, seal checked, opened, judged, applied, committed. Floor: fetched, decoded, applied, committed.

    Nothing else should run on the machine. A running stack is not touched.
    """
    import subprocess

    from revcycle_devstack.layout import checkout_root

    program = checkout_root() / "tests" / "performance"
    chosen = [name.value for name in names or ()]
    where = ["--folder", str(folder)] if folder else []
    status = subprocess.run([sys.executable, str(program), *chosen, "--rounds", str(rounds), *where], check=False)
    raise typer.Exit(status.returncode)
