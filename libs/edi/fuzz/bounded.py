"""A bound on the processor time of one execution, which a busy machine does not stretch as it does the clock's."""

import time
from collections.abc import Callable

_SECONDS = 1.0


def bounded(run_one: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target, failing when an input takes more than a second of processor time."""

    def run(data: bytes) -> None:
        started = time.process_time()
        run_one(data)
        if time.process_time() - started > _SECONDS:
            raise AssertionError("one input took more than a second")

    return run
