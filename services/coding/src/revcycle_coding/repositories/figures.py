"""What an operator sees of coding under /metrics."""

from datetime import date
from typing import Final

from revcycle_messaging import UnitOfWork
from revcycle_service_kit import BusinessFigures, Figure


async def read_figures(uow: UnitOfWork, _: date) -> dict[str, dict[str, float]]:
    """The figures of one tenant."""
    tasks = await uow.fetch_value("SELECT count(*) FROM coding.task WHERE resolved_at IS NULL")
    return {"work_waiting_items": {"coding tasks": tasks}}


FIGURES: Final = BusinessFigures(
    (Figure("work_waiting_items", "What waits here, by kind", "kind", ("coding tasks",)),), read_figures
)
