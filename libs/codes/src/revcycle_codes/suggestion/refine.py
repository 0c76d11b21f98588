"""From a phrase's code to the code to suggest: sides, unspecified leaves, seventh characters, combinations."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from revcycle_codes.rules.curated import SYMPTOMS
from revcycle_codes.rules.laterality import side_of
from revcycle_codes.suggestion.body import REGIONS, SITE_WORDS
from revcycle_codes.suggestion.said import at_site, said_instead
from revcycle_codes.suggestion.terms import LIGHT, description_words, required_words, word_set
from revcycle_codes.table import CodeRow, CodeTable

_SIDE = re.compile(r"\b(right|left|bilateral|both|rt|lt|bilat|b/l)\b", re.IGNORECASE)
_SIDE_NAMES = {"both": "bilateral", "bilat": "bilateral", "b/l": "bilateral", "rt": "right", "lt": "left"}
_SIDE_LETTER = re.compile(r"(?<![\w/])([RL])(?=\s+[a-z]{3,})")
_LETTERS = {"R": "right", "L": "left"}
_DROPPED = frozenset({"unspecified", "side", "site", "control"})
_PLAIN = frozenset({"unspecified", "uncomplicated"})
_PRESUMED = frozenset({"displaced", "closed"})  # of a fracture that says nothing else (guidelines I.C.19.c)
_ABSENT = re.compile(r"\b(?:no|not|without|w/o|denies|negative for|never)\b[^.;\n]*", re.IGNORECASE)
_FILLERS = frozenset({"skin", "part", "other", "subcutaneous", "tissue", "including", "region", "primary", "specified"})
_LATER = re.compile(
    r"\b(healing|healed|post-?op(erative)?|after (surgery|repair)|cast removal"
    r"|status post (repair|surgery|fixation))\b",
    re.IGNORECASE,
)
_SUBSEQUENT = re.compile(
    r"\b(subsequent encounter|routine(ly)? healing|healing (well|nicely|routinely|fracture)|healed"
    r"|(weeks?|wks?|months?|mos?) (out from|s/p|status post|post-?op\w*|after (surgery|orif|fixation|repair)))\b",
    re.IGNORECASE,
)
_DISPLACED = re.compile(r"\b(?P<non>non-?|un|not |minimally )?displaced\b", re.IGNORECASE)
_FULL = 7
_NO_STAGE = ", stage unspecified"  # no side, though it reads like one


def side_in(text: str) -> str | None:
    """The one side a text speaks of, None when it names none or several."""
    sides = {_LETTERS[match] for match in _SIDE_LETTER.findall(text)}
    sides |= {_SIDE_NAMES.get(match.lower(), match.lower()) for match in _SIDE.findall(text)}
    return sides.pop() if len(sides) == 1 else None


@lru_cache(maxsize=1024)
def _present(text: str) -> str:
    """A text without what it says to be absent."""
    return _ABSENT.sub(" ", text)


def refine(table: CodeTable, key: str, texts: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Billable codes for a found code, with the rules applied. `texts` go from the heading outwards."""
    side = next((found for text in texts if (found := side_in(text))), None)
    heading = _present(" ".join(texts[:3]))
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
    elif narrower := _narrower(table, row, word_set(heading), side) or _at_part(
        table, row, word_set(_present(" ".join(texts[:2]))), side
    ):
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
    if displaced := _DISPLACED.search(" ".join(texts[:2])):
        codes = [_as_displaced(table, code, displaced["non"] is None) for code in codes]
    if _SUBSEQUENT.search(texts[0]) or (key[0] == "S" and _SUBSEQUENT.search(heading)):
        codes, rules = _in_later_care(table, codes, rules)
    return [(code, tuple(rules)) for code in codes]


def _as_displaced(table: CodeTable, code: str, displaced: bool) -> str:
    """The same fracture, displaced or not, as the text says."""
    [row, *_] = table.rows(code)
    own, wanted = ("Nondisplaced", "Displaced") if displaced else ("Displaced", "Nondisplaced")
    if not row.description.startswith(own + " "):
        return code
    description = wanted + row.description.removeprefix(own)
    return next((other.code for other in table.under(code[:5]) if other.description == description), code)


def _in_later_care(table: CodeTable, codes: list[str], rules: list[str]) -> tuple[list[str], list[str]]:
    """The same injuries with the seventh character of care after the active treatment."""
    later = [f"{code[:-1]}D" if len(code) == _FULL and code[-1] == "A" else code for code in codes]
    if later == codes or not all(rows and rows[0].billable for rows in map(table.rows, later)):
        return codes, rules
    return later, [*rules, "seventh-character"]


