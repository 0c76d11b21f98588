"""KPI definitions as code: a numerator and a denominator of measures, never an average of averages.

A KPI is a pure function of the sums; its ``definition_id`` changes whenever its meaning does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from revcycle_analytics.domain.measures import Place

Totals = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a KPI means. ``unit`` is share, days or cents; ``days`` is the length of the period in days."""

    kpi_id: str
    definition_id: str
    title: str
    meaning: str
    unit: str
    numerator: Callable[[Totals, int], int]
    denominator: Callable[[Totals, int], int]
    numerator_meaning: str
    denominator_meaning: str


@dataclass(frozen=True, slots=True)
class Value:
    """A computed KPI: numerator and denominator say it exactly, ``ratio`` to four places, None without denominator."""

    numerator: int
    denominator: int

    @property
    def ratio(self) -> str | None:
        """Numerator by denominator as decimal text, rounded half away from zero, without a float in between."""
        if self.denominator == 0:
            return None
        scaled = abs(self.numerator) * 10_000 * 2 // abs(self.denominator)
        units = (scaled + 1) // 2
        sign = "-" if (self.numerator < 0) != (self.denominator < 0) and units else ""
        return f"{sign}{units // 10_000}.{units % 10_000:04d}"


def open_receivable_cents(totals: Totals) -> int:
    """Charges of submitted claims less what payers paid and what was adjusted; the patients' share is still open."""
    return (
        totals.get("charge_cents", 0)
        - totals.get("paid_cents", 0)
        - totals.get("contractual_cents", 0)
        - totals.get("other_adjustment_cents", 0)
    )


def _measure(name: str) -> Callable[[Totals, int], int]:
    return lambda totals, _: totals.get(name, 0)


DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "first-pass-rate",
        "first-pass-rate.v1",
        "First-pass rate",
        "Of the claims a payer has answered, the share whose first answer was an adjudication with no line denied.",
        "share",
        _measure("first_pass"),
        _measure("first_answers"),
        "claims whose first answer has no denied line",
        "claims with an answer (rejection or adjudication)",
    ),
    Definition(
        "denial-rate",
        "denial-rate.v1",
        "Denial rate",
        "Of the adjudicated claims, the share with at least one denied line. Grouped by CARC a claim counts per CARC.",
        "share",
        lambda totals, _: totals.get("claims_denied_by_carc", totals.get("claims_denied", 0)),
        _measure("claims_adjudicated"),
        "adjudicated claims with a denied line",
        "adjudicated claims, reversals aside",
    ),
    Definition(
        "days-in-ar",
        "days-in-ar.v1",
        "Days in A/R",
        "Open receivable over the average charge of a day, for claims submitted in the period.",
        "days",
        lambda totals, days: open_receivable_cents(totals) * days,
        _measure("charge_cents"),
        "open receivable in cents, times the days of the period",
        "charges of the period in cents",
    ),
    Definition(
        "charge-lag",
        "charge-lag.v1",
        "Charge lag",
        "Days from the date of service to the first submission, over the claims submitted.",
        "days",
        _measure("charge_lag_days"),
        _measure("claims_submitted"),
        "sum of days from service to first submission",
        "claims submitted",
    ),
    Definition(
        "net-collection-rate",
        "net-collection-rate.v1",
        "Net collection rate",
        "Payers' payments over charges less contractual adjustments.",
        "share",
        _measure("paid_cents"),
        lambda totals, _: totals.get("charge_cents", 0) - totals.get("contractual_cents", 0),
        "payments posted in cents",
        "charges less contractual adjustments in cents",
    ),
)
BY_ID: Mapping[str, Definition] = {definition.kpi_id: definition for definition in DEFINITIONS}


def compute(definition: Definition, totals: Totals, days: int) -> Value:
    """The KPI of these sums over a period of so many days."""
    return Value(definition.numerator(totals, days), definition.denominator(totals, days))


def totals_of(sums: Iterable[tuple[Place, int]]) -> dict[str, int]:
    """Sums over days, payers and CARCs, per measure; claims per CARC do not add up to claims and stay out."""
    totals: dict[str, int] = {}
    for place, value in sums:
        if place.measure != "claims_denied_by_carc":
            totals[place.measure] = totals.get(place.measure, 0) + value
    return totals


def grouped_totals(sums: Iterable[tuple[Place, int]], by: str) -> dict[str, dict[str, int]]:
    """Totals per payer, per CARC or per day. Grouped by CARC the denominators are those of all claims."""
    rows = list(sums)
    groups: dict[str, dict[str, int]] = {}
    for place, value in rows:
        group = _group(place, by)
        if group is not None:
            totals = groups.setdefault(group, {})
            measure = place.measure
            if measure == "claims_denied_by_carc" and by != "carc":
                continue
            totals[measure] = totals.get(measure, 0) + value
    if by == "carc":
        whole = totals_of(rows)
        for totals in groups.values():
            totals["claims_adjudicated"] = whole.get("claims_adjudicated", 0)
            totals.setdefault("claims_denied_by_carc", 0)
    return groups


def _group(place: Place, by: str) -> str | None:
    if by == "carc":
        return place.carc or None
    return place.payer_id if by == "payer_id" else place.day.isoformat()


def period_days(first: date, last: date) -> int:
    """Days of a period, both ends included."""
    return (last - first).days + 1
