"""`revcycle status`: what runs, where, and how it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from revcycle_devstack.layout import StateLayout
    from revcycle_devstack.supervision import ProcessStatus
    from rich.console import Console

Figures = dict[str, Any]
# Figure to heading and whether it is seconds; what an operator looks at first.
_COLUMNS = {
    "lag": ("lag", False),
    "lag_seconds": ("behind s", True),
    "outbox_rows": ("outbox", False),
    "outbox_oldest_age_seconds": ("oldest s", True),
    "parked_keys": ("parked keys", False),
    "dead_letters": ("dead", False),
    "timers_due": ("timers due", False),
    "jobs_unknown": ("jobs unknown", False),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object per process and line: name, pid, url, state, restarts, messaging."
        ),
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
    live: Annotated[
        bool, typer.Option("--watch", "-w", help="A live page of the flow instead; q or Ctrl-C ends it.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="With --watch: print the page once, for scripts.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.2, max=60, help="With --watch: seconds between two looks.")
    ] = 1.0,
) -> None:
    """Say what runs from this checkout, where its API documentation is, and how often it had to be started again.

    States: running, starting, backoff (it died and is started again after a pause), stopped. Of each running service:
    lag in events and seconds, the outbox, keys that wait, dead letters (then: revcycle redrive SERVICE), timers due,
    and effects outside that nobody knows the outcome of. The same figures are at /v1/ops/messaging and /metrics.

    With --watch, of each stage: events done since it started and per second, lag, age of the oldest thing that waits,
    parked keys, dead letters, work that waits for somebody, and the money in it (measured every 15 seconds).
    """
    from revcycle_devstack.layout import default_state_folder

    folder = (state_dir or default_state_folder()).resolve()
    if live or once:
        from revcycle_cli.watch import watch

        watch(folder, interval, once=once)
    elif as_json:
        _print_json(folder)
    else:
        show_status(folder)


def _print_json(folder: Path) -> None:
    from revcycle_devstack.layout import StateLayout
    from revcycle_devstack.state import read_state

    layout = StateLayout(folder)
    recorded = read_state(layout)
    figures = read_figures(layout, recorded.processes) if recorded else {}
    for process in recorded.processes if recorded else ():
        line = {name: getattr(process, name) for name in ("name", "pid", "url", "state", "restarts")}
        if process.kind == "service":
            line["messaging"] = figures.get(process.name)
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
    _show_figures(console, read_figures(layout, recorded.processes))
    for note in recorded.notes:
        console.print(note, style="dim", soft_wrap=True)
    console.print(f"logs: {layout.logs}", soft_wrap=True)
    living = [process for process in recorded.processes if process.pid is not None]
    if recorded.supervisor is None and living:
        console.print("no supervisor: it was killed. Stop what is left with: revcycle down", style="red")
    elif recorded.supervisor is None:
        console.print("nothing runs; start it with: revcycle up")


def read_figures(layout: StateLayout, processes: Sequence[ProcessStatus]) -> dict[str, Figures]:
    """What each running service says of its messaging; one that does not answer is left out."""
    import httpx
    from revcycle_devstack import DEVELOPMENT_TENANT
    from revcycle_service_kit.auth import ensure_development_key, issue_token

    found: dict[str, Figures] = {}
    running = [one for one in processes if one.kind == "service" and one.state == "running"]
    if not running:
        return found
    token = issue_token(ensure_development_key(layout.token_key_file), DEVELOPMENT_TENANT, "status", ["operator"], 60)
    with httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=5) as client:
        for process in running:
            try:
                answer = client.get(f"{process.url}/v1/ops/messaging")
            except httpx.HTTPError:
                continue
            if answer.status_code == 200:
                found[process.name] = answer.json()
    return found


def _show_figures(console: Console, figures: Mapping[str, Figures]) -> None:
    from rich.table import Table

    if not figures:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("messaging", min_width=20, no_wrap=True)
    for heading, _ in _COLUMNS.values():
        table.add_column(heading, justify="right")
    for name, one in figures.items():
        values = {**one, "jobs_unknown": one["jobs"]["unknown"]}
        table.add_row(name, *(_shown(values[figure], seconds) for figure, (_, seconds) in _COLUMNS.items()))
    console.print(table)
    for name, one in figures.items():
        for why in (one["stopped_because"], one["refuses_because"]):
            if why:
                console.print(f"{name}: {why}", style="red", soft_wrap=True)


def _shown(value: float | None, seconds: bool) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if seconds else str(value)
