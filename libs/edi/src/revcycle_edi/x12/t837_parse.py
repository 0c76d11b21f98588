"""Reading the 837: professional (X222), institutional (X223) and dental (X224) claims."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Literal, TypedDict, TypeVar

from revcycle_edi.x12.cursor import Cursor, TransactionStart, iter_transactions, split_procedure
from revcycle_edi.x12.quick837 import ClaimReader
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.claim import (
    Attachment,
    BillingProvider,
    ClaimTransaction,
    CodedDiagnosis,
    DentalClaim,
    DentalLine,
    Drug,
    HealthInformation,
    InstitutionalClaim,
    InstitutionalLine,
    LineAdjudication,
    Note,
    OtherPayer,
    Patient,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Provider,
    Subscriber,
)
from revcycle_edi.x12.records.common import QualifiedAmount, QualifiedDate, RawSegment, Reference
from revcycle_edi.x12.t837_loops import Context, Line, claim_parts, claims, levels
from revcycle_edi.x12.t837_parts import Parts
from revcycle_edi.x12.templates import Lines, read_whole
from revcycle_edi.x12.values import (
    parse_cents,
    parse_integer,
    parse_optional_cents,
    parse_period,
    parse_quantity,
)

_C = TypeVar("_C", ProfessionalClaim, InstitutionalClaim, DentalClaim)


class _LineFields(TypedDict):
    procedure_code: str
    modifiers: tuple[str, ...]
    procedure_qualifier: str
    description: str
    service_from: date | None
    service_to: date | None
    control_number: str
    dates: tuple[QualifiedDate, ...]
    references: tuple[Reference, ...]
    amounts: tuple[QualifiedAmount, ...]
    notes: tuple[Note, ...]
    attachments: tuple[Attachment, ...]
    drug: Drug | None
    rendering_provider: Provider | None
    providers: tuple[tuple[str, Provider], ...]
    adjudications: tuple[LineAdjudication, ...]
    extra_segments: tuple[RawSegment, ...]


def _line_fields(line: Line, procedure: str) -> _LineFields:
    parts = line.parts
    qualifier, code, modifiers, description = split_procedure(procedure) if procedure else ("HC", "", (), "")
    served = parts.take_date("472")
    return {
        "procedure_code": code,
        "modifiers": modifiers,
        "procedure_qualifier": qualifier,
        "description": description,
        "service_from": served.start if served else None,
        "service_to": served.end if served else None,
        "control_number": parts.take_reference("6R"),
        "dates": tuple(parts.dates),
        "references": tuple(parts.references),
        "amounts": tuple(parts.amounts),
        "notes": tuple(parts.notes),
        "attachments": tuple(parts.attachments),
        "drug": line.drug,
        "rendering_provider": parts.take_provider("82"),
        "providers": tuple(parts.providers),
        "adjudications": tuple(line.adjudications),
        "extra_segments": tuple(parts.extra),
    }


def _pointers(text: str) -> tuple[int, ...]:
    return tuple(parse_integer(p, digits=2) for p in text.split(":") if p)


def _professional_line(cursor: Cursor) -> ProfessionalLine:
    line = Line(cursor, "SV1")
    sv = line.service
    return ProfessionalLine(
        **_line_fields(line, sv[1]),
        charge_cents=parse_cents(sv[2]),
        units=parse_quantity(sv[4]),
        unit_code=sv[3],
        diagnosis_pointers=_pointers(sv[7]),
        place_of_service=sv[5],
        emergency=sv[9] == "Y",
        epsdt=sv[11] == "Y",
        family_planning=sv[12] == "Y",
    )


def _institutional_line(cursor: Cursor) -> InstitutionalLine:
    line = Line(cursor, "SV2")
    sv = line.service
    return InstitutionalLine(
        **_line_fields(line, sv[2]),
        charge_cents=parse_cents(sv[3]),
        units=parse_quantity(sv[5]),
        unit_code=sv[4],
        revenue_code=sv[1],
        noncovered_cents=parse_optional_cents(sv[7]),
    )


_PROFESSIONAL_LINES = Lines(lambda text: read_whole("LX*1" + text, _professional_line), "~DTP*472*", "D8*")
_INSTITUTIONAL_LINES = Lines(lambda text: read_whole("LX*1" + text, _institutional_line), "~DTP*472*", "D8*")


def _dental_line(cursor: Cursor) -> DentalLine:
    line = Line(cursor, "SV3")
    sv = line.service
    teeth = tuple((raw + ("",) * 4)[2:4] for raw in line.teeth)
    return DentalLine(
        **_line_fields(line, sv[1]),
        charge_cents=parse_cents(sv[2]),
        units=parse_quantity(sv[6] or "1"),
        place_of_service=sv[3],
        oral_cavities=tuple(c for c in sv[4].split(":") if c),
        prosthesis_code=sv[5],
        diagnosis_pointers=_pointers(sv[11]),
        teeth=tuple((tooth, tuple(s for s in surfaces.split(":") if s)) for tooth, surfaces in teeth),
    )


class _ClaimFields(TypedDict):
    claim_id: str
    charge_cents: int
    billing_provider: BillingProvider
    subscriber: Subscriber
    payer: Payer
    patient: Patient | None
    frequency_code: str
    assignment_code: str
    benefits_assigned: str
    release_code: str
    delay_reason_code: str
    payer_claim_control_number: str
    prior_authorization_number: str
    referral_number: str
    patient_paid_cents: int | None
    dates: tuple[QualifiedDate, ...]
    references: tuple[Reference, ...]
    notes: tuple[Note, ...]
    attachments: tuple[Attachment, ...]
    service_facility: Provider | None
    rendering_provider: Provider | None
    referring_provider: Provider | None
    providers: tuple[tuple[str, Provider], ...]
    other_payers: tuple[OtherPayer, ...]
    extra_segments: tuple[RawSegment, ...]


def _claim_fields(parts: Parts, cursor: Cursor, context: Context) -> _ClaimFields:
    billing, subscriber, payer = levels(cursor, context)
    e = parts.e
    frequency = [*e[5].split(":"), "", "", ""][2]
    paid = parts.take_amount("F5")
    parts.extra.extend(("AMT", a.qualifier, _plain(a.cents)) for a in parts.amounts)
    return {
        "claim_id": e[1],
        "charge_cents": parse_cents(e[2]),
        "billing_provider": billing,
        "subscriber": subscriber,
        "payer": payer,
        "patient": context.patient,
        "frequency_code": frequency,
        "assignment_code": e[7],
        "benefits_assigned": e[8],
        "release_code": e[9],
        "delay_reason_code": e[20],
        "payer_claim_control_number": parts.take_reference("F8"),
        "prior_authorization_number": parts.take_reference("G1"),
        "referral_number": parts.take_reference("9F"),
        "patient_paid_cents": paid,
        "dates": tuple(parts.dates),
        "references": tuple(parts.references),
        "notes": tuple(parts.notes),
        "attachments": tuple(parts.attachments),
        "service_facility": parts.take_provider("77"),
        "rendering_provider": parts.take_provider("82"),
        "referring_provider": parts.take_provider("DN"),
        "providers": tuple(parts.providers),
        "other_payers": tuple(parts.others),
        "extra_segments": tuple(parts.extra),
    }


def _plain(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}" if cents >= 0 else f"-{_plain(-cents)}"


class _Diagnoses(TypedDict):
    diagnosis_codes: tuple[str, ...]
    diagnosis_version: Literal["10", "9"]


class _ProfessionalInformation(_Diagnoses):
    condition_codes: tuple[str, ...]


def _diagnoses(composites: Sequence[str]) -> _Diagnoses:
    """Principal and other diagnosis codes in order, and the code set they come from."""
    codes = [text.split(":") for text in composites]
    found = [c[1] for c in codes if c[0] in ("ABK", "ABF", "BK", "BF") and len(c) > 1]
    old = any([c[0] in ("BK", "BF") for c in codes])
    return {"diagnosis_codes": tuple(found), "diagnosis_version": "9" if old else "10"}


def _professional_information(composites: Sequence[str]) -> _ProfessionalInformation:
    conditions = [text.partition(":")[2] for text in composites if text.startswith("BG:")]
    return {**_diagnoses(composites), "condition_codes": tuple(conditions)}


def _related(e: list[str]) -> tuple[tuple[str, ...], str, str]:
    """CLM11: related causes, state, country."""
    causes = e[11].split(":") + [""] * 5
    return tuple(c for c in causes[:3] if c), causes[3], causes[4]


def _lines(cursor: Cursor) -> Iterator[Cursor]:
    while cursor.id == "LX":
        yield cursor


def _read_professional(cursor: Cursor, context: Context) -> ProfessionalClaim:
    parts = claim_parts(cursor)
    lines = tuple([_professional_line(c) for c in _lines(cursor)])
    causes, state, country = _related(parts.e)
    accident = parts.take_date("439")
    clia = parts.take_reference("X4")
    return ProfessionalClaim(
        **_claim_fields(parts, cursor, context),
        place_of_service=parts.e[5].partition(":")[0],
        **_professional_information(parts.hi),
        lines=lines,
        provider_signature=parts.e[6] != "N",
        patient_signature_source=parts.e[10],
        related_causes=causes,
        accident_state=state,
        accident_country=country,
        accident_date=accident.start if accident else None,
        clia_number=clia,
    )


def _read_dental(cursor: Cursor, context: Context) -> DentalClaim:
    parts = claim_parts(cursor)
    lines = tuple([_dental_line(c) for c in _lines(cursor)])
    causes, state, country = _related(parts.e)
    accident = parts.take_date("439")
    return DentalClaim(
        **_claim_fields(parts, cursor, context),
        place_of_service=parts.e[5].partition(":")[0],
        lines=lines,
        **_diagnoses(parts.hi),
        provider_signature=parts.e[6] != "N",
        related_causes=causes,
        accident_state=state,
        accident_country=country,
        accident_date=accident.start if accident else None,
        predetermination=parts.e[19] == "PB",
    )


def _coded(text: str) -> CodedDiagnosis:
    parts = text.split(":") + [""] * 9
    return CodedDiagnosis(parts[1], parts[8])


def _information(text: str) -> HealthInformation:
    parts = text.split(":") + [""] * 6
    start = end = None
    if parts[2] and parts[3]:
        start, end = parse_period(parts[2], parts[3])
    return HealthInformation(parts[0], parts[1], start, end, parse_optional_cents(parts[4]))


_KINDS = {
    "ABK": "principal",
    "BK": "principal",
    "ABJ": "admitting",
    "BJ": "admitting",
    "APR": "reason",
    "PR": "reason",
    "ABN": "external",
    "BN": "external",
    "ABF": "other",
    "BF": "other",
}
_OLD = ("BK", "BF", "BJ", "PR", "BN")


class _InstitutionalInformation(TypedDict):
    principal_diagnosis: CodedDiagnosis | None
    admitting_diagnosis: str
    reason_for_visit: tuple[str, ...]
    external_causes: tuple[CodedDiagnosis, ...]
    other_diagnoses: tuple[CodedDiagnosis, ...]
    information: tuple[HealthInformation, ...]
    diagnosis_version: Literal["10", "9"]


def _institutional_information(composites: Sequence[str]) -> _InstitutionalInformation:
    coded: dict[str, list[CodedDiagnosis]] = {
        "principal": [],
        "admitting": [],
        "reason": [],
        "external": [],
        "other": [],
    }
    information: list[HealthInformation] = []
    old = False
    for text in composites:
        qualifier = text.partition(":")[0]
        kind = _KINDS.get(qualifier)
        if kind is None:
            information.append(_information(text))
        else:
            coded[kind].append(_coded(text))
            old = old or qualifier in _OLD
    return {
        "principal_diagnosis": coded["principal"][0] if coded["principal"] else None,
        "admitting_diagnosis": coded["admitting"][0].code if coded["admitting"] else "",
        "reason_for_visit": tuple([reason.code for reason in coded["reason"]]),
        "external_causes": tuple(coded["external"]),
        "other_diagnoses": tuple(coded["other"]),
        "information": tuple(information),
        "diagnosis_version": "9" if old else "10",
    }


def _raw_date(parts: Parts, qualifier: str) -> str:
    """The text of a DTP kept raw (a time), removed from the rest."""
    for index, raw in enumerate(parts.extra):
        if raw[:2] == ("DTP", qualifier):
            del parts.extra[index]
            return raw[3]
    return ""


def _read_institutional(cursor: Cursor, context: Context) -> InstitutionalClaim:
    parts = claim_parts(cursor)
    lines = tuple([_institutional_line(c) for c in _lines(cursor)])
    statement = parts.take_date("434")
    if statement is None:
        raise cursor.error("837I.statement", "the claim has no statement dates", expected="DTP*434*RD8 after CLM")
    cl1 = parts.take_extra("CL1") + ("",) * 5
    admission = parts.take_date("435")
    admission_at = f"{admission.start:%Y%m%d}{admission.time}" if admission else ""
    discharge_hour = _raw_date(parts, "096")
    attending, operating = parts.take_provider("71"), parts.take_provider("72")
    return InstitutionalClaim(
        **_claim_fields(parts, cursor, context),
        facility_code=parts.e[5].partition(":")[0],
        statement_from=statement.start,
        statement_to=statement.end or statement.start,
        lines=lines,
        **_institutional_information(parts.hi),
        admission_type=cl1[1],
        admission_source=cl1[2],
        patient_status=cl1[3],
        admission_at=admission_at,
        discharge_hour=discharge_hour,
        attending_provider=attending,
        operating_provider=operating,
    )


def _transaction(
    read: Callable[[Cursor, Context], _C],
    quick: Callable[[Cursor, Context], Iterator[_C]] | None = None,
) -> Callable[[Cursor, TransactionStart], Iterator[ClaimTransaction]]:
    def parse(cursor: Cursor, start: TransactionStart) -> Iterator[ClaimTransaction]:
        context = Context()
        found = tuple(claims(cursor, context, read, quick))
        yield ClaimTransaction(
            envelope=start.envelope,
            transaction_control_number=start.control_number,
            header=context.header,
            claims=found,
        )

    return parse


def _streaming(
    read: Callable[[Cursor, Context], _C],
    quick: Callable[[Cursor, Context], Iterator[_C]] | None = None,
) -> Callable[[Cursor, TransactionStart], Iterator[_C]]:
    def parse(cursor: Cursor, start: TransactionStart) -> Iterator[_C]:
        return claims(cursor, Context(), read, quick)

    return parse


def _quick_professional() -> Callable[[Cursor, Context], Iterator[ProfessionalClaim]]:
    return ClaimReader(_read_professional, "CLM**0", _professional_information, _PROFESSIONAL_LINES).claims


def _quick_institutional() -> Callable[[Cursor, Context], Iterator[InstitutionalClaim]]:
    blank = "CLM**0~DTP*434*D8*20000101"
    return ClaimReader(_read_institutional, blank, _institutional_information, _INSTITUTIONAL_LINES).claims


_P, _I, _D = ("005010X222",), ("005010X223",), ("005010X224",)


def parse_837p(data: Source) -> list[ClaimTransaction]:
    """Every professional claim transaction (X222) of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "837", _transaction(_read_professional, _quick_professional()), versions=_P))


def parse_837i(data: Source) -> list[ClaimTransaction]:
    """Every institutional claim transaction (X223) of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "837", _transaction(_read_institutional, _quick_institutional()), versions=_I))


def parse_837d(data: Source) -> list[ClaimTransaction]:
    """Every dental claim transaction (X224) of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "837", _transaction(_read_dental), versions=_D))


def iter_837p_claims(source: Source) -> Iterator[ProfessionalClaim]:
    """Professional claims one by one, in constant memory."""
    return iter_transactions(source, "837", _streaming(_read_professional, _quick_professional()), versions=_P)


def iter_837i_claims(source: Source) -> Iterator[InstitutionalClaim]:
    """Institutional claims one by one, in constant memory."""
    return iter_transactions(source, "837", _streaming(_read_institutional, _quick_institutional()), versions=_I)


def iter_837d_claims(source: Source) -> Iterator[DentalClaim]:
    """Dental claims one by one, in constant memory."""
    return iter_transactions(source, "837", _streaming(_read_dental), versions=_D)


__all__ = [
    "iter_837d_claims",
    "iter_837i_claims",
    "iter_837p_claims",
    "parse_837d",
    "parse_837i",
    "parse_837p",
]
