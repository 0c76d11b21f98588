"""The contract of a service as an OpenAPI 3.1 document: every status it answers, an example of everything.

What a route can answer follows from what it is (secured, a command, with a body, with a path parameter, conditional),
so the routes themselves say nothing about refusals. Every refusal is a problem (RFC 9457) with the codes the service
knows; there is no ``default`` answer behind which an unforeseen status could hide.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from revcycle_service_kit.access import OPEN_TO_ALL
from revcycle_service_kit.commands import read_unit_of_work
from revcycle_service_kit.examples import ExampleWriter
from revcycle_service_kit.problems import (
    PROBLEM_JSON,
    BadRequest,
    Conflict,
    Forbidden,
    HeadersTooLarge,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    ProblemBody,
    ProblemType,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
)

_JSON: Final = "application/json"
_ALWAYS: Final = frozenset({400, 431, 500, 503})
_SECURED: Final = frozenset({401, 403, 429})
_WITH_BODY: Final = frozenset({413, 422})
_COMMAND: Final = frozenset({409, 422})
_ANSWERS: Final[Mapping[int, type[Problem]]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        PreconditionFailed,
        PayloadTooLarge,
        UnsupportedMediaType,
        Unprocessable,
        PreconditionRequired,
        HeadersTooLarge,
        Problem,
        ServiceUnavailable,
        TooManyRequests,
    )
}
_EXAMPLE_ERROR: Final = {
    "field": "coverages[0].payer_id",
    "rule": "missing",
    "message": "is required",
    "expected": "a value",
}
Presence = Literal["optional", "required"]


def takes(*, if_match: Presence | None = None, idempotency_key: Presence | None = None) -> dict[str, Any]:
    """``openapi_extra`` of a route that reads these headers by itself.

    Commands take an optional Idempotency-Key anyway; name it only where it is required.
    """
    parameters = []
    if if_match is not None:
        parameters.append(
            _header("If-Match", if_match, "The ETag that was read: no change of others is overwritten", '"3"')
        )
    if idempotency_key is not None:
        parameters.append(_idempotency_key(idempotency_key))
    return {"parameters": parameters}


def _idempotency_key(presence: Presence) -> dict[str, Any]:
    description = "New for each intent, the same for each retry: the effect is had once, the answer is repeated"
    parameter = _header("Idempotency-Key", presence, description, "0198f2b6-register-una")
    parameter["schema"] |= {"pattern": "^[!-~]{1,255}$"}
    return parameter


def _header(name: str, presence: Presence, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": presence == "required",
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


def openapi_of(app: FastAPI, problems: Mapping[str, ProblemType], examples: Mapping[str, Any]) -> dict[str, Any]:
    """The document of an application.

    Args:
        problems: every code the service may answer with.
        examples: what fields of the service look like, by ``Model.field`` or by ``field``.

    Raises:
        NoExample: a field of a request or response has no example.
    """
    routes = [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    writer = ExampleWriter(schemas, examples)
    used: set[int] = set()
    for route, operation in _operations(routes, document):
        used |= _complete(route, operation)
        writer.write(operation)
    components["responses"] = {
        _ANSWERS[status].__name__: _problem_response(status, problems) for status in sorted(used)
    }
    return document


def _operations(
    routes: Sequence[RouteContext], document: Mapping[str, Any]
) -> Iterator[tuple[RouteContext, dict[str, Any]]]:
    for route in routes:
        for method in route.methods or () if route.include_in_schema else ():
            yield route, document["paths"][route.path_format][method.lower()]


def _complete(route: RouteContext, operation: dict[str, Any]) -> set[int]:
    """Say every header it takes and every refusal it may answer; the statuses of those."""
    parameters = operation.setdefault("parameters", [])
    names = {parameter["name"] for parameter in parameters if parameter["in"] == "header"}
    command = is_command(route)
    if command and "Idempotency-Key" not in names:
        parameters.append(_idempotency_key("optional"))
    if not parameters:
        del operation["parameters"]
    declared = [int(status) for status in operation["responses"] if status.startswith(("4", "5"))]
    statuses = {*_refusals(route, operation, command), *declared}
    for status in sorted(statuses):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_ANSWERS[status].__name__}"}
    return statuses


def _refusals(route: RouteContext, operation: Mapping[str, Any], command: bool) -> set[int]:
    statuses = set(_ALWAYS)
    headers = {each["name"]: each["required"] for each in operation.get("parameters", ()) if each["in"] == "header"}
    if route.name not in OPEN_TO_ALL:
        statuses |= _SECURED
    if command:
        statuses |= _COMMAND
    if "{" in (route.path_format or ""):
        statuses |= {404}
    if body := operation.get("requestBody"):
        statuses |= _WITH_BODY
        if set(body["content"]) != {_JSON}:
            statuses |= {415}
    if "If-Match" in headers:
        statuses |= {412, 428} if headers["If-Match"] else {412}
    return statuses


def is_command(route: RouteContext) -> bool:
    """Whether a route changes something: it hands its request to ``run_command`` instead of reading by itself."""
    changing = not {"GET", "HEAD"} & (route.methods or set())
    takes_request = route.dependant.request_param_name is not None
    return changing and takes_request and read_unit_of_work not in _dependencies(route)


def _dependencies(route: RouteContext) -> set[Any]:
    found: set[Any] = set()
    waiting: list[Dependant] = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        found.add(dependant.call)
        waiting.extend(dependant.dependencies)
    return found


def _problem_response(status: int, problems: Mapping[str, ProblemType]) -> dict[str, Any]:
    title = _ANSWERS[status].title
    examples = {
        code: {"summary": problem.meaning, "value": _example_of(code, problem, title)}
        for code, problem in sorted(problems.items())
        if problem.status == status
    }
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {"description": title, "content": {PROBLEM_JSON: content}}


def _example_of(code: str, problem: ProblemType, title: str) -> dict[str, Any]:
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": problem.status,
        "code": code,
        "detail": problem.meaning,
        "request_id": "0199c0de-0000-7000-8000-0000000000aa",
        "errors": [_EXAMPLE_ERROR] if problem.status == Unprocessable.status else [],
    }
