"""837 claims read with one pattern for what stands before the lines and one for each line.

Takes a whole claim and leaps behind it, or leaves the cursor where it was; the loop readers then do the work. Both give
the same records, which a test holds against damaged files. Shapes that are plainer still are taken by plain837.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import TypeVar

import msgspec

from revcycle_edi.x12.cursor import PADDING, Cursor
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.plain837 import Context
from revcycle_edi.x12.records.claim import (
    InstitutionalLine,
    ProfessionalLine,
)
from revcycle_edi.x12.t837_parts import HANDLERS, Parts
from revcycle_edi.x12.values import parse_cents, parse_date, parse_integer, parse_period, parse_quantity

_L = TypeVar("_L", ProfessionalLine, InstitutionalLine)
_V = r"([^*~]*)"  # One element.
_C = r"([^*:~]*)"  # One component.
_SITUATIONS = r"((?:(?:DTP|REF|AMT|NTE|PWK|CL1)\*[^~]*~)*)((?:HI\*[^~]*~)*)"
_PROVIDERS = r"((?:NM1\*[^~]*~(?:(?:PRV|N3|N4|REF)\*[^~]*~)*)*)(?=LX\*)"
_CLAIM = re.compile(rf"(CLM\*[^~]*)~{_SITUATIONS}{_PROVIDERS}")
_DATED = (
    rf"(?:DTP\*472\*(R?D8)\*([^*~]+)~)?(?:REF\*6R\*{_V}~)?((?:(?:REF|AMT|NTE|DTP|PWK)\*[^~]*~)*)"
    r"(?=LX\*|CLM\*|HL\*|SE\*)"
)
PROFESSIONAL_LINE = re.compile(
    rf"LX\*[^~]*~SV1\*{_C}:{_C}((?::[^*:~]*){{0,4}})\*{_V}\*{_V}\*{_V}\*{_V}\*[^*~]*\*{_V}~{_DATED}"
)
"""A line of the 837P with nothing behind its pointers, up to the next line or claim."""
INSTITUTIONAL_LINE = re.compile(rf"LX\*[^~]*~SV2\*{_V}\*(?:{_C}:{_C}((?::[^*:~]*){{0,4}}))?\*{_V}\*{_V}\*{_V}~{_DATED}")
"""A line of the 837I with nothing behind its units, up to the next line or claim."""


def _segments(text: str) -> list[list[str]]:
    """Complete segments as padded element lists."""
    return [segment.split("*") + PADDING for segment in text[:-1].split("~")]


def quick_claim(
    cursor: Cursor, context: Context, shape: re.Pattern[str], read_line: Callable[[re.Match[str]], _L]
) -> tuple[Parts, tuple[_L, ...]] | None:
    """A claim from CLM to the end of its last line."""
    text = cursor.text
    found = _CLAIM.match(text, cursor.pos)
    if found is None:
        return None
    head, situations, information, providers = found.groups()
    parts = Parts(head.split("*") + PADDING)
    try:
        if situations:
            _take(parts, situations)
        if information:
            for segment in information[3:-1].split("~HI*"):
                parts.hi.extend([composite for composite in segment.split("*")[:12] if composite])
        if providers:
            parts.providers = list(context.memory.providers[providers])
        lines: list[_L] = []
        pos = found.end()
        while (line := shape.match(text, pos)) is not None:
            lines.append(read_line(line))
            pos = line.end()
    except X12Error:
        return None
    if text.startswith("LX*", pos):
        return None
    cursor.leap(pos)
    return parts, tuple(lines)


def _take(parts: Parts, text: str) -> None:
    for e in _segments(text):
        handler = HANDLERS.get(e[0])
        if handler is not None:
            handler(parts, e)
        else:
            parts.extra.append(tuple(e[: -len(PADDING)]))


def professional_line(found: re.Match[str]) -> ProfessionalLine:
    """LX, SV1 and what follows. X12Error on a value that cannot be read."""
    qualifier, code, more, charge, unit, units, place, pointers, form, served, control, rest = found.groups()
    line = ProfessionalLine(
        procedure_code=code,
        modifiers=_modifiers(more) if more else (),
        procedure_qualifier=qualifier,
        charge_cents=parse_cents(charge),
        units=parse_quantity(units),
        unit_code=unit,
        diagnosis_pointers=_pointers(pointers),
        place_of_service=place,
        service_from=parse_date(served[:8]) if served else None,
        service_to=_period_end(served) if form == "RD8" else None,
        control_number=control or "",
    )
    return _with_rest(line, form is None, control is None, rest) if rest else line


def institutional_line(found: re.Match[str]) -> InstitutionalLine:
    """LX, SV2 and what follows. X12Error on a value that cannot be read."""
    revenue, qualifier, code, more, charge, unit, units, form, served, control, rest = found.groups()
    line = InstitutionalLine(
        procedure_code=code or "",
        modifiers=_modifiers(more) if more else (),
        procedure_qualifier="HC" if qualifier is None else qualifier,
        charge_cents=parse_cents(charge),
        units=parse_quantity(units),
        unit_code=unit,
        revenue_code=revenue,
        service_from=parse_date(served[:8]) if served else None,
        service_to=_period_end(served) if form == "RD8" else None,
        control_number=control or "",
    )
    return _with_rest(line, form is None, control is None, rest) if rest else line


def _period_end(text: str) -> date | None:
    return parse_period("RD8", text)[1]


def _with_rest(line: _L, undated: bool, unnumbered: bool, rest: str) -> _L:
    """The line with the segments behind its date and control number."""
    parts = Parts([])
    _take(parts, rest)
    if undated:
        served = parts.take_date("472")
        if served is not None:
            line = msgspec.structs.replace(line, service_from=served.start, service_to=served.end)
    if unnumbered:
        line = msgspec.structs.replace(line, control_number=parts.take_reference("6R"))
    return msgspec.structs.replace(
        line,
        dates=tuple(parts.dates),
        references=tuple(parts.references),
        amounts=tuple(parts.amounts),
        notes=tuple(parts.notes),
        attachments=tuple(parts.attachments),
        extra_segments=tuple(parts.extra),
    )


@lru_cache(maxsize=1024)
def _pointers(text: str) -> tuple[int, ...]:
    if len(text) > 12:
        raise X12Error("x12.number", "too many diagnosis pointers")
    return tuple([parse_integer(p, digits=2) for p in text.split(":") if p])


def _modifiers(text: str) -> tuple[str, ...]:
    return tuple([modifier for modifier in text.split(":") if modifier])
