"""The loops the three 837 writers share: names, providers, other payers, what follows the service segment."""

from collections.abc import Sequence
from typing import Protocol

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.claim import Attachment, LineAdjudication, Note, OtherPayer, Payer, Provider, ServiceLine
from revcycle_edi.x12.records.common import QualifiedDate, RawSegment
from revcycle_edi.x12.values import format_cents, format_date, format_period, format_quantity
from revcycle_edi.x12.writer import (
    SegmentWriter,
    clean_text,
    code,
    composite,
    quantity_text,
    write_address,
    write_adjustments,
    write_references,
)

# The order of segments inside loop 2300 of the guides.
_CLAIM_SEGMENTS = "CLM DTP CL1 DN1 DN2 PWK CN1 AMT REF K3 NTE CR1 CR2 CR3 CR5 CR6 CR8 CRC HI QTY HCP"
_CLAIM_ORDER = {name: rank for rank, name in enumerate(_CLAIM_SEGMENTS.split(" "))}


class PersonName(Protocol):
    """Anything with the given names of a person."""

    @property
    def first_name(self) -> str:
        """First name."""

    @property
    def middle_name(self) -> str:
        """Middle name."""

    @property
    def suffix(self) -> str:
        """Suffix."""


def claim_amount(cents: int, name: str) -> str:
    """A charge: not negative, at most ten digits."""
    if not 0 <= cents <= 99_999_999_99:
        raise X12Error("837.write.amount", f"{name} is out of range", expected="0 to 99999999.99")
    return format_cents(cents)


def write_person(
    out: SegmentWriter, entity: str, entity_type: str, last_name: str, given: PersonName, qualifier: str, id_: str
) -> None:
    """NM1 of a person or an organization; the qualifier goes only with an identifier."""
    last = clean_text(last_name, 60)
    identifier = code(id_, f"NM1*{entity} identifier", 80)
    if entity_type == "2":
        out.add("NM1", entity, "2", last, "", "", "", "", qualifier if identifier else "", identifier)
        return
    out.add(
        "NM1",
        entity,
        "1",
        last,
        clean_text(given.first_name, 35),
        clean_text(given.middle_name, 25),
        "",
        clean_text(given.suffix, 10),
        qualifier if identifier else "",
        identifier,
    )


# Where the guides have a PRV: the roles of the other providers have none. Referring and assisting ones: dental only.
_TAXONOMY_ROLES = {"82": "PE", "71": "AT"}
_DENTAL_ROLES = _TAXONOMY_ROLES | {"DN": "RF", "P3": "RF", "DD": "AS"}


def write_provider(out: SegmentWriter, entity: str, provider: Provider, *, dental: bool = False) -> None:
    """A provider loop; the taxonomy goes only where the guide has a place for it."""
    entity = code(entity, "provider entity code", 3, required=True)
    write_person(out, entity, provider.entity_type, provider.last_name, provider, "XX", provider.npi)
    role = (_DENTAL_ROLES if dental else _TAXONOMY_ROLES).get(entity)
    if provider.taxonomy_code and role:
        out.add("PRV", role, "PXC", code(provider.taxonomy_code, "taxonomy_code", 50))
    write_address(out, provider.address)
    write_references(out, provider.references)


def write_dates(out: SegmentWriter, dates: Sequence[QualifiedDate]) -> None:
    """One DTP each."""
    for item in dates:
        qualifier, text = format_period(item.start, item.end)
        if item.time:
            qualifier, text = "DT", text + code(item.time, "time", 4)
        out.add("DTP", code(item.qualifier, "DTP01", 3, required=True), qualifier, text)


def write_attachments(out: SegmentWriter, attachments: Sequence[Attachment]) -> None:
    """One PWK each."""
    for item in attachments:
        number = code(item.control_number, "attachment control number", 80)
        report = code(item.report_type, "PWK01", 2, required=True)
        out.add("PWK", report, code(item.transmission, "PWK02", 2), "", "", "AC" if number else "", number)


