"""The payer's door: HTTPS routes over the desk."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from revcycle_payer_simulator.benefit_plan import PAYER_IDS
from revcycle_payer_simulator.desk import Desk, DisownedError
from revcycle_payer_simulator.faults import SILENT_BEFORE_BYTES
from revcycle_payer_simulator.reception import Arrival, read_arrival
from revcycle_payer_simulator.x12 import IncompleteInterchangeError

CONTENT_TYPE = "application/edi-x12"
LARGEST_INTERCHANGE_BYTES = 8 * 1024 * 1024
_LARGEST_JSON_BYTES = 256 * 1024
_MOST_ITEMS = 500
_MOST_ACKNOWLEDGED = 1000
_PARSED_IN_PLACE_BYTES = 16 * 1024
_LONGEST_SILENCE_SECONDS = 3600


class _RefusedError(Exception):
    """A request that gets a problem document."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.response = JSONResponse(
            {"type": "about:blank", "title": title, "status": status, "detail": detail},
            status,
            media_type="application/problem+json",
        )


def create_app(desk: Desk) -> Starlette:
    """The application of the door. Its lifespan remits what is due and closes the desk's files."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        remitting = asyncio.create_task(desk.remit_forever())
        remitting.add_done_callback(_report)
        try:
            yield
        finally:
            remitting.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await remitting
            desk.close()

    door = _Door(desk)
    routes = [
        Route("/livez", door.livez),
        Route("/owed", door.owed),
        Route("/faults", door.faults),
        Route("/faults", door.plan_faults, methods=["POST"]),
        Route("/routes/{payer_id}/interchanges", door.interchanges, methods=["POST"]),
        Route("/routes/{payer_id}/mailbox", door.mailbox),
        Route("/routes/{payer_id}/mailbox:acknowledge", door.acknowledge, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={_RefusedError: _refuse})


def _report(task: asyncio.Task[None]) -> None:
    """A payer that has stopped paying must say so: nobody awaits the task until shutdown."""
    if not task.cancelled() and (error := task.exception()) is not None:
        print(f"payer simulator: remitting stopped: {type(error).__name__}: {error}", flush=True)


async def _refuse(_: Request, error: Exception) -> Response:
    return cast(_RefusedError, error).response


class _Door:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def livez(self, _: Request) -> Response:
        alive = self.desk.healthy
        return JSONResponse({"status": "alive" if alive else "raw log not writable"}, 200 if alive else 503)

    async def owed(self, _: Request) -> Response:
        return JSONResponse(await self.desk.owed())

    async def faults(self, _: Request) -> Response:
        return JSONResponse(self.desk.faults.remaining())

    async def plan_faults(self, request: Request) -> Response:
        try:
            self.desk.faults.plan(await _json_object(request))
        except ValueError as error:
            raise _RefusedError(422, "not a fault this payer can have", str(error)) from None
        return JSONResponse(self.desk.faults.remaining())

    async def interchanges(self, request: Request) -> Response:
        began = self.desk.began()
        payer_id = _payer(request)
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != CONTENT_TYPE:
            raise _RefusedError(415, "wrong content type", f"send the interchange as {CONTENT_TYPE}")
        data = await _body(request, LARGEST_INTERCHANGE_BYTES)
        try:
            arrival = await _read(payer_id, data)
        except IncompleteInterchangeError as error:
            raise _RefusedError(400, "no complete interchange", f"{error}; nothing was recorded") from None
        if arrival.has_claims and self.desk.faults.take(SILENT_BEFORE_BYTES):
            return await _silence(request)
        try:
            answered = await self.desk.deliver(arrival, data, began)
        except DisownedError:
            detail = "a claim of it was answered 'not found' after this request began; nothing was recorded: send again"
            raise _RefusedError(409, "answered as not found", detail) from None
        return JSONResponse({"received": True}, 202) if answered else await _silence(request)

    async def mailbox(self, request: Request) -> Response:
        payer_id = _payer(request)
        text = request.query_params.get("limit", "100")
        if not text.isdecimal() or not 1 <= int(text) <= _MOST_ITEMS:
            raise _RefusedError(400, "limit out of range", f"limit is a whole number from 1 to {_MOST_ITEMS}")
        items = [
            {"id": item, "content_type": CONTENT_TYPE, "bytes_base64": base64.b64encode(data).decode()}
            for item, data in self.desk.mailbox(payer_id, int(text))
        ]
        return JSONResponse({"items": items})

    async def acknowledge(self, request: Request) -> Response:
        payer_id = _payer(request)
        ids = (await _json_object(request)).get("ids")
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise _RefusedError(422, "ids missing", "ids is a list of item ids from the mailbox")
        if len(ids) > _MOST_ACKNOWLEDGED:
            raise _RefusedError(422, "too many ids", f"acknowledge at most {_MOST_ACKNOWLEDGED} items at once")
        return JSONResponse({"acknowledged": await self.desk.acknowledge(payer_id, ids)})


def _payer(request: Request) -> str:
    payer_id = str(request.path_params["payer_id"])
    if payer_id not in PAYER_IDS:
        raise _RefusedError(404, "unknown route", f"the routes are {', '.join(PAYER_IDS)}")
    return payer_id


async def _read(payer_id: str, data: bytes) -> Arrival:
    if len(data) <= _PARSED_IN_PLACE_BYTES:
        return read_arrival(payer_id, data)
    return await asyncio.to_thread(read_arrival, payer_id, data)


async def _body(request: Request, limit: int) -> bytes:
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > limit:
                raise _RefusedError(413, "body too large", f"send at most {limit} bytes")
    except ClientDisconnect:
        raise _RefusedError(400, "incomplete body", "the connection closed before the body ended") from None
    return bytes(chunks)


async def _json_object(request: Request) -> dict[str, object]:
    try:
        body = json.loads(await _body(request, _LARGEST_JSON_BYTES))
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _RefusedError(400, "not a JSON object", "send a JSON object")
    return body


async def _silence(request: Request) -> Response:
    """Keep the connection open and say nothing until the other side gives up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_SILENCE_SECONDS):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    return Response(status_code=503)
