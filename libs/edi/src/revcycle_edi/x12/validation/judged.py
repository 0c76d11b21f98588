"""What the texts of an 837 say on their own, judged once per text and remembered: in bulk files most of them repeat."""

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from revcycle_edi.x12.codes import CARCS, FACILITY_TYPES
from revcycle_edi.x12.cursor import PADDING
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Memo
from revcycle_edi.x12.values import parse_cents, parse_date

_ICD10 = re.compile(r"[A-TV-Z]\d[0-9A-Z](?:[0-9A-Z]{1,4})?")
_PROCEDURE = re.compile(r"[A-Z]\d{4}|\d{4}[0-9A-Z]")
_MAXIMUM_CODES = 12
_REMEMBERED_CHARS = 60


def cents(text: str) -> int:
    """An amount for arithmetic: 0 when it cannot be read (the guide layer has reported it)."""
    try:
        return parse_cents(text)
    except X12Error:
        return 0


def day(text: str) -> date | None:
    """A date for comparison: None when it cannot be read."""
    try:
        return parse_date(text[:8])
    except X12Error:
        return None


@lru_cache(maxsize=8192)
def is_icd10(code: str) -> bool:
    """Whether a text has the form of an ICD-10-CM code."""
    return _ICD10.fullmatch(code) is not None


def has_repeated_reason(e: list[str]) -> bool:
    """Whether a CAS names a reason twice; it holds up to six, each with an amount and a quantity."""
    reasons = [reason for reason in e[2:20:3] if reason]
    return len(set(reasons)) != len(reasons)


def is_positive(units: str) -> bool:
    """Whether a number of units is more than nothing."""
    return units == "1" or bool(units.strip("0.") and not units.startswith("-"))


def judge_procedure(text: str) -> tuple[str, bool, bool]:
    """A procedure composite: the code when it is an HCPCS code of the right form, wrong form, repeated modifier."""
    return _judged_procedure(text) if len(text) <= _REMEMBERED_CHARS else _read_procedure(text)


def _read_procedure(text: str) -> tuple[str, bool, bool]:
    qualifier, _, rest = text.partition(":")
    code, *more = rest.split(":")
    modifiers = [m for m in more[:4] if m]
    repeated = len(set(modifiers)) != len(modifiers)
    if qualifier != "HC":
        return "", False, repeated
    wrong = _PROCEDURE.fullmatch(code) is None or code.startswith("0000")
    return "" if wrong else code, wrong, repeated


def judge_pointers(text: str) -> tuple[int, bool]:
    """Diagnosis pointers: the highest (-1 when one is no number from 1 on), and whether one is repeated."""
    return _judged_pointers(text) if len(text) <= _REMEMBERED_CHARS else _read_pointers(text)


def _read_pointers(text: str) -> tuple[int, bool]:
    pointers = text.split(":")
    numbers = [int(p[:3]) if p.isdecimal() else 0 for p in pointers if p]
    return -1 if 0 in numbers else max(numbers, default=0), len(set(pointers)) != len(pointers)


_judged_procedure = lru_cache(maxsize=4096)(_read_procedure)
_judged_pointers = lru_cache(maxsize=1024)(_read_pointers)


class Service(NamedTuple):
    """A service line; faultless says that no rule finds anything wrong with it but where its pointers lead."""

    charge_cents: int
    code: str
    highest_pointer: int
    faultless: bool


def _read_service(text: str) -> Service:
    """SV1."""
    e = text.split("*") + PADDING
    code, wrong_form, repeated = judge_procedure(e[1])
    highest, pointed_twice = judge_pointers(e[7])
    faultless = (
        not (wrong_form or repeated or pointed_twice or e[2].startswith("-"))
        and highest >= 0
        and is_positive(e[4])
        and (not e[5] or e[5] in FACILITY_TYPES)
    )
    return Service(cents(e[2]), code, highest, faultless)


class Adjustments(NamedTuple):
    """A CAS: the sum of its amounts. faultless says that no rule finds anything wrong with its reasons and amounts."""

    total_cents: int
    faultless: bool


def _read_adjustments(text: str) -> Adjustments:
    """CAS."""
    e = text.split("*") + PADDING
    pairs = [(e[index], e[index + 1]) for index in range(2, 20, 3) if e[index]]
    known = all(reason in CARCS and (not amount or cents(amount)) for reason, amount in pairs)
    return Adjustments(sum(cents(amount) for _, amount in pairs), known and not has_repeated_reason(e))


class CodeList(NamedTuple):
    """An HI: its codes with their qualifiers. faultless says that they are different well-formed ICD-10 diagnoses."""

    codes: tuple[tuple[str, str], ...]
    faultless: bool


def _read_codes(text: str) -> CodeList:
    """HI."""
    parts = [[*element.split(":"), ""] for element in text.split("*")[1 : _MAXIMUM_CODES + 1] if element]
    codes = tuple((part[0], part[1]) for part in parts)
    different = len({code for _, code in codes}) == len(codes)
    return CodeList(codes, different and all(q in ("ABK", "ABF") and is_icd10(code) for q, code in codes))


def _read_period(text: str) -> tuple[date | None, date | None]:
    """DTP: start and end of its date or, behind RD8, of its period; None for what cannot be read."""
    e = text.split("*") + PADDING
    start = day(e[3])
    return start, day(e[3][9:]) if e[2] == "RD8" else start


def _read_facility(text: str) -> tuple[str, str]:
    """CLM05: facility and frequency."""
    parts = [*text.split(":"), "", "", ""]
    return parts[0], parts[2]


SERVICES = Memo(_read_service)
"""By the text of an SV1."""
ADJUSTMENTS = Memo(_read_adjustments)
"""By the text of a CAS."""
CODE_LISTS = Memo(_read_codes)
"""By the text of an HI."""
PERIODS = Memo(_read_period)
"""By the text of a DTP."""
FACILITIES = Memo(_read_facility)
"""By CLM05."""
