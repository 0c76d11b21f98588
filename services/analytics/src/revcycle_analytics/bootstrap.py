"""The one place where the service is put together."""

from revcycle_service_kit import ProblemType, ServiceParts

from revcycle_analytics.api.access import ACCESS
from revcycle_analytics.api.kpis import router
from revcycle_analytics.consumers import HANDLERS

PARTS = ServiceParts(
    name="analytics",
    schema="analytics",
    title="revcycle analytics",
    description="KPIs as pure functions of the events: every number with its numerator, denominator and definition.",
    routers=(router,),
    access=ACCESS,
    handlers=HANDLERS,
    migrations="revcycle_analytics.migrations",
    problems={"unknown_kpi": ProblemType(404, "There is no such KPI; `detail` names those there are.")},
    examples={"kpi_id": "first-pass-rate"},
)
