"""What an operator sees of registration under /metrics."""

from datetime import date
from typing import Final

from revcycle_messaging import UnitOfWork
from revcycle_service_kit import BusinessFigures, Figure


async def read_figures(uow: UnitOfWork, _: date) -> dict[str, dict[str, float]]:
    """The figures of one tenant."""
    refusals = await uow.fetch_value("SELECT count(*) FROM registration.intake_refusal")
    return {"work_waiting_items": {"intake refusals": refusals}}


FIGURES: Final = BusinessFigures(
    (Figure("work_waiting_items", "What waits here, by kind", "kind", ("intake refusals",)),), read_figures
)
