"""What a form map is made of: boxes with a number and a short label, and the fields a value is typed into.

Everything stands on the grid of a typewriter: columns of a tenth of an inch, lines of a sixth of an inch, counted from
the upper left corner of the grid.
"""

from typing import Literal

import msgspec

COLUMN_POINTS = 7.2
LINE_POINTS = 12.0
PAGE_POINTS = (612.0, 792.0)


class Box(msgspec.Struct, frozen=True, gc=False):
    """A ruled box: where it starts, how many columns and lines it has, its number and label (both may be empty)."""

    column: float
    line: float
    columns: float
    lines: float
    number: str = ""
    label: str = ""
    shaded: bool = False


Kind = Literal["text", "id", "amount", "mark"]


class Field(msgspec.Struct, frozen=True, gc=False):
    """One place for a value. kind says what happens to a value wider than the field.

    `text` is cut, `id` is set smaller (an identifier is never cut), `amount` is set to the right and never cut, `mark`
    is an X in a small square. label stands right of a mark and left of anything else.
    """

    name: str
    column: float
    line: float
    columns: int = 1
    kind: Kind = "text"
    label: str = ""


class Form(msgspec.Struct, frozen=True, gc=False):
    """A form: title, left margin in points, boxes and fields. Field names are unique."""

    title: str
    margin_points: float
    boxes: tuple[Box, ...]
    fields: tuple[Field, ...]

    def position(self, field: Field) -> tuple[float, float]:
        """The left end of a field's base line in points, from the lower left corner of the page."""
        x = self.margin_points + field.column * COLUMN_POINTS
        return x, PAGE_POINTS[1] - (field.line + 1) * LINE_POINTS + 2.5
