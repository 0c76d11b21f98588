"""`revcycle archive`: days of published events as files, topics rebuilt from them, forks after a restore."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence

    from revcycle_devstack.connections import RunningStack
    from revcycle_devstack.topics import TopicDefinition
    from revcycle_messaging.archive import Progress
    from revcycle_messaging.recovery import Fork
    from revcycle_messaging.transports.kafka import KafkaTransport

T = TypeVar("T")
Service = Annotated[str, typer.Argument(help="The producing service, for example claims.")]
Folder = Annotated[
    Path | None, typer.Option("--folder", help="Where the exports lie. [default: archive/ in the stack's state folder]")
]
StateDir = Annotated[
    Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
]
Day = Annotated[datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="Only this day (UTC).")]
By = Annotated[str, typer.Option(help="Who decides; written down.")]
Reason = Annotated[str, typer.Option(help="Why; written down.")]

archive_app = typer.Typer(
    help="Days of published events as files with SHA-256 manifests; topics rebuilt from them; forks after a restore.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(archive_app, name="archive")


@archive_app.command()
def export(service: Service, day: Day = None, folder: Folder = None, state_dir: StateDir = None) -> None:
    """Write every finished day (or one) of SERVICE's archive to a file with a manifest. Changes nothing."""
    _run(state_dir, lambda stack: _export(stack, service, day, folder or _default_folder(stack)))


@archive_app.command()
def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Exports, SERVICE-DAY.jsonl.gz. [default: all in archive/ of the stack's state folder]"),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Read exports whole and compare them with their manifests. Exit status 1 at the first that differs."""
    from revcycle_devstack.layout import StateLayout, default_state_folder
    from revcycle_messaging.archive import ArchiveDamaged, total_events, verify_export

    from revcycle_cli.stack import fail

    folder = StateLayout(state_dir or default_state_folder()).root / "archive"
    exports = files or sorted(folder.glob("*.jsonl.gz"))
    if not exports:
        fail(f"nothing is exported to {folder} yet: revcycle archive export SERVICE")
    try:
        with progress_bar("verifying", total_events(exports)) as progress:
            manifests = [verify_export(file, progress) for file in exports]
    except ArchiveDamaged as damage:
        fail(str(damage))
    for file, manifest in zip(exports, manifests, strict=True):
        sys.stdout.write(f"{file.name}: {manifest.events} events, sound, sha256 {manifest.sha256}\n")


@archive_app.command()
def detach(
    service: Service,
    day: Annotated[datetime, typer.Option("--day", formats=["%Y-%m-%d"], help="The day (UTC).")],
    drop: Annotated[bool, typer.Option("--drop", help="Also remove the detached table.")] = False,
    folder: Folder = None,
    state_dir: StateDir = None,
) -> None:
    """Take an exported day out of SERVICE's archive, after export and database were compared with each other."""
    _run(state_dir, lambda stack: _detach(stack, service, day, folder or _default_folder(stack), drop=drop))


@archive_app.command()
def rebuild(
    service: Service,
    by: By,
    reason: Reason,
    topics: Annotated[list[str] | None, typer.Argument(help="Which. [default: all that SERVICE produces]")] = None,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="First delete the topics, whatever they hold, and create them empty.")
    ] = False,
    folder: Folder = None,
    state_dir: StateDir = None,
) -> None:
    """Fill empty topics with everything SERVICE ever published on them. Its relays stand by meanwhile.

    After topics or a whole broker were lost, one call per producing service brings them back; the services may run:
    `revcycle archive rebuild claims --recreate --by NAME --reason TEXT`.
    Consumers read from the start and drop what they know.
    """
    _run(state_dir, lambda stack: _rebuild(stack, service, topics, by, reason, folder, recreate=recreate))


