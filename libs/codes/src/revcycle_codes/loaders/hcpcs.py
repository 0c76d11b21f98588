"""HCPCS Level II: the alpha-numeric (ANWEB) file and its tables of procedures and modifiers."""

from collections.abc import Iterator
from datetime import timedelta

from revcycle_codes.loaders.layout import LayoutError, day, records, rows_of, squeezed, text_of
from revcycle_codes.table import BILLABLE, CodeRow

ANWEB_COLUMNS = (
    "HCPC",
    "SEQNUM",
    "RECID",
    "LONG DESCRIPTION",
    "SHORT DESCRIPTION",
    *(f"PRICE{n}" for n in range(1, 5)),
    "MULT_PI",
    *(f"CIM{n}" for n in range(1, 4)),
    *(f"MCM{n}" for n in range(1, 4)),
    "STATUTE",
    *(f"LABCERT{n}" for n in range(1, 9)),
    *(f"XREF{n}" for n in range(1, 6)),
    "COV",
    "ASC_GRP",
    "ASC_DT",
    "OPPS",
    "OPPS_PI",
    "OPPS_DT",
    "PROCNOTE",
    "BETOS",
    *(f"TOS{n}" for n in range(1, 6)),
    "ANEST_BU",
    "ADD DT",
    "ACT EFF DT",
    "TERM DT",
    "ACTION CD",
)
_FIRST = {"3": "procedure", "7": "modifier"}
_CONTINUED = {"4": "procedure", "8": "modifier"}
_NOTE_ROWS = 20


def read_anweb(content: bytes) -> tuple[list[CodeRow], list[CodeRow]]:
    """Procedures and modifiers of an ANWEB file (as CSV), in file order.

    A code is active from ADD DT to TERM DT; TERM DT may lie before ACT EFF DT, which therefore says nothing here.
    Continuation records (RECID 4, 8) carry on the long description. Note rows above the header are passed over.
    Raises LayoutError naming the column.
    """
    text = text_of(content)
    start = _header_row(text)
    procedures: dict[str, tuple[CodeRow, str]] = {}
    modifiers: dict[str, tuple[CodeRow, str]] = {}
    for record in _from_row(text, start):
        kind = _FIRST.get(record["RECID"]) or _CONTINUED.get(record["RECID"])
        if kind is None:
            raise LayoutError("HCPCS file", "RECID", f"holds {record['RECID']!r}; expected 3, 4, 7 or 8")
        into = procedures if kind == "procedure" else modifiers
        code = record["HCPC"].strip()
        if record["RECID"] in _CONTINUED:
            if code not in into:
                raise LayoutError("HCPCS file", "RECID", f"of {code!r} continues a record that is not there")
            row, text_so_far = into[code]
            into[code] = (row, f"{text_so_far} {record['LONG DESCRIPTION'].strip()}")
            continue
        into[code] = (_row(code, record), record["LONG DESCRIPTION"].strip())
    return _joined(procedures), _joined(modifiers)


def _header_row(text: str) -> int:
    for number, row in enumerate(rows_of(text)):
        if row and squeezed(row[0]) == ANWEB_COLUMNS[0]:
            return number
        if number > _NOTE_ROWS:
            break
    raise LayoutError("HCPCS file", ANWEB_COLUMNS[0], f"is missing: no header in the first {_NOTE_ROWS} rows")


def _from_row(text: str, start: int) -> Iterator[dict[str, str]]:
    if start == 0:
        return records("HCPCS file", text, ANWEB_COLUMNS)
    lines = text.splitlines(keepends=True)[start:]
    return records("HCPCS file", "".join(lines), ANWEB_COLUMNS)


def _row(code: str, record: dict[str, str]) -> CodeRow:
    ends = day("HCPCS file", "TERM DT", record["TERM DT"])
    starts = day("HCPCS file", "ADD DT", record["ADD DT"])
    return CodeRow(code, "", BILLABLE, starts, ends + timedelta(days=1) if ends else None)


def _joined(rows: dict[str, tuple[CodeRow, str]]) -> list[CodeRow]:
    return [CodeRow(row.code, text, row.flags, row.valid_from, row.valid_to) for row, text in rows.values()]


HCPCS_TABLE_COLUMNS = (
    "code",
    "short_description",
    "long_description",
    "pricing_indicator",
    "multiple_pricing_indicator",
    "coverage",
    "betos",
    "type_of_service",
    "action_code",
    "cim",
    "mcm",
    "statute",
    "lab_cert",
    "xref",
    "asc_group",
    "processing_note",
    "anesthesia_units",
    "date_added",
    "date_action_effective",
    "date_terminated",
    "date_asc",
)
MODIFIER_TABLE_COLUMNS = (
    "modifier",
    "description",
    "category",
    "listed_2024",
    "listed_2020_10",
    "coverage_2020_10",
    "date_added",
    "date_action_effective",
    "date_terminated",
)


def read_hcpcs_table(content: bytes) -> list[CodeRow]:
    """A converted HCPCS table with the header `code, short_description, …`."""
    return [
        _dated(record["code"], record["long_description"], record)
        for record in records("HCPCS table", text_of(content), HCPCS_TABLE_COLUMNS)
    ]


def read_modifier_table(content: bytes) -> list[CodeRow]:
    """A converted table of HCPCS Level II modifiers."""
    return [
        _dated(record["modifier"], record["description"], record)
        for record in records("modifier table", text_of(content), MODIFIER_TABLE_COLUMNS)
    ]


def _dated(code: str, text: str, record: dict[str, str]) -> CodeRow:
    ends = day("HCPCS table", "date_terminated", record["date_terminated"])
    starts = day("HCPCS table", "date_added", record["date_added"])
    return CodeRow(code, text, BILLABLE, starts, ends + timedelta(days=1) if ends else None)
