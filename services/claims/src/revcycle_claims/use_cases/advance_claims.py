"""Take claims forward after their facts changed: lock the anchors, decide in memory, write in bulk."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from revcycle_codes import EncounterFacts, facts_hash
from revcycle_events import ClaimClosed, ClaimDrafted, ClaimHeld, HoldReason, PatientDetails
from revcycle_messaging import Cause, DependsOn, Transient, UnitOfWork

from revcycle_claims.domain import advance as steps
from revcycle_claims.domain.build_claim import RULE_ID, BuildInputs, ClaimDraft, Held
from revcycle_claims.domain.claim import ORIGINAL, Claim, Outcome, Preparation
from revcycle_claims.domain.decisions import make_decision
from revcycle_claims.domain.holds import RULE_VERSION
from revcycle_claims.domain.scrub import Scrub, Scrubber, scrub_facts
from revcycle_claims.domain.slots import CodingSlot, CoverageSlot, EncounterSlot, PatientSlot, Visit
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import reference as reference_rows
from revcycle_claims.repositories import slots
from revcycle_claims.use_cases.bill_claim import Order, bill_patient, set_filing_timer, stop_filing_clock, submit
from revcycle_claims.use_cases.changes import Changes, Work
from revcycle_claims.use_cases.post_remittances import catch_up

S = TypeVar("S")
BusinessDay = Callable[[str, datetime], date]
"""(IANA time zone, moment) to the business date there."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What a claim is judged by besides its facts: the calendar and the edit rules."""

    business_day: BusinessDay
    scrubber: Scrubber


