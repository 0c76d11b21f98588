"""Waiting for a condition with a limit, and running a coroutine from synchronous code wherever it is called."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from revcycle_devstack import DevstackError
from revcycle_devstack.processes import ProcessIdentity

Result = TypeVar("Result")


def run_async(coroutine: Coroutine[object, object, Result]) -> Result:
    """Run a coroutine to its end on an event loop of its own; also works where another loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def wait_until_ready(
    what: str,
    probe: Callable[[], bool],
    process: ProcessIdentity | None,
    timeout_seconds: float,
    explain: Callable[[], str] = lambda: "",
) -> None:
    """Ask `probe` until it says yes.

    Raises:
        DevstackError: the process ended, or the time was up; the text ends with what `explain` tells (a log's end).
    """
    deadline = time.monotonic() + timeout_seconds
    while not probe():
        if process is not None and not process.is_alive():
            raise DevstackError(f"{what} ended before it was ready.\n{explain()}")
        if time.monotonic() >= deadline:
            raise DevstackError(f"{what} was not ready after {timeout_seconds:.0f} s.\n{explain()}")
        time.sleep(0.05)
