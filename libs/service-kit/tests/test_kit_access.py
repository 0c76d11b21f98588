"""No operation without a row that says who may call it, and no row without an operation."""

from dataclasses import replace

import pytest
from fastapi import APIRouter
from kit_sample_service.parts import build
from revcycle_service_kit import ServiceSettings, UndeclaredAccess, allow, create_base_app
from revcycle_service_kit.context import ServiceParts
from revcycle_service_kit.program import offline_context


def start(parts: ServiceParts) -> None:
    settings = ServiceSettings(service_name="sample", database_url="postgresql://nobody@localhost/none")
    create_base_app(offline_context(settings), parts)


def test_a_route_without_a_row_keeps_the_service_from_starting() -> None:
    """However it was added; it is named."""
    parts, forgotten = build(), APIRouter(prefix="/v1")

    @forgotten.get("/forgotten")
    async def read_forgotten() -> None:
        """Open to nobody, because nobody said to whom."""

    start(parts)
    with pytest.raises(UndeclaredAccess, match="read_forgotten"):
        start(replace(parts, routers=(*parts.routers, forgotten)))
    table = {**parts.access, "read_forgotten": allow("biller")}
    start(replace(parts, routers=(*parts.routers, forgotten), access=table))


def test_a_row_without_a_route_keeps_the_service_from_starting() -> None:
    """A right that means nothing is a mistake."""
    parts = build()
    with pytest.raises(UndeclaredAccess, match="read_nothing"):
        start(replace(parts, access={**parts.access, "read_nothing": allow("biller")}))


def test_a_row_names_roles() -> None:
    """At least one."""
    with pytest.raises(ValueError, match="at least one"):
        allow()
