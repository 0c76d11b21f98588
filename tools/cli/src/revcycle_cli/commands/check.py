"""`revcycle check`: every invariant, over databases, topics and the payer's raw log."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from revcycle_checker import Report

SHOWN_MAX = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one JSON object.")] = False,
    running: Annotated[
        bool, typer.Option("--running", help="Traffic still flows: skip what must only hold when all is quiet.")
    ] = False,
    only_list: Annotated[
        bool, typer.Option("--list", help="Name every invariant that is checked; needs no stack.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Read the databases, the topics and the payer's raw log, and say whether anything is lost, doubled or off.

    Exit status 0 only when nothing is broken. The stack must run (`revcycle up` or `revcycle demo --keep`).
    """
    import asyncio

    from revcycle_checker import invariants, run_check

    from revcycle_cli.stack import check_inputs, running_stack

    if only_list:
        for name, sentence in invariants():
            typer.echo(f"{name}  {sentence}")
        raise typer.Exit
    report = asyncio.run(run_check(check_inputs(running_stack(state_dir)), final=not running))
    if as_json:
        sys.stdout.write(json.dumps(asdict(report), default=str) + "\n")
    else:
        _show(report)
    raise typer.Exit(0 if report.ok else 1)


def _show(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("what was compared", "cents or count"):
        table.add_column(title, justify="left" if title.startswith("what") else "right")
    for name, value in {**report.checked, **report.sums}.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    console.print(table)
    for finding in report.violations[:SHOWN_MAX]:
        console.print(f"{finding.invariant}  {finding.detail}", style="red", soft_wrap=True)
    for mismatch in report.mismatches[:SHOWN_MAX]:
        console.print(
            f"{mismatch.encounter_number}: planted {mismatch.expected}, got {mismatch.got} ({mismatch.why})",
            style="yellow",
            soft_wrap=True,
        )
    expected = "" if report.as_expected is None else f" as_expected={report.as_expected}"
    console.print(
        f"check: encounters={report.encounters} settled={report.settled} waiting={report.waiting}{expected} "
        f"lost={len(report.lost)} doubled={len(report.doubled)} unbalanced_cents={report.unbalanced_cents} "
        f"violations={len(report.violations)} ledger={report.ledger_sha256[:16]}",
        soft_wrap=True,
    )
