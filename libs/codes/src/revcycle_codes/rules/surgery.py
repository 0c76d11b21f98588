"""Rules that read the fee schedule's indicators: global periods, sides, parts, assistants, several procedures."""

from collections.abc import Iterator
from datetime import timedelta

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import FeeTable
from revcycle_codes.facts import HistoryLine, LineFacts
from revcycle_codes.findings import Finding, Severity, found, rule
from revcycle_codes.loaders.mpfs import FeeRow

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
_GLOBAL_DAYS = {"000": (0, 0), "010": (0, 10), "090": (1, 90)}
_VISIT_MODIFIERS = frozenset({"24", "25", "57"})
_PROCEDURE_MODIFIERS = frozenset({"58", "78", "79"})
_NEW_PATIENT_YEARS = 3


def _line_finding(
    rule_id: str,
    severity: Severity,
    context: Context,
    index: int,
    message: str,
    expected: str,
    *,
    field: str = "modifiers",
    row: str | None = None,
    override: str | None = None,
    extra: tuple[str, ...] = (),
) -> Finding:
    line, fees = context.facts.lines[index], context.table(FeeTable)
    return found(
        rule_id,
        severity,
        message,
        expected,
        lines=(line.line_number,),
        codes=(line.code, *extra),
        field=f"services[{index}].{field}",
        release=fees.spec.release if fees else None,
        row=row,
        override=override,
    )


def _priced(context: Context) -> Iterator[tuple[int, LineFacts, FeeRow]]:
    for index, line in enumerate(context.facts.lines):
        fee = context.fee(line)
        if fee is not None:
            yield index, line, fee


@rule(
    "PX-01P",
    "Payable by the fee schedule",
    source="Medicare physician fee schedule, status indicator",
    severity="warning",
    carc="96",
    needs="fee schedule",
)
def payable_status(context: Context) -> Iterator[Finding]:
    """Status B (bundled), I and N (not for Medicare) and X (outside the schedule) are not paid by Medicare."""
    for index, line, fee in _priced(context):
        if fee.status in ("B", "I", "N", "X"):
            message = f"procedure {line.code} has fee-schedule status {fee.status}"
            expected = "a code that the schedule pays, or a payer with a schedule of its own"
            override = "the payer's schedule that pays it"
            yield _line_finding(
                "PX-01P", WARNING, context, index, message, expected, field="code", row=fee.status, override=override
            )


def _same_group(context: Context, past: HistoryLine) -> bool:
    facts = context.facts
    return past.group_npi == facts.group_npi and past.specialty == facts.specialty


@rule(
    "PX-06",
    "Global period",
    source="Medicare Claims Processing Manual ch. 12, 40: 000, 010 and 090 days",
    severity="warning (visit without modifier: error)",
    carc="97",
    needs="fee schedule, history",
)
def global_period(context: Context) -> Iterator[Finding]:
    """Within the global period of an earlier procedure by the same group and specialty (000: the day; 010: ten days
    after; 090: the day before to ninety days after) a visit needs 24, 25 or 57 and another procedure 58, 78 or 79.
    """
    fees = context.table(FeeTable)
    if fees is None:
        return
    for index, line in enumerate(context.facts.lines):
        day = context.line_day(line)
        for past in context.facts.history:
            surgery = fees.row(past.code)
            window = _GLOBAL_DAYS.get(surgery.global_days) if surgery else None
            if surgery is None or window is None or not _same_group(context, past):
                continue
            before, after = timedelta(days=window[0]), timedelta(days=window[1])
            if not past.date_of_service - before <= day <= past.date_of_service + after:
                continue
            visit = context.visit(line) is not None
            needed = _VISIT_MODIFIERS if visit else _PROCEDURE_MODIFIERS
            if visit or (context.fee(line) and context.fee(line) != surgery):
                if needed & set(line.modifiers):
                    continue
                yield _line_finding(
                    "PX-06",
                    ERROR if visit else WARNING,
                    context,
                    index,
                    f"{line.code} on line {line.line_number} lies in the global period of {past.code}"
                    f" ({surgery.global_days})",
                    f"modifier {', '.join(sorted(needed))} when the note supports it",
                    row=f"{past.code}/{surgery.global_days}",
                    extra=(past.code,),
                    override=None if visit else "that the procedure is not part of the earlier one",
                )
                break


@rule(
    "PX-07",
    "Both sides",
    source="Medicare physician fee schedule, bilateral indicator",
    severity="error",
    carc="4",
    needs="fee schedule",
)
def bilateral(context: Context) -> Iterator[Finding]:
    """Modifier 50 stands only where the indicator is 1 or 3, with one unit; indicator 0: not allowed, 2: the code is
    bilateral already, 9: does not apply.
    """
    reasons = {"0": "may not be billed as bilateral", "2": "is bilateral already", "9": "has no sides"}
    for index, line, fee in _priced(context):
        if "50" not in line.modifiers:
            continue
        if fee.bilateral in reasons:
            message = f"{line.code} {reasons[fee.bilateral]}, line {line.line_number} has modifier 50"
            yield _line_finding(
                "PX-07", ERROR, context, index, message, "the line without 50", row=f"bilateral {fee.bilateral}"
            )
        elif line.units != 1 and fee.bilateral == "1":
            message = f"line {line.line_number} has modifier 50 and {line.units} units"
            yield _line_finding(
                "PX-07", ERROR, context, index, message, "one unit with modifier 50", field="units", row="bilateral 1"
            )


