"""Runs a stack for a person: in the foreground until Ctrl-C, or by a supervisor of its own in the background."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from revcycle_devstack import DevstackError
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.processes import Command, ProcessIdentity, last_lines
from revcycle_devstack.stack import AlreadyRunningError, Stack
from revcycle_devstack.state import read_state, supervisor_of

_DETACHED_READY_SECONDS: Final = 300.0


def run_in_foreground(options: StackOptions, progress: Callable[[str], None], ready: Callable[[Stack], None]) -> None:
    """Start a stack and keep it alive; see `run_until_stopped`."""
    run_until_stopped(Stack(options, progress), progress, ready)


def run_until_stopped(stack: Stack, progress: Callable[[str], None], ready: Callable[[Stack], None]) -> None:
    """Start, call `ready`, and keep everything alive until SIGINT (Ctrl-C) or SIGTERM; then stop everything.

    Raises:
        DevstackError: something could not be started.
    """
    # SIGTERM (`down`) and SIGHUP (a closed terminal) take the same way out as Ctrl-C; a shell that runs us in the
    # background made us ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with stack:
            ready(stack)
            threading.Event().wait()
    except KeyboardInterrupt:
        progress("everything stopped")


def detached_arguments(options: StackOptions) -> tuple[str, ...]:
    """Command line of the background supervisor for these options; see `__main__`."""
    arguments = [
        *(sys.executable, "-m", "revcycle_devstack"),
        *("--state-dir", str(options.state_dir)),
        *("--instances", str(options.instances)),
        *("--seed", str(options.seed)),
        *("--trace-ratio", str(options.trace_ratio)),
    ]
    for simulator in options.simulators:
        arguments += ["--simulator", simulator]
    if options.business_date is not None:
        arguments += ["--business-date", options.business_date.isoformat()]
    if options.fresh:
        arguments.append("--fresh")
    return tuple(arguments)


def run_detached(options: StackOptions, progress: Callable[[str], None]) -> None:
    """Start a supervisor in a session of its own and return when the stack is ready.

    Raises:
        AlreadyRunningError: a stack runs from this folder already.
        DevstackError: it could not be started; the text ends with what the supervisor said.
    """
    layout = StateLayout(options.state_dir)
    earlier = supervisor_of(layout)
    if earlier is not None:
        raise AlreadyRunningError(f"a stack runs from {layout.root} already (supervisor: pid {earlier.pid})")
    log_file = layout.root / "supervisor.log"
    log_file.unlink(missing_ok=True)
    # The supervisor may empty the folder; its own log is not among what it removes.
    process = Command(detached_arguments(options), dict(os.environ), log_file).start()
    identity = ProcessIdentity.of(process.pid)
    shown = 0
    deadline = time.monotonic() + _DETACHED_READY_SECONDS
    while True:
        lines = last_lines(log_file, 1000).splitlines()
        for line in lines[shown:]:
            progress(line)
        shown = len(lines)
        recorded = read_state(layout)
        if recorded is not None and recorded.ready and recorded.supervisor == identity:
            return
        if process.poll() is not None:
            raise DevstackError(f"the supervisor ended; {log_file} ends with:\n{last_lines(log_file)}")
        if time.monotonic() >= deadline:
            raise DevstackError(
                f"not ready after {_DETACHED_READY_SECONDS:.0f} s; see {log_file}, then `revcycle down`"
            )
        time.sleep(0.1)
