"""The live page of `revcycle status --watch`: asks every second, ends with q or Ctrl-C."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from revcycle_devstack import DEVELOPMENT_TENANT, SERVICES
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.state import RecordedStack, read_state

from revcycle_cli.flow import Moment, flow_table, read_moment
from revcycle_cli.stack import fail

if TYPE_CHECKING:
    import httpx
    from rich.console import RenderableType

_TOKEN_SECONDS: Final = 600
_RENEW_SECONDS: Final = 300
_QUIT: Final = frozenset("qQ\x03\x04")


def watch(folder: Path, every_seconds: float, *, once: bool) -> None:
    """Show the flow until told to stop, or once with the rates of one interval."""
    from rich.console import Console
    from rich.live import Live

    layout = StateLayout(folder)
    console = Console(highlight=False)
    with _client(layout) as client:
        before = _now(layout, client)
        if once:
            time.sleep(every_seconds)
            console.print(_page(before, _now(layout, client), every_seconds, keys=False))
            return
        renewed_at = time.monotonic()
        with _single_keys(), Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            page = _page(before, before, every_seconds, keys=True)
            while True:
                live.update(page, refresh=True)
                if _quits(every_seconds):
                    return
                if time.monotonic() - renewed_at > _RENEW_SECONDS:
                    client.headers["authorization"] = _bearer(layout)
                    renewed_at = time.monotonic()
                now = _now(layout, client)
                page = _page(before, now, every_seconds, keys=True)
                before = now


def _client(layout: StateLayout) -> httpx.Client:
    import httpx

    return httpx.Client(headers={"authorization": _bearer(layout)}, timeout=3)


def _bearer(layout: StateLayout) -> str:
    from revcycle_service_kit.auth import ensure_development_key, issue_token

    key = ensure_development_key(layout.token_key_file)
    return f"Bearer {issue_token(key, DEVELOPMENT_TENANT, 'status', ['operator'], _TOKEN_SECONDS)}"


def _now(layout: StateLayout, client: httpx.Client) -> Moment:
    """Addresses are read anew each time: the stack may be restarted while somebody watches."""
    recorded = read_state(layout)
    if recorded is None:
        fail(f"nothing was ever started from {layout.root}; start it with: revcycle up")
    return read_moment(client, _addresses(recorded), time.monotonic())


def _addresses(recorded: RecordedStack) -> Mapping[str, Sequence[str]]:
    running = [one for one in recorded.processes if one.kind == "service" and one.state == "running"]
    return {
        service: [one.url for one in running if one.name == service or one.name.rpartition("-")[0] == service]
        for service in SERVICES
    }


def _page(before: Moment, now: Moment, every_seconds: float, *, keys: bool) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = [flow_table(before, now)]
    lines += [Text(f"{stage.name}: {stage.told}", style="red") for stage in now.stages if stage.told]
    if dead := [stage.name for stage in now.stages if stage.dead]:
        lines.append(Text(f"dead letters: revcycle redrive {dead[0]}", style="red"))
    if keys:
        lines.append(
            Text(f"every {every_seconds:g} s · q ends · more: revcycle status, revcycle trace ID", style="dim")
        )
    return Group(*lines)


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys come at once and unechoed while this lasts; nothing changes where no terminal is."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    former = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, former)


def _quits(seconds: float) -> bool:
    """Wait so long; True when somebody pressed q."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and bool(_QUIT & set(os.read(sys.stdin.fileno(), 64).decode(errors="replace")))
