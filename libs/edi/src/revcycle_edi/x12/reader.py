"""Streaming X12 reader: delimiters from the ISA, constant memory, lossless tokens, precise errors.

Bytes are read as Latin-1, one character per byte, so offsets are byte offsets and nothing is lost. Segments arrive as
element lists, the segment id first. Line breaks (any white space) between a terminator and the next segment are
tolerated and kept by the lossless readers.
"""

from collections.abc import Iterable, Iterator

import msgspec

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.common import Delimiters

ISA_LENGTH = 106
WHITE = " \t\r\n"
"""What may stand between a terminator and the next segment."""
STANDARD = Delimiters()
"""The usual delimiters; readers use this very object for them, so that a check by identity is enough."""
_BINARY_SPLITS = {"BIN": 2, "BDS": 3}
_CHUNK_BYTES = 64 * 1024  # Small enough that text and segments of a batch stay in the processor's cache.
_FRAGMENT_CHARS = 4096  # Less than this without a loop behind it waits for more input, so that few loops span batches.
_LOOPS = ("HL", "CLP")  # Batches end before one of these where they can, so that few claims span two.
_BYTE_ORDER_MARKS = ("\xef\xbb\xbf", "\xff\xfe", "\xfe\xff")
"""How text saved as UTF-8 with a mark, or as UTF-16, begins when its bytes are read as Latin-1."""
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)

Source = bytes | Iterable[bytes]
"""Whole input, or its chunks in order."""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Bounds of what one input may ask for; crossing one is an X12Error."""

    segment_chars: int = 64 * 1024
    binary_bytes: int = 100 * 1024 * 1024
    segments: int = 50_000_000
    interchanges: int = 100_000


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One segment, lossless. number counts from 1 at the ISA, offset is the byte offset of its first character.

    lead is the white space that stood before it.
    """

    elements: tuple[str, ...]
    number: int
    offset: int
    lead: str = ""


class Interchange(msgspec.Struct, frozen=True, gc=False):
    """One interchange as tokens, ISA and IEA included."""

    delimiters: Delimiters
    segments: tuple[Segment, ...]


class Document(msgspec.Struct, frozen=True, gc=False):
    """All interchanges of an input and the white space after the last one."""

    interchanges: tuple[Interchange, ...]
    trailer: str = ""


def read_delimiters(isa: str, offset: int = 0) -> Delimiters:
    """Read the delimiters from the first 106 characters of an interchange. X12Error when it is no valid ISA."""
    if isa.startswith(_BYTE_ORDER_MARKS):
        raise X12Error(
            "x12.isa",
            "a byte order mark stands before the interchange header",
            expected="the file saved as plain text without a byte order mark, its first characters ISA",
            segment_number=1,
            byte_offset=offset,
            segment="ISA",
        )
    element = isa[3:4]
    parts = isa[: ISA_LENGTH - 1].split(element) if element else []
    widths = tuple(len(part) for part in parts[1:])
    if isa[:3] != "ISA" or len(isa) < ISA_LENGTH or widths != _ISA_WIDTHS:
        raise X12Error(
            "x12.isa",
            "the interchange header is not 106 characters of fixed-width elements",
            expected="ISA with 16 elements of widths " + ",".join(map(str, _ISA_WIDTHS)) + " and a segment terminator",
            segment_number=1,
            byte_offset=offset,
            segment="ISA",
        )
    repetition = parts[11]
    delimiters = Delimiters(
        element=element,
        component=parts[16],
        repetition="" if repetition.isalnum() or repetition == " " else repetition,
        segment=isa[ISA_LENGTH - 1],
    )
    used = [d for d in (element, delimiters.component, delimiters.repetition, delimiters.segment) if d]
    if len(set(used)) != len(used) or any(d.isalnum() or d == " " for d in used):
        raise X12Error(
            "x12.delimiters",
            "the delimiters of the interchange are not distinct punctuation characters",
            expected="four different characters that are neither letters, digits nor spaces",
            segment_number=1,
            byte_offset=offset,
            segment="ISA",
            answer_code="022",
        )
    return STANDARD if delimiters == STANDARD else delimiters


def split_counted(text: str, separator: str) -> list[str]:
    """The elements of a segment of an attachment: counted data at its end may hold the separator."""
    splits = _BINARY_SPLITS.get(text[:3])
    return text.split(separator) if splits is None else text.split(separator, splits)


