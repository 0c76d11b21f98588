"""Rules between service lines: NCCI pairs, unlikely units, add-ons, and lines with other facts of the claim."""

from collections.abc import Iterator

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import CONTRACTOR_DEFINED, AddOnTable, MueTable, PtpEdit, PtpTable
from revcycle_codes.facts import Setting
from revcycle_codes.findings import Finding, Severity, found, rule
from revcycle_codes.loaders.ncci import MueRow

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

# PX-03: the modifiers that NCCI accepts for pairs with indicator 1.
ANATOMIC = frozenset(
    {f"E{n}" for n in range(1, 5)}
    | {f"F{n}" for n in (*range(1, 10), "A")}
    | {f"T{n}" for n in (*range(1, 10), "A")}
    | {"LT", "RT", "LC", "LD", "LM", "RC", "RI"}
)
GLOBAL_SURGERY = frozenset({"24", "25", "57", "58", "78", "79"})
NCCI_MODIFIERS = ANATOMIC | GLOBAL_SURGERY | {"27", "59", "91", "XE", "XS", "XP", "XU"}
_LINE_EDIT, _ABSOLUTE = 1, 2


@rule(
    "PX-02",
    "Procedure pairs",
    source="NCCI procedure-to-procedure edits of the setting, version in force on the date",
    severity="error (indicator 1: warning when a modifier stands)",
    carc="236",
    needs="NCCI PTP",
)
def procedure_pairs(context: Context) -> Iterator[Finding]:
    """Two services of one provider on one day do not form an NCCI pair: column 2 is denied. Direction matters.
    Indicator 0: no modifier helps. Indicator 1: an NCCI modifier (PX-03) on either line, supported by the note, lifts
    the edit; XE, XS, XP or XU say more than 59, and a visit beside a procedure takes 25. Indicator 9 rows are no edits.
    """
    table = context.table(PtpTable)
    if table is None:
        return
    for session in context.sessions:
        codes = [context.codes[index] for index in session]
        day = context.line_day(context.facts.lines[session[0]])
        for left, right, edit in table.edits_among(codes, day):
            yield _pair_finding(context, table, edit, session[left], session[right])


def _pair_finding(context: Context, table: PtpTable, edit: PtpEdit, left: int, right: int) -> Finding:
    one, other = context.facts.lines[left], context.facts.lines[right]
    lifted = sorted(NCCI_MODIFIERS.intersection((*one.modifiers, *other.modifiers))) if edit.indicator else []
    if not edit.indicator:
        expected, override = f"{edit.column1} alone: no modifier lifts this pair", None
    elif lifted:
        expected = f"a note that supports {', '.join(lifted)}, or {edit.column1} alone"
        override = "the separate encounter, structure, practitioner or service that the modifier claims"
    else:
        modifier = (
            "25 on the visit" if context.visit(one) or context.visit(other) else "XE, XS, XP or XU (59 if none fits)"
        )
        expected = f"{edit.column1} alone, or {modifier} when the note supports a separate service"
        override = None
    return found(
        "PX-02",
        WARNING if lifted else ERROR,
        f"procedure {edit.column2} on line {other.line_number} is part of {edit.column1} on line {one.line_number}",
        expected,
        lines=(one.line_number, other.line_number),
        codes=(edit.column1, edit.column2),
        field=f"services[{right}].code",
        release=table.spec.release,
        row=f"{edit.column1}/{edit.column2}/{edit.indicator}",
        override=override,
    )


