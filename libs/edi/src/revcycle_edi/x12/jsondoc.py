"""Interchanges as JSON and back, without loss: the bytes that come back are the bytes that went in."""

import msgspec

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.reader import Document, Limits, Source, emit, parse_document


def to_json(source: Source, limits: Limits | None = None) -> bytes:
    """An input as JSON: interchanges with their delimiters, segments with elements, number, offset and lead."""
    return msgspec.json.encode(parse_document(source, limits))


def from_json(data: bytes) -> bytes:
    """The X12 bytes of such JSON. X12Error when the JSON has another shape or a value holds a delimiter."""
    try:
        document = msgspec.json.decode(data, type=Document)
    except msgspec.DecodeError as error:
        raise X12Error("json.shape", f"the JSON is not a document of interchanges: {error}") from None
    for interchange in document.interchanges:
        d = interchange.delimiters
        for segment in interchange.segments:
            binary = segment.elements and segment.elements[0] in ("BIN", "BDS")
            values = segment.elements[:-1] if binary else segment.elements
            if not segment.elements or any(d.segment in value or d.element in value for value in values):
                raise X12Error(
                    "json.delimiter",
                    "a value holds a delimiter of its interchange",
                    expected="values without element separator and segment terminator",
                    segment_number=segment.number,
                )
    try:
        return emit(document)
    except UnicodeEncodeError:
        raise X12Error("json.character", "a value holds a character beyond Latin-1", expected="Latin-1 text") from None
