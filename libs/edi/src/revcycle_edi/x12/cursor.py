"""What the typed readers share: a cursor over the segments of a transaction, envelopes, names, adjustments."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import msgspec

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.reader import STANDARD, Limits, SegmentReader, Source
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
_PADDING = [""] * 26


class Cursor:
    """The current segment of an input: `e` padded with empty elements so that any index of a guide can be read.

    Values arrive with the standard component (`:`) and repetition (`^`) separators whatever the interchange uses.
    """

    def __init__(self, source: Source, limits: Limits | None = None) -> None:
        self.reader = SegmentReader(source, limits)
        self._segments = iter(self.reader)
        self.segment: list[str] = []
        self.e: list[str] = _PADDING
        self.id = ""
        self._digest = hashlib.sha256()
        self._passed: list[str] | None = None

    def advance(self) -> str:
        """Go to the next segment and return its id, empty at the end of the input."""
        if self._passed is not None:
            self._pass()
        segment = next(self._segments, None)
        if segment is None:
            self.segment, self.e, self.id = [], _PADDING, ""
            return ""
        if self.reader.delimiters is not STANDARD:
            segment = _standardized(segment, self.reader.delimiters)
        self.segment = segment
        self.e = segment + _PADDING
        # A segment without a name must not look like the end of the input, which is the empty id.
        self.id = segment[0] or "?"
        return self.id

    def _pass(self) -> None:
        """Put the segment that is being left into the digest, in batches."""
        if self._passed is None:
            return
        self._passed.append(self.text())
        if len(self._passed) >= 1024:
            self._digest.update(("~".join(self._passed) + "~").encode("latin-1"))
            self._passed.clear()

    def start_digest(self) -> None:
        """Begin a SHA-256 over the segments from the current one on, written with standard delimiters."""
        self._digest = hashlib.sha256()
        self._passed = []

    def take_digest(self) -> str:
        """End the digest before the current segment and return it as hex."""
        if self._passed:
            self._digest.update(("~".join(self._passed) + "~").encode("latin-1"))
        self._passed = None
        return self._digest.hexdigest()

    def text(self) -> str:
        """The current segment as one text with standard delimiters."""
        return self.reader.text if self.reader.delimiters is STANDARD else "*".join(self.segment)

    def raw(self) -> RawSegment:
        """The current segment as it is kept in a record."""
        return tuple(self.segment)

    def error(self, rule: str, message: str, *, expected: str = "") -> X12Error:
        """An X12Error at the current segment."""
        return self.reader.error(rule, message, expected=expected, segment=self.id)


def _standardized(segment: list[str], delimiters: Delimiters) -> list[str]:
    if segment[0] == "ISA":
        return segment
    table: dict[str, str] = {char: " " for char in "*:^~" if char not in (delimiters.component, delimiters.repetition)}
    table[delimiters.component] = ":"
    if delimiters.repetition:
        table[delimiters.repetition] = "^"
    mapping = str.maketrans(table)
    return [element.translate(mapping) for element in segment]


class TransactionStart(msgspec.Struct, frozen=True, gc=False):
    """Where a transaction begins: its envelope, ST02 and the guide version (ST03, or GS08 when ST03 is absent)."""

    envelope: Envelope
    control_number: str
    version: str


def parse_envelope(isa: list[str], gs: list[str], delimiters: Delimiters) -> Envelope:
    """ISA and GS elements as a record; without a GS (TA1 alone) the interchange stands for it."""
    isa, group = isa + _PADDING, gs + _PADDING
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
                version = e[3] or (gs + _PADDING)[8]
                if e[1] == transaction_type and (not versions or version.startswith(versions)):
                    envelope = parse_envelope(isa, gs, cursor.reader.delimiters)
                    start = TransactionStart(envelope, e[2], version)
                    cursor.advance()
                    yield from parse(cursor, start)
                    expect_end(cursor)
    except X12Error as error:
        raise cursor.reader.located(error, cursor.id) from None


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
        entity_type=_entity_type(e[2]),
        id_qualifier=e[8],
        id=e[9],
    )


def _entity_type(text: str) -> Literal["1", "2", ""]:
    if text == "1":
        return "1"
    return "2" if text == "2" else ""


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
