"""The HTTP application of a service: its routers behind the common door."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from revcycle_messaging import DatabaseBehind, DatabaseRefused, OutboxFull, Transient
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from revcycle_service_kit.access import authorise, check_declared
from revcycle_service_kit.audit_log import AuditMiddleware
from revcycle_service_kit.context import ServiceContext, ServiceParts
from revcycle_service_kit.health import Health, health_router
from revcycle_service_kit.json_rules import check_json_body
from revcycle_service_kit.middleware import EdgeMiddleware
from revcycle_service_kit.openapi import openapi_of
from revcycle_service_kit.operations_api import OPERATIONS_ACCESS, operations_router
from revcycle_service_kit.problems import (
    KNOWN_PROBLEMS,
    BadRequest,
    Conflict,
    FieldError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Problem,
    ServiceUnavailable,
    Unprocessable,
    UnsupportedMediaType,
    problem_response,
)
from revcycle_service_kit.rate_limits import RateLimiter
from revcycle_service_kit.validation import problem_of_errors

_BY_STATUS: Final[Mapping[int, type[Problem]]] = {
    400: BadRequest,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    422: Unprocessable,
}


def create_base_app(context: ServiceContext, parts: ServiceParts) -> FastAPI:
    """The application of a service: its routers, the chassis' endpoints, problems, limits, metrics.

    ``app.state.context`` and ``app.state.health`` are what endpoints and probes work with.
    """
    app = FastAPI(
        title=parts.title,
        description=parts.description,
        version="1",
        generate_unique_id_function=lambda route: route.name,
        dependencies=[Depends(authorise), Depends(refuse_unknown_parameters), Depends(check_json_body)],
    )
    app.state.context = context
    app.state.health = Health()
    app.state.runtime = None
    app.state.access = {**OPERATIONS_ACCESS, **parts.access}
    app.state.rate_limiter = RateLimiter(context.settings.rate_limits, context.settings.rate_window_seconds)
    app.state.problems = {**KNOWN_PROBLEMS, **parts.problems}
    for router in parts.routers:
        app.include_router(router)
    app.include_router(operations_router)
    app.include_router(health_router)
    check_declared(app, app.state.access)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(AuditMiddleware, context=context)
    app.add_middleware(EdgeMiddleware, context=context, body_limits=parts.body_limits)
    app.openapi = lambda: _contract(app, parts)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def _contract(app: FastAPI, parts: ServiceParts) -> dict[str, Any]:
    """The contract, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = openapi_of(app, app.state.problems, parts.examples)
    return app.openapi_schema


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


async def _answer_problem(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Problem)
    return problem_response(failure, _request_id(request))


async def _answer_http(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    if failure.status_code == 405:
        problem: Problem = MethodNotAllowed("the Allow header names the methods of this path")
    else:
        kind = _BY_STATUS.get(failure.status_code)
        problem = kind(_detail(failure)) if kind else _Other(failure.status_code)
    problem.headers.update(failure.headers or {})
    if failure.status_code == 405:
        problem.headers["Allow"] = ", ".join(_methods_of(request))
    return problem_response(problem, _request_id(request))


def _methods_of(request: Request) -> list[str]:
    """Every method some route has for the path; the framework names those of the first route only."""
    routes = request.app.router.routes
    return [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def _detail(failure: HTTPException) -> str:
    """Only texts of the kit go out; the framework's may hold what was sent."""
    texts = {404: "the path does not exist here", 413: str(failure.detail)}
    return texts.get(failure.status_code, "the request cannot be understood; see the API documentation")


class _Other(Problem):
    """A status of the framework that the kit has no class for."""

    def __init__(self, status: int) -> None:
        super().__init__("see the API documentation", code="bad_request" if status < 500 else "internal")
        self.status = status  # type: ignore[misc]  # this one class has its status per object
        self.title = "The request was refused"  # type: ignore[misc]  # as above


async def _answer_validation(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, RequestValidationError)
    request.state.invalid = True
    return problem_response(problem_of_errors(failure.errors()), _request_id(request))


async def _answer_messaging(request: Request, failure: Exception) -> Response:
    context: ServiceContext = request.app.state.context
    problem: Problem
    if isinstance(failure, OutboxFull):
        problem = ServiceUnavailable(
            "too many events wait to be published; nothing was changed",
            retry_after_seconds=failure.retry_after_seconds,
            code="outbox_full",
        )
    elif isinstance(failure, DatabaseBehind):
        problem = ServiceUnavailable(str(failure), retry_after_seconds=10, code="database_behind")
    elif isinstance(failure, Transient):
        problem = ServiceUnavailable("a part this needs is away or overloaded; repeat the request", 2)
    elif isinstance(failure, DatabaseRefused) and failure.sqlstate == "23505":
        problem = Conflict("something with the same identity exists already", code="already_exists")
    else:
        problem = Problem("a fault of ours; the log has the details")
    if problem.status == 500 or isinstance(failure, Transient):
        context.log.error("request failed", exc_info=failure, request_id=_request_id(request))
    return problem_response(problem, _request_id(request))


_HANDLERS: Final[dict[type[Exception], Any]] = {
    Problem: _answer_problem,
    HTTPException: _answer_http,
    RequestValidationError: _answer_validation,
    Transient: _answer_messaging,
    OutboxFull: _answer_messaging,
    DatabaseRefused: _answer_messaging,
}


async def refuse_unknown_parameters(request: Request) -> None:
    """An unknown query parameter is answered 400, never passed over: a mistyped filter must not widen a list."""
    if not request.query_params:
        return
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = _known_parameters(route)
    if unknown := [name for name in request.query_params if name not in known]:
        expected = f"one of {', '.join(sorted(known))}" if known else "no query parameter"
        errors = [
            FieldError("?", "unknown_parameter", "is not a parameter of this path", expected) for _ in unknown[:20]
        ]
        raise BadRequest("a query parameter is not known here", errors=errors)


def _known_parameters(route: APIRoute) -> frozenset[str]:
    """The query parameters a route and its dependencies declare; kept with the route."""
    known: frozenset[str] | None = getattr(route, "revcycle_query_names", None)
    if known is None:
        names: set[str] = set()
        waiting = [route.dependant]
        while waiting:
            dependant = waiting.pop()
            waiting.extend(dependant.dependencies)
            for field in dependant.query_params:
                names |= _names_of(field)
        known = frozenset(names)
        route.revcycle_query_names = known  # type: ignore[attr-defined]  # a cache beside what it is about
    return known


def _names_of(field: Any) -> set[str]:
    """The name of a parameter, or those of the fields of a parameter model."""
    model = getattr(field.field_info, "annotation", None)
    fields: Mapping[str, Any] = getattr(model, "model_fields", {})
    return {info.alias or name for name, info in fields.items()} or {field.alias}
