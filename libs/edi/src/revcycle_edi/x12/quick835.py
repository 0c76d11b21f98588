"""835 claims read by templates: what stands behind the names is one template, dates and amounts behind it another."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from revcycle_edi.x12.cursor import PADDING, Cursor, parse_name
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Memo, UnusualShapeError
from revcycle_edi.x12.records.common import Name
from revcycle_edi.x12.records.remittance import RemittanceClaim, RemittanceLine
from revcycle_edi.x12.templates import Lines, changes, loop_ends
from revcycle_edi.x12.values import parse_cents

_ENDS = re.compile(r"~(?=(?:CLP|LX|PLB|SE)\*)")
_BLANK = "CLP***0*0"
_BEHIND_DATES = ("statement_from", "statement_to", "received_date", "amounts")


class ClaimReader:
    """Claims of one input. read takes the segments of a claim."""

    def __init__(self, read: Callable[[str], RemittanceClaim], lines: Lines[RemittanceLine]) -> None:
        self._read = read
        self._lines = lines
        self._heads = Memo(self._head)
        self._dates = Memo(self._dated)
        self._blank = read(_BLANK)

    def claims(self, cursor: Cursor, assigned_number: str) -> Iterator[RemittanceClaim]:
        """Claims from the cursor on, up to the first segment that is none or a claim of another shape."""
        text = ""
        while cursor.text is not text:  # As long as it was the batch that ended.
            text = cursor.text
            pos = cursor.pos
            try:
                for end in loop_ends(cursor, _ENDS):
                    if not text.startswith("CLP*", pos):
                        break
                    yield self._claim(text[pos:end], assigned_number)
                    pos = end + 1
            except (UnusualShapeError, X12Error):
                pass  # The loop reader meets it again and says where if it is wrong.
            if pos > cursor.pos:
                cursor.leap(pos)

    def _claim(self, text: str, assigned_number: str) -> RemittanceClaim:
        head, *lines = text.split("~SVC*")
        front, named, behind = head.partition("~NM1*QC*")
        paid, paid_end, before = front.partition("~")
        name, name_end, after = behind.partition("~")
        rest = f"{paid_end}{before}{name_end}{after}"
        insured = None
        if "~NM1*IL*" in rest:
            before, _, behind = rest.partition("~NM1*IL*")
            other, name_end, after = behind.partition("~")
            insured, rest = _name(other), f"{before}{name_end}{after}"
        others, dated, days = rest.partition("~DTM*")
        template, dates = self._heads[others], self._dates[f"{dated}{days}"]
        e = paid.split("*")
        if not 8 <= len(e) <= 10 or (dated and template.amounts):
            raise UnusualShapeError
        return replace(
            replace(template, **dates),
            claim_id=e[1],
            status_code=e[2],
            charge_cents=parse_cents(e[3]),
            paid_cents=parse_cents(e[4]),
            patient_responsibility_cents=parse_cents(e[5]) if e[5] else None,
            filing_code=e[6],
            payer_claim_control_number=e[7],
            facility_code=e[8] if len(e) > 8 else "",
            frequency_code=e[9] if len(e) > 9 else "",
            assigned_number=assigned_number,
            patient=_name(name) if named else None,
            insured=insured,
            lines=self._lines.take(lines),
        )

    def _head(self, text: str) -> RemittanceClaim:
        """What stands before the dates but for names of persons."""
        claim = self._read(_BLANK + text)
        if claim.patient is not None or claim.insured is not None:
            raise UnusualShapeError
        return claim

    def _dated(self, text: str) -> dict[str, Any]:
        return changes(_BLANK + text, self._read, self._blank, _BEHIND_DATES)


def _name(text: str) -> Name:
    """An NM1 from its second element on."""
    e = ["", "", *text.split("*")]
    return parse_name(e if len(e) > 9 else e + PADDING)
