"""What subscribers, patients and claims of the 837 are written as (loops 2000B, 2000C and 2300 of the three guides)."""

from functools import cache
from typing import NamedTuple

from revcycle_edi.x12.outlines import (
    Element,
    Node,
    Outline,
    absent,
    adjustments,
    cents,
    code,
    day,
    each,
    first,
    further,
    level,
    needed,
    number,
    only,
    parts,
    pointer,
    quantity,
    segment,
    text,
    together,
    unless,
    unless_is,
    unless_same,
    when,
    when_any,
    when_is,
    when_sent,
)
from revcycle_edi.x12.records.claim import (
    ClaimBase,
    DentalClaim,
    InstitutionalClaim,
    ProfessionalClaim,
)

RAW = 20
"""The limit of what the loop writers put down without looking, as the records allow only codes there."""
_MOST_CHARGED = 99_999_999_99


def named(entity: Element, at: str, qualifier: Element, identifier: str) -> Node:
    """NM1 of a person or an organization; the qualifier goes only with an identifier."""
    end = when(identifier, qualifier), code(identifier, 80)
    given = text(f"{at}first_name", 35), text(f"{at}middle_name", 25), "", text(f"{at}suffix", 10)
    last = text(f"{at}last_name", 60)
    return together(
        when_is(f"{at}entity_type", "2", segment("NM1", entity, "2", last, *[""] * 4, *end)),
        unless_is(f"{at}entity_type", "2", segment("NM1", entity, "1", last, *given, *end)),
    )


def address(path: str) -> Node:
    """N3 and N4, where there is an address."""
    line1, city, postal = f"{path}.line1", f"{path}.city", f"{path}.postal_code"
    n4 = segment(
        "N4", text(city, 30), code(f"{path}.state", 2), code(postal, 15, without="-"), code(f"{path}.country", 3)
    )
    return when(
        path,
        when(line1, segment("N3", text(line1, 55, required=True), text(f"{path}.line2", 55))),
        when(city, n4),
        unless(city, absent(postal)),
    )


def references(path: str) -> Node:
    """One REF each."""
    return each(path, segment("REF", code("qualifier", 3, required=True), code("value", 50, required=True)))


def reference(qualifier: str, path: str, limit: int = 50) -> Node:
    """A REF, where there is a value."""
    return when(path, segment("REF", qualifier, code(path, limit)))


def amounts(path: str) -> Node:
    """One AMT each."""
    return each(path, segment("AMT", code("qualifier", 3, required=True), cents("cents")))


def _period(start: str, end: str) -> Node:
    return together(when(end, "RD8*", day(start), "-", day(end)), unless(end, "D8*", day(start)))


def _dates(path: str) -> Node:
    return each(path, absent("time"), segment("DTP", code("qualifier", 3, required=True), _period("start", "end")))


def _notes(path: str) -> Node:
    return each(path, segment("NTE", code("qualifier", 3), text("text", 80, required=True)))


def _provider(entity: str, at: str, role: str = "") -> Node:
    """A provider loop, where there is a provider; the taxonomy goes only with a role."""
    taxonomy = f"{at}.taxonomy_code"
    return when(
        at,
        named(entity, f"{at}.", "XX", f"{at}.npi"),
        *([when(taxonomy, segment("PRV", role, "PXC", code(taxonomy, 50)))] if role else []),
        address(f"{at}.address"),
        references(f"{at}.references"),
    )


def _rendering() -> Node:
    """Left out when it is the billing provider."""
    npi = "rendering_provider.npi"
    written = unless_same(npi, "billing_provider.npi", _provider("82", "rendering_provider", "PE"))
    return when("rendering_provider", needed(npi), written)


def _payer(at: str, name: str) -> Node:
    """NM1 of a payer."""
    payer_id = code(f"{at}payer_id", 80, required=True)
    qualifier = code(f"{at}{'payer_' if name == 'payer_name' else ''}id_qualifier", RAW)
    return segment("NM1", "PR", "2", text(f"{at}{name}", 60), *[""] * 4, qualifier, payer_id)


def _insured(at: str, relationship: Node) -> Node:
    """SBR."""
    return segment(
        "SBR",
        code(f"{at}responsibility", 1, required=True),
        relationship,
        code(f"{at}group_number", 50),
        text(f"{at}group_name", 60),
        code(f"{at}insurance_type_code", 3),
        *[""] * 3,
        code(f"{at}filing_code", 2),
    )


def _born(at: str) -> Node:
    return when(f"{at}birth_date", segment("DMG", "D8", day(f"{at}birth_date"), code(f"{at}sex", RAW)))


def _subscriber(children: Node) -> Node:
    """Loops 2000B, 2010BA and 2010BB."""
    return together(
        absent("subscriber.extra_segments"),
        absent("payer.extra_segments"),
        level("22", 1, children),
        _insured("subscriber.", unless("patient", "18")),
        named("IL", "subscriber.", "MI", "subscriber.member_id"),
        address("subscriber.address"),
        _born("subscriber."),
        references("subscriber.references"),
        _payer("payer.", "name"),
        address("payer.address"),
        references("payer.references"),
    )


