"""From a phrase's code to the code to suggest: sides, unspecified leaves, seventh characters, combinations."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from revcycle_codes.rules.curated import SYMPTOMS
from revcycle_codes.rules.laterality import side_of
from revcycle_codes.suggestion.terms import LIGHT, words
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
_FULL = 7


def side_in(text: str) -> str | None:
    """The one side a text speaks of, None when it names none or several."""
    sides = {_LETTERS[match] for match in _SIDE_LETTER.findall(text)}
    sides |= {_SIDE_NAMES.get(match.lower(), match.lower()) for match in _SIDE.findall(text)}
    return sides.pop() if len(sides) == 1 else None


# Arthritis without a kind, at a site: osteoarthritis of it. Site word: code without side, and by side.
_JOINTS = (
    (re.compile(r"\bknees?\b", re.IGNORECASE), "M179", {"right": "M1711", "left": "M1712", "bilateral": "M170"}),
    (re.compile(r"\bhips?\b", re.IGNORECASE), "M169", {"right": "M1611", "left": "M1612", "bilateral": "M160"}),
    (re.compile(r"\bshoulders?\b", re.IGNORECASE), "M19019", {"right": "M19011", "left": "M19012"}),
    (re.compile(r"\b(hands?|fingers?)\b", re.IGNORECASE), "M19049", {"right": "M19041", "left": "M19042"}),
    (re.compile(r"\b(ankle|foot|feet)\b", re.IGNORECASE), "M19079", {"right": "M19071", "left": "M19072"}),
)
_ARTHRITIS = "M1990"


def refine(table: CodeTable, key: str, texts: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Billable codes for a found code, with the rules applied. `texts` go from the heading outwards."""
    side = next((found for text in texts if (found := side_in(text))), None)
    heading = " ".join(texts[:2])
    rows = table.rows(key)
    if not rows:
        return []
    rules: list[str] = []
    row = rows[0]
    for site, plain, by_side in _JOINTS:
        if key == plain or (key == _ARTHRITIS and site.search(heading)):
            return [(by_side.get(side or "", plain), ("osteoarthritis-site",))]
    said = _said(row, heading, rules)
    if said is not None and (instead := table.rows(said)) and instead[0].billable:
        row = instead[0]
    elif narrower := _narrower(table, row, frozenset(words(heading)), side):
        row = narrower
        rules.append("site")
    if not row.billable:
        chosen = _leaf(table, key, side, heading)
        if chosen is None:
            return []
        row = chosen
        rules.append("specific-leaf")
    if side:
        sided = _sided(table, row, side)
        if sided:
            return [(code, (*rules, "laterality")) for code in sided]
    return [(row.code, tuple(rules))]


# A more exact code when the problem's own text says so: found code, words, code instead, rule.
_SAID = tuple(
    (key, re.compile(pattern, re.IGNORECASE), instead, name)
    for key, pattern, instead, name in (
        ("N200", r"\b(ureter(al|ic)?|ureterovesical|uvj)\b", "N201", "site-ureter"),
        ("F17200", r"\bcigarettes?\b|\bpacks? (per|a) day\b|\bppd\b", "F17210", "product-cigarettes"),
        ("I509", r"\b(chronic|longstanding)\b.*\b(mixed|combined)\b", "I5042", "heart-failure-kind"),
        ("I509", r"\b(mixed|combined)\b", "I5040", "heart-failure-kind"),
        ("I509", r"\bdiastolic heart failure\b|\bhfpef\b", "I5030", "heart-failure-kind"),
        ("I509", r"\bsystolic heart failure\b|\bhfref\b", "I5020", "heart-failure-kind"),
        ("C439", r"\b(back|chest|abdomen|flank|trunk)\b", "C4359", "site"),
        ("C439", r"\b(scalp|neck)\b", "C434", "site"),
        ("C439", r"\b(face|cheek|forehead|nose)\b", "C4330", "site"),
        ("C439", r"\b(arm|forearm|shoulder|hand)\b", "C4360", "site"),
        ("C439", r"\b(leg|thigh|calf|foot|ankle|hip)\b", "C4370", "site"),
        ("J45909", r"\bacute (asthma )?exacerbation\b|\basthma exacerbation\b", "J45901", "exacerbation"),
        ("J449", r"\b(acute|copd) exacerbation\b", "J441", "exacerbation"),
    )
)


def _said(row: CodeRow, heading: str, rules: list[str]) -> str | None:
    for key, pattern, instead, name in _SAID:
        if row.code == key and pattern.search(heading):
            rules.append(name)
            return instead
    return None


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
    said = set(words(text))
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


def explained_symptoms(keys: Iterable[str]) -> set[str]:
    """Symptoms among the keys that another of them explains."""
    present = list(keys)
    return {
        key
        for key in present
        for prefix, causes in SYMPTOMS.items()
        if key.startswith(prefix) and any(other.startswith(causes) for other in present)
    }
