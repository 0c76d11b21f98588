"""Rules between the diagnoses of one encounter: exclusion, order, symptoms, combinations, history."""

from collections.abc import Iterator
from itertools import combinations

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import EditorTable
from revcycle_codes.facts import Setting
from revcycle_codes.findings import Finding, Severity, found, rule
from revcycle_codes.instructions import Note
from revcycle_codes.model import CodeSystem, display
from revcycle_codes.rules.curated import COMBINATIONS, HISTORIES, SYMPTOMS

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
_STATUS_CODES = ("Z", "F17")
_PREGNANCY = "O"
_ELSEWHERE = "in diseases classified elsewhere"
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
    first = next((key for index, key in context.known_diagnoses if index == 0), "")
    if "V00" <= first[:3] <= "Y99":
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


@rule(
    "DX-05",
    "Manifestation not first",
    source="ICD-10-CM guidelines I.A.13; code editor list of manifestations",
    severity="error",
    carc="146",
    needs="ICD-10-CM, code editor lists where loaded",
)
def manifestation_not_first(context: Context) -> Iterator[Finding]:
    """A manifestation (title "in diseases classified elsewhere", or on the code editor's list) is never first-listed:
    its cause comes before it.
    """
    editor = context.table(EditorTable)
    for index, key in context.known_diagnoses[:1]:
        answer = context.diagnoses[index]
        by_title = _ELSEWHERE in (answer.description or "").lower()
        if index == 0 and (by_title or (editor is not None and editor.has("Principal_Manifestation", key))):
            yield found(
                "DX-05",
                ERROR,
                f"manifestation {answer.code} is listed first",
                "the underlying condition first",
                codes=(answer.code,),
                field="diagnoses[0]",
                release=answer.release if by_title else editor.spec.release if editor else None,
            )


@rule(
    "DX-06",
    "Code first, use additional code",
    source="ICD-10-CM tabular list, Code first and Use additional code notes; guidelines I.A.13 and I.A.17",
    severity="warning (wrong order), info (partner absent)",
    carc="146",
    needs="ICD-10-CM tabular list",
    version="2",
)
def instructed_order(context: Context) -> Iterator[Finding]:
    """Where a note pairs two codes of the encounter, the one that goes first is listed first: a "code first" partner
    before the code, a "use additional" partner after it. An absent partner is only mentioned, and not at all when the
    note says "if applicable".
    """
    instructions = context.instructions
    if instructions is None:
        return
    said: set[tuple[str, ...]] = set()  # one pair is often told of at both of its codes
    for index, key in context.known_diagnoses:
        for kind, partner_before in (("codeFirst", True), ("useAdditionalCode", False)):
            notes = [one for one in instructions.governing(key) if one.kind == kind]
            finding = _order_finding(context, index, notes, partner_before)
            if finding and finding.codes not in said:
                said.add(finding.codes)
                yield finding


def _order_finding(context: Context, index: int, notes: list[Note], partner_before: bool) -> Finding | None:
    code = context.diagnoses[index].code
    release = context.instructions.release if context.instructions else None
    paired = [
        (other, note)
        for other, key in context.known_diagnoses
        for note in notes
        if other != index and note.names(key) and not note.span.covers(key)
    ]
    wrong = [(other, note) for other, note in paired if (other > index) == partner_before]
    if wrong and len(wrong) == len(paired):
        other, note = wrong[0]
        partner = context.diagnoses[other].code
        first, second = (partner, code) if partner_before else (code, partner)
        # "Use additional code" for a status (tobacco, insulin, history) orders the list, but changes no claim.
        status = not partner_before and second.startswith(_STATUS_CODES)
        return found(
            "DX-06",
            INFO if status else WARNING,
            f"{second} is listed before {first}",
            f"{first} before {second}",
            codes=(first, second),
            field=f"diagnoses[{index}]",
            release=release,
            row=note.row,
            override=None if status else "why the order was chosen",
        )
    required = [
        note
        for note in notes
        if not note.if_applicable
        and note.kind == "codeFirst"
        and note.owner == note.span.low
        and not all(one.low.startswith(_PREGNANCY) for one in note.ranges)  # asks only when there is a pregnancy
    ]
    if partner_before and required and not paired and not code.startswith(_STATUS_CODES):
        return found(
            "DX-06",
            INFO,
            f"{code} usually has its cause before it, and none is listed",
            "the cause before it, where there is one",
            codes=(code,),
            field=f"diagnoses[{index}]",
            release=release,
            row=required[0].row,
        )
    return None


