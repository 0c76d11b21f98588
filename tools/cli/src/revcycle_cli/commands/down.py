"""`revcycle down`: stop everything that runs from this checkout."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("down")(down)


def down(
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Stop what `revcycle up` or a demo left running, and leave no process, even if its supervisor was killed.

    Only processes that were recorded when they started are signalled, and only while pid and start time still agree.
    Containers of `revcycle demo --stack compose` are removed with their volumes; their logs stay.
    Data and logs stay; the next `revcycle up` goes on with them.
    """
    from revcycle_devstack.compose import stop_compose
    from revcycle_devstack.layout import StateLayout, default_state_folder
    from revcycle_devstack.stack import GRACE_SECONDS
    from revcycle_devstack.state import stop_everything

    layout = StateLayout((state_dir or default_state_folder()).resolve())
    contained = [stop_compose(folder, _say) for folder in (layout.root, layout.root / "compose")]
    if stop_everything(layout, GRACE_SECONDS, _say) or any(contained):
        _say("everything is stopped")
    else:
        _say(f"nothing runs from {layout.root}")


def _say(text: str) -> None:
    sys.stderr.write(f"revcycle: {text}\n")
