"""The hospital's own prices: every procedure code of its world, each in force while the code is."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from revcycle_payer_simulator import benefit_plan

from revcycle_hospital_simulator.catalogue import (
    LATE_PRICED_CENTS,
    LATE_PRICED_CODE,
    LATE_PRICED_FROM,
    UNKNOWN_TO_PAYERS,
)

SCHEDULE_NAME = "standard"

# What a hospital charges lies well above what payers allow: the difference is the contractual adjustment.
_CHARGE_PERCENT = 160
_REFERENCE_PAYER = benefit_plan.PAYER_IDS[0]


@dataclass(frozen=True, slots=True)
class PriceRow:
    """Cents for one unit, in force ``effective_from`` <= day < ``effective_to`` (None: open)."""

    code: str
    effective_from: date
    effective_to: date | None
    price_cents: int


@cache
def fee_schedule_rows() -> tuple[PriceRow, ...]:
    """Every row, in the order of the codes; a code that ended keeps its price up to its last day."""
    rows = [_row_of(code) for code in benefit_plan.known_codes()]
    rows += [PriceRow(code, begins, None, cents) for code, (begins, cents) in UNKNOWN_TO_PAYERS.items()]
    rows.append(PriceRow(LATE_PRICED_CODE, LATE_PRICED_FROM, None, LATE_PRICED_CENTS))
    return tuple(sorted(rows, key=lambda row: row.code))


def price_cents(code: str, on: date) -> int | None:
    """The price of a unit on a day, or None."""
    row = _by_code().get(code)
    if row is None or on < row.effective_from or (row.effective_to is not None and on >= row.effective_to):
        return None
    return row.price_cents


@cache
def _by_code() -> dict[str, PriceRow]:
    return {row.code: row for row in fee_schedule_rows()}


def _row_of(code: str) -> PriceRow:
    interval, fee = benefit_plan.code_interval(code), benefit_plan.fee_cents(_REFERENCE_PAYER, code)
    assert interval is not None and fee is not None, "a code the payers know has an interval and a fee"
    begins, last_day = interval
    ends = None if last_day is None else last_day + timedelta(days=1)
    return PriceRow(code, begins, ends, (fee * _CHARGE_PERCENT + 99) // 100)
