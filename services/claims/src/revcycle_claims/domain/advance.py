"""The one decision that takes a claim forward, whichever event came last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from revcycle_claims.domain.build_claim import BuildInputs, ClaimDraft, Held, build_claim
from revcycle_claims.domain.claim import Claim
from revcycle_claims.domain.decisions import sha256_of
from revcycle_claims.domain.reference import SELF_PAY, Facility, Payer, Price
from revcycle_claims.domain.scrub import NOT_SCRUBBED, Scrub
from revcycle_claims.domain.slots import CodingSlot, CoverageSlot, EncounterSlot, PatientSlot, Prerequisite

_WAIT_BY_TOPIC: Final = {"revcycle.patients.v1": "coverage", "revcycle.encounters.v1": "encounter"}

Applied = Mapping[tuple[str, str], int]
"""(topic, key) to the last sequence applied here."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The set-up of a tenant, as far as a chunk needs it. Prices are keyed by code."""

    facilities: Mapping[str, Facility]
    payers: Mapping[str, Payer]
    prices: Mapping[str, tuple[Price, ...]]
    version: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claim and everything known about it."""

    claim: Claim
    coding: CodingSlot
    encounter: EncounterSlot
    patient: PatientSlot | None
    coverages: tuple[CoverageSlot, ...]
    business_date: date


@dataclass(frozen=True, slots=True)
class Wait:
    """A prerequisite has not arrived: ``waiting_for`` is encounter, patient or coverage."""

    waiting_for: str


@dataclass(frozen=True, slots=True)
class Hold:
    """The claim may not go out."""

    inputs: BuildInputs
    held: Held


@dataclass(frozen=True, slots=True)
class Bill:
    """The claim goes out: to the payer, or for self-pay to the patient."""

    inputs: BuildInputs
    draft: ClaimDraft


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing of the encounter is billed: ``state`` is not_billable or voided."""

    state: str


@dataclass(frozen=True, slots=True)
class Diverged:
    """The claim has gone out and no longer says what is known now. What to do is a biller's decision."""

    cause: str
    remedy: str


Step = Wait | Hold | Bill | Close | Diverged
"""What happens next. None stands for: nothing."""


def advance(
    candidate: Candidate, reference: Reference, applied: Applied, scrub: Callable[[Candidate], Scrub]
) -> Step | None:
    """Decide the next step of a claim from all that is known, in whatever order it came.

    ``scrub`` says what the edit rules make of it; it is asked only for a claim that could go out.
    """
    if not candidate.claim.in_preparation:
        return _compare(candidate, reference)
    if candidate.coding.not_billable is not None:
        return Close("not_billable")
    if candidate.encounter.cancelled is not None:
        return Close("voided")
    waiting_for = _missing(candidate, applied)
    if waiting_for is not None:
        return Wait(waiting_for)
    inputs = build_inputs(candidate, reference, scrub(candidate))
    built = build_claim(inputs)
    return Hold(inputs, built) if isinstance(built, Held) else Bill(inputs, built)


def build_inputs(candidate: Candidate, reference: Reference, scrub: Scrub) -> BuildInputs:
    """The part of what is known that a claim is built from. The encounter is documented and the patient known."""
    visit, coding = candidate.encounter.visit, candidate.coding
    assert visit is not None and candidate.patient is not None, "the caller has seen to the prerequisites"
    payer_ids = sorted({coverage.payer_id for coverage in candidate.coverages} - {SELF_PAY})
    codes = sorted({service.code for service in coding.services})
    return BuildInputs(
        billing_side=candidate.claim.billing_side,
        visit=visit,
        coding=coding,
        patient=candidate.patient,
        coverages=candidate.coverages,
        facility=reference.facilities.get(visit.facility_npi),
        payers=tuple(reference.payers[payer_id] for payer_id in payer_ids if payer_id in reference.payers),
        prices=tuple(price for code in codes for price in reference.prices.get(code, ())),
        business_date=candidate.business_date,
        scrub=scrub,
        manual_hold=candidate.claim.manual_hold,
    )


def _missing(candidate: Candidate, applied: Applied) -> str | None:
    """The first prerequisite that has not arrived, or None."""
    if candidate.encounter.visit is None:
        return "encounter"
    if candidate.patient is None or candidate.patient.details is None:
        return "patient"
    wanted: tuple[Prerequisite, ...] = (*candidate.coding.prerequisites, *candidate.encounter.prerequisites)
    for prerequisite in wanted:
        waiting_for = _WAIT_BY_TOPIC.get(prerequisite.topic)
        if waiting_for and applied.get((prerequisite.topic, prerequisite.key), 0) < prerequisite.sequence:
            return waiting_for
    return None


def _compare(candidate: Candidate, reference: Reference) -> Diverged | None:
    """Whether a claim that has gone out still says what is known; a claim to be sent anew is expected not to."""
    if candidate.claim.may_start_over or candidate.claim.state == "voided":
        return None
    if candidate.encounter.cancelled is not None:
        return Diverged("encounter_cancelled", "void the claim (frequency 8), or correct the encounter")
    if candidate.coding.not_billable is not None:
        return Diverged("coded_not_billable", "void the claim (frequency 8), or reopen the coding")
    if candidate.encounter.visit is None or candidate.patient is None or candidate.patient.details is None:
        return None
    built = build_claim(build_inputs(candidate, reference, NOT_SCRUBBED))
    if isinstance(built, Held) and all(reason.rule == "past_filing_limit" for reason in built.reasons):
        return None  # The clock ran on, the claim that went out in time is not concerned.
    if isinstance(built, ClaimDraft) and sha256_of(built) == candidate.claim.draft_hash:
        return None
    return Diverged("recoded_after_submission", "compare with what was sent; replace it (frequency 7) if it matters")