PATIENTS: Final = "revcycle.patients.v1"
ENCOUNTERS: Final = "revcycle.encounters.v1"
CODINGS: Final = "revcycle.codings.v1"
BILLING_SIDES: Final = ("institutional", "professional")
POLICY: Final = f"policy:{RULE_ID}"
SWEEP_TIMER: Final = "sweep"
WAITING_LONG: Final = "waiting_long"
_DEFAULT_ZONE: Final = "UTC"
NOTHING_NEW: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(slots=True)
class Workspace:
    """The slots and claims of a chunk, all locked, as its events have changed them so far."""

    uow: UnitOfWork
    rulebook: Rulebook
    reference: steps.Reference
    patients: dict[UUID, PatientSlot]
    encounters: dict[UUID, EncounterSlot]
    coverages: dict[UUID, dict[UUID, CoverageSlot]]
    codings: dict[slots.Side, CodingSlot]
    claims: dict[slots.Side, Claim]
    changes: Changes
    applied: dict[tuple[str, str], int] = field(default_factory=dict)
    latest: datetime | None = None
    encounters_of: dict[UUID, list[UUID]] = field(default_factory=dict)
    _scrubs: dict[str, Scrub] = field(default_factory=dict)
    _touched_coverages: dict[UUID, CoverageSlot] = field(default_factory=dict)
    _touched: dict[str, dict[UUID | slots.Side, None]] = field(default_factory=dict)

    def set_patient(self, slot: PatientSlot) -> None:
        """A patient as an event tells it."""
        self.patients[slot.patient_id] = slot
        self._touched.setdefault("patients", {})[slot.patient_id] = None

    def set_coverage(self, slot: CoverageSlot) -> None:
        """A coverage as an event tells it."""
        self.coverages.setdefault(slot.patient_id, {})[slot.coverage_id] = slot
        self._touched_coverages[slot.coverage_id] = slot

    def set_encounter(self, slot: EncounterSlot) -> None:
        """An encounter as an event tells it."""
        self.encounters[slot.encounter_id] = slot
        self._touched.setdefault("encounters", {})[slot.encounter_id] = None

    def set_coding(self, slot: CodingSlot) -> None:
        """A coding as an event tells it."""
        side = slot.encounter_id, slot.billing_side
        self.codings[side] = slot
        self._touched.setdefault("codings", {})[side] = None

    async def scrub_ahead(
        self,
        *,
        patients: Mapping[UUID, PatientDetails | None] = NOTHING_NEW,
        visits: Mapping[UUID, Visit | None] = NOTHING_NEW,
        codings: Mapping[slots.Side, CodingSlot] = NOTHING_NEW,
    ) -> None:
        """Run the edit rules over the claims in preparation as the coming events will leave them, in a thread.

        What is not foreseen here (an event in the middle of a chunk) is scrubbed when it is asked for.
        """
        facts: dict[str, EncounterFacts] = {}
        for side, coding in (self.codings | dict(codings)).items():
            claim, slot = self.claims.get(side), self.encounters[side[0]]
            visit = visits.get(side[0]) or slot.visit
            if visit is None or coding.not_billable is not None or (claim and not claim.in_preparation):
                continue
            patient = self.patients.get(visit.patient_id)
            details = patients.get(visit.patient_id) or (patient.details if patient else None)
            one = scrub_facts(visit, coding, details)
            facts[facts_hash(one)] = one
        scrub = self.rulebook.scrubber.scrub
        self._scrubs |= await asyncio.to_thread(lambda: {key: scrub(one) for key, one in facts.items()})

    def scrub(self, candidate: steps.Candidate) -> Scrub:
        """What the edit rules make of a claim whose encounter is documented."""
        assert candidate.encounter.visit is not None, "the caller has seen to the prerequisites"
        details = candidate.patient.details if candidate.patient else None
        facts = scrub_facts(candidate.encounter.visit, candidate.coding, details)
        key = facts_hash(facts)
        if key not in self._scrubs:
            self._scrubs[key] = self.rulebook.scrubber.scrub(facts)
        return self._scrubs[key]

    def advance_patient(self, patient_id: UUID, cause: Cause) -> None:
        """Advance the claims in preparation of a patient."""
        for encounter_id in self.encounters_of.get(patient_id, ()):
            for side in self._sides(encounter_id):
                if self.claims[side].in_preparation:
                    self.advance(side, cause)

    def advance_encounter(self, encounter_id: UUID, cause: Cause) -> None:
        """Advance the claims of an encounter, one per billing side."""
        for side in self._sides(encounter_id):
            self.advance(side, cause)

    def _sides(self, encounter_id: UUID) -> list[slots.Side]:
        """The sides of an encounter that have a claim."""
        return [(encounter_id, side) for side in BILLING_SIDES if (encounter_id, side) in self.claims]

    def advance(self, side: slots.Side, cause: Cause) -> None:
        """Advance one claim."""
        self.latest = max(self.latest or cause.now, cause.now)
        claim = self.claims[side]._replace(checked_at=cause.now, reference_seen=self.reference.version)
        candidate = self.candidate(claim, cause)
        step = steps.advance(candidate, self.reference, self._applied(candidate), self.scrub)
        self.claims[side] = self.changes.save(_take(self, claim, candidate, step, cause))

    def candidate(self, claim: Claim, cause: Cause) -> steps.Candidate:
        """A claim with everything known about it."""
        encounter = self.encounters[claim.encounter_id]
        patient_id = encounter.patient_id
        coverages = self.coverages.get(patient_id, {}).values() if patient_id else ()
        facility = self.reference.facilities.get(encounter.visit.facility_npi) if encounter.visit else None
        zone = facility.time_zone if facility else _DEFAULT_ZONE
        return steps.Candidate(
            claim=claim,
            coding=self.codings[claim.encounter_id, claim.billing_side],
            encounter=encounter,
            patient=self.patients.get(patient_id) if patient_id else None,
            coverages=tuple(sorted(coverages, key=lambda item: str(item.coverage_id))),
            business_date=self.rulebook.business_day(zone, cause.now),
        )

    def _applied(self, candidate: steps.Candidate) -> steps.Applied:
        """What has been applied of the streams a claim may wait for, this chunk's events so far included."""
        applied = dict(self.applied)
        streams = [(ENCOUNTERS, str(candidate.encounter.encounter_id), candidate.encounter.sequence)]
        if candidate.patient is not None:
            streams.append((PATIENTS, str(candidate.patient.patient_id), candidate.patient.sequence))
        for topic, key, sequence in streams:
            applied[topic, key] = max(sequence, applied.get((topic, key), 0))
        return applied

    async def flush(self) -> None:
        """Write slots and claims; claims billed just now take up what had come for them before."""
        await catch_up(self.changes)
        self._see_to_a_sweep()
        touched = self._touched
        if "patients" in touched:
            await slots.write_patients(self.uow, _pick(self.patients, touched["patients"]))
        if self._touched_coverages:
            await slots.write_coverages(self.uow, list(self._touched_coverages.values()))
        if "encounters" in touched:
            await slots.write_encounters(self.uow, _pick(self.encounters, touched["encounters"]))
        if "codings" in touched:
            await slots.write_codings(self.uow, _pick(self.codings, touched["codings"]))
        await self.changes.flush()

    def _see_to_a_sweep(self) -> None:
        """Claims left waiting or held are looked at again within minutes, should nothing else wake them."""
        unfinished = (Preparation.WAITING, Preparation.HELD)
        if self.latest is not None and any(claim.state in unfinished for claim in self.claims.values()):
            schedule_sweep(self.uow, self.latest)


