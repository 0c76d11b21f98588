"""Chassis: five stages with everything that keeps events, and no business rules.

Floor: the same five without seal, stream rows and archive, on msgspec.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fleet import Fleet, fleet, percentiles
from ground import Ground
from harness import Bench, Line, Measure, OneRound, Round

CLAIMS = 4_000
LATENCY_CLAIMS = 100
LATENCY_PER_SECOND = 20


@asynccontextmanager
async def prepare(ground: Ground) -> AsyncIterator[OneRound]:
    """Both fleets, for all rounds; one rests while the other works."""
    servers = await ground.servers()
    async with fleet("chassis", servers) as ours, fleet("floor", servers) as floor:

        async def one_round() -> Mapping[str, Round]:
            base, value = await floor.throughput(CLAIMS), await ours.throughput(CLAIMS)
            return {"chassis": Round(value, base)} | await latency_round(ours, floor)

        yield one_round


async def latency_round(ours: Fleet, floor: Fleet) -> dict[str, Round]:
    """Commit in stage 1 to commit in stage 5, at 20 a second."""
    base = percentiles(await floor.latencies(LATENCY_CLAIMS, LATENCY_PER_SECOND))
    value = percentiles(await ours.latencies(LATENCY_CLAIMS, LATENCY_PER_SECOND))
    names = ("chassis-latency-p50", "chassis-latency-p99")
    return {name: Round(Measure(value[at]), Measure(base[at])) for at, name in enumerate(names)}


LINES = (
    Line("chassis", "encounters/s", ratio_min=0.5),
    Line("chassis-latency-p50", "ms", lower_is_better=True),
    Line("chassis-latency-p99", "ms", lower_is_better=True),
)
BENCHES = (Bench("chassis", LINES, prepare),)
