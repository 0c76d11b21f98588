"""`revcycle doctor`: looks at everything the platform stands on, and says for each what to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from revcycle_cli.doctor import Finding


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per finding and line: area, level, found, remedy.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Check ports, versions, disk, memory, limits, clock, broker, topics, databases, migrations and keys.

    Says of each ok, warn or fail, and what to do. Changes nothing, shows no password, key or patient's data.
    Exit status 1 when anything fails.
    """
    from revcycle_devstack.layout import default_state_folder

    findings = look((state_dir or default_state_folder()).resolve())
    if as_json:
        for one in findings:
            line = {"area": one.area, "level": one.level, "found": one.found, "remedy": one.remedy}
            sys.stdout.write(json.dumps(line) + "\n")
    else:
        _show(findings)
    raise typer.Exit(1 if any(one.level == "fail" for one in findings) else 0)


def look(folder: Path) -> list[Finding]:
    """Every finding, those of the machine first."""
    import asyncio

    from revcycle_devstack.connections import connect_to
    from revcycle_devstack.layout import StateLayout
    from revcycle_devstack.state import read_state

    from revcycle_cli.doctor.machine import look_at_machine
    from revcycle_cli.doctor.stack import look_at_stack, nothing_runs

    layout = StateLayout(folder)
    recorded = read_state(layout)
    findings = list(look_at_machine(layout, recorded))
    if recorded is None:
        return [*findings, nothing_runs()]
    return findings + asyncio.run(look_at_stack(connect_to(folder).connections))


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in findings:
        table.add_row(f"[{colours[one.level]}]{one.level}[/]", one.area, one.found)
        if one.level != "ok":
            table.add_row("", "", f"→ {one.remedy}", style="dim" if one.level == "warn" else "")
    console.print(table)
    counted = {level: sum(one.level == level for one in findings) for level in colours}
    console.print(f"doctor: {counted['ok']} ok, {counted['warn']} warn, {counted['fail']} fail")
