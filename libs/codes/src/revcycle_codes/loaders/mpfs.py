"""Medicare physician fee schedule: relative values and indicators, geographic indices and their companions."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from msgspec import Struct

from revcycle_codes.loaders.layout import LayoutError, records, require_header, rows_of, squeezed, text_of

_BANNER_ROWS = 15


class FeeRow(Struct, frozen=True, kw_only=True):
    """One code and modifier of the fee schedule: indicators as published, RVUs exact. Never a description."""

    code: str
    modifier: str
    status: str
    work_rvu: Decimal
    nonfacility_total_rvu: Decimal
    facility_total_rvu: Decimal
    pctc: str
    global_days: str
    multiple: str
    bilateral: str
    assistant: str
    co_surgeon: str
    team: str
    endoscopic_base: str
    conversion_factor: Decimal


# Field of FeeRow: header text of the published file (stacked rows joined), column of a converted table.
_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("code", "HCPCS", "code"),
    ("modifier", "MOD", "modifier"),
    ("status", "STATUS CODE", "status"),
    ("work_rvu", "WORK RVU", "work_rvu"),
    ("nonfacility_total_rvu", "NON-FACILITY TOTAL", "nonfac_total_rvu"),
    ("facility_total_rvu", "FACILITY TOTAL", "fac_total_rvu"),
    ("pctc", "PCTC IND", "pctc"),
    ("global_days", "GLOB DAYS", "global_days"),
    ("multiple", "MULT PROC", "mult_proc"),
    ("bilateral", "BILAT SURG", "bilat"),
    ("assistant", "ASST SURG", "asst_surg"),
    ("co_surgeon", "CO- SURG", "co_surg"),
    ("team", "TEAM SURG", "team_surg"),
    ("endoscopic_base", "ENDO BASE", "endo_base"),
    ("conversion_factor", "CONV FACTOR", "conversion_factor"),
)
_KNOWN_HEADERS = frozenset(
    {header for _, header, _ in _COLUMNS}
    | {
        "DESCRIPTION",
        "NOT USED FOR MEDICARE PAYMENT",
        "NON-FAC PE RVU",
        "NON-FAC NA INDICATOR",
        "FACILITY PE RVU",
        "FACILITY NA INDICATOR",
        "MP RVU",
        "PRE OP",
        "INTRA OP",
        "POST OP",
        "PRIC IND",
        "PHYSICIAN SUPERVISION OF DIAGNOSTIC PROCEDURES",
        "CALCULATION FLAG",
        "DIAGNOSTIC IMAGING FAMILY INDICATOR",
        "NON-FACILITY PE USED FOR OPPS PAYMENT AMOUNT",
        "FACILITY PE USED FOR OPPS PAYMENT AMOUNT",
        "MP USED FOR OPPS PAYMENT AMOUNT",
    }
)
_AMOUNTS = frozenset({"work_rvu", "nonfacility_total_rvu", "facility_total_rvu", "conversion_factor"})
FEE_TABLE_COLUMNS = (
    "code",
    "modifier",
    "status",
    "not_used_for_medicare",
    "work_rvu",
    "nonfac_pe_rvu",
    "nonfac_na",
    "fac_pe_rvu",
    "fac_na",
    "mp_rvu",
    "nonfac_total_rvu",
    "fac_total_rvu",
    "pctc",
    "global_days",
    "pre_op",
    "intra_op",
    "post_op",
    "mult_proc",
    "bilat",
    "asst_surg",
    "co_surg",
    "team_surg",
    "endo_base",
    "conversion_factor",
    "physician_supervision",
    "diag_imaging_family",
    "opps_nonfac_pe",
    "opps_fac_pe",
    "opps_mp",
)


def read_pprrvu(content: bytes) -> list[FeeRow]:
    """A published `PPRRVU` file. Columns are found by their stacked header text, never by place: releases have 31 or
    32. The DESCRIPTION column is never read. Raises LayoutError naming a missing or unknown column.
    """
    rows = list(rows_of(text_of(content)))
    header = next((i for i, row in enumerate(rows[:_BANNER_ROWS]) if row and squeezed(row[0]) == "HCPCS"), None)
    if header is None:
        raise LayoutError("fee schedule", "HCPCS", f"is missing: no header in the first {_BANNER_ROWS} rows")
    names = _stacked(rows[: header + 1])
    for name in names:
        if name and name not in _KNOWN_HEADERS:
            raise LayoutError("fee schedule", name, "is unknown; map it before the file is loaded")
    places = {}
    for field, text, _ in _COLUMNS:
        if text not in names:
            raise LayoutError("fee schedule", text, "is missing")
        places[field] = names.index(text)
    wanted = max(places.values())
    return [
        _fee_row({field: row[place] for field, place in places.items()})
        for row in rows[header + 1 :]
        if len(row) > wanted and row[0].strip()
    ]


def _stacked(rows: Sequence[Sequence[str]]) -> list[str]:
    """Header cells joined downwards. The stack is the rows above the header that fill any column but the banner's."""
    first = len(rows) - 1
    while first > 0 and sum(1 for cell in rows[first - 1] if cell.strip()) > 1:
        first -= 1
    width = len(rows[-1])
    return [squeezed(" ".join(row[column] for row in rows[first:] if column < len(row))) for column in range(width)]


