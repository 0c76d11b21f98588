"""A note's sections, problems and assertions. Offsets are characters from the start of the note."""

import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct


class SectionKind(StrEnum):
    """What a section is good for."""

    ASSESSMENT = "assessment"
    COMPLAINT = "complaint"
    HISTORY = "history"
    PAST = "past"
    FAMILY = "family"
    FINDINGS = "findings"


_HEADINGS: tuple[tuple[re.Pattern[str], SectionKind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"family (medical )?history|fh|fhx", SectionKind.FAMILY),
        (
            r"assessment.*|impression.*|a/?p|a ?& ?p|a|p|plan.*|conclusions?|medical decision making|mdm"
            r"|(final |discharge |working |visit |primary |secondary )?(diagnos[ie]s|dx)( list)?"
            r"|(active )?problem list|(active )?problems( addressed)?",
            SectionKind.ASSESSMENT,
        ),
        (
            r"chief complaints?|cc|c/c|reason for (the )?(visit|consultation)|presenting complaint",
            SectionKind.COMPLAINT,
        ),
        (
            r"history of (the )?present(ing)? illness|hpi|subjective|s|interval (history|events)|history"
            r"|present illness",
            SectionKind.HISTORY,
        ),
        (
            r"(past )?(medical|surgical|social|medical and surgical)? ?history|pmhx?|pshx?|shx?|past history"
            r"|birth history",
            SectionKind.PAST,
        ),
        (
            r"review of systems|ros|physical exam(ination)?|exam|vitals.*|results|laboratory.*|labs|imaging|objective"
            r"|o|data( reviewed)?|(current )?medications|allergies|instructions|procedures?|patient education.*"
            r"|follow.?up",
            SectionKind.FINDINGS,
        ),
    )
)
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(
    r"^\s*(?:(?:problem|diagnosis|dx|issue)\s*#?\s*\d{0,2}\s*[:.)-]|[-•*–·]|#?\(?\d{1,2}[.):]|#)\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^(medical reasoning|reasoning|additional testing|medical treatment|treatment|patient education"
    r"|specialist referrals?|patient agreements?|instructions?|follow.?up|plan|counseling|referrals?|medications?"
    r"|testing|education|orders?|disposition|patient education and counseling)\b[^:]{0,30}:?",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(i|we|he|she|they|will|is|was|are|were|has|have|had|continue|continued|recommend|recommended|ordered|discussed"
    r"|reviewed|advised|prescribed|start|started|increase|return|denies|presents|should|can|take|obtain|refer)\b",
    re.IGNORECASE,
)
# "1. Hypertension. Stable. 2. Diabetes": a number before a capital begins the next problem of a line.
_INLINE_NUMBER = re.compile(r"(?<=[.;,)\w])\s+\(?#?\d{1,2}[.)]\s+(?=[A-Z])")
_HEAD_END = re.compile(r"[.:](?:\s|$)|\s+(?:[-–—]{1,2}|->)\s+")
_REGARDING = re.compile(
    r"(?:regarding|concerning|with regards? to|in regards? to|in terms of|as for|as far as|with respect to|for)\s+"
    r"(?:(?:the patient's|his|her|their|the|your)\s+)?(?P<what>[A-Za-z0-9][^,.;:\n]{2,60}?)"
    r"(?=,|\s+(?:goes|is concerned)\b)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^\s.;][^.;\n]*")
_HEADING_WORDS, _PROBLEM_WORDS, _FURTHER_WORDS = 6, 14, 7


class Section(Struct, frozen=True):
    """A stretch of the note under one heading."""

    kind: SectionKind
    start: int
    end: int


class Problem(Struct, frozen=True):
    """A problem heading of the assessment: its text's span and the end of what is said about it."""

    start: int
    end: int
    body_end: int


def _heading_kind(line: str) -> SectionKind | None:
    text = line.strip().rstrip(":.").strip()
    if not text or len(text.split()) > _HEADING_WORDS:
        return None
    if not (text.isupper() or line.rstrip().endswith(":") or text.istitle()):
        return None
    return next((kind for pattern, kind in _HEADINGS if pattern.fullmatch(text.lower())), None)


def sections(text: str) -> list[Section]:
    """The sections of a note; what stands before the first heading counts as history."""
    found: list[Section] = []
    kind, start = SectionKind.HISTORY, 0
    for line in _LINE.finditer(text):
        new = _heading_kind(line[0])
        if new is None and ":" in line[0][:40]:
            new = _heading_kind(line[0].partition(":")[0] + ":")
        if new is not None:
            found.append(Section(kind, start, line.start()))
            start = line.end() if _heading_kind(line[0]) else line.start() + line[0].index(":") + 1
            kind = new
    found.append(Section(kind, start, len(text)))
    return [section for section in found if text[section.start : section.end].strip()]


def _items(text: str, section: Section) -> Iterator[tuple[int, int]]:
    """Lines of a section; a line that enumerates several problems is several items."""
    for line in _LINE.finditer(text, section.start, section.end):
        starts = [
            line.start(),
            *(match.start() + 1 for match in _INLINE_NUMBER.finditer(text, line.start(), line.end())),
        ]
        yield from zip(starts, [*starts[1:], line.end()], strict=True)


def _further(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Problems after the first on one line: "Hypertension, controlled. Type 2 diabetes, stable." """
    for match in _SENTENCE.finditer(text, start, end):
        head = _HEAD_END.split(match[0], maxsplit=1)[0].strip()
        if head[:1].isupper() and len(head.split()) <= _FURTHER_WORDS and not _VERB.search(head):
            yield match.start(), match.start() + len(head)


def problems(text: str, section: Section) -> list[Problem]:
    """Problem headings of an assessment: short lines without a verb that are no label."""
    heads: list[tuple[int, int]] = []
    for start, end in _items(text, section):
        bullet = _BULLET.match(text[start:end])
        start += bullet.end() if bullet else 0
        content = text[start:end].strip()
        start += len(text[start:end]) - len(text[start:end].lstrip())
        if not content or _LABEL.match(content):
            continue
        if regard := _REGARDING.match(content):
            heads.append((start + regard.start("what"), start + regard.end("what")))
            continue
        head = _HEAD_END.split(content, maxsplit=1)[0]
        short = len(head.split()) <= _PROBLEM_WORDS and not _VERB.search(head)
        if short and any(character.isalpha() for character in head):
            heads.append((start, start + len(head)))
            heads.extend(_further(text, start + len(head), end))
    ends = [*(start for start, _ in heads[1:]), section.end]
    return [Problem(start, end, body) for (start, end), body in zip(heads, ends, strict=False)]


class Assertion(StrEnum):
    """How a statement is meant. Only what is present yields a code."""

    PRESENT = "present"
    NEGATED = "negated"
    FAMILY = "family"
    HISTORICAL = "historical"
    UNCERTAIN = "uncertain"


_FAMILY = re.compile(
    r"\b(mother|father|mom|dad|parents?|sisters?|brothers?|siblings?|grand(mother|father|parents?)|aunt|uncle|cousin"
    r"|family history|family hx|fhx?|sons?|daughters?|maternal|paternal)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(no|not|denies|denied|deny|denying|without|negative for|no evidence of|absence of|free of|never|neither|nor"
    r"|ruled out|rules out|excluded|resolved|unlikely|unremarkable for|doubt|declines)\b",
    re.IGNORECASE,
)
_UNCERTAIN = re.compile(
    r"\b(probabl[ey]|possibl[ey]|suspect(ed|s)?|suspicio(n|us)( for| of)?|(most |very )?likely|rule[- ]out|r/o"
    r"|versus|vs|consistent with|compatible with|concern(s|ing|ed)?( for| about)?|questionable|may (be|have|represent)"
    r"|might|could (be|represent)|presum(ed|ptive|ably)|differential|working diagnosis|appears? to (be|have)"
    r"|evaluat(e|ion) for|screen(ing)? for|risk (of|for)|indicative of|suggest(s|ive|ing)?( of)?|question of"
    r"|(can ?not|can't|could not|unable to) (exclude|be (ruled out|excluded)|rule out)|query|work-?up (for|of)"
    r"|worr(y|ied)|(low|high|clinical|some|little) suspicion|test(ing|ed)? for|considered|considering|pending"
    r"|to exclude|assess for"
    r"|if|should|in case|watch for|monitor for|return for|prevent\w*|avoid\w*)\b|\?",
    re.IGNORECASE,
)
_HISTORICAL = re.compile(
    r"\b(history of|hx (of )?|h/o|prior|previous(ly)?|past|remote|in childhood|years ago|status post|s/p"
    r"|used to (have|get)|was treated for|been treated for|hospitali[sz]ed for|childhood|recovered from)\b",
    re.IGNORECASE,
)
_AFTER_HISTORICAL = re.compile(
    r"\b(years? ago|last year|in childhood|as a (child|teenager|kid)|in the past|resolved|cured|in remission"
    r"|in (19|20)\d\d)\b",
    re.IGNORECASE,
)
# A list of what the patient has, in the usual words of an opening sentence: not a statement about the past.
_CURRENT_LIST = re.compile(r"\bpast medical history (is )?(significant for|notable for|includes)\b", re.IGNORECASE)
_AFTER_NEGATED = re.compile(
    r"^\W*(?:[\w-]+\W+){0,4}?(ruled out|excluded|negative|denied|unlikely|absent"
    r"|not (present|found|seen|suspected|identified|appreciated|likely))\b",
    re.IGNORECASE,
)
_AFTER_UNCERTAIN = re.compile(
    r"^\W*(?:[\w-]+\W+){0,4}?(suspected|possible|probable|questionable|likely|in the differential|versus|vs|\?"
    r"|considered|pending|can ?not be|being (evaluated|worked up))",
    re.IGNORECASE,
)
_BREAK = re.compile(r"(?<=[.;!?])\s|\n|\bbut\b|\bhowever\b|\balthough\b|\bexcept\b", re.IGNORECASE)


def clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of sentences and clauses: the reach of a negation."""
    at = start
    for match in _BREAK.finditer(text, start, end):
        if text[at : match.start()].strip():
            yield at, match.start()
        at = match.end()
    if text[at:end].strip():
        yield at, end


def assertion(text: str, clause: tuple[int, int], span: tuple[int, int]) -> Assertion:
    """How the words at `span` are meant within their clause."""
    before, after = text[clause[0] : span[0]], text[span[1] : clause[1]]
    whole = text[clause[0] : clause[1]]
    if _FAMILY.search(whole):
        return Assertion.FAMILY
    if _NEGATED.search(before) or _AFTER_NEGATED.match(after):
        return Assertion.NEGATED
    if _UNCERTAIN.search(before) or _AFTER_UNCERTAIN.match(after):
        return Assertion.UNCERTAIN
    past = _HISTORICAL.search(_CURRENT_LIST.sub("", before)) or _AFTER_HISTORICAL.search(after)
    return Assertion.HISTORICAL if past else Assertion.PRESENT


_SEPARATOR = re.compile(r"[,;(]|\band\b|\bor\b|\bwith\b", re.IGNORECASE)
_CONTENT = re.compile(r"[A-Za-z]{3,}")
_BOTH_SIDES = re.compile(r"versus|vs|\?", re.IGNORECASE)
# Cues that speak of what stands before them, whatever follows: "asthma was considered but felt unlikely".
_LOOKS_BACK = re.compile(
    r"considered|pending|(can ?not|can't|could not) be|unlikely|ruled out|excluded|resolved"
    r"|not (seen|found|present|identified|appreciated|suspected|likely)|(suspected|probable|possible|questionable)\W*$",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"^\W*(?:(?:\d+|an?|one|two|three|four|five|six|eight|ten|several) (?:days?|weeks?|months?|years?) )?"
    r"(((past|remote|prior|previous) )?(medical )?history of|hx|h/o|status post|s/p|post[- ]?op\w*|prior|previous"
    r"|remote|(was |been )?treated for|childhood)\b",
    re.IGNORECASE,
)


def certain_part(text: str) -> int:
    """How many characters of a heading come before its first uncertain or negated condition (all: its length).

    A cue before a condition ends the certain part there ("dyspnea, likely asthma"); a cue after one, or between two
    ("asthma, suspected", "asthma vs bronchitis"), takes that condition along.
    """
    if _FAMILY.search(text):
        return 0
    cues = [found for pattern in (_UNCERTAIN, _NEGATED) if (found := pattern.search(text))]
    if not cues:
        return len(text)
    cue = min(cues, key=lambda match: match.start())
    looks_back = _BOTH_SIDES.fullmatch(cue[0]) or _LOOKS_BACK.match(text[cue.start() :])
    if _CONTENT.search(text[cue.end() :]) and not looks_back:
        return cue.start()
    before = text[: cue.start()].rstrip(" ,;(-")
    separators = list(_SEPARATOR.finditer(before))
    return separators[-1].start() if separators else 0


_PART_END = re.compile(
    r"[,;/]|\b(?:and|with|secondary to|due to|after|following|while|since|sustained|for the (?:past|last)|on)\b",
    re.IGNORECASE,
)
_PLACE_WORDS = (
    "right left bilateral both side sided lower upper leg legs arm arms knee knees hip hips shoulder shoulders elbow"
    " wrist hand hands finger thumb ankle ankles foot feet toe heel back neck lumbar cervical thoracic extremity"
    " extremities eye eyes ear ears breast breasts chest abdomen initial encounter subsequent acute chronic stable"
    " improving resolved the middle index ring little great first second third fourth fifth medial lateral anterior"
    " posterior proximal distal"
)
_PLACES = frozenset(_PLACE_WORDS.split())


def is_uncertain(text: str) -> bool:
    """Whether a text says that a condition is not certain (rather than absent or somebody else's)."""
    return _UNCERTAIN.search(text) is not None


def is_status(heading: str) -> bool:
    """Whether a heading speaks of something past or done: it never yields an active disease."""
    return _STATUS.match(heading) is not None


def heading_parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Spans of a heading's parts between commas, slashes, "and" and "with"; a part that only names a place or a side
    belongs to the part before it.
    """
    parts: list[tuple[int, int]] = []
    at = start
    for match in _PART_END.finditer(text[start:end]):
        parts.append((at, start + match.start()))
        at = start + match.end()
    parts.append((at, end))
    found: list[tuple[int, int]] = []
    for one, other in parts:
        said = _CONTENT.findall(text[one:other].lower())
        if found and said and _PLACES.issuperset(said):
            found[-1] = (found[-1][0], other)
        elif said:
            found.append((one, other))
    return found
