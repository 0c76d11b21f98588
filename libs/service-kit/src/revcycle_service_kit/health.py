"""Probes: alive (this process makes progress), ready (it can do its work now), started."""

import re
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from revcycle_service_kit.metrics import CONTENT_TYPE
from revcycle_service_kit.problems import FieldError, NotFound, Problem, problem_response

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


@dataclass
class Health:
    """What the probes answer; kept up to date by the runtime, so that a probe never waits for anything.

    Attributes:
        failing: name of a failing check to why; empty: ready.
        notes: name of a check to what is not well and does not keep this instance from working.
        stalled: why this process should be replaced, or None.
        started: migrations checked, parts running.
        draining: told to stop; takes no new work.
    """

    failing: dict[str, str] = field(default_factory=lambda: {"start": "starting"})
    notes: dict[str, str] = field(default_factory=dict)
    stalled: str | None = None
    started: bool = False
    draining: bool = False


class NotReady(Problem):
    """This instance takes no work now."""

    status = 503
    default_code = "not_ready"
    title = "This instance takes no work now"


health_router = APIRouter(include_in_schema=False)


@health_router.get("/livez")
async def livez(request: Request) -> Response:
    """200 while the process makes progress. Depends on nothing: a database that is away is no reason to die."""
    health: Health = request.app.state.health
    if health.stalled is not None:
        return _refuse(request, {"progress": health.stalled})
    return JSONResponse({"status": "alive"})


@health_router.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 when database, broker, migrations and consumer are all well and the process is not stopping."""
    health: Health = request.app.state.health
    failing = {"draining": "the process is stopping"} if health.draining else health.failing
    if failing:
        return _refuse(request, failing)
    return JSONResponse({"status": "ready", "notes": health.notes} if health.notes else {"status": "ready"})


@health_router.get("/startupz")
async def startupz(request: Request) -> Response:
    """200 once everything runs."""
    health: Health = request.app.state.health
    return JSONResponse({"status": "started"}) if health.started else _refuse(request, {"start": "starting"})


@health_router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus metrics; measured by the runtime every few seconds, never while a scrape waits."""
    return Response(request.app.state.context.metrics.render(), media_type=CONTENT_TYPE)


@health_router.get("/problems/{code}")
async def problem_page(request: Request, code: str) -> Response:
    """What a problem code means and what to do: where the ``type`` of a problem points to."""
    if not _CODE.fullmatch(code):
        raise NotFound("problem codes are lower case letters, digits and underscores")
    known = request.app.state.problems.get(code)
    meaning = known.meaning if known else "See the title, the detail and the errors of the problem itself."
    return JSONResponse({"type": f"/problems/{code}", "code": code, "meaning": meaning})


def _refuse(request: Request, failing: dict[str, str]) -> Response:
    errors = [FieldError(name, "check", why, "ok") for name, why in sorted(failing.items())]
    problem = NotReady("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)
    return problem_response(problem, str(request.state.request_id))
