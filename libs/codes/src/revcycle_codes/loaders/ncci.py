"""NCCI tables: procedure-to-procedure pairs, medically unlikely edits and add-on codes."""

import re
from array import array
from collections.abc import Iterable, Iterator
from datetime import date

from msgspec import Struct, field

from revcycle_codes.loaders.layout import LayoutError, day, records, require_header, rows_of, squeezed, text_of
from revcycle_codes.table import days

PTP_TABLE_COLUMNS = ("column1", "column2", "modifier_indicator", "deletion_date", "rationale")
_PTP_HEAD = ("Column 1", "Column 2", "*=in existence", "Effective", "Deletion", "Modifier", "PTP Edit Rationale")
_PREAMBLE = 6
_OPEN = 0xFFFF
_NEVER = "9"


class PtpColumns(Struct):
    """Pairs in columns, as read: codes, first day (0: not known), day after the last (65535: open), indicator and
    rationale number. Days count from 1970.
    """

    column1: list[str] = field(default_factory=list)
    column2: list[str] = field(default_factory=list)
    starts: "array[int]" = field(default_factory=lambda: array("H"))
    ends: "array[int]" = field(default_factory=lambda: array("H"))
    indicators: "array[int]" = field(default_factory=lambda: array("B"))
    rationales: "array[int]" = field(default_factory=lambda: array("B"))
    rationale_texts: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    read: int = 0

    def __len__(self) -> int:
        return len(self.column1)


def read_ptp(contents: Iterable[bytes]) -> PtpColumns:
    """PTP files: any of the published parts (tab separated, six preamble lines) or a converted CSV table.

    Rows with indicator 9 were never in force and are counted but not kept. A torn last row is rejected by its number.
    Raises LayoutError naming the column.
    """
    into = PtpColumns()
    for content in contents:
        text = text_of(content)
        if text.startswith(PTP_TABLE_COLUMNS[0]):
            _ptp_table(text, into)
        else:
            _ptp_published(text, into)
    return into


def _ptp_table(text: str, into: PtpColumns) -> None:
    lines = text.splitlines()
    require_header("PTP table", lines[0].split(","), PTP_TABLE_COLUMNS)
    known: dict[str, int] = {"": _OPEN}
    keep1, keep2 = into.column1.append, into.column2.append
    ends, indicators, rationales = into.ends.append, into.indicators.append, into.rationales.append
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split(",")
        if len(cells) != len(PTP_TABLE_COLUMNS):
            into.rejected.append(f"row {number}: {len(cells)} columns")
            continue
        one, other, indicator, deleted, rationale = cells
        if indicator == _NEVER:
            continue
        end = known.get(deleted)
        if end is None:
            end = known[deleted] = days(day("PTP table", "deletion_date", deleted), _OPEN) + 1
        keep1(one)
        keep2(other)
        ends(end)
        indicators(1 if indicator == "1" else 0)
        rationales(int(rationale))
    into.read += len(lines) - 1
    into.starts.extend(array("H", bytes(2 * (len(into) - len(into.starts)))))


def _ptp_published(text: str, into: PtpColumns) -> None:
    lines = text.splitlines()
    if len(lines) < _PREAMBLE:
        raise LayoutError("PTP file", _PTP_HEAD[0], f"is missing: fewer than {_PREAMBLE} lines")
    require_header("PTP file", lines[2].split("\t"), _PTP_HEAD)
    numbers = {text: number for number, text in enumerate(into.rationale_texts)}
    known: dict[str, int] = {"*": _OPEN}
    for number, line in enumerate(lines[_PREAMBLE:], start=_PREAMBLE + 1):
        cells = line.split("\t")
        into.read += 1
        if len(cells) != len(_PTP_HEAD) or len(cells[3]) != 8 or cells[5] not in ("0", "1", _NEVER):
            into.rejected.append(f"row {number}: not seven whole columns")
            continue
        one, other, _, effective, deleted, indicator, rationale = cells
        if number == len(lines) and rationale not in numbers and not text.endswith("\n"):
            into.rejected.append(f"row {number}: breaks off inside {_PTP_HEAD[6]!r}")
            continue
        if indicator == _NEVER:
            continue
        for cell, column in ((effective, "Effective"), (deleted, "Deletion")):
            if cell not in known:
                known[cell] = days(day("PTP file", column, cell), 0)
        into.column1.append(one)
        into.column2.append(other)
        into.starts.append(known[effective])
        into.ends.append(known[deleted] + (deleted != "*"))
        into.indicators.append(int(indicator))
        into.rationales.append(numbers.setdefault(rationale, len(numbers)))
    into.rationale_texts = list(numbers)


