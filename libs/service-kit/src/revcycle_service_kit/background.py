"""Periodic work: every instance, or the one that holds the advisory lock of that name."""

import asyncio
import zlib
from typing import Any, Final

from revcycle_messaging import MessagingError
from revcycle_messaging.database import translated_errors
from revcycle_messaging.waiting import wait_for_event

from revcycle_service_kit.context import Background, ServiceContext
from revcycle_service_kit.telemetry import working

LOCK_CLASS: Final = zlib.crc32(b"revcycle-background") & 0x7FFFFFFF
LEADER_RETRY_SECONDS: Final = 2.0


class BackgroundWorker:
    """Runs one :class:`Background` until stopped; a failed call is logged and the next one comes in its time."""

    def __init__(self, work: Background, context: ServiceContext) -> None:
        self._work = work
        self._context = context
        self._stopping = asyncio.Event()
        self._connection: Any = None
        self._holds_lock = False

    def stop(self) -> None:
        """Finish the call in hand, then return from ``run``."""
        self._stopping.set()

    async def run(self) -> None:
        """Call again and again until stopped."""
        try:
            while not self._stopping.is_set():
                pause = self._work.every_seconds
                try:
                    if not self._work.leader or await self._leads():
                        with working(self._context.tracer, self._work.name):
                            await self._work.run(self._context)
                    else:
                        pause = max(pause, LEADER_RETRY_SECONDS)
                except MessagingError as failure:
                    pause = max(pause, LEADER_RETRY_SECONDS)
                    self._context.log.warning("background work waits", name=self._work.name, reason=str(failure))
                except Exception as failure:
                    pause = max(pause, LEADER_RETRY_SECONDS)
                    self._context.metrics.component_failures.labels(self._work.name).inc()
                    self._context.log.error("background work failed", exc_info=failure, name=self._work.name)
                await wait_for_event(self._stopping, pause)
        finally:
            self._resign()

    async def _leads(self) -> bool:
        """Whether this instance holds the lock; a lock lives as long as its connection, which is asked each time."""
        if self._connection is None:
            self._connection = await self._context.database.direct_connection(f"{self._work.name}-leader")
        try:
            with translated_errors():
                if self._holds_lock:
                    await self._connection.execute("SELECT 1")
                else:
                    self._holds_lock = await self._connection.fetchval(
                        "SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, zlib.crc32(self._work.name.encode()) >> 1
                    )
        except BaseException:
            self._resign()
            raise
        return self._holds_lock

    def _resign(self) -> None:
        """Drop the connection, and with it the lock."""
        connection, self._connection, self._holds_lock = self._connection, None, False
        if connection is not None:
            connection.terminate()
