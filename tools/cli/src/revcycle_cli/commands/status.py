"""`revcycle status`: what runs, where, and how it is."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per process and line: name, pid, url, state, restarts.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Say what runs from this checkout, where its API documentation is, and how often it had to be started again.

    States: running, starting, backoff (it died and is started again after a pause), stopped.
    """
    from revcycle_devstack.layout import default_state_folder

    folder = (state_dir or default_state_folder()).resolve()
    if as_json:
        _print_json(folder)
    else:
        show_status(folder)


def _print_json(folder: Path) -> None:
    from revcycle_devstack.layout import StateLayout
    from revcycle_devstack.state import read_state

    recorded = read_state(StateLayout(folder))
    for process in recorded.processes if recorded else ():
        line = {name: getattr(process, name) for name in ("name", "pid", "url", "state", "restarts")}
        sys.stdout.write(json.dumps(line) + "\n")


def show_status(folder: Path) -> None:
    """Print the table for people on standard output."""
    from revcycle_devstack.layout import StateLayout
    from revcycle_devstack.state import read_state
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    layout = StateLayout(folder)
    recorded = read_state(layout)
    if recorded is None:
        console.print(f"nothing was ever started from {folder}; start it with: revcycle up", soft_wrap=True)
        return
    colours = {"running": "green", "starting": "yellow", "backoff": "red", "stopped": "dim"}
    # Fits a terminal of 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    widths = {"process": 22, "state": 8, "pid": 7, "restarts": 8, "address (API docs)": 31}
    for title, width in widths.items():
        table.add_column(title, min_width=width, no_wrap=True)
    for process in recorded.processes:
        address = f"{process.url}/docs" if process.kind == "service" else process.url
        state = f"[{colours[process.state]}]{process.state}[/]"
        table.add_row(process.name, state, str(process.pid or "-"), str(process.restarts), address)
    console.print(table)
    for note in recorded.notes:
        console.print(note, style="dim", soft_wrap=True)
    console.print(f"logs: {layout.logs}", soft_wrap=True)
    living = [process for process in recorded.processes if process.pid is not None]
    if recorded.supervisor is None and living:
        console.print("no supervisor: it was killed. Stop what is left with: revcycle down", style="red")
    elif recorded.supervisor is None:
        console.print("nothing runs; start it with: revcycle up")