class MueRow(Struct, frozen=True, array_like=True):
    """A medically unlikely edit: most units (0: never), adjudication indicator 1 to 3, rationale."""

    code: str
    units: int
    indicator: int
    rationale: str


_MUE_TABLE = ("code", "mue_value", "mai", "rationale")
_MUE_VALUES = re.compile(
    r"(Practitioner|Outpatient Hospital|Facility Outpatient Hospital|DME Supplier) Services MUE Values"
)


def read_mue(content: bytes) -> list[MueRow]:
    """MUE rows, published (quoted banner, header with a line break) or converted. Raises LayoutError."""
    text = text_of(content)
    if text.startswith("code,"):
        return [_mue(*record.values()) for record in records("MUE table", text, _MUE_TABLE)]
    reader = rows_of(text)
    head = next((row for row in reader if row and squeezed(row[0]) == "HCPCS/ CPT Code"), None)
    if head is None:
        raise LayoutError("MUE file", "HCPCS/ CPT Code", "is missing: no header row")
    values = squeezed(head[1]) if len(head) > 1 else ""
    if not _MUE_VALUES.fullmatch(values):
        raise LayoutError("MUE file", values, "is unknown in place 2; expected '<Setting> Services MUE Values'")
    require_header("MUE file", head, ("HCPCS/ CPT Code", values, "MUE Adjudication Indicator", "MUE Rationale"))
    return [_mue(row[0], row[1], row[2], row[3]) for row in reader if len(row) >= len(_MUE_TABLE) and row[0].strip()]


def _mue(code: str, units: str, indicator: str, rationale: str) -> MueRow:
    digit = indicator.strip()[:1]
    if digit not in ("1", "2", "3"):
        raise LayoutError("MUE file", "MUE Adjudication Indicator", f"holds {indicator[:20]!r}; expected 1, 2 or 3")
    if not units.strip().isdecimal():
        raise LayoutError("MUE file", "MUE Values", f"holds {units[:20]!r}, which is no whole number")
    return MueRow(code.strip(), int(units), int(digit), rationale.strip())


class AddOnRow(Struct, frozen=True, array_like=True):
    """An add-on code with one primary (`CCCCC`: defined by the contractor), type 1 to 3 and its interval."""

    add_on: str
    primary: str
    type: int
    valid_from: date | None = None
    last_day: date | None = None


_ADD_ON_TABLE = ("add_on_code", "primary_code", "edit_type")
_ADD_ON_FILE = (
    "AOC_Edit_Type",
    "Add-On_Code",
    "AOC_DelDT",
    "Primary_Code",
    "Primary_Code_DelDT",
    "AOC_Edit_EffDT",
)


def read_add_on(content: bytes) -> list[AddOnRow]:
    """Add-on edits: the published sheet as CSV or tab-separated text (banner row 0; dates are YYYYDDD), or converted.

    Raises LayoutError naming the column.
    """
    text = text_of(content)
    if text.startswith(_ADD_ON_TABLE[0]):
        return [
            AddOnRow(record["add_on_code"], record["primary_code"], _edit_type(record["edit_type"]))
            for record in records("add-on table", text, _ADD_ON_TABLE)
        ]
    reader = rows_of(text, "\t" if "\t" in text.split("\n", 2)[-1] else ",")
    head = next(
        (row for _, row in zip(range(3), reader, strict=False) if row and row[0].strip() == _ADD_ON_FILE[0]), None
    )
    if head is None:
        raise LayoutError("add-on file", _ADD_ON_FILE[0], "is missing: no header row")
    require_header("add-on file", head[: len(_ADD_ON_FILE)], _ADD_ON_FILE)
    return list(_add_on_rows(reader))


def _add_on_rows(reader: Iterator[list[str]]) -> Iterator[AddOnRow]:
    for row in reader:
        if len(row) < len(_ADD_ON_FILE) or not row[1].strip():
            continue
        ends = [day("add-on file", _ADD_ON_FILE[place], row[place]) for place in (2, 4)]
        last = min((one for one in ends if one), default=None)
        starts = day("add-on file", _ADD_ON_FILE[5], row[5])
        yield AddOnRow(row[1].strip(), row[3].strip(), _edit_type(row[0]), starts, last)


def _edit_type(cell: str) -> int:
    if cell.strip() not in ("1", "2", "3"):
        raise LayoutError("add-on file", "AOC_Edit_Type", f"holds {cell[:20]!r}; expected 1, 2 or 3")
    return int(cell)
