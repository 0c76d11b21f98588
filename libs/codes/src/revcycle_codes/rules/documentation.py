"""What the note supports: uncertain diagnoses, visit levels, and visits beside procedures."""

from collections.abc import Iterator

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import FeeTable
from revcycle_codes.facts import EvaluationFacts, Setting
from revcycle_codes.findings import Finding, Severity, found, rule

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
STRAIGHTFORWARD, LOW, MODERATE, HIGH = 2, 3, 4, 5
_MINOR_PROCEDURES = frozenset({"000", "010"})


@rule(
    "DX-12",
    "Uncertain diagnosis",
    source="ICD-10-CM guidelines IV.H (outpatient) and II.H (inpatient)",
    severity="error (outpatient)",
    carc="146",
    needs="note elements",
)
def uncertain_diagnosis(context: Context) -> Iterator[Finding]:
    """An outpatient condition that the note calls probable, suspected or to be ruled out is not coded; its symptoms
    are. At discharge of an inpatient it may be coded.
    """
    if context.facts.setting is Setting.INPATIENT:
        return
    uncertain = {code.replace(".", "").upper() for code in context.facts.note_diagnoses_uncertain}
    for index, key in context.known_diagnoses:
        if key in uncertain:
            code = context.diagnoses[index].code
            message = f"diagnosis {code} is uncertain in the note"
            expected = "the symptoms or the reason for the visit"
            yield found("DX-12", ERROR, message, expected, codes=(code,), field=f"diagnoses[{index}]")


def problem_level(seen: EvaluationFacts) -> int:
    """EM-02, problems addressed: 2 straightforward to 5 high (0: none)."""
    if seen.life_threatening_problems:
        return HIGH
    if (
        seen.worsening_chronic_problems
        or seen.stable_chronic_problems > 1
        or seen.undiagnosed_new_problems
        or seen.acute_systemic_problems
    ):
        return MODERATE
    if seen.self_limited_problems > 1 or seen.stable_chronic_problems or seen.acute_uncomplicated_problems:
        return LOW
    return STRAIGHTFORWARD if seen.self_limited_problems else 0


def data_level(seen: EvaluationFacts) -> int:
    """EM-02, data reviewed. A test that the same clinician bills separately is no data (EM-03)."""
    items = max(0, seen.tests_and_notes - len(seen.billed_test_codes))
    three_items = items + seen.independent_historian > 2
    categories = three_items + seen.independent_interpretation + seen.external_discussion
    if categories > 1:
        return HIGH
    if categories:
        return MODERATE
    return LOW if items > 1 or seen.independent_historian else STRAIGHTFORWARD


def risk_level(seen: EvaluationFacts) -> int:
    """EM-02, risk of management."""
    if (
        seen.toxicity_monitoring
        or seen.major_surgery_with_risk
        or seen.hospitalisation_decision
        or seen.resuscitation_limited
    ):
        return HIGH
    if seen.prescription_management or seen.social_determinants or seen.minor_surgery_with_risk or seen.major_surgery:
        return MODERATE
    return LOW if seen.acute_uncomplicated_problems or seen.stable_chronic_problems else STRAIGHTFORWARD


def decision_level(seen: EvaluationFacts) -> int:
    """EM-02: the level that two of the three elements reach."""
    return sorted((problem_level(seen), data_level(seen), risk_level(seen)))[1]


@rule(
    "EM-01",
    "Visit level",
    source="Evaluation and management rules of 2021 (office) and 2023: decision making or time, whichever is higher",
    severity="warning (above support), info (below)",
    carc="150",
    needs="visit codes, note elements",
    version="2",
)
def visit_level(context: Context) -> Iterator[Finding]:
    """The billed level is the higher of decision making (EM-02, two of three elements) and total time on the date,
    which must be met; visits without minutes in the installation's list (emergency) never go by time. A prolonged
    service (list prolonged-services) stands only beside a visit of the family's highest level that time supports.
    """
    seen = context.facts.evaluation
    if seen is None:
        return
    yield from _prolonged(context, seen.total_minutes or 0)
    for index, line in enumerate(context.facts.lines):
        visit = context.visit(line)
        if visit is None:
            continue
        family = [
            one
            for one in context.switches.visits.values()
            if one.family == visit.family and one.new_patient == visit.new_patient
        ]
        minutes = seen.total_minutes or 0
        by_time = max((one.level for one in family if one.minutes and minutes >= one.minutes), default=0)
        supported = max(decision_level(seen), by_time)
        if visit.level == supported:
            continue
        over = visit.level > supported
        right = next((one.code for one in family if one.level == supported), None)
        yield found(
            "EM-01",
            WARNING if over else INFO,
            f"visit {line.code} is level {visit.level}, the note supports level {supported}",
            right or f"a visit of level {supported}",
            lines=(line.line_number,),
            codes=(line.code,),
            field=f"services[{index}].code",
            row=f"problems {problem_level(seen)}, data {data_level(seen)}, risk {risk_level(seen)}, minutes {minutes}",
            override="the elements of the note that support the level" if over else None,
        )