def schedule_sweep(uow: UnitOfWork, after: datetime) -> None:
    """Sweep in the second full minute after a time. One timer per minute: constant traffic cannot push it away."""
    due = after.replace(second=0, microsecond=0) + timedelta(minutes=2)
    uow.set_timer(f"sweep/{due:%Y-%m-%dT%H:%M}", SWEEP_TIMER, due)


def sweep_at_once(uow: UnitOfWork, now: datetime) -> None:
    """The set-up has changed: try again what was held for an older one."""
    uow.set_timer("sweep/set-up", SWEEP_TIMER, now)


def _pick(known: dict[Any, S], keys: Iterable[Any]) -> list[S]:
    return [known[key] for key in keys]


async def open_workspace(
    uow: UnitOfWork,
    rulebook: Rulebook,
    *,
    patient_ids: Iterable[UUID] = (),
    encounter_ids: Iterable[UUID] = (),
    codes: Iterable[str] = (),
) -> Workspace:
    """Lock the anchors (patients, then encounters), then the claims, and load what is decided from.

    Raises:
        Transient: an encounter got its patient between the look and the lock; the chunk is tried again.
    """
    encounter_set = set(encounter_ids)
    wanted = set(patient_ids) | await slots.patients_of(uow, encounter_set)
    patients = await slots.lock_patients(uow, wanted)
    encounters = await slots.lock_encounters(uow, encounter_set)
    if any(slot.patient_id and slot.patient_id not in patients for slot in encounters.values()):
        raise Transient("an encounter got its patient while the chunk was taking its locks")
    codings = await slots.codings_of(uow, encounter_set)
    claims = await claim_rows.lock_by_encounter(uow, encounter_set)
    changes = Changes(uow, {claim.claim_id: claim for claim in claims.values()})
    await changes.load_tasks(changes.claims)
    encounters_of: dict[UUID, list[UUID]] = {}
    for slot in encounters.values():
        if slot.patient_id:
            encounters_of.setdefault(slot.patient_id, []).append(slot.encounter_id)
    all_codes = {*codes, *(service.code for slot in codings.values() for service in slot.services)}
    return Workspace(
        uow=uow,
        rulebook=rulebook,
        reference=await reference_rows.load_reference(uow, all_codes),
        patients=patients,
        encounters=encounters,
        coverages=await slots.coverages_of(uow, wanted),
        codings=codings,
        claims=claims,
        changes=changes,
        encounters_of=encounters_of,
    )


def _take(
    workspace: Workspace, claim: Claim, candidate: steps.Candidate, step: steps.Step | None, cause: Cause
) -> Claim:
    """Carry out a step."""
    changes = workspace.changes
    if step is None:
        return claim
    if isinstance(step, steps.Diverged):
        work = Work("changed_after_submission", "billing", step.cause, step.remedy, claim.charge_cents)
        changes.open_claim_task(claim, work, cause)
        return claim
    claim = _identified(claim, candidate)
    if not isinstance(step, steps.Hold):
        changes.resolve_task(claim.claim_id, "claim_held", "cleared", POLICY, cause)
    if not isinstance(step, steps.Wait):
        changes.resolve_task(claim.claim_id, WAITING_LONG, "arrived", POLICY, cause)
    if isinstance(step, steps.Wait):
        return _wait(claim, step.waiting_for, cause)
    if isinstance(step, steps.Close):
        return _close(changes, claim, step.state, cause)
    record_draft(changes, claim, step.inputs, step.held if isinstance(step, steps.Hold) else step.draft, cause)
    if isinstance(step, steps.Hold):
        return _hold(changes, claim, step.held, cause)
    draft = step.draft
    claim = _drafted(changes, claim, draft, cause)
    if draft.self_pay:
        return bill_patient(changes, claim, draft, cause)
    order = Order(draft, ORIGINAL, candidate.business_date, prerequisites_of(candidate))
    return submit(changes, claim, order, cause, {})


def prerequisites_of(candidate: steps.Candidate) -> tuple[DependsOn, ...]:
    """The events a submission was decided on."""
    assert candidate.patient is not None, "a built claim has a patient"
    encounter_key = str(candidate.encounter.encounter_id)
    return (
        DependsOn(PATIENTS, str(candidate.patient.patient_id), candidate.patient.sequence),
        DependsOn(ENCOUNTERS, encounter_key, candidate.encounter.sequence),
        DependsOn(CODINGS, encounter_key, candidate.coding.sequence),
    )


