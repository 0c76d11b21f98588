"""Figures of the business as metrics: how many claims wait, for how much money; counted per tenant and added up."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from revcycle_messaging import UnitOfWork

if TYPE_CHECKING:
    from revcycle_service_kit.context import ServiceContext

EVERY_SECONDS: Final = 15.0
Measured = Mapping[str, Mapping[str, float]]
"""By name of the figure: by value of its label, or under "" where it has none."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A gauge ``revcycle_<name>``; ``label_values`` are there from the start, others when they first occur."""

    name: str
    meaning: str
    label: str | None = None
    label_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BusinessFigures:
    """What a service measures of its business.

    Attributes:
        read: measures one tenant as of a business date, in a read-only transaction and few bounded queries.
    """

    figures: Sequence[Figure]
    read: Callable[[UnitOfWork, date], Awaitable[Measured]]


async def measure_business(context: "ServiceContext", business: BusinessFigures) -> None:
    """Measure every tenant that this service holds keys for, and show the sums."""
    # A day is not the same day everywhere; for a gauge that is near enough.
    today = context.clock.business_date("UTC")
    sums: dict[str, Counter[str]] = {figure.name: Counter() for figure in business.figures}
    for tenant_id in context.keyring.tenants:
        async with context.database.unit_of_work(tenant_id, read_only=True) as uow:
            for name, values in (await business.read(uow, today)).items():
                sums[name].update(values)
    for name, values in sums.items():
        context.metrics.note_business(name, values)
