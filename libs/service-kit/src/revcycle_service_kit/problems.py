"""Refusals as RFC 9457 problem details: what is wrong, where, and what would be right. Input is never repeated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

PROBLEM_JSON: Final = "application/problem+json"


class RequestModel(BaseModel):
    """Base of request bodies: unknown fields are refused, and values never appear in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong: ``field`` is a path like ``coverages[0].payer_id``, ``rule`` names the broken rule."""

    field: str
    rule: str
    message: str
    expected: str


class Problem(Exception):
    """A refusal with a status. Subclasses give status, code and title; ``detail`` says what to do."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong here"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class BadRequest(Problem):
    """The request cannot be understood."""

    status = 400
    default_code = "bad_request"
    title = "The request cannot be understood"


class Unauthorized(Problem):
    """No token, or none that holds."""

    status = 401
    default_code = "unauthorized"
    title = "A valid access token is needed"


class Forbidden(Problem):
    """The caller's roles do not allow it."""

    status = 403
    default_code = "forbidden"
    title = "Your role does not allow this"


class NotFound(Problem):
    """No such thing, or a thing of another tenant: the two look the same."""

    status = 404
    default_code = "not_found"
    title = "There is no such thing"


class MethodNotAllowed(Problem):
    """The path exists, the method does not."""

    status = 405
    default_code = "method_not_allowed"
    title = "The path does not have this method"


class Conflict(Problem):
    """The state of the thing does not allow it."""

    status = 409
    default_code = "conflict"
    title = "The present state does not allow this"


class PreconditionFailed(Problem):
    """If-Match names another version."""

    status = 412
    default_code = "precondition_failed"
    title = "It was changed meanwhile"


class PayloadTooLarge(Problem):
    """The body is larger than the route takes."""

    status = 413
    default_code = "payload_too_large"
    title = "The body is too large"


class UnsupportedMediaType(Problem):
    """The body's media type is not one the route reads."""

    status = 415
    default_code = "unsupported_media_type"
    title = "The media type is not supported"


class Unprocessable(Problem):
    """The request is well formed and breaks rules, each named in ``errors``."""

    status = 422
    default_code = "unprocessable"
    title = "The request breaks a rule"


class PreconditionRequired(Problem):
    """If-Match is missing."""

    status = 428
    default_code = "precondition_required"
    title = "If-Match is needed"


class HeadersTooLarge(Problem):
    """The headers of the request are larger than the door takes."""

    status = 431
    default_code = "headers_too_large"
    title = "The request's headers are too large"


class TooManyRequests(Problem):
    """The credential has used up its window."""

    status = 429
    default_code = "too_many_requests"
    title = "Too many requests"


class ServiceUnavailable(Problem):
    """Not now; the same request works later."""

    status = 503
    default_code = "unavailable"
    title = "Not available right now"

    def __init__(self, detail: str = "", retry_after_seconds: int = 5, *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"retry-after": str(retry_after_seconds)})


class ProblemField(BaseModel):
    """One thing that is wrong."""

    field: str
    rule: str
    message: str
    expected: str


class ProblemBody(BaseModel):
    """Every answer of status 400 and above (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[ProblemField]


def problem_response(problem: Problem, request_id: str) -> Response:
    """The problem as the response a client sees."""
    body = {
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request_id,
        "errors": problem.errors,
    }
    return Response(orjson.dumps(body), problem.status, problem.headers, PROBLEM_JSON)


class ProblemType(NamedTuple):
    """A problem code: the status it comes with, and what it means and what to do."""

    status: int
    meaning: str


KNOWN_PROBLEMS: Final[dict[str, ProblemType]] = {
    "bad_request": ProblemType(
        400,
        "The request cannot be understood: malformed JSON, an unknown query parameter, a cursor that is "
        "not ours. Correct it as `errors` says.",
    ),
    "unauthorized": ProblemType(
        401,
        "Send `Authorization: Bearer <token>`. Locally: `revcycle token --tenant T --role R` prints one.",
    ),
    "forbidden": ProblemType(
        403,
        "The token is valid, but none of its roles may do this. `detail` names the roles that may.",
    ),
    "not_found": ProblemType(
        404,
        "There is no such thing for your tenant. Things of other tenants look exactly like this.",
    ),
    "method_not_allowed": ProblemType(
        405,
        "The path exists, the method does not; the Allow header names those that do.",
    ),
    "conflict": ProblemType(
        409,
        "The present state does not allow this. Read the thing again and decide anew.",
    ),
    "already_exists": ProblemType(
        409,
        "Something with the same identity exists already. Read it instead of making it again.",
    ),
    "idempotency_key_required": ProblemType(
        400,
        "This command needs an `Idempotency-Key` header: 1 to 255 visible characters, new for "
        "each intent, the same for each retry.",
    ),
    "idempotency_key_invalid": ProblemType(
        400,
        "An `Idempotency-Key` has 1 to 255 visible ASCII characters.",
    ),
    "idempotency_key_in_use": ProblemType(
        409,
        "The first request with this key is still running. Repeat after `Retry-After`.",
    ),
    "idempotency_key_reused": ProblemType(
        422,
        "This key was used for another request. Use a new key for a new intent.",
    ),
    "precondition_failed": ProblemType(
        412,
        "It was changed since you read it. Read it again, then repeat the change with its new ETag.",
    ),
    "precondition_required": ProblemType(
        428,
        "Send `If-Match` with the ETag that you read.",
    ),
    "payload_too_large": ProblemType(
        413,
        "The body is larger than this path takes; send it in several requests.",
    ),
    "unsupported_media_type": ProblemType(
        415,
        "This path does not read that media type; the API documentation names those it reads.",
    ),
    "unprocessable": ProblemType(
        422,
        "The request is well formed and breaks rules; `errors` names each: field, rule, what is expected.",
    ),
    "invalid": ProblemType(
        422,
        "The request does not fit its schema; `errors` names each field, the rule and what is expected.",
    ),
    "too_many_requests": ProblemType(
        429,
        "This credential has used up its window. The `RateLimit` header of every answer says how many "
        "requests are left and for how many seconds; repeat after `Retry-After`.",
    ),
    "unavailable": ProblemType(
        503,
        "A part this service needs is away or overloaded. Repeat after `Retry-After`; nothing was changed.",
    ),
    "overloaded": ProblemType(
        503,
        "Too many requests are in work. Repeat after `Retry-After`; nothing was changed.",
    ),
    "outbox_full": ProblemType(
        503,
        "Events wait to be published and their number is at its bound. Repeat after `Retry-After`.",
    ),
    "database_behind": ProblemType(
        503,
        "The database was restored to the past: its topics know more than it does. Nothing is written "
        "or published until a person has healed it with the command that `detail` names. Reading goes on.",
    ),
    "headers_too_large": ProblemType(
        431,
        "The request's headers are larger than this door takes; send fewer or shorter ones.",
    ),
    "nobody_named": ProblemType(
        422,
        "A named person decides. Get a token whose subject is your name.",
    ),
    "not_ready": ProblemType(
        503,
        "This instance takes no work now; `errors` names the checks that fail. Others may be ready.",
    ),
    "internal": ProblemType(
        500,
        "A fault of ours. The log has the details under `request_id`; nothing was changed.",
    ),
}
"""What each code means and what to do: the text behind ``/problems/<code>``."""