@rule(
    "PX-03",
    "NCCI modifiers",
    source="NCCI policy manual, chapter I.E: modifiers associated with the pair edits",
    severity="warning",
    carc="4",
    needs="NCCI PTP",
)
def idle_ncci_modifier(context: Context) -> Iterator[Finding]:
    """Modifiers 59, XE, XS, XP and XU stand only where a pair edit with indicator 1 makes them necessary; elsewhere
    they invite an audit.
    """
    table = context.table(PtpTable)
    if table is None:
        return
    for index, line in enumerate(context.facts.lines):
        distinct = sorted({"59", "XE", "XS", "XP", "XU"}.intersection(line.modifiers))
        if not distinct or any(code == line.code for at, code in enumerate(context.codes) if at != index):
            continue
        day, code = context.line_day(line), context.codes[index]
        others = [one for at, one in enumerate(context.codes) if at != index]
        edits = [table.edit(code, other, day) or table.edit(other, code, day) for other in others]
        if not any(edit and edit.indicator for edit in edits):
            yield found(
                "PX-03",
                WARNING,
                f"modifier {distinct[0]} on line {line.line_number} lifts no pair edit",
                "the line without it",
                lines=(line.line_number,),
                codes=(code, distinct[0]),
                field=f"services[{index}].modifiers",
                release=table.spec.release,
                override="the payer's own rule that asks for it",
            )


@rule(
    "PX-04",
    "Unlikely units",
    source="NCCI medically unlikely edits of the setting, version in force on the date",
    severity="error (indicator 3: warning)",
    carc="151",
    needs="NCCI MUE",
)
def unlikely_units(context: Context) -> Iterator[Finding]:
    """Units stay within the published limit. Indicator 1 compares each line, so splitting with a modifier is allowed;
    2 and 3 compare the sum over all lines of the code, provider and day whatever their modifiers: 2 is absolute, 3 may
    be paid on documented necessity. A code without a published limit is not thereby unlimited.
    """
    table = context.table(MueTable)
    if table is None:
        return
    for code, indexes in _same_code(context):
        limit = table.limit(code)
        if limit is None:
            continue
        sets = [[index] for index in indexes] if limit.indicator == _LINE_EDIT else [indexes]
        for members in sets:
            units = sum(context.facts.lines[index].units for index in members)
            if units > limit.units:
                yield _unit_finding(context, table, limit, members, int(units))


def _same_code(context: Context) -> list[tuple[str, list[int]]]:
    """Lines of one code within a session."""
    groups: list[tuple[str, list[int]]] = []
    for session in context.sessions:
        by_code: dict[str, list[int]] = {}
        for index in session:
            by_code.setdefault(context.codes[index], []).append(index)
        groups.extend(by_code.items())
    return groups


def _unit_finding(context: Context, table: MueTable, limit: MueRow, members: list[int], units: int) -> Finding:
    soft = limit.indicator > _ABSOLUTE
    per = "a line" if limit.indicator == _LINE_EDIT else "a day"
    return found(
        "PX-04",
        WARNING if soft else ERROR,
        f"{units} units of {limit.code}, limit {limit.units} {per}",
        f"at most {limit.units} units {per}" + (", or documented necessity" if soft else ""),
        lines=tuple(context.facts.lines[index].line_number for index in members),
        codes=(limit.code,),
        field=f"services[{members[0]}].units",
        release=table.spec.release,
        row=f"{limit.code}/{limit.units}/MAI {limit.indicator}",
        override="why the units were necessary" if soft else None,
    )


