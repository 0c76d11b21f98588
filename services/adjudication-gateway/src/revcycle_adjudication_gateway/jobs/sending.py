"""Delivers interchanges and inquiries: commit the intent, let the bytes leave, commit the outcome."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from revcycle_messaging import Cause, Database
from revcycle_service_kit import working

from revcycle_adjudication_gateway.clients.payer_door import PayerDoor
from revcycle_adjudication_gateway.domain.delivery import DoorAnswer
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import Outcome
from revcycle_adjudication_gateway.jobs.lanes import PATIENCE_SECONDS, Lanes
from revcycle_adjudication_gateway.repositories import routes
from revcycle_adjudication_gateway.repositories.interchanges import INQUIRY_276, Delivery
from revcycle_adjudication_gateway.use_cases.inquire_status import open_inquiry, plan_inquiries, settle_inquiry
from revcycle_adjudication_gateway.use_cases.send_interchange import (
    expire_deliveries,
    open_delivery,
    settle_delivery,
)

ACTOR = "gateway"
_ALL_LANES = 32


@dataclass(frozen=True, slots=True)
class Means:
    """What background work needs: the database, a source of causes (tenant to cause), and somebody to tell."""

    database: Database
    new_cause: Callable[[UUID], Cause]
    failed: Callable[[str, Exception], None]


class Sender:
    """Keeps every route of every tenant moving. Any number of instances may run: rows are taken, never shared."""

    def __init__(
        self,
        means: Means,
        door: PayerDoor,
        policy: SendingPolicy,
        *,
        delivery_limit_seconds: float,
        lanes_per_route: int,
    ) -> None:
        self._means = means
        self._door = door
        self._policy = policy
        self._delivery_limit = timedelta(seconds=delivery_limit_seconds)
        self._lanes = Lanes(per_route=lanes_per_route, limit=_ALL_LANES)

    async def turn(self) -> None:
        """Start a worker on each route that has something due."""
        for tenant_id in await routes.tenants(self._means.database):
            cause = self._means.new_cause(tenant_id)
            async with self._means.database.unit_of_work(tenant_id, read_only=True) as uow:
                due = await routes.due(uow, cause.now)
            for route in due:
                lane = (tenant_id, route.payer_id)
                if self._lanes.has_room(lane):
                    self._lanes.start(lane, partial(self._drain, tenant_id, route), self._report)

    async def sweep(self) -> None:
        """Give up deliveries whose worker is gone, and ask about what is unknown."""
        for tenant_id in await routes.tenants(self._means.database):
            cause = self._means.new_cause(tenant_id)
            async with self._means.database.unit_of_work(tenant_id) as uow:
                await expire_deliveries(uow, cause, self._policy)
                await plan_inquiries(uow, cause, self._policy)

    async def close(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Let what is under way end; what takes longer is cut off, and swept up as unknown once its lease ran out."""
        await self._lanes.close(patience_seconds)

    async def _drain(self, tenant_id: UUID, route: Route) -> None:
        while not self._lanes.closing:
            with working(self._means.database.tracer, "deliver"):
                delivery = await self._open(tenant_id, route)
                if delivery is None:
                    return
                answer = await self._deliver(tenant_id, route, delivery)
                await self._settle(tenant_id, delivery, answer)

    async def _open(self, tenant_id: UUID, route: Route) -> Delivery | None:
        cause = self._means.new_cause(tenant_id)
        async with self._means.database.unit_of_work(tenant_id) as uow:
            delivery = await open_inquiry(uow, cause, route, self._policy)
            return delivery or await open_delivery(uow, cause, route, self._policy)

    async def _deliver(self, tenant_id: UUID, route: Route, delivery: Delivery) -> DoorAnswer:
        """Let the bytes leave, unless so much of the lease is gone that it could run out on the way."""
        if self._means.new_cause(tenant_id).now + self._delivery_limit >= delivery.lease_until:
            return DoorAnswer(Outcome.NOT_SENT, None, "lease-too-short")
        try:
            async with asyncio.timeout(self._delivery_limit.total_seconds()):
                return await self._door.deliver(route, delivery.raw)
        except TimeoutError:
            return DoorAnswer(Outcome.UNKNOWN, None, "delivery-limit")

    async def _settle(self, tenant_id: UUID, delivery: Delivery, answer: DoorAnswer) -> None:
        cause = self._means.new_cause(tenant_id)
        async with self._means.database.unit_of_work(tenant_id) as uow:
            if delivery.kind == INQUIRY_276:
                await settle_inquiry(uow, cause, delivery, answer)
            else:
                await settle_delivery(uow, cause, delivery, answer, self._policy)

    def _report(self, error: Exception) -> None:
        self._means.failed("sending", error)