@rule(
    "PX-08",
    "Professional and technical part",
    source="Medicare physician fee schedule, PC/TC indicator",
    severity="error (facility without 26: warning)",
    carc="4",
    needs="fee schedule",
)
def parts(context: Context) -> Iterator[Finding]:
    """Modifiers 26 and TC stand only with indicator 1. A code of indicator 1 in a facility is billed with 26 by the
    clinician, since the facility bills the technical part.
    """
    facility = context.facts.place_of_service in ("21", "22", "23", "24", "19")
    for index, line, fee in _priced(context):
        part = {"26", "TC"} & set(line.modifiers)
        if part and fee.pctc in ("0", "2", "3", "4", "5", "7", "8", "9"):
            message = f"{line.code} has no parts, line {line.line_number} has modifier {min(part)}"
            yield _line_finding(
                "PX-08", ERROR, context, index, message, "the line without 26 and TC", row=f"PC/TC {fee.pctc}"
            )
        elif not part and fee.pctc == "1" and facility:
            message = f"{line.code} in a facility without modifier 26"
            override = "that the whole service was the clinician's"
            yield _line_finding(
                "PX-08", WARNING, context, index, message, "modifier 26", row="PC/TC 1", override=override
            )


_HELPERS = (
    (frozenset({"80", "81", "82", "AS"}), "assistant", "an assistant"),
    (frozenset({"62"}), "co_surgeon", "a second surgeon"),
    (frozenset({"66"}), "team", "a team"),
)


@rule(
    "PX-09",
    "Assistants, co-surgeons, teams",
    source="Medicare physician fee schedule, ASST, CO and TEAM indicators",
    severity="error (documentation needed: warning)",
    carc="54",
    needs="fee schedule",
)
def surgical_helpers(context: Context) -> Iterator[Finding]:
    """80, 81, 82 and AS, 62 and 66 follow the indicators: 1 not allowed, 0 with documentation, 2 allowed, 9 not a
    matter. For co-surgeons and teams 0 is not allowed and 1 needs documentation.
    """
    for index, line, fee in _priced(context):
        for modifiers, field, who in _HELPERS:
            used = modifiers & set(line.modifiers)
            if not used:
                continue
            value = getattr(fee, field)
            documented = "0" if field == "assistant" else "1"
            if value == "2":
                continue
            severity = WARNING if value == documented else ERROR
            yield _line_finding(
                "PX-09",
                severity,
                context,
                index,
                f"{line.code} on line {line.line_number} with {min(used)}: indicator {value}",
                f"documentation that {who} was needed" if severity is WARNING else f"the line without {who}",
                row=f"{field} {value}",
                override=f"why {who} was needed" if severity is WARNING else None,
            )


@rule(
    "PX-10",
    "Several procedures",
    source="Medicare physician fee schedule, multiple-procedure indicator",
    severity="info",
    needs="fee schedule",
)
def several_procedures(context: Context) -> Iterator[Finding]:
    """Of several procedures with indicator 2 or 3 on one day the highest-valued comes first and the others are reduced
    (51 where the payer asks for it); endoscopies of one base family are reduced against their base.
    """
    reduced = [(index, line, fee) for index, line, fee in _priced(context) if fee.multiple in ("2", "3")]
    ranked = sorted(reduced, key=lambda one: (-one[2].nonfacility_total_rvu, one[0]))
    if len(reduced) > 1 and ranked[0][0] != reduced[0][0]:
        index, line, _ = ranked[0]
        message = f"{line.code} on line {line.line_number} has the highest value of several procedures"
        yield _line_finding("PX-10", INFO, context, index, message, "the highest-valued procedure first", field="code")


@rule(
    "PX-14",
    "New or established",
    source="Medicare Claims Processing Manual ch. 12, 30.6.7: three years, same group and specialty",
    severity="error",
    carc="B16",
    needs="visit codes, history",
)
def new_patient(context: Context) -> Iterator[Finding]:
    """A new-patient visit has no face-to-face service by the same group and specialty in the three years before. The
    history is what the caller gives; a specialty is compared as text, so subspecialties differ.
    """
    for index, line in enumerate(context.facts.lines):
        visit = context.visit(line)
        if visit is None or not visit.new_patient:
            continue
        day = context.line_day(line)
        leap = day.month == 2 and day.day == 29
        since = day.replace(year=day.year - _NEW_PATIENT_YEARS, day=28 if leap else day.day)
        seen = [
            past
            for past in context.facts.history
            if past.face_to_face and _same_group(context, past) and since < past.date_of_service < day
        ]
        if seen:
            last = max(past.date_of_service for past in seen)
            message = f"new-patient visit {line.code}, but the group saw the patient on {last}"
            yield _line_finding("PX-14", ERROR, context, index, message, "an established-patient visit", field="code")
