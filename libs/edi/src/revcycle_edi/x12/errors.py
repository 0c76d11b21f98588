"""The one exception the X12 readers and writers raise on bad input."""


def segment_name(text: str) -> str:
    """The name of a segment as it may be shown: two or three letters and digits, else a question mark.

    In a broken file anything up to the next separator stands where the name belongs, also a note about a patient.
    """
    return text if not text or (len(text) in (2, 3) and text.isalnum() and text.isascii()) else "?"


class X12Error(ValueError):
    """Input that cannot be read (or a record that cannot be written), with the place and what would be right.

    The text never repeats element values: they may identify a patient.
    """

    def __init__(
        self,
        rule: str,
        message: str,
        *,
        expected: str = "",
        segment_number: int = 0,
        byte_offset: int = 0,
        segment: str = "",
        element: str = "",
        answer_code: str = "",
    ) -> None:
        self.rule = rule
        self.message = message
        self.expected = expected
        self.segment_number = segment_number
        self.byte_offset = byte_offset
        self.segment = segment_name(segment)
        self.element = element
        self.answer_code = answer_code
        super().__init__(self._text())

    def _text(self) -> str:
        place = [part for part in (self.segment + self.element, f"segment {self.segment_number}") if part]
        where = f" at {', '.join(place)}, byte {self.byte_offset}" if self.segment_number else ""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{self.rule}: {self.message}{where}{expected}"