def write_notes(out: SegmentWriter, notes: Sequence[Note]) -> None:
    """One NTE each; a note of which nothing is left after cleaning is not sent."""
    for note in notes:
        text = clean_text(note.text, 80)
        if text:
            out.add("NTE", code(note.qualifier, "NTE01", 3), text)


def write_hi(out: SegmentWriter, composites: Sequence[str]) -> None:
    """HI segments of at most twelve composites."""
    for first in range(0, len(composites), 12):
        out.add("HI", *composites[first : first + 12])


def in_guide_order(out: SegmentWriter, mark: int, extra: Sequence[RawSegment]) -> None:
    """Add kept segments to the loop that began at mark and put the loop into the order of the guide."""
    if not extra:
        return
    out.raw(extra)
    loop = out.segments[mark:]
    loop.sort(key=lambda text: _CLAIM_ORDER.get(text.partition("*")[0], 99))
    out.segments[mark:] = loop


def diagnosis_texts(codes: Sequence[str], version: str, limit: int) -> list[str]:
    """Diagnosis codes as HI composites, points taken out, the principal one first."""
    if len(codes) > limit:
        raise X12Error(
            "837.write.diagnoses", f"{len(codes)} diagnoses", expected=f"at most {limit} diagnoses", segment="HI"
        )
    first, other = ("ABK", "ABF") if version == "10" else ("BK", "BF")
    return [
        f"{first if index == 0 else other}:{code(text.replace('.', ''), 'diagnosis code', 30, required=True)}"
        for index, text in enumerate(codes)
    ]


def pointers_text(pointers: Sequence[int], available: int) -> str:
    """Diagnosis pointers as a composite."""
    if len(pointers) > 4 or any(not 1 <= pointer <= available for pointer in pointers):
        raise X12Error(
            "837.write.pointer",
            "a line points to a diagnosis the claim does not have",
            expected=f"at most four pointers from 1 to {available}",
            segment="SV1",
            element="07",
        )
    return ":".join(map(str, pointers))


def procedure_text(qualifier: str, procedure: str, modifiers: Sequence[str], description: str) -> str:
    """A procedure composite."""
    if len(modifiers) > 4:
        raise X12Error("837.write.modifiers", f"{len(modifiers)} modifiers", expected="at most four modifiers")
    parts = [code(m, "modifier", 2, required=True) for m in modifiers]
    words = clean_text(description, 80)
    if words:
        parts += [""] * (4 - len(parts))
    return composite(qualifier, code(procedure, "procedure_code", 48), *parts, words)


def write_payer(out: SegmentWriter, payer: Payer) -> None:
    """Loop 2010BB."""
    payer_id = code(payer.payer_id, "payer_id", 80, required=True)
    out.add("NM1", "PR", "2", clean_text(payer.name, 60), *[""] * 4, payer.id_qualifier, payer_id)
    write_address(out, payer.address)
    write_references(out, payer.references)
    out.raw(payer.extra_segments)


def _yes(text: str) -> str:
    return code(text, "OI element", 1)


def write_other_payer(out: SegmentWriter, other: OtherPayer) -> None:
    """Loops 2320, 2330A and 2330B."""
    out.add(
        "SBR",
        code(other.responsibility, "other payer responsibility", 1, required=True),
        code(other.relationship_code, "other payer relationship", 2, required=True),
        code(other.group_number, "group_number", 50),
        clean_text(other.group_name, 60),
        code(other.insurance_type_code, "insurance_type_code", 3),
        "",
        "",
        "",
        code(other.filing_code, "filing_code", 2),
    )
    write_adjustments(out, other.adjustments)
    if other.paid_cents is not None:
        out.add("AMT", "D", format_cents(other.paid_cents))
    for amount in other.amounts:
        out.add("AMT", code(amount.qualifier, "AMT01", 3, required=True), format_cents(amount.cents))
    signature = _yes(other.patient_signature_source)
    out.add("OI", "", "", _yes(other.benefits_assigned), signature, "", _yes(other.release_code))
    out.raw([raw for raw in (other.inpatient_remarks, other.outpatient_remarks) if raw])
    insured = other.subscriber
    write_person(
        out, "IL", insured.entity_type or "1", insured.last_name, insured, insured.id_qualifier or "MI", insured.id
    )
    write_address(out, other.subscriber_address)
    payer_id = code(other.payer_id, "other payer id", 80, required=True)
    out.add("NM1", "PR", "2", clean_text(other.payer_name, 60), *[""] * 4, other.payer_id_qualifier, payer_id)
    write_address(out, other.payer_address)
    if other.adjudication_date is not None:
        out.add("DTP", "573", "D8", format_date(other.adjudication_date))
    if other.payer_claim_control_number:
        out.add("REF", "F8", code(other.payer_claim_control_number, "other payer claim number", 50))
    out.raw(other.extra_segments)


