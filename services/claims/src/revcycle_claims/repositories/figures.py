"""What an operator sees of claims under /metrics: what waits, for how much money, and until when."""

from datetime import date
from typing import Final

from revcycle_messaging import UnitOfWork
from revcycle_service_kit import BusinessFigures, Figure

# Every claim has an outcome or waits; the filing deadline counts only until a claim is first sent.
_READ: Final = """
    SELECT count(*) FILTER (WHERE waiting_for IS NOT NULL) AS waiting,
        coalesce(sum(charge_cents) FILTER (WHERE waiting_for IS NOT NULL), 0)::bigint AS waiting_cents,
        count(*) FILTER (WHERE waiting_for IS NOT NULL AND submissions = 0 AND filing_deadline < $1) AS missed,
        (SELECT count(*) FROM claims.task WHERE state = 'open' AND kind = 'filing_deadline_near') AS near,
        (SELECT coalesce(sum(money_at_stake_cents), 0)::bigint FROM claims.task
            WHERE state = 'open' AND kind = 'filing_deadline_near') AS near_cents,
        (SELECT count(*) FROM claims.task WHERE state = 'open') AS tasks,
        (SELECT count(*) FROM claims.remittance WHERE state = 'held') AS held
    FROM claims.claim
"""


async def read_figures(uow: UnitOfWork, today: date) -> dict[str, dict[str, float]]:
    """The figures of one tenant on a business day."""
    row = await uow.fetch_row(_READ, today)
    assert row is not None, "an aggregate gives a row"
    return {
        "work_waiting_items": {"claims": row["waiting"], "claim tasks": row["tasks"]},
        "work_waiting_cents": {"": row["waiting_cents"]},
        "claim_filing_near_claims": {"": row["near"]},
        "claim_filing_near_cents": {"": row["near_cents"]},
        "claim_filing_missed_claims": {"": row["missed"]},
        "remittance_held_remittances": {"": row["held"]},
    }


FIGURES: Final = BusinessFigures(
    (
        Figure("work_waiting_items", "What waits here, by kind", "kind", ("claims", "claim tasks")),
        Figure("work_waiting_cents", "Charges of what waits here"),
        Figure("claim_filing_near_claims", "Unsettled claims whose filing deadline is near"),
        Figure("claim_filing_near_cents", "Money at stake on them"),
        Figure("claim_filing_missed_claims", "Claims never sent whose filing deadline has passed"),
        Figure("remittance_held_remittances", "Remittances that do not balance and are not posted"),
    ),
    read_figures,
)
