"""Request and response bodies. Names are the encounter file's own; these models are never used as events."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from revcycle_service_kit import FieldError

from revcycle_registration.domain.coverage import Coverage
from revcycle_registration.domain.encounter_file import (
    REQUIRED,
    AddressPart,
    BirthDate,
    CoveragePart,
    Npi,
    Part,
    PatientPart,
    PostalCode,
    Sex,
    State,
    Text60,
    Text80,
)
from revcycle_registration.domain.findings import Finding
from revcycle_registration.domain.intake import Outcome
from revcycle_registration.domain.patient import Patient, missing_to_bill

ENCOUNTERS_PER_INTAKE_MAX = 500

Name = Annotated[Text60, Field(min_length=1), REQUIRED]


def field_errors(findings: Sequence[Finding], prefix: str = "") -> tuple[FieldError, ...]:
    """Findings as the problem format writes them."""
    return tuple(
        FieldError(field=prefix + each.field, rule=each.rule, message=each.message, expected=each.expected)
        for each in findings
    )


class FindingBody(BaseModel):
    """What is not right: the field, the rule, and what would be right. Never repeats the value."""

    field: str = Field(examples=["patient.nickname"])
    rule: str = Field(examples=["unknown_field"])
    message: str = Field(examples=["is not part of the format"])
    expected: str = Field(examples=["remove it; the fields are listed in the format"])

    @classmethod
    def of(cls, finding: Finding) -> "FindingBody":
        """The body of a finding."""
        return cls(field=finding.field, rule=finding.rule, message=finding.message, expected=finding.expected)


class EncounterResult(BaseModel):
    """The answer to one encounter file of an intake."""

    index: int = Field(description="Position in the request, from 0", examples=[0])
    encounter_number: str | None = Field(description="As sent; null when it could not be read", examples=["T-0001"])
    status: Literal["created", "updated", "unchanged", "refused"]
    encounter_id: UUID | None = None
    patient_id: UUID | None = None
    state: str | None = Field(default=None, description="open, documented or cancelled")
    blocked_by: list[str] = Field(default=[], description="What keeps the encounter from being billed")
    left_to_coding: list[str] = Field(default=[], description="What a coder may still supply; holds nothing here")
    errors: list[FindingBody] = Field(default=[], description="Why the file was refused, all reasons at once")

    @classmethod
    def of(cls, index: int, encounter_number: str | None, outcome: Outcome) -> "EncounterResult":
        """The body of an outcome."""
        return cls(
            index=index,
            encounter_number=encounter_number,
            status=outcome.status,
            encounter_id=outcome.encounter_id,
            patient_id=outcome.patient_id,
            state=outcome.state,
            blocked_by=list(outcome.blocked_by),
            left_to_coding=list(outcome.left_to_coding),
            errors=[FindingBody.of(each) for each in outcome.errors],
        )


class IntakeReply(BaseModel):
    """One result per encounter file, in the order of the request."""

    results: list[EncounterResult]


class FacilityAddress(Part):
    """Street address of a facility; the ZIP code with 5 or 9 digits."""

    line1: Name
    line2: Name | None = None
    city: Name
    state: State
    postal_code: PostalCode


class FacilityBody(Part):
    """A facility as it bills."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Example Clinic",
                "tax_id": "990000001",
                "taxonomy": "261QP2300X",
                "address": {
                    "line1": "1 Example Street",
                    "city": "Sampleton",
                    "state": "OR",
                    "postal_code": "973010001",
                },
                "time_zone": "America/Los_Angeles",
            }
        }
    )
    name: Name
    tax_id: Annotated[str, Field(pattern=r"^[0-9]{9}$", description="9 digits, no dash")]
    address: FacilityAddress
    time_zone: Annotated[str, Field(description="IANA name", examples=["America/Los_Angeles"], max_length=60)]
    taxonomy: Name | None = None


class FacilityView(FacilityBody):
    """A facility of the tenant."""

    npi: str


