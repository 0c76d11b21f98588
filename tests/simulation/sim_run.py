"""One simulated run: steps, then no more faults until everything rests, then what is found."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from revcycle_messaging.testing import TENANT
from revcycle_service_kit.jobs import JobResult, resolve_jobs
from sim_business import Plan
from sim_checks import Violation, look_at_quarantine, look_at_topics, outcome_of
from sim_deeds import Deeds
from sim_machine import Machine
from sim_seams import PARTITIONS, Connections
from sim_steps import Sizes, Step
from sim_world import READERS, Result, World, nothing_left_to_chance

ROUNDS_LIMIT: Final = 3000
_PASSES_LIMIT: Final = 50
_IDLE: Final = ("fetch", "read")
"""Seams at which a part asks for work."""
_REST_SECONDS: Final = (20_000.0, 400.0, 400.0, 400.0, 400.0, 400.0)
"""Longer than any backoff; the first is longer than any follow-up."""
_FAILED_SQL: Final = "SELECT DISTINCT consumer FROM messaging.parked_event WHERE state = 'dead' OR attempts > 0"
_RESTING_SQL: Final = """
    SELECT (SELECT count(*) FROM messaging.outbox) AS outbox,
        (SELECT count(*) FROM messaging.stream WHERE parked_since IS NOT NULL) AS parked,
        (SELECT count(*) FROM messaging.job WHERE state <> 'done') AS jobs,
        (SELECT count(*) FROM messaging.timer WHERE name = 'follow-up') AS timers
"""


async def heal(world: World) -> None:
    """No more faults: everything runs, in turn, until nothing is left to do.

    Raises:
        Violation: it does not come to rest.
    """
    world.hospital.poison.bad.clear()
    for actor in world.machine.actors.values():
        actor.crash_at = actor.statements_until_error = actor.commit_fault = None
    resting = 0
    for _ in range(ROUNDS_LIMIT):
        worked = await _round(world)
        await world.after()
        if worked:
            resting = 0
            continue
        if resting and await _at_rest(world) is None:
            return
        if resting == len(_REST_SECONDS):
            break
        await _unstick(world)
        await world.machine.advance(_REST_SECONDS[resting])
        await world.after()
        resting += 1
    raise Violation(f"the system does not come to rest: {await _at_rest(world)}")


async def _round(world: World) -> bool:
    """Every part once: started if it is down, let on until it asks for more work; whether any had some."""
    worked = False
    for name in list(world.machine.actors):
        actor = world.machine.actors[name]
        if not actor.alive:
            if not _wanted(world, name):
                continue
            world.machine.start(actor)
            await world.machine.settle()
        for _ in range(_PASSES_LIMIT):
            if not actor.seams:
                break
            seam = actor.seams[-1]
            await world.machine.release(actor, seam)
            if seam.name in _IDLE and not (actor.seams and actor.seams[-1].name not in _IDLE):
                break
            worked = worked or seam.name not in _IDLE
    return worked


def _wanted(world: World, name: str) -> bool:
    """Whether a part that is down has something to do: a writer that has written everything has not."""
    encounter_id = name.removeprefix("writer-")
    return encounter_id == name or world.written[encounter_id] < len(world.versions[encounter_id])


async def _unstick(world: World) -> None:
    """What persons do when everything else rests: redrive what failed, ask about what is unknown."""
    looking = world.looking
    for row in await looking.fetch(_FAILED_SQL):
        await Deeds(world).do(Step("redrive", row["consumer"]))
    rows = await looking.fetch("SELECT job_id, payload FROM messaging.job WHERE state IN ('unknown', 'failed')")
    if rows:
        answers = {
            row["job_id"]: JobResult.done()
            if row["payload"]["claim"] in world.hospital.sent
            else JobResult.retry("not found", at=world.machine.now())
            for row in rows
        }
        async with world.databases[0].unit_of_work(TENANT) as uow:
            await resolve_jobs(uow, answers, world.machine.now())


async def _at_rest(world: World) -> str | None:
    """What is left to do, or None."""
    row = (await world.looking.fetch(_RESTING_SQL))[0]
    left = [f"{row[name]} in {name}" for name in ("outbox", "parked", "jobs", "timers") if row[name]]
    broker = world.transport.broker
    for topic, groups in READERS.items():
        for group in groups:
            for partition in range(PARTITIONS):
                place = (topic, partition)
                behind = len(broker.logs.get(place, [])) - broker.committed.get((group, place), 0)
                if behind:
                    left.append(f"{group} {behind} behind on {topic}/{partition}")
    return "; ".join(left) or None


async def finish(world: World) -> None:
    """Everything that must hold at rest. Raises Violation."""
    looking = world.looking
    await look_at_topics(looking, world.transport.broker, world.forged)
    await look_at_quarantine(looking, world.forged, READERS)
    world.result.outcome = await outcome_of(looking, world.hospital.sent)
    world.result.events = (await looking.fetch("SELECT count(*) FROM messaging.archive"))[0][0]
    world.result.duplicates = sum(consumer.duplicates for consumer in world.consumers)


async def simulate(
    machine: Machine,
    connections: Connections,
    seed: int,
    plan: Plan,
    sizes: Sizes,
    steps: Sequence[Step],
    plant: Callable[[World], AbstractContextManager[None]] = lambda world: nullcontext(),
) -> Result:
    """Run the steps, heal, check; a Violation is put into the result. ``plant`` breaks the world on purpose."""
    world = World(machine, connections, seed, plan, sizes)
    result = world.result
    deeds = Deeds(world)
    try:
        with nothing_left_to_chance(machine), plant(world):
            await world.open()
            for index, step in enumerate(steps):
                line = await deeds.do(step)
                if line is not None:
                    result.effective.append(index)
                    result.history.append(line)
                await world.after()
            result.history.append("no more faults; everything runs until it rests")
            await heal(world)
            await finish(world)
    except Violation as broken:
        result.violation = str(broken)
    finally:
        result.crashes = machine.crashes
        await world.close()
    return result
