"""`revcycle copy-topics`: all topics to another broker, in another order and with repeats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from revcycle_devstack.topics import TopicDefinition
    from revcycle_messaging.topic_copy import Copied


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("copy-topics")(copy_topics)


def copy_topics(
    to: Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="The broker to copy to.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="HOST:PORT", help="The broker to copy from. [default: the running stack's]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the order and the repeats.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, max=3, help="How often an event comes at most.")] = 1,
    append: Annotated[
        bool, typer.Option("--append", help="Also when the target's topics hold records; the copies follow them.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Copy every topic to another, empty broker, with the order across topics and keys drawn anew.

    What is promised about events is their order per key and nothing more, and that one that comes again changes
    nothing. This puts both to the test: fresh databases fed from the copy must end like the first ones.

    * Within a key the order stays; keys, values and headers stay byte for byte.

    * Across keys and topics --seed decides, and with --repeat 3 every event comes one to three times.

    Topics that the target lacks are created, unless it is spoken to over TLS or SASL: there whoever runs it makes them.
    Both brokers are spoken to as the variables REVCYCLE_KAFKA_… say (see `revcycle --help`).

    For a plain copy of one service's events in their first order there is `revcycle archive rebuild`. Example,
    with a second broker on port 9192:

        revcycle copy-topics --to 127.0.0.1:9192 --seed 7 --repeat 3
    """
    import asyncio

    from revcycle_devstack import DevstackError
    from revcycle_messaging import MessagingError

    from revcycle_cli.stack import fail, running_stack

    origin = source or running_stack(state_dir).connections.kafka_bootstrap_servers
    if origin == to:
        fail(f"{to} is the broker to copy from: name another one with --to")
    try:
        copied = asyncio.run(_copy(origin, to, seed, repeat, append=append))
    except (MessagingError, DevstackError) as refusal:
        fail(str(refusal))
    passed_over = f"; {copied.passed_over} records that are no events were passed over" if copied.passed_over else ""
    sys.stdout.write(f"{copied.events} events copied to {to} as {copied.sent} records, seed {seed}{passed_over}\n")


async def _copy(origin: str, to: str, seed: int, repeat: int, *, append: bool) -> Copied:
    from revcycle_devstack.layout import checkout_root
    from revcycle_devstack.topics import load_topics
    from revcycle_messaging import topic_copy

    from revcycle_cli.commands.archive import progress_bar
    from revcycle_cli.stack import kafka_transport

    definitions = load_topics(checkout_root() / "deploy/kafka/topics.yaml")
    topics = [topic.name for topic in definitions]
    await _prepare(to, definitions)
    source, target = kafka_transport(origin), kafka_transport(to)
    try:
        total = sum((await source.end_offsets(topics)).values())
        with progress_bar("copying", total) as progress:
            return await topic_copy.copy_topics(
                source, target, topics, seed=seed, repeat=repeat, append=append, progress=progress
            )
    finally:
        await source.close()
        await target.close()


async def _prepare(to: str, definitions: Sequence[TopicDefinition]) -> None:
    """Make the topics that are missing, where everybody may."""
    from revcycle_devstack.topics import check_partitions, ensure_topics

    from revcycle_cli.stack import client_security, fail, partition_counts

    if client_security().is_plain:
        await ensure_topics(to, definitions)
        return
    if missing := check_partitions(definitions, await partition_counts(to)):
        fail(f"{to} lacks, or does not show us, {', '.join(topic.name for topic in missing)}: have them made there")
