"""Claims as it is in production, but for a fault that a test switches on: events that mention a text cannot be handled.

``python faulty_claims.py serve|migrate``. The texts stand in the file named by ``REVCYCLE_TEST_FAULTS``, one a line;
while the file is missing or empty, every event is handled. The exception repeats the whole event, patients and all, as
a careless library would.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from revcycle_claims.bootstrap import build
from revcycle_claims.settings import Settings
from revcycle_messaging import Handler, Received, UnitOfWork
from revcycle_service_kit.context import ServiceContext, ServiceParts
from revcycle_service_kit.program import main

FAULTS = "REVCYCLE_TEST_FAULTS"


def texts() -> list[str]:
    """What must not be mentioned now."""
    file = Path(os.environ[FAULTS])
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def faulty(handler: Handler) -> Handler:
    """The handler with the fault."""

    async def handle(uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
        if wrong := texts():
            for one in received:
                told = repr(one.event)
                if any(text in told for text in wrong):
                    raise KeyError(told)
        await handler(uow, received)

    return handle


def build_faulty(context: ServiceContext) -> ServiceParts:
    """The parts of claims, every handler with the fault."""
    parts = build(context)
    return replace(parts, handlers={contract: faulty(handler) for contract, handler in parts.handlers.items()})


if __name__ == "__main__":
    main(build_faulty, settings_class=Settings)
