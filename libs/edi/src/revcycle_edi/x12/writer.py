"""Writing X12: envelopes with control numbers and counts, HL numbering, and text that cannot break a segment.

X12 5010 has no escape character, so a delimiter inside a value would change the structure. Free text is therefore
transliterated (see clean_text); identifiers and codes are refused when they hold anything that is not allowed.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.common import Address, Adjustment, Contact, Delimiters, Envelope, RawSegment, Reference
from revcycle_edi.x12.values import format_cents, format_date, format_quantity

if TYPE_CHECKING:
    from revcycle_edi.x12.outlines import Outline

_R = TypeVar("_R")
_NOT_BASIC = re.compile(r"[^A-Z0-9!\"&'()+,\-./;?= ]")
_FOLD = {
    "ß": "SS",
    "Æ": "AE",
    "æ": "AE",
    "Ø": "O",
    "ø": "O",
    "Œ": "OE",
    "œ": "OE",
    "Ł": "L",
    "ł": "L",
    "Đ": "D",
    "đ": "D",
}
_FOLD |= {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "_": "-", "@": " AT ", "#": "NO ", "%": " PCT "}
_FOLD_TABLE = str.maketrans(_FOLD)
_CODE = re.compile(r"[A-Za-z0-9!\"&'()+,\-./;?= @#%_$\[\]{}<>\\|`]+")
_EXTRA_SAFE = re.compile(r"[\x00-\x1f]")


def clean_text(text: str, limit: int) -> str:
    """Free text as the basic character set allows it: upper case, transliterated, delimiters replaced, cut at limit.

    Characters without a counterpart become spaces, runs of spaces one space; the result may be empty.
    """
    if _NOT_BASIC.search(text) is not None:
        text = unicodedata.normalize("NFKD", text.translate(_FOLD_TABLE)).upper()
        text = "".join(char for char in text if not unicodedata.combining(char))
        text = _NOT_BASIC.sub(" ", text)
    return " ".join(text.split())[:limit].rstrip()


def mail_text(text: str, limit: int) -> str:
    """An e-mail address or a URL: kept as it is but for characters that would break a segment."""
    return re.sub(r"[^A-Za-z0-9!\"&'()+,\-./;?= @#%_]", "", text)[:limit].strip()


def code(value: str, name: str, limit: int, *, required: bool = False) -> str:
    """An identifier or code: never changed, refused when it is too long or holds a delimiter or control character."""
    if not value:
        if required:
            raise X12Error("x12.write.missing", f"{name} is empty", expected=f"{name} of 1 to {limit} characters")
        return value
    if len(value) <= limit and value.isalnum() and value.isascii():
        return value  # As nearly all are: spares the pattern below.
    if len(value) > limit:
        raise X12Error("x12.write.long", f"{name} has {len(value)} characters", expected=f"at most {limit} characters")
    if _CODE.fullmatch(value) is None or value != value.strip():
        raise X12Error(
            "x12.write.character",
            f"{name} holds a character that X12 cannot carry",
            expected="letters, digits and punctuation without * : ^ ~, no space at the ends",
        )
    return value


def digits(value: str, name: str, lengths: tuple[int, ...]) -> str:
    """A number of fixed length as text, dashes and spaces removed; refused when it is anything else."""
    bare = value.replace("-", "").replace(" ", "")
    if not (bare.isdecimal() and bare.isascii()) or len(bare) not in lengths:
        raise X12Error("x12.write.digits", f"{name} is not a number of the right length", expected=f"{lengths} digits")
    return bare


def composite(*parts: str) -> str:
    """Components joined by the standard separator, empty ones at the end dropped."""
    return ":".join(parts).rstrip(":")


class SegmentWriter:
    """Collects segments, written with the standard delimiters (`*` `:` `^` `~`)."""

    def __init__(self) -> None:
        self.segments: list[str] = []
        self._inner = 0  # Segments behind the first one of their text.

    def add(self, *elements: str) -> None:
        """Write one segment, empty elements at the end dropped."""
        self.segments.append("*".join(elements).rstrip("*"))

    def add_block(self, text: str, count: int) -> None:
        """Write a text of so many finished segments, terminators between them."""
        self.segments.append(text)
        self._inner += count - 1

    def raw(self, segments: Sequence[RawSegment]) -> None:
        """Write segments kept from reading; control characters and terminators inside are replaced."""
        for segment in segments:
            text = "*".join(element.replace("*", " ").replace("~", " ") for element in segment)
            self.segments.append(_EXTRA_SAFE.sub(" ", text))

    @property
    def count(self) -> int:
        """How many segments were written."""
        return len(self.segments) + self._inner


class TransactionWriter(SegmentWriter):
    """Collects the segments of one interchange with one group and closes every count.

    Values are written with the standard delimiters (`*` `:` `^` `~`) and translated once at the end when the envelope
    names others; add() takes finished element texts in which only `:` and `^` have a meaning.
    """

    def __init__(
        self, envelope: Envelope, functional_id: str, version: str, *, interchange_version: str = "00501"
    ) -> None:
        self._envelope = envelope
        self._version = version
        self._group = envelope.group_control_number or envelope.control_number
        _check_control(envelope.control_number, "the interchange control number")
        _check_control(self._group, "the group control number")
        super().__init__()
        self.segments = [interchange_header(envelope, interchange_version), self._gs(functional_id)]
        self._st_index = -1
        self._transactions = 0
        self._hl = 0

    def _gs(self, functional_id: str) -> str:
        envelope = self._envelope
        sender = code(envelope.application_sender or envelope.sender_id, "GS02 application sender", 15, required=True)
        receiver = code(
            envelope.application_receiver or envelope.receiver_id, "GS03 application receiver", 15, required=True
        )
        at = envelope.created_at
        return f"GS*{functional_id}*{sender}*{receiver}*{at:%Y%m%d}*{at:%H%M%S}*{self._group}*X*{self._version}"

    def open(self, transaction_type: str, *, with_version: bool = True, control_number: str = "") -> str:
        """Write the ST and return its control number; HL numbering starts again."""
        self._transactions += 1
        self._control = control_number or f"{self._transactions:04d}"
        self._hl = 0
        self._st_index = self.count
        self.add("ST", transaction_type, self._control, self._version if with_version else "")
        return self._control

    def level(self, code_: str, *, parent: int = 0, child: bool) -> int:
        """Write an HL and return its number."""
        self._hl = number = self._hl + 1
        self.add("HL", str(number), str(parent or ""), code_, "1" if child else "0")
        return number

    @property
    def levels(self) -> int:
        """How many HL the open transaction has, which is the number of the last one."""
        return self._hl

    def outlined(
        self, outline: "Outline", records: Sequence[_R], otherwise: Callable[[_R], None], *, parent: int = 0
    ) -> None:
        """Write records by an outline, otherwise those that are not of its shape; parent is the HL they stand under."""
        at = 0
        while at < len(records):
            text, count, self._hl, at = outline.run(records, at, self._hl, parent)
            if count:
                self.add_block(text, count)
            if at < len(records):
                otherwise(records[at])
                at += 1

    def close(self) -> None:
        """Write the SE of the open transaction."""
        self.segments.append(f"SE*{self.count - self._st_index + 1}*{self._control}")

    def finish(self) -> bytes:
        """Write GE and IEA and return the interchange."""
        self.segments.append(f"GE*{self._transactions}*{self._group}")
        self.segments.append(f"IEA*1*{self._envelope.control_number:09d}")
        return assemble(self.segments, self._envelope.delimiters, self.count)


def assemble(segments: list[str], delimiters: Delimiters, count: int | None = None) -> bytes:
    """Join texts of segments written with standard delimiters, translated to others when asked for.

    X12Error when they do not hold so many segments (one a text if not told): a value has passed as a terminator.
    """
    body = "~".join((*segments, ""))
    if body.count("~") != (len(segments) if count is None else count):
        raise X12Error(
            "x12.write.character", "a value holds the segment terminator", expected="no `~` in codes and numbers"
        )
    if delimiters != Delimiters():
        _check_delimiters(body, delimiters)
        chosen = delimiters.element + delimiters.component + delimiters.repetition + delimiters.segment
        body = body.translate(str.maketrans("*:^~", chosen))
    return body.encode("latin-1", errors="replace")


def _check_delimiters(body: str, delimiters: Delimiters) -> None:
    chosen = (delimiters.element, delimiters.component, delimiters.repetition, delimiters.segment)
    if len(set(chosen)) != 4 or any(len(c) != 1 or c.isalnum() or c == " " for c in chosen):
        raise X12Error("x12.delimiters", "the delimiters are not four different punctuation characters")
    if any(char not in "*:^~" and char in body for char in chosen):
        raise X12Error(
            "x12.write.character",
            "the data holds one of the chosen delimiters",
            expected="delimiters that no value contains, or the standard * : ^ ~",
        )


def _check_control(number: int, name: str) -> None:
    if not 1 <= number <= 999_999_999:
        raise X12Error("x12.write.control", f"{name} is out of range", expected="1 to 999999999")


def interchange_header(envelope: Envelope, version: str = "00501") -> str:
    """The ISA as text, written with standard delimiters."""
    sender = code(envelope.sender_id, "ISA06 sender id", 15, required=True)
    receiver = code(envelope.receiver_id, "ISA08 receiver id", 15, required=True)
    sender_qualifier = code(envelope.sender_qualifier, "ISA05 sender qualifier", 2, required=True)
    receiver_qualifier = code(envelope.receiver_qualifier, "ISA07 receiver qualifier", 2, required=True)
    requested = "1" if envelope.acknowledgment_requested else "0"
    at = envelope.created_at
    return (
        f"ISA*00*{'':10}*00*{'':10}*{sender_qualifier:2}*{sender:15}*{receiver_qualifier:2}*{receiver:15}"
        f"*{at:%y%m%d}*{at:%H%M}*^*{version}*{envelope.control_number:09d}*{requested}*{envelope.usage}*:"
    )


def write_address(out: SegmentWriter, address: Address | None) -> None:
    """N3 and N4, where there is an address."""
    if address is None:
        return
    line1 = clean_text(address.line1, 55)
    if line1:
        out.add("N3", line1, clean_text(address.line2, 55))
    if address.city or address.postal_code:
        postal = code(address.postal_code.replace("-", ""), "N403 postal code", 15)
        state, country = code(address.state, "N402 state", 2), code(address.country, "N404 country", 3)
        out.add("N4", clean_text(address.city, 30), state, postal, country)


def write_contact(out: SegmentWriter, contact: Contact) -> None:
    """PER with up to three numbers."""
    elements = ["PER", contact.function, clean_text(contact.name, 60)]
    for qualifier, number in contact.numbers[:3]:
        text = mail_text(number, 256) if qualifier in ("EM", "UR") else re.sub(r"[^A-Za-z0-9]", "", number)[:256]
        elements += [qualifier, text]
    out.add(*elements)


def write_references(out: SegmentWriter, references: Sequence[Reference]) -> None:
    """One REF each."""
    for reference in references:
        qualifier = code(reference.qualifier, "REF01 qualifier", 3, required=True)
        out.add("REF", qualifier, code(reference.value, f"REF*{qualifier}", 50, required=True))


def write_adjustments(out: SegmentWriter, adjustments: Sequence[Adjustment]) -> None:
    """CAS segments: neighbours with the same group share a segment, at most six reasons each."""
    for group, run in groupby(adjustments, lambda adjustment: adjustment.group_code):
        elements: list[str] = []
        for adjustment in run:
            reason = code(adjustment.reason_code, "CAS reason code", 5, required=True)
            elements += [reason, format_cents(adjustment.amount_cents), quantity_text(adjustment.quantity)]
        for first in range(0, len(elements), 18):
            out.add("CAS", code(group, "CAS01 group code", 2, required=True), *elements[first : first + 18])


def quantity_text(quantity: Decimal | None) -> str:
    """A quantity, empty when absent."""
    return "" if quantity is None else format_quantity(quantity)


def cents_text(cents: int | None) -> str:
    """An amount, empty when absent."""
    return "" if cents is None else format_cents(cents)


__all__ = [
    "SegmentWriter",
    "TransactionWriter",
    "assemble",
    "cents_text",
    "clean_text",
    "code",
    "composite",
    "digits",
    "format_date",
    "interchange_header",
    "mail_text",
    "quantity_text",
    "write_address",
    "write_adjustments",
    "write_contact",
    "write_references",
]
