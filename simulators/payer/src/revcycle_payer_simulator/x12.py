"""Reading and writing X12 interchanges: the simulator's own, so that no mistake is shared with what it tests.

A segment is a tuple of its elements, the segment id first. Segments keep their one-based position in the transaction
set (ST is 1), because a 999 names positions. Money is integer cents.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

ISA_LENGTH = 106
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_AMOUNT = re.compile(r"(-?)(\d{0,10})(?:\.(\d{1,2}))?")
_UNSAFE = re.compile(r"[*:~^\x00-\x1f]")

Segment = tuple[str, ...]
Component = tuple[str, ...]


class IncompleteInterchangeError(ValueError):
    """The bytes are not one whole interchange from ISA to IEA."""


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The four delimiters an ISA declares by position."""

    element: str
    repetition: str
    component: str
    terminator: str


@dataclass(slots=True)
class TransactionSet:
    """ST to SE. `segments` holds everything between, ST and SE included. `closed` is False when SE is missing."""

    segments: list[Segment] = field(default_factory=list)
    closed: bool = False

    @property
    def code(self) -> str:
        """ST01, such as 837."""
        return element(self.segments[0], 1)

    @property
    def control_number(self) -> str:
        """ST02."""
        return element(self.segments[0], 2)

    @property
    def guide(self) -> str:
        """ST03, empty in an 835."""
        return element(self.segments[0], 3)

    def trailer_codes(self) -> list[str]:
        """IK502 codes of the trailer: 2 SE missing, 3 control numbers differ, 4 wrong count of segments."""
        if not self.closed:
            return ["2"]
        trailer = self.segments[-1]
        codes = [] if element(trailer, 2) == self.control_number else ["3"]
        if element(trailer, 1) != str(len(self.segments)):
            codes.append("4")
        return codes


@dataclass(slots=True)
class FunctionalGroup:
    """GS to GE."""

    header: Segment
    transactions: list[TransactionSet] = field(default_factory=list)
    trailer: Segment = ()


@dataclass(slots=True)
class Interchange:
    """ISA to IEA. `fault` is the TA105 note code of a bad envelope, or empty."""

    header: Segment
    delimiters: Delimiters
    groups: list[FunctionalGroup]
    fault: str

    @property
    def control_number(self) -> str:
        """ISA13."""
        return element(self.header, 13)

    @property
    def sender(self) -> tuple[str, str]:
        """Qualifier and id of the sender, trimmed."""
        return element(self.header, 5).strip(), element(self.header, 6).strip()

    @property
    def wants_acknowledgment(self) -> bool:
        """ISA14: the sender asks for a TA1."""
        return element(self.header, 14) == "1"


def element(segment: Sequence[str], position: int) -> str:
    """The element at a one-based position, empty when absent."""
    return segment[position] if position < len(segment) else ""


def component(text: str, position: int, separator: str = ":") -> str:
    """The component at a one-based position, empty when absent."""
    parts = text.split(separator)
    return parts[position - 1] if position <= len(parts) else ""


def read_interchange(data: bytes) -> Interchange:
    """Read one interchange. Delimiters come from its ISA; a bad envelope is reported in `fault`, not raised.

    Raises IncompleteInterchangeError when the bytes do not begin with a whole ISA or do not end with a whole IEA.
    """
    text = data.decode("latin-1").strip("\r\n \t")
    if not text.startswith("ISA") or len(text) < ISA_LENGTH:
        raise IncompleteInterchangeError("an interchange begins with an ISA segment of 106 characters")
    marks = Delimiters(text[3], text[82], text[104], text[105])
    if len({marks.element, marks.component, marks.terminator}) < 3 or marks.terminator.isalnum():
        raise IncompleteInterchangeError("the ISA does not declare three different delimiters")
    if not text.endswith(marks.terminator):
        raise IncompleteInterchangeError("the last segment has no terminator")
    segments = [
        tuple(part.strip("\r\n").split(marks.element)) for part in text[:-1].split(marks.terminator) if part.strip()
    ]
    if segments[-1][0] != "IEA":
        raise IncompleteInterchangeError("the interchange does not end with IEA")
    if sum(1 for segment in segments if segment[0] == "ISA") != 1:
        raise IncompleteInterchangeError("send one interchange per request")
    groups, nested_well = _groups(segments[1:-1], marks)
    return Interchange(segments[0], marks, groups, _envelope_fault(segments[0], segments[-1], groups, nested_well))


