"""What the typed readers share: a cursor over the segments of a transaction, envelopes, names, adjustments."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import msgspec

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.reader import STANDARD, WHITE, Limits, SegmentReader, Source, split_counted
from revcycle_edi.x12.records.common import (
    Address,
    Adjustment,
    Contact,
    Delimiters,
    Envelope,
    Name,
    QualifiedDate,
    RawSegment,
    Reference,
    StatusCode,
)
from revcycle_edi.x12.values import (
    parse_cents,
    parse_date,
    parse_integer,
    parse_optional_quantity,
    parse_period,
    parse_timestamp,
)

T = TypeVar("T")
_LEADS = re.compile(r"~[ \t\r\n]+")
PADDING = [""] * 26
"""Empty elements put behind every segment so that any index of a guide can be read."""


class Cursor:
    """The current segment of an input: `e` padded with empty elements so that any index of a guide can be read.

    Everything arrives with the standard separators (`*` `:` `^` `~`) whatever the interchange uses. Readers that take
    many segments at once look at `text` (what is loaded, every segment with its terminator) from `pos` on and leap.
    """

    def __init__(self, source: Source, limits: Limits | None = None) -> None:
        self.reader = SegmentReader(source, limits)
        self._batches = self.reader.batches()
        self._raw = ""
        self._first: list[str] | None = None  # The first segment of a batch when splitting it needs care.
        self.text = ""
        self.pos = 0
        self.end = -1  # Where the terminator of the current segment stands.
        self.segment: list[str] = []
        self.e: list[str] = PADDING
        self.id = ""
        self._counted = (0, 0)  # A position in text and the segments before it.
        self._digest = hashlib.sha256()
        self._undigested: int | None = None

    def advance(self) -> str:
        """Go to the next segment and return its id, empty at the end of the input."""
        start = self.end + 1
        if start >= len(self.text):
            if not self._load():
                self.segment, self.e, self.id = [], PADDING, ""
                return ""
            start = 0
        text = self.text
        if text[start] in WHITE:
            # Looked for here, not in the whole batch before: most files have no line breaks.
            text = self.text = text[:start] + without_leads(text[start:])
        if start == 0 and self._first is not None:
            segment = self._first
            end = len(text) - 1 if self.reader.counted else text.find("~")
        else:
            end = text.find("~", start)
            segment = text[start:end].split("*")
        self.pos, self.end = start, end
        self.segment = segment
        self.e = segment + PADDING
        # A segment without a name must not look like the end of the input, which is the empty id.
        self.id = segment[0] or "?"
        return self.id

    def leap(self, pos: int) -> str:
        """Go to the segment that starts at a position of text, or to the first of the next batch."""
        self.end = pos - 1
        return self.advance()

    def _load(self) -> bool:
        if self._undigested is not None:
            self._digest.update(self.text[self._undigested :].encode("latin-1"))
            self._undigested = 0
        raw = next(self._batches, None)
        self._raw = raw or ""
        self._counted = (0, 0)
        self.pos, self.end = 0, -1
        if raw is None:
            self.text = ""
            return False
        self.text, self._first = standardized(raw, self.reader.delimiters, counted=self.reader.counted)
        return True

    def start_digest(self) -> None:
        """Begin a SHA-256 over the segments from the current one on, written with standard delimiters."""
        self._digest = hashlib.sha256()
        self._undigested = self.pos

    def take_digest(self) -> str:
        """End the digest before the current segment and return it as hex."""
        self._digest.update(self.text[self._undigested or 0 : self.pos].encode("latin-1"))
        self._undigested = None
        return self._digest.hexdigest()

    def raw(self) -> RawSegment:
        """The current segment as it is kept in a record."""
        return tuple(self.segment)

    def number_at(self, pos: int) -> int:
        """Number, in its interchange, of the segment that starts at a position of text; the ISA is 1."""
        if self.reader.counted:
            return self.reader.batch_number + 1
        known, before = self._counted
        if pos < known:
            known = before = 0
        before += self.text.count("~", known, pos)
        self._counted = (pos, before)
        return self.reader.batch_number + before + 1

    def offset_at(self, pos: int) -> int:
        """Byte offset, in the input, of the segment that starts at a position of text."""
        base, raw = self.reader.batch_offset, self._raw
        if self.reader.counted:
            return base + len(raw) - len(raw.lstrip(WHITE))
        if len(raw) + 1 == len(self.text):
            return base + pos  # No white space was taken out.
        terminator = self.reader.delimiters.segment
        rest = raw.split(terminator, self.text.count("~", 0, pos))[-1]
        segment = rest.partition(terminator)[0]
        return base + len(raw) - len(rest) + len(segment) - len(segment.lstrip(WHITE))

    @property
    def number(self) -> int:
        """Number of the current segment in its interchange, the ISA is 1."""
        return self.number_at(self.pos)

    @property
    def offset(self) -> int:
        """Byte offset of the first character of the current segment."""
        return self.offset_at(self.pos)

    def error(self, rule: str, message: str, *, expected: str = "") -> X12Error:
        """An X12Error at the current segment."""
        return X12Error(
            rule,
            message,
            expected=expected,
            segment_number=self.number,
            byte_offset=self.offset,
            segment=self.id,
        )

    def located(self, error: X12Error) -> X12Error:
        """The same error with the place of the current segment, unless it has one."""
        if error.segment_number:
            return error
        return X12Error(
            error.rule,
            error.message,
            expected=error.expected,
            segment_number=self.number,
            byte_offset=self.offset,
            segment=error.segment or self.id,
            element=error.element,
            answer_code=error.answer_code,
        )


class Excerpt(Cursor):
    """Some segments (terminators between them) under a cursor of their own: what stands there, without its place."""

    def __init__(self, text: str) -> None:
        self._rest = iter(text.split("~"))
        self.advance()

    def advance(self) -> str:
        """Go to the next segment and return its id, empty behind the last."""
        text = next(self._rest, None)
        if text is None:
            self.segment, self.e, self.id = [], PADDING, ""
            return ""
        self.segment = segment = text.split("*")
        self.e = segment + PADDING
        self.id = segment[0] or "?"
        return self.id

    def error(self, rule: str, message: str, *, expected: str = "") -> X12Error:
        """An X12Error that names no place."""
        return X12Error(rule, message, expected=expected, segment=self.id)


def without_leads(text: str) -> str:
    """The text without the white space in front of segments."""
    return _LEADS.sub("~", text.lstrip(WHITE))


def standardized(raw: str, delimiters: Delimiters, *, counted: bool) -> tuple[str, list[str] | None]:
    """A batch with standard separators and its first segment if it is special.

    White space between segments is taken out here only when the interchange has delimiters of its own.
    """
    if counted:
        text = raw.lstrip(WHITE)
        segment = split_counted(text, delimiters.element)
        if delimiters is not STANDARD:
            segment = [element.translate(_translation(delimiters)) for element in segment]
            text = "*".join(segment)
        return text + "~", segment
    if delimiters is STANDARD:
        return raw + "~", None
    terminator = delimiters.segment
    raw = terminator.join([text.lstrip(WHITE) for text in raw.split(terminator)]) + terminator
    # The header of an interchange stays as it is: its last element names a delimiter.
    header = raw[: raw.index(terminator)].split(delimiters.element) if raw.startswith("ISA") else None
    return raw.translate(_translation(delimiters)), header


def _translation(delimiters: Delimiters) -> dict[int, str]:
    table = dict.fromkeys("*:^~", " ")
    table |= {delimiters.element: "*", delimiters.component: ":", delimiters.segment: "~"}
    if delimiters.repetition:
        table[delimiters.repetition] = "^"
    return str.maketrans(table)


class TransactionStart(msgspec.Struct, frozen=True, gc=False):
    """Where a transaction begins: its envelope, ST02 and the guide version (ST03, or GS08 when ST03 is absent)."""

    envelope: Envelope
    control_number: str
    version: str


def parse_envelope(isa: list[str], gs: list[str], delimiters: Delimiters) -> Envelope:
    """ISA and GS elements as a record; without a GS (TA1 alone) the interchange stands for it."""
    isa, group = isa + PADDING, gs + PADDING
    if gs:
        created_at = parse_timestamp(group[4], group[5])
        control = parse_integer(group[6], digits=9)
    else:
        created_at = parse_timestamp(isa[9], isa[10])
        control = 0
    return Envelope(
        sender_id=isa[6].strip(),
        receiver_id=isa[8].strip(),
        control_number=parse_integer(isa[13], digits=9),
        created_at=created_at,
        sender_qualifier=isa[5].strip(),
        receiver_qualifier=isa[7].strip(),
        application_sender=group[2] if group[2] != isa[6].strip() else "",
        application_receiver=group[3] if group[3] != isa[8].strip() else "",
        group_control_number=control if control != parse_integer(isa[13], digits=9) else 0,
        usage="T" if isa[15] == "T" else "P",
        acknowledgment_requested=isa[14] == "1",
        delimiters=delimiters,
    )


def iter_transactions(
    source: Source,
    transaction_type: str,
    parse: Callable[[Cursor, TransactionStart], Iterator[T]],
    *,
    versions: tuple[str, ...] = (),
    limits: Limits | None = None,
) -> Iterator[T]:
    """Run a transaction reader over every ST of the type (and guide versions, by prefix) in an input.

    The reader starts at the segment after the ST and stops at the SE. Raises X12Error, with the place, on anything
    that cannot be read.
    """
    cursor = Cursor(source, limits)
    isa: list[str] = []
    gs: list[str] = []
    try:
        while cursor.advance():
            if cursor.id == "ISA":
                isa, gs = cursor.segment, []
            elif cursor.id == "GS":
                gs = cursor.segment
            elif cursor.id == "ST":
                e = cursor.e
                version = e[3] or (gs + PADDING)[8]
                if e[1] == transaction_type and (not versions or version.startswith(versions)):
                    envelope = parse_envelope(isa, gs, cursor.reader.delimiters)
                    start = TransactionStart(envelope, e[2], version)
                    cursor.advance()
                    yield from parse(cursor, start)
                    expect_end(cursor)
    except X12Error as error:
        raise cursor.located(error) from None


def expect_end(cursor: Cursor) -> None:
    """X12Error unless the transaction ends here."""
    if cursor.id != "SE":
        raise cursor.error(
            "x12.se.missing", "the transaction set is not closed", expected="SE before the next ST or GE"
        )


def at_end(cursor: Cursor) -> bool:
    """Whether the cursor stands at the end of the transaction (or where it should have ended)."""
    return cursor.id in ("SE", "", "GE", "IEA", "ST", "GS", "ISA")


def parse_name(e: list[str]) -> Name:
    """NM1 as a Name."""
    return Name(
        last_name=e[3],
        first_name=e[4],
        middle_name=e[5],
        suffix=e[7],
        entity_type=_ENTITY_TYPES.get(e[2], ""),
        id_qualifier=e[8],
        id=e[9],
    )


_ENTITY_TYPES: dict[str, Literal["1", "2"]] = {"1": "1", "2": "2"}


def parse_n3(e: list[str]) -> Address:
    """N3 as the beginning of an address."""
    return Address(line1=e[1], line2=e[2])


def with_n4(address: Address | None, e: list[str]) -> Address:
    """The address with the city, state, postal code and country of an N4."""
    base = address or Address()
    return Address(line1=base.line1, line2=base.line2, city=e[1], state=e[2], postal_code=e[3], country=e[4])


def parse_contact(e: list[str]) -> Contact:
    """PER as a Contact."""
    numbers = tuple((e[i], e[i + 1]) for i in (3, 5, 7) if e[i])
    return Contact(function=e[1], name=e[2], numbers=numbers)


def parse_reference(e: list[str]) -> Reference:
    """REF as a Reference."""
    return Reference(e[1], e[2])


def parse_cas(e: list[str], into: list[Adjustment]) -> None:
    """Append the adjustments of a CAS. A gap (reason without amount) is an X12Error."""
    group = e[1]
    for i in range(2, 20, 3):
        if not e[i]:
            if e[i + 1]:
                raise X12Error(
                    "x12.cas.gap", "an adjustment amount has no reason code", segment="CAS", element=f"{i:02d}"
                )
            continue
        if not e[i + 1]:
            raise X12Error("x12.cas.gap", "an adjustment reason has no amount", segment="CAS", element=f"{i + 1:02d}")
        into.append(Adjustment(group, e[i], parse_cents(e[i + 1]), parse_optional_quantity(e[i + 2])))


def parse_dtp(e: list[str]) -> QualifiedDate:
    """DTP as a QualifiedDate."""
    qualifier = e[2]
    if qualifier == "TM":
        raise X12Error("x12.date", "a time where a date belongs", expected="D8 or RD8", segment="DTP", element="02")
    start, end = parse_period(qualifier, e[3])
    return QualifiedDate(e[1], start, end, e[3][8:] if qualifier == "DT" else "")


def parse_dtm(e: list[str]) -> QualifiedDate:
    """DTM as a QualifiedDate."""
    return QualifiedDate(e[1], parse_date(e[2]))


def parse_status_code(text: str) -> StatusCode:
    """An STC composite."""
    parts = [*text.split(":"), "", "", ""]
    return StatusCode(parts[0], parts[1], parts[2], parts[3])


def split_procedure(text: str) -> tuple[str, str, tuple[str, ...], str]:
    """A medical procedure composite as qualifier, code, modifiers and description."""
    parts = text.split(":")
    if len(parts) == 2:
        return parts[0], parts[1], (), ""
    parts += ["", "", "", "", "", ""]
    return parts[0], parts[1], tuple(m for m in parts[2:6] if m), parts[6]
