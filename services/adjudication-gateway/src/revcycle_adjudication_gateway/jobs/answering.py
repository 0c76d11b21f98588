"""Fetches what payers answer and reads it: kept first, acknowledged second, understood third."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from revcycle_service_kit import working

from revcycle_adjudication_gateway.clients.payer_door import MAILBOX_LIMIT, DoorClosed, MailboxItem, PayerDoor
from revcycle_adjudication_gateway.domain.backoff import backoff
from revcycle_adjudication_gateway.domain.inbound import Malformed, Reading, addressee, read
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.jobs.lanes import Lane, Lanes
from revcycle_adjudication_gateway.jobs.sending import Means
from revcycle_adjudication_gateway.repositories import interchanges, routes
from revcycle_adjudication_gateway.repositories.interchanges import Unread
from revcycle_adjudication_gateway.use_cases.take_answers import Came, keep_inbound, read_inbound

MAILBOX = "mailbox"
_ALL_LANES = 32
_PAGES_PER_FETCH = 50
_READ_PER_TURN = 200
_THREAD_FROM_BYTES = 8_192


class Fetcher:
    """Empties the mailboxes of all routes, each at its own pace. One instance at a time does this."""

    def __init__(self, means: Means, door: PayerDoor) -> None:
        self._means = means
        self._door = door
        self._lanes = Lanes(per_route=1, limit=_ALL_LANES)
        self._next: dict[Lane, datetime] = {}
        self._failures: dict[Lane, int] = {}

    async def turn(self) -> None:
        """Start fetching on each route whose time has come."""
        for tenant_id in await routes.tenants(self._means.database):
            now = self._means.new_cause(tenant_id).now
            async with self._means.database.unit_of_work(tenant_id, read_only=True) as uow:
                every = await routes.every(uow)
                names = await routes.own_names(uow)
            for route in every:
                lane = (tenant_id, route.payer_id)
                if self._next.get(lane, now) <= now and self._lanes.has_room(lane):
                    self._next[lane] = now + timedelta(seconds=route.poll_seconds)
                    self._lanes.start(lane, partial(self._fetch, tenant_id, route, names), partial(self._report, lane))

    async def close(self) -> None:
        """Let what is under way end."""
        await self._lanes.close()

    async def _fetch(self, tenant_id: UUID, route: Route, names: frozenset[str]) -> None:
        """Take what is addressed to us and leave the rest to others who share the mailbox."""
        for _ in range(_PAGES_PER_FETCH):
            items = await self._door.fetch(route)
            ours = [item for item in items if _is_for(names, item)]
            if ours:
                cause = self._means.new_cause(tenant_id)
                async with self._means.database.unit_of_work(tenant_id) as uow:
                    await keep_inbound(uow, cause, route.payer_id, [Came(item.raw, MAILBOX) for item in ours])
                await self._door.acknowledge(route, [item.id for item in ours])
            self._failures.pop((tenant_id, route.payer_id), None)
            if len(ours) < MAILBOX_LIMIT:
                return

    def _report(self, lane: Lane, error: Exception) -> None:
        """A closed mailbox is left alone for longer each time; nothing is lost, the payer keeps what is not taken."""
        failures = self._failures[lane] = self._failures.get(lane, 0) + 1
        pause = backoff(failures, first_seconds=1.0, limit_seconds=30.0)
        self._next[lane] = self._means.new_cause(lane[0]).now + pause
        if failures in (1, 10) or not isinstance(error, DoorClosed):
            self._means.failed("fetching", error)


class Reader:
    """Reads what was kept, oldest first. One instance at a time does this, so answers are read in their order."""

    def __init__(self, means: Means, policy: SendingPolicy) -> None:
        self._means = means
        self._policy = policy

    async def turn(self) -> None:
        """Read everything that waits, up to a limit."""
        for tenant_id in await routes.tenants(self._means.database):
            for _ in range(_READ_PER_TURN):
                if not await self._read_next(tenant_id):
                    break

    async def _read_next(self, tenant_id: UUID) -> bool:
        database = self._means.database
        now = self._means.new_cause(tenant_id).now
        async with database.unit_of_work(tenant_id, read_only=True) as uow:
            unread = await interchanges.next_unread(uow, now)
        if unread is None:
            return False
        try:
            understood = await _understand(unread)
            with working(database.tracer, "read answer"):
                async with database.unit_of_work(tenant_id) as uow:
                    await read_inbound(uow, unread, understood, self._policy)
        except Exception as error:
            # Whatever is wrong with one answer must not delay the next: it is tried again, later each time.
            await self._postpone(tenant_id, unread, now)
            self._means.failed("reading", error)
        return True

    async def _postpone(self, tenant_id: UUID, unread: Unread, now: datetime) -> None:
        async with self._means.database.unit_of_work(tenant_id) as uow:
            failures = await interchanges.count_failure(uow, unread.interchange_id)
            pause = backoff(max(failures, 1), first_seconds=1.0, limit_seconds=300.0)
            await interchanges.postpone(uow, unread.interchange_id, next_at=now + pause)


async def _understand(unread: Unread) -> Reading | Malformed:
    understand: Callable[[], Reading | Malformed] = partial(_read_or_say_why, unread.raw)
    return await asyncio.to_thread(understand) if len(unread.raw) > _THREAD_FROM_BYTES else understand()


def _read_or_say_why(raw: bytes) -> Reading | Malformed:
    try:
        return read(raw)
    except Malformed as malformed:
        return malformed


def _is_for(names: frozenset[str], item: MailboxItem) -> bool:
    """Whether an answer is addressed to us. What cannot be read is taken, so that it is seen and not left lying."""
    name = addressee(item.raw)
    return name is None or name in names
