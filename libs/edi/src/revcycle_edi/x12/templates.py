"""Reading by templates: what repeats in a bulk file is read once by the loop reader and kept as a record.

A loop's text is cut at what differs in nearly every loop (dates, numbers, names); the rest is the key of a template,
and the record is the template with what was cut out put in. What does not fit, or is wrong, is left to the loop reader,
which meets it again and says where. Both ways give the same records, which a test holds against damaged files.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from typing import Any, Generic, TypeVar

from msgspec.structs import asdict, replace

from revcycle_edi.x12.cursor import Cursor, Excerpt, without_leads
from revcycle_edi.x12.memo import Memo, UnusualShapeError
from revcycle_edi.x12.records.claim import InstitutionalLine, ProfessionalLine
from revcycle_edi.x12.records.remittance import RemittanceLine
from revcycle_edi.x12.values import parse_date

_T = TypeVar("_T")
_L = TypeVar("_L", bound=ProfessionalLine | InstitutionalLine | RemittanceLine)
_DAY, _DAY_TEXT, _NUMBER = date(2000, 1, 1), "20000101", "?"
_NUMBERED = "~REF*6R*"


def read_whole(text: str, read: Callable[[Cursor], _T]) -> _T:
    """What a loop reader makes of segments. UnusualShapeError when it leaves some, or white space stands before one."""
    if without_leads(text) != text:
        raise UnusualShapeError
    cursor = Excerpt(text)
    found = read(cursor)
    if cursor.id:
        raise UnusualShapeError
    return found


def changes(text: str, read: Callable[[str], Any], blank: Any, fields: Collection[str]) -> dict[str, Any]:
    """What segments change in the record that stands without them. UnusualShapeError on a change of other fields."""
    before = asdict(blank)
    changed = {name: value for name, value in asdict(read(text)).items() if value != before[name]}
    if not changed.keys() <= set(fields):
        raise UnusualShapeError
    return changed


def loop_ends(cursor: Cursor, ends: re.Pattern[str]) -> Iterator[int]:
    """Where the loops from the cursor on end in its text, before their terminator, as far as it holds whole ones."""
    for found in ends.finditer(cursor.text, cursor.pos):
        yield found.start()
    if cursor.reader.at_loop:
        yield len(cursor.text) - 1


class Lines(Generic[_L]):
    """Service lines by their text without date and control number, kept for the life of the process.

    served and form are what stands before the date: `~DTP*472*` and `D8*`. read takes the segments of a line.
    """

    def __init__(self, read: Callable[[str], _L], served: str, form: str = "") -> None:
        self._read = read
        self._served = served
        self._dated = served + form
        self._templates = Memo(self._template)
        self._days = Memo(parse_date)

    def take(self, texts: Sequence[str]) -> tuple[_L, ...]:
        """The lines of a claim. UnusualShapeError or X12Error when one is to be left to the loop reader."""
        templates, days, date_mark = self._templates, self._days, self._dated
        lines: list[_L] = []
        for text in texts:
            before, numbered, behind = text.partition(_NUMBERED)
            number, number_end, tail = behind.partition("~")
            service, dated, middle = before.partition(date_mark)
            day, day_end, rest = middle.partition("~")
            if "*" in number:
                raise UnusualShapeError
            key = f"{service}{dated}{day_end}{rest}{numbered}{number_end}{tail}"
            # What somebody wrote about a patient is not kept beyond its claim.
            line = self._template(key) if "~NTE*" in key else templates[key]
            lines.append(replace(line, service_from=days[day] if dated else line.service_from, control_number=number))
        return tuple(lines)

    def _template(self, text: str) -> _L:
        """A line with stand-ins for what was cut out. UnusualShapeError when the loop reader takes them elsewhere."""
        _, dated, behind = text.partition(self._dated)
        line = self._read(text.replace(self._dated, self._dated + _DAY_TEXT).replace(_NUMBERED, _NUMBERED + _NUMBER))
        if (
            text.count(_NUMBERED) > 1
            or line.control_number != (_NUMBER if _NUMBERED in text else "")
            or (dated and (text.count(self._served) > 1 or behind[:1] not in ("", "~") or line.service_from != _DAY))
        ):
            raise UnusualShapeError
        return line