@archive_app.command()
def forks(
    service: Service,
    everything: Annotated[bool, typer.Option("--everything", help="Read whole topics, not only their ends.")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Let the streams go on behind what is on the topics.")] = False,
    by: By = "",
    reason: Reason = "",
    state_dir: StateDir = None,
) -> None:
    """After a restore: streams that are further on their topics than in SERVICE's database. Exit status 1 if any."""
    from revcycle_cli.stack import fail

    if adopt and not (by.strip() and reason.strip()):
        fail("say who decides and why: --by NAME --reason TEXT")
    found = _run(state_dir, lambda stack: _forks(stack, service, (by, reason) if adopt else None, everything))
    if found and not adopt:
        raise typer.Exit(1)


async def _export(stack: RunningStack, service: str, day: datetime | None, folder: Path) -> None:
    from revcycle_messaging.archive import archived_days, export_day

    from revcycle_cli.commands.redrive import service_database

    today = datetime.now(UTC).date()
    async with service_database(stack, service) as database:
        days = [day.date()] if day else [one for one in await archived_days(database) if one < today]
        if not days:
            sys.stderr.write(f"revcycle: {service} has no finished day to export\n")
        for one in days:
            with progress_bar(f"{service} {one}", None) as progress:
                manifest = await export_day(database, one, folder, today=today, progress=progress)
            sys.stdout.write(f"{folder / f'{service}-{one}.jsonl.gz'}: {manifest.events} events\n")


async def _detach(stack: RunningStack, service: str, day: datetime, folder: Path, *, drop: bool) -> None:
    import asyncio

    from revcycle_messaging.archive import detach_day, verify_export

    from revcycle_cli.stack import client_security

    manifest = await asyncio.to_thread(verify_export, folder / f"{service}-{day.date()}.jsonl.gz")
    await detach_day(stack.connections.owner_url(service), manifest, drop=drop, tls=client_security().database)
    sys.stdout.write(f"{service} {day.date()}: {manifest.events} events detached; they are in {folder}\n")


async def _rebuild(
    stack: RunningStack,
    service: str,
    names: Sequence[str] | None,
    by: str,
    reason: str,
    folder: Path | None,
    *,
    recreate: bool,
) -> None:
    from revcycle_devstack.topics import recreate_topics
    from revcycle_messaging.archive import count_archive
    from revcycle_messaging.recovery import rebuild_topics

    from revcycle_cli.commands.redrive import service_database
    from revcycle_cli.stack import client_security, fail

    if recreate and not client_security().is_plain:
        fail(
            "--recreate works on a broker without access rules only: on this one, empty the topics with the tools of "
            "whoever runs it (they are listed in deploy/kafka/topics.yaml), then rebuild without --recreate"
        )
    produced = _produced_by(service)
    topics = [topic for topic in produced if not names or topic.name in names]
    wanted = [topic.name for topic in topics]
    if unknown := set(names or ()) - set(wanted):
        raise ValueError(
            f"{service} does not produce {', '.join(sorted(unknown))}, but {', '.join(one.name for one in produced)}"
        )

    async def make_empty() -> None:
        await recreate_topics(stack.connections.kafka_bootstrap_servers, topics)

    async with _transport(stack) as transport, service_database(stack, service) as database:
        exports = folder or _default_folder(stack)
        total = await count_archive(database, wanted, exports)
        with progress_bar(f"rebuilding {service}", total) as progress:
            sent = await rebuild_topics(
                database,
                transport,
                wanted,
                actor=by,
                reason=reason,
                now=datetime.now(UTC),
                folder=exports,
                recreate=make_empty if recreate else None,
                progress=progress,
            )
    sys.stdout.write(f"{sent} events sent to {', '.join(wanted)}; the relays go on\n")


async def _forks(
    stack: RunningStack, service: str, adopted_by: tuple[str, str] | None, everything: bool
) -> Sequence[Fork]:
    from revcycle_messaging.recovery import adopt_topic_heads, find_forks

    from revcycle_cli.commands.redrive import service_database

    produced = [topic.name for topic in _produced_by(service)]
    async with _transport(stack) as transport, service_database(stack, service) as database:
        found = await find_forks(database, transport, produced, tail_records=None if everything else 1000)
        for fork in found:
            differs = ", and the same place holds another event here" if fork.differs else ""
            sys.stdout.write(
                f"{fork.topic}/{fork.key}: at {fork.topic_sequence} on the topic, "
                f"at {fork.own_sequence} in the database{differs}\n"
            )
        if adopted_by:
            actor, reason = adopted_by
            adopted = await adopt_topic_heads(database, found, actor=actor, reason=reason, now=datetime.now(UTC))
            sys.stdout.write(f"{adopted} streams go on behind their topics\n")
    if not found:
        sys.stdout.write(f"{service}: no forks\n")
    return found


def _produced_by(service: str) -> list[TopicDefinition]:
    """The topics that a service alone writes."""
    from revcycle_devstack.layout import checkout_root
    from revcycle_devstack.topics import load_topics

    definitions = load_topics(checkout_root() / "deploy/kafka/topics.yaml")
    return [topic for topic in definitions if topic.producer == service]


@asynccontextmanager
async def _transport(stack: RunningStack) -> AsyncIterator[KafkaTransport]:
    from revcycle_cli.stack import kafka_transport

    transport = kafka_transport(stack.connections.kafka_bootstrap_servers)
    try:
        yield transport
    finally:
        await transport.close()


def _default_folder(stack: RunningStack) -> Path:
    return stack.connections.layout.root / "archive"


def _run(state_dir: Path | None, act: Callable[[RunningStack], Coroutine[None, None, T]]) -> T:
    """Run a command against the stack; what it refuses is said in words."""
    import asyncio

    from revcycle_messaging import MessagingError

    from revcycle_cli.stack import fail, running_stack

    try:
        return asyncio.run(act(running_stack(state_dir)))
    except (MessagingError, ValueError) as refusal:
        fail(str(refusal))


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Progress]:
    """A bar on standard error that counts events; ``total`` None: not known."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda events: bar.advance(task, events)