def _patient() -> Node:
    """Loops 2000C and 2010CA."""
    given = text("patient.first_name", 35), text("patient.middle_name", 25), "", text("patient.suffix", 10)
    return together(
        absent("patient.extra_segments"),
        level("23", 2, "0"),
        segment("PAT", code("patient.relationship_code", 2, required=True)),
        segment("NM1", "QC", "1", text("patient.last_name", 60), *given),
        address("patient.address"),
        _born("patient."),
        references("patient.references"),
    )


def _decision() -> Node:
    """Loop 2430."""
    modifiers = each("modifiers", code("", 2), between=":")
    procedure = parts(code("procedure_qualifier", RAW), code("procedure_code", 48), modifiers)
    return each(
        "adjudications",
        absent("extra_segments"),
        unless("procedure_code", absent("modifiers")),
        segment(
            "SVD",
            code("payer_id", 80, required=True),
            cents("paid_cents"),
            when("procedure_code", procedure),
            code("revenue_code", 4),
            when_sent("units", quantity("units")),
            code("bundled_line", 6),
        ),
        adjustments("adjustments"),
        when("adjudication_date", segment("DTP", "573", "D8", day("adjudication_date"))),
    )


def _other_payers() -> Node:
    """Loops 2320, 2330A and 2330B."""
    qualifier = together(
        when("subscriber.id_qualifier", code("subscriber.id_qualifier", RAW)), unless("subscriber.id_qualifier", "MI")
    )
    return each(
        "other_payers",
        absent("extra_segments", "outpatient_remarks", "inpatient_remarks"),
        _insured("", code("relationship_code", 2, required=True)),
        adjustments("adjustments"),
        when_sent("paid_cents", segment("AMT", "D", cents("paid_cents"))),
        amounts("amounts"),
        segment(
            "OI", "", "", code("benefits_assigned", 1), code("patient_signature_source", 1), "", code("release_code", 1)
        ),
        named("IL", "subscriber.", qualifier, "subscriber.id"),
        address("subscriber_address"),
        _payer("", "payer_name"),
        address("payer_address"),
        when("adjudication_date", segment("DTP", "573", "D8", day("adjudication_date"))),
        reference("F8", "payer_claim_control_number"),
    )


def _procedure() -> Node:
    """A procedure composite without a description."""
    modifiers = each("modifiers", code("", 2, required=True), between=":", high=4)
    return parts(code("procedure_qualifier", RAW), code("procedure_code", 48), modifiers)


def _line(*service: Node) -> Node:
    """Loops 2400: LX, the service segment and what follows it."""
    return together(
        absent("description", "attachments", "extra_segments", "providers", "drug"),
        segment("LX", number()),
        *service,
        when("service_from", segment("DTP", "472", _period("service_from", "service_to"))),
        _dates("dates"),
        reference("6R", "control_number", 30),
        when_any(
            ("references", "amounts", "notes", "rendering_provider", "adjudications"),
            references("references"),
            amounts("amounts"),
            _notes("notes"),
            _provider("82", "rendering_provider", "PE"),
            _decision(),
        ),
    )


def _diagnoses(most: int) -> Node:
    code_ = code("", 30, required=True, without=".")
    return when(
        "diagnosis_codes",
        segment("HI", each("diagnosis_codes", first("ABK:"), further("ABF:"), code_, between="*", high=most)),
    )


def _pointers() -> Node:
    return parts(each("diagnosis_pointers", pointer("", "^^diagnosis_codes"), between=":", high=4))


def _signed() -> Node:
    return together(when("provider_signature", "Y"), unless("provider_signature", "N"))


def _clm(facility: str, qualifier: str, signed: Element, *tail: Element) -> Node:
    return segment(
        "CLM",
        code("claim_id", 38, required=True),
        cents("charge_cents", 0, _MOST_CHARGED),
        "",
        "",
        parts(code(facility, 2, required=True), qualifier, code("frequency_code", RAW)),
        signed,
        code("assignment_code", RAW),
        code("benefits_assigned", RAW),
        code("release_code", RAW),
        *tail,
    )


_USUAL = together(
    absent("attachments", "extra_segments", "providers", "delay_reason_code"),
    only("diagnosis_version", "10"),
    *(when_is("frequency_code", again, needed("payer_claim_control_number")) for again in ("7", "8")),
)
"""What claims of every kind have to be; replacements and voids name the claim that they are about."""
_NUMBERS = together(
    reference("F8", "payer_claim_control_number"),
    reference("G1", "prior_authorization_number"),
    reference("9F", "referral_number"),
)
_PAID = when_sent("patient_paid_cents", segment("AMT", "F5", cents("patient_paid_cents")))
_CHARGE = cents("charge_cents", 0, _MOST_CHARGED)
_PLACE = unless_same("place_of_service", "^place_of_service", code("place_of_service", RAW))

