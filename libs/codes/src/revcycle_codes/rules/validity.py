"""Form and validity on the date: counts, pointers, codes, modifiers, units and place of service."""

from collections import Counter
from collections.abc import Iterator

from revcycle_codes.context import Context
from revcycle_codes.facts import LineFacts, Setting
from revcycle_codes.findings import PROFESSIONAL_GUIDE, Finding, Severity, found, rule
from revcycle_codes.model import CodeState, CodeSystem, Resolution

MAX_DIAGNOSES = 12
MAX_POINTERS = 4
MAX_MODIFIERS = 4
MAX_UNITS = 9_999
ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def _reason(answer: Resolution) -> str:
    """Why a code is not valid on the day, in words that follow the code."""
    if answer.state is CodeState.DELETED:
        return f"was last valid on {answer.last_day}" if answer.last_day else "was deleted before this date"
    if answer.state is CodeState.NOT_YET:
        return f"is valid only from {answer.since}" if answer.since else "is valid only from a later date"
    return "is not in the code set" if answer.complete_release else "is not in the loaded part of the code set"


def _remedy(answer: Resolution) -> str:
    """What would be right instead of a code that is not valid."""
    if answer.successors:
        return f"a code valid on {answer.date_of_service}, such as {', '.join(answer.successors)}"
    if not answer.complete_release and answer.state is CodeState.UNKNOWN_CODE:
        return (
            f"a code valid on {answer.date_of_service}; if this one is right, import the full {answer.system} release"
        )
    return f"a code valid on {answer.date_of_service}"


def _not_loaded(
    rule_id: str,
    what: str,
    answer: Resolution,
    *,
    field: str,
    codes: tuple[str, ...],
    lines: tuple[int, ...] = (),
) -> Finding:
    """The `U` variant of a validity rule: nobody here can know, so it warns and never refuses."""
    day = answer.date_of_service
    return found(
        rule_id,
        WARNING,
        f"{what} {answer.code} cannot be checked: no {answer.system} release for {day} is loaded",
        f"import the {answer.system} release in force on {day}, or confirm the code by hand",
        lines=lines,
        codes=codes,
        field=field,
        override="that the code was looked up in the release in force",
        suffix="U",
    )


@rule(
    "DX-00",
    "Diagnosis list",
    source="ASC X12N 837P HI segment: 1 to 12 diagnoses, each once",
    severity="error",
    carc="16",
    edition=PROFESSIONAL_GUIDE,
)
def diagnosis_list(context: Context) -> Iterator[Finding]:
    """An encounter has at least one diagnosis, a professional claim at most twelve, and none is listed twice."""
    keys = context.keys
    if not keys:
        yield found("DX-00", ERROR, "no diagnosis is given", "at least one diagnosis", field="diagnoses")
    if len(keys) > MAX_DIAGNOSES and context.facts.setting is Setting.PRACTITIONER:
        message = f"{len(keys)} diagnoses are given"
        yield found("DX-00", ERROR, message, f"at most {MAX_DIAGNOSES} diagnoses", field="diagnoses")
    for key, count in Counter(keys).items():
        if count > 1:
            last = len(keys) - 1 - keys[::-1].index(key)
            code = context.diagnoses[last].code
            message = f"diagnosis {code} is listed {count} times"
            yield found("DX-00", ERROR, message, "each diagnosis once", codes=(code,), field=f"diagnoses[{last}]")


@rule(
    "DX-01",
    "Diagnosis valid on the date",
    source="ICD-10-CM release in force on the date of service (inpatient: discharge)",
    severity="error",
    carc="146",
    needs="ICD-10-CM",
)
def diagnosis_valid_on_date(context: Context) -> Iterator[Finding]:
    """Every diagnosis is a code of the ICD-10-CM release in force on the date. Where no loaded release covers the date
    the answer is DX-01U, a warning: the code may well be right.
    """
    for index, answer in enumerate(context.diagnoses):
        field = f"diagnoses[{index}]"
        if answer.state is CodeState.ACTIVE:
            continue
        if answer.state is CodeState.UNKNOWN_RELEASE:
            yield _not_loaded("DX-01", "diagnosis", answer, field=field, codes=(answer.code,))
            continue
        message = f"diagnosis {answer.code} {_reason(answer)}"
        yield found("DX-01", ERROR, message, _remedy(answer), codes=(answer.code,), field=field, release=answer.release)


