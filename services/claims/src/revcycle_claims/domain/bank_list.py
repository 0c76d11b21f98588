"""Rows of the bank's deposit list as they are handed in."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True, slots=True)
class BankDeposit:
    """A deposit of the bank. ``bank_reference`` is the bank's own number of it."""

    bank_reference: str
    deposit_date: date
    payer_id: str
    trace_number: str
    amount_cents: int


class BankDepositRow(BaseModel):
    """A deposit. ``deposit_id`` is the bank's own number; the amount is positive."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    deposit_id: Annotated[str, Field(min_length=1, max_length=80)]
    date: date
    payer_id: Annotated[str, Field(min_length=1, max_length=80)]
    trace_number: Annotated[str, Field(min_length=1, max_length=50)]
    amount_cents: Annotated[int, Field(gt=0, le=10_000_000_000_000)]

    def deposit(self) -> BankDeposit:
        """The deposit this row tells of."""
        return BankDeposit(self.deposit_id, self.date, self.payer_id, self.trace_number, self.amount_cents)
