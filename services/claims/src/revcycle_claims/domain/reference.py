"""What a claim is built against: facilities, payers and prices, each as known now."""

from collections.abc import Iterable
from datetime import date

from revcycle_events import Address, Value

SELF_PAY = "SELFPAY"
"""The payer id that says: there is no insurance, the patient pays."""


class Facility(Value):
    """A facility of the tenant, as it bills."""

    npi: str
    name: str
    tax_id: str
    taxonomy: str | None = None
    address: Address
    time_zone: str


class Payer(Value):
    """A payer the tenant bills. ``filing_limit_days`` counts from the date of service."""

    payer_id: str
    name: str
    filing_limit_days: int


class Price(Value):
    """A row of a fee schedule: cents for one unit, in force ``effective_from`` <= date < ``effective_to``."""

    code: str
    modifier: str | None = None
    effective_from: date
    effective_to: date | None = None
    price_cents: int

    def in_force(self, on: date) -> bool:
        """Whether the row holds on a date."""
        return self.effective_from <= on and (self.effective_to is None or on < self.effective_to)


def find_price(prices: Iterable[Price], code: str, modifiers: Iterable[str], on: date) -> Price | None:
    """The price of a service on a date: a row for one of its modifiers before a plain one, then the latest start."""
    wanted = [*modifiers]
    found = [
        price
        for price in prices
        if price.code == code and price.in_force(on) and (price.modifier is None or price.modifier in wanted)
    ]
    return max(found, key=lambda price: (price.modifier is not None, price.effective_from), default=None)
