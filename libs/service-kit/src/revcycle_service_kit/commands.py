"""The edge of a request: one unit of work, opened, committed and answered here and nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel
from revcycle_messaging import Cause, Transient, UnitOfWork
from revcycle_messaging.tracing import current_work

from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.audit_log import record_command
from revcycle_service_kit.auth import Caller
from revcycle_service_kit.context import ServiceContext
from revcycle_service_kit.idempotency import KeyedRequest, StoredResponse, keyed_request, read_key, recall, remember
from revcycle_service_kit.ids import new_id

UseCase = Callable[[UnitOfWork, Cause], Awaitable["Reply"]]
ATTEMPTS: Final = 4
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a use case answers: status, body and headers such as ETag or Location."""

    status: int
    body: BaseModel | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def service_context(request: Request) -> ServiceContext:
    """The context of the service, for endpoints: ``context: Annotated[ServiceContext, Depends(service_context)]``."""
    context: ServiceContext = request.app.state.context
    return context


def request_cause(request: Request, caller: Caller) -> Cause:
    """A new request as the cause of what it changes."""
    if (work := current_work.get()) is not None:
        work.name = f"{request.method} {request.scope['route'].path}"
    now = service_context(request).clock.now()
    return Cause(
        tenant_id=caller.tenant_id,
        id=new_id(now),
        now=now,
        actor=caller.subject,
        traceparent=getattr(request.state, "traceparent", None),
    )


async def run_command(
    request: Request,
    caller: Caller,
    use_case: UseCase,
    *,
    idempotency: Literal["optional", "required", "none"] = "optional",
) -> Response:
    """Run a use case in one transaction of the caller's tenant and answer with its reply.

    Runs it again, for the same cause, when two transactions met crosswise; a use case has therefore no effect but
    through its unit of work.

    Raises:
        OutboxFull: the outbox is at its bound (answered 503).
        DatabaseBehind: the database was restored to the past (answered 503).
        BadRequest, Conflict, Unprocessable: rules of Idempotency-Key; and whatever the use case raises.
    """
    context = service_context(request)
    context.database.check_writes()
    key = None if idempotency == "none" else read_key(request, required=idempotency == "required")
    keyed = keyed_request(request, caller.subject, key, await request.body()) if key else None
    cause = request_cause(request, caller)
    attempt = 0
    while True:
        attempt += 1
        try:
            response = await _run_once(request, cause, use_case, keyed)
            request.state.recorded = True
            return response
        except Transient as failure:
            # Only what PostgreSQL itself rolled back (class 40) is certain to have had no effect.
            if attempt >= ATTEMPTS or "sqlstate=40" not in str(failure):
                raise
            await asyncio.sleep(0.01 * attempt)


async def _run_once(request: Request, cause: Cause, use_case: UseCase, keyed: KeyedRequest | None) -> Response:
    async with service_context(request).database.unit_of_work(cause.tenant_id) as uow:
        if keyed is not None and (stored := await recall(uow, keyed, cause.now)) is not None:
            await record_command(uow, request, cause.now, stored.status, stored.body)
            return _response(stored, {"idempotency-replayed": "true"})
        reply = await use_case(uow, cause)
        stored = StoredResponse(reply.status, reply.headers, body_bytes(reply.body))
        if keyed is not None:
            await remember(uow, keyed, stored, cause.now)
        await record_command(uow, request, cause.now, stored.status, stored.body)
    if len(uow.correlation_ids) == 1:
        (request.state.correlation_id,) = uow.correlation_ids
    return _response(stored, {})


def body_bytes(body: BaseModel | Mapping[str, Any] | None) -> bytes:
    """A body as JSON; empty for none."""
    if body is None:
        return b""
    if isinstance(body, BaseModel):
        return body.__pydantic_serializer__.to_json(body, by_alias=True)
    return orjson.dumps(body, default=_dump_model)


def _dump_model(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(type(value).__name__)


def _response(stored: StoredResponse, more: Mapping[str, str]) -> Response:
    return Response(stored.body, stored.status, {**stored.headers, **more}, _JSON if stored.body else None)


async def read_unit_of_work(request: Request, caller: CurrentCaller) -> AsyncIterator[UnitOfWork]:
    """A read-only transaction of the caller's tenant."""
    async with service_context(request).database.unit_of_work(caller.tenant_id, read_only=True) as uow:
        yield uow


ReadUnitOfWork = Annotated[UnitOfWork, Depends(read_unit_of_work, scope="function")]
"""``uow: ReadUnitOfWork`` in an endpoint; closed before the answer is sent."""
