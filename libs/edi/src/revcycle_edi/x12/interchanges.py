"""What an input holds: interchanges, groups, transactions and their control numbers, without reading the content."""

from datetime import datetime
from typing import Literal

import msgspec

from revcycle_edi.x12.cursor import Cursor, parse_envelope
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import Envelope
from revcycle_edi.x12.values import parse_integer


class TransactionSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST: its type (837, 835, 999, ...) and control number."""

    transaction_type: str
    control_number: str


class GroupSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One GS: functional id (HC, HP, FA, HN, HR, ...), control number, guide version (GS08) and its transactions."""

    functional_id: str
    control_number: int
    version: str
    transactions: tuple[TransactionSummary, ...]


class InterchangeSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ISA with what it encloses."""

    control_number: int
    sender_id: str
    receiver_id: str
    sender_qualifier: str
    receiver_qualifier: str
    created_at: datetime
    usage: Literal["P", "T"]
    ta1_count: int
    groups: tuple[GroupSummary, ...]


class _Open:
    """An interchange whose end has not been seen."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.ta1_count = 0
        self.groups: list[tuple[list[str], list[TransactionSummary]]] = []

    def summary(self) -> InterchangeSummary:
        envelope = self.envelope
        return InterchangeSummary(
            control_number=envelope.control_number,
            sender_id=envelope.sender_id,
            receiver_id=envelope.receiver_id,
            sender_qualifier=envelope.sender_qualifier,
            receiver_qualifier=envelope.receiver_qualifier,
            created_at=envelope.created_at,
            usage=envelope.usage,
            ta1_count=self.ta1_count,
            groups=tuple(
                GroupSummary(
                    functional_id=gs[1],
                    control_number=parse_integer(gs[6], digits=9),
                    version=gs[8],
                    transactions=tuple(transactions),
                )
                for gs, transactions in self.groups
            ),
        )


def inspect_interchanges(data: Source) -> list[InterchangeSummary]:
    """List what an input holds. X12Error when it is not X12 or an envelope cannot be read."""
    cursor = Cursor(data)
    found: list[InterchangeSummary] = []
    current: _Open | None = None
    try:
        while cursor.advance():
            if cursor.id == "ISA":
                current = _Open(parse_envelope(cursor.segment, [], cursor.reader.delimiters))
            elif current is None:
                continue
            elif cursor.id == "TA1":
                current.ta1_count += 1
            elif cursor.id == "GS":
                current.groups.append((cursor.e, []))
            elif cursor.id == "ST" and current.groups:
                summary = TransactionSummary(transaction_type=cursor.e[1], control_number=cursor.e[2])
                current.groups[-1][1].append(summary)
            elif cursor.id == "IEA":
                found.append(current.summary())
                current = None
    except X12Error as error:
        raise cursor.located(error) from None
    return found
