"""Many segments at a time, written with standard separators; numbers and byte offsets are worked out when asked for."""

from collections.abc import Iterator
from itertools import accumulate

from revcycle_edi.x12.cursor import PADDING, standardized, without_leads
from revcycle_edi.x12.reader import WHITE, SegmentReader


class Batch:
    """Consecutive segments of one interchange; before counts the segments of the interchange in front of them."""

    __slots__ = ("_counted", "_first", "_offset", "_raw", "_starts", "_terminator", "before", "segments")

    def __init__(self, reader: SegmentReader, raw: str) -> None:
        text, first = standardized(raw, reader.delimiters, counted=reader.counted)
        self._counted = reader.counted
        self.segments = [text[:-1]] if reader.counted else without_leads(text)[:-1].split("~")
        self.before = reader.batch_number
        self._first = first
        self._raw = raw
        self._offset = reader.batch_offset
        self._terminator = reader.delimiters.segment
        self._starts: list[int] = []

    def elements(self, index: int) -> list[str]:
        """A segment as elements, padded so that any index of a guide can be read."""
        if index == 0 and self._first is not None:
            return self._first + PADDING
        return self.segments[index].split("*") + PADDING

    def special(self, index: int) -> list[str] | None:
        """The elements, not padded, of a segment that a plain split would not read right; None for all others."""
        return self._first if index == 0 else None

    def segment_id(self, index: int) -> str:
        """The name of a segment."""
        return self.segments[index].partition("*")[0]

    def offset_of(self, index: int) -> int:
        """Byte offset, in the input, of the first character of a segment."""
        raw = [self._raw] if self._counted else self._raw.split(self._terminator)
        if not self._starts:
            self._starts = list(accumulate((len(segment) + 1 for segment in raw), initial=self._offset))
        return self._starts[index] + len(raw[index]) - len(raw[index].lstrip(WHITE))


def read_batches(reader: SegmentReader) -> Iterator[Batch]:
    """The batches of an input. X12Error on input that is not X12."""
    for raw in reader.batches():
        yield Batch(reader, raw)
