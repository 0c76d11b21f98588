"""Where runs take place: one database and one loop per process; and what is done with a run: judged, made smaller."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import asyncpg
from revcycle_messaging import Database
from revcycle_messaging.testing import install_chassis, make_key_ring
from sim_business import TABLES, Plan, draw_plan
from sim_machine import Machine, SimulatedLoop
from sim_run import simulate
from sim_seams import Connections
from sim_steps import CALM_SIZES, Sizes, Step, draw_sizes, draw_steps
from sim_world import VACUUM_SQL, Result, World

T = TypeVar("T")
Plant = Callable[[World], AbstractContextManager[None]]
TRIES_LIMIT: Final = 120
_VACUUM_EVERY: Final = 100


@dataclass(frozen=True)
class Case:
    """Everything a run depends on."""

    seed: int
    plan: Plan
    sizes: Sizes
    steps: Sequence[Step] = field(repr=False)

    @classmethod
    def of(cls, seed: int) -> "Case":
        """The case of a seed."""
        plan = draw_plan(seed)
        return cls(seed, plan, draw_sizes(seed), draw_steps(seed, len(plan)))


class Ground:
    """Runs cases on one database. Not for use inside a running event loop."""

    def __init__(self, owner_url: str, service_role: str) -> None:
        logging.getLogger("revcycle_messaging").setLevel(logging.CRITICAL + 1)
        self._loop = SimulatedLoop()
        # Whoever dies leaves tasks behind whose last words nobody waits for.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._folder = tempfile.TemporaryDirectory(prefix="revcycle-simulation-")
        self._calm: dict[Plan, Result] = {}
        self._runs = 0
        self._connections = self._loop.run_until_complete(self._open(owner_url, service_role))

    async def _open(self, owner_url: str, service_role: str) -> Connections:
        await install_chassis(owner_url, service_role)
        connection = await asyncpg.connect(owner_url)
        await connection.execute(TABLES)
        await connection.close()
        keys = make_key_ring(Path(self._folder.name))
        return Connections(await Database.connect(owner_url, service="simulation", keys=keys, pool_size=1))

    def close(self) -> None:
        """Close the connections and the loop."""
        self._loop.run_until_complete(self._connections.close())
        self._loop.close()
        self._folder.cleanup()

    def run(self, case: Case, plant: Plant = lambda world: nullcontext()) -> Result:
        """Run a case and compare it with the calm run of the same plan."""
        calm = self._calm_run(case.plan)
        result = self._simulate(case, plant)
        if result.violation is None and result.outcome != calm.outcome:
            differing = [name for name in calm.outcome if result.outcome.get(name) != calm.outcome[name]]
            result.violation = f"at rest it differs from the calm run of the same seed: {', '.join(differing)}"
        return result

    def _calm_run(self, plan: Plan) -> Result:
        if plan not in self._calm:
            self._calm.clear()
            calm = self._calm[plan] = self._simulate(Case(0, plan, CALM_SIZES, ()), lambda world: nullcontext())
            if calm.violation is not None:
                calm.outcome = {"calm": calm.violation}
        return self._calm[plan]

    def _simulate(self, case: Case, plant: Plant) -> Result:
        self._runs += 1
        if self._runs % _VACUUM_EVERY == 0:
            self._loop.run_until_complete(self._vacuum())
        machine = Machine(self._loop)
        return self._loop.run_until_complete(
            simulate(machine, self._connections, case.seed, case.plan, case.sizes, case.steps, plant)
        )

    async def _vacuum(self) -> None:
        machine = Machine(self._loop)
        connection = await self._connections.take(machine)
        for statement in VACUUM_SQL:
            await machine.outside(lambda statement=statement: connection.execute(statement))  # type: ignore[misc]
        self._connections.give_back(connection)


def shrink(case: Case, fails: Callable[[Case], bool], tries: int = TRIES_LIMIT) -> Case:
    """A smaller case that still fails: fewer encounters, then fewer steps (delta debugging)."""
    left = [tries]

    def still(plan: Plan, steps: Sequence[Step]) -> bool:
        left[0] -= 1
        return left[0] >= 0 and fails(Case(case.seed, plan, case.sizes, steps))

    plan = case.plan
    for versions in case.plan:
        fewer_encounters = tuple(kept for kept in plan if kept != versions)
        if fewer_encounters and still(fewer_encounters, case.steps):
            plan = fewer_encounters
    return Case(case.seed, plan, case.sizes, _minimal(list(case.steps), lambda fewer: still(plan, fewer)))


def _minimal(items: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """Zeller's ddmin: drop ever smaller parts as long as it still fails."""
    if not items or fails([]):
        return []
    parts = 2
    while len(items) >= 2:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = items[:start] + items[start + size :]
            if fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(items):
                break
            parts = min(len(items), parts * 2)
    return items


def find(ground: Ground, plant: Plant, seeds: Sequence[int]) -> tuple[Case, Result] | None:
    """The first of the seeds whose run breaks a promise, cut off where it broke."""
    for seed in seeds:
        case = Case.of(seed)
        result = ground.run(case, plant)
        if result.violation is not None:
            return cut(case, result), result
    return None


def cut(case: Case, result: Result) -> Case:
    """The case without what came after the violation, and without steps that did nothing."""
    return Case(case.seed, case.plan, case.sizes, [case.steps[index] for index in result.effective])


def shrunk(ground: Ground, case: Case, plant: Plant = lambda world: nullcontext()) -> tuple[Case, Result]:
    """The smallest failing case found, and its run."""

    def fails(smaller: Case) -> bool:
        return ground.run(smaller, plant).violation is not None

    small = shrink(case, fails)
    return small, ground.run(small, plant)
