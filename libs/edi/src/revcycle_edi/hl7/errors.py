"""The exception of the HL7 readers."""


class HL7Error(ValueError):
    """A message that cannot be read, with what would be right. The text never repeats field values."""

    def __init__(self, message: str, *, expected: str = "", field: str = "") -> None:
        self.message = message
        self.expected = expected
        self.field = field
        place = f" ({field})" if field else ""
        super().__init__(message + place + (f"; expected {expected}" if expected else ""))
