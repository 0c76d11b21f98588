"""Guides as data: the notation, its compilation to one pattern per segment and to slots per loop.

A guide is text, one item a line, indented by loop:

    LOOP 2010AA R 1                       loop id, usage (R required, S situational), maximum repeats (`*` unbounded)
      NM1 R 1  =85 =1|2 AN1-60 ?AN1-35    segment, usage, maximum use, then its elements in order

Elements: `-` not used, `?X` situational, `X` required, where X is `=A|B` (one of these codes), `ANa-b` text, `Na-b`
whole number, `R` decimal number, `D8` date, `D6` short date, `TM` time, `B` counted data, `(x,y)` parts,
`+X` repeating,
`DTP:D8|RD8` the format qualifier and the date it announces (two elements). A trailing `P8,9` says that elements 8
and 9 come together, `C5,6` that 6 must be there when 5 is, `A3,4` that at least one of them must be there. The first
segment of a loop starts it. Neighbours with the same segment id may come in any order.
"""

import re
from collections.abc import Iterator

import msgspec

_CHAR = r"[ -)+-9;-\]_-}]"
_LEAP = r"(?:(?:1[89]|20)(?:0[48]|[2468][048]|[13579][26])|2000)0229"
_MONTHS = r"(?:0[13578]|1[02])(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)(?:0[1-9]|[12]\d|30)|02(?:0[1-9]|1\d|2[0-8])"
DATE = rf"(?:(?:1[89]|20)\d\d(?:{_MONTHS})|{_LEAP})"
TIME = r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\d\d?)?)?"
_FORMATS = {"D8": DATE, "RD8": f"{DATE}-{DATE}", "TM": TIME, "DT": DATE + r"(?:[01]\d|2[0-3])[0-5]\d", "D6": r"\d{6}"}
_NUMBER = r"-?(?:\d{1,18}(?:\.\d{0,10})?|\.\d{1,10})"
UNBOUNDED = 1 << 30
_NOTE = re.compile(r"[PCA]\d+(?:,\d+)+")

# Elements that tell one use of a segment from another; HI by its first component, HL by its level code.
DISCRIMINATORS = {
    "NM1": 1,
    "REF": 1,
    "DTP": 1,
    "DTM": 1,
    "AMT": 1,
    "QTY": 1,
    "N1": 1,
    "HL": 3,
    "HI": 1,
    "LQ": 1,
    "BHT": 1,
    "PRV": 1,
    "CRC": 1,
    "MEA": 1,
    "PWK": 1,
    "TRN": 1,
    "PER": 1,
}


class Element(msgspec.Struct, frozen=True):
    """One element (or component) of a segment."""

    kind: str
    required: bool = False
    codes: frozenset[str] = frozenset()
    low: int = 0
    high: int = 0
    parts: tuple["Element", ...] = ()
    repeats: bool = False
    formats: tuple[str, ...] = ()


class Relation(msgspec.Struct, frozen=True):
    """A syntax note: P all or none, C the others when the first, A at least one."""

    kind: str
    elements: tuple[int, ...]


class SegmentUse(msgspec.Struct, frozen=True, eq=False):
    """One use of a segment in a loop."""

    id: str
    loop: str
    required: bool
    maximum: int
    elements: tuple[Element, ...]
    relations: tuple[Relation, ...]
    pattern: re.Pattern[str]
    qualifiers: frozenset[str]
    number: int


class Loop(msgspec.Struct, eq=False):
    """A loop: its trigger, its slots (items that may come in any order stand in one slot) and what it must contain."""

    id: str
    required: bool
    maximum: int
    slots: list[list["SegmentUse | Loop"]]
    required_items: "list[SegmentUse | Loop]"

    @property
    def trigger(self) -> SegmentUse:
        """The segment that starts the loop."""
        first = self.slots[0][0]
        return first if isinstance(first, SegmentUse) else first.trigger


class Guide(msgspec.Struct, eq=False):
    """A compiled guide."""

    transaction_type: str
    version: str
    functional_id: str
    root: Loop
    segment_ids: frozenset[str]


def parse_element(text: str) -> Element:
    """Read one element of the notation."""
    required = not text.startswith("?")
    text = text.removeprefix("?")
    repeats = text.startswith("+")
    text = text.removeprefix("+")
    if text == "-":
        return Element("unused")
    if text.startswith("="):
        return Element("code", required, codes=frozenset(text[1:].split("|")), repeats=repeats)
    if text.startswith("("):
        parts = tuple(parse_element(part) for part in text[1:-1].split(","))
        return Element("composite", required, parts=parts, repeats=repeats)
    if text.startswith("DTP:"):
        return Element("period", required, formats=tuple(text[4:].split("|")))
    sized = re.fullmatch(r"(AN|N)(\d+)-(\d+)", text)
    if sized:
        return Element(sized[1], required, low=int(sized[2]), high=int(sized[3]), repeats=repeats)
    if text in ("R", "D8", "TM", "D6", "B"):
        return Element(text, required)
    raise ValueError(f"unknown element notation {text!r}")


