"""Topic ``revcycle.deposits.v1``, key ``deposit_id``, produced by claims. Money is integer cents."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Event

TOPIC = "revcycle.deposits.v1"


class DepositReceived(Event, type="revcycle.claims.DepositReceived.v1", topic=TOPIC, key="deposit_id"):
    """The bank says money arrived. ``bank_reference`` is the bank's own number of the deposit."""

    deposit_id: Clear[UUID]
    bank_reference: Clear[str]
    deposit_date: Clear[date]
    payer_id: Clear[str]
    trace_number: Clear[str]
    amount_cents: Clear[int]


class DepositMatched(Event, type="revcycle.claims.DepositMatched.v1", topic=TOPIC, key="deposit_id"):
    """A deposit met its remittance. ``difference_cents`` = deposit minus advice; not 0 is a named exception."""

    deposit_id: Clear[UUID]
    remittance_id: Clear[UUID]
    trace_number: Clear[str]
    difference_cents: Clear[int]
