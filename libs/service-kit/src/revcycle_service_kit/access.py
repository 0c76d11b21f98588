"""Who may do what: every operation has a row in its service's table, and without one the service does not start.

The row also says whose data the operation shows or changes, for the audit, and how it counts against the rate limits.
The table is enforced for the whole application, so an endpoint cannot forget it; ``caller: CurrentCaller`` is for those
that want to know who calls.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials

from revcycle_service_kit.auth import ROLES, Caller, authenticate, bearer
from revcycle_service_kit.problems import Forbidden, TooManyRequests
from revcycle_service_kit.rate_limits import RateClass

READ_METHODS: Final = frozenset({"GET", "HEAD"})
_PROBES: Final = frozenset({"livez", "readyz", "startupz", "metrics"})
_PAGES: Final = frozenset({"problem_page", "openapi", "swagger_ui_html", "swagger_ui_redirect", "redoc_html"})
OPEN_TO_ALL: Final = _PROBES | _PAGES
"""Operations without a token: probes and metrics, and the pages that describe the interface."""


class UndeclaredAccess(Exception):
    """Routes and table do not fit each other; the text names what has no partner."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The row of an operation.

    Attributes:
        roles: who may call it; one of them suffices.
        data: what kind of record about patients it shows or changes; None: nothing of a patient, so nothing to audit.
        bulk: one call may do as much as hundreds of others.
    """

    roles: frozenset[str]
    data: str | None = None
    bulk: bool = False

    def rate_class(self, method: str) -> RateClass:
        """Against which limit a call counts."""
        if self.bulk:
            return "bulk"
        return "read" if method in READ_METHODS else "write"


AccessTable = Mapping[str, Permission]
"""Name of the operation (its ``operationId``) to its row."""


def allow(*roles: str, data: str | None = None, bulk: bool = False) -> Permission:
    """The row of an operation that these roles may call. ValueError for no role, or one that does not exist."""
    if unknown := set(roles) - ROLES:
        raise ValueError(f"unknown role {', '.join(sorted(unknown))}; there are: {', '.join(sorted(ROLES))}")
    if not roles:
        raise ValueError("name at least one role")
    return Permission(frozenset(roles), data, bulk)


def operations(app: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Name, method and path of every operation of an application, those open to all left out."""
    for route in iter_route_contexts(app.routes):
        if route.name not in OPEN_TO_ALL:
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield str(route.name), method, str(route.path)


def check_declared(app: FastAPI, table: AccessTable) -> None:
    """Raise UndeclaredAccess unless routes and rows are the same set."""
    names = {name for name, _, _ in operations(app)}
    if missing := sorted(names - table.keys()):
        raise UndeclaredAccess(f"say in the access table who may call: {', '.join(missing)}")
    if stale := sorted(table.keys() - names):
        raise UndeclaredAccess(f"the access table has rows of no operation: {', '.join(stale)}")


async def authorise(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Let the request pass that its operation's row allows; stands before every route.

    Raises:
        Unauthorized: no token, or none that holds.
        TooManyRequests: the credential has used up its window.
        Forbidden: the caller has none of the roles.
    """
    name: str = request.scope["route"].name
    if name in OPEN_TO_ALL:
        return
    caller = await authenticate(request, credentials)
    permission: Permission = request.app.state.access[name]
    request.state.caller, request.state.permission = caller, permission
    now = request.app.state.context.clock.now()
    rate_class = permission.rate_class(request.method)
    standing = request.app.state.rate_limiter.take((caller.tenant_id, caller.subject), rate_class, now)
    request.state.rate_headers = standing.headers
    if not standing.allowed:
        raise TooManyRequests(
            f"{standing.quota} {rate_class} requests per {standing.window_seconds} s are allowed to one credential",
            headers={"retry-after": str(standing.reset_seconds)},
        )
    if not permission.roles & caller.roles:
        raise Forbidden(f"one of these roles is needed: {', '.join(sorted(permission.roles))}")


def current_caller(request: Request) -> Caller:
    """Who calls, as :func:`authorise` found."""
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(current_caller)]
"""``caller: CurrentCaller`` in an endpoint."""
