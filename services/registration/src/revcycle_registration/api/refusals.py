"""Encounter files that were refused at intake, kept where they can be looked at."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from revcycle_service_kit import Page, PageParameters, ReadUnitOfWork

from revcycle_registration.api.models import FindingBody
from revcycle_registration.api.pages import after_id
from revcycle_registration.repositories import refusals

router = APIRouter(prefix="/v1", tags=["intake"])


class IntakeRefusal(BaseModel):
    """A refused file by the names it gave itself, with all that was wrong; send it again corrected."""

    refusal_id: UUID
    facility_npi: str | None = Field(examples=["1234567893"])
    encounter_number: str | None = Field(examples=["T-0001"])
    errors: list[FindingBody]
    times: int = Field(description="How often this very file came", examples=[1])
    first_refused_at: datetime
    last_refused_at: datetime


@router.get("/intake-refusals", summary="Encounter files that were refused, oldest first")
async def list_refusals(uow: ReadUnitOfWork, page: PageParameters) -> Page[IntakeRefusal]:
    """Field, rule and what would be right for each; the content itself is not kept."""
    found = await refusals.page(uow, after_id(page), page.fetch_limit)
    items = [
        IntakeRefusal(
            refusal_id=row["id"],
            facility_npi=row["facility_npi"],
            encounter_number=row["encounter_number"],
            errors=[FindingBody(**error) for error in row["errors"]],
            times=row["times"],
            first_refused_at=row["first_refused_at"],
            last_refused_at=row["last_refused_at"],
        )
        for row in found
    ]
    return page.of(items, lambda item: (item.refusal_id,))