def _prolonged(context: Context, minutes: int) -> Iterator[Finding]:
    visits = [visit for line in context.facts.lines if (visit := context.visit(line))]
    family = context.switches.visits.values()
    tops = {
        one.code
        for one in visits
        if one.minutes
        and minutes >= one.minutes
        and one.level == max(v.level for v in family if v.family == one.family)
    }
    for index, line in enumerate(context.facts.lines):
        if context.switches.listed("prolonged-services", line.code, context.line_day(line)) and not tops:
            yield found(
                "EM-01",
                WARNING,
                f"prolonged service {line.code} without a visit at the highest level by time",
                "the highest level of the family, reached by time, or no prolonged service",
                lines=(line.line_number,),
                codes=(line.code,),
                field=f"services[{index}].code",
                override="the time that the note documents",
            )


@rule(
    "EM-02",
    "Elements of decision making",
    source="Evaluation and management rules of 2021 and 2023, elements in our own words",
    severity="info",
    needs="visit codes, note elements",
)
def decision_elements(context: Context) -> Iterator[Finding]:
    """The three elements must tell of a visit at all: a visit whose note shows no problem addressed cannot be levelled.
    Problems: 1 self-limited is straightforward; 2 self-limited, 1 stable chronic or 1 acute uncomplicated low; 1
    worsening chronic, 2 stable chronic, 1 undiagnosed new or 1 acute systemic moderate; a threat to life or function
    high. Data: 2 items or a historian low; 3 items, an interpretation or a discussion moderate; two of those high.
    Risk: prescriptions, social determinants or surgery moderate; toxicity monitoring, risky major surgery, admission or
    limits of resuscitation high.
    """
    seen = context.facts.evaluation
    if seen is None or problem_level(seen):
        return
    for index, line in enumerate(context.facts.lines):
        if context.visit(line):
            yield found(
                "EM-02",
                INFO,
                f"the note of visit {line.code} shows no problem addressed",
                "the problems addressed, as the note states them",
                lines=(line.line_number,),
                codes=(line.code,),
                field=f"services[{index}].code",
            )


@rule(
    "EM-03",
    "Visit and procedure on one day",
    source="NCCI policy manual ch. I.D: modifier 25 for a significant, separate visit",
    severity="warning",
    carc="97",
    needs="visit codes, fee schedule",
)
def visit_with_procedure(context: Context) -> Iterator[Finding]:
    """A visit on the day of a minor procedure (global 000 or 010) carries 25 and documents work of its own."""
    fees = context.table(FeeTable)
    if fees is None:
        return
    minor = [
        line.code
        for line in context.facts.lines
        if not context.visit(line) and (row := fees.row(line.code)) and row.global_days in _MINOR_PROCEDURES
    ]
    seen = context.facts.evaluation
    for index, line in enumerate(context.facts.lines):
        if not minor or not context.visit(line):
            continue
        unsupported = seen is not None and seen.separate_work_documented is False
        if "25" not in line.modifiers or unsupported:
            problem = "without separate work in the note" if "25" in line.modifiers else "without modifier 25"
            yield found(
                "EM-03",
                WARNING,
                f"visit {line.code} beside {minor[0]} {problem}",
                "modifier 25 and a note that shows separate work, or no visit",
                lines=(line.line_number,),
                codes=(line.code, minor[0]),
                field=f"services[{index}].modifiers",
                release=fees.spec.release,
                override="the separate work of the visit",
            )
