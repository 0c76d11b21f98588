"""What every loader shares: text, rows, and the refusal of a header that is not the expected one."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from datetime import date

from revcycle_codes.model import CodesError

_GZIP = b"\x1f\x8b"
_TEXT_LIMIT = 1 << 30
_FIELD_LIMIT = 1 << 20


class LayoutError(CodesError):
    """A file that is not in the expected layout; `column` is the column (or place) that differs."""

    def __init__(self, what: str, column: str, problem: str) -> None:
        super().__init__(f"{what}: column {column!r} {problem}")
        self.column = column


def text_of(content: bytes) -> str:
    """Text of a release file: unpacked when gzipped, UTF-8 with or without mark, Latin-1 otherwise."""
    if content.startswith(_GZIP):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(_TEXT_LIMIT)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def rows_of(text: str, delimiter: str = ",") -> Iterator[list[str]]:
    """CSV records; line breaks inside quoted cells belong to the cell."""
    csv.field_size_limit(_FIELD_LIMIT)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def squeezed(cell: str) -> str:
    """A header cell on one line with single blanks."""
    return " ".join(cell.split())


def require_header(what: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """Refuse a header that is not exactly the expected one. Raises LayoutError naming the first column that differs."""
    cells = [squeezed(cell) for cell in found]
    for position, name in enumerate(expected):
        if position >= len(cells):
            raise LayoutError(what, name, f"is missing (expected as column {position + 1} of {len(expected)})")
        if cells[position] != name:
            raise LayoutError(what, cells[position], f"is unknown in place {position + 1}; expected {name!r}")
    for extra in cells[len(expected) :]:
        if extra:
            raise LayoutError(what, extra, f"is unknown after the {len(expected)} expected columns")


def records(what: str, text: str, expected: Sequence[str], delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Records of a file whose first row is exactly the expected header. Raises LayoutError, naming the row too."""
    reader = rows_of(text, delimiter)
    require_header(what, next(reader, []), expected)
    for number, row in enumerate(reader, start=2):
        if not row or not any(row):
            continue
        if len(row) != len(expected):
            raise LayoutError(
                what, expected[min(len(row), len(expected) - 1)], f"is missing or doubled in row {number}"
            )
        yield dict(zip(expected, row, strict=True))


def day(what: str, column: str, cell: str) -> date | None:
    """A date written YYYYMMDD, YYYY-MM-DD or (add-on edits) YYYYDDD; None for an empty cell or `*`."""
    value = cell.strip()
    if value in ("", "*"):
        return None
    try:
        if len(value) == 7 and value.isdecimal():
            return date.fromordinal(date(int(value[:4]), 1, 1).toordinal() + int(value[4:]) - 1)
        return date.fromisoformat(value)
    except ValueError:
        raise LayoutError(what, column, f"holds {value!r}, which is no date") from None


def whole(what: str, column: str, cell: str) -> int:
    """A whole number of a cell. Raises LayoutError."""
    try:
        return int(cell.strip())
    except ValueError:
        raise LayoutError(what, column, f"holds {cell.strip()[:20]!r}, which is no whole number") from None
