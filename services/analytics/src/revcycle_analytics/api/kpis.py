"""``GET /v1/kpis`` and ``GET /v1/kpis/{kpi_id}``: numerator, denominator and definition of every number."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from revcycle_service_kit import NotFound, ReadUnitOfWork
from revcycle_service_kit.validation import IsoDate

from revcycle_analytics.domain.kpis import BY_ID, DEFINITIONS, Value
from revcycle_analytics.use_cases.compute_kpis import Answer, Question, compute_kpis

router = APIRouter(prefix="/v1", tags=["kpis"])
FirstDay = Annotated[
    IsoDate | None, Query(alias="from", description="First business day, included", examples=["2026-09-01"])
]
LastDay = Annotated[
    IsoDate | None, Query(alias="to", description="Last business day, included", examples=["2026-09-30"])
]
Payer = Annotated[str | None, Query(max_length=80, description="Only this payer", examples=["REVPAY1"])]
GroupBy = Annotated[
    Literal["payer_id", "carc", "day"] | None, Query(description="One more value per payer, per CARC or per day")
]


class KpiGroup(BaseModel):
    """The KPI within one payer, CARC or day."""

    group: str = Field(examples=["REVPAY1"])
    numerator: int = Field(examples=[41])
    denominator: int = Field(examples=[57])
    value: str | None = Field(examples=["0.7193"])


class Kpi(BaseModel):
    """One KPI. ``value`` is numerator by denominator to four places; null when there is nothing to divide by."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kpi_id": "first-pass-rate",
                    "definition_id": "first-pass-rate.v1",
                    "title": "First-pass rate",
                    "meaning": "Of the claims a payer has answered, the share whose first answer had no line denied.",
                    "unit": "share",
                    "first_day": "2026-09-01",
                    "last_day": "2026-09-30",
                    "numerator": 187,
                    "numerator_meaning": "claims whose first answer has no denied line",
                    "denominator": 214,
                    "denominator_meaning": "claims with an answer",
                    "value": "0.8738",
                    "groups": [],
                }
            ]
        }
    )

    kpi_id: str
    definition_id: str
    title: str
    meaning: str
    unit: str
    first_day: date | None
    last_day: date | None
    numerator: int
    numerator_meaning: str
    denominator: int
    denominator_meaning: str
    value: str | None
    groups: list[KpiGroup]


class Kpis(BaseModel):
    """All KPIs of a period."""

    items: list[Kpi]


@router.get("/kpis", summary="All KPIs of a period", operation_id="list_kpis", response_model=Kpis)
async def list_kpis(
    uow: ReadUnitOfWork,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    payer_id: Payer = None,
    group_by: GroupBy = None,
) -> Kpis:
    """Every KPI with numerator, denominator and definition; without bounds, over all days that have charges."""
    answers = await compute_kpis(uow, Question(DEFINITIONS, first_day, last_day, payer_id, group_by))
    return Kpis(items=[_kpi(answer) for answer in answers])


@router.get("/kpis/{kpi_id}", summary="One KPI of a period", operation_id="get_kpi", response_model=Kpi)
async def get_kpi(
    kpi_id: str,
    uow: ReadUnitOfWork,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    payer_id: Payer = None,
    group_by: GroupBy = None,
) -> Kpi:
    """One KPI, for example ``denial-rate`` grouped by ``carc``."""
    definition = BY_ID.get(kpi_id)
    if definition is None:
        raise NotFound(f"no such KPI; there are {', '.join(BY_ID)}", code="unknown_kpi")
    (answer,) = await compute_kpis(uow, Question([definition], first_day, last_day, payer_id, group_by))
    return _kpi(answer)


def _kpi(answer: Answer) -> Kpi:
    definition = answer.definition
    return Kpi(
        kpi_id=definition.kpi_id,
        definition_id=definition.definition_id,
        title=definition.title,
        meaning=definition.meaning,
        unit=definition.unit,
        first_day=answer.first_day,
        last_day=answer.last_day,
        numerator=answer.value.numerator,
        numerator_meaning=definition.numerator_meaning,
        denominator=answer.value.denominator,
        denominator_meaning=definition.denominator_meaning,
        value=answer.value.ratio,
        groups=[_group(name, value) for name, value in answer.groups.items()],
    )


def _group(name: str, value: Value) -> KpiGroup:
    return KpiGroup(group=name, numerator=value.numerator, denominator=value.denominator, value=value.ratio)
