"""Compute KPIs from the rollups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from revcycle_messaging import UnitOfWork

from revcycle_analytics.domain.kpis import Definition, Value, compute, grouped_totals, period_days, totals_of
from revcycle_analytics.repositories import rollups


@dataclass(frozen=True, slots=True)
class Question:
    """Which KPIs, over which period (None: all there is), of which payer, grouped how (None, payer_id, carc, day)."""

    definitions: Sequence[Definition]
    first_day: date | None
    last_day: date | None
    payer_id: str | None
    group_by: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One KPI with its groups, and the period it stands for."""

    definition: Definition
    first_day: date | None
    last_day: date | None
    value: Value
    groups: dict[str, Value]


async def compute_kpis(uow: UnitOfWork, question: Question) -> list[Answer]:
    """Answer from the sums; the period without bounds runs from the first to the last day with a charge."""
    sums = await rollups.read(uow, question.first_day, question.last_day, question.payer_id)
    charge_days = [place.day for place, _ in sums if place.measure == "charge_cents"]
    first = question.first_day or min(charge_days, default=None)
    last = question.last_day or max(charge_days, default=None)
    days = period_days(first, last) if first and last else 1
    totals = totals_of(sums)
    groups = grouped_totals(sums, question.group_by) if question.group_by else {}
    return [
        Answer(
            definition,
            first,
            last,
            compute(definition, totals, days),
            {
                name: compute(definition, group, 1 if question.group_by == "day" else days)
                for name, group in sorted(groups.items())
            },
        )
        for definition in question.definitions
    ]