def _groups(segments: Iterable[Segment], marks: Delimiters) -> tuple[list[FunctionalGroup], bool]:
    """Groups and whether every segment stood inside a proper nesting."""
    groups: list[FunctionalGroup] = []
    nested_well = True
    group: FunctionalGroup | None = None
    open_set: TransactionSet | None = None
    for raw in segments:
        segment = raw if marks.component == ":" else tuple(part.replace(marks.component, ":") for part in raw)
        name = segment[0]
        if name == "GS":
            nested_well &= group is None
            group, open_set = FunctionalGroup(segment), None
            groups.append(group)
        elif group is None:
            nested_well = False
        elif name == "GE":
            group.trailer = segment
            group, open_set = None, None
        elif name == "ST":
            open_set = TransactionSet([segment])
            group.transactions.append(open_set)
        elif open_set is None:
            nested_well = False
        else:
            open_set.segments.append(segment)
            if name == "SE":
                open_set.closed, open_set = True, None
    return groups, nested_well and group is None


def _envelope_fault(header: Segment, trailer: Segment, groups: list[FunctionalGroup], nested_well: bool) -> str:
    """TA105: 001 control numbers differ, 021 wrong number of groups, 022 structure, 017 version; empty when fine."""
    widths = tuple(len(part) for part in header[1:])
    if widths != _ISA_WIDTHS or not nested_well:
        return "022"
    if element(header, 12) != "00501":
        return "017"
    if not element(header, 13).isdecimal():
        return "018"
    if element(trailer, 2) != element(header, 13):
        return "001"
    if element(trailer, 1) != str(len(groups)) or not groups:
        return "021"
    return ""


def parse_cents(text: str) -> int | None:
    """An X12 decimal as cents, or None when it is not an amount of at most two decimals."""
    match = _AMOUNT.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        return None
    cents = int(match[2] or "0") * 100 + int((match[3] or "0").ljust(2, "0"))
    return -cents if match[1] else cents


def format_cents(cents: int) -> str:
    """Cents as an X12 decimal: no leading zeros, no trailing zeros after the point."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole or ''}.{rest:02d}".rstrip("0")


def parse_date(text: str) -> date | None:
    """A D8 date, or None when it is not a real one."""
    if len(text) != 8 or not text.isdecimal():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def segment(*elements: str | Component) -> str:
    """Write one segment without its terminator: delimiters inside data become blanks, empty tails are left out."""
    written = [_composite(each) if isinstance(each, tuple) else _clean(each) for each in elements]
    while len(written) > 1 and not written[-1]:
        written.pop()
    return "*".join(written)


def _composite(parts: Component) -> str:
    return ":".join(_clean(part) for part in parts).rstrip(":")


def _clean(text: str) -> str:
    return _UNSAFE.sub(" ", text).strip() if _UNSAFE.search(text) else text


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who writes to whom, and when. The date is the business date, the time comes from the clock."""

    payer_id: str
    receiver: tuple[str, str]
    control_number: int
    business_date: date
    at: datetime

    @property
    def time(self) -> str:
        """HHMM."""
        return self.at.strftime("%H%M")

    @property
    def day(self) -> str:
        """CCYYMMDD."""
        return self.business_date.strftime("%Y%m%d")


def write_interchange(envelope: Envelope, functional_id: str, guide: str, sets: Sequence[Sequence[str]]) -> bytes:
    """One interchange with one group. Each set is given without SE; its first segment is an ST without ST02.

    An empty `functional_id` writes the first set's segments right under the ISA (a TA1).
    """
    number = f"{envelope.control_number:09d}"
    written = [_isa(envelope, number)]
    if not functional_id:
        written.extend(sets[0])
        written.append(segment("IEA", "0", number))
        return ("~".join(written) + "~").encode("ascii", "replace")
    group = str(envelope.control_number)
    receiver = envelope.receiver[1]
    written.append(
        segment("GS", functional_id, envelope.payer_id, receiver, envelope.day, envelope.time, group, "X", guide)
    )
    for index, body in enumerate(sets, 1):
        control = f"{index:04d}"
        written.append(body[0].replace("{ST02}", control))
        written.extend(body[1:])
        written.append(segment("SE", str(len(body) + 1), control))
    written.append(segment("GE", str(len(sets)), group))
    written.append(segment("IEA", "1", number))
    return ("~".join(written) + "~").encode("ascii", "replace")


def open_set(code: str, guide: str = "") -> str:
    """The ST that `write_interchange` numbers."""
    return segment("ST", code, "{ST02}", guide)


def _isa(envelope: Envelope, number: str) -> str:
    qualifier, receiver = envelope.receiver
    parts = (
        "ISA", "00", " " * 10, "00", " " * 10, "ZZ", envelope.payer_id.ljust(15), qualifier.ljust(2)[:2],
        receiver.ljust(15)[:15], envelope.business_date.strftime("%y%m%d"), envelope.time, "^", "00501", number, "0",
        "T", ":",
    )  # fmt: skip
    return "*".join(parts)