@rule(
    "PX-05",
    "Add-on codes",
    source="NCCI add-on code edits, types 1 to 3",
    severity="error (types 2 and 3: warning)",
    carc="107",
    needs="NCCI add-on",
)
def add_on_codes(context: Context) -> Iterator[Finding]:
    """An add-on code stands with a primary of the same practitioner and day. Type 1: one of the listed primaries.
    Types 2 and 3: the contractor may accept others, so their absence only warns. No modifier 51 on an add-on.
    """
    table = context.table(AddOnTable)
    if table is None:
        return
    for index, line in enumerate(context.facts.lines):
        rows = table.primaries(context.codes[index], context.line_day(line))
        if not rows:
            continue
        place, lines = f"services[{index}]", (line.line_number,)
        if "51" in line.modifiers:
            message = f"add-on {line.code} has modifier 51"
            yield found(
                "PX-05", ERROR, message, "the add-on without 51", lines=lines, codes=(line.code,), field=place, carc="4"
            )
        listed = {row.primary for row in rows}
        session = next(one for one in context.sessions if index in one)
        present = {context.codes[at] for at in session if at != index}
        if listed & present:
            continue
        strict = CONTRACTOR_DEFINED not in listed and all(row.type == 1 for row in rows)
        if strict or not present:
            named = ", ".join(sorted(listed - {CONTRACTOR_DEFINED})[:5])
            yield found(
                "PX-05",
                ERROR if strict else WARNING,
                f"add-on {line.code} on line {line.line_number} has no primary procedure",
                f"a primary of the same practitioner and day{', such as ' + named if named else ''}",
                lines=lines,
                codes=(line.code,),
                field=f"{place}.code",
                release=table.spec.release,
                row=f"{line.code}/type {rows[0].type}",
                override=None if strict else "the contractor's list that names the primary",
            )


_FAMILY_PLACES = {
    "emergency": frozenset({"23"}),
    "inpatient": frozenset({"21", "51", "61", "22", "24", "26"}),
    "office": frozenset({"02", "10", "11", "19", "20", "22", "49", "50", "71", "72", "17", "24", "26"}),
}


@rule(
    "PX-12",
    "Place of service and visit",
    source="CMS place-of-service set; definitions of the visit families",
    severity="warning",
    carc="5",
    needs="visit codes of the installation",
)
def place_and_visit(context: Context) -> Iterator[Finding]:
    """A visit's family fits the place: emergency visits in 23, inpatient visits in a facility with beds, office visits
    in offices, clinics or by telehealth. Which codes belong to a family is the installation's list; the telehealth
    modifiers are not looked at.
    """
    for index, line in enumerate(context.facts.lines):
        visit, place = context.visit(line), line.place_of_service or context.facts.place_of_service
        places = _FAMILY_PLACES.get(visit.family) if visit else None
        if visit and place and places and place not in places:
            yield found(
                "PX-12",
                WARNING,
                f"{visit.family} visit {line.code} in place of service {place}",
                f"place of service {', '.join(sorted(places))}, or another visit code",
                lines=(line.line_number,),
                codes=(line.code, place),
                field=f"services[{index}].code",
                override="why the visit took place there",
            )


@rule(
    "PX-15",
    "Drugs, waived tests and liability notices",
    source="Medicare Claims Processing Manual ch. 17 (JW, JZ), ch. 16 (QW), ch. 30 (GA, GX, GY, GZ, KX)",
    severity="error (liability), warning (drugs, tests)",
    carc="16",
    needs="lists single-dose-drugs and waived-tests; switch drug-codes-required",
)
def companion_modifiers(context: Context) -> Iterator[Finding]:
    """A single-dose drug says what was discarded (JW) or that nothing was (JZ); a waived test carries QW; a drug line
    its national drug code where the payer asks for it. Notice modifiers do not contradict: GZ with GA, GX, GY or KX,
    and GY with GA or KX. Which drugs and tests are concerned are the installation's lists; the discarded units are not
    compared with the package.
    """
    facts = context.facts
    wants_ndc = context.switches.value("drug-codes-required", facts.date_of_service, facts.payer_id)
    for index, line in enumerate(facts.lines):
        day, given, lines = context.line_day(line), set(line.modifiers), (line.line_number,)
        for name, needed, expected in (
            ("single-dose-drugs", {"JW", "JZ"}, "JW for the discarded amount, else JZ"),
            ("waived-tests", {"QW"}, "modifier QW"),
        ):
            if context.switches.listed(name, line.code, day) and not needed & given:
                message = f"{line.code} on line {line.line_number} lacks {' or '.join(sorted(needed))}"
                override = "the payer's own rule"
                yield found(
                    "PX-15",
                    WARNING,
                    message,
                    expected,
                    lines=lines,
                    codes=(line.code,),
                    field=f"services[{index}].modifiers",
                    override=override,
                )
        if wants_ndc != "off" and line.code.startswith("J") and not line.national_drug_code:
            yield found(
                "PX-15",
                Severity(wants_ndc),
                f"drug {line.code} on line {line.line_number} has no national drug code",
                "the eleven digits of the package",
                lines=lines,
                codes=(line.code,),
                field=f"services[{index}].national_drug_code",
            )
        for one, others in (("GZ", {"GA", "GX", "GY", "KX"}), ("GY", {"GA", "KX"})):
            if one in given and others & given:
                pair = (one, min(others & given))
                yield found(
                    "PX-15",
                    ERROR,
                    f"modifiers {' and '.join(pair)} on line {line.line_number} contradict each other",
                    "the one that says which notice was given",
                    lines=lines,
                    codes=(line.code, *pair),
                    field=f"services[{index}].modifiers",
                    carc="4",
                )


