"""`revcycle redrive`: let events that failed be tried again, or let their keys go on without them."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from revcycle_devstack.connections import RunningStack
    from revcycle_messaging import Database
    from revcycle_messaging.interventions import FailedGroup, Selection


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("redrive")(redrive)


def redrive(
    service: Annotated[str, typer.Argument(help="The consuming service, for example claims.")],
    tenant: Annotated[UUID | None, typer.Option(help="Only this tenant's events.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only events of this topic.")] = None,
    key: Annotated[str | None, typer.Option(help="Only events of this key (a claim's or encounter's id).")] = None,
    sequence: Annotated[int | None, typer.Option(help="Only the event at this place of its key.")] = None,
    by: Annotated[str, typer.Option(help="Who decides; written down with every event.")] = "",
    reason: Annotated[str, typer.Option(help="Why; written down with every event.")] = "",
    discard: Annotated[
        bool, typer.Option("--discard", help="Do not try them again: let their keys go on without them.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, only what would be done is shown.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Show the events SERVICE could not apply, and with --yes let them be tried again.

    An event that failed for good stops its key: later events of the key wait behind it, other keys go on. Once a
    corrected version is deployed, one call recovers everything:
    `revcycle redrive claims --yes --by NAME --reason TEXT`.
    Order and ids stay as they were; the service takes the events up within a second or two.
    """
    import asyncio

    from revcycle_cli.stack import fail, running_stack

    if yes and not (by.strip() and reason.strip()):
        fail("say who decides and why: --by NAME --reason TEXT")
    stack = running_stack(state_dir)
    asyncio.run(_redrive(stack, service, (tenant, topic, key, sequence), by, reason, discard=discard, yes=yes))


async def _redrive(
    stack: RunningStack,
    service: str,
    narrowed: tuple[UUID | None, str | None, str | None, int | None],
    by: str,
    reason: str,
    *,
    discard: bool,
    yes: bool,
) -> None:
    from revcycle_messaging import interventions

    selection: Selection = interventions.Selection(service, *narrowed)
    async with service_database(stack, service) as database:
        groups = await interventions.count_failed(database, selection)
        if not groups:
            sys.stderr.write(f"revcycle: {service} has no failed events of this selection\n")
            return
        _show(groups)
        events = sum(group.events for group in groups)
        if not yes:
            verb = "discarded" if discard else "tried again"
            sys.stderr.write(
                f"revcycle: {_counted(events)} would be {verb}; nothing was changed. "
                "Add --yes --by NAME --reason TEXT to do it\n"
            )
            return
        act = interventions.discard if discard else interventions.redrive
        done = await act(database, selection, actor=by, reason=reason, now=datetime.now(UTC))
    verb = "discarded; their keys go on" if discard else "to be tried again, within a second or two"
    sys.stderr.write(f"revcycle: {_counted(done)} {verb}\n")


def _counted(events: int) -> str:
    return "1 event" if events == 1 else f"{events} events"


def _show(groups: Sequence[FailedGroup]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("events", "waiting behind", "state", "since", "topic", "event", "why"):
        table.add_column(title, justify="right" if title in ("events", "waiting behind") else "left")
    for group in groups:
        table.add_row(
            str(group.events),
            str(group.behind),
            group.state,
            f"{group.oldest_at:%Y-%m-%d %H:%M}",
            # In a terminal of 80 columns what all share would be all there is to see.
            group.topic.removeprefix("revcycle."),
            group.event_type.removeprefix("revcycle.").partition(".")[2],
            group.reason,
        )
    Console(highlight=False).print(table)


@asynccontextmanager
async def service_database(stack: RunningStack, service: str) -> AsyncIterator[Database]:
    """A service's database with the rights of the service itself. Ends the command for an unknown service."""
    from revcycle_devstack import SERVICES
    from revcycle_messaging import Database, KeyRing, MessagingError

    from revcycle_cli.stack import client_security, fail

    if service not in SERVICES:
        fail(f"{service} is no service; there are {', '.join(SERVICES)}")
    ring = KeyRing(stack.connections.layout.root / "keys" / f"{service}.json")
    try:
        database = await Database.connect(
            stack.connections.database_url(service),
            service=service,
            keys=ring,
            application_name="revcycle-cli",
            tls=client_security().database,
        )
        try:
            yield database
        finally:
            await database.close()
    except MessagingError as failure:
        fail(str(failure))
