"""Building a claim: coded services times prices, for the payer in force, or every reason why it may not go out."""

from datetime import date, timedelta
from typing import Final

from revcycle_edi.npi import is_valid_npi
from revcycle_events import (
    BillingProvider,
    ClaimPatient,
    CodedService,
    CoveragePolicy,
    PatientDetails,
    RenderingProvider,
    Subscriber,
    Value,
)

from revcycle_claims.domain.holds import MAX_LINES, Hold, hold, scrub_hold
from revcycle_claims.domain.reference import SELF_PAY, Facility, Payer, Price, find_price
from revcycle_claims.domain.scrub import Scrub
from revcycle_claims.domain.slots import CodingSlot, CoverageSlot, PatientSlot, Visit, primary_coverage

RULE_ID: Final = "build-claim"


class BuildInputs(Value):
    """Everything a claim is decided from. Stored with the decision, so that it can be taken again."""

    billing_side: str
    visit: Visit
    coding: CodingSlot
    patient: PatientSlot
    coverages: tuple[CoverageSlot, ...]
    facility: Facility | None
    payers: tuple[Payer, ...]
    prices: tuple[Price, ...]
    business_date: date
    scrub: Scrub
    manual_hold: str | None = None


class DraftLine(Value):
    """A priced service line; ``charge_cents`` is unit price times units."""

    line_number: int
    code: str
    modifiers: tuple[str, ...]
    units: int
    unit_price_cents: int
    charge_cents: int
    diagnosis_pointers: tuple[int, ...]


class ClaimDraft(Value):
    """A claim that may go out. Two equal drafts put the same claim before the payer."""

    billing_side: str
    payer_id: str
    payer_name: str
    coverage_id: str
    encounter_number: str
    date_of_service: date
    place_of_service: str
    filing_deadline: date | None
    billing_provider: BillingProvider
    rendering_provider: RenderingProvider
    patient: ClaimPatient
    subscriber: Subscriber
    diagnoses: tuple[str, ...]
    lines: tuple[DraftLine, ...]
    charge_cents: int

    @property
    def self_pay(self) -> bool:
        """Whether the whole charge is the patient's and nothing goes to a payer."""
        return self.payer_id == SELF_PAY


class Held(Value):
    """A claim that may not go out: all reasons, and as much of it as could be built."""

    reasons: tuple[Hold, ...]
    payer_id: str | None
    filing_deadline: date | None
    lines: tuple[DraftLine, ...]
    charge_cents: int


def build_claim(inputs: BuildInputs) -> ClaimDraft | Held:
    """Build the claim of a coded encounter, or collect every reason against it."""
    coverage = primary_coverage(inputs.coverages, inputs.visit.date_of_service)
    payer = _payer_of(coverage, inputs.payers)
    deadline = filing_deadline(inputs.visit.date_of_service, payer)
    lines = _price_lines(inputs)
    reasons = (
        *_setup_holds(inputs, coverage, payer),
        *_date_holds(inputs, deadline),
        *_patient_holds(inputs.patient.details, coverage),
        *(scrub_hold(reason) for reason in inputs.scrub.reasons),
        *_line_holds(inputs, lines),
        *([hold("manual_hold", "claim")] if inputs.manual_hold else []),
    )
    charge_cents = sum(line.charge_cents for line in lines)
    if reasons or coverage is None or payer is None or inputs.facility is None:
        payer_id = coverage.payer_id if coverage else None
        return Held(
            reasons=reasons, payer_id=payer_id, filing_deadline=deadline, lines=lines, charge_cents=charge_cents
        )
    assert inputs.patient.details is not None, "a missing patient is a hold"
    return ClaimDraft(
        billing_side=inputs.billing_side,
        payer_id=payer.payer_id,
        payer_name=payer.name,
        coverage_id=str(coverage.coverage_id),
        encounter_number=inputs.visit.encounter_number,
        date_of_service=inputs.visit.date_of_service,
        place_of_service=inputs.visit.place_of_service,
        filing_deadline=deadline,
        billing_provider=_billing_provider(inputs.facility),
        rendering_provider=inputs.visit.rendering_provider,
        patient=_claim_patient(inputs.patient.details),
        subscriber=_subscriber(inputs.patient.details, coverage.policy),
        diagnoses=inputs.coding.diagnoses,
        lines=lines,
        charge_cents=charge_cents,
    )


def filing_deadline(date_of_service: date, payer: Payer | None) -> date | None:
    """The last day a payer takes the claim: date of service plus its limit; None for self-pay or no known payer."""
    if payer is None or payer.payer_id == SELF_PAY:
        return None
    return date_of_service + timedelta(days=payer.filing_limit_days)


