"""`revcycle replay`: a service's state again, from what was published, in a database of its own."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard

import typer

if TYPE_CHECKING:
    from revcycle_devstack.connections import RunningStack
    from revcycle_devstack.roles import DatabaseGrant
    from revcycle_service_kit import ServiceSettings
    from revcycle_service_kit.context import PartsBuilder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", help="The service to replay, for example analytics.")],
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="Folder with exported days. [default: archive/ in the stack's state folder]"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--into", help="Name of the database to make, or to go on with. [default: replay_CONSUMER]"),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Feed CONSUMER everything the services ever published, from exports and archives, into a database of its own.

    No topic is read or written, no timer fires, no job runs: the same events give the same state. A replay that was
    broken off goes on when it is started again. Set-up a service keeps outside of events (prices, routes) is not in it.
    """
    import asyncio

    from revcycle_messaging import MessagingError

    from revcycle_cli.stack import fail, running_stack

    stack = running_stack(state_dir)
    name = database or f"replay_{consumer.replace('-', '_')}"
    try:
        asyncio.run(_replay(stack, consumer, name, folder or stack.connections.layout.root / "archive"))
    except MessagingError as refusal:
        fail(str(refusal))


async def _replay(stack: RunningStack, service: str, name: str, folder: Path) -> None:
    from contextlib import AsyncExitStack

    from revcycle_devstack import SERVICES
    from revcycle_messaging import Consumer, Database, KeyRing
    from revcycle_messaging.archive import count_archive
    from revcycle_messaging.recovery import replay as feed
    from revcycle_messaging.transports.memory import MemoryTransport
    from revcycle_service_kit.context import build_parts
    from revcycle_service_kit.migrations import migrate
    from revcycle_service_kit.program import offline_context
    from revcycle_service_kit.transport_security import database_tls

    from revcycle_cli.commands.archive import progress_bar
    from revcycle_cli.commands.redrive import service_database
    from revcycle_cli.stack import fail

    if service not in SERVICES:
        fail(f"{service} is no service; there are {', '.join(SERVICES)}")
    builder, settings = await _wiring(stack, service, name)
    context = offline_context(settings)
    parts = build_parts(builder, context)
    await migrate(settings, parts.migrations)
    async with AsyncExitStack() as opened:
        archives = [await opened.enter_async_context(service_database(stack, one)) for one in SERVICES]
        context.keyring = KeyRing(settings.keyring_file)
        fresh = await Database.connect(
            settings.database_url, service=service, keys=context.keyring, tls=database_tls(settings)
        )
        opened.push_async_callback(fresh.close)
        context.database = fresh
        consumer = Consumer(parts.name, fresh, MemoryTransport(), parts.handlers, lambda: datetime.now(UTC))
        total = sum([await count_archive(archive, consumer.topics, folder) for archive in archives])
        with progress_bar(f"replaying {service}", total) as progress:
            offered = await feed(consumer, fresh, archives, now=datetime.now(UTC), folder=folder, progress=progress)
    sys.stdout.write(
        f"{offered} events offered, {consumer.applied} applied, {consumer.duplicates} known before, "
        f"{consumer.dead} dead letters; the state is in database {name}\n"
    )


async def _wiring(stack: RunningStack, service: str, name: str) -> tuple[PartsBuilder, ServiceSettings]:
    """The service's parts (or what builds them), and settings that point at a database of the replay's own."""
    import inspect
    from importlib import import_module

    from revcycle_devstack.files import SecretStore
    from revcycle_devstack.postgresql import ADMIN_ROLE
    from revcycle_devstack.roles import DatabaseGrant, ensure_database, url_for
    from revcycle_service_kit import ServiceSettings

    package = f"revcycle_{service.replace('-', '_')}"
    bootstrap = import_module(f"{package}.bootstrap")
    settings_class = ServiceSettings
    for found in vars(import_module(f"{package}.__main__")).values():
        if inspect.isclass(found) and issubclass(found, ServiceSettings):
            settings_class = found
    secrets = SecretStore(stack.connections.layout.secrets_file)
    address = stack.connections.postgresql_url
    admin_url = url_for(address, "postgres", ADMIN_ROLE, secrets.password(ADMIN_ROLE))
    owner, role = f"{name}_owner", f"{name}_service"
    grant: DatabaseGrant = DatabaseGrant(name, owner, secrets.password(owner), role, secrets.password(role))
    await ensure_database(admin_url, grant)
    settings = settings_class(
        service_name=service,
        database_url=url_for(address, name, role, grant.service_password),
        database_owner_url=url_for(address, name, owner, grant.owner_password),
        database_service_role=role,
        keyring_file=stack.connections.layout.root / "keys" / f"{service}.json",
        log_format="text",
    )
    (builder,) = (found for found in vars(bootstrap).values() if _gives_parts(found, bootstrap.__name__))
    return builder, settings


def _gives_parts(found: object, module: str) -> TypeGuard[PartsBuilder]:
    """Whether this is a service's parts, or the function of its bootstrap that builds them."""
    import inspect

    from revcycle_service_kit import ServiceParts

    if inspect.isfunction(found) and found.__module__ == module:
        return inspect.signature(found, eval_str=True).return_annotation is ServiceParts
    return isinstance(found, ServiceParts)
