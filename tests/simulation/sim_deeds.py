"""What each step does to the system; faults are put where a part stands, or kept for when it gets there."""

import random
from collections.abc import Awaitable, Callable

from revcycle_messaging.interventions import Selection, redrive
from revcycle_messaging.transports import OutgoingRecord
from sim_machine import Actor
from sim_steps import Step
from sim_world import READERS, World


class Deeds:
    """Does steps in a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._machine = world.machine
        self._broker = world.transport.broker

    async def do(self, step: Step) -> str | None:
        """Do a step; what it did, or None when there was nothing to do."""
        act: Callable[[Step], Awaitable[str | None]] = getattr(self, f"_{step.kind}")
        return await act(step)

    async def _go(self, step: Step) -> str | None:
        actor = self._machine.actors[step.who]
        passed = []
        for _ in range(int(step.count)):
            if not actor.seams:
                break
            seam = actor.seams[-1]
            passed.append(seam.name)
            await self._machine.release(actor, seam)
        return f"{step.who} goes on: {', '.join(passed)}" if passed else None

    async def _write(self, step: Step) -> str | None:
        actor = self._machine.actors.get(f"writer-{step.who}")
        if actor is None or actor.alive or self._world.written[step.who] >= len(self._world.versions[step.who]):
            return None
        version = self._world.written[step.who] + 1
        self._machine.start(actor)
        how, _, what = step.how.partition(" ")
        if how == "dies":
            actor.crash_at = what
        elif how == "commit":
            actor.commit_fault = what
        elif how == "statement":
            actor.statements_until_error = 3
        await self._machine.settle()
        if step.how != "held":
            await self._release_all(actor)
        return f"{step.who} version {version} is written{f' ({step.how})' if step.how else ''}"

    async def _release(self, step: Step) -> str | None:
        actor = self._machine.actors.get(f"writer-{step.who}")
        if actor is None or not actor.seams:
            return None
        await self._release_all(actor)
        return f"the held transaction of {step.who} commits"

    async def _release_all(self, actor: Actor) -> None:
        while actor.seams:
            await self._machine.release(actor, actor.seams[0])

    async def _tick(self, step: Step) -> str | None:
        await self._machine.advance(step.count)
        return f"{step.count:g} s pass"

    async def _outcome_at(self, part: str, seam_name: str, outcome: str) -> bool:
        actor = self._machine.actors[part]
        seam = next((seam for seam in actor.seams if seam.name == seam_name), None)
        if seam is None:
            return False
        await self._machine.release(actor, seam, outcome)
        return True

    async def _send(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "send", f"{step.how} {step.count:g}")
        return f"{step.who} sends: {step.how} at record {step.count:g}" if done else None

    async def _offsets(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "offsets", "lost")
        return f"{step.who} commits offsets to no effect" if done else None

    async def _drop(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "fetch", "dropped")
        return f"{step.who} loses its broker connection" if done else None

    async def _unanswered(self, step: Step) -> str | None:
        done = await self._outcome_at(step.who, "transmit", "lost")
        return f"{step.who} transmits and gets no answer" if done else None

    async def _crash(self, step: Step) -> str | None:
        self._machine.actors[step.who].crash_at = step.how
        return f"{step.who} will die at {step.how}"

    async def _kill(self, step: Step) -> str | None:
        actor = self._machine.actors[step.who]
        if not actor.alive:
            return None
        where = ", ".join(seam.name for seam in actor.seams) or "asleep"
        await self._machine.kill(actor)
        return f"{step.who} is killed ({where})"

    async def _start(self, step: Step) -> str | None:
        actor = self._machine.actors[step.who]
        if actor.alive:
            return None
        self._machine.start(actor)
        await self._machine.settle()
        return f"{step.who} starts again"

    async def _break(self, step: Step) -> str | None:
        self._machine.actors[step.who].statements_until_error = int(step.count)
        return f"{step.who} will lose its database connection at statement {step.count:g} from now"

    async def _commit_fault(self, step: Step) -> str | None:
        self._machine.actors[step.who].commit_fault = step.how
        return f"{step.who} will have its next commit {step.how}"

    async def _expel(self, step: Step) -> str | None:
        group, _, number = step.who.rpartition("-")
        for member in self._broker.groups.get(group, []):
            if member.member == number:
                self._broker.groups[group].remove(member)
                member.next_offsets = {}
                self._broker.rebalance(group)
                return f"{step.who} is thrown out of its group and does not know"
        return None

    async def _rebalance(self, step: Step) -> str | None:
        self._broker.rebalance(step.who)
        return f"the group {step.who} rebalances"

    async def _sever(self, step: Step) -> str | None:
        for database in self._world.databases:
            if step.who in database.direct and self._machine.actors[step.who].alive:
                await database.direct[step.who].sever()
                return f"{step.who} loses its locks and has not noticed"
        return None

    async def _duplicate(self, step: Step) -> str | None:
        """Some records once more, shuffled across keys, in order within each."""
        chance = random.Random(step.how)
        places = sorted(place for place, log in self._broker.logs.items() if log)
        if not places:
            return None
        place = chance.choice(places)
        log = self._broker.logs[place]
        start = chance.randrange(len(log))
        wanted = range(start, min(len(log), start + chance.randint(1, 8)))
        runs: dict[str, list[OutgoingRecord]] = {}
        for offset in wanted:
            if (*place, offset) not in self._world.forged:
                runs.setdefault(log[offset].key, []).append(log[offset])
        for _ in range(int(step.count)):
            order = [key for key, records in runs.items() for _ in records]
            chance.shuffle(order)
            again = {key: list(records) for key, records in runs.items()}
            for key in order:
                self._broker.append(again[key].pop(0))
        return f"{len(wanted)} records of {place[0]}/{place[1]} from {start} arrive {step.count:g} more times"

    async def _rewind(self, step: Step) -> str | None:
        committed = self._broker.committed
        for group, place in committed:
            if group == step.who:
                committed[group, place] = max(0, committed[group, place] - int(step.count))
        self._broker.rebalance(step.who)
        return f"the offsets of {step.who} go back by {step.count:g}"

    async def _forge(self, step: Step) -> str | None:
        """A record with one byte of its amounts changed."""
        chance = random.Random(step.how)
        logs = self._broker.logs
        genuine_at = [
            (place, offset)
            for place in sorted(logs)
            for offset in range(len(logs[place]))
            if place[0] in READERS and (*place, offset) not in self._world.forged
        ]
        if not genuine_at:
            return None
        place, offset = chance.choice(genuine_at)
        log = logs[place]
        genuine = log[offset]
        at = genuine.value.index(b":[") + 2 if b":[" in genuine.value else 2
        byte = b"1" if genuine.value[at : at + 1] != b"1" else b"2"
        self._world.forged.add((*place, len(log)))
        self._broker.append(
            OutgoingRecord(
                genuine.topic, genuine.key, genuine.value[:at] + byte + genuine.value[at + 1 :], genuine.headers
            )
        )
        return f"a forged record of {genuine.key} arrives on {place[0]}/{place[1]}"

    async def _poison(self, step: Step) -> str | None:
        encounter_id, _, mode = step.how.partition(" ")
        if encounter_id not in self._world.versions:
            return None
        self._world.hospital.poison.bad[step.who, encounter_id] = mode
        return f"{step.who} fails on {encounter_id} from now on: {mode}"

    async def _deploy(self, step: Step) -> str | None:
        self._world.hospital.poison.bad[step.who, None] = step.how
        return f"a bad version of {step.who} is deployed: {step.how}"

    async def _fix(self, step: Step) -> str | None:
        bad = self._world.hospital.poison.bad
        gone = [key for key in bad if key[0] == step.who]
        for key in gone:
            del bad[key]
        return f"{step.who} is corrected" if gone else None

    async def _redrive(self, step: Step) -> str | None:
        count = await redrive(
            self._world.databases[0],
            Selection(step.who),
            actor="simulated biller",
            reason="simulated",
            now=self._machine.now(),
        )
        self._world.result.interventions += count
        return f"{count} failed events of {step.who} are redriven" if count else None
