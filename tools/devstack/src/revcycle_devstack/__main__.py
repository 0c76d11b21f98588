"""The background supervisor: `python -m revcycle_devstack`, started by `revcycle up --detach`."""

import argparse
import sys
from datetime import date
from pathlib import Path

from revcycle_devstack import DevstackError
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.runner import run_in_foreground


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run a stack until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m revcycle_devstack", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--instances", type=int, default=1)
    parser.add_argument("--simulator", action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--business-date", type=date.fromisoformat)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--trace-ratio", type=float, default=0)
    given = parser.parse_args()
    options = StackOptions(
        state_dir=given.state_dir,
        instances=given.instances,
        simulators=tuple(given.simulator),
        seed=given.seed,
        business_date=given.business_date,
        fresh=given.fresh,
        trace_ratio=given.trace_ratio,
    )
    try:
        run_in_foreground(options, _say, lambda stack: None)
    except DevstackError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
