"""UB-04 pages from institutional claims: 22 service lines a page, the total line 0001 on the last one."""

from collections.abc import Sequence
from textwrap import wrap

from revcycle_edi.paper.draw import draw_form
from revcycle_edi.paper.ub04_map import CONDITION_CODES, FORM, LINES_PER_PAGE, OTHER_DIAGNOSES, PAYERS
from revcycle_edi.paper.values import (
    Values,
    city_line,
    first_reference,
    money,
    natural_name,
    other_id,
    person_name,
    postal,
    short_date,
    street,
    text,
)
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.claim import (
    HealthInformation,
    InstitutionalClaim,
    InstitutionalLine,
    OtherPayer,
    Provider,
)
from revcycle_edi.x12.values import format_quantity, parse_cents

_TOTAL_ROW = LINES_PER_PAGE + 1
_RANK = {"P": 0, "S": 1, "T": 2}
_OTHER_ROLES = ("ZZ", "82", "DN")


def render_ub04(claims: Sequence[InstitutionalClaim]) -> bytes:
    """The claims as one PDF, every claim on pages of its own. X12Error when a value cannot stand on the form."""
    return draw_form(FORM, [page for claim in claims for page in ub04_pages(claim)])


def ub04_pages(claim: InstitutionalClaim) -> list[Values]:
    """The values of each page of a claim by field name (see ub04_map)."""
    starts = range(0, max(len(claim.lines), 1), LINES_PER_PAGE)
    pages: list[Values] = []
    for page_number, start in enumerate(starts, 1):
        page: Values = {}
        _header(page, claim)
        _information(page, claim)
        _payers(page, claim)
        _diagnoses(page, claim)
        _providers(page, claim)
        for row, line in enumerate(claim.lines[start : start + LINES_PER_PAGE], 1):
            _line(page, row, line)
        page[f"43.{_TOTAL_ROW}"] = f"PAGE {page_number} OF {len(starts)}"
        pages.append(page)
    noncovered = sum(line.noncovered_cents or 0 for line in claim.lines)
    pages[-1] |= {f"42.{_TOTAL_ROW}": "0001", f"47.{_TOTAL_ROW}": money(claim.charge_cents)}
    if noncovered:
        pages[-1][f"48.{_TOTAL_ROW}"] = money(noncovered)
    return pages


def _header(page: Values, claim: InstitutionalClaim) -> None:
    """Locators 1 to 17."""
    billing, person = claim.billing_provider, claim.patient or claim.subscriber
    page["1.1"], page["1.2"], page["1.3"] = natural_name(billing), street(billing.address), city_line(billing.address)
    if billing.pay_to_address is not None:
        page["2.1"] = natural_name(billing)
        page["2.2"], page["2.3"] = street(billing.pay_to_address), city_line(billing.pay_to_address)
    page["3a"], page["3b"] = claim.claim_id, first_reference(claim.references, "EA")
    page["4"] = f"0{claim.facility_code}{claim.frequency_code}"
    page["5"] = billing.tax_id
    page["6.from"], page["6.through"] = short_date(claim.statement_from), short_date(claim.statement_to)
    page["8a"] = claim.subscriber.member_id if claim.patient is None else ""
    page["8b"] = person_name(person)
    page["9a"], page["9b"] = street(person.address), text(person.address.city) if person.address else ""
    page["9c"], page["9d"] = person.address.state if person.address else "", postal(person.address)
    page["10"] = f"{person.birth_date:%m%d}{person.birth_date.year:04d}" if person.birth_date else ""
    page["11"] = person.sex
    day, hour = claim.admission_at[:8], claim.admission_at[8:10]
    page["12"], page["13"] = day[4:8] + day[2:4], hour
    page["14"], page["15"] = claim.admission_type, claim.admission_source
    page["16"], page["17"] = claim.discharge_hour[:2], claim.patient_status
    page["29"] = first_reference(claim.references, "LU")


def _of(claim: InstitutionalClaim, qualifier: str, most: int, locators: str) -> list[HealthInformation]:
    found = [item for item in claim.information if item.qualifier == qualifier]
    if len(found) > most:
        raise X12Error("paper.codes", f"{len(found)} codes for form locators {locators}", expected=f"at most {most}")
    return found


def _information(page: Values, claim: InstitutionalClaim) -> None:
    """Locators 18 to 28, 31 to 36, 39 to 41 and 74: filled across before down."""
    for index, item in enumerate(_of(claim, "BG", CONDITION_CODES, "18 to 28")):
        page[str(18 + index)] = item.code
    for index, item in enumerate(_of(claim, "BH", 8, "31 to 34")):
        name = f"{31 + index % 4}{'ab'[index // 4]}"
        page[name], page[f"{name}.date"] = item.code, short_date(item.start)
    for index, item in enumerate(_of(claim, "BI", 4, "35 and 36")):
        name = f"{35 + index % 2}{'ab'[index // 2]}"
        page[name] = item.code
        page[f"{name}.from"], page[f"{name}.through"] = short_date(item.start), short_date(item.end)
    for index, item in enumerate(_of(claim, "BE", 12, "39 to 41")):
        name = f"{39 + index % 3}{'abcd'[index // 3]}"
        page[name], page[f"{name}.amount"] = item.code, money(item.cents or 0)
    procedures = _of(claim, "BBR", 1, "74") + _of(claim, "BBQ", 5, "74a to 74e")
    principal = any(item.qualifier == "BBR" for item in procedures)
    names = ("74", "74a", "74b", "74c", "74d", "74e")
    for name, item in zip(names if principal else names[1:], procedures, strict=False):
        page[name], page[f"{name}.date"] = item.code, short_date(item.start)


