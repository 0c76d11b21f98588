"""Codes that a number in the note decides: the week of a pregnancy and the body mass index of an adult.

Sources: ICD-10-CM guidelines I.C.21.c.11 (Z3A beside codes of chapter 15) and I.B.14 (Z68 beside a weight diagnosis).
"""

import re
from collections.abc import Iterable

Found = tuple[str, tuple[int, int]]

_PREGNANT = ("O", "Z34", "Z33")
_WEIGHT = ("E66", "R635", "R634", "R636", "E43", "E44", "E46")
_WEEKS = re.compile(
    r"(?<![\d/.])(?P<weeks>[4-9]|[1-3]\d|4[0-2])"
    r"(?:\s?(?:\+|and|&)?\s?[0-6]/7|\s?\+\s?[0-6]|\s?w(?:k|eek)?s?[ ,]*(?:and )?[0-6]\s?d(?:ays?)?"
    r"|[\s-]?w(?:ee)?ks?|\s?w)\b"
    r"(?P<named>[^.;\n]{0,20}\b(?:gestation\w*|pregnan\w*|ga|iup|ega)\b)?",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:\b(?:at|iup|ga|ega|now|currently|gestation\w*|pregnan\w*)\b|@)\W*(?:of |is |at )?$", re.IGNORECASE
)
_BMI = re.compile(r"\b(?:bmi|body mass index)\b[^\d\n]{0,20}(?P<value>\d{2}(?:\.\d+)?)(?!\d)", re.IGNORECASE)
_TRIMESTERS = ((14, "first"), (28, "second"), (99, "third"))


def gestation(text: str) -> tuple[int, tuple[int, int]] | None:
    """The completed weeks that a note names as the age of the pregnancy, with their characters."""
    for match in _WEEKS.finditer(text):
        if match["named"] or _BEFORE.search(text[max(0, match.start() - 20) : match.start()]):
            return int(match["weeks"]), match.span()
    return None


def trimester(weeks: int) -> str:
    """`first`, `second` (from 14 weeks) or `third` (from 28 weeks)."""
    return next(name for end, name in _TRIMESTERS if weeks < end)


def of_pregnancy(keys: Iterable[str]) -> bool:
    """Whether one of the keys speaks of a pregnancy."""
    return any(key.startswith(_PREGNANT) for key in keys)


def week_code(weeks: int) -> str:
    """The code of the completed weeks."""
    return f"Z3A{weeks:02d}" if weeks >= 8 else "Z3A01"


def body_mass_code(text: str, keys: Iterable[str]) -> Found | None:
    """The adult code of a body mass index in kg/m² when one of the keys is a diagnosis of weight."""
    match = _BMI.search(text) if any(key.startswith(_WEIGHT) for key in keys) else None
    if match is None:
        return None
    whole = int(match["value"].partition(".")[0])
    if whole < 20:
        return "Z681", match.span()
    if whole < 40:
        return f"Z68{whole}", match.span()
    step = 1 if whole < 45 else 2 if whole < 50 else min(5, whole // 10 - 2)
    return f"Z684{step}", match.span()
