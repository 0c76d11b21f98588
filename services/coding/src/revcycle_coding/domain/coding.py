"""The coding of one billing side of an encounter, its worklist item, and how both change.

Every function takes the state and what happened and returns a ``Change``: the new state and the events that tell it.
Ids and time come in with the ``Cause``-like ``Moment``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from revcycle_events import (
    CodedService,
    CodingTaskOpened,
    CodingTaskResolved,
    DocumentationAmended,
    EncounterCancelled,
    EncounterCoded,
    EncounterDocumented,
    EncounterNotBillable,
    EncounterRecoded,
    Event,
)

from revcycle_coding.domain.decision import (
    AUTO_FINALISE,
    CODER_FINALISE,
    PROFESSIONAL,
    Decision,
    FindingRecord,
    Reason,
    Service,
    Subject,
    check,
    decide,
    reasons_of,
)
from revcycle_coding.domain.rulebook import Rulebook

POLICY = f"policy:{AUTO_FINALISE}"
CANCELLED_POLICY = "policy:encounter-cancelled.v1"

CodingState = Literal["open", "finalised", "not_billable", "cancelled"]
TaskKind = Literal["correct_codes", "documentation_amended", "reopened"]

_TOLD = 5
"""Reasons that a work item's remedy spells out; the item itself lists all of them."""
_REMEDIES: dict[TaskKind, str] = {
    "correct_codes": "correct what the findings name, then finalise",
    "documentation_amended": "compare the coding with the amended documentation, then finalise",
    "reopened": "correct the coding, then finalise",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """When and for what something happens: ``derive`` gives ids by role."""

    now: datetime
    actor: str
    derive: Callable[[str], UUID]


@dataclass(frozen=True, slots=True)
class CodedDocument:
    """The document version a coding rests on."""

    document_id: UUID
    version: int
    type: str
    signed: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class Codes:
    """Diagnoses and services as they stand or as they were finalised."""

    date_of_service: date
    diagnoses: tuple[str, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Coding:
    """One billing side of an encounter. ``coded`` is what was last finalised; ``coding_version`` counts that.

    ``edited_by``: the person who changed the codes the provider entered. ``encounter_sequence``: the newest event of
    the encounter's stream that went in. ``version`` counts changes for If-Match.
    """

    encounter_id: UUID
    billing_side: str
    patient_id: UUID
    facility_npi: str
    place_of_service: str
    document: CodedDocument
    encounter_sequence: int
    codes: Codes
    state: CodingState = "open"
    findings: tuple[FindingRecord, ...] = ()
    coded: Codes | None = None
    coding_version: int = 0
    finalised_by: str | None = None
    decision_id: UUID | None = None
    edited_by: str | None = None
    version: int = 1

    @property
    def subject(self) -> Subject:
        """What a decision is taken on."""
        return Subject(
            billing_side=self.billing_side,
            date_of_service=self.codes.date_of_service,
            place_of_service=self.place_of_service,
            signed=self.document.signed,
            diagnoses=self.codes.diagnoses,
            services=self.codes.services,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A worklist item: why a coder is needed. ``reasons`` are the rules that found an error, without patient data."""

    id: UUID
    encounter_id: UUID
    billing_side: str
    kind: TaskKind
    reasons: tuple[Reason, ...]
    opened_at: datetime
    resolved_at: datetime | None = None
    resolution: str | None = None
    resolved_by: str | None = None

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules behind the reasons, each once."""
        return tuple(sorted({reason.rule for reason in self.reasons}))


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision with its id, who took it and what it rests on."""

    id: UUID
    coding: Coding
    decision: Decision
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a coding: its state, its open worklist item, what was decided and what is told."""

    coding: Coding
    task: Task | None
    tasks: tuple[Task, ...] = ()
    decisions: tuple[StoredDecision, ...] = ()
    events: tuple[Event, ...] = ()


def document_encounter(
    known: Coding | None,
    task: Task | None,
    event: EncounterDocumented | DocumentationAmended,
    sequence: int,
    moment: Moment,
    rulebook: Rulebook,
) -> Change | None:
    """Documentation arrived or was amended: finalise by policy, or put it on the worklist. None: nothing to do."""
    coding = _with_documentation(known, event, sequence)
    if known is None:
        return _apply_policy(coding, task, "correct_codes", moment, rulebook)
    if known.state == "cancelled":
        return None
    if known.edited_by is not None or known.state == "not_billable":
        # A person's work is never overruled by the policy: the person looks again.
        coding = replace(coding, state="open", findings=check(coding.subject, rulebook))
        return _open_task(Change(coding, task), "documentation_amended", moment)
    return _apply_policy(coding, task, "documentation_amended", moment, rulebook)


def _with_documentation(
    known: Coding | None, event: EncounterDocumented | DocumentationAmended, sequence: int
) -> Coding:
    document = CodedDocument(
        document_id=event.document.document_id,
        version=event.document.version,
        type=event.document.type,
        signed=event.document.signed,
        sha256=event.document.sha256,
    )
    entered = Codes(
        date_of_service=event.date_of_service,
        diagnoses=tuple(event.diagnoses),
        services=tuple(
            Service(each.code, tuple(each.modifiers), each.units, tuple(each.diagnosis_pointers))
            for each in event.services
        ),
    )
    if known is None:
        return Coding(
            encounter_id=event.encounter_id,
            billing_side=PROFESSIONAL,
            patient_id=event.patient_id,
            facility_npi=event.facility_npi,
            place_of_service=event.place_of_service,
            document=document,
            encounter_sequence=sequence,
            codes=entered,
        )
    kept = replace(known.codes, date_of_service=entered.date_of_service) if known.edited_by is not None else entered
    return replace(
        known,
        place_of_service=event.place_of_service,
        document=document,
        encounter_sequence=sequence,
        codes=kept,
        version=known.version + 1,
    )


def _apply_policy(coding: Coding, task: Task | None, kind: TaskKind, moment: Moment, rulebook: Rulebook) -> Change:
    decision = decide(AUTO_FINALISE, coding.subject, rulebook)
    if decision.finalise:
        return _finalise(coding, task, decision, POLICY, moment, reason="documentation_amended")
    stored = StoredDecision(moment.derive("decision"), coding, decision, POLICY, moment.now)
    coding = replace(coding, state="open", findings=decision.findings, decision_id=stored.id)
    return _open_task(Change(coding, task, decisions=(stored,)), kind, moment)


def _finalise(coding: Coding, task: Task | None, decision: Decision, by: str, moment: Moment, *, reason: str) -> Change:
    stored = StoredDecision(moment.derive("decision"), coding, decision, by, moment.now)
    same = coding.coded == coding.codes
    coding = replace(
        coding,
        state="finalised",
        findings=decision.findings,
        coded=coding.codes,
        coding_version=coding.coding_version if same else coding.coding_version + 1,
        finalised_by=by,
        decision_id=stored.id,
    )
    # The same codes again are no news: the claim that carries them stands.
    events: tuple[Event, ...] = () if same else (_coded_event(coding, decision, reason),)
    return _resolve_task(Change(coding, task, decisions=(stored,), events=events), "finalised", by, moment)


def _coded_event(coding: Coding, decision: Decision, reason: str) -> Event:
    assert coding.finalised_by is not None and coding.decision_id is not None, "set by the finalisation"
    state = {
        "encounter_id": coding.encounter_id,
        "billing_side": coding.billing_side,
        "coding_version": coding.coding_version,
        "document_version": coding.document.version,
        "finalised_by": coding.finalised_by,
        "decision_id": coding.decision_id,
        "code_set_releases": decision.releases,
        "date_of_service": coding.codes.date_of_service,
        "diagnoses": list(coding.codes.diagnoses),
        "services": [
            CodedService(
                line_number=number,
                code=each.code,
                modifiers=list(each.modifiers),
                units=each.units,
                diagnosis_pointers=list(each.diagnosis_pointers),
            )
            for number, each in enumerate(coding.codes.services, start=1)
        ],
    }
    if coding.coding_version == 1:
        return EncounterCoded.model_validate(state)
    return EncounterRecoded.model_validate(state | {"reason": reason})


def _open_task(change: Change, kind: TaskKind, moment: Moment) -> Change:
    """Open a worklist item, or keep the one that is open with the newest reasons there are."""
    coding = change.coding
    reasons = reasons_of(coding.findings)
    if change.task is not None:
        # Once corrected it waits for its coder to finalise: what it was opened for stays to be seen.
        task = replace(change.task, reasons=reasons or change.task.reasons)
        return replace(change, task=task, tasks=(*change.tasks, task))
    task = Task(moment.derive("task"), coding.encounter_id, coding.billing_side, kind, reasons, moment.now)
    rights = tuple(dict.fromkeys(f"{one.rule}: {one.expected}" for one in reasons))
    opened = CodingTaskOpened(
        task_id=task.id,
        kind=kind,
        owner="coder",
        cause=", ".join(dict.fromkeys(map(str, reasons))) or kind,
        remedy="; ".join((*rights[:_TOLD], _REMEDIES[kind])),
        encounter_id=coding.encounter_id,
    )
    return replace(change, task=task, tasks=(*change.tasks, task), events=(*change.events, opened))


def _resolve_task(change: Change, resolution: str, by: str, moment: Moment) -> Change:
    if change.task is None:
        return change
    task = replace(change.task, resolved_at=moment.now, resolution=resolution, resolved_by=by)
    resolved = CodingTaskResolved(
        task_id=task.id, kind=task.kind, resolution=resolution, resolved_by=by, encounter_id=task.encounter_id
    )
    return replace(change, task=None, tasks=(*change.tasks, task), events=(*change.events, resolved))


def cancel_encounter(
    known: Coding, task: Task | None, event: EncounterCancelled, sequence: int, moment: Moment
) -> Change:
    """The encounter was cancelled: the worklist item goes, and what was coded is not billed."""
    coding = replace(known, state="cancelled", encounter_sequence=sequence, version=known.version + 1)
    change = Change(coding, task)
    if known.coded is not None:
        change = replace(change, events=(_not_billable_event(coding, CANCELLED_POLICY, "encounter_cancelled"),))
    return _resolve_task(change, "encounter_cancelled", CANCELLED_POLICY, moment)


def _not_billable_event(coding: Coding, by: str, reason: str) -> EncounterNotBillable:
    return EncounterNotBillable(
        encounter_id=coding.encounter_id,
        billing_side=coding.billing_side,
        coding_version=coding.coding_version,
        decided_by=by,
        reason=reason,
    )


def correct_codes(
    known: Coding,
    task: Task | None,
    diagnoses: tuple[str, ...],
    services: tuple[Service, ...],
    moment: Moment,
    rulebook: Rulebook,
) -> Change:
    """A coder replaces the codes of an open coding; they are checked, not finalised."""
    codes = replace(known.codes, diagnoses=diagnoses, services=services)
    coding = replace(known, codes=codes, edited_by=moment.actor, version=known.version + 1)
    coding = replace(coding, findings=check(coding.subject, rulebook))
    if task is None:
        return Change(coding, None)
    return _open_task(Change(coding, task), task.kind, moment)


def finalise_coding(known: Coding, task: Task | None, moment: Moment, rulebook: Rulebook) -> Change | Decision:
    """A coder finalises an open coding: the change, or the decision whose findings forbid it."""
    decision = decide(CODER_FINALISE, known.subject, rulebook)
    if not decision.finalise:
        return decision
    coding = replace(known, edited_by=moment.actor, version=known.version + 1)
    return _finalise(coding, task, decision, moment.actor, moment, reason="corrected_by_coder")


def decide_not_billable(known: Coding, task: Task | None, reason: str, moment: Moment) -> Change:
    """A coder decides that nothing of the encounter is billed on this side."""
    # Nothing coded stands any more: finalising later, even the same codes, is news again.
    coding = replace(known, state="not_billable", coded=None, edited_by=moment.actor, version=known.version + 1)
    change = Change(coding, task, events=(_not_billable_event(coding, moment.actor, reason),))
    return _resolve_task(change, "not_billable", moment.actor, moment)


def reopen_coding(known: Coding, moment: Moment) -> Change:
    """A coder takes a finalised or not billable coding back onto the worklist; claims keeps what it has meanwhile."""
    coding = replace(known, state="open", edited_by=moment.actor, version=known.version + 1)
    return _open_task(Change(coding, None), "reopened", moment)