_PROFESSIONAL = together(
    _USUAL,
    absent("related_causes", "accident_date", "condition_codes"),
    needed("diagnosis_codes"),
    _clm("place_of_service", "B", _signed(), code("patient_signature_source", RAW)),
    _dates("dates"),
    _PAID,
    _NUMBERS,
    reference("X4", "clia_number"),
    references("references"),
    _notes("notes"),
    _diagnoses(12),
    _provider("DN", "referring_provider"),
    _rendering(),
    _provider("77", "service_facility"),
    _other_payers(),
    each(
        "lines",
        _line(
            segment(
                "SV1",
                _procedure(),
                _CHARGE,
                code("unit_code", RAW),
                quantity("units"),
                _PLACE,
                "",
                _pointers(),
                "",
                when_any(
                    ("emergency", "epsdt", "family_planning"),
                    when("emergency", "Y"),
                    "**",
                    when("epsdt", "Y"),
                    "*",
                    when("family_planning", "Y"),
                ),
            )
        ),
        low=1,
        high=50,
    ),
)


def _coded(qualifier: str, at: str = "") -> Node:
    """A diagnosis with its present-on-admission indicator."""
    present = code(f"{at}present_on_admission", RAW)
    return parts(qualifier, code(f"{at}code", 30, required=True, without="."), *[""] * 6, present)


def _codes(path: str, coded: Node) -> Node:
    return when(path, segment("HI", each(path, coded, between="*", high=12)))


_ADMISSION = ("admission_type", "admission_source", "patient_status")
_BARE = code("", 30, required=True, without=".")

_INSTITUTIONAL = together(
    _USUAL,
    absent("admission_at", "information"),
    _clm("facility_code", "A", ""),
    when("discharge_hour", segment("DTP", "096", "TM", code("discharge_hour", 4))),
    segment("DTP", "434", "RD8", together(day("statement_from"), "-", day("statement_to"))),
    _dates("dates"),
    when_any(_ADMISSION, segment("CL1", *(code(path, RAW) for path in _ADMISSION))),
    _PAID,
    _NUMBERS,
    references("references"),
    _notes("notes"),
    when("principal_diagnosis", segment("HI", _coded("ABK", "principal_diagnosis."))),
    when(
        "admitting_diagnosis",
        segment("HI", together("ABJ:", code("admitting_diagnosis", 30, required=True, without="."))),
    ),
    _codes("reason_for_visit", together("APR:", _BARE)),
    _codes("external_causes", _coded("ABN")),
    _codes("other_diagnoses", _coded("ABF")),
    _provider("71", "attending_provider", "AT"),
    _provider("72", "operating_provider"),
    _rendering(),
    _provider("77", "service_facility"),
    _provider("DN", "referring_provider"),
    _other_payers(),
    each(
        "lines",
        _line(
            segment(
                "SV2",
                code("revenue_code", 4, required=True),
                when("procedure_code", _procedure()),
                _CHARGE,
                code("unit_code", RAW),
                quantity("units"),
                "",
                when_sent("noncovered_cents", cents("noncovered_cents")),
            )
        ),
        low=1,
        high=999,
    ),
)
_DENTAL = together(
    _USUAL,
    absent("related_causes", "accident_date", "predetermination"),
    _clm("place_of_service", "B", _signed()),
    _dates("dates"),
    _PAID,
    _NUMBERS,
    references("references"),
    _notes("notes"),
    _diagnoses(4),
    _provider("DN", "referring_provider", "RF"),
    _rendering(),
    _provider("77", "service_facility"),
    _other_payers(),
    each(
        "lines",
        _line(
            segment(
                "SV3",
                _procedure(),
                _CHARGE,
                _PLACE,
                parts(each("oral_cavities", code("", RAW), between=":")),
                code("prosthesis_code", RAW),
                quantity("units"),
                *[""] * 4,
                _pointers(),
            ),
            each(
                "teeth",
                segment("TOO", "JP", code("0", 30), parts(each("1", code("", RAW), between=":"))),
            ),
        ),
        low=1,
        high=50,
    ),
)


class Levels(NamedTuple):
    """The outlines of one kind of claim, each of a claim."""

    alone: Outline
    """A subscriber or patient with this claim alone, from the HL on."""
    subscriber: Outline
    """The subscriber alone, from the HL on."""
    claim: Outline
    """Loop 2300 with its lines."""


@cache
def levels(kind: type[ClaimBase]) -> Levels:
    """The outlines of a kind of claim, made when one is first written: reading needs none."""
    claim = {ProfessionalClaim: _PROFESSIONAL, InstitutionalClaim: _INSTITUTIONAL, DentalClaim: _DENTAL}[kind]
    has_children = together(when("patient", "1"), unless("patient", "0"))
    return Levels(
        alone=Outline(kind, _subscriber(has_children), when("patient", _patient()), claim),
        subscriber=Outline(kind, _subscriber(has_children)),
        claim=Outline(kind, claim),
    )
