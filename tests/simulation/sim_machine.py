"""The machine a simulated system runs on: its time, the seams at which its parts wait, its faults.

Every part of the chassis (relay, member of a consumer, worker) runs its real loop as a task. Wherever it would wait
for the world outside (a fetch, a transaction, a send, a commit of offsets) it waits at a *seam* until the scheduler
lets it go on. Only one part runs at a time, and time stands still unless it is moved, so what happens is a function of
what the scheduler chooses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from revcycle_messaging.crash_points import arm, disarm
from revcycle_messaging.testing import START

T = TypeVar("T")
CRASH_POINTS = (
    "before_commit",
    "after_commit",
    "consumer_before_offsets",
    "consumer_after_offsets",
    "relay_before_send",
    "relay_after_send",
    "relay_after_archive",
)
_ACTOR: ContextVar[str] = ContextVar("actor", default="")


class Crash(BaseException):
    """The process dies here: nothing catches it, nothing after it runs."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still until it is moved."""

    seconds = 0.0
    _ready: Any

    def time(self) -> float:
        """Simulated seconds since the start of the run."""
        return self.seconds

    @property
    def busy(self) -> bool:
        """Whether any callback is ready to run."""
        return bool(self._ready)


@dataclass
class Seam:
    """A part that waits; ``outcome`` is what the scheduler lets happen there instead of the ordinary."""

    name: str
    released: "asyncio.Future[str]"


@dataclass
class Actor:
    """One part of the system: a task that may die and be started again."""

    name: str
    make: Callable[[], Coroutine[Any, Any, None]]
    seams: list[Seam] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    dying: bool = False
    crash_at: str | None = None
    statements_until_error: int | None = None
    commit_fault: str | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.task is not None and not self.task.done()


class Machine:
    """Actors, their seams and their faults.

    Attributes:
        acts: counts what changed the world (commits, sends, offsets), so that rest can be told from work.
        crashes: how many actors died.
        rewrite, sift: let a planted bug change a statement on its way, and the rows on their way back.
    """

    def __init__(self, loop: SimulatedLoop) -> None:
        self.loop = loop
        loop.seconds = 0.0
        self.actors: dict[str, Actor] = {}
        self.acts = 0
        self.crashes = 0
        self.rewrite: Callable[[str], str] = lambda sql: sql
        self.sift: Callable[[str, Any], Any] = lambda sql, rows: rows
        self._in_flight = 0
        self._idle: asyncio.Future[None] | None = None
        for point in CRASH_POINTS:
            arm(point, lambda point=point: self._pass_point(point))  # type: ignore[misc]  # a bound default

    def now(self) -> datetime:
        """Simulated time, aware UTC."""
        return START + timedelta(seconds=self.loop.seconds)

    # Actors

    def add(self, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> Actor:
        """Register a part without starting it."""
        self.actors[name] = Actor(name, make)
        return self.actors[name]

    def start(self, actor: Actor) -> None:
        """Start a part that does not run."""
        actor.dying, actor.crash_at, actor.statements_until_error, actor.commit_fault = False, None, None, None
        actor.seams.clear()
        context = copy_context()
        context.run(_ACTOR.set, actor.name)
        actor.task = self.loop.create_task(actor.make(), context=context)

    @property
    def current(self) -> Actor | None:
        """The part whose code is running, None for the scheduler's own."""
        return self.actors.get(_ACTOR.get())

    async def seam(self, name: str) -> str:
        """Wait until let go on; returns the outcome the scheduler chose, empty for the ordinary. Crash: die."""
        actor = self.current
        if actor is None:
            return ""
        if actor.dying:
            raise Crash
        seam = Seam(name, self.loop.create_future())
        actor.seams.append(seam)
        try:
            return await seam.released
        finally:
            if seam in actor.seams:
                actor.seams.remove(seam)

    async def release(self, actor: Actor, seam: Seam, outcome: str = "") -> None:
        """Let a part go on at a seam and wait until it stands again."""
        actor.seams.remove(seam)
        seam.released.set_result(outcome)
        await self.settle()

    async def kill(self, actor: Actor) -> None:
        """The part dies where it stands."""
        actor.dying = True
        seams, actor.seams = actor.seams, []
        for seam in seams:
            seam.released.set_exception(Crash())
        if not seams and actor.task is not None:
            actor.task.cancel()
        await self.settle()
        if actor.alive and actor.task is not None:
            actor.task.cancel()
            await self.settle()
        self.note_deaths()

    def note_deaths(self) -> None:
        """Count the parts that have died since they were last looked at; raises what should not have ended one."""
        for actor in self.actors.values():
            if actor.task is not None and actor.task.done():
                failure = Crash() if actor.task.cancelled() else actor.task.exception()
                if isinstance(failure, Crash):
                    self.crashes += 1
                elif failure is not None:
                    raise failure
                actor.task = None

    async def stop_all(self) -> None:
        """End every part, for good."""
        disarm()
        for actor in self.actors.values():
            if actor.alive:
                with suppress(Exception):
                    await self.kill(actor)

    # Time and rest

    async def advance(self, seconds: float) -> None:
        """Move the clock; what was due in between happens now."""
        self.loop.seconds += seconds
        await self.settle()

    async def settle(self) -> None:
        """Wait until every part stands at a seam, sleeps or is gone."""
        while True:
            if self._in_flight:
                self._idle = self.loop.create_future()
                await self._idle
            await asyncio.sleep(0)
            if not self._in_flight and not self.loop.busy:
                return

    async def outside(self, act: Callable[[], Awaitable[T]]) -> T:
        """Something that takes real time: a statement of the database."""
        self._in_flight += 1
        try:
            return await act()
        finally:
            self._in_flight -= 1
            if not self._in_flight and self._idle is not None and not self._idle.done():
                self._idle.set_result(None)

    # Faults

    def _pass_point(self, point: str) -> None:
        actor = self.current
        if actor is not None and actor.crash_at == point:
            actor.crash_at = None
            actor.dying = True
            raise Crash

    def statement_fails(self) -> bool:
        """Whether the statement about to run shall find its connection gone."""
        actor = self.current
        if actor is None or actor.statements_until_error is None:
            return False
        actor.statements_until_error -= 1
        if actor.statements_until_error > 0:
            return False
        actor.statements_until_error = None
        return True

    def take_commit_fault(self) -> str | None:
        """What shall go wrong with the commit about to be sent: ``lost`` or ``unanswered``."""
        actor = self.current
        if actor is None:
            return None
        fault, actor.commit_fault = actor.commit_fault, None
        return fault
