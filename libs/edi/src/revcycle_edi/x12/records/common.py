"""Records shared by several transactions: envelope, parties, names, addresses, adjustments.

Money is integer cents, dates are `date`, quantities are `Decimal`; an empty string means "not sent".
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

RawSegment = tuple[str, ...]
"""A segment kept as its elements, the segment id first."""


class Delimiters(msgspec.Struct, frozen=True, gc=False):
    """The four separators of an interchange, each one character."""

    element: str = "*"
    component: str = ":"
    repetition: str = "^"
    segment: str = "~"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """ISA and GS of one interchange with one functional group.

    control_number is ISA13 (1 to 999,999,999), group_control_number GS06 (defaults to control_number).
    created_at is written as its own wall clock; X12 carries no zone, so what is read back is labelled UTC.
    """

    sender_id: str
    receiver_id: str
    control_number: int
    created_at: datetime
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"
    application_sender: str = ""
    application_receiver: str = ""
    group_control_number: int = 0
    usage: Literal["P", "T"] = "P"
    acknowledgment_requested: bool = False
    delimiters: Delimiters = Delimiters()


class Address(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """N3 and N4. postal_code is 5 or 9 digits without a dash in the United States."""

    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """PER: a named contact with up to three numbers, each (qualifier TE|FX|EM|UR|EX, number)."""

    function: str = "IC"
    name: str = ""
    numbers: tuple[tuple[str, str], ...] = ()


class Reference(msgspec.Struct, frozen=True, gc=False):
    """REF: a qualified identifier."""

    qualifier: str
    value: str


class QualifiedDate(msgspec.Struct, frozen=True, gc=False):
    """DTP or DTM: a qualified date, with `end` when a period was sent, `time` HHMM when a time was sent."""

    qualifier: str
    start: date
    end: date | None = None
    time: str = ""


class QualifiedAmount(msgspec.Struct, frozen=True, gc=False):
    """AMT: a qualified amount in cents."""

    qualifier: str
    cents: int


class QualifiedQuantity(msgspec.Struct, frozen=True, gc=False):
    """QTY: a qualified quantity."""

    qualifier: str
    quantity: Decimal


class Name(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """NM1 or N1 of any entity. last_name holds the name of an organization when entity_type is `2`."""

    last_name: str = ""
    first_name: str = ""
    middle_name: str = ""
    suffix: str = ""
    entity_type: Literal["1", "2", ""] = "1"
    id_qualifier: str = ""
    id: str = ""


class Adjustment(msgspec.Struct, frozen=True, gc=False):
    """One trio of a CAS: group code (CO, PR, OA, PI, CR), reason code (CARC), amount; positive lowers payment."""

    group_code: str
    reason_code: str
    amount_cents: int
    quantity: Decimal | None = None


class StatusCode(msgspec.Struct, frozen=True, gc=False):
    """One composite of an STC: claim status category, claim status code, entity code (empty when not sent)."""

    category: str
    status: str
    entity: str = ""
    code_list: str = ""

    @property
    def text(self) -> str:
        """The actionable unit in the usual notation, `A7:562:85`."""
        return ":".join(part for part in (self.category, self.status, self.entity) if part)
