"""Routes to payers."""

from fastapi import APIRouter, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import NotFound, ReadUnitOfWork, Reply, run_command
from revcycle_service_kit.access import CurrentCaller

from revcycle_adjudication_gateway.api.models import RouteBody, RouteList, RouteView
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.repositories import routes

router = APIRouter(prefix="/v1/routes", tags=["routes"])


@router.put(
    "/{payer_id}",
    summary="Set up or change a route",
    response_model=RouteView,
    responses={201: {"model": RouteView, "description": "A new route"}},
)
async def put_route(payer_id: str, body: RouteBody, request: Request, caller: CurrentCaller) -> Response:
    """Claims of this payer that wait go out once its route exists and is enabled."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        route = Route(payer_id=payer_id, **body.model_dump())
        created = await routes.save(uow, route, by=cause.actor, at=cause.now)
        return Reply(201 if created else 200, await _view(uow, payer_id))

    return await run_command(request, caller, use_case)


@router.get("", summary="All routes, with what stands on each")
async def list_routes(uow: ReadUnitOfWork) -> RouteList:
    """A tenant has few routes: no pages."""
    every = await routes.every(uow)
    loads = await routes.loads(uow, [route.payer_id for route in every])
    return RouteList(items=[RouteView.of(route, loads.get(route.payer_id)) for route in every])


@router.get("/{payer_id}", summary="One route")
async def get_route(payer_id: str, uow: ReadUnitOfWork) -> RouteView:
    """With what stands on it."""
    return await _view(uow, payer_id)


@router.post("/{payer_id}:drain", summary="Send nothing new; answers are still fetched", response_model=RouteView)
async def drain_route(payer_id: str, request: Request, caller: CurrentCaller) -> Response:
    """What waits stays queued; PUT with enabled=true lets it go."""

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        await routes.disable(uow, payer_id, by=cause.actor, at=cause.now)
        return Reply(200, await _view(uow, payer_id))

    return await run_command(request, caller, use_case)


async def _view(uow: UnitOfWork, payer_id: str) -> RouteView:
    route = await routes.get(uow, payer_id)
    if route is None:
        raise NotFound("no route to this payer: PUT /v1/routes/{payer_id} makes one")
    return RouteView.of(route, (await routes.loads(uow, [payer_id])).get(payer_id))