def _identified(claim: Claim, candidate: steps.Candidate) -> Claim:
    """The claim with what the slots say it is about."""
    visit = candidate.encounter.visit
    coding_version = candidate.coding.coding_version
    if visit is None:
        return claim._replace(coding_version=coding_version)
    return claim._replace(
        coding_version=coding_version,
        patient_id=visit.patient_id,
        facility_npi=visit.facility_npi,
        encounter_number=visit.encounter_number,
        date_of_service=visit.date_of_service,
    )


def _wait(claim: Claim, waiting_for: str, cause: Cause) -> Claim:
    return claim._replace(state=Preparation.WAITING, holds=()).settle_as(None, waiting_for, cause.now)


def _close(changes: Changes, claim: Claim, state: str, cause: Cause) -> Claim:
    """Nothing is billed; nothing was."""
    if claim.state == state:
        return claim
    outcome = Outcome.VOIDED if state == Preparation.VOIDED else Outcome.NOT_BILLABLE
    closed = claim._replace(state=state, holds=(), closed=True).settle_as(outcome, None, cause.now)
    event = ClaimClosed(
        claim_id=claim.claim_id,
        encounter_id=claim.encounter_id,
        outcome=outcome,
        paid_cents=0,
        patient_responsibility_cents=0,
    )
    changes.emit(event, cause, closed)
    stop_filing_clock(changes, closed, cause)
    return closed


def record_draft(changes: Changes, claim: Claim, inputs: BuildInputs, output: ClaimDraft | Held, cause: Cause) -> None:
    """Store the decision to build or hold a claim, once per input."""
    rule = ("claim-draft", RULE_ID, RULE_VERSION)
    about = (claim.claim_id,)
    changes.add_decision(make_decision(changes.tenant_id, claim.claim_id, about, rule, inputs, output, cause.now))


def _drafted(changes: Changes, claim: Claim, built: ClaimDraft | Held, cause: Cause) -> Claim:
    """The claim with payer and charge; ClaimDrafted is said once."""
    claim = claim._replace(payer_id=built.payer_id, charge_cents=built.charge_cents, closed=False)
    if claim.drafted:
        return claim
    assert claim.patient_id and claim.facility_npi and claim.encounter_number and claim.date_of_service
    event = ClaimDrafted(
        claim_id=claim.claim_id,
        encounter_id=claim.encounter_id,
        patient_id=claim.patient_id,
        facility_npi=claim.facility_npi,
        billing_side=claim.billing_side,
        payer_id=built.payer_id,
        line_count=len(built.lines),
        charge_cents=built.charge_cents,
        encounter_number=claim.encounter_number,
        date_of_service=claim.date_of_service,
    )
    changes.emit(event, cause, claim)
    return claim._replace(drafted=True)


def _hold(changes: Changes, claim: Claim, held: Held, cause: Cause) -> Claim:
    """Hold the claim with all reasons, one work item, and the filing clock running."""
    before = claim
    claim = _drafted(changes, claim, held, cause)
    claim = claim._replace(state=Preparation.HELD, holds=held.reasons, filing_deadline=held.filing_deadline)
    claim = claim.settle_as(Outcome.HELD, None, cause.now)
    if claim.holds != before.holds:
        reasons = [
            HoldReason(
                rule=item.rule,
                field=item.field,
                owner=item.owner,
                expected=item.expected,
                line_number=item.line_number,
                rule_version=item.rule_version,
                release=item.release,
            )
            for item in held.reasons
        ]
        event = ClaimHeld(
            claim_id=claim.claim_id, encounter_id=claim.encounter_id, payer_id=claim.payer_id, reasons=reasons
        )
        changes.emit(event, cause, claim)
        changes.set_lines(claim.claim_id, [claim_rows.ClaimLineRow(claim.claim_id, line, None) for line in held.lines])
    if claim.filing_deadline != before.filing_deadline:
        set_filing_timer(changes, claim)
    changes.open_claim_task(claim, _held_work(claim), cause)
    return claim


def _held_work(claim: Claim) -> Work:
    rules = sorted({f"{item.rule} version {item.rule_version} ({item.release})" for item in claim.holds})
    remedies = list(dict.fromkeys(f"{item.field}: {item.expected}" for item in claim.holds))
    return Work(
        kind="claim_held",
        owner=claim.holds[0].owner,
        cause=", ".join(rules),
        remedy="; ".join(remedies[:5]),
        money_at_stake_cents=claim.charge_cents,
        due_date=claim.filing_deadline,
    )


def new_claim(side: slots.Side, cause: Cause) -> Claim:
    """A claim as the first coding of a billing side brings it into being."""
    now = cause.now.astimezone(UTC)
    claim_id = cause.derive(f"claim:{side[1]}")
    return Claim(claim_id=claim_id, encounter_id=side[0], billing_side=side[1], created_at=now, since=now)