@rule(
    "DX-02",
    "Diagnosis specific enough",
    source="ICD-10-CM guidelines I.B.2: codes at the highest number of characters",
    severity="error",
    carc="146",
    needs="ICD-10-CM",
)
def diagnosis_specific(context: Context) -> Iterator[Finding]:
    """A header or category code, or one that lacks its 4th to 7th character, is not valid for billing."""
    for index, answer in enumerate(context.diagnoses):
        if answer.state is CodeState.ACTIVE and not answer.billable:
            message = f"diagnosis {answer.code} is a heading and not valid for billing"
            yield found(
                "DX-02",
                ERROR,
                message,
                f"a code below {answer.code} with all its characters",
                codes=(answer.code,),
                field=f"diagnoses[{index}]",
                release=answer.release,
            )


@rule(
    "PX-00",
    "Service lines",
    source="ASC X12N 837P SV1: at least one line, positive units",
    severity="error",
    carc="16",
    edition=PROFESSIONAL_GUIDE,
)
def service_lines(context: Context) -> Iterator[Finding]:
    """There is at least one service line, line numbers are unique, units are whole and between 1 and 9,999."""
    lines = context.facts.lines
    if not lines:
        yield found("PX-00", ERROR, "no service is given", "at least one service line", field="services")
    for number, count in Counter(line.line_number for line in lines).items():
        if count > 1:
            message = f"line number {number} is used {count} times"
            yield found("PX-00", ERROR, message, "each line number once", lines=(number,), field="services")
    for index, line in enumerate(lines):
        if line.units != int(line.units) or not 1 <= line.units <= MAX_UNITS:
            yield found(
                "PX-00",
                ERROR,
                f"line {line.line_number} has {line.units} units",
                f"a whole number from 1 to {MAX_UNITS}",
                lines=(line.line_number,),
                codes=(line.code,),
                field=f"services[{index}].units",
            )


@rule(
    "PT-01",
    "Diagnosis pointers",
    source="ASC X12N 837P SV107: 1 to 4 pointers into the claim's diagnoses",
    severity="error",
    carc="16",
    edition=PROFESSIONAL_GUIDE,
)
def diagnosis_pointers(context: Context) -> Iterator[Finding]:
    """A professional line points to one to four different diagnoses of the encounter, counted from 1."""
    if context.facts.setting is not Setting.PRACTITIONER:
        return
    count = len(context.facts.diagnoses)
    for index, line in enumerate(context.facts.lines):
        if problem := _pointer_problem(line, count):
            yield found(
                "PT-01",
                ERROR,
                f"line {line.line_number} {problem}",
                f"1 to {MAX_POINTERS} different pointers from 1 to {count}" if count else "a diagnosis to point to",
                lines=(line.line_number,),
                codes=(line.code,),
                field=f"services[{index}].diagnosis_pointers",
            )


def _pointer_problem(line: LineFacts, count: int) -> str | None:
    pointers = line.diagnosis_pointers
    if not pointers:
        return "points to no diagnosis"
    if outside := [pointer for pointer in pointers if not 1 <= pointer <= count]:
        return f"points to diagnosis {outside[0]}, which does not exist"
    if len(pointers) > MAX_POINTERS:
        return f"has {len(pointers)} diagnosis pointers"
    return "points to one diagnosis twice" if len(set(pointers)) < len(pointers) else None


@rule(
    "PX-01",
    "Procedure code active on the date",
    source="HCPCS Level II: active from its add date to its termination date; CPT by calendar year",
    severity="error",
    carc="181",
    needs="HCPCS II (CPT where licensed)",
)
def procedure_active(context: Context) -> Iterator[Finding]:
    """Every procedure code is active on its line's date. Where the code system or the release is not loaded (as with
    CPT without a licence) the answer is PX-01U, a warning.
    """
    for index, line, answer in context.lines():
        field, lines = f"services[{index}].code", (line.line_number,)
        if answer.state is CodeState.ACTIVE:
            continue
        if answer.state is CodeState.UNKNOWN_RELEASE:
            yield _not_loaded("PX-01", "procedure", answer, field=field, codes=(answer.code,), lines=lines)
            continue
        message = f"procedure {answer.code} {_reason(answer)}"
        yield found(
            "PX-01",
            ERROR,
            message,
            _remedy(answer),
            lines=lines,
            codes=(answer.code,),
            field=field,
            release=answer.release,
        )


