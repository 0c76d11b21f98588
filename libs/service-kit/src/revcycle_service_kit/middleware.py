"""The outermost layer of a service's HTTP door, as plain ASGI.

Every answer, errors included, carries a request id and the security headers, is measured by route template and noted
without its query string. Bodies, and requests in work, have a limit. What nobody caught becomes a problem of status
500 here, and its text never leaves the process.
"""

import re
import time
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from revcycle_service_kit.context import MIB, ServiceContext
from revcycle_service_kit.ids import new_id
from revcycle_service_kit.problems import HeadersTooLarge, Problem, ServiceUnavailable, problem_response
from revcycle_service_kit.telemetry import end_request, request_work

DEFAULT_BODY_LIMIT: Final = 1 * MIB
HEADER_LIMIT: Final = 32 * 1024
"""Bytes of all headers together; the server itself gives up on a head that is twice as large and has no end yet."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
# Probes must be answered when everything else is overloaded, and would drown the log.
_QUIET: Final = frozenset({"/livez", "/readyz", "/startupz", "/metrics"})
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_STAY_ON_TLS: Final = "max-age=31536000; includeSubDomains"
# The documentation page loads its script and styles from where FastAPI takes them.
_DOCS_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data: https:; frame-ancestors 'none'; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src 'unsafe-inline' https://cdn.jsdelivr.net"
)


class _Exchange:
    """One request on its way, and what is known about its answer."""

    def __init__(self, scope: Scope, request_id: str, traceparent: str | None) -> None:
        self.scope = scope
        self.request_id = request_id
        self.traceparent = traceparent
        self.trace_id = traceparent[3:35] if traceparent else None
        self.status = 0
        self.started_at = time.perf_counter()

    @property
    def path(self) -> str:
        """The path as it was asked for, without query."""
        path: str = self.scope["path"]
        return path

    @property
    def method(self) -> str:
        """One of the methods there are, or ``other``: it names metrics and spans."""
        return self.scope["method"] if self.scope["method"] in _METHODS else "other"

    @property
    def route(self) -> str:
        """The template of the route, so that ids in paths make no new series."""
        template = getattr(self.scope.get("route"), "path", None)
        return template if isinstance(template, str) else "unmatched"


class EdgeMiddleware:
    """See the module."""

    def __init__(self, app: ASGIApp, context: ServiceContext, body_limits: Mapping[str, int]) -> None:
        self._app = app
        self._context = context
        self._body_limits = body_limits
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._open(scope)
        self._in_work += 1
        self._context.metrics.requests_in_work.set(self._in_work)
        try:
            tracer = None if exchange.path in _QUIET else self._context.tracer
            with request_work(tracer, exchange.method, exchange.traceparent) as work:
                if work is not None:
                    scope["state"]["traceparent"] = work.traceparent
                    exchange.trace_id = work.trace_id
                with structlog.contextvars.bound_contextvars(
                    request_id=exchange.request_id, trace_id=exchange.trace_id
                ):
                    await self._answer(exchange, receive, send)
                if work is not None:
                    end_request(work, exchange.method, exchange.route, exchange.status)
        finally:
            self._in_work -= 1
            self._context.metrics.requests_in_work.set(self._in_work)
            self._note(exchange)

    def _open(self, scope: Scope) -> _Exchange:
        headers = Headers(scope=scope)
        sent = headers.get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else str(new_id(self._context.clock.now()))
        trace = headers.get("traceparent", "")
        exchange = _Exchange(scope, request_id, trace if _TRACEPARENT.fullmatch(trace) else None)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["traceparent"] = exchange.traceparent
        return exchange

    async def _answer(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                self._mark(exchange, MutableHeaders(scope=message))
            await send(message)

        try:
            if self._in_work > self._context.settings.http_concurrency and exchange.path not in _QUIET:
                raise ServiceUnavailable("too many requests are in work", retry_after_seconds=1, code="overloaded")
            if sum(len(name) + len(value) for name, value in exchange.scope["headers"]) > HEADER_LIMIT:
                raise HeadersTooLarge(f"the headers may have at most {HEADER_LIMIT} bytes together")
            limit = self._body_limits.get(exchange.path, DEFAULT_BODY_LIMIT)
            await self._app(exchange.scope, _limited(exchange.scope, receive, limit), send_marked)
        except Exception as failure:
            problem = failure if isinstance(failure, Problem) else Problem("a fault of ours; the log has the details")
            if problem.status >= 500 and not isinstance(failure, Problem):
                self._context.log.error(
                    "request failed", exc_info=failure, request_id=exchange.request_id, route=exchange.route
                )
            if exchange.status == 0:
                response = problem_response(problem, exchange.request_id)
                await response(exchange.scope, receive, send_marked)

    def _mark(self, exchange: _Exchange, headers: MutableHeaders) -> None:
        headers["x-request-id"] = exchange.request_id
        if exchange.traceparent is not None:
            headers["traceparent"] = exchange.traceparent
        if link := exchange.scope["state"].get("next_page"):
            headers["link"] = f'<{link}>; rel="next"'
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if exchange.scope["scheme"] == "https":
            headers["strict-transport-security"] = _STAY_ON_TLS
        if exchange.path in ("/docs", "/redoc"):
            headers["content-security-policy"] = _DOCS_POLICY

    def _note(self, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.started_at
        self._context.metrics.observe_request(exchange.method, exchange.route, exchange.status, seconds)
        if exchange.path in _QUIET:
            return
        caller = exchange.scope["state"].get("caller")
        self._context.log.info(
            "request",
            method=exchange.method,
            route=exchange.route,
            status=exchange.status,
            duration_ms=round(seconds * 1000, 1),
            request_id=exchange.request_id,
            tenant=getattr(caller, "tenant_id", None),
            trace_id=exchange.trace_id,
            correlation_id=exchange.scope["state"].get("correlation_id"),
        )


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _limited(scope: Scope, receive: Receive, limit: int) -> Receive:
    """A ``receive`` that refuses a body above the limit, announced or counted."""
    announced = Headers(scope=scope).get("content-length", "")
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        if announced.isdecimal() and int(announced) > limit:
            raise _too_large(limit)
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return receive_limited


def _too_large(limit: int) -> HTTPException:
    """FastAPI lets this class, and only this one, pass through its reading of the body."""
    return HTTPException(413, f"the body may have at most {limit} bytes here")
