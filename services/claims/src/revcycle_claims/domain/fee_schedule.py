"""Rows of a fee schedule as they are handed in: each is taken or refused on its own."""

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from revcycle_claims.domain.reference import Price


class PriceRow(BaseModel):
    """A price for one unit of a code, in force ``effective_from`` <= date of service < ``effective_to``."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    code: Annotated[str, Field(pattern=r"^[A-Z0-9]{5}$", description="Procedure code")]
    modifier: Annotated[str | None, Field(pattern=r"^[A-Z0-9]{2}$")] = None
    effective_from: date
    effective_to: Annotated[date | None, Field(description="Exclusive; null: open")] = None
    price_cents: Annotated[StrictInt, Field(gt=0, le=100_000_000)]

    @model_validator(mode="after")
    def _check_interval(self) -> Self:
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be after effective_from")
        return self

    def price(self) -> Price:
        """The price this row sets."""
        return Price(**self.model_dump())
