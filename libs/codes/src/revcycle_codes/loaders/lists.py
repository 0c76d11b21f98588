"""Smaller public lists: code editor sections, exemptions, places of service, reason codes, classifications."""

from datetime import date, timedelta

from msgspec import Struct

from revcycle_codes.loaders.layout import LayoutError, day, records, require_header, rows_of, text_of
from revcycle_codes.table import BILLABLE, FACILITY, CodeRow

_MCE_COLUMNS = 8
_TAXONOMY_LENGTH = 10
MCE_HEADER = (
    "MCE_Version",
    "ICD_Version",
    "MCE_Section",
    "MCE_Subsection",
    "MCE_Edit_Type",
    "ICD_Code_Type",
    "ICD_Code",
    "ICD_Desc",
)
POA_HEADER = ("Order2020", "POAexemptCode", "Description")
POS_HEADER = ("code", "name", "setting_class", "description")
REASON_HEADER = (
    "list",
    "code",
    "start_date",
    "last_modified",
    "end_date",
    "use_only_with_groups",
    "refers_835_policy_segment",
    "remark_code_required",
    "alert",
    "use_limit",
)
RBCS_HEADER = (
    "code",
    "category",
    "subcategory",
    "family",
    "procedure_class",
    "code_added",
    "code_ended",
    "assignment_effective",
)
NOC_HEADER = ("code", "long_description", "date_added", "date_terminated")
RATIONALE_HEADER = ("rationale", "rationale_text")
ANESTHESIA_HEADER = ("mac", "locality", "anesthesia_cf")
COUNTIES_HEADER = ("mac", "locality", "state_name", "fee_schedule_area", "counties")


class EditorRow(Struct, frozen=True, array_like=True):
    """One code of a Medicare Code Editor list. `kind` D: diagnosis, P: procedure; code in key form."""

    section: str
    subsection: str
    edit: str
    kind: str
    code: str


def read_mce(content: bytes) -> list[EditorRow]:
    """The flat form of the code editor's lists, tab separated, with or without header. Raises LayoutError."""
    rows = []
    for number, row in enumerate(rows_of(text_of(content), "\t"), start=1):
        if not row:
            continue
        if row[0] == MCE_HEADER[0]:
            for place, name in enumerate(MCE_HEADER):
                if place >= len(row) or row[place].strip() != name:
                    raise LayoutError("code editor lists", name, f"is missing in place {place + 1}")
            continue
        if len(row) < _MCE_COLUMNS:
            raise LayoutError("code editor lists", MCE_HEADER[len(row)], f"is missing in row {number}")
        if row[5] not in ("D", "P"):
            raise LayoutError(
                "code editor lists", MCE_HEADER[5], f"holds {row[5][:10]!r} in row {number}; expected D or P"
            )
        rows.append(EditorRow(row[2], "" if row[3] == "_" else row[3], row[4], row[5], row[6].strip()))
    if not rows:
        raise LayoutError("code editor lists", MCE_HEADER[0], "is missing: the file is empty")
    return rows


def read_poa_exempt(content: bytes) -> list[str]:
    """Diagnoses exempt from present-on-admission reporting, key form. Raises LayoutError."""
    found = records("POA-exempt list", text_of(content), POA_HEADER, "\t")
    return [record["POAexemptCode"].replace(".", "").strip() for record in found]


def read_places(content: bytes) -> list[CodeRow]:
    """Place-of-service codes; unassigned values are left out of the code list. Raises LayoutError."""
    return [
        CodeRow(
            record["code"],
            record["name"],
            BILLABLE | (FACILITY if record["setting_class"] == "Facility" else 0),
        )
        for record in records("place-of-service table", text_of(content), POS_HEADER)
        if record["setting_class"] != "Unassigned"
    ]


class ReasonRow(Struct, frozen=True, kw_only=True):
    """A claim adjustment reason, remark or group code with its interval; no text (copyright)."""

    list: str
    code: str
    valid_from: date | None
    valid_to: date | None
    groups: tuple[str, ...]
    remark_required: bool
    alert: bool


def read_reasons(content: bytes) -> list[ReasonRow]:
    """CARC, RARC and group codes. An end date is the last day. Raises LayoutError."""
    rows = []
    for record in records("reason-code table", text_of(content), REASON_HEADER):
        if record["list"] not in ("CARC", "RARC", "GROUP"):
            raise LayoutError(
                "reason-code table", "list", f"holds {record['list'][:10]!r}; expected CARC, RARC or GROUP"
            )
        ends = day("reason-code table", "end_date", record["end_date"])
        rows.append(
            ReasonRow(
                list=record["list"],
                code=record["code"],
                valid_from=day("reason-code table", "start_date", record["start_date"]),
                valid_to=ends + timedelta(days=1) if ends else None,
                groups=tuple(part for part in record["use_only_with_groups"].split("|") if part),
                remark_required=record["remark_code_required"] == "1",
                alert=record["alert"] == "1",
            )
        )
    return rows


TAXONOMY_HEADER = ("Code", "Grouping", "Classification", "Specialization")
REVENUE_HEADER = ("revenue_code", "description")


def read_taxonomy(content: bytes) -> list[CodeRow]:
    """The provider taxonomy as its maintainer publishes it (CSV): ten-character codes; more columns may follow.

    The texts are its classification and specialization. Raises LayoutError.
    """
    rows = list(rows_of(text_of(content)))
    require_header("taxonomy", rows[0][: len(TAXONOMY_HEADER)] if rows else [], TAXONOMY_HEADER)
    found = []
    for number, row in enumerate(rows[1:], start=2):
        if not row or not row[0].strip():
            continue
        if len(row[0].strip()) != _TAXONOMY_LENGTH or len(row) < len(TAXONOMY_HEADER):
            raise LayoutError("taxonomy", "Code", f"of row {number} has not ten characters")
        found.append(CodeRow(row[0].strip(), ", ".join(part for part in (row[2].strip(), row[3].strip()) if part)))
    return found


def read_revenue_codes(content: bytes, *, licensed: bool) -> list[CodeRow]:
    """The operator's own list of revenue codes (`revenue_code, description`). Their texts belong to the committee that
    maintains them: without a licence only the numbers are kept. Raises LayoutError.
    """
    found = []
    for record in records("revenue codes", text_of(content), REVENUE_HEADER):
        code = record["revenue_code"].strip().rjust(4, "0")
        if len(code) != 4 or not code.isdecimal():
            raise LayoutError(
                "revenue codes", "revenue_code", f"holds {record['revenue_code'][:10]!r}; expected digits"
            )
        found.append(CodeRow(code, record["description"].strip() if licensed else ""))
    return found


def read_plain(what: str, content: bytes, header: tuple[str, ...]) -> list[dict[str, str]]:
    """Any other table, as records under its exact header. Raises LayoutError."""
    return list(records(what, text_of(content), header))
