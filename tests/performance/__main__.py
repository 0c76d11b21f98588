"""Run the benchmarks: ``python tests/performance [--rounds N] [relay] [consume]``; figures go to the folder given."""

import argparse
import asyncio
import gc
from pathlib import Path

import bench_consume
import bench_relay
import uvloop
from harness import Surroundings, report, rounds_of, surroundings
from revcycle_devstack.layout import default_state_folder

NAMES = ("relay", "consume")


async def run_relay(around: Surroundings, rounds: int, folder: Path) -> bool:
    """The relay's line; True when the target is met."""
    database, made = await around.database("relay")
    found = await rounds_of("relay", rounds, lambda: bench_relay.relay_round(around, database, made.owner_url))
    await database.close()
    return report("relay", "events/s", found, bench_relay.TARGET, folder) >= bench_relay.TARGET


async def run_consume(around: Surroundings, rounds: int, folder: Path) -> bool:
    """The consumer's line; True when the target is met."""
    database, url = await bench_consume.prepare_consume(around)
    found = await rounds_of("consume", rounds, lambda: bench_consume.consume_round(around, database, url))
    await database.close()
    return report("consume", "events/s", found, bench_consume.TARGET, folder) >= bench_consume.TARGET


async def run(names: list[str], rounds: int, folder: Path) -> bool:
    """Run the named benchmarks one after the other on the same servers."""
    gc.freeze()
    # As a service sets it after its start.
    gc.set_threshold(50_000, 50, 50)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with surroundings(folder) as around:
        benches = {"relay": run_relay, "consume": run_consume}
        return all([await benches[name](around, rounds, folder) for name in names])


def main() -> None:
    """Read the arguments and run; a missed target is told in the figures, not in the status."""
    parser = argparse.ArgumentParser(description="Benchmarks of the chassis against floors of the same machine.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count, after one to warm up")
    parser.add_argument("--folder", type=Path, default=default_state_folder() / "bench", help="where the JSON goes")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(given.names or list(NAMES), given.rounds, given.folder.resolve()))


if __name__ == "__main__":
    main()
