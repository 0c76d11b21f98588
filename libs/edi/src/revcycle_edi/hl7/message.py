"""HL7 v2 messages: a tokenizer with the message's own delimiters, escapes, repetitions and character set.

Fields are numbered as in the standard (MSH-1 is the field separator). `""` deletes a value, an empty one says nothing.
"""

import codecs
import re
from collections.abc import Iterator

import msgspec

from revcycle_edi.hl7.errors import HL7Error

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_SEGMENTS = 100_000
"""An empty segment takes fifty times its bytes: without a limit one message would take 900 MB."""
_CHARSETS = {
    "ASCII": "ascii",
    "8859/1": "latin-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
}
_HEX = re.compile(r"[0-9A-Fa-f]+")
_FORMATTING = {
    ".br": "\n",
    ".sp": "\n",
    ".ce": "\n",
    ".in": "",
    ".ti": "",
    ".fi": "",
    ".nf": "",
    ".sk": " ",
    "H": "",
    "N": "",
}


class Encoding(msgspec.Struct, frozen=True, gc=False):
    """The separators of a message (MSH-1 and MSH-2)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


class Message:
    """One message. segments are lists of raw field texts, the segment id first; MSH-1 stands as its own field.

    charset is the codec the bytes were read with, declared_charset what MSH-18 says.
    """

    __slots__ = ("charset", "encoding", "segments")

    def __init__(self, segments: list[list[str]], encoding: Encoding, charset: str) -> None:
        self.segments = segments
        self.encoding = encoding
        self.charset = charset

    def all(self, segment_id: str) -> list[list[str]]:
        """Every segment with the id, in order."""
        return [segment for segment in self.segments if segment[0] == segment_id]

    def first(self, segment_id: str) -> list[str]:
        """The first segment with the id, an empty list when there is none."""
        return next((segment for segment in self.segments if segment[0] == segment_id), [])

    def value(
        self, segment: list[str], field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1
    ) -> str:
        """One value, unescaped; empty when it was not sent. All numbers count from 1."""
        if field >= len(segment):
            return ""
        encoding = self.encoding
        text = _nth(segment[field], encoding.repetition, repetition)
        text = _nth(text, encoding.component, component)
        return self.unescape(_nth(text, encoding.subcomponent, subcomponent))

    def text(self, segment: list[str], field: int) -> str:
        """A whole field, unescaped, separators kept (for text fields that are not split)."""
        return self.unescape(segment[field]) if field < len(segment) else ""

    def repetitions(self, segment: list[str], field: int) -> list[list[str]]:
        """Every repetition of a field as its components, unescaped (of each the first subcomponent); [] when not sent.

        One pass: asking for repetition after repetition with `value` takes the square of their number.
        """
        if field >= len(segment) or not segment[field]:
            return []
        encoding = self.encoding
        return [
            [self.unescape(_nth(part, encoding.subcomponent, 1)) for part in repetition.split(encoding.component)]
            for repetition in segment[field].split(encoding.repetition)
        ]

    def get(self, path: str) -> str:
        """A value by path, such as `PID-5.1` or `OBX-5` (first segment, first repetition). ValueError on a bad path."""
        found = re.fullmatch(r"([A-Z][A-Z0-9]{2})-(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?", path)
        if found is None:
            raise ValueError("a path looks like PID-5, PID-5.1 or PID-3.4.2")
        segment = self.first(found[1])
        return self.value(segment, int(found[2]), int(found[3] or 1), int(found[4] or 1))

    def unescape(self, text: str) -> str:
        """Resolve escape sequences; unknown ones stay as they are."""
        return unescape(text, self.encoding, self.charset) if self.encoding.escape in text else text

    @property
    def type(self) -> str:
        """Message code, MSH-9.1; like event and version without the blanks that may fill a field up."""
        return self.value(self.segments[0], 9, 1).rstrip(" ")

    @property
    def event(self) -> str:
        """Trigger event, MSH-9.2, or EVN-1 when MSH-9 has none."""
        return self.value(self.segments[0], 9, 2).rstrip(" ") or self.value(self.first("EVN"), 1).rstrip(" ")

    @property
    def control_id(self) -> str:
        """Message control id, MSH-10."""
        return self.value(self.segments[0], 10)

    @property
    def version(self) -> str:
        """Version id, MSH-12."""
        return self.value(self.segments[0], 12).rstrip(" ")

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells a resent message: sending application, sending facility, control id."""
        msh = self.segments[0]
        return self.text(msh, 3), self.text(msh, 4), self.control_id

    def encode(self) -> bytes:
        """The message as bytes: CR after every segment, in its character set."""
        return "".join(self.lines()).encode(self.charset, errors="replace")

    def lines(self) -> Iterator[str]:
        """Segments as text with their CR."""
        separator = self.encoding.field
        yield "MSH" + separator + separator.join(self.segments[0][2:]) + "\r"
        for segment in self.segments[1:]:
            yield separator.join(segment) + "\r"


_HEADERS = frozenset(("MSH", "FHS", "BHS"))


def _nth(text: str, separator: str, number: int) -> str:
    if number == 1:
        return text.partition(separator)[0] if separator else text
    parts = text.split(separator) if separator else [text]
    return parts[number - 1] if 0 < number <= len(parts) else ""


