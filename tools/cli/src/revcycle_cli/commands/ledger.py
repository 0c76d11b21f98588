"""`revcycle ledger`: the claims' ledger, as sums per account or as one hash."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from revcycle_checker import CheckInputs


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ledger")(ledger)


def ledger(
    as_hash: Annotated[
        bool,
        typer.Option(
            "--hash",
            help="Only the SHA-256 over the sorted lines facility_npi|encounter_number|line|account|cents.",
        ),
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Print the sum of every account of the double-entry ledger (debit positive), which together are zero.

    With --hash: one line that changes when a single cent on any claim line does.
    """
    import asyncio

    from revcycle_cli.stack import check_inputs, running_stack

    inputs = check_inputs(running_stack(state_dir))
    accounts, digest = asyncio.run(_read(inputs))
    if as_hash:
        sys.stdout.write(digest + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("account")
    table.add_column("debit - credit", justify="right")
    for account, cents in accounts:
        table.add_row(account, f"{cents / 100:,.2f}")
    table.add_row("sum", f"{sum(cents for _, cents in accounts) / 100:,.2f}", style="bold")
    Console(highlight=False).print(table)
    sys.stdout.write(f"hash {digest}\n")


async def _read(inputs: "CheckInputs") -> tuple[list[tuple[str, int]], str]:
    from revcycle_checker.run import ledger_hash, open_databases

    async with open_databases({"claims": inputs.database_urls["claims"]}, inputs.database_tls) as connections:
        rows = await connections["claims"].fetch(
            "SELECT account, sum(cents)::bigint AS cents FROM claims.entry WHERE tenant_id = $1"
            " GROUP BY account ORDER BY account",
            inputs.tenant_id,
        )
        digest = await ledger_hash(connections["claims"], inputs.tenant_id)
    return [(row["account"], row["cents"]) for row in rows], digest
