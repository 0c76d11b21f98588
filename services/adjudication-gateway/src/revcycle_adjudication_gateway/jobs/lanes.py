"""Runs work per route side by side, so that a payer that falls silent delays nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

Lane = tuple[UUID, str]
"""A tenant and a payer: one route."""

PATIENCE_SECONDS: Final = 12.0


class Lanes:
    """At most ``per_route`` workers on a route and ``limit`` in all; a worker ends when its route has nothing to do."""

    def __init__(self, *, per_route: int, limit: int) -> None:
        self._per_route = per_route
        self._limit = limit
        self._running: dict[asyncio.Task[None], Lane] = {}
        self._closing = False

    @property
    def closing(self) -> bool:
        """No new work is to be begun."""
        return self._closing

    def has_room(self, lane: Lane) -> bool:
        """Whether another worker may start on this route."""
        on_route = sum(1 for running in self._running.values() if running == lane)
        return not self._closing and on_route < self._per_route and len(self._running) < self._limit

    def start(self, lane: Lane, work: Callable[[], Awaitable[None]], failed: Callable[[Exception], None]) -> None:
        """Start a worker on a route that has room; what it raises is handed to ``failed``."""

        async def run() -> None:
            try:
                await work()
            except Exception as error:
                failed(error)

        task = asyncio.create_task(run())
        self._running[task] = lane
        task.add_done_callback(lambda done: self._running.pop(done, None))

    async def close(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Begin nothing new, let what is under way end, and cut off what does not: it is then unknown, not lost."""
        self._closing = True
        if self._running:
            await asyncio.wait(self._running, timeout=patience_seconds)
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
