"""A note's sections and problem headings. Offsets are characters from the start of the note."""

import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct


class SectionKind(StrEnum):
    """What a section is good for."""

    ASSESSMENT = "assessment"
    PLAN = "plan"
    COMPLAINT = "complaint"
    HISTORY = "history"
    PAST = "past"
    FAMILY = "family"
    FINDINGS = "findings"


_HEADINGS: tuple[tuple[re.Pattern[str], SectionKind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"family( medical)?( history| hx)?|fh|fhx|fam(ily)?[ .]*hx", SectionKind.FAMILY),
        (
            r"((clinical|overall|final|my|brief|medical|physician|provider|summary|discussion|conclusions?)('s)?"
            r" (and )?)?(assessment|impressions?|discussion|conclusions?)\b.*|imp|a/?p|a ?& ?p|a"
            r"|(?!differential|provisional|working|tentative|preliminary|possible|rule)([\w/-]+ ){0,3}diagnos[ie]s\b.*"
            r"|medical decision making|mdm|summary and (plan|recommendations?)"
            r"|((final|discharge|admission|admitting|principal|encounter|visit|primary|secondary) )?dx( list)?"
            r"|(active |current )?problem list\b.*|(active |current )?problems( addressed)?",
            SectionKind.ASSESSMENT,
        ),
        (r"p|plan.*|recs?|recommendations?|treatment plan", SectionKind.PLAN),
        (
            r"chief complaints?|cc|c/c|reason for (the )?(visit|consultation)|presenting complaint",
            SectionKind.COMPLAINT,
        ),
        (
            r"history of (the )?present(ing)? illness|hpi|subjective|s|interval (history|events)|history"
            r"|present illness|(brief )?(hospital|ed|emergency department|clinical) course.*|summary|narrative",
            SectionKind.HISTORY,
        ),
        (
            r"(past )?(medical|surgical|social|ob(stetric)?|psychiatric|medical and surgical)? ?(history|hx)|pmhx?"
            r"|pshx?|shx?|past history|birth history|comorbidities|chronic (conditions|problems)",
            SectionKind.PAST,
        ),
        (
            r"review of systems|ros|(admission |discharge |pertinent )?(physical )?exam(ination)?|physical|vitals.*"
            r"|labs|(pertinent |test |diagnostic )?results|laboratory.*|imaging|objective|o|data( reviewed)?"
            r"|((current|home|discharge|admission|outpatient|preadmission) )?medications?( (on|at|prior to) \w+)?"
            r"|instructions|(patient|discharge|home|return|follow.?up) (instructions?|precautions)|allerg(y|ies)"
            r"|(major )?(surgical )?(or )?(invasive )?procedures?|discharge (condition|disposition|status)|follow.?up"
            r"|patient education.*|studies|radiology|microbiology|ekg|ecg",
            SectionKind.FINDINGS,
        ),
    )
)
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(
    r"^\s*(?:(?:problem|diagnosis|dx|issue)\s*#?\s*\d{0,2}\s*[:.)-]"
    r"|(?:primary|secondary|principal|main|admitting|active|chronic|acute|other)"
    r"(?: (?:diagnos[ie]s|dx|problems?|issues?))?:|[-•*–·]|#?\(?\d{1,2}[.):]|#)\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^(medical reasoning|reasoning|additional testing|medical treatment|treatment|patient education"
    r"|specialist referrals?|patient agreements?|instructions?|follow.?up|plan|counseling|referrals?|medications?"
    r"|testing|education|orders?|dispo(sition)?|patient education and counseling)\b[^:]{0,30}:?",
    re.IGNORECASE,
)
# A line of the plan begins with what is to be done.
_ORDER = re.compile(
    r"(repeat|check(?!-?\s?up)|order|monitor|schedule|send|give|avoid|wash|apply|keep|call|go|watch|consider|try|stop|hold"
    r"|add|begin|resume|initiate|proceed|transition|decrease|switch|change|taper|wean|rtc|f/u|use|encourage"
    r"|reassure)\b(?=\s+\S)|return if\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(i|we|he|she|they|will|is|was|are|were|has|have|had|continue|continued|recommend|recommended|ordered|discussed"
    r"|reviewed|advised|prescribed|start|started|increase|return|lowers|reduces|prevents|helps|causes|denies|presents|should|can|take|obtain|refer)\b",
    re.IGNORECASE,
)
# "1. Hypertension. Stable. 2. Diabetes": a number before a capital begins the next problem of a line.
_INLINE_NUMBER = re.compile(r"(?<=[.;,)\w])\s+\(?#?\d{1,2}[.)]\s+(?=[A-Z])")
_HEAD_END = re.compile(r"(?<!\b[A-Z])(?<!\bvs)[.:](?:\s|$)|\s+(?:[-–—]{1,2}|->)\s+")
_REGARDING = re.compile(
    r"(?:^|(?<=[.;]\s)(?!for (?!the patient's|his|her|their)))"
    r"(?:regarding|concerning|with regards? to|in regards? to|in terms of|as for|as far as|with respect to|for)\s+"
    r"(?:(?:the patient's|his|her|their|the|your)\s+)?(?P<what>[A-Za-z0-9][^,.;:\n]{2,60}?)"
    r"(?=,|\s+(?:goes|is concerned)\b)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^\s.;][^.;\n]*")
_HEADING_WORDS, _PROBLEM_WORDS, _FURTHER_WORDS = 7, 14, 7


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
        if not content or _LABEL.match(content) or _ORDER.match(content):
            continue
        if regards := [match.span("what") for match in _REGARDING.finditer(content)]:
            heads.extend((start + first, start + last) for first, last in regards)
            continue
        head = _HEAD_END.split(content, maxsplit=1)[0]
        told = _VERB.search(head) is not None
        if len(head.split()) > _PROBLEM_WORDS:
            head = head.partition(",")[0]  # a long line names its problem first and then what is to be said of it
        short = len(head.split()) <= _PROBLEM_WORDS and not told
        if short and any(character.isalpha() for character in head):
            heads.append((start, start + len(head)))
            heads.extend(_further(text, start + len(head), end))
    ends = [*(start for start, _ in heads[1:]), section.end]
    return [Problem(start, end, body) for (start, end), body in zip(heads, ends, strict=False)]


_CONTENT = re.compile(r"[A-Za-z]{2,}")
_PART_END = re.compile(
    r"[,;(]|\bw/(?!o\b)|(?<!w)/(?!p\b|o\b)|(?=\bs/p\b|\bstatus post\b)"
    r"|\b(?:and|with|secondary to|due to|after|following|while"
    r"|since|sustained|for the (?:past|last)|on)\b",
    re.IGNORECASE,
)
_PLACE_WORDS = (
    "right left bilateral both side sided lower upper leg legs arm arms knee knees hip hips shoulder shoulders elbow"
    " wrist hand hands finger thumb ankle ankles foot feet toe heel back neck lumbar cervical thoracic extremity"
    " extremities eye eyes ear ears breast breasts chest abdomen initial encounter subsequent acute chronic stable"
    " improving resolved the middle index ring little great first second third fourth fifth medial lateral anterior"
    " posterior proximal distal pain swelling stiffness inflammation complications complication"
)
_PLACES = frozenset(_PLACE_WORDS.split())


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
