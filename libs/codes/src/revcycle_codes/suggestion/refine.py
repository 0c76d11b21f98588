"""From a phrase's code to the code to suggest: sides, unspecified leaves, seventh characters, combinations."""

import re
from collections.abc import Iterable, Sequence

from revcycle_codes.rules.curated import SYMPTOMS
from revcycle_codes.rules.laterality import side_of
from revcycle_codes.suggestion.terms import LIGHT, words
from revcycle_codes.table import CodeRow, CodeTable

_SIDE = re.compile(r"\b(right|left|bilateral|both)\b", re.IGNORECASE)
_LATER = re.compile(
    r"\b(healing|healed|post-?op(erative)?|after (surgery|repair)|cast removal"
    r"|status post (repair|surgery|fixation))\b",
    re.IGNORECASE,
)
_FULL = 7


def side_in(text: str) -> str | None:
    """The one side a text speaks of, None when it names none or several."""
    sides = {"bilateral" if match.lower() == "both" else match.lower() for match in _SIDE.findall(text)}
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


def _leaf(table: CodeTable, key: str, side: str | None, text: str) -> CodeRow | None:
    said = set(words(text))
    later = _LATER.search(text) is not None
    wanted = "D" if later else "A"

    def rank(row: CodeRow) -> tuple[float, str]:
        told = set(words(row.description))
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


def combine(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Replacements by the guidelines' presumed links: key to (new key, rule). Empty for what stays as it is."""
    present = set(keys)
    failure = any(key.startswith("I50") for key in present)
    kidney = any(key.startswith("N18") for key in present)
    replaced: dict[str, tuple[str, str]] = {}
    if "I10" in present and (failure or kidney):
        advanced = bool({"N185", "N186"} & present)
        if failure and kidney:
            instead = "I132" if advanced else "I130"
        elif failure:
            instead = "I110"
        else:
            instead = "I120" if advanced else "I129"
        replaced["I10"] = (instead, "combination:hypertension")
    for plain, linked in (("E119", "E1122"), ("E109", "E1022")):
        if plain in present and kidney:
            replaced[plain] = (linked, "combination:diabetes-kidney")
    for plain, linked in (("E119", "E1165"), ("E109", "E1065")):
        if plain in present and plain not in replaced and "R739" in present:
            replaced[plain] = (linked, "combination:diabetes-hyperglycemia")
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