class PayerBody(Part):
    """A payer the tenant bills; the filing limit counts from the date of service."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Example Health Plan", "filing_limit_days": 90}})
    name: Name
    filing_limit_days: Annotated[int, Field(strict=True, ge=1, le=1095)]


class PayerView(PayerBody):
    """A payer of the tenant."""

    payer_id: str


class PatientBody(PatientPart):
    """A new patient of a facility; only record number and name are needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "facility_npi": "1900000005",
                "medical_record_number": "MRN-T-1",
                "last_name": "Testperson",
                "first_name": "Una",
            }
        }
    )
    facility_npi: Npi


def _name_stays(value: object) -> object:
    if value is None:
        raise ValueError("a name can be changed but not forgotten")
    return value


class PatientPatch(Part):
    """What to change: a field that is left out keeps its value, null forgets it (but for the name)."""

    model_config = ConfigDict(json_schema_extra={"example": {"phone": "555-0100", "address": {"city": "Sampleton"}}})
    last_name: Annotated[Name | None, BeforeValidator(_name_stays)] = None
    first_name: Annotated[Name | None, BeforeValidator(_name_stays)] = None
    middle_name: Name | None = None
    birth_date: BirthDate | None = None
    sex: Sex | None = None
    phone: Name | None = None
    address: AddressPart | None = None


class PatientView(BaseModel):
    """A patient. ``missing`` names what must be known before a claim can name them."""

    patient_id: UUID
    facility_npi: str
    medical_record_number: str
    missing: list[str]
    last_name: str | None
    first_name: str | None
    middle_name: str | None
    birth_date: date | None
    sex: str | None
    phone: str | None
    address: AddressPart

    @classmethod
    def of(cls, patient: Patient) -> "PatientView":
        """The view of a patient."""
        known = patient.demographics
        return cls(
            patient_id=patient.id,
            facility_npi=patient.facility_npi,
            medical_record_number=patient.medical_record_number,
            last_name=known.last_name,
            first_name=known.first_name,
            middle_name=known.middle_name,
            birth_date=known.birth_date,
            sex=known.sex,
            phone=known.phone,
            address=AddressPart.model_construct(
                line1=known.line1,
                line2=known.line2,
                city=known.city,
                state=known.state,
                postal_code=known.postal_code,
            ),
            missing=list(missing_to_bill(known)),
        )


class PatientSearch(Part):
    """Record numbers of one facility; they never stand in an address."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"facility_npi": "1900000005", "medical_record_numbers": ["MRN-T-1"]}}
    )
    facility_npi: Npi
    medical_record_numbers: Annotated[list[Annotated[Text80, REQUIRED]], Field(min_length=1, max_length=500)]


class PatientList(BaseModel):
    """What a search found."""

    items: list[PatientView]


class CoverageBody(CoveragePart):
    """A coverage of a patient; the same payer and member id with an overlapping period corrects the known one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "rank": 1,
                "payer_id": "REVPAY1",
                "member_id": "TEST000001",
                "relationship": "self",
                "effective_from": "2026-01-01",
            }
        }
    )


class SubscriberView(BaseModel):
    """Who holds the policy when the patient does not."""

    last_name: str
    first_name: str
    birth_date: date | None
    sex: str | None


class CoverageView(BaseModel):
    """A coverage as now known. ``effective_to`` is its last day; null: open."""

    coverage_id: UUID
    rank: int
    payer_id: str
    member_id: str
    group_number: str | None
    relationship: str
    effective_from: date
    effective_to: date | None
    subscriber: SubscriberView | None

    @classmethod
    def of(cls, coverage: Coverage) -> "CoverageView":
        """The view of a coverage."""
        policy = coverage.policy
        holder = policy.subscriber
        return cls(
            coverage_id=coverage.id,
            rank=policy.rank,
            payer_id=policy.payer_id,
            member_id=policy.member_id,
            group_number=policy.group_number,
            relationship=policy.relationship,
            effective_from=policy.effective_from,
            effective_to=policy.effective_to,
            subscriber=SubscriberView(
                last_name=holder.last_name,
                first_name=holder.first_name,
                birth_date=holder.birth_date,
                sex=holder.sex,
            )
            if holder
            else None,
        )


class CoverageList(BaseModel):
    """Coverages of a patient. With a date: those in force then, in billing order, and the one answer ``primary``."""

    items: list[CoverageView]
    primary: CoverageView | None = None
