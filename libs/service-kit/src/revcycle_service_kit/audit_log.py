"""Writes the audit of a service's HTTP door.

What a command did is written in the command's own transaction. Everything else is written in chunks, many requests in
one transaction, and an answer leaves only when its row is committed: without the audit there is no access.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from revcycle_messaging import Database, MissingKey, Transient, UnitOfWork
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from revcycle_service_kit.access import Permission
from revcycle_service_kit.audit import CHAINS, READ_CHAIN, UUID_TEXT, Access, Place, append, ids_in
from revcycle_service_kit.auth import Caller
from revcycle_service_kit.context import ServiceContext
from revcycle_service_kit.problems import ServiceUnavailable

QUEUE: Final = 1000
"""Accesses that may wait to be written; more are answered 503, and nothing of them is shown."""
CHUNK: Final = 200


class AuditLog:
    """Writes accesses that have no transaction of their own. One chunk is under way at a time."""

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service
        self._waiting: deque[tuple[UUID, Access, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def record(self, tenant_id: UUID, access: Access) -> None:
        """Return when the access is committed.

        Raises:
            ServiceUnavailable: too many wait.
            Transient: the database is away.
        """
        if len(self._waiting) >= QUEUE:
            raise ServiceUnavailable("too many requests wait for the audit", 1, code="overloaded")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((tenant_id, access, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="audit")
        await done

    async def _write(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
            by_tenant: dict[UUID, list[tuple[Access, asyncio.Future[None]]]] = {}
            for tenant_id, access, done in taken:
                by_tenant.setdefault(tenant_id, []).append((access, done))
            for tenant_id, accesses in by_tenant.items():
                await self._write_chunk(tenant_id, accesses)

    async def _write_chunk(self, tenant_id: UUID, accesses: Sequence[tuple[Access, asyncio.Future[None]]]) -> None:
        failure: Exception | None = None
        try:
            await write(self._database, Place(self._service, tenant_id, READ_CHAIN), [access for access, _ in accesses])
        except Exception as found:
            failure = found
        for _, done in accesses:
            if done.done():
                continue
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)


async def write(database: Database, place: Place, accesses: Sequence[Access]) -> None:
    """Add accesses in a transaction of their own, also while a restored database takes no other writes."""
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.tenant', $1, true)", str(place.tenant_id))
        await append(connection, database.keys, place, accesses)


async def record_command(uow: UnitOfWork, request: Request, now: datetime, status: int, body: bytes) -> None:
    """Write what a command did into its own transaction, as the last thing there."""
    access = _access(request.scope, now, status, body)
    if access is None:
        return
    await uow.flush()
    chain = 1 + int.from_bytes(access.request_id.encode()[-4:], "big") % (CHAINS - 1)
    service = request.app.state.context.settings.service_name
    await append(uow, request.app.state.context.keyring, Place(service, uow.tenant_id, chain), [access])


def _access(scope: Scope, now: datetime, status: int, body: bytes) -> Access | None:
    """The access a request is; None when nothing of a patient was meant, or nothing was touched."""
    state = scope["state"]
    caller: Caller | None = state.get("caller")
    permission: Permission | None = state.get("permission")
    if caller is None or permission is None or permission.data is None:
        return None
    if status in (400, 401, 429) or status >= 500 or state.get("invalid"):
        return None
    named = tuple(UUID(each) for each in scope["path_params"].values() if UUID_TEXT.fullmatch(each.lower()))
    return Access(
        at=now,
        subject=caller.subject,
        roles=tuple(sorted(caller.roles)),
        operation=scope["route"].name,
        data=permission.data,
        about=tuple(dict.fromkeys((*named, *ids_in(body)))),
        status=status,
        request_id=state["request_id"],
    )


def _shows_nothing(status: int, body: bytes) -> bool:
    """Whether an answer is a refusal or an empty page."""
    if status >= 400:
        return True
    page = orjson.loads(body or b"null")
    return isinstance(page, dict) and page.get("items") == []


class AuditMiddleware:
    """Keeps an audited answer back until it is recorded; also says what is left of the rate limit."""

    def __init__(self, app: ASGIApp, context: ServiceContext) -> None:
        self._app = app
        self._context = context
        self._log = AuditLog(context.database, context.settings.service_name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through.

        Raises:
            ServiceUnavailable: the access cannot be recorded; nothing of the answer has left.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kept: list[Message] = []

        async def keep_or_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(scope["state"].get("rate_headers", {}))
            if kept or self._needs_row(scope):
                kept.append(message)
            else:
                await send(message)

        await self._app(scope, receive, keep_or_send)
        if kept:
            await self._record(scope, kept[0]["status"], b"".join(message.get("body", b"") for message in kept))
        for message in kept:
            await send(message)

    def _needs_row(self, scope: Scope) -> bool:
        state: dict[str, Any] = scope["state"]
        permission: Permission | None = state.get("permission")
        return permission is not None and permission.data is not None and not state.get("recorded")

    async def _record(self, scope: Scope, status: int, body: bytes) -> None:
        access = _access(scope, self._context.clock.now(), status, body)
        if access is None:
            return
        try:
            await self._log.record(scope["state"]["caller"].tenant_id, access)
        except Transient as failure:
            self._context.log.error("the audit cannot be written", exc_info=failure, request_id=access.request_id)
            raise ServiceUnavailable("the access cannot be recorded; repeat the request", 2) from None
        except MissingKey as failure:
            # A tenant without keys has nothing here, and nothing to chain a row with. What shows something all the
            # same, because a ring lost its keys, is not shown.
            self._context.log.error("no key to record accesses with", exc_info=failure, request_id=access.request_id)
            if _shows_nothing(status, body):
                return
            raise ServiceUnavailable("the access cannot be recorded; the key ring lacks a key", 60) from None