def read_fee_table(content: bytes) -> list[FeeRow]:
    """A converted fee schedule with the header `code, modifier, status, …`."""
    return [
        _fee_row({field: record[column] for field, _, column in _COLUMNS})
        for record in records("fee table", text_of(content), FEE_TABLE_COLUMNS)
    ]


def _fee_row(cells: dict[str, str]) -> FeeRow:
    return FeeRow(
        **{name: _amount(name, cell) if name in _AMOUNTS else cell.strip() for name, cell in cells.items()}  # type: ignore[arg-type]  # built per field from one table
    )


def _amount(column: str, cell: str) -> Decimal:
    try:
        return Decimal(cell.strip() or "0")
    except InvalidOperation:
        raise LayoutError("fee schedule", column, f"holds {cell.strip()[:20]!r}, which is no number") from None


class Locality(Struct, frozen=True, kw_only=True):
    """Geographic practice cost indices of a payment locality; key (`mac`, `locality`)."""

    mac: str
    state: str
    locality: str
    name: str
    work: Decimal
    practice_expense: Decimal
    malpractice: Decimal


GPCI_TABLE_COLUMNS = ("mac", "state", "locality", "locality_name", "gpci_work", "gpci_pe", "gpci_mp")
_GPCI_TEXTS = (
    "Medicare Administrative Contractor (MAC)",
    "State",
    "Locality Number",
    "Locality Name",
    "PW GPCI",
    "PE GPCI",
    "MP GPCI",
)


def read_gpci(content: bytes) -> list[Locality]:
    """Addendum E as published (two banner rows, notes below) or as a converted table. Raises LayoutError."""
    rows = list(rows_of(text_of(content)))
    if rows and squeezed(rows[0][0]) == "mac":
        require_header("GPCI table", rows[0], GPCI_TABLE_COLUMNS)
        body = rows[1:]
    else:
        body = _gpci_body(rows)
    return [
        Locality(
            mac=row[0],
            state=row[1],
            locality=row[2],
            name=row[3].strip(),
            work=_amount("PW GPCI", row[4]),
            practice_expense=_amount("PE GPCI", row[5]),
            malpractice=_amount("MP GPCI", row[6]),
        )
        for row in body
        if len(row) >= len(_GPCI_TEXTS) and row[0].strip().isdecimal()
    ]


def _gpci_body(rows: list[list[str]]) -> list[list[str]]:
    for number, row in enumerate(rows[:_BANNER_ROWS]):
        if row and squeezed(row[0]) == _GPCI_TEXTS[0]:
            for place, text in enumerate(_GPCI_TEXTS):
                cell = squeezed(row[place]) if place < len(row) else ""
                if text not in cell:
                    raise LayoutError("GPCI", cell or text, f"is unknown in place {place + 1}; expected {text!r}")
            return rows[number + 1 :]
    raise LayoutError("GPCI", _GPCI_TEXTS[0], "is missing: no header row")
