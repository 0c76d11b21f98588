"""`revcycle load`: hand encounter files over to registration."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import httpx
    from revcycle_devstack.connections import RunningStack
    from revcycle_hospital_simulator import Api, IntakeAnswer
    from rich.console import Console
    from rich.progress import Progress

ROLES: Final = ("integration", "coder", "biller", "operator")

_TOKEN_SECONDS: Final = 12 * 3600
_PATIENCE_SECONDS: Final = 30.0
_REASONS_SHOWN: Final = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load")(load)


def load(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE.jsonl", help="Encounter files, one JSON object a line; - reads standard input."),
    ],
    setup: Annotated[
        bool, typer.Option("--setup", help="First record the demonstration's facility, payers, prices and routes.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="Files per second. [default: as fast as answered]")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=500, help="Files per request.")] = 50,
    url: Annotated[
        str | None, typer.Option(help="Address of a registration service. [default: the one `revcycle up` runs]")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="REVCYCLE_TOKEN", help="Bearer token (role integration) for --url.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Post a file of encounters (format revcycle.encounter-file.v1) and say what became of them.

    Each file is created, updated, unchanged or refused on its own; a refusal names the field and what would be right.
    Sending a file again changes nothing. Exit status 0 when every line was answered, whatever the answers were.
    """
    import asyncio

    from revcycle_hospital_simulator import ServiceUnreachableError, UnexpectedAnswerError

    from revcycle_cli.stack import fail

    if url is not None and (token is None or setup):
        fail("with --url, give --token too (or REVCYCLE_TOKEN), and not --setup: that needs all services")
    if file != "-" and not Path(file).is_file():
        fail(f"{file} is not a file: give a file of encounter files, one JSON object a line, or - for standard input")
    try:
        answers = asyncio.run(_load(file, setup, rate, batch, url, token, state_dir))
    except (ServiceUnreachableError, UnexpectedAnswerError) as failure:
        fail(str(failure))
    _show(answers)


async def _load(
    file: str, setup: bool, rate: float | None, batch: int, url: str | None, token: str | None, state_dir: Path | None
) -> list[IntakeAnswer]:
    import secrets

    import httpx
    from revcycle_hospital_simulator import Api, Pace, send_files, set_up_tenant
    from rich.console import Console

    from revcycle_cli.stack import running_stack

    pace = Pace(files_per_request=batch, rate_per_second=rate)
    answers: list[IntakeAnswer] = []
    async with httpx.AsyncClient(timeout=httpx.Timeout(60, connect=3)) as client:
        if url is not None and token is not None:
            api = Api({"registration": [url.rstrip("/")]}, {"integration": token}, client, _PATIENCE_SECONDS)
        else:
            stack = running_stack(state_dir)
            api = api_of(stack, client)
            if setup:
                await set_up_tenant(api, stack.payer_door)
        with progress_bar(Console(stderr=True)) as progress:
            task = progress.add_task("encounter files", total=_count_lines(file))

            def tell(found: Sequence[IntakeAnswer]) -> None:
                answers.extend(found)
                progress.advance(task, len(found))

            await send_files(api, read_lines(file), secrets.token_hex(8), pace, tell)
            progress.update(task, total=len(answers))
    return answers


def services_of(stack: RunningStack) -> dict[str, list[str]]:
    """The addresses of every instance of every service."""
    from revcycle_devstack import SERVICES

    found = {}
    for service in SERVICES:
        instances = sorted(
            name for name in stack.urls if name.startswith(f"{service}-") and name[len(service) + 1 :].isdecimal()
        )
        found[service] = [stack.urls[name] for name in instances] or [stack.urls[service]]
    return found


def consumers_of(stack: RunningStack) -> dict[str, list[str]]:
    """The addresses of the processes that consume: workers where they are processes of their own."""
    return {
        service: [stack.urls[worker]] if (worker := f"{service}-worker") in stack.urls else instances
        for service, instances in services_of(stack).items()
    }


def api_of(stack: RunningStack, client: httpx.AsyncClient) -> Api:
    """The services of a stack, called with development tokens of the demonstration's tenant."""
    from revcycle_devstack import DEVELOPMENT_TENANT
    from revcycle_hospital_simulator import Api
    from revcycle_service_kit.auth import ensure_development_key, issue_token

    key = ensure_development_key(stack.connections.token_key_file)
    tokens = {role: issue_token(key, DEVELOPMENT_TENANT, f"hospital-{role}", [role], _TOKEN_SECONDS) for role in ROLES}
    return Api(services_of(stack), tokens, client, watched=consumers_of(stack))


def read_lines(file: str) -> Iterator[tuple[int, object]]:
    """Line number and JSON of every line that is not blank; None for one that is no JSON: registration refuses it."""
    import json

    with sys.stdin if file == "-" else Path(file).open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError:
                    yield number, None


def progress_bar(console: Console) -> Progress:
    """How every long command shows how far it has come."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _count_lines(file: str) -> int | None:
    """How many files there are; None for standard input, which cannot be read twice."""
    if file == "-":
        return None
    with Path(file).open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _show(answers: Sequence[IntakeAnswer]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("encounter files")
    table.add_column("count", justify="right")
    statuses = Counter(answer.status for answer in answers)
    for status in ("created", "updated", "unchanged", "refused"):
        table.add_row(status, f"{statuses[status]:,}")
    table.add_row("blocked from billing", f"{sum(bool(answer.blocked_by) for answer in answers):,}", style="dim")
    console.print(table)
    _show_reasons(console, "refused because", _refusals(answers))
    _show_reasons(console, "blocked because of", Counter(name for answer in answers for name in answer.blocked_by))
    lines = [str(answer.line) for answer in answers if answer.status == "refused"]
    if lines:
        more = " …" if len(lines) > _REASONS_SHOWN else ""
        console.print(f"lines refused: {', '.join(lines[:_REASONS_SHOWN])}{more}", soft_wrap=True)


def _refusals(answers: Iterable[IntakeAnswer]) -> Counter[str]:
    return Counter(
        f"{field} {message}; right would be: {expected}"
        for answer in answers
        for field, message, expected in answer.errors
    )


def _show_reasons(console: Console, title: str, reasons: Counter[str]) -> None:
    if not reasons:
        return
    console.print(f"{title}:")
    for reason, count in reasons.most_common(_REASONS_SHOWN):
        console.print(f"  {count:>6,}  {reason}", soft_wrap=True, markup=False)