@rule(
    "PX-16",
    "Revenue code and bill type",
    source="Integrated outpatient code editor: edits 18 (inpatient only), 21 (visit with procedure), 48 (revenue code)",
    severity="error",
    carc="16",
    needs="lists inpatient-only and significant-procedures",
    version="2",
)
def institutional_lines(context: Context) -> Iterator[Finding]:
    """A line of an institutional claim has a four-digit revenue code; outpatient claims hold no inpatient-only service,
    and a visit beside a significant procedure carries 25. A type of bill, where one is given, fits the setting: 11x or
    12x for a stay, 13x, 14x, 7xx, 83x or 85x for outpatients. Of the editor's other edits, 6 is PX-01, 20 and 40 are
    PX-02 and 22 is PX-11; those that need its own tables (payment status, partial hospitalisation, …) are not covered.
    """
    facts = context.facts
    if facts.setting not in (Setting.OUTPATIENT_HOSPITAL, Setting.INPATIENT):
        return
    yield from _bill_type(context)
    outpatient = facts.setting is Setting.OUTPATIENT_HOSPITAL
    day = facts.date_of_service
    significant = any(context.switches.listed("significant-procedures", line.code, day) for line in facts.lines)
    for index, line in enumerate(facts.lines):
        problems = []
        revenue = line.revenue_code or ""
        if len(revenue) != 4 or not revenue.isdecimal():
            problems.append(("has no four-digit revenue code", "a four-digit revenue code", "revenue_code"))
        if outpatient and context.switches.listed("inpatient-only", line.code, day):
            problems.append((f"holds the inpatient-only service {line.code}", "an inpatient claim", "code"))
        if outpatient and significant and context.visit(line) and "25" not in line.modifiers:
            problems.append(("is a visit beside a significant procedure", "modifier 25, if separate", "modifiers"))
        for problem, expected, field in problems:
            yield found(
                "PX-16",
                ERROR,
                f"line {line.line_number} {problem}",
                expected,
                lines=(line.line_number,),
                codes=(line.code,),
                field=f"services[{index}].{field}",
            )


_BILL_TYPES = {
    Setting.INPATIENT: ("11", "12"),
    Setting.OUTPATIENT_HOSPITAL: ("13", "14", "71", "72", "73", "74", "75", "76", "77", "78", "83", "85"),
}


def _bill_type(context: Context) -> Iterator[Finding]:
    """The type of bill without its leading zero begins with facility and classification; the last digit is the
    frequency.
    """
    given, allowed = context.facts.bill_type, _BILL_TYPES[context.facts.setting]
    if given is None:
        return
    digits = given.removeprefix("0")
    if len(digits) != 3 or not digits.isalnum() or not digits.startswith(allowed):
        yield found(
            "PX-16",
            ERROR,
            f"type of bill {given} does not fit the setting {context.facts.setting}",
            f"one that begins with {', '.join(allowed)}",
            codes=(given,),
            field="bill_type",
        )