class SegmentReader:
    """Iterate over the segments of an input as element lists.

    While iterating, delimiters, number (of the current segment in its interchange) and offset (its byte offset) tell
    where the reader stands; both are worked out only when asked for. Raises X12Error on input that is not X12.
    """

    def __init__(self, source: Source, limits: Limits | None = None) -> None:
        self.delimiters = Delimiters()
        self.interchange_number = 0
        self.trailer = ""
        self._limits = limits or Limits()
        self._chunks = _chunks(source)
        self._text = ""
        self._pos = 0
        self._ended = False
        self._base = 0  # Byte offset of _text[0].
        self._batch: list[str] = []
        self.batch_offset = 0
        self.batch_number = 0
        self.counted = False
        self._index = -1
        self._binary = False

    @property
    def number(self) -> int:
        """Number of the current segment in its interchange, the ISA is 1."""
        return self.batch_number + self._index + 1

    @property
    def offset(self) -> int:
        """Byte offset of the first character of the current segment."""
        before = sum(map(len, self._batch[: self._index])) + max(self._index, 0)
        return self.batch_offset + before + len(self.lead)

    @property
    def lead(self) -> str:
        """The white space before the current segment."""
        if self._index < 0 or not self._batch:
            return ""
        raw = self._batch[self._index]
        return raw[: len(raw) - len(raw.lstrip(WHITE))]

    @property
    def at_loop(self) -> bool:
        """Whether a claim or level begins right behind the batch given last, so that none goes on there."""
        loops = tuple([f"{loop}{self.delimiters.element}" for loop in _LOOPS])
        return self._text.startswith(loops, self._pos)

    def __iter__(self) -> Iterator[list[str]]:
        for batch in self.batches():
            separator = self.delimiters.element
            self._batch = [batch] if self.counted else batch.split(self.delimiters.segment)
            strip = any(raw[:1] in WHITE for raw in self._batch)
            for index, raw in enumerate(self._batch):
                self._index = index
                text = raw.lstrip(WHITE) if strip else raw
                yield split_counted(text, separator) if self.counted else text.split(separator)
            self._index = -1
            self._batch = []

    def batches(self) -> Iterator[str]:
        """The raw text of many segments at a time, without the last terminator; a batch never spans two interchanges.

        Between two batches delimiters, batch_number (segments of the interchange before the batch), batch_offset and
        counted (the batch is one segment that may hold counted binary data) describe the batch given last.
        """
        while self._open_interchange():
            terminator = self.delimiters.segment
            self.batch_number = 0
            for batch in self._batches():
                yield batch
                self.batch_number += 1 if self.counted else batch.count(terminator) + 1
                if self.batch_number > self._limits.segments:
                    raise X12Error("x12.limit", f"more than {self._limits.segments} segments in one interchange")

    def tokens(self) -> Iterator[Segment]:
        """The same segments as lossless records."""
        for elements in self:
            yield Segment(tuple(elements), self.number, self.offset, self.lead)

    def _refill(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            self._ended = True
            return False
        self._base += self._pos
        self._text = self._text[self._pos :] + chunk
        self._pos = 0
        return True

    def _open_interchange(self) -> bool:
        """Skip white space, read the ISA at the current position. False at the end of the input."""
        while True:
            rest = self._text[self._pos :]
            stripped = rest.lstrip(WHITE)
            if not stripped and len(rest) > self._limits.segment_chars:
                raise X12Error("x12.limit", "too much white space between interchanges", byte_offset=self._base)
            if len(stripped) >= ISA_LENGTH or not self._refill():
                break
        if not stripped:
            self.trailer = rest
            return False
        self._index = -1
        self._batch = []
        self.batch_number = 0
        start = self._pos + len(rest) - len(stripped)
        self.delimiters = read_delimiters(stripped[:ISA_LENGTH], self._base + start)
        self.interchange_number += 1
        if self.interchange_number > self._limits.interchanges:
            raise X12Error("x12.limit", f"more than {self._limits.interchanges} interchanges in one input")
        self._binary = False
        return True

    def _batches(self) -> Iterator[str]:
        """Raw segments of one interchange in batches, up to and including its IEA."""
        ending = "IEA" + self.delimiters.element
        attachments = "GS" + self.delimiters.element + "PI" + self.delimiters.element
        while True:
            end = self._batch_end(ending)
            if end < 0:
                self._grow()
                continue
            batch = self._text[self._pos : end]
            self.counted = self._binary
            last = (batch if self.counted else batch[batch.rfind(self.delimiters.segment) + 1 :]).lstrip(WHITE)
            self._binary = self._binary or last.startswith(attachments)
            self.batch_offset = self._base + self._pos
            self._pos = end + 1
            yield batch
            if last.startswith(ending):
                return

    def _batch_end(self, ending: str) -> int:
        """Position of the terminator that ends the next batch, -1 when more input is needed."""
        text, start, terminator = self._text, self._pos, self.delimiters.segment
        if self._binary:
            return self._binary_end()
        first = text.find(terminator, start)
        if first < 0:
            return -1
        limit = _find(text, ending, start)
        end = -1 if limit < 0 else text.find(terminator, limit)
        if end < 0:
            end = max(text.rfind(f"{terminator}{loop}{self.delimiters.element}", first + 1) for loop in _LOOPS)
        if end < 0:
            if len(text) - start < _FRAGMENT_CHARS and not self._ended:
                return -1
            end = text.rfind(terminator, start)
        attachments = _find(text, "GS" + self.delimiters.element + "PI", start, end)
        if attachments >= 0:
            # Attachments carry counted binary data that may hold any delimiter: from here one segment at a time.
            end = text.find(terminator, attachments)
        return end

    def _binary_end(self) -> int:
        text, terminator, separator = self._text, self.delimiters.segment, self.delimiters.element
        start = self._pos
        while start < len(text) and text[start] in WHITE:
            start += 1
        splits = _BINARY_SPLITS.get(text[start : start + 3])
        if splits is None:
            return text.find(terminator, start)
        head = text[start : start + 200].split(separator, splits)
        if len(head) <= splits or not head[splits - 1].isdecimal():
            return text.find(terminator, start)
        data = start + sum(map(len, head[:splits])) + splits
        length = int(head[splits - 1][:12])
        if length > self._limits.binary_bytes:
            raise X12Error("x12.limit", f"binary data of more than {self._limits.binary_bytes} bytes", segment=head[0])
        end = data + length
        if end >= len(text):
            return -1
        return end if text[end] == terminator else text.find(terminator, start)

    def _grow(self) -> None:
        """Get more input or say why the segment cannot be completed."""
        longest = self._limits.segment_chars + (self._limits.binary_bytes if self._binary else 0)
        if len(self._text) - self._pos > longest:
            raise X12Error(
                "x12.limit",
                f"a segment is longer than {longest} characters",
                expected="a segment terminator as the ISA names it",
                segment_number=self.batch_number + 1,
                byte_offset=self._base + self._pos,
            )
        if not self._refill() and (self._binary or self._text.find(self.delimiters.segment, self._pos) < 0):
            raise X12Error(
                "x12.truncated",
                "the input ends inside an interchange",
                expected="an IEA segment with its terminator",
                segment_number=self.batch_number + 1,
                byte_offset=self._base + self._pos,
                answer_code="023",
            )


def _find(text: str, what: str, start: int, end: int | None = None) -> int:
    """What find says. Where there is nothing, which is usual, rfind says so in a third of the time."""
    return -1 if text.rfind(what, start, end) < 0 else text.find(what, start, end)


def _chunks(source: Source) -> Iterator[str]:
    if isinstance(source, bytes):
        for start in range(0, len(source), _CHUNK_BYTES):
            yield source[start : start + _CHUNK_BYTES].decode("latin-1")
    else:
        for chunk in source:
            yield chunk.decode("latin-1")


def parse_document(source: Source, limits: Limits | None = None) -> Document:
    """Read a whole input as lossless tokens: emit(parse_document(b)) == b. X12Error when it is not X12.

    Keeps everything in memory; use SegmentReader or emit_stream for large inputs.
    """
    reader = SegmentReader(source, limits)
    interchanges: list[Interchange] = []
    segments: list[Segment] = []
    for segment in reader.tokens():
        segments.append(segment)
        if segment.elements[0] == "IEA":
            interchanges.append(Interchange(reader.delimiters, tuple(segments)))
            segments = []
    return Document(tuple(interchanges), reader.trailer)


def emit(document: Document) -> bytes:
    """Write a document back, byte for byte."""
    parts: list[str] = []
    for interchange in document.interchanges:
        separator, terminator = interchange.delimiters.element, interchange.delimiters.segment
        parts.extend(s.lead + separator.join(s.elements) + terminator for s in interchange.segments)
    parts.append(document.trailer)
    return "".join(parts).encode("latin-1")


def emit_stream(source: Source, limits: Limits | None = None) -> Iterator[bytes]:
    """Read and write back segment by segment in constant memory; the joined result equals the input."""
    reader = SegmentReader(source, limits)
    for elements in reader:
        delimiters = reader.delimiters
        yield (reader.lead + delimiters.element.join(elements) + delimiters.segment).encode("latin-1")
    yield reader.trailer.encode("latin-1")
