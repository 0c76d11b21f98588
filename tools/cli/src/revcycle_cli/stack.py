"""What several commands need of a running stack. Imports stay light: `revcycle --help` must be quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from revcycle_checker import CheckInputs
    from revcycle_devstack.connections import RunningStack


def fail(text: str) -> NoReturn:
    """Say what is wrong and what to do, and end with status 1."""
    sys.stderr.write(f"revcycle: {text}\n")
    raise typer.Exit(1)


def running_stack(state_dir: Path | None) -> RunningStack:
    """The stack whose state is in this folder (default: .revcycle of the checkout)."""
    from revcycle_devstack import DevstackError
    from revcycle_devstack.connections import connect_to
    from revcycle_devstack.layout import default_state_folder

    try:
        return connect_to((state_dir or default_state_folder()).resolve())
    except DevstackError as missing:
        fail(str(missing))


def check_inputs(stack: RunningStack) -> CheckInputs:
    """Where the checker looks in this stack."""
    from revcycle_checker import CheckInputs
    from revcycle_devstack import DEVELOPMENT_TENANT, SERVICES

    state_dir = stack.connections.layout.root
    truth = state_dir / "truth.jsonl"
    return CheckInputs(
        database_urls={service: stack.connections.checker_url(service) for service in SERVICES},
        bootstrap_servers=stack.connections.kafka_bootstrap_servers,
        keyring_file=state_dir / "keys" / "checker.json",
        payer_dir=state_dir / "payer",
        truth_file=truth if truth.exists() else None,
        tenant_id=DEVELOPMENT_TENANT,
    )
