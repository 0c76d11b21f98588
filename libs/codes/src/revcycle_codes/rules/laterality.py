"""Seventh characters, sides and principal diagnoses."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import EditorTable
from revcycle_codes.facts import LineFacts, Setting
from revcycle_codes.findings import Finding, Severity, found, rule
from revcycle_codes.model import CodeState

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
_SIDES = re.compile(r"\b(right|left|bilateral|unspecified)\b")
_SIDED_ORGAN = re.compile(r"\* (?:eye|ear)s?\b")
_PLURAL = re.compile(r"(?<=\w{3})s\b")
_MODIFIER_SIDE = {"RT": "right", "LT": "left"}
_OPPOSITE = {"right": "left", "left": "right"}
_FULL = 7
_ACTIVE = frozenset("ABC")


@rule(
    "DX-03",
    "Seventh character",
    source="ICD-10-CM tabular list, seventh-character definitions; guidelines I.A.5 and I.C.19.a, I.C.21.c.7",
    severity="error (missing or wrong), warning (contradiction)",
    carc="146",
    needs="ICD-10-CM tabular list",
)
def seventh_character(context: Context) -> Iterator[Finding]:
    """A code whose category defines seventh characters has one of them in the seventh place, with X in the places
    between. Aftercare (Z47, Z48) is not coded beside an injury in active treatment.
    """
    instructions = context.instructions
    if instructions is None:
        return
    for index, key in enumerate(context.keys):
        answer = context.diagnoses[index]
        allowed = instructions.seventh_characters(key[: _FULL - 1])
        if allowed and not answer.valid_for_billing and answer.state is not CodeState.UNKNOWN_RELEASE:
            problem = "has no seventh character" if len(key) < _FULL else f"has {key[-1]} in the seventh place"
            if len(key) < _FULL or key[-1] not in allowed:
                yield found(
                    "DX-03",
                    ERROR,
                    f"diagnosis {answer.code} {problem}",
                    f"one of {', '.join(allowed)} as the seventh character, X in the places between",
                    codes=(answer.code,),
                    field=f"diagnoses[{index}]",
                    release=instructions.release,
                )
    injuries = [index for index, key in context.known_diagnoses if key[0] in "ST" and key[-1:] in _ACTIVE]
    aftercare = [index for index, key in context.known_diagnoses if key.startswith(("Z47", "Z48"))]
    if injuries and aftercare:
        codes = (context.diagnoses[aftercare[0]].code, context.diagnoses[injuries[0]].code)
        yield found(
            "DX-03",
            WARNING,
            f"aftercare {codes[0]} stands beside the injury {codes[1]} in active treatment",
            "the injury alone, with D as its seventh character for care after the active treatment",
            codes=codes,
            field=f"diagnoses[{aftercare[0]}]",
            override="that the aftercare is for another condition",
        )


@lru_cache(maxsize=8192)
def side_of(description: str) -> tuple[str, str] | None:
    """A description's side and the description without it, or None: `("right", "pain in * knee")`. The codes of one
    condition have one remainder: "bilateral" stands alone where the others say "right eye", and plurals are cut.
    """
    text = description.lower()
    matches = list(_SIDES.finditer(text))
    sides = [match for match in matches if match[1] != "unspecified"]
    chosen = sides[0] if sides else matches[-1] if matches else None
    if chosen is None:
        return None
    stem = " ".join((text[: chosen.start()] + "*" + text[chosen.end() :]).split())
    return chosen[1], _PLURAL.sub("", _SIDED_ORGAN.sub("*", stem))


@rule(
    "DX-04",
    "Laterality",
    source="ICD-10-CM guidelines I.B.13; modifiers LT, RT and 50",
    severity="error (against a modifier), warning (unspecified or doubled side)",
    carc="4",
    needs="ICD-10-CM",
    version="2",
)
def laterality(context: Context) -> Iterator[Finding]:
    """A diagnosis names its side: the note's, the modifier's, and only once. A side against the line's LT or RT is an
    error; an unspecified side that the note or a modifier gives, and a bilateral code beside a one-sided one, a
    warning.
    """
    yield from _sides_between_diagnoses(context)
    yield from _sides_in_the_note(context)
    for index, line in enumerate(context.facts.lines):
        yield from _side_of_line(context, index, line)


def _sided(context: Context) -> dict[int, tuple[str, str]]:
    sides = {index: side_of(context.diagnoses[index].description or "") for index, _ in context.known_diagnoses}
    return {index: side for index, side in sides.items() if side is not None}


def _sides_between_diagnoses(context: Context) -> Iterator[Finding]:
    for (one, (side, stem)), (other, (second, other_stem)) in combinations(_sided(context).items(), 2):
        if stem != other_stem or side == second or ("right" in (side, second) and "left" in (side, second)):
            continue
        codes = (context.diagnoses[one].code, context.diagnoses[other].code)
        yield found(
            "DX-04",
            WARNING,
            f"{codes[0]} ({side}) and {codes[1]} ({second}) name one condition on different sides",
            "one code: the bilateral one, or the side that is affected",
            codes=codes,
            field=f"diagnoses[{other}]",
            override="that two separate sites are meant",
        )


def _sides_in_the_note(context: Context) -> Iterator[Finding]:
    for index, (side, _) in _sided(context).items():
        code = context.diagnoses[index].code
        noted = context.facts.note_sides.get(code)
        if noted and noted != side and side != "bilateral":
            yield found(
                "DX-04",
                WARNING,
                f"diagnosis {code} says {side}, the note says {noted}",
                f"the code for {noted}",
                codes=(code,),
                field=f"diagnoses[{index}]",
                override="where the note gives the side of the code",
            )


def _side_of_line(context: Context, index: int, line: LineFacts) -> Iterator[Finding]:
    sides = {_MODIFIER_SIDE[modifier] for modifier in line.modifiers if modifier in _MODIFIER_SIDE}
    if len(sides) != 1:
        return
    [wanted] = sides
    by_index = _sided(context)
    pointed = {pointer - 1: by_index[pointer - 1][0] for pointer in line.diagnosis_pointers if pointer - 1 in by_index}
    against = [one for one, side in pointed.items() if side == _OPPOSITE[wanted]]
    open_sides = [one for one, side in pointed.items() if side == "unspecified"]
    fits = any(side in (wanted, "bilateral") for side in pointed.values())
    for wrong, severity in ((against, ERROR), (open_sides, WARNING)):
        if wrong and not fits:
            code = context.diagnoses[wrong[0]].code
            yield found(
                "DX-04",
                severity,
                f"line {line.line_number} is for the {wanted} side, its diagnosis {code} is {pointed[wrong[0]]}",
                f"a diagnosis of the {wanted} side, or the other modifier",
                lines=(line.line_number,),
                codes=(line.code, code),
                field=f"services[{index}].modifiers",
                override=None if severity is ERROR else "that the side of the diagnosis is not documented",
            )


@rule(
    "DX-09",
    "Principal diagnosis",
    source="Medicare code editor sections 3, 8 and 9 (inpatient)",
    severity="error (questionable admission: warning)",
    carc="146",
    needs="code editor lists",
)
def principal_diagnosis(context: Context) -> Iterator[Finding]:
    """The principal diagnosis of a stay is acceptable as such, justifies an admission, and is not repeated as a
    secondary one.
    """
    editor = context.table(EditorTable)
    if context.facts.setting is not Setting.INPATIENT or not context.keys:
        return
    principal, code = context.keys[0], context.diagnoses[0].code
    if principal in context.keys[1:]:
        message = f"principal diagnosis {code} is repeated as a secondary one"
        yield found("DX-09", ERROR, message, "each diagnosis once", codes=(code,), field="diagnoses[0]")
    if editor is None:
        return
    for edit, severity, problem in (
        ("Principal_Unacceptable", ERROR, "is not acceptable as principal diagnosis"),
        ("Principal_Questionable_Admit", WARNING, "seldom justifies an admission"),
    ):
        if editor.has(edit, principal):
            yield found(
                "DX-09",
                severity,
                f"diagnosis {code} {problem}",
                "the condition that, after study, caused the admission",
                codes=(code,),
                field="diagnoses[0]",
                release=editor.spec.release,
                row=f"{edit}/{principal}",
                override="why the admission was needed" if severity is WARNING else None,
            )
