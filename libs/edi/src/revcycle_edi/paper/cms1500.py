"""CMS-1500 (02/12) pages from professional claims: six service lines a page, the totals on the last one."""

from collections.abc import Sequence

from revcycle_edi.paper.cms1500_map import COVERAGES, DIAGNOSES, FORM, LINES_PER_PAGE
from revcycle_edi.paper.draw import draw_form
from revcycle_edi.paper.values import (
    ON_FILE,
    Values,
    city_line,
    first_reference,
    mark,
    money,
    natural_name,
    other_id,
    person_name,
    postal,
    put_date,
    qualified_date,
    street,
    text,
    yes_no,
)
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.claim import ProfessionalClaim, ProfessionalLine, Provider
from revcycle_edi.x12.records.common import Address
from revcycle_edi.x12.values import format_quantity, parse_cents

_COVERAGE_OF = {"MA": "medicare", "MB": "medicare", "MC": "medicaid", "CH": "tricare", "VA": "champva", "WC": "feca"}
_RELATIONSHIPS = {"18": "self", "01": "spouse", "19": "child"}
_OTHER_DATES = ("454", "304", "453", "439", "455", "471", "090", "091", "444")
_REFERRERS = ("DN", "DK", "DQ")


def render_cms1500(claims: Sequence[ProfessionalClaim]) -> bytes:
    """The claims as one PDF, every claim on pages of its own. X12Error when a value cannot stand on the form."""
    return draw_form(FORM, [page for claim in claims for page in cms1500_pages(claim)])


def cms1500_pages(claim: ProfessionalClaim) -> list[Values]:
    """The values of each page of a claim by field name (see cms1500_map)."""
    if len(claim.diagnosis_codes) > len(DIAGNOSES):
        raise X12Error("paper.diagnoses", f"{len(claim.diagnosis_codes)} diagnoses", expected="at most 12")
    starts = range(0, max(len(claim.lines), 1), LINES_PER_PAGE)
    pages: list[Values] = []
    for start in starts:
        page: Values = {}
        _people(page, claim)
        _insurance(page, claim)
        _condition(page, claim)
        _clinical(page, claim)
        _providers(page, claim)
        for number, line in enumerate(claim.lines[start : start + LINES_PER_PAGE], 1):
            _line(page, f"24.{number}", claim, line)
        pages.append(page)
    pages[-1]["28"] = money(claim.charge_cents)
    if claim.patient_paid_cents is not None:
        pages[-1]["29"] = money(claim.patient_paid_cents)
    return pages


def _address(page: Values, box: str, address: Address | None) -> None:
    if address is not None:
        page[f"{box}.street"], page[f"{box}.city"] = street(address), text(address.city)
        page[f"{box}.state"], page[f"{box}.postal"] = address.state, postal(address)


def _people(page: Values, claim: ProfessionalClaim) -> None:
    """Boxes 1a to 7, 11a and the payer's address above the form."""
    insured, person = claim.subscriber, claim.patient or claim.subscriber
    page["1a"] = insured.member_id
    page["2"], page["4"] = person_name(person), person_name(insured)
    put_date(page, "3", person.birth_date, long=True)
    mark(page, f"3.{person.sex}", when=person.sex in ("M", "F"))
    _address(page, "5", person.address)
    _address(page, "7", insured.address)
    put_date(page, "11a", insured.birth_date, long=True)
    mark(page, f"11a.{insured.sex}", when=insured.sex in ("M", "F"))
    relationship = claim.patient.relationship_code if claim.patient is not None else "18"
    mark(page, f"6.{_RELATIONSHIPS.get(relationship, 'other')}")
    page["payer.name"] = text(claim.payer.name)
    page["payer.street"], page["payer.city"] = street(claim.payer.address), city_line(claim.payer.address)


def _insurance(page: Values, claim: ProfessionalClaim) -> None:
    """Boxes 1, 9, 11 and 11d."""
    insured = claim.subscriber
    coverage = _COVERAGE_OF.get(insured.filing_code, "group" if insured.group_number else "other")
    mark(page, f"1.{coverage}", when=coverage in COVERAGES)
    page["11"], page["11c"] = insured.group_number, text(insured.group_name)
    page["11b"] = first_reference(insured.references, "Y4")
    yes_no(page, "11d", yes=bool(claim.other_payers))
    if claim.other_payers:
        other = claim.other_payers[0]
        page["9"], page["9a"] = person_name(other.subscriber), other.group_number
        page["9d"] = text(other.group_name or other.payer_name)


def _condition(page: Values, claim: ProfessionalClaim) -> None:
    """Boxes 10 and 12 to 16, 18: what it is related to, signatures, dates."""
    for box, cause in (("10a", "EM"), ("10b", "AA"), ("10c", "OA")):
        yes_no(page, box, yes=cause in claim.related_causes)
    page["10b.state"] = claim.accident_state
    page["10d"] = " ".join(claim.condition_codes)
    page["12"] = ON_FILE if claim.release_code in ("Y", "I") else ""
    page["13"] = ON_FILE if claim.benefits_assigned == "Y" else ""
    onset = qualified_date(claim.dates, "431", "484")
    if onset is not None:
        put_date(page, "14", onset.start)
        page["14.qualifier"] = onset.qualifier
    other = qualified_date(claim.dates, *_OTHER_DATES)
    if other is not None or claim.accident_date is not None:
        put_date(page, "15", other.start if other is not None else claim.accident_date)
        page["15.qualifier"] = other.qualifier if other is not None else "439"
    absence = qualified_date(claim.dates, "314")
    stopped, resumed = qualified_date(claim.dates, "360", "297"), qualified_date(claim.dates, "361", "296")
    put_date(page, "16.from", absence.start if absence else stopped.start if stopped else None)
    put_date(page, "16.to", absence.end if absence else resumed.start if resumed else None)
    admitted, discharged = qualified_date(claim.dates, "435"), qualified_date(claim.dates, "096")
    put_date(page, "18.from", admitted.start if admitted else None)
    put_date(page, "18.to", discharged.start if discharged else None)


