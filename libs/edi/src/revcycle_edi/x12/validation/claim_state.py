"""What the 837 rules remember of the claim they are in, and the values they compare."""

import re
from datetime import date
from functools import lru_cache

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.validation.context import Place
from revcycle_edi.x12.values import parse_cents, parse_date


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


def period(qualifier: str, text: str) -> tuple[date | None, date | None]:
    """Start and end of a date or, behind RD8, of a period; None for what cannot be read."""
    start = day(text)
    return start, day(text[9:]) if qualifier == "RD8" else start


def judge_procedure(text: str) -> tuple[str, bool, bool]:
    """A procedure composite: the code when it is an HCPCS code of the right form, wrong form, repeated modifier."""
    return _judged_procedure(text) if len(text) <= _REMEMBERED else _read_procedure(text)


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
    return _judged_pointers(text) if len(text) <= _REMEMBERED else _read_pointers(text)


def _read_pointers(text: str) -> tuple[int, bool]:
    pointers = text.split(":")
    numbers = [int(p[:3]) if p.isdigit() else 0 for p in pointers if p]
    return -1 if 0 in numbers else max(numbers, default=0), len(set(pointers)) != len(pointers)


@lru_cache(maxsize=8192)
def is_icd10(code: str) -> bool:
    """Whether a text has the form of an ICD-10-CM code."""
    return _ICD10.fullmatch(code) is not None


_ICD10 = re.compile(r"[A-TV-Z]\d[0-9A-Z](?:[0-9A-Z]{1,4})?")
_PROCEDURE = re.compile(r"[A-Z]\d{4}|\d{4}[0-9A-Z]")
_REMEMBERED = 60
_judged_procedure = lru_cache(maxsize=4096)(_read_procedure)
_judged_pointers = lru_cache(maxsize=1024)(_read_pointers)


def has_repeated_reason(e: list[str]) -> bool:
    """Whether a CAS names a reason twice; it holds up to six, each with an amount and a quantity."""
    reasons = [reason for reason in e[2:20:3] if reason]
    return len(set(reasons)) != len(reasons)


class OtherPayerState:
    """Another payer of the claim (2320) and what it decided."""

    def __init__(self) -> None:
        self.payer_id = ""
        self.paid: int | None = None
        self.adjusted = 0
        self.line_paid = 0
        self.decided_lines = False
        self.claim_date = False
        self.line_date = False


class ClaimState:
    """What is known of the claim being read."""

    __slots__ = (
        "accident",
        "admission",
        "born",
        "charge",
        "diagnoses",
        "discharge",
        "e",
        "f8",
        "facility",
        "frequency",
        "hi",
        "line_charge",
        "line_charges",
        "line_numbers",
        "lines",
        "listed",
        "others",
        "patient_status",
        "place",
        "pointers",
        "procedures",
        "ranks",
        "rendering",
        "responsibility",
        "service_dates",
        "statement",
    )

    def __init__(self, place: Place, e: list[str]) -> None:
        self.place = place
        self.e = e
        self.charge = cents(e[2])
        facility = [*e[5].split(":"), "", "", ""]
        self.facility, self.frequency = facility[0], facility[2]
        self.line_charges = 0
        self.diagnoses: list[str] = []
        self.hi: list[tuple[str, str, Place]] = []
        self.f8 = False
        self.accident = self.admission = False
        self.pointers: list[tuple[str, Place]] = []
        self.line_numbers: set[str] = set()
        self.service_dates: list[tuple[date, Place]] = []
        self.procedures: list[tuple[str, Place]] = []
        self.others: list[OtherPayerState] = []
        self.lines = 0
        self.line_charge = 0
        self.statement: tuple[date, date] | None = None
        self.rendering = ""
        self.responsibility = "P"
        self.ranks: set[str] = set()
        self.listed: set[tuple[str, str]] = set()
        self.born: date | None = None
        self.discharge = False
        self.patient_status = ""