def write_line_tail(out: SegmentWriter, line: ServiceLine) -> None:
    """Everything of a line after SV1, SV2 or SV3."""
    extra = line.extra_segments
    early = [raw for raw in extra if raw[0] in _BEFORE_DATES]
    late = [raw for raw in extra if raw[0] not in _BEFORE_DATES]
    out.raw([raw for raw in early if raw[0] == "SV5"])
    write_attachments(out, line.attachments)
    out.raw([raw for raw in early if raw[0] != "SV5"])
    if line.service_from is not None:
        qualifier, text = format_period(line.service_from, line.service_to)
        out.add("DTP", "472", qualifier, text)
    write_dates(out, line.dates)
    out.raw([raw for raw in late if raw[0] in ("QTY", "MEA", "CN1", "DTP")])
    if line.control_number:
        out.add("REF", "6R", code(line.control_number, "line control number", 30))
    write_references(out, line.references)
    for amount in line.amounts:
        out.add("AMT", code(amount.qualifier, "AMT01", 3, required=True), format_cents(amount.cents))
    out.raw([raw for raw in late if raw[0] == "K3"])
    write_notes(out, line.notes)
    out.raw([raw for raw in late if raw[0] in ("PS1", "HCP", "REF")])
    if line.drug is not None:
        out.add("LIN", "", "N4", code(line.drug.ndc, "ndc", 48, required=True))
        unit = code(line.drug.unit, "drug unit", 2, required=True)
        out.add("CTP", "", "", "", format_quantity(line.drug.quantity), unit)
        if line.drug.prescription_number:
            out.add("REF", "XZ", code(line.drug.prescription_number, "prescription number", 50))
    if line.rendering_provider is not None:
        write_provider(out, "82", line.rendering_provider)
    for entity, provider in line.providers:
        write_provider(out, entity, provider)
    for adjudication in line.adjudications:
        write_adjudication(out, adjudication)
    out.raw([raw for raw in late if raw[0] in ("LQ", "FRM")])
    out.raw([raw for raw in late if raw[0] not in _PLACED])


_BEFORE_DATES = frozenset(("SV5", "SV4", "CR1", "CR2", "CR3", "CR5", "CRC"))
_PLACED = frozenset(("QTY", "MEA", "CN1", "DTP", "K3", "PS1", "HCP", "REF", "LQ", "FRM"))


def write_adjudication(out: SegmentWriter, item: LineAdjudication) -> None:
    """Loop 2430."""
    procedure = code(item.procedure_code, "adjudicated procedure", 48)
    modifiers = [code(m, "modifier", 2) for m in item.modifiers]
    out.add(
        "SVD",
        code(item.payer_id, "SVD01 payer id", 80, required=True),
        format_cents(item.paid_cents),
        composite(item.procedure_qualifier, procedure, *modifiers) if procedure else "",
        code(item.revenue_code, "revenue_code", 4),
        quantity_text(item.units),
        code(item.bundled_line, "bundled line", 6),
    )
    write_adjustments(out, item.adjustments)
    if item.adjudication_date is not None:
        out.add("DTP", "573", "D8", format_date(item.adjudication_date))
    out.raw(item.extra_segments)
