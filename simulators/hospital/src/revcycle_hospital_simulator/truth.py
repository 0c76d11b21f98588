"""What must become of a visit, to the cent: computed from the payers' benefit plan before anything is sent."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from revcycle_payer_simulator import benefit_plan
from revcycle_payer_simulator.benefit_plan import PlanClaim, PlanLine, PlanOutcome

from revcycle_hospital_simulator.catalogue import SELF_PAY
from revcycle_hospital_simulator.fee_schedule import price_cents
from revcycle_hospital_simulator.visits import Visit

Outcome = Literal["refused", "blocked", "worklist", "held", "rejected", "denied", "partly_paid", "paid", "patient_only"]
OUTCOMES: tuple[Outcome, ...] = (
    *("refused", "blocked", "worklist", "held", "rejected"),
    *("denied", "partly_paid", "paid", "patient_only"),
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How an encounter ends, what the payer pays and what the patient owes, and why."""

    outcome: Outcome
    why: str
    paid_cents: int = 0
    patient_cents: int = 0


def plan_claim(visit: Visit, business_date: date) -> PlanClaim:
    """The claim of a visit as the payer reads it.

    Raises:
        ValueError: a service has no price on the day; such a visit never becomes a claim.
    """
    lines = []
    for number, service in enumerate(visit.services, start=1):
        price = price_cents(service.code, visit.date_of_service)
        if price is None:
            raise ValueError(f"no price for {service.code} on {visit.date_of_service}")
        lines.append(
            PlanLine(
                line_number=number,
                date_of_service=visit.date_of_service,
                code=service.code,
                modifiers=service.modifiers,
                units=service.units,
                charge_cents=price * service.units,
                diagnosis_pointers=service.diagnosis_pointers,
            )
        )
    return PlanClaim(
        member_id=visit.coverages[-1].member_id,
        billing_npi=visit.facility_npi,
        rendering_npi=visit.provider.npi,
        place_of_service=visit.place_of_service,
        diagnosis_codes=visit.diagnoses,
        lines=tuple(lines),
        received_on=business_date,
    )


def expect_billed(seed: int, visit: Visit, business_date: date) -> Expectation:
    """What becomes of a visit that passes every edit of ours and is billed under its last coverage."""
    payer_id = visit.coverages[-1].payer_id
    claim = plan_claim(visit, business_date)
    if payer_id == SELF_PAY:
        return Expectation("patient_only", "self-pay: the patient is billed", 0, claim.charge_cents)
    rejection = benefit_plan.front_end_rejection(claim, business_date)
    if rejection is not None:
        return Expectation("rejected", f"the payer's front end: {rejection.code}, {rejection.rule}")
    return _as_adjudicated(benefit_plan.adjudicate(seed, payer_id, claim))


def expect_duplicate(visit: Visit, business_date: date) -> Expectation:
    """What becomes of a visit that was billed and adjudicated before under another number."""
    return _as_adjudicated(benefit_plan.deny_as_duplicate(plan_claim(visit, business_date)))


def is_processable(seed: int, visit: Visit, business_date: date) -> bool:
    """Whether the payer adjudicates the visit in a way that makes a later copy a duplicate."""
    claim = plan_claim(visit, business_date)
    if benefit_plan.front_end_rejection(claim, business_date) is not None:
        return False
    return not benefit_plan.adjudicate(seed, visit.coverages[-1].payer_id, claim).unprocessable


def _as_adjudicated(answer: PlanOutcome) -> Expectation:
    carcs = ", ".join(answer.denial_carcs)
    if answer.kind == "denied":
        return Expectation("denied", f"denied: CARC {carcs}")
    if answer.kind == "partly_paid":
        why = f"some lines denied: CARC {carcs}"
        return Expectation("partly_paid", why, answer.paid_cents, answer.patient_cents)
    why = "paid" if answer.paid_cents else "the patient's share takes all that is allowed"
    return Expectation("paid", why, answer.paid_cents, answer.patient_cents)


def truth_line(visit: Visit, expected: Expectation) -> str:
    """One line of truth.jsonl, without its end of line."""
    return json.dumps(
        {
            "encounter_number": visit.encounter_number,
            "facility_npi": visit.facility_npi,
            "expected": expected.outcome,
            "paid_cents": expected.paid_cents,
            "patient_cents": expected.patient_cents,
            "why": expected.why,
        }
    )


def write_truth(path: Path, known: Iterable[tuple[Visit, Expectation]]) -> None:
    """Write the whole truth, one object a line."""
    path.write_text("".join(truth_line(visit, expected) + "\n" for visit, expected in known), encoding="utf-8")
