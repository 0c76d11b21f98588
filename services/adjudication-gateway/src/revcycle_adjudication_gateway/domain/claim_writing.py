"""Turns a submission into the records an 837P or a 276 is written from: words into words, no decision."""

from decimal import Decimal

from revcycle_edi.x12.records import (
    Address,
    BillingProvider,
    Demographics,
    Name,
    Patient,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Provider,
    StatusInquiry,
    Subscriber,
)
from revcycle_events import Address as EventAddress
from revcycle_events import ClaimSubmitted

_RELATIONSHIP_CODES = {"spouse": "01", "child": "19"}
_OTHER_RELATIONSHIP = "G8"
_SELF = "self"


def professional_claim(claim: ClaimSubmitted) -> ProfessionalClaim:
    """The claim of an 837P: patient apart from the subscriber unless they are one person."""
    return ProfessionalClaim(
        claim_id=claim.patient_control_number,
        charge_cents=claim.charge_cents,
        frequency_code=claim.frequency,
        payer_claim_control_number=claim.payer_claim_control_number or "",
        place_of_service=claim.place_of_service,
        billing_provider=BillingProvider(
            name=claim.billing_provider.name,
            npi=claim.billing_provider.npi,
            tax_id=claim.billing_provider.tax_id,
            taxonomy_code=claim.billing_provider.taxonomy or "",
            address=_address(claim.billing_provider.address),
        ),
        subscriber=_subscriber(claim),
        patient=_patient(claim),
        payer=Payer(name=claim.payer_name, payer_id=claim.payer_id),
        rendering_provider=Provider(
            last_name=claim.rendering_provider.last_name,
            first_name=claim.rendering_provider.first_name,
            npi=claim.rendering_provider.npi,
            taxonomy_code=claim.rendering_provider.taxonomy or "",
        ),
        diagnosis_codes=tuple(claim.diagnoses),
        lines=tuple(
            ProfessionalLine(
                procedure_code=line.code,
                modifiers=tuple(line.modifiers),
                charge_cents=line.charge_cents,
                units=Decimal(line.units),
                diagnosis_pointers=tuple(line.diagnosis_pointers),
                service_from=claim.date_of_service,
                control_number=line.line_control_number,
            )
            for line in claim.lines
        ),
    )


def status_inquiry(claim: ClaimSubmitted, trace: str, sender_name: str, sender_id: str) -> StatusInquiry:
    """A question about one submission: CLM01 and, because replacements keep it, the frequency in the bill type."""
    patient = None if claim.subscriber.relationship == _SELF else claim.patient
    subscriber = claim.subscriber
    return StatusInquiry(
        trace_number=trace,
        payer=Name(entity_type="2", last_name=claim.payer_name, id_qualifier="PI", id=claim.payer_id),
        receiver=Name(entity_type="2", last_name=sender_name, id_qualifier="46", id=sender_id),
        provider=Name(
            entity_type="2", last_name=claim.billing_provider.name, id_qualifier="XX", id=claim.billing_provider.npi
        ),
        subscriber=Name(
            last_name=subscriber.last_name, first_name=subscriber.first_name, id_qualifier="MI", id=subscriber.member_id
        ),
        subscriber_demographics=Demographics(birth_date=subscriber.birth_date, sex=subscriber.sex or "")
        if patient
        else Demographics(birth_date=claim.patient.birth_date, sex=claim.patient.sex),
        dependent=Name(last_name=patient.last_name, first_name=patient.first_name) if patient else None,
        dependent_demographics=Demographics(birth_date=patient.birth_date, sex=patient.sex)
        if patient
        else Demographics(),
        claim_id=claim.patient_control_number,
        bill_type=f"{claim.place_of_service}{claim.frequency}",
        charge_cents=claim.charge_cents,
        service_from=claim.date_of_service,
    )


def _subscriber(claim: ClaimSubmitted) -> Subscriber:
    subscriber = claim.subscriber
    is_patient = subscriber.relationship == _SELF
    return Subscriber(
        member_id=subscriber.member_id,
        group_number=subscriber.group_number or "",
        last_name=claim.patient.last_name if is_patient else subscriber.last_name,
        first_name=claim.patient.first_name if is_patient else subscriber.first_name,
        birth_date=claim.patient.birth_date if is_patient else subscriber.birth_date,
        sex=claim.patient.sex if is_patient else subscriber.sex or "",
        address=_address(claim.patient.address) if is_patient else None,
    )


def _patient(claim: ClaimSubmitted) -> Patient | None:
    if claim.subscriber.relationship == _SELF:
        return None
    return Patient(
        relationship_code=_RELATIONSHIP_CODES.get(claim.subscriber.relationship, _OTHER_RELATIONSHIP),
        last_name=claim.patient.last_name,
        first_name=claim.patient.first_name,
        middle_name=claim.patient.middle_name or "",
        birth_date=claim.patient.birth_date,
        sex=claim.patient.sex,
        address=_address(claim.patient.address),
    )


def _address(address: EventAddress) -> Address:
    return Address(
        line1=address.line1 or "",
        line2=address.line2 or "",
        city=address.city or "",
        state=address.state or "",
        postal_code="".join(digit for digit in address.postal_code or "" if digit.isdecimal()),
    )
