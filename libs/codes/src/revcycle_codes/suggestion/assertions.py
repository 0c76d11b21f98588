"""How a statement is meant: present, negated, of the family, past or uncertain. Only what is present yields a code.

Cues reach to the end of their clause (ConText's idea: a cue, a direction, a scope), and a few look back.
"""

import re
from collections.abc import Iterator
from enum import StrEnum


class Assertion(StrEnum):
    """How a statement is meant. Only what is present yields a code."""

    PRESENT = "present"
    NEGATED = "negated"
    FAMILY = "family"
    HISTORICAL = "historical"
    UNCERTAIN = "uncertain"


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_BLOOD = (
    r"(?:mother|father|mom|dad|parents?|sisters?|brothers?|siblings?|grand(?:mother|father|parents?|ma|pa)|aunts?|uncles?"
    r"|[mp]g[mf]|step-?(?:mother|father|mom|dad|sister|brother|son|daughter)|cousins?|nephews?|nieces?|sons?|daughters?|relatives?|twin|half-?(?:brother|sister))"
)
_OTHERS = (
    r"(?:husband|wife|spouse|partner|boyfriend|girlfriend|roommates?|children|kids|friends?|neighbou?rs?|co-?workers?"
    r"|classmates?|infant|baby|toddler|household|family members?|caregiver)"
)
# Somebody who speaks or comes along is no statement about that person's health.
_REPORTER = _words(
    rf"\b(?:(?:per|with|by|from|according to|accompanied by|brought in by) )?(?:(?:his|her|their|the|my) )?"
    rf"(?:{_BLOOD}|{_OTHERS})(?:'s)?"
    r"(?: (?:who )?(?:also |today )?(?:reports?|reported|states?|stated|says|said|notes?|noted|noticed|describes?"
    r"|endorses?|brings?|brought|accompan\w+|is (?:present|here|with|at the bedside|concerned)|thinks|feels"
    r"|believes|provides?|report|confirms?|denies)\b|(?= (?:at|is at) bedside))"
)
_FAMILY = _words(
    rf"\b(?:{_BLOOD}|family history|family hx|fhx?|maternal|paternal|familial history|runs in (?:the|his|her) family)\b"
    rf"|\b{_OTHERS}\b[^.;]{{0,30}}\b(?:who|has|had|have|with|was|were|is|are|suffers?|got|caught|tested|died"
    r"|diagnosed|treated|sick|ill)\b"
)
_NEGATED = _words(
    r"Ø|\b(no|not|neg|denies|denied|deny|denying|without|w/o|negative|no evidence of|absence of|free of|never|neither"
    r"|nor|none|ruled out|rules out|excluded|resolved|(un|less )likely|improbable|unremarkable for|unrevealing( for)?"
    r"|doubt(ful)?|declines"
    r"|fail(s|ed)? to (reveal|show|demonstrate|find|identify)|nothing to|(rather|other) than|instead of|as opposed to"
    r"|argues? against|lack of|lacks|devoid of|cannot see|can't see|doesn't|isn't|hasn't|didn't|wasn't|don't)\b"
)
_UNCERTAIN = _words(
    r"\b(probabl[ey]|probability|possibl[ey]|possibility|likelihood|chances? of|suspect(ed|s)?"
    r"|suspicio(n|us)( for| of)?|(most |very )?likely|rule[- ]outs?|r/o|s/o|versus|vs|consistent w(ith)?"
    r"|c/w|compatible w(ith)?|concern(s|ing|ed)?( for| about)?|questionable|may (be|have|represent)|might"
    r"|(could|would|can) (be|represent|fit|suggest|explain|lead|cause|develop)|presum(ed|ptive|ably)|differentials?"
    r"|dd?x|working|provisional|tentative|preliminary|appears? (to|like)"
    r"|seem(s|ed)?|look(s|ed|ing)? (like|for)|thought (to|this)|felt to|believed to|assum(e|ed|ing)|favou?r(s|ed|ing)?"
    r"|(evaluat(e|ion)|image|scan|imaging) (for|of)|to evaluate|screen(ed|ing)?( \w+)? for"
    r"|side effects?,? (including|such as|like)|risks? (of|for)|indicative of"
    r"|suggest(s|ive|ing)?( of)?"
    r"|question of|(can ?not|can't|could not|unable to)( \w+)? (exclude|be( \w+)? (ruled out|excluded)|rule out)|query"
    r"|work-?up (for|of)|worr(y|ied)|afraid|fears?|(low|high|clinical|some|little) suspicion|test(ing|ed)? for"
    r"|consider(ed|ing|ation)?|pending|to exclude|assess for|threshold|if|should|unless|in case|watch for"
    r"|monitor for|return for|prevent\w*|avoid\w*|discussed (that|how)|talked about|explained (that|how)"
    r"|(warning )?signs of|lead(s|ing)? to|complications? of|borderline|impending|to look for|checking for"
    r"|wonder(s|ed|ing)?|whether|asks? (if|about))\b|\?"
)
_HISTORICAL = _words(
    r"\b(history of|hx (of )?|h/o|prior|previous(ly)?|past|remote|in childhood|years ago|status post|s/p"
    r"|used to (have|get)|was treated for|been treated for|hospitali[sz](ed|ation)\b[^.;]{0,30}\b(for|with)"
    r"|admitted\b[^.;]{0,30}\b(for|with)[^.;]{0,40}(last|ago|in (19|20)\d\d)"
    r"|childhood|recovered from|as an? (child|teen\w*|kid|infant|young)|initially|formerly|back in)\b"
)
_AFTER_HISTORICAL = _words(
    r"\b((years?|winters?|summers?|springs?|falls?|seasons?|decades?) ago|last (year|winter|spring|summer|fall)"
    r"|in childhood|as an? (child|teen\w*|kid)|in the past|resolved|cured"
    r"|in remission|outgrew|outgrown|no longer|(since|now|fully) (cleared|recovered|healed)"
    r"|recovered|(during|after) (his|her|the|a) (first|second|last|prior|previous) \w+"
    r"|with (his|her|the|a) (first|second|third|last|prior|previous|older|oldest) (child|baby|pregnancy|delivery)"
    r"|none (since|currently)|in (19|20)\d\d|\((19|20)\d\d)\b"
)
# A list of what the patient has, in the usual words of an opening sentence: not a statement about the past.
_CURRENT_LIST = _words(
    r"\b(past (medical )?history|pmhx?|medical history|history|hx) (is |was |also )?(significant for|notable for"
    r"|includes|remarkable for|of(?= \w[^.;]{0,60}\bwho (presents|comes|is here|returns)))\b"
)
_AFTER_NEGATED = _words(
    r"^\W*(?:[\w-]+\W+){0,4}?((has|have|had) never been"
    r"|ruled out|excluded|negative|denied|unlikely|less likely|improbable|absent|not supported"
    r"|argued against|not (present|found|seen|suspected|identified|appreciated|likely|confirmed|thought|felt))\b"
)
_AFTER_UNCERTAIN = _words(
    r"^\W*(?:[\w-]+\W+){0,4}?(suspected|possible|probable|questionable|likely|in the differential|versus|vs|\?"
    r"|(lower|reduce|prevent|protect)s\b"
    r"|considered|pending|can ?not be|to be (confirmed|determined|ruled|excluded)|being (evaluated|worked up))"
)
_BREAK = _words(
    r"(?<=[.;!])(?<!\bvs\.)\s|(?<=\w\?)\s|\n|\bbut\b|\bhowever\b|\balthough\b|\bexcept\b"
    r"|,\s(?:and |though )?(?=(?:s?he|they|the patient|pt)\b)|\band\s(?=(?:s?he|the patient|pt) )"
)


def clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of sentences and clauses: the reach of a negation."""
    at = start
    for match in _BREAK.finditer(text, start, end):
        if text[at : match.start()].strip():
            yield at, match.start()
        at = match.end()
    if text[at:end].strip():
        yield at, end


def of_family(text: str) -> bool:
    """Whether a clause speaks of somebody else than the patient; who reports or comes along does not count."""
    return _FAMILY.search(text) is not None and _FAMILY.search(_REPORTER.sub(" ", text)) is not None


def assertion(text: str, clause: tuple[int, int], span: tuple[int, int]) -> Assertion:
    """How the words at `span` are meant within their clause."""
    before, after = text[clause[0] : span[0]], text[span[1] : clause[1]]
    if of_family(text[clause[0] : clause[1]]):
        return Assertion.FAMILY
    if _NEGATED.search(before) or _AFTER_NEGATED.match(after) or taken_back(after):
        return Assertion.NEGATED
    if _UNCERTAIN.search(before) or _AFTER_UNCERTAIN.match(after):
        return Assertion.UNCERTAIN
    past = _HISTORICAL.search(_CURRENT_LIST.sub("", before)) or _AFTER_HISTORICAL.search(after)
    return Assertion.HISTORICAL if past else Assertion.PRESENT


_SEPARATOR = _words(r"[,;(]|\band\b|\bor\b|\bwith\b")
_CONTENT = re.compile(r"[A-Za-z]{3,}")
_LONG_AGO = _words(r"\b(in childhood|as an? (child|teen\w*|kid)|years? ago|in the (distant )?past)\b")
_LINKS = _words(r"[\s,;(–-]*(?:\b(?:to|be|is|was|being|felt|thought|still|has|been|yet|now|highly|very)\b[\s,;(–-]*)*$")
_BOTH_SIDES = _words(r"versus|vs|\?")
# Cues that speak of what stands before them, whatever follows: "asthma was considered but felt unlikely".
_LOOKS_BACK = _words(
    r"considered|pending|(can ?not|can't|could not)( \w+)? be|(un|less )likely|ruled out|excluded|resolved|none"
    r"|(felt|thought|believed|seems?|appears?|considered)( to be)?( \w+)? (un|less |im)(likely|probable)"
    r"|not (seen|found|present|identified|appreciated|suspected|likely)|(suspected|probable|possible|questionable)\W*$"
)
_STATUS = _words(
    r"^\W*(?:(?:\d+|an?|one|two|three|four|five|six|eight|ten|several) (?:days?|weeks?|months?|years?) )?"
    r"(((past|remote|prior|previous) )?(medical )?history of|hx|h/o|status post|s/p|post[- ]?op\w*|prior|previous"
    r"|remote|(was |been )?treated for|childhood)\b"
)
_SCREENING = _words(
    r"^\W*((routine |annual )?(encounter|need|due|visit) for )?((an?|routine|annual) )?screen(ing)?\b( for| of|:)?"
    r"|^[\w -]{3,40} screen(ing)?\W*$"
)
# What follows a problem heading and takes it back: "Asthma: none.", "DVT - less likely".
_TAKEN_BACK = _words(
    r"^[\s:,;(–—-]*(?:(?:none|denie[sd]|negative|absent|no|resolved|not present|never)\s*(?:[.;)\n]|$)"
    r"|(?:(?:very |highly |quite )?unlikely|less likely|doubt(?:ful)?\b|r/o\b|rule[sd]? out|to be ruled out|improbable"
    r"|suspected\b|possible\b|probable\b|questionable\b|likely\s*(?:[.;)\n]|$)|vs\b|versus\b|\?"
    r"|await\w* (?:[\w-]+ )?(?:tsh|results?|confirmation|biopsy|pathology|cultures?|imaging|labs?|testing|work-?up)))"
)


def certain_part(text: str) -> int:
    """How many characters of a heading come before its first uncertain or negated condition (all: its length).

    A cue before a condition ends the certain part there ("dyspnea, likely asthma"); a cue after one, or between two
    ("asthma, suspected", "asthma vs bronchitis"), takes that condition along.
    """
    if of_family(text) or _LONG_AGO.search(text):
        return 0
    cues = [found for pattern in (_UNCERTAIN, _NEGATED) if (found := pattern.search(text))]
    if not cues:
        return len(text)
    cue = min(cues, key=lambda match: match.start())
    looks_back = _BOTH_SIDES.fullmatch(cue[0]) or _LOOKS_BACK.match(text[cue.start() :])
    if _CONTENT.search(text[cue.end() :]) and not looks_back:
        return cue.start()
    before = _LINKS.sub("", text[: cue.start()])
    separators = list(_SEPARATOR.finditer(before))
    return separators[-1].start() if separators else 0


def taken_back(following: str) -> bool:
    """Whether the words right after a problem heading deny it or call it uncertain."""
    return _TAKEN_BACK.match(following) is not None


def is_uncertain(text: str) -> bool:
    """Whether a text says that a condition is not certain (rather than absent or somebody else's)."""
    return _UNCERTAIN.search(text) is not None


def is_screening(heading: str) -> bool:
    """Whether a heading is a screening for a condition: the encounter is coded, never the condition."""
    return _SCREENING.search(heading) is not None


def is_status(heading: str) -> bool:
    """Whether a heading speaks of something past or done: it never yields an active disease."""
    return _STATUS.match(heading) is not None
