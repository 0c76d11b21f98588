"""External causes of an injury from the history: how it happened and what the patient was doing.

They accompany an injury and are never suggested without one. Sources: ICD-10-CM chapter 20, guidelines I.C.20.
"""

import re


def _rules(*pairs: tuple[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), code) for pattern, code in pairs)


_FELL = r"(?:fell|fall|falling|slipped|slip|tripped|trip)"
# The first that fits is the cause; narrower ones come first. Codes in key form, initial encounter.
_CAUSES = _rules(
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:ice|icy|snow)\b", "W000XXA"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:stairs?|steps)\b|\bstairs?\b[^.\n]{{0,30}}\b{_FELL}\b", "W109XXA"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\bladder\b", "W11XXXA"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:roof|scaffold\w*)\b", "W132XXA"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:out of|from) (?:the |a |his |her )?bed\b", "W06XXXA"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:horse)\b", "V80010A"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:bike|bicycle)\b|\b(?:bike|bicycle) (?:accident|crash)\b", "V189XXA"),
    (rf"\b{_FELL}\b[^.\n]{{0,40}}\b(?:skateboard)\b", "V00131A"),
    (r"\b(?:motor vehicle (?:accident|collision|crash)|car accident|mva|mvc|rear[- ]ended|t-boned)\b", "V892XXA"),
    (r"\bdog bite\b|\bbitten by (?:a |the |his |her )?dog\b", "W540XXA"),
    (r"\bcat bite\b|\bbitten by (?:a |the |his |her )?cat\b", "W5501XA"),
    (r"\bran into (?:a|the) tree\b", "W2209XA"),
    (r"\b(?:player|opponent|person|teammate|kid)\b[^.\n]{0,50}\b(?:fell|fall|falling|ran|landed|collided|stepped)\b"
     r"[^.\n]{0,25}\b(?:on|into|onto)\b|\bcollided with\b|\btackled\b", "W51XXXA"),
    (r"\bdropp?ed\b[^.\n]{0,40}\bon(?:to)? (?:his|her|my|the)\b"
     r"|\bfell on(?:to)? (?:his|her|my) (?:foot|toe|hand|leg)\b", "W208XXA"),
    (r"\bhit\b[^.\n]{0,25}\b(?:by|with)\b[^.\n]{0,20}\bball\b", "W2109XA"),
    (r"\bslamm?ed\b[^.\n]{0,40}\bdoor\b|\bcaught in\b[^.\n]{0,20}\bdoor\b", "W230XXA"),
    (r"\b(?:cut|lacerat\w+)\b[^.\n]{0,40}\bknife\b", "W260XXA"),
    (r"\b(?:lifting|lifted|moving|carrying|pushing|pulling)\b[^.\n]{0,40}\b(?:box\w*|furniture|refrigerator|couch|heavy"
     r"|weights?|something|bags?|crates?)\b", "X500XXA"),
    (r"\brepetitive (?:motion|movement|use|strain)s?\b|\boveruse\b", "X503XXA"),
    (rf"\b{_FELL}\b", "W19XXXA"),
    (r"\b(?:twisted|rolled|landed on|stepped (?:off|on|in)|felt a pop|heard a pop)\b", "X509XXA"),
)  # fmt: skip
_ACTIVITIES = _rules(
    (r"\bsoccer\b", "Y9366"),
    (r"\bbasketball\b", "Y9367"),
    (r"\bvolleyball\b", "Y9368"),
    (r"\b(?:tennis|racquetball|pickleball|squash|badminton)\b", "Y9373"),
    (r"\b(?:baseball|softball)\b", "Y9364"),
    (r"\bfootball\b", "Y9361"),
    (r"\brugby\b", "Y9363"),
    (r"\b(?:lacrosse|field hockey)\b", "Y9365"),
    (r"\bice hockey\b", "Y9322"),
    (r"\b(?:ice skating|figure skating)\b", "Y9321"),
    (r"\b(?:snow ?board\w*|downhill ski\w*|skiing)\b", "Y9323"),
    (r"\b(?:golf|golfing)\b", "Y9353"),
    (r"\bbowling\b", "Y9354"),
    (r"\b(?:cycling|biking|riding (?:a |his |her )?bi(?:ke|cycle))\b", "Y9355"),
    (r"\b(?:running|jogging|marathon)\b", "Y9302"),
    (r"\b(?:hiking|walking)\b", "Y9301"),
    (r"\b(?:swimming)\b", "Y9311"),
    (r"\btrampoline\b", "Y9344"),
    (r"\bgymnastics\b", "Y9343"),
    (r"\bdancing\b", "Y9341"),
    (r"\byoga\b", "Y9342"),
    (r"\b(?:weight ?lifting|lifting weights)\b", "Y93B3"),
    (r"\b(?:gardening|landscaping|yard ?work)\b", "Y93H2"),
    (r"\b(?:horseback|horse riding)\b", "Y9352"),
    (r"\b(?:rock climbing|mountain climbing)\b", "Y9331"),
    (r"\b(?:wrestling)\b", "Y9372"),
    (r"\b(?:martial arts|karate|judo)\b", "Y9375"),
)
_MEANT = re.compile(
    r"\b(denies|no (?:known |specific )?(?:injury|trauma|fall)|history of|years ago|used to|enjoys|likes to|would like"
    r"|avoid|return to|hopes)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.\n]+")


def external_causes(text: str, start: int, end: int) -> list[tuple[str, tuple[int, int], str]]:
    """Codes (key form) with the characters that speak for them and what kind they are; the cause first."""
    sentences = [
        (match.start(), match.end()) for match in _SENTENCE.finditer(text, start, end) if not _MEANT.search(match[0])
    ]
    found: list[tuple[str, tuple[int, int], str]] = []
    for kind, table in (("cause", _CAUSES), ("activity", _ACTIVITIES)):
        hits = (
            (code, match.span(), kind)
            for pattern, code in table
            for one in sentences
            if (match := pattern.search(text, *one))
        )
        if hit := next(hits, None):
            found.append(hit)
    return found