def _line(page: Values, row: int, line: InstitutionalLine) -> None:
    """Locators 42 to 48 of one line."""
    page[f"42.{row}"] = line.revenue_code
    drug = line.drug
    page[f"43.{row}"] = (
        f"N4{drug.ndc}{drug.unit}{format_quantity(drug.quantity)}" if drug is not None else text(line.description)
    )
    page[f"44.{row}"] = "".join((line.procedure_code, *line.modifiers))
    page[f"45.{row}"] = short_date(line.service_from)
    page[f"46.{row}"] = format_quantity(line.units)
    page[f"47.{row}"] = money(line.charge_cents)
    if line.noncovered_cents is not None:
        page[f"48.{row}"] = money(line.noncovered_cents)


def _payers(page: Values, claim: InstitutionalClaim) -> None:
    """Locators 50 to 64: the payers in the order they are responsible."""
    others = sorted(claim.other_payers, key=lambda other: _RANK.get(other.responsibility, 3))
    if len(others) >= len(PAYERS):
        raise X12Error("paper.payers", f"{len(others) + 1} payers", expected="at most 3")
    place = min(_RANK.get(claim.subscriber.responsibility, 3), len(others))
    for letter, other in zip((p for p in PAYERS if p != PAYERS[place]), others, strict=False):
        _other_payer(page, letter, other)
    letter, insured = PAYERS[place], claim.subscriber
    page[f"50{letter}"], page[f"51{letter}"] = text(claim.payer.name), claim.payer.payer_id
    page[f"52{letter}"], page[f"53{letter}"] = claim.release_code, claim.benefits_assigned
    if claim.patient_paid_cents is not None:
        page[f"54{letter}"] = money(claim.patient_paid_cents)
    page[f"57{letter}"] = first_reference(claim.payer.references, "G2") or first_reference(
        claim.billing_provider.references, "G2", "1G", "0B"
    )
    page[f"58{letter}"] = person_name(insured)
    page[f"59{letter}"] = claim.patient.relationship_code if claim.patient is not None else "18"
    page[f"60{letter}"], page[f"61{letter}"] = insured.member_id, text(insured.group_name)
    page[f"62{letter}"] = insured.group_number
    page[f"63{letter}"] = claim.prior_authorization_number or claim.referral_number
    page[f"64{letter}"] = claim.payer_claim_control_number
    due = next((raw[2] for raw in claim.extra_segments if raw[:2] == ("AMT", "F3") and len(raw) > 2), "")
    page[f"55{letter}"] = money(parse_cents(due)) if due else ""
    page["56"] = claim.billing_provider.npi


def _other_payer(page: Values, letter: str, other: OtherPayer) -> None:
    page[f"50{letter}"], page[f"51{letter}"] = text(other.payer_name), other.payer_id
    page[f"52{letter}"], page[f"53{letter}"] = other.release_code, other.benefits_assigned
    if other.paid_cents is not None:
        page[f"54{letter}"] = money(other.paid_cents)
    page[f"58{letter}"], page[f"59{letter}"] = person_name(other.subscriber), other.relationship_code
    page[f"60{letter}"], page[f"61{letter}"] = other.subscriber.id, text(other.group_name)
    page[f"62{letter}"], page[f"64{letter}"] = other.group_number, other.payer_claim_control_number


def _diagnoses(page: Values, claim: InstitutionalClaim) -> None:
    """Locators 66 to 72."""
    page["66"] = "0" if claim.diagnosis_version == "10" else "9"
    if claim.principal_diagnosis is not None:
        page["67"] = claim.principal_diagnosis.code.replace(".", "")
        page["67.poa"] = claim.principal_diagnosis.present_on_admission
    # The form has 17 places and the electronic claim 24: what does not fit cannot be printed, and the order is kept.
    for letter, other in zip(OTHER_DIAGNOSES, claim.other_diagnoses, strict=False):
        page[f"67{letter}"], page[f"67{letter}.poa"] = other.code.replace(".", ""), other.present_on_admission
    page["69"] = claim.admitting_diagnosis.replace(".", "")
    for letter, reason in zip("abc", claim.reason_for_visit, strict=False):
        page[f"70{letter}"] = reason.replace(".", "")
    page["71"] = next((item.code for item in claim.information if item.qualifier == "DR"), "")
    for letter, cause in zip("abc", claim.external_causes, strict=False):
        page[f"72{letter}"], page[f"72{letter}.poa"] = cause.code.replace(".", ""), cause.present_on_admission


def _provider(page: Values, name: str, provider: Provider | None, role: str = "") -> None:
    if provider is None:
        return
    page[f"{name}.role"], page[f"{name}.npi"] = role, provider.npi
    page[f"{name}.last"], page[f"{name}.first"] = text(provider.last_name), text(provider.first_name)
    if provider.references:
        page[f"{name}.other.qualifier"], page[f"{name}.other"] = other_id(provider)


def _providers(page: Values, claim: InstitutionalClaim) -> None:
    """Locators 76 to 81."""
    _provider(page, "76", claim.attending_provider)
    _provider(page, "77", claim.operating_provider)
    others = [*claim.providers]
    if claim.rendering_provider is not None:
        others.append(("82", claim.rendering_provider))
    if claim.referring_provider is not None:
        others.append(("DN", claim.referring_provider))
    for name, (role, provider) in zip(("78", "79"), (o for o in others if o[0] in _OTHER_ROLES), strict=False):
        _provider(page, name, provider, role)
    remarks = wrap(text(" ".join(note.text for note in claim.notes)), 24)
    for row, remark in enumerate(remarks[:3], 1):
        page[f"80.{row}"] = remark
    if claim.billing_provider.taxonomy_code:
        page["81a.qualifier"], page["81a"] = "B3", claim.billing_provider.taxonomy_code
