"""Rules between the diagnoses of one encounter."""

from collections.abc import Iterator
from itertools import combinations

from revcycle_codes.context import Context
from revcycle_codes.findings import Finding, Severity, found, rule
from revcycle_codes.model import CodeSystem, display

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
_CONTRADICTIONS = frozenset({frozenset({"E10", "E11"})})


@rule(
    "DX-07",
    "Excludes1",
    source="ICD-10-CM tabular list, Excludes1 notes; guidelines I.A.12.a (exception for unrelated conditions)",
    severity="warning (error for type 1 with type 2 diabetes)",
    carc="146",
    needs="ICD-10-CM tabular list",
)
def excludes1(context: Context) -> Iterator[Finding]:
    """Two diagnoses of one encounter do not exclude each other by an Excludes1 note at either code, its category,
    section or chapter (the notes are one-directional, so both directions are read). Clearly unrelated conditions are
    the guidelines' exception, so an override with its reason is allowed; type 1 with type 2 diabetes never is.
    """
    instructions = context.instructions
    if instructions is None:
        return
    for (_, one), (index, other) in combinations(context.known_diagnoses, 2):
        if one == other:
            continue
        note = instructions.excludes(one, other)
        if note is None:
            continue
        never = frozenset({one[:3], other[:3]}) in _CONTRADICTIONS
        codes = (display(CodeSystem.ICD10CM, one), display(CodeSystem.ICD10CM, other))
        yield found(
            "DX-07",
            ERROR if never else WARNING,
            f"diagnoses {codes[0]} and {codes[1]} exclude each other",
            "the one that the note supports" if never else "only one of the two, unless the conditions are unrelated",
            codes=codes,
            field=f"diagnoses[{index}]",
            release=instructions.release,
            row=note.row,
            override=None if never else "why the two conditions are unrelated",
        )


@rule(
    "DX-08",
    "External cause first",
    source="ICD-10-CM guidelines I.C.20.a.6: an external cause code is never first-listed",
    severity="error",
    carc="146",
)
def external_cause_first(context: Context) -> Iterator[Finding]:
    """A code of V00 to Y99 says how an injury happened and is never the first-listed diagnosis."""
    if context.keys and "V00" <= context.keys[0][:3] <= "Y99":
        code = context.diagnoses[0].code
        yield found(
            "DX-08",
            ERROR,
            f"external cause {code} is listed first",
            "the injury or condition first, the external cause after it",
            codes=(code,),
            field="diagnoses[0]",
            release=context.diagnoses[0].release,
        )
