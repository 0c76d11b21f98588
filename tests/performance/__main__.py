"""Run the benchmarks: ``python tests/performance [--rounds N] [NAME...]``; figures go to the folder given."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from pathlib import Path

import uvloop
from ground import Ground
from harness import Bench, Outcome, chosen, discover, run_bench, table, tell
from revcycle_devstack.layout import default_state_folder


async def run(benches: list[Bench], rounds: int, folder: Path) -> list[Outcome]:
    """Run the benchmarks one after the other on the same servers."""
    # A client's remarks on topics that were made a moment ago stand in nobody's way.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    gc.freeze()
    # As a service sets it after its start.
    gc.set_threshold(50_000, 50, 50)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    ground = Ground(folder)
    found: list[Outcome] = []
    try:
        for bench in benches:
            found += await run_bench(bench, ground, rounds, folder)
    finally:
        await ground.close()
    return found


def main() -> None:
    """Read the arguments and run; a missed target is told in the figures, not in the status."""
    parser = argparse.ArgumentParser(
        description="Benchmarks against floors of the same machine, measured in the same rounds."
    )
    parser.add_argument("names", nargs="*", help="which, by their own name or that of a line (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count, after those to warm up")
    parser.add_argument("--folder", type=Path, default=default_state_folder() / "bench", help="where the JSON goes")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    given = parser.parse_args()
    try:
        benches = chosen(discover(), given.names)
    except ValueError as refusal:
        parser.error(str(refusal))
    if given.list:
        sys.stdout.writelines(f"{bench.name}: {', '.join(line.name for line in bench.lines)}\n" for bench in benches)
        return
    # However it is ended, the servers it started end with it.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(run(benches, given.rounds, given.folder.resolve()))
    tell("\n" + table(outcomes))
    tell(f"\nfigures: {given.folder}")


if __name__ == "__main__":
    main()
