"""Records of the 837: professional, institutional and dental claims with their service lines."""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from revcycle_edi.x12.records.common import (
    Address,
    Adjustment,
    Contact,
    Envelope,
    Name,
    QualifiedAmount,
    QualifiedDate,
    RawSegment,
    Reference,
)


class SubmissionHeader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """BHT, 1000A and 1000B of an 837. reference is BHT03, which the 277CA echoes as the batch trace."""

    reference: str
    submitter_name: str
    submitter_id: str
    receiver_name: str
    receiver_id: str
    contact_name: str = ""
    contact_phone: str = ""
    contact_email: str = ""
    purpose_code: Literal["00", "18"] = "00"
    usage_code: Literal["CH", "RP", "31"] = "CH"


class BillingProvider(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2010AA (and 2000A PRV, 2010AB). name is the last name when first_name is given (a person bills).

    The address is a street address with a nine-digit postal code; a PO box belongs in pay_to_address.
    """

    name: str
    npi: str
    tax_id: str
    address: Address
    first_name: str = ""
    middle_name: str = ""
    suffix: str = ""
    entity_type: Literal["1", "2"] = "2"
    tax_id_qualifier: Literal["EI", "SY"] = "EI"
    taxonomy_code: str = ""
    contact: Contact | None = None
    pay_to_address: Address | None = None
    references: tuple[Reference, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class Subscriber(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loops 2000B and 2010BA. birth_date, sex and address are needed only when the subscriber is the patient.

    responsibility is SBR01 (P, S, T, ...), filing_code SBR09 (CI, MB, MC, BL, ...).
    """

    member_id: str
    last_name: str
    first_name: str = ""
    middle_name: str = ""
    suffix: str = ""
    entity_type: Literal["1", "2"] = "1"
    birth_date: date | None = None
    sex: str = ""
    address: Address | None = None
    responsibility: str = "P"
    group_number: str = ""
    group_name: str = ""
    insurance_type_code: str = ""
    filing_code: str = "CI"
    references: tuple[Reference, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class Patient(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loops 2000C and 2010CA: a patient who is not the subscriber. relationship_code is PAT01 (01, 19, 20, G8, ...)."""

    relationship_code: str
    last_name: str
    first_name: str = ""
    middle_name: str = ""
    suffix: str = ""
    birth_date: date | None = None
    sex: str = ""
    address: Address | None = None
    references: tuple[Reference, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class Payer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2010BB: the payer the claim is for."""

    name: str
    payer_id: str
    id_qualifier: str = "PI"
    address: Address | None = None
    references: tuple[Reference, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class Provider(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An NM1 provider loop (rendering 82, referring DN, supervising DQ, facility 77, attending 71, ...)."""

    last_name: str = ""
    npi: str = ""
    first_name: str = ""
    middle_name: str = ""
    suffix: str = ""
    entity_type: Literal["1", "2"] = "1"
    taxonomy_code: str = ""
    address: Address | None = None
    references: tuple[Reference, ...] = ()


class Note(msgspec.Struct, frozen=True, gc=False):
    """NTE: a note with its qualifier (ADD, CER, DCP, DGN, TPO, ...)."""

    qualifier: str
    text: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """PWK: a report that supports the claim. control_number is what the 275 names in TRN02."""

    report_type: str
    transmission: str
    control_number: str = ""


class Drug(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2410: national drug code (11 digits) and quantity."""

    ndc: str
    quantity: Decimal
    unit: str
    prescription_number: str = ""


class LineAdjudication(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2430: what another payer decided about the line."""

    payer_id: str
    paid_cents: int
    procedure_qualifier: str = "HC"
    procedure_code: str = ""
    modifiers: tuple[str, ...] = ()
    revenue_code: str = ""
    units: Decimal | None = None
    bundled_line: str = ""
    adjustments: tuple[Adjustment, ...] = ()
    adjudication_date: date | None = None
    extra_segments: tuple[RawSegment, ...] = ()


class OtherPayer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loops 2320, 2330A and 2330B: another payer of the claim and, when it has decided, its decision.

    paid_cents None means the payer has not adjudicated (AMT*D absent); 0 means it paid nothing.
    """

    responsibility: str
    relationship_code: str
    subscriber: Name
    payer_name: str
    payer_id: str
    payer_id_qualifier: str = "PI"
    group_number: str = ""
    group_name: str = ""
    insurance_type_code: str = ""
    filing_code: str = "CI"
    adjustments: tuple[Adjustment, ...] = ()
    paid_cents: int | None = None
    amounts: tuple[QualifiedAmount, ...] = ()
    benefits_assigned: str = "Y"
    patient_signature_source: str = ""
    release_code: str = "Y"
    outpatient_remarks: RawSegment = ()
    inpatient_remarks: RawSegment = ()
    adjudication_date: date | None = None
    subscriber_address: Address | None = None
    payer_address: Address | None = None
    payer_claim_control_number: str = ""
    extra_segments: tuple[RawSegment, ...] = ()


class ServiceLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every 837 service line has (loop 2400). LX numbers come from the order of the lines.

    units are of unit_code (UN units, MJ minutes, DA days). control_number is REF*6R, the key of the 835 line.
    service_from may be None on institutional inpatient lines only.
    """

    procedure_code: str = ""
    modifiers: tuple[str, ...] = ()
    charge_cents: int
    units: Decimal = Decimal(1)
    unit_code: str = "UN"
    procedure_qualifier: str = "HC"
    description: str = ""
    service_from: date | None = None
    service_to: date | None = None
    control_number: str = ""
    dates: tuple[QualifiedDate, ...] = ()
    references: tuple[Reference, ...] = ()
    amounts: tuple[QualifiedAmount, ...] = ()
    notes: tuple[Note, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    drug: Drug | None = None
    rendering_provider: Provider | None = None
    providers: tuple[tuple[str, Provider], ...] = ()
    adjudications: tuple[LineAdjudication, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class ProfessionalLine(ServiceLine, frozen=True, kw_only=True, gc=False):
    """SV1. diagnosis_pointers count from 1 into the diagnoses of the claim, at most four, most important first.

    place_of_service is sent only when it differs from the claim's.
    """

    diagnosis_pointers: tuple[int, ...] = ()
    place_of_service: str = ""
    emergency: bool = False
    epsdt: bool = False
    family_planning: bool = False


class InstitutionalLine(ServiceLine, frozen=True, kw_only=True, gc=False):
    """SV2. revenue_code has four digits; the procedure is absent where no code exists."""

    revenue_code: str
    noncovered_cents: int | None = None


class DentalLine(ServiceLine, frozen=True, kw_only=True, gc=False):
    """SV3. oral_cavities are area codes (SV304), teeth are (tooth, surfaces) of the TOO segments."""

    place_of_service: str = ""
    oral_cavities: tuple[str, ...] = ()
    prosthesis_code: str = ""
    teeth: tuple[tuple[str, tuple[str, ...]], ...] = ()
    diagnosis_pointers: tuple[int, ...] = ()


class ClaimBase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every 837 claim has.

    claim_id is CLM01 (at most 20 characters, 17 are safe with every payer). patient is None when the subscriber is
    the patient. frequency_code 7 and 8 need payer_claim_control_number (REF*F8). providers holds further provider
    loops as (entity code, provider). Segments without a field of their own stand in extra_segments.
    """

    claim_id: str
    charge_cents: int
    billing_provider: BillingProvider
    subscriber: Subscriber
    payer: Payer
    patient: Patient | None = None
    frequency_code: str = "1"
    assignment_code: str = "A"
    benefits_assigned: str = "Y"
    release_code: str = "Y"
    delay_reason_code: str = ""
    payer_claim_control_number: str = ""
    prior_authorization_number: str = ""
    referral_number: str = ""
    patient_paid_cents: int | None = None
    dates: tuple[QualifiedDate, ...] = ()
    references: tuple[Reference, ...] = ()
    notes: tuple[Note, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    service_facility: Provider | None = None
    rendering_provider: Provider | None = None
    referring_provider: Provider | None = None
    providers: tuple[tuple[str, Provider], ...] = ()
    other_payers: tuple[OtherPayer, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class ProfessionalClaim(ClaimBase, frozen=True, kw_only=True, gc=False):
    """A claim of the 837P. diagnosis_codes have no point, the principal one first, at most 12.

    related_causes are CLM11 codes (AA auto, EM employment, OA other); AA needs accident_state. Rendering provider is
    left out on the wire when it has the NPI of the billing provider.
    """

    place_of_service: str
    diagnosis_codes: tuple[str, ...]
    lines: tuple[ProfessionalLine, ...]
    diagnosis_version: Literal["10", "9"] = "10"
    provider_signature: bool = True
    patient_signature_source: str = ""
    related_causes: tuple[str, ...] = ()
    accident_state: str = ""
    accident_country: str = ""
    accident_date: date | None = None
    clia_number: str = ""
    condition_codes: tuple[str, ...] = ()


class CodedDiagnosis(msgspec.Struct, frozen=True, gc=False):
    """A diagnosis of an institutional claim with its present-on-admission indicator (Y, N, U, W, 1 or empty)."""

    code: str
    present_on_admission: str = ""


class HealthInformation(msgspec.Struct, frozen=True, gc=False):
    """One further HI composite of an institutional claim: BI, BH, BE, BG, BBR, BBQ, DR, TC, ...

    start and end belong to occurrences and procedures, cents to value codes.
    """

    qualifier: str
    code: str
    start: date | None = None
    end: date | None = None
    cents: int | None = None


class InstitutionalClaim(ClaimBase, frozen=True, kw_only=True, gc=False):
    """A claim of the 837I. facility_code is the second and third digit of the type of bill (`11`, `13`, ...)."""

    facility_code: str
    statement_from: date
    statement_to: date
    principal_diagnosis: CodedDiagnosis | None = None
    lines: tuple[InstitutionalLine, ...]
    admitting_diagnosis: str = ""
    reason_for_visit: tuple[str, ...] = ()
    external_causes: tuple[CodedDiagnosis, ...] = ()
    other_diagnoses: tuple[CodedDiagnosis, ...] = ()
    information: tuple[HealthInformation, ...] = ()
    diagnosis_version: Literal["10", "9"] = "10"
    admission_type: str = ""
    admission_source: str = ""
    patient_status: str = ""
    admission_at: str = ""
    discharge_hour: str = ""
    attending_provider: Provider | None = None
    operating_provider: Provider | None = None


class DentalClaim(ClaimBase, frozen=True, kw_only=True, gc=False):
    """A claim of the 837D: diagnoses are optional and at most four."""

    place_of_service: str
    lines: tuple[DentalLine, ...]
    diagnosis_codes: tuple[str, ...] = ()
    diagnosis_version: Literal["10", "9"] = "10"
    provider_signature: bool = True
    related_causes: tuple[str, ...] = ()
    accident_state: str = ""
    accident_country: str = ""
    accident_date: date | None = None
    predetermination: bool = False


class ClaimTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of an 837 with its envelope."""

    envelope: Envelope
    transaction_control_number: str
    header: SubmissionHeader
    claims: tuple[ProfessionalClaim, ...] | tuple[InstitutionalClaim, ...] | tuple[DentalClaim, ...]