_NCCI_SUBSETS = frozenset({"XE", "XP", "XS", "XU"})
_CONFLICTS: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (frozenset({"26"}), frozenset({"TC"}), "one part, or neither for the whole service"),
    (frozenset({"50"}), frozenset({"LT", "RT"}), "50 alone, or LT and RT on lines of their own"),
    (frozenset({"59"}), _NCCI_SUBSETS, "the X modifier alone: it is the more exact form of 59"),
    (frozenset({"76"}), frozenset({"77"}), "76 for the same clinician or 77 for another"),
    (frozenset({"JW"}), frozenset({"JZ"}), "JW on the line of the discarded amount, JZ when nothing was discarded"),
    (frozenset({"LT"}), frozenset({"RT"}), "one side a line, or modifier 50"),
)


@rule(
    "PX-11",
    "Modifiers valid",
    source="HCPCS Level II and CPT modifier lists; Medicare Claims Processing Manual ch. 12",
    severity="error",
    carc="4",
    needs="modifiers",
)
def modifiers_valid(context: Context) -> Iterator[Finding]:
    """Every modifier exists and is active on the date (CARC 182 otherwise), a line has at most four, each once,
    and none contradicts another: 26 with TC, 50 with LT or RT, LT with RT, 59 with XE, XP, XS or XU, 76 with 77, JW
    with JZ.
    """
    for index, line in enumerate(context.facts.lines):
        if not line.modifiers:
            continue
        place = f"services[{index}].modifiers"
        for position, modifier in enumerate(line.modifiers):
            yield from _modifier_state(context, line, modifier, f"{place}[{position}]")
        yield from _modifier_combination(line, place)


def _modifier_state(context: Context, line: LineFacts, modifier: str, field: str) -> Iterator[Finding]:
    answer = context.code_sets.resolve(CodeSystem.MODIFIER, modifier, context.line_day(line))
    lines, codes = (line.line_number,), (line.code, answer.code)
    if answer.state is CodeState.ACTIVE:
        return
    if answer.state is CodeState.UNKNOWN_RELEASE:
        yield _not_loaded("PX-11", "modifier", answer, field=field, codes=codes, lines=lines)
        return
    yield found(
        "PX-11",
        ERROR,
        f"modifier {answer.code} on line {line.line_number} {_reason(answer)}",
        "a modifier valid on the date, or none",
        lines=lines,
        codes=codes,
        field=field,
        release=answer.release,
        carc="182",
    )


def _modifier_combination(line: LineFacts, field: str) -> Iterator[Finding]:
    lines, given = (line.line_number,), [modifier.strip().upper() for modifier in line.modifiers]
    codes = (line.code, *given)
    if len(given) > MAX_MODIFIERS:
        message = f"line {line.line_number} has {len(given)} modifiers"
        yield found("PX-11", ERROR, message, f"at most {MAX_MODIFIERS}", lines=lines, codes=codes, field=field)
    if len(set(given)) < len(given):
        message = f"line {line.line_number} repeats a modifier"
        yield found("PX-11", ERROR, message, "each modifier once", lines=lines, codes=codes, field=field)
    for one, other, expected in _CONFLICTS:
        if one.intersection(given) and other.intersection(given):
            pair = sorted((one | other).intersection(given))
            message = f"modifiers {' and '.join(pair)} on line {line.line_number} contradict each other"
            yield found("PX-11", ERROR, message, expected, lines=lines, codes=(line.code, *pair), field=field)


@rule(
    "PS-01",
    "Place of service",
    source="CMS place-of-service code set",
    severity="error",
    carc="16",
    needs="place of service",
    edition=PROFESSIONAL_GUIDE,
)
def place_of_service_known(context: Context) -> Iterator[Finding]:
    """A professional encounter names a place of service that is an assigned code; lines may name their own."""
    facts = context.facts
    if facts.setting is not Setting.PRACTITIONER:
        return
    if not facts.place_of_service:
        yield found(
            "PS-01",
            ERROR,
            "no place of service is given",
            "a two-digit place-of-service code",
            field="place_of_service",
        )
    places: list[tuple[str | None, str, tuple[int, ...]]] = [(facts.place_of_service, "place_of_service", ())]
    places += [
        (line.place_of_service, f"services[{index}].place_of_service", (line.line_number,))
        for index, line in enumerate(facts.lines)
    ]
    for place, field, lines in places:
        if place:
            answer = context.code_sets.resolve(CodeSystem.PLACE_OF_SERVICE, place, facts.date_of_service)
            if answer.state is CodeState.UNKNOWN_CODE:
                message = f"place of service {answer.code} is not assigned"
                yield found(
                    "PS-01",
                    ERROR,
                    message,
                    "an assigned place-of-service code, such as 11 for an office",
                    lines=lines,
                    codes=(answer.code,),
                    field=field,
                    release=answer.release,
                )
