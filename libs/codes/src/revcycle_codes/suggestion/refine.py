"""From a phrase's code to the code to suggest: sides, unspecified leaves, seventh characters, combinations."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from revcycle_codes.rules.curated import SYMPTOMS
from revcycle_codes.rules.laterality import side_of
from revcycle_codes.suggestion.said import at_site, said_instead
from revcycle_codes.suggestion.terms import LIGHT, word_set, words
from revcycle_codes.table import CodeRow, CodeTable

_SIDE = re.compile(r"\b(right|left|bilateral|both|rt|lt|bilat|b/l)\b", re.IGNORECASE)
_SIDE_NAMES = {"both": "bilateral", "bilat": "bilateral", "b/l": "bilateral", "rt": "right", "lt": "left"}
_SIDE_LETTER = re.compile(r"(?<![\w/])([RL])(?=\s+[a-z]{3,})")
_LETTERS = {"R": "right", "L": "left"}
_DROPPED = frozenset({"unspecified", "side"})
_LATER = re.compile(
    r"\b(healing|healed|post-?op(erative)?|after (surgery|repair)|cast removal"
    r"|status post (repair|surgery|fixation))\b",
    re.IGNORECASE,
)
_SUBSEQUENT = re.compile(r"\b(subsequent encounter|routine healing|healing (well|fracture))\b", re.IGNORECASE)
_FULL = 7


def side_in(text: str) -> str | None:
    """The one side a text speaks of, None when it names none or several."""
    sides = {_LETTERS[match] for match in _SIDE_LETTER.findall(text)}
    sides |= {_SIDE_NAMES.get(match.lower(), match.lower()) for match in _SIDE.findall(text)}
    return sides.pop() if len(sides) == 1 else None


def refine(table: CodeTable, key: str, texts: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Billable codes for a found code, with the rules applied. `texts` go from the heading outwards."""
    side = next((found for text in texts if (found := side_in(text))), None)
    heading = " ".join(texts[:3])
    rows = table.rows(key)
    if not rows:
        return []
    rules: list[str] = []
    row = rows[0]
    if (sited := at_site(key, heading, side)) is not None:
        return [sited]
    said = said_instead(row.code, texts[0], heading, rules)
    if said is not None and (instead := table.rows(said)) and instead[0].billable:
        row = instead[0]
    elif narrower := _narrower(table, row, word_set(heading), side):
        row = narrower
        rules.append("site")
    if not row.billable:
        chosen = _leaf(table, key, side, heading)
        if chosen is None:
            return []
        row = chosen
        rules.append("specific-leaf")
    codes = [row.code]
    if side and (sided := _sided(table, row, side)):
        codes, rules = sided, [*rules, "laterality"]
    if _SUBSEQUENT.search(texts[0]):
        codes, rules = _in_later_care(table, codes, rules)
    return [(code, tuple(rules)) for code in codes]


def _in_later_care(table: CodeTable, codes: list[str], rules: list[str]) -> tuple[list[str], list[str]]:
    """The same injuries with the seventh character of care after the active treatment."""
    later = [f"{code[:-1]}D" if len(code) == _FULL and code[-1] == "A" else code for code in codes]
    if later == codes or not all(rows and rows[0].billable for rows in map(table.rows, later)):
        return codes, rules
    return later, [*rules, "seventh-character"]


@lru_cache(maxsize=65_536)
def _told(description: str) -> frozenset[str]:
    return frozenset(words(description))


def _narrower(table: CodeTable, row: CodeRow, said: frozenset[str], side: str | None) -> CodeRow | None:
    """The code beside an unspecified one that adds nothing but words of the problem's own text."""
    own = _told(row.description)
    if not row.billable or "unspecified" not in own:
        return None
    best: tuple[int, str, CodeRow] | None = None
    for sibling in table.under(row.code[:4]):
        told = _told(sibling.description)
        added = told - own
        if not sibling.billable or not added or not added <= said | {side} or own - told - _DROPPED:
            continue
        if len(row.code) == _FULL and sibling.code[-1:] != row.code[-1]:
            continue
        rank = (-len(added), sibling.code, sibling)
        best = min(best, rank, key=lambda one: one[:2]) if best else rank
    return best[2] if best else None