def _narrower(table: CodeTable, row: CodeRow, said: frozenset[str], side: str | None) -> CodeRow | None:
    """The code beside an unspecified one that adds nothing but words of the problem's own text."""
    own = description_words(row.description)
    if not row.billable or "unspecified" not in own:
        return None
    best: tuple[int, str, CodeRow] | None = None
    for sibling, told in _codes_under(table, row.code[:4]):
        added = told - own
        if not added or not added <= said | {side} or own - told - _DROPPED:
            continue
        if len(row.code) == _FULL and sibling.code[-1:] != row.code[-1]:
            continue
        rank = (-len(added), sibling.code, sibling)
        best = min(best, rank, key=lambda one: one[:2]) if best else rank
    return best[2] if best else None


def _at_part(table: CodeTable, row: CodeRow, said: frozenset[str], side: str | None) -> CodeRow | None:
    """The code of an unspecified one's category for the part of the body that the heading names."""
    own = description_words(row.description)
    parts = (said & SITE_WORDS) - own
    if not row.billable or not parts or "unspecified" not in own:
        return None
    wider = parts.union(*(REGIONS.get(part, ()) for part in parts))
    best: tuple[tuple[int, bool, int, str], CodeRow] | None = None
    for sibling, told in _codes_under(table, row.code[:3]):
        added = told - own
        if not added & wider or added - wider - _FILLERS - {side} or own - told - _DROPPED - _FILLERS:
            continue
        if (len(row.code) == _FULL or len(sibling.code) == _FULL) and sibling.code[-1] != row.code[-1]:
            continue
        # A named part that the code set does not list is another part of its region, not an unspecified one.
        unnamed = "unspecified" in told and not told & parts
        rank = (-len(added & parts), unnamed, len(added), sibling.code)
        best = min(best, (rank, sibling), key=lambda one: one[0]) if best else (rank, sibling)
    return best[1] if best else None


@lru_cache(maxsize=2048)
def _codes_under(table: CodeTable, prefix: str) -> list[tuple[CodeRow, frozenset[str]]]:
    """The billable codes that begin with `prefix`, with their words: notes ask for the same ones again and again."""
    return [(row, description_words(row.description)) for row in table.under(prefix) if row.billable]


def _leaf(table: CodeTable, key: str, side: str | None, text: str) -> CodeRow | None:
    said = word_set(text)
    later = _LATER.search(text) is not None
    wanted = "D" if later else "A"

    def rank(leaf: tuple[CodeRow, frozenset[str]]) -> tuple[float, str]:
        row, told = leaf
        unsaid = required_words(row.description) - LIGHT - said - own - _PLAIN - _PRESUMED
        fit = len((told - LIGHT) & said) - 1.0 * len(unsaid)
        fit += (0.6 if unsaid else 1.2) * bool(told & _PLAIN) + 0.1 * row.code.endswith("9")
        fit += 0.8 * (side is not None and side in told) - 0.3 * ("other" in told)
        fit += 0.5 * (len(row.code) == _FULL and row.code[-1] == wanted)
        return -fit, row.code

    own = word_set(table.rows(key)[0].description)
    best = min(_codes_under(table, key), key=rank, default=None)
    return best[0] if best else None


def _sided(table: CodeTable, row: CodeRow, side: str) -> list[str]:
    """The code of the same condition on `side`; left and right where there is no bilateral code."""
    own = side_of(row.description.removesuffix(_NO_STAGE))
    if own is None or own[0] == side:
        return []
    extension = row.code[-1] if len(row.code) == _FULL else ""
    by_side: dict[str, str] = {}
    named = description_words(own[1])
    for code, other, condition in _sides_under(table, row.code[:4]):
        if condition == named and code.endswith(extension):
            by_side.setdefault(other, code)
    if side in by_side:
        return [by_side[side]]
    if side == "bilateral" and {"left", "right"} <= by_side.keys():
        return [by_side["right"], by_side["left"]]
    return []


@lru_cache(maxsize=2048)
def _sides_under(table: CodeTable, prefix: str) -> list[tuple[str, str, frozenset[str]]]:
    """The billable codes with a side that begin with `prefix`: code, side, and the words of the condition."""
    sided = ((row.code, side_of(row.description.removesuffix(_NO_STAGE))) for row, _ in _codes_under(table, prefix))
    return [(code, side[0], description_words(side[1])) for code, side in sided if side]