def _clinical(page: Values, claim: ProfessionalClaim) -> None:
    """Boxes 19 to 23."""
    attachments = [f"PWK{a.report_type}{a.transmission}{a.control_number}" for a in claim.attachments]
    page["19"] = text(" ".join([*(note.text for note in claim.notes), *attachments]))
    purchased = [
        parse_cents(raw[2]) for line in claim.lines for raw in line.extra_segments if raw[0] == "PS1" and len(raw) > 2
    ]
    yes_no(page, "20", yes=bool(purchased))
    if purchased:
        page["20.charge"] = money(sum(purchased))
    page["21.indicator"] = "0" if claim.diagnosis_version == "10" else "9"
    for letter, code in zip(DIAGNOSES, claim.diagnosis_codes, strict=False):
        page[f"21.{letter}"] = code.replace(".", "")
    if claim.frequency_code != "1":
        page["22.code"], page["22.original"] = claim.frequency_code, claim.payer_claim_control_number
    page["23"] = claim.prior_authorization_number or claim.referral_number or claim.clia_number


def _referrer(claim: ProfessionalClaim) -> tuple[str, Provider] | None:
    """Who stands in box 17: the referring, else the ordering, else the supervising provider."""
    found = dict(reversed(claim.providers))
    for line in claim.lines:
        for entity, provider in line.providers:
            found.setdefault(entity, provider)
    if claim.referring_provider is not None:
        found["DN"] = claim.referring_provider
    return next(((entity, found[entity]) for entity in _REFERRERS if entity in found), None)


def _providers(page: Values, claim: ProfessionalClaim) -> None:
    """Boxes 17 and 25 to 27, 31 to 33."""
    referrer = _referrer(claim)
    if referrer is not None:
        page["17.qualifier"], page["17"], page["17b"] = referrer[0], natural_name(referrer[1]), referrer[1].npi
        if referrer[1].references:
            page["17a.qualifier"], page["17a"] = other_id(referrer[1])
    billing = claim.billing_provider
    page["25"] = billing.tax_id
    mark(page, "25.ein" if billing.tax_id_qualifier == "EI" else "25.ssn", when=bool(billing.tax_id))
    page["26"] = claim.claim_id
    yes_no(page, "27", yes=claim.assignment_code == "A")
    page["31"] = ON_FILE if claim.provider_signature else ""
    place = claim.service_facility
    if place is not None:
        page["32.name"], page["32.street"], page["32.city"] = (
            natural_name(place),
            street(place.address),
            city_line(place.address),
        )
        page["32a"], page["32b"] = place.npi, "".join(other_id(place))
    numbers = dict(billing.contact.numbers) if billing.contact is not None else {}
    page["33.phone"] = numbers.get("TE", "")
    page["33.name"], page["33.street"], page["33.city"] = (
        natural_name(billing),
        street(billing.address),
        city_line(billing.address),
    )
    page["33a"] = billing.npi
    page["33b"] = f"ZZ{billing.taxonomy_code}" if billing.taxonomy_code else ""


def _letters(claim: ProfessionalClaim, line: ProfessionalLine) -> str:
    """The pointers of a line as letters; a letter without a diagnosis would be read as another one or as none."""
    if not all(1 <= pointer <= len(claim.diagnosis_codes) for pointer in line.diagnosis_pointers):
        raise X12Error(
            "paper.pointer",
            "a pointer names a diagnosis the claim does not have",
            expected=f"1 to {len(claim.diagnosis_codes)}",
        )
    return "".join(DIAGNOSES[pointer - 1] for pointer in line.diagnosis_pointers)


def _line(page: Values, name: str, claim: ProfessionalClaim, line: ProfessionalLine) -> None:
    """Box 24: one service line."""
    notes = []
    if line.drug is not None:
        notes.append(f"N4{line.drug.ndc} {line.drug.unit}{format_quantity(line.drug.quantity)}")
    if line.description:
        notes.append(f"ZZ{text(line.description)}")
    page[f"{name}.shaded"] = "   ".join(notes)
    put_date(page, f"{name}.A.from", line.service_from)
    put_date(page, f"{name}.A.to", line.service_to or line.service_from)
    page[f"{name}.B"] = line.place_of_service or claim.place_of_service
    page[f"{name}.C"] = "Y" if line.emergency else ""
    page[f"{name}.D"] = line.procedure_code
    for number, modifier in enumerate(line.modifiers[:4], 1):
        page[f"{name}.D.modifier{number}"] = modifier
    page[f"{name}.E"] = _letters(claim, line)
    page[f"{name}.F"] = money(line.charge_cents)
    page[f"{name}.G"] = format_quantity(line.units)
    page[f"{name}.H"] = "Y" if line.epsdt or line.family_planning else ""
    rendering = line.rendering_provider or claim.rendering_provider
    if rendering is not None:
        page[f"{name}.I"], page[f"{name}.J.other"] = other_id(rendering)
        page[f"{name}.J"] = rendering.npi