def _leaf(table: CodeTable, key: str, side: str | None, text: str) -> CodeRow | None:
    said = word_set(text)
    later = _LATER.search(text) is not None
    wanted = "D" if later else "A"

    def rank(row: CodeRow) -> tuple[float, str]:
        told = _told(row.description)
        heavy = told - LIGHT
        fit = len(heavy & said) - 0.6 * len(heavy - said)
        fit += 1.5 * ("unspecified" in told or row.code.endswith("9"))
        fit += 0.8 * (side is not None and side in told) - 0.3 * ("other" in told)
        fit += 0.5 * (len(row.code) == _FULL and row.code[-1] == wanted)
        return -fit, row.code

    leaves = [row for row in table.under(key) if row.billable]
    return min(leaves, key=rank, default=None)


def _sided(table: CodeTable, row: CodeRow, side: str) -> list[str]:
    """The code of the same condition on `side`; left and right where there is no bilateral code."""
    own = side_of(row.description)
    if own is None or own[0] == side:
        return []
    extension = row.code[-1] if len(row.code) == _FULL else ""
    by_side: dict[str, str] = {}
    for sibling in table.under(row.code[:4]):
        other = side_of(sibling.description)
        if sibling.billable and other and other[1] == own[1] and sibling.code.endswith(extension):
            by_side.setdefault(other[0], sibling.code)
    if side in by_side:
        return [by_side[side]]
    if side == "bilateral" and {"left", "right"} <= by_side.keys():
        return [by_side["right"], by_side["left"]]
    return []


# Partners of plain diabetes, the digits of the combination code, and the name of the link.
_DIABETIC: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("N18",), "22", "kidney"),
    (("L974", "L975"), "621", "ulcer"),
    (("G629", "G609", "G603"), "42", "neuropathy"),
    (("I739",), "51", "angiopathy"),
    (("R739",), "65", "hyperglycemia"),
)
_PART_OF_THE_CODE = frozenset({"neuropathy", "angiopathy", "hyperglycemia"})  # a kidney's stage, an ulcer's site stay


def combine(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Replacements by the guidelines' presumed links: key to (new key, rule). Empty for what stays as it is."""
    present = set(keys)
    return _with_hypertension(present) | _with_diabetes(present)


def _with_hypertension(present: set[str]) -> dict[str, tuple[str, str]]:
    failure = any(key.startswith("I50") for key in present)
    kidney = any(key.startswith("N18") for key in present)
    if "I10" not in present or not (failure or kidney):
        return {}
    advanced = bool({"N185", "N186"} & present)
    if failure and kidney:
        instead = "I132" if advanced else "I130"
    elif failure:
        instead = "I110"
    else:
        instead = "I120" if advanced else "I129"
    return {"I10": (instead, "combination:hypertension")}


def _with_diabetes(present: set[str]) -> dict[str, tuple[str, str]]:
    replaced: dict[str, tuple[str, str]] = {}
    for partners, digits, name in _DIABETIC:
        beside = [key for key in sorted(present) if key.startswith(partners)]
        for plain in ("E119", "E109"):
            if plain in present and plain not in replaced and beside:
                replaced[plain] = (plain[:3] + digits, f"combination:diabetes-{name}")
                if name in _PART_OF_THE_CODE:
                    replaced |= dict.fromkeys(beside, replaced[plain])
    return replaced


# Beside the symptoms of the edit rules: what a coder leaves out though the two may stand together.
_ALSO_EXPLAINED = {"R251": ("G20", "G250"), "R634": ("E05",), "R609": ("I50",), "R600": ("I50",)}
_SIDE_DIGITS = {"1": "right", "2": "left"}


def explained_symptoms(keys: Iterable[str]) -> set[str]:
    """Symptoms among the keys that another of them explains, on the same side where both have one."""
    present = list(keys)
    return {
        key
        for key in present
        for prefix, causes in (*SYMPTOMS.items(), *_ALSO_EXPLAINED.items())
        if key.startswith(prefix) and any(other.startswith(causes) and _same_side(key, other) for other in present)
    }


def _same_side(symptom: str, cause: str) -> bool:
    """False for a joint's symptom and cause on different sides."""
    if symptom[0] != "M" or cause[0] != "M":
        return True
    sides = _SIDE_DIGITS.get(symptom[-1]), _SIDE_DIGITS.get(cause[-1])
    return None in sides or sides[0] == sides[1]
