"""Writing the 837: professional (X222A1), institutional (X223A2) and dental (X224A2) claims."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.claim import (
    ClaimBase,
    CodedDiagnosis,
    DentalClaim,
    HealthInformation,
    InstitutionalClaim,
    ProfessionalClaim,
    Provider,
    ServiceLine,
    SubmissionHeader,
)
from revcycle_edi.x12.records.common import Contact, Envelope
from revcycle_edi.x12.t837_levels import LevelWriter
from revcycle_edi.x12.t837_write import (
    claim_amount,
    diagnosis_texts,
    in_guide_order,
    pointers_text,
    procedure_text,
    write_attachments,
    write_dates,
    write_hi,
    write_line_tail,
    write_notes,
    write_other_payer,
    write_provider,
)
from revcycle_edi.x12.values import format_cents, format_date, format_period, format_quantity
from revcycle_edi.x12.writer import (
    TransactionWriter,
    cents_text,
    clean_text,
    code,
    composite,
    write_contact,
    write_references,
)

_C = TypeVar("_C", ProfessionalClaim, InstitutionalClaim, DentalClaim)
_MAX_LINES = {"P": 50, "I": 999, "D": 50}


def _build(
    envelope: Envelope,
    header: SubmissionHeader,
    claims: Sequence[_C],
    version: str,
    per_transaction: int,
    kind: type[_C],
    write: Callable[[TransactionWriter, _C], None],
) -> bytes:
    if not claims:
        raise X12Error("837.write.empty", "there is no claim to send", expected="at least one claim")
    if per_transaction < 1:
        raise X12Error("837.write.size", "claims_per_transaction is not positive", expected="1 to 5000")
    out = TransactionWriter(envelope, "HC", version)
    levels = LevelWriter(out, kind, write)
    for first in range(0, len(claims), per_transaction):
        out.open("837")
        _write_header(out, envelope, header, first // per_transaction)
        levels.claims(claims[first : first + per_transaction])
        out.close()
    return out.finish()


def _write_header(out: TransactionWriter, envelope: Envelope, header: SubmissionHeader, ordinal: int) -> None:
    """BHT and the two names; the reference must differ between the transactions of one file."""
    reference = header.reference if ordinal == 0 else f"{header.reference}-{ordinal + 1}"
    at = envelope.created_at
    out.add(
        "BHT",
        "0019",
        header.purpose_code,
        code(reference, "BHT03 reference", 50, required=True),
        f"{at:%Y%m%d}",
        f"{at:%H%M}",
        header.usage_code,
    )
    out.add(
        "NM1",
        "41",
        "2",
        clean_text(header.submitter_name, 60),
        *[""] * 4,
        "46",
        code(header.submitter_id, "submitter_id", 80, required=True),
    )
    numbers = [("TE", header.contact_phone), ("EM", header.contact_email)]
    write_contact(out, Contact(name=header.contact_name, numbers=tuple(n for n in numbers if n[1])))
    out.add(
        "NM1",
        "40",
        "2",
        clean_text(header.receiver_name, 60),
        *[""] * 4,
        "46",
        code(header.receiver_id, "receiver_id", 80, required=True),
    )


def _check_claim(claim: ClaimBase, lines: int, kind: str) -> None:
    if not 1 <= lines <= _MAX_LINES[kind]:
        raise X12Error(
            "837.write.lines", f"the claim has {lines} lines", expected=f"1 to {_MAX_LINES[kind]} lines", segment="LX"
        )
    if claim.frequency_code in ("7", "8") and not claim.payer_claim_control_number:
        raise X12Error(
            "837.write.f8",
            "a replacement or void names no original claim",
            expected="payer_claim_control_number (REF*F8) when frequency_code is 7 or 8",
            segment="REF",
        )


def _clm(claim: ClaimBase, facility: str, facility_qualifier: str, signature: str, tail: Sequence[str]) -> list[str]:
    return [
        "CLM",
        code(claim.claim_id, "claim_id (CLM01)", 38, required=True),
        claim_amount(claim.charge_cents, "the claim charge"),
        "",
        "",
        composite(code(facility, "facility code", 2, required=True), facility_qualifier, claim.frequency_code),
        signature,
        claim.assignment_code,
        claim.benefits_assigned,
        claim.release_code,
        *tail,
    ]


def _write_references(out: TransactionWriter, claim: ClaimBase, clia: str = "") -> None:
    numbers = (
        ("F8", claim.payer_claim_control_number),
        ("G1", claim.prior_authorization_number),
        ("9F", claim.referral_number),
        ("X4", clia),
    )
    for qualifier, value in numbers:
        if value:
            out.add("REF", qualifier, code(value, f"REF*{qualifier}", 50))
    write_references(out, claim.references)


def _write_providers(out: TransactionWriter, claim: ClaimBase, pairs: Sequence[tuple[str, Provider | None]]) -> None:
    for entity, provider in pairs:
        if provider is None or (entity == "82" and provider.npi and provider.npi == claim.billing_provider.npi):
            continue
        write_provider(out, entity, provider, dental=isinstance(claim, DentalClaim))
    for entity, provider in claim.providers:
        write_provider(out, entity, provider, dental=isinstance(claim, DentalClaim))


def _causes(claim: ProfessionalClaim | DentalClaim) -> str:
    if not claim.related_causes:
        return ""
    causes = [*claim.related_causes[:3], *[""] * (3 - len(claim.related_causes[:3]))]
    return composite(*causes, claim.accident_state, claim.accident_country)


def _procedure(line: ServiceLine) -> str:
    return procedure_text(line.procedure_qualifier, line.procedure_code, line.modifiers, line.description)


def _write_professional(out: TransactionWriter, claim: ProfessionalClaim) -> None:
    _check_claim(claim, len(claim.lines), "P")
    mark = len(out.segments)
    tail = ["", _causes(claim), *[""] * 8, claim.delay_reason_code]
    tail[0] = claim.patient_signature_source
    signature = "Y" if claim.provider_signature else "N"
    out.add(*_clm(claim, claim.place_of_service, "B", signature, tail))
    if claim.accident_date is not None:
        out.add("DTP", "439", "D8", format_date(claim.accident_date))
    write_dates(out, claim.dates)
    write_attachments(out, claim.attachments)
    if claim.patient_paid_cents is not None:
        out.add("AMT", "F5", format_cents(claim.patient_paid_cents))
    _write_references(out, claim, claim.clia_number)
    write_notes(out, claim.notes)
    if not claim.diagnosis_codes:
        raise X12Error("837.write.diagnoses", "the claim has no diagnosis", expected="1 to 12 diagnoses", segment="HI")
    write_hi(out, diagnosis_texts(claim.diagnosis_codes, claim.diagnosis_version, 12))
    write_hi(out, [f"BG:{code(c, 'condition code', 3)}" for c in claim.condition_codes])
    in_guide_order(out, mark, claim.extra_segments)
    named = (
        ("DN", claim.referring_provider),
        ("82", claim.rendering_provider),
        ("77", claim.service_facility),
    )
    _write_providers(out, claim, named)
    for other in claim.other_payers:
        write_other_payer(out, other)
    for number, line in enumerate(claim.lines, 1):
        out.add("LX", str(number))
        pointers = pointers_text(line.diagnosis_pointers, len(claim.diagnosis_codes))
        place = "" if line.place_of_service == claim.place_of_service else line.place_of_service
        out.add(
            "SV1",
            _procedure(line),
            claim_amount(line.charge_cents, "the line charge"),
            line.unit_code,
            format_quantity(line.units),
            place,
            "",
            pointers,
            "",
            "Y" if line.emergency else "",
            "",
            "Y" if line.epsdt else "",
            "Y" if line.family_planning else "",
        )
        write_line_tail(out, line)


def _write_dental(out: TransactionWriter, claim: DentalClaim) -> None:
    _check_claim(claim, len(claim.lines), "D")
    mark = len(out.segments)
    predetermination = "PB" if claim.predetermination else ""
    tail = ["", _causes(claim), *[""] * 7, predetermination, claim.delay_reason_code]
    out.add(*_clm(claim, claim.place_of_service, "B", "Y" if claim.provider_signature else "N", tail))
    if claim.accident_date is not None:
        out.add("DTP", "439", "D8", format_date(claim.accident_date))
    write_dates(out, claim.dates)
    write_attachments(out, claim.attachments)
    if claim.patient_paid_cents is not None:
        out.add("AMT", "F5", format_cents(claim.patient_paid_cents))
    _write_references(out, claim)
    write_notes(out, claim.notes)
    write_hi(out, diagnosis_texts(claim.diagnosis_codes, claim.diagnosis_version, 4))
    in_guide_order(out, mark, claim.extra_segments)
    named = (
        ("DN", claim.referring_provider),
        ("82", claim.rendering_provider),
        ("77", claim.service_facility),
    )
    _write_providers(out, claim, named)
    for other in claim.other_payers:
        write_other_payer(out, other)
    for number, line in enumerate(claim.lines, 1):
        out.add("LX", str(number))
        out.add(
            "SV3",
            _procedure(line),
            claim_amount(line.charge_cents, "the line charge"),
            "" if line.place_of_service == claim.place_of_service else line.place_of_service,
            composite(*line.oral_cavities),
            line.prosthesis_code,
            format_quantity(line.units),
            *[""] * 4,
            pointers_text(line.diagnosis_pointers, len(claim.diagnosis_codes)),
        )
        for tooth, surfaces in line.teeth:
            out.add("TOO", "JP", code(tooth, "tooth", 30), composite(*surfaces))
        write_line_tail(out, line)


def _coded(qualifier: str, diagnosis: CodedDiagnosis) -> str:
    text = f"{qualifier}:{code(diagnosis.code.replace('.', ''), 'diagnosis code', 30, required=True)}"
    return f"{text}:::::::{diagnosis.present_on_admission}" if diagnosis.present_on_admission else text


def _information(info: HealthInformation) -> str:
    qualifier, text = format_period(info.start, info.end) if info.start is not None else ("", "")
    return composite(info.qualifier, code(info.code, "HI code", 30), qualifier, text, cents_text(info.cents))


def _write_institutional_hi(out: TransactionWriter, claim: InstitutionalClaim) -> None:
    if claim.diagnosis_version == "10":
        principal, admitting, reason, external, other = "ABK", "ABJ", "APR", "ABN", "ABF"
    else:
        principal, admitting, reason, external, other = "BK", "BJ", "PR", "BN", "BF"
    if claim.principal_diagnosis is not None:
        write_hi(out, [_coded(principal, claim.principal_diagnosis)])
    if claim.admitting_diagnosis:
        write_hi(out, [_coded(admitting, CodedDiagnosis(claim.admitting_diagnosis))])
    write_hi(out, [_coded(reason, CodedDiagnosis(c)) for c in claim.reason_for_visit])
    write_hi(out, [_coded(external, d) for d in claim.external_causes])
    write_hi(out, [_coded(other, d) for d in claim.other_diagnoses])
    by_qualifier: dict[str, list[str]] = {}
    for info in claim.information:
        by_qualifier.setdefault(info.qualifier, []).append(_information(info))
    for texts in by_qualifier.values():
        write_hi(out, texts)


def _write_institutional(out: TransactionWriter, claim: InstitutionalClaim) -> None:
    _check_claim(claim, len(claim.lines), "I")
    mark = len(out.segments)
    tail = [*[""] * 10, claim.delay_reason_code]
    out.add(*_clm(claim, claim.facility_code, "A", "", tail))
    if claim.discharge_hour:
        out.add("DTP", "096", "TM", code(claim.discharge_hour, "discharge_hour", 4))
    out.add("DTP", "434", "RD8", f"{format_date(claim.statement_from)}-{format_date(claim.statement_to)}")
    if claim.admission_at:
        out.add(
            "DTP", "435", "D8" if len(claim.admission_at) == 8 else "DT", code(claim.admission_at, "admission_at", 12)
        )
    write_dates(out, claim.dates)
    if claim.admission_type or claim.admission_source or claim.patient_status:
        out.add("CL1", claim.admission_type, claim.admission_source, claim.patient_status)
    write_attachments(out, claim.attachments)
    if claim.patient_paid_cents is not None:
        out.add("AMT", "F5", format_cents(claim.patient_paid_cents))
    _write_references(out, claim)
    write_notes(out, claim.notes)
    _write_institutional_hi(out, claim)
    in_guide_order(out, mark, claim.extra_segments)
    named = (
        ("71", claim.attending_provider),
        ("72", claim.operating_provider),
        ("82", claim.rendering_provider),
        ("77", claim.service_facility),
        ("DN", claim.referring_provider),
    )
    _write_providers(out, claim, named)
    for other in claim.other_payers:
        write_other_payer(out, other)
    for number, line in enumerate(claim.lines, 1):
        out.add("LX", str(number))
        out.add(
            "SV2",
            code(line.revenue_code, "revenue_code", 4, required=True),
            _procedure(line) if line.procedure_code else "",
            claim_amount(line.charge_cents, "the line charge"),
            line.unit_code,
            format_quantity(line.units),
            "",
            cents_text(line.noncovered_cents),
        )
        write_line_tail(out, line)


def build_837p(
    envelope: Envelope,
    header: SubmissionHeader,
    claims: Sequence[ProfessionalClaim],
    *,
    claims_per_transaction: int = 5000,
) -> bytes:
    """Write professional claims (005010X222A1). X12Error names the field that cannot be sent and what would be right.

    Claims are grouped by billing provider and subscriber; a further ST is opened every claims_per_transaction claims.
    """
    return _build(
        envelope, header, claims, "005010X222A1", claims_per_transaction, ProfessionalClaim, _write_professional
    )


def build_837i(
    envelope: Envelope,
    header: SubmissionHeader,
    claims: Sequence[InstitutionalClaim],
    *,
    claims_per_transaction: int = 5000,
) -> bytes:
    """Write institutional claims (005010X223A2), otherwise as build_837p."""
    return _build(
        envelope, header, claims, "005010X223A2", claims_per_transaction, InstitutionalClaim, _write_institutional
    )


def build_837d(
    envelope: Envelope,
    header: SubmissionHeader,
    claims: Sequence[DentalClaim],
    *,
    claims_per_transaction: int = 5000,
) -> bytes:
    """Write dental claims (005010X224A2), otherwise as build_837p."""
    return _build(envelope, header, claims, "005010X224A2", claims_per_transaction, DentalClaim, _write_dental)