@rule(
    "DX-13",
    "Symptom with its cause",
    source="ICD-10-CM guidelines I.B.5: signs and symptoms that belong to a confirmed disease are not coded",
    severity="warning",
    carc="146",
)
def symptom_with_cause(context: Context) -> Iterator[Finding]:
    """A symptom that is part of a confirmed diagnosis of the same encounter is dropped (a curated map)."""
    for index, key in context.known_diagnoses:
        causes = next((causes for prefix, causes in SYMPTOMS.items() if key.startswith(prefix)), ())
        cause = next((i for i, other in context.known_diagnoses if other.startswith(causes)), None) if causes else None
        if cause is not None:
            symptom, disease = context.diagnoses[index].code, context.diagnoses[cause].code
            yield found(
                "DX-13",
                WARNING,
                f"symptom {symptom} belongs to {disease}",
                f"{disease} without {symptom}, unless the symptom has another cause",
                codes=(symptom, disease),
                field=f"diagnoses[{index}]",
                override="that the symptom is not explained by the diagnosis",
            )


@rule(
    "DX-14",
    "Combination codes and presumed links",
    source="ICD-10-CM guidelines I.B.9, I.A.15 (with), I.C.9.a (hypertension), I.C.4.a (diabetes), I.C.10.c",
    severity="warning",
    carc="146",
)
def combination_codes(context: Context) -> Iterator[Finding]:
    """Where the guidelines presume a link, the combination code is used: hypertension with heart failure or chronic
    kidney disease, diabetes with its complications, influenza with pneumonia.
    """
    keys = [key for _, key in context.known_diagnoses]
    if len(keys) < 2:
        return
    for one, other, instead in COMBINATIONS:
        first = next((key for key in keys if key in one), None)
        second = next((key for key in keys if key.startswith(other)), None)
        if first and second:
            codes = (display(CodeSystem.ICD10CM, first), display(CodeSystem.ICD10CM, second))
            yield found(
                "DX-14",
                WARNING,
                f"{codes[0]} and {codes[1]} are presumed to be linked",
                instead,
                codes=codes,
                field=f"diagnoses[{context.keys.index(first)}]",
                override="that the clinician documented the two as unrelated",
            )


@rule(
    "DX-15",
    "Status or active disease",
    source="ICD-10-CM guidelines I.C.21.c.4 (history) and I.C.2.m; I.C.9.d (sequelae of stroke)",
    severity="warning",
    carc="146",
)
def status_or_active(context: Context) -> Iterator[Finding]:
    """A history code and the active disease of the same kind are not coded together: it is one or the other."""
    keys = [key for _, key in context.known_diagnoses]
    if len(keys) < 2:
        return
    for history, active in HISTORIES:
        past = next((key for key in keys if key.startswith(history)), None)
        now = next((key for key in keys if key.startswith(active)), None)
        if past and now:
            codes = (display(CodeSystem.ICD10CM, past), display(CodeSystem.ICD10CM, now))
            yield found(
                "DX-15",
                WARNING,
                f"history {codes[0]} and active disease {codes[1]} are both listed",
                "the history code when the disease is gone, the disease when it is treated",
                codes=codes,
                field=f"diagnoses[{context.keys.index(past)}]",
                override="that another disease of the same kind is active",
            )


@rule(
    "DX-17",
    "Unspecified diagnosis",
    source="ICD-10-CM guidelines I.A.9.b and I.B.18; code editor section 20",
    severity="info (inpatient, on the list: warning)",
)
def unspecified_diagnosis(context: Context) -> Iterator[Finding]:
    """An unspecified code is right only when the note says no more; on inpatient claims the code editor's list asks for
    a reason.
    """
    editor = context.table(EditorTable)
    inpatient = context.facts.setting is Setting.INPATIENT
    for index, key in context.known_diagnoses:
        answer = context.diagnoses[index]
        listed = inpatient and editor is not None and editor.has("Unspecified", key)
        if listed or (answer.billable and "unspecified" in (answer.description or "").lower()):
            yield found(
                "DX-17",
                WARNING if listed else INFO,
                f"diagnosis {answer.code} is unspecified",
                "a more exact code when the note supports one",
                codes=(answer.code,),
                field=f"diagnoses[{index}]",
                release=answer.release,
                override="that the record says no more" if listed else None,
            )
