"""`revcycle up`: start everything and keep it alive."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from revcycle_devstack.stack import Stack


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    instances: Annotated[
        int, typer.Option("--instances", "-n", min=1, max=9, envvar="INSTANCES", help="Processes of each service.")
    ] = 1,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when everything is ready; `revcycle down` stops it.")
    ] = False,
    simulators: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="SIMULATOR", help="Also start a simulator: payer. May be given several times."),
    ] = None,
    seed: Annotated[int, typer.Option(help="What the simulators draw their behaviour from.")] = 1,
    business_date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Pin the business date of every service; without it, the real one."),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder for state, data and logs. [default: .revcycle of the checkout]")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show the logs of the processes.")] = False,
) -> None:
    """Start PostgreSQL, Kafka and the five services, and keep them alive until Ctrl-C.

    What is missing on this machine is fetched once and kept in a cache outside the checkout. Servers of your own are
    used when DATABASE_URL_BASE=postgresql://user:password@host:port or KAFKA_BOOTSTRAP_SERVERS=host:port is set.
    Ports 8101 to 8105 are the services'; a port that is taken is replaced by a free one: see `revcycle status`.
    """
    from revcycle_devstack.layout import default_state_folder
    from revcycle_devstack.plan import StackOptions
    from revcycle_devstack.runner import run_detached, run_in_foreground
    from revcycle_devstack.stack import AlreadyRunningError

    from revcycle_cli.commands.status import show_status

    folder = (state_dir or default_state_folder()).resolve()
    options = StackOptions(
        state_dir=folder,
        instances=instances,
        simulators=tuple(simulators or ()),
        seed=seed,
        business_date=business_date.date() if business_date else None,
        echo=not quiet and not detach,
        trace_ratio=1,
    )
    try:
        if detach:
            run_detached(options, _say)
            show_status(folder)
        else:
            run_in_foreground(options, _say, _say_ready)
    except AlreadyRunningError as running:
        _say(f"{running}; nothing was started. To stop it: revcycle down")
        show_status(folder)


def _say(text: str) -> None:
    sys.stderr.write(f"revcycle: {text}\n")
    sys.stderr.flush()


def _say_ready(stack: "Stack") -> None:
    from revcycle_cli.commands.status import show_status

    show_status(stack.state_dir)
    _say("everything is ready; Ctrl-C stops it")
