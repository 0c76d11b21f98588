"""What services show of their business under /metrics is measured on real databases, tenant by tenant."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from revcycle_adjudication_gateway import bootstrap as gateway
from revcycle_adjudication_gateway.settings import GatewaySettings
from revcycle_claims import bootstrap as claims
from revcycle_claims.settings import Settings as ClaimsSettings
from revcycle_coding import bootstrap as coding
from revcycle_coding.settings import Settings as CodingSettings
from revcycle_messaging.testing import OTHER_TENANT, TENANT
from revcycle_registration import bootstrap as registration
from revcycle_service_kit import ServiceSettings
from revcycle_service_kit.context import build_parts
from revcycle_service_kit.figures import measure_business
from revcycle_service_kit.metrics import keeps_name_rule
from revcycle_service_kit.testing import running_service

pytestmark = pytest.mark.component

SERVICES = {
    "registration": (registration.PARTS, ServiceSettings),
    "coding": (coding.service_parts, CodingSettings),
    "claims": (claims.build, ClaimsSettings),
    "adjudication-gateway": (gateway.service_parts, GatewaySettings),
}


@pytest.mark.parametrize("name", SERVICES)
async def test_every_figure_is_measured(name: str, postgresql: Any, tmp_path: Path) -> None:
    """Promise: each figure a service names is read from its schema, and shown under a name that keeps the rule."""
    parts, settings_class = SERVICES[name]
    async with running_service(parts, postgresql, tmp_path, settings_class=settings_class, run=()) as service:
        figures = build_parts(parts, service.context).figures
        assert figures is not None
        async with service.database.unit_of_work(TENANT, read_only=True) as uow:
            read = await figures.read(uow, service.clock.business_date("UTC"))
        assert read.keys() == {one.name for one in figures.figures}
        await measure_business(service.context, figures)
        shown = {
            one.name: one.type for one in text_string_to_metric_families(service.context.metrics.render().decode())
        }
    assert all(shown[f"revcycle_{one.name}"] == "gauge" for one in figures.figures)
    assert all(keeps_name_rule(f"revcycle_{one.name}", "gauge") for one in figures.figures)


async def test_tenants_are_added_up(postgresql: Any, tmp_path: Path) -> None:
    """Promise: a figure is that of the service, over every tenant it holds keys for, and names none of them."""
    async with running_service(registration.PARTS, postgresql, tmp_path, run=()) as service:
        for number, tenant_id in enumerate((TENANT, OTHER_TENANT), start=1):
            for _ in range(number):
                client = service.client(tenant_id=tenant_id)
                refused = await client.post("/v1/intake", json={"encounters": [{"encounter_number": "E-1"}]})
                assert refused.json()["results"][0]["status"] == "refused", refused.text
        figures = registration.PARTS.figures
        assert figures is not None
        await measure_business(service.context, figures)
        text = service.context.metrics.render().decode()
    assert 'revcycle_work_waiting_items{kind="intake refusals"} 2.0' in text
    assert str(TENANT) not in text
