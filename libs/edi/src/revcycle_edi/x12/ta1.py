"""Reading the TA1: the answer to an interchange. It stands between ISA and IEA, outside any group."""

from typing import Literal

from revcycle_edi.x12.cursor import Cursor, parse_envelope
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.acknowledgment import InterchangeAcknowledgment
from revcycle_edi.x12.values import parse_integer, parse_timestamp


def parse_ta1(data: Source) -> list[InterchangeAcknowledgment]:
    """Every TA1 of an input. X12Error when the input cannot be read."""
    cursor = Cursor(data)
    found: list[InterchangeAcknowledgment] = []
    isa: list[str] = []
    try:
        while cursor.advance():
            if cursor.id == "ISA":
                isa = cursor.segment
            elif cursor.id == "TA1":
                e = cursor.e
                found.append(
                    InterchangeAcknowledgment(
                        envelope=parse_envelope(isa, [], cursor.reader.delimiters),
                        control_number=parse_integer(e[1], digits=9),
                        interchange_at=parse_timestamp(e[2], e[3]),
                        code=_code(e[4]),
                        note_code=e[5],
                    )
                )
    except X12Error as error:
        raise cursor.located(error) from None
    return found


def _code(text: str) -> Literal["A", "E", "R"]:
    if text == "A":
        return "A"
    if text == "E":
        return "E"
    if text == "R":
        return "R"
    raise X12Error("ta1.code", "unknown acknowledgment code", expected="A, E or R", segment="TA1", element="04")