def unescape(text: str, encoding: Encoding, charset: str = "latin-1") -> str:
    r"""Resolve `\F\ \S\ \T\ \R\ \E\ \.br\ \Xhh\`; an unknown or unfinished sequence stays as it is.

    The bytes of `\Xhh..\` are text of the charset, or else Latin-1.
    """
    simple = {
        "F": encoding.field,
        "S": encoding.component,
        "T": encoding.subcomponent,
        "R": encoding.repetition,
        "E": encoding.escape,
    }
    parts = text.split(encoding.escape)
    if len(parts) < 3:
        return text
    out = [parts[0]]
    index = 1
    while index < len(parts):
        code = parts[index]
        if index + 1 >= len(parts):
            out.append(encoding.escape + code)
            break
        resolved = simple.get(code)
        if resolved is None:
            resolved = _special(code, charset)
        if resolved is None:
            out.append(encoding.escape + code)
            index += 1
            continue
        out.append(resolved + parts[index + 1])
        index += 2
    return "".join(out)


def _special(code: str, charset: str) -> str | None:
    if code[:1] == "X" and len(code) % 2 == 1 and _HEX.fullmatch(code[1:]):
        data = bytes.fromhex(code[1:])
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            return data.decode("latin-1")
    if code in _FORMATTING:
        return _FORMATTING[code]
    return _FORMATTING.get(code[:3]) if code.startswith(".") else None


def escape(text: str, encoding: Encoding | None = None) -> str:
    """Text made safe for a field: separators and line breaks escaped, other control characters removed."""
    e = encoding or Encoding()
    table = {
        e.escape: f"{e.escape}E{e.escape}",
        e.field: f"{e.escape}F{e.escape}",
        e.component: f"{e.escape}S{e.escape}",
        e.subcomponent: f"{e.escape}T{e.escape}",
        e.repetition: f"{e.escape}R{e.escape}",
        "\n": f"{e.escape}.br{e.escape}",
    }
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(table.get(char, char if char >= " " else "") for char in text)


def read_encoding(text: str) -> Encoding:
    """Read the separators from the beginning of an MSH. HL7Error when they are missing or not distinct."""
    if not text.startswith("MSH") or len(text) < 5:
        raise HL7Error("the message does not start with MSH", expected="MSH, field separator, encoding characters")
    field = text[3]
    characters = re.split(r"[\r\n]", text[4:12])[0].split(field, 1)[0]
    if not 2 <= len(characters) <= 5:
        raise HL7Error("MSH-2 does not hold the encoding characters", expected="^~\\& or four others", field="MSH-2")
    padded = characters + "\\&"[len(characters) - 2 :] if len(characters) < 4 else characters
    used = field + padded[:4]
    if len(set(used)) != len(used) or any(char.isalnum() or char <= " " for char in used):
        raise HL7Error("the separators are not five different punctuation characters", expected="|^~\\&", field="MSH-2")
    return Encoding(field, padded[0], padded[1], padded[2], padded[3])


def parse_message(data: bytes) -> Message:
    """Read one message; CR, LF and CRLF end segments, a byte order mark is ignored.

    The character set is that of MSH-18; without one UTF-8, and Latin-1 when the bytes are not UTF-8. HL7Error says what
    is wrong and what would be right.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise HL7Error(f"the message is longer than {MAX_MESSAGE_BYTES} bytes")
    text, charset = _decode(data.removeprefix(codecs.BOM_UTF8))
    if "\x0b" in text or "\x1c" in text:
        raise HL7Error("the message holds an MLLP framing byte: it was cut", expected="no 0x0B and no 0x1C in the text")
    text = text.lstrip("\r\n \t")
    encoding = read_encoding(text)
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    if text.count("\r") > MAX_SEGMENTS:
        raise HL7Error("the message has too many segments", expected=f"at most {MAX_SEGMENTS}")
    separator = encoding.field
    segments = [line.split(separator) for line in text.split("\r") if line]
    for segment in segments:
        if len(segment[0]) != 3 or not segment[0].isalnum():
            raise HL7Error("a segment has no name of three characters", expected="CR only between segments")
    if any(segment[0] in _HEADERS for segment in segments[1:]):
        raise HL7Error("another header stands inside the message", expected="one message, one MSH")
    segments[0].insert(1, separator)
    return Message(segments, encoding, charset)


def _decode(data: bytes) -> tuple[str, str]:
    declared = _declared_charset(data)
    for charset in dict.fromkeys((declared, "utf-8") if declared else ("utf-8",)):
        try:
            return data.decode(charset), charset
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1"), "latin-1"


def _declared_charset(data: bytes) -> str:
    """The codec MSH-18 names; MSH itself is readable in every one of them.

    UTF-16 is not among them: an MSH-18 that can be read before the text is decoded does not stand in UTF-16.
    """
    header = re.split(rb"[\r\n]", data[:4096].lstrip(), maxsplit=1)[0]
    fields = header.split(header[3:4]) if len(header) > 8 else []
    if len(fields) < 18:
        return ""
    # Component and repetition separator are the message's own.
    first = re.split(b"[" + re.escape(header[4:6]) + b"]", fields[17])[0]
    return _CHARSETS.get(first.decode("latin-1").strip().upper(), "")