# Partners of plain diabetes, the digits of the combination code, and the name of the link.
_DIABETIC: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("N18",), "22", "kidney"),
    (("L974", "L975"), "621", "ulcer"),
    (("G629", "G609", "G603"), "42", "neuropathy"),
    (("I739",), "51", "angiopathy"),
    (("R739",), "65", "hyperglycemia"),
    (("E162",), "649", "hypoglycemia"),
    (("H3500",), "319", "retinopathy"),
)
# A kidney's stage and an ulcer's site stay beside the combination.
_PART_OF_THE_CODE = frozenset({"neuropathy", "angiopathy", "hyperglycemia", "hypoglycemia", "retinopathy"})


def combine(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Replacements by the guidelines' presumed links: key to (new key, rule). Empty for what stays as it is."""
    present = set(keys)
    return _with_hypertension(present) | _with_diabetes(present) | _with_partner(present)


# Two conditions that have one code together: what is replaced, its partner, the digits that take the place of the
# first one's, and whether the partner is part of the new code.
_TOGETHER: tuple[tuple[tuple[str, ...], tuple[str, ...], str, bool], ...] = (
    (("N200", "N201", "N209"), ("N1330", "N1339"), "N132", True),
    (("K219",), ("K2090", "K2080", "K209"), "K2100", True),
    (("N400",), ("R33", "R350", "R351", "R391", "N138"), "N401", False),
    (("N3000",), ("R31",), "N3001", True),
    (("N3090",), ("R31",), "N3091", True),
    (("N393",), ("N3941",), "N3946", True),
    (("I2510",), ("I200",), "I25110", True),
    (("I2510",), ("I2089",), "I25118", True),
    (("I2510",), ("I209",), "I25119", True),
    (("J449",), ("J20", "J18", "J15"), "J440", False),
    (("R110",), ("R1110",), "R112", True),
    (("M545", "M5450"), ("M5430",), "M5440", True),
    (("M545", "M5450"), ("M5431",), "M5441", True),
    (("M545", "M5450"), ("M5432",), "M5442", True),
    (("M5126",), ("M5416", "M5410"), "M5116", True),
    (("M5127",), ("M5417", "M5410"), "M5117", True),
    (("K7030",), ("R188",), "K7031", True),
)


def _with_partner(present: set[str]) -> dict[str, tuple[str, str]]:
    """Conditions that the code set joins: a stone with hydronephrosis, low back pain with sciatica.

    Sources: the tabular list's combination codes and its excludes notes at the plain ones.
    """
    replaced: dict[str, tuple[str, str]] = {}
    for plain, partners, instead, whole in _TOGETHER:
        first = [key for key in sorted(present) if key in plain]
        beside = [key for key in sorted(present) if key.startswith(partners)]
        if first and beside:
            gone = [*first, *beside] if whole else first
            replaced |= dict.fromkeys(gone, (instead, "combination:" + instead))
    return replaced


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
            if plain in present and beside:
                instead = (plain[:3] + digits, f"combination:diabetes-{name}")
                replaced.setdefault(plain, instead)
                if name in _PART_OF_THE_CODE:
                    replaced |= dict.fromkeys(beside, instead)
    return replaced


# Beside the symptoms of the edit rules: what a coder leaves out though the two may stand together.
_ALSO_EXPLAINED = {
    "R251": ("G20", "G250"),
    "R634": ("E05",),
    "R609": ("I50",),
    "R600": ("I50",),
    "R05": ("J04", "J05", "J21", "J22"),
}
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


def less_exact(keys: Iterable[str], described: Mapping[str, str]) -> set[str]:
    """Codes of unspecified conditions beside an exact one of their category; injuries and symptoms may be two."""
    vague = {key for key in keys if key[3:4] in ("9", "A") and "unspecified" in described[key].lower()}
    exact = {key[:3] for key in set(keys) - vague}
    return {key for key in vague if key[:3] in exact and key[0] not in "MSTRZC"}


def _same_side(symptom: str, cause: str) -> bool:
    """False for a joint's symptom and cause on different sides."""
    if symptom[0] != "M" or cause[0] != "M":
        return True
    sides = _SIDE_DIGITS.get(symptom[-1]), _SIDE_DIGITS.get(cause[-1])
    return None in sides or sides[0] == sides[1]