def element_pattern(element: Element) -> str:
    """The pattern of one element that is present."""
    if element.kind == "code":
        body = "(?:" + "|".join(sorted(map(re.escape, element.codes), key=len, reverse=True)) + ")"
    elif element.kind == "composite":
        body = "(?:" + _sequence(element.parts, ":") + ")"
    elif element.kind == "AN":
        body = f"{_CHAR}{{{element.low},{element.high}}}"
    elif element.kind == "N":
        body = rf"-?\d{{{element.low},{element.high}}}"
    elif element.kind == "R":
        body = _NUMBER
    elif element.kind == "period":
        body = "(?:" + "|".join(rf"{name}\*{_FORMATS[name]}" for name in element.formats) + ")"
    else:
        body = {"D8": DATE, "TM": TIME, "D6": _FORMATS["D6"], "unused": "", "B": r"[\s\S]+"}[element.kind]
    return rf"{body}(?:\^{body})*" if element.repeats else body


def _sequence(elements: tuple[Element, ...], separator: str) -> str:
    """Elements in order, those behind the last required one optional from the right."""
    sep = re.escape(separator)
    texts = [element_pattern(e) if e.required else f"(?:{element_pattern(e)}|)" for e in elements]
    last = max((i for i, e in enumerate(elements) if e.required), default=-1)
    tail = ""
    for text in reversed(texts[last + 1 :]):
        tail = f"(?:{sep}{text}{tail}|)"  # "or nothing" is matched much faster than "once or never".
    head = sep.join(texts[: last + 1])
    return head + tail if last >= 0 else tail.removeprefix(f"(?:{sep}").removesuffix("|)") if tail else ""


def segment_pattern(segment_id: str, elements: tuple[Element, ...]) -> re.Pattern[str]:
    """One pattern for a whole segment, written with standard delimiters."""
    body = _sequence((Element("code", True, codes=frozenset((segment_id,))), *elements), "*")
    return re.compile(body)


def _qualifiers(segment_id: str, elements: tuple[Element, ...]) -> frozenset[str]:
    index = DISCRIMINATORS.get(segment_id, 0)
    if not index or index > len(elements):
        return frozenset()
    element = elements[index - 1]
    if element.kind == "composite":
        element = element.parts[0]
    return element.codes


def _segment(text: str, loop: str, number: int) -> SegmentUse:
    segment_id, usage, maximum, *tokens = text.split()
    relations = tuple(
        Relation(token[0], tuple(map(int, token[1:].split(","))))
        for token in tokens
        if re.fullmatch(r"[PCA]\d+(,\d+)+", token)
    )
    elements = tuple(parse_element(t) for t in tokens if not re.fullmatch(r"[PCA]\d+(,\d+)+", t))
    return SegmentUse(
        id=segment_id,
        loop=loop,
        required=usage == "R",
        maximum=UNBOUNDED if maximum == "*" else int(maximum),
        elements=elements,
        relations=relations,
        pattern=segment_pattern(segment_id, elements),
        qualifiers=_qualifiers(segment_id, elements),
        number=number,
    )


def _each_line(text: str) -> Iterator[str]:
    """The lines of a guide without comments, those with the maximum `each` once per code."""
    for line in text.splitlines():
        body = line.split("#")[0].rstrip()
        each = re.fullmatch(r"(\s*\S+ [RS]) each =(\S+)(.*)", body)
        if each is None:
            yield body
            continue
        for code in each[2].split("|"):
            yield f"{each[1]} 1 ={code}{each[3]}"


def compile_guide(transaction_type: str, version: str, functional_id: str, text: str) -> Guide:
    """Compile the notation. ValueError names a line that cannot be read."""
    root = Loop("", True, 1, [], [])
    stack: list[tuple[int, Loop]] = [(-1, root)]
    ids: set[str] = set()
    for number, body in enumerate(_each_line(text)):
        if not body.strip():
            continue
        indent = len(body) - len(body.lstrip())
        while stack[-1][0] >= indent:
            stack.pop()
        parent = stack[-1][1]
        words = body.split()
        item: SegmentUse | Loop
        if words[0] == "LOOP":
            maximum = UNBOUNDED if words[3] == "*" else int(words[3])
            item = Loop(words[1], words[2] == "R", maximum, [], [])
            stack.append((indent, item))
        else:
            item = _segment(body, parent.id, number)
            ids.add(item.id)
        _place(parent, item)
    _finish(root)
    return Guide(transaction_type, version, functional_id, root, frozenset(ids))


def _place(parent: Loop, item: SegmentUse | Loop) -> None:
    """Put an item into a slot of its own for now; _finish joins neighbours."""
    parent.slots.append([item])
    if item.required:
        parent.required_items.append(item)


def _item_id(item: SegmentUse | Loop) -> str:
    return item.id if isinstance(item, SegmentUse) else "LOOP " + item.trigger.id


def _finish(loop: Loop) -> None:
    joined: list[list[SegmentUse | Loop]] = []
    for slot in loop.slots:
        item = slot[0]
        if isinstance(item, Loop):
            _finish(item)
        if joined and len(joined) > 1 and _item_id(joined[-1][0]) == _item_id(item) and item_joins(item):
            joined[-1].append(item)
        else:
            joined.append([item])
    loop.slots = joined


def item_joins(item: SegmentUse | Loop) -> bool:
    """Whether an item may change places with neighbours of the same segment id: not the levels of a hierarchy."""
    return _item_id(item) != "LOOP HL"