def _payer_of(coverage: CoverageSlot | None, payers: tuple[Payer, ...]) -> Payer | None:
    if coverage is None:
        return None
    if coverage.payer_id == SELF_PAY:
        return Payer(payer_id=SELF_PAY, name="Self-pay", filing_limit_days=0)
    return next((payer for payer in payers if payer.payer_id == coverage.payer_id), None)


def _price_lines(inputs: BuildInputs) -> tuple[DraftLine, ...]:
    """The lines that have a price and a positive charge, in the coding's order."""
    lines = []
    for service in inputs.coding.services:
        price = find_price(inputs.prices, service.code, service.modifiers, inputs.visit.date_of_service)
        if price is not None:
            lines.append(_priced(service, price.price_cents))
    return tuple(lines)


def _priced(service: CodedService, unit_price_cents: int) -> DraftLine:
    return DraftLine(
        line_number=service.line_number,
        code=service.code,
        modifiers=tuple(service.modifiers),
        units=service.units,
        unit_price_cents=unit_price_cents,
        charge_cents=unit_price_cents * service.units,
        diagnosis_pointers=tuple(service.diagnosis_pointers),
    )


def _setup_holds(inputs: BuildInputs, coverage: CoverageSlot | None, payer: Payer | None) -> list[Hold]:
    holds = []
    if inputs.facility is None:
        holds.append(hold("unknown_facility", "facility_npi"))
    if coverage is None:
        holds.append(hold("coverage_not_in_force", "coverages"))
    elif payer is None:
        holds.append(hold("unknown_payer", "coverages.payer_id"))
    if not is_valid_npi(inputs.visit.facility_npi):
        holds.append(hold("invalid_npi", "facility_npi"))
    if not is_valid_npi(inputs.visit.rendering_provider.npi):
        holds.append(hold("invalid_npi", "rendering_provider.npi"))
    return holds


def _date_holds(inputs: BuildInputs, deadline: date | None) -> list[Hold]:
    holds = []
    if inputs.visit.date_of_service > inputs.business_date:
        holds.append(hold("future_date_of_service", "date_of_service"))
    if inputs.coding.date_of_service != inputs.visit.date_of_service:
        holds.append(hold("date_of_service_differs", "date_of_service"))
    if deadline is not None and inputs.business_date > deadline:
        holds.append(hold("past_filing_limit", "date_of_service"))
    return holds


def _patient_holds(details: PatientDetails | None, coverage: CoverageSlot | None) -> list[Hold]:
    required = ("last_name", "first_name", "birth_date", "sex", "address")
    holds = [
        hold("patient_incomplete", f"patient.{field}")
        for field in required
        if details is None or not getattr(details, field)
    ]
    if coverage is not None and coverage.policy.relationship != "self" and coverage.policy.subscriber is None:
        holds.append(hold("missing_subscriber", "coverages.subscriber"))
    return holds


def _line_holds(inputs: BuildInputs, lines: tuple[DraftLine, ...]) -> list[Hold]:
    services = inputs.coding.services
    holds = []
    if len(services) > MAX_LINES:
        holds.append(hold("too_many_lines", "services"))
    priced = {line.line_number: line for line in lines}
    for index, service in enumerate(services):
        field, number = f"services[{index}]", service.line_number
        line = priced.get(number)
        if line is None:
            holds.append(hold("no_price", f"{field}.code", number))
        elif line.charge_cents <= 0:
            holds.append(hold("charge_not_positive", f"{field}.charge_cents", number))
    return holds


def _billing_provider(facility: Facility) -> BillingProvider:
    return BillingProvider(
        npi=facility.npi,
        name=facility.name,
        tax_id=facility.tax_id,
        taxonomy=facility.taxonomy,
        address=facility.address,
    )


def _claim_patient(details: PatientDetails) -> ClaimPatient:
    """The patient as the claim names them; what is missing has held the claim before."""
    assert details.last_name and details.first_name and details.birth_date and details.sex and details.address
    return ClaimPatient(
        last_name=details.last_name,
        first_name=details.first_name,
        middle_name=details.middle_name,
        birth_date=details.birth_date,
        sex=details.sex,
        address=details.address,
    )


def _subscriber(details: PatientDetails, policy: CoveragePolicy) -> Subscriber:
    """The policy holder: the patient, or the person the policy names."""
    person = policy.subscriber
    if policy.relationship == "self" or person is None:
        assert details.last_name and details.first_name
        last_name, first_name, birth_date, sex = (
            details.last_name,
            details.first_name,
            details.birth_date,
            details.sex,
        )
    else:
        last_name, first_name, birth_date, sex = person.last_name, person.first_name, person.birth_date, person.sex
    return Subscriber(
        member_id=policy.member_id,
        group_number=policy.group_number,
        relationship=policy.relationship,
        last_name=last_name,
        first_name=first_name,
        birth_date=birth_date,
        sex=sex,
    )
