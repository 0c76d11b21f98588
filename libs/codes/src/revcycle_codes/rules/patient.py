"""Rules about the patient: age and sex on the date, present-on-admission."""

from collections.abc import Iterator
from datetime import date

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import EditorTable, PoaExemptTable
from revcycle_codes.facts import Setting
from revcycle_codes.findings import Finding, Severity, found, rule

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
_MATERNITY_CHANGED = date(2019, 10, 1)
_SEX_LISTS = (("Female_Only", "F"), ("Male_Only", "M"))
_PROCEDURE_SEX = {"G0101": "F", "Q0091": "F", "G0102": "M", "G0103": "M"}
_POA_INDICATORS = ("Y", "N", "U", "W")
_POA_EXEMPT = "1"
_SEX_BYPASS_CONDITION, _SEX_BYPASS_MODIFIER = "45", "KX"


def age_years(birth_date: date, day: date) -> int:
    """Completed years on a day."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


def age_bands(day: date) -> tuple[tuple[str, int, int], ...]:
    """The code editor's age lists with their first and last year of age on a day."""
    maternity = (9, 64) if day >= _MATERNITY_CHANGED else (12, 55)
    return (
        ("Newborn_Only", 0, 0),
        ("Pediatric_Only", 0, 17),
        ("Maternity_Only", *maternity),
        ("Adult_Only", 15, 124),
    )


@rule(
    "DX-10",
    "Age and diagnosis",
    source="Medicare code editor section 4; maternity 9 to 64 since 2019-10-01, 12 to 55 before",
    severity="error",
    carc="9",
    needs="code editor lists",
)
def diagnosis_age(context: Context) -> Iterator[Finding]:
    """A diagnosis on an age list is used within the list's ages, counted in full years on the date of service."""
    editor, born = context.table(EditorTable), context.facts.patient.birth_date
    if editor is None or born is None:
        return
    day = context.facts.diagnosis_date
    age = age_years(born, day)
    for index, key in context.known_diagnoses:
        for edit, first, last in age_bands(day):
            if editor.has(edit, key) and not first <= age <= last:
                code = context.diagnoses[index].code
                yield found(
                    "DX-10",
                    ERROR,
                    f"diagnosis {code} does not fit the patient's age",
                    f"an age from {first} to {last} years, or another diagnosis",
                    codes=(code,),
                    field=f"diagnoses[{index}]",
                    release=editor.spec.release,
                    row=f"{edit}/{key}",
                )


@rule(
    "DX-11",
    "Sex and diagnosis",
    source="Medicare code editor section 5, switchable by payer; condition code 45 and modifier KX bypass it",
    severity="switch sex-edits (default warning)",
    carc="10",
    needs="code editor lists",
)
def diagnosis_sex(context: Context) -> Iterator[Finding]:
    """A diagnosis on the female-only or male-only list is used for that sex, unless condition code 45 or modifier KX
    says that the edit does not apply.
    """
    facts = context.facts
    editor, sex = context.table(EditorTable), facts.patient.sex
    switch = context.switches.value("sex-edits", facts.date_of_service, facts.payer_id)
    if editor is None or sex not in ("F", "M") or switch == "off":
        return
    if _SEX_BYPASS_CONDITION in facts.condition_codes:
        return
    if any(_SEX_BYPASS_MODIFIER in line.modifiers for line in facts.lines):
        return
    for index, key in context.known_diagnoses:
        for edit, wanted in _SEX_LISTS:
            if sex != wanted and editor.has(edit, key):
                code = context.diagnoses[index].code
                yield found(
                    "DX-11",
                    Severity(switch),
                    f"diagnosis {code} does not fit the recorded sex",
                    "the right diagnosis, the right registration, or condition code 45 (modifier KX)",
                    codes=(code,),
                    field=f"diagnoses[{index}]",
                    release=editor.spec.release,
                    row=f"{edit}/{key}",
                    override="that code and recorded sex are both right",
                )


@rule(
    "DX-16",
    "Present on admission",
    source="ICD-10-CM guidelines appendix I; POA-exempt list of the fiscal year",
    severity="error",
    carc="16",
    needs="POA-exempt list",
)
def present_on_admission(context: Context) -> Iterator[Finding]:
    """Every diagnosis of an inpatient claim has the indicator Y, N, U or W; exempt codes have none (or 1)."""
    facts = context.facts
    exempt = context.table(PoaExemptTable)
    if facts.setting is not Setting.INPATIENT or exempt is None:
        return
    for index, key in context.known_diagnoses:
        given = facts.present_on_admission[index] if index < len(facts.present_on_admission) else ""
        free = key in exempt
        if given in _POA_INDICATORS and not free:
            continue
        if free and given in ("", _POA_EXEMPT):
            continue
        code = context.diagnoses[index].code
        expected = "no indicator: the code is exempt" if free else "Y, N, U or W"
        yield found(
            "DX-16",
            ERROR,
            f"diagnosis {code} has {'indicator ' + given if given else 'no present-on-admission indicator'}",
            expected,
            codes=(code,),
            field=f"present_on_admission[{index}]",
            release=exempt.spec.release,
        )


@rule(
    "PX-13",
    "Age, sex and procedure",
    source="HCPCS Level II descriptions of sex-specific screening services",
    severity="switch sex-edits (default warning)",
    carc="7",
)
def procedure_sex(context: Context) -> Iterator[Finding]:
    """A service that exists for one sex only is billed for that sex (same bypass and switch as DX-11)."""
    facts = context.facts
    switch = context.switches.value("sex-edits", facts.date_of_service, facts.payer_id)
    if facts.patient.sex not in ("F", "M") or switch == "off" or _SEX_BYPASS_CONDITION in facts.condition_codes:
        return
    for index, line in enumerate(facts.lines):
        wanted = _PROCEDURE_SEX.get(line.code)
        if wanted and wanted != facts.patient.sex and _SEX_BYPASS_MODIFIER not in line.modifiers:
            yield found(
                "PX-13",
                Severity(switch),
                f"procedure {line.code} does not fit the recorded sex",
                "the right service, the right registration, or modifier KX",
                lines=(line.line_number,),
                codes=(line.code,),
                field=f"services[{index}].code",
                override="that service and recorded sex are both right",
            )
