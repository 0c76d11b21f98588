"""What validation reports: one record per finding, with the place, the remedy and the answer it deserves."""

from typing import Literal

import msgspec

from revcycle_edi.x12.errors import X12Error

Severity = Literal["error", "warning", "info"]
Answer = Literal["ta1", "999", "277ca", "internal"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finding in an interchange.

    interchange, group and transaction are the control numbers as sent; segment_number counts from 1 at the ISA,
    transaction_position from 1 at the ST (what IK302 wants); byte_offset counts from 0 at the start of the input.
    element is written as in the guides (`02`, `05-1`). answer says which acknowledgment carries it and
    answer_codes with which codes: TA105 (`001`), `IK304:…`/`IK403:…`, or a 277CA `category:status:entity`.
    claim_id is CLM01 or CLP01 of the claim the finding stands in, empty outside claims.
    """

    rule: str
    severity: Severity = "error"
    answer: Answer
    answer_codes: tuple[str, ...] = ()
    message: str
    expected: str = ""
    interchange: str = ""
    group: str = ""
    transaction: str = ""
    segment_number: int = 0
    transaction_position: int = 0
    byte_offset: int = 0
    loop: str = ""
    segment: str = ""
    element: str = ""
    claim_id: str = ""


READER_RULES = frozenset(("x12.empty", "x12.isa", "x12.delimiters", "x12.truncated", "x12.limit"))
"""Rules of findings that end the reading: nothing behind their place was looked at."""


def finding_from_error(error: X12Error, *, interchange: str = "") -> Finding:
    """Turn an unreadable input into the finding a TA1 answers (TA105 022: invalid control structure by default)."""
    return Finding(
        rule=error.rule,
        answer="ta1",
        answer_codes=(error.answer_code or "022",),
        message=error.message,
        expected=error.expected,
        interchange=interchange,
        segment_number=error.segment_number,
        byte_offset=error.byte_offset,
        segment=error.segment,
        element=error.element,
    )
