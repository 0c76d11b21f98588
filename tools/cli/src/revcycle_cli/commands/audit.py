"""`revcycle audit`: who saw or changed which patients' data, and whether that record is whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from revcycle_devstack.connections import RunningStack
    from revcycle_service_kit.audit_check import ChainState

StateDir = Annotated[
    Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
]

audit_app = typer.Typer(help="Who saw or changed which patients' data, and whether that record is whole.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(audit_app, name="audit")


@audit_app.command()
def verify(
    services: Annotated[list[str] | None, typer.Argument(help="Which services. [default: all]")] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            help="Where chains that were seen whole are remembered. [default: audit-anchors.json of the stack]"
        ),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Read the audit of SERVICES from end to end. Exit status 1 at a row that is changed, gone or out of place.

    How far each chain reached is remembered in the anchors file; keep it away from those who keep the databases. With
    it, also a whole database that was set back to an older copy is noticed.
    """
    import asyncio

    from revcycle_devstack import SERVICES

    from revcycle_cli.stack import running_stack

    stack = running_stack(state_dir)
    file = anchors or stack.connections.layout.root / "audit-anchors.json"
    known = (
        {name: (place[0], place[1]) for name, place in json.loads(file.read_text()).items()} if file.exists() else {}
    )
    states = asyncio.run(_check(stack, services or list(SERVICES), known))
    _show_states(states)
    broken = [state.broken for state in states if state.broken]
    for one in broken:
        sys.stdout.write(
            f"{one.damage}: {one.place.service}, tenant {one.place.tenant_id}, chain {one.place.chain}, "
            f"row {one.sequence}: {one.said}\n"
        )
    if broken:
        raise typer.Exit(1)
    from revcycle_service_kit.audit_check import anchor_name

    reached = {anchor_name(state.place): (state.rows, state.mac.hex()) for state in states if state.rows}
    file.write_text(json.dumps({**known, **reached}, indent=1) + "\n")
    sys.stdout.write(f"audit: sound, {sum(state.rows for state in states)} accesses; remembered in {file}\n")


@audit_app.command()
def show(
    about: Annotated[UUID | None, typer.Option(help="Id of a patient, encounter, claim or other record.")] = None,
    by: Annotated[str | None, typer.Option(help="Who acted: the subject of the tokens.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many rows per service, newest first.")] = 50,
    tenant: Annotated[UUID | None, typer.Option(help="Tenant. [default: the development tenant]")] = None,
    state_dir: StateDir = None,
) -> None:
    """Show who accessed what about somebody (--about ID), or what somebody did (--by NAME), newest first.

    What belongs to ID is meant too: a patient's encounters and their claims.
    """
    import asyncio

    from revcycle_devstack import DEVELOPMENT_TENANT

    from revcycle_cli.stack import fail, running_stack

    if about is None and by is None:
        fail("say about whom (--about ID) or by whom (--by NAME)")
    rows = asyncio.run(_read(running_stack(state_dir), tenant or DEVELOPMENT_TENANT, about, by, limit))
    if not rows:
        fail("nobody has accessed anything of this selection")
    _show_rows(rows)


async def _check(
    stack: RunningStack, services: Sequence[str], anchors: Mapping[str, tuple[int, str]]
) -> list[ChainState]:
    from revcycle_messaging import KeyRing
    from revcycle_service_kit.audit_check import check_tenant
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    keys = KeyRing(stack.connections.layout.keyring_file("checker"))
    states = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        async for service, connection in _snapshots(stack, services):
            for tenant_id in progress.track(keys.tenants, description=service):
                found = check_tenant(connection, keys, service, tenant_id, anchors)
                states += [state async for state in found]
    return states


async def _read(
    stack: RunningStack, tenant_id: UUID, about: UUID | None, by: str | None, limit: int
) -> list[tuple[str, Mapping[str, Any]]]:
    from revcycle_checker.run import open_databases
    from revcycle_checker.trace import related_ids

    from revcycle_cli.stack import check_inputs

    rows = []
    inputs = check_inputs(stack)
    async with open_databases(inputs.database_urls, inputs.database_tls) as connections:
        related = await related_ids(connections, str(about)) if about else set()
        ids = [UUID(one) for one in related if len(one) == len(str(about))] if about else None
        for service, connection in connections.items():
            found = await connection.fetch(
                """
                SELECT at, subject, roles, operation, data, about, status, request_id FROM kit.audit_record
                WHERE tenant_id = $1 AND ($2::uuid[] IS NULL OR about && $2) AND ($3::text IS NULL OR subject = $3)
                ORDER BY at DESC LIMIT $4
                """,
                *(tenant_id, ids, by, limit),
            )
            rows += [(service, row) for row in found]
    return sorted(rows, key=lambda row: row[1]["at"], reverse=True)


async def _snapshots(stack: RunningStack, services: Sequence[str]) -> AsyncIterator[tuple[str, Any]]:
    """A connection to each service's database that sees its rows as they are now, however long it looks."""
    from revcycle_checker.run import open_databases
    from revcycle_devstack import SERVICES

    from revcycle_cli.stack import check_inputs, fail

    if unknown := set(services) - set(SERVICES):
        fail(f"{', '.join(sorted(unknown))} is no service; there are {', '.join(SERVICES)}")
    inputs = check_inputs(stack)
    for service in services:
        async with open_databases({service: inputs.database_urls[service]}, inputs.database_tls) as connections:
            connection = connections[service]
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield service, connection


def _show_states(states: Sequence[ChainState]) -> None:
    from rich.console import Console
    from rich.table import Table

    by_tenant: dict[tuple[str, UUID], list[ChainState]] = {}
    for state in states:
        by_tenant.setdefault((state.place.service, state.place.tenant_id), []).append(state)
    table = Table(box=None, pad_edge=False)
    for title in ("service", "tenant", "accesses", "state"):
        table.add_column(title, justify="right" if title == "accesses" else "left")
    for (service, tenant_id), chains in by_tenant.items():
        broken = any(chain.broken for chain in chains)
        table.add_row(
            service, str(tenant_id), str(sum(chain.rows for chain in chains)), "BROKEN" if broken else "sound"
        )
    Console(highlight=False).print(table)


def _show_rows(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("time", "service", "who", "roles", "did", "to", "about", "status", "request"):
        table.add_column(title, no_wrap=title != "about")
    for service, row in rows:
        about = [str(each) for each in row["about"]]
        more = f" and {len(about) - 2} more" if len(about) > 2 else ""
        table.add_row(
            *(f"{row['at']:%Y-%m-%d %H:%M:%S}", service, row["subject"], ",".join(row["roles"]), row["operation"]),
            *(row["data"], " ".join(about[:2]) + more, str(row["status"]), row["request_id"]),
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 240
    console.print(table)
