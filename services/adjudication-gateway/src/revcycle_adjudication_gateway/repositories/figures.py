"""What an operator sees of the payer connections under /metrics."""

from datetime import date
from typing import Final

from revcycle_messaging import UnitOfWork
from revcycle_service_kit import BusinessFigures, Figure

_READ: Final = """
    SELECT count(*) AS waiting, coalesce(sum(charge_cents), 0)::bigint AS waiting_cents,
        count(*) FILTER (WHERE sending = 'unknown') AS unknown,
        coalesce(sum(charge_cents) FILTER (WHERE sending = 'unknown'), 0)::bigint AS unknown_cents,
        (SELECT count(*) FROM gateway.remittance WHERE state = 'held') AS held,
        (SELECT count(*) FROM gateway.exception_item) AS exceptions
    FROM gateway.submission WHERE sending IN ('queued', 'intent', 'unknown', 'not_sent')
"""


async def read_figures(uow: UnitOfWork, _: date) -> dict[str, dict[str, float]]:
    """The figures of one tenant."""
    row = await uow.fetch_row(_READ)
    assert row is not None, "an aggregate gives a row"
    return {
        "work_waiting_items": {"submissions": row["waiting"], "exceptions": row["exceptions"]},
        "work_waiting_cents": {"": row["waiting_cents"]},
        "submission_unknown_items": {"": row["unknown"]},
        "submission_unknown_cents": {"": row["unknown_cents"]},
        "remittance_held_remittances": {"": row["held"]},
    }


FIGURES: Final = BusinessFigures(
    (
        Figure("work_waiting_items", "What waits here, by kind", "kind", ("submissions", "exceptions")),
        Figure("work_waiting_cents", "Charges of what waits to reach a payer"),
        Figure("submission_unknown_items", "Submissions of which nobody knows whether the payer has them"),
        Figure("submission_unknown_cents", "Their charges"),
        Figure("remittance_held_remittances", "Remittances whose equations fail, not published"),
    ),
    read_figures,
)
