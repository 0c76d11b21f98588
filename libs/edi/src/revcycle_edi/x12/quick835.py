"""835 claims of the usual shape, read with one pattern per claim and per line; the loop reader takes all others.

What repeats from claim to claim (services, dates, adjustments, amounts) is read once and remembered. Both ways give the
same records, which a test holds against damaged files.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from revcycle_edi.x12.cursor import PADDING, Cursor, parse_cas, parse_name
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Memo, UnusualShapeError
from revcycle_edi.x12.records.common import Adjustment, Name, QualifiedAmount, Reference
from revcycle_edi.x12.records.remittance import RemittanceClaim, RemittanceLine
from revcycle_edi.x12.values import parse_cents, parse_date, parse_optional_quantity

_Service = tuple[str, str, tuple[str, ...], int, int, str, Decimal | None]
_NEXT = r"(?=SVC\*|CLP\*|LX\*|SE\*|PLB\*)"
_ADJUSTMENTS = r"((?:CAS\*[^~]*~)*)"
_REFERENCES = r"((?:REF\*[^*~]*\*[^*~]*~)*)"
_AMOUNTS = r"((?:AMT\*[^*~]*\*[^*~]*~)*)"
_CLAIM = re.compile(
    rf"CLP\*([^~]*)~{_ADJUSTMENTS}((?:NM1\*[^~]*~)*)(MOA\*[^~]*~)?{_REFERENCES}(?:DTM\*232\*([^*~]+)~)?"
    rf"(?:DTM\*233\*([^*~]+)~)?(?:DTM\*050\*([^*~]+)~)?{_AMOUNTS}{_NEXT}"
)
_LINE = re.compile(
    rf"(SVC\*[^~]*)~(?:DTM\*472\*([^*~]+)~)?{_ADJUSTMENTS}(?:REF\*6R\*([^*~]+)~)?{_REFERENCES}{_AMOUNTS}"
    rf"((?:LQ\*[^*~]*\*[^*~]*~)*){_NEXT}"
)


class Memory:
    """What was read before under the same text, kept while one input is read."""

    def __init__(self) -> None:
        self.services = Memo(_service)
        self.adjustments = Memo(_adjustments)
        self.amounts = Memo(_amounts)
        self.names = Memo(_name)


def quick_claims(cursor: Cursor, assigned_number: str, memory: Memory) -> Iterator[RemittanceClaim]:
    """Claims from the cursor on, up to the first segment that is none or a claim of another shape."""
    text = cursor.text
    start = pos = cursor.pos
    try:
        while (found := _CLAIM.match(text, pos)) is not None:
            lines, end = _lines(text, found.end(), memory)
            yield _claim(found, lines, assigned_number, memory)
            pos = end
    except (UnusualShapeError, X12Error):
        pass  # The loop reader meets it again and says where if it is wrong.
    if pos > start:
        cursor.leap(pos)


def _lines(text: str, pos: int, memory: Memory) -> tuple[tuple[RemittanceLine, ...], int]:
    """The lines from a position on, and the position behind the last."""
    services, adjustments, amounts = memory.services, memory.adjustments, memory.amounts
    lines: list[RemittanceLine] = []
    while (found := _LINE.match(text, pos)) is not None:
        service, day, adjusted, control, references, amount, remarks = found.groups()
        code, qualifier, modifiers, charge, paid, revenue, units = services[service]
        others: tuple[Reference, ...] = ()
        if references:
            control, others = _references(control, references)
        lines.append(
            RemittanceLine(
                procedure_code=code,
                charge_cents=charge,
                paid_cents=paid,
                procedure_qualifier=qualifier,
                modifiers=modifiers,
                revenue_code=revenue,
                units_paid=units,
                service_from=parse_date(day) if day else None,
                adjustments=adjustments[adjusted] if adjusted else (),
                control_number=control or "",
                references=others,
                amounts=amounts[amount] if amount else (),
                remark_codes=_remarks(remarks, drug=False) if remarks else (),
                drug_remark_codes=_remarks(remarks, drug=True) if remarks else (),
            )
        )
        pos = found.end()
    if text.startswith("SVC*", pos):
        raise UnusualShapeError
    return tuple(lines), pos


def _claim(
    found: re.Match[str], lines: tuple[RemittanceLine, ...], assigned_number: str, memory: Memory
) -> RemittanceClaim:
    head, adjusted, people, remarks, references, start, end, received, amounts = found.groups()
    e = head.split("*")
    if not 7 <= len(e) <= 9:
        raise UnusualShapeError
    patient, insured, others = _names(people, memory) if people else (None, None, ())
    return RemittanceClaim(
        claim_id=e[0],
        status_code=e[1],
        charge_cents=parse_cents(e[2]),
        paid_cents=parse_cents(e[3]),
        patient_responsibility_cents=parse_cents(e[4]) if e[4] else None,
        filing_code=e[5],
        payer_claim_control_number=e[6],
        facility_code=e[7] if len(e) > 7 else "",
        frequency_code=e[8] if len(e) > 8 else "",
        assigned_number=assigned_number,
        adjustments=memory.adjustments[adjusted] if adjusted else (),
        patient=patient,
        insured=insured,
        names=others,
        outpatient_remarks=tuple(remarks[:-1].split("*")) if remarks else (),
        references=_claim_references(references) if references else (),
        statement_from=parse_date(start) if start else None,
        statement_to=parse_date(end) if end else None,
        received_date=parse_date(received) if received else None,
        amounts=memory.amounts[amounts] if amounts else (),
        lines=lines,
    )


def _names(text: str, memory: Memory) -> tuple[Name | None, Name | None, tuple[tuple[str, Name], ...]]:
    """NM1 segments as patient, insured and the others."""
    patient = insured = None
    others: list[tuple[str, Name]] = []
    for segment in text[:-1].split("~"):
        if segment.startswith("NM1*QC*") and patient is None:
            patient = _name(segment)
        elif segment.startswith("NM1*IL*") and insured is None:
            insured = _name(segment)
        else:
            others.append((segment.split("*", 2)[1], memory.names[segment]))
    return patient, insured, tuple(others)


def _pairs(text: str) -> list[list[str]]:
    return [segment.split("*") for segment in text[:-1].split("~")]


def _references(control: str | None, text: str) -> tuple[str | None, tuple[Reference, ...]]:
    """The line control number (the first REF*6R) and the other references."""
    others: list[Reference] = []
    for e in _pairs(text):
        if e[1] == "6R" and not control:
            control = e[2]
        else:
            others.append(Reference(e[1], e[2]))
    return control, tuple(others)


def _claim_references(text: str) -> tuple[Reference, ...]:
    """References of a claim; a line control number that strayed there comes last, as the loop reader puts it."""
    control, others = _references(None, text)
    return (*others, Reference("6R", control)) if control else others


def _remarks(text: str, *, drug: bool) -> tuple[str, ...]:
    return tuple([e[2] for e in _pairs(text) if (e[1] == "RX") == drug])


def _name(segment: str) -> Name:
    e = segment.split("*")
    if len(e) != 10:
        return parse_name(e + PADDING)
    kind = e[2]
    return Name(
        last_name=e[3],
        first_name=e[4],
        middle_name=e[5],
        suffix=e[7],
        entity_type="1" if kind == "1" else "2" if kind == "2" else "",
        id_qualifier=e[8],
        id=e[9],
    )


def _service(segment: str) -> _Service:
    """SVC as code, qualifier, modifiers, charge, payment, revenue code and units."""
    e = segment.split("*")
    parts = e[1].split(":")
    if not 4 <= len(e) <= 6 or not 2 <= len(parts) <= 6:
        raise UnusualShapeError
    revenue = e[4] if len(e) > 4 else ""
    units = parse_optional_quantity(e[5]) if len(e) > 5 else None
    modifiers = tuple([m for m in parts[2:] if m])
    return parts[1], parts[0], modifiers, parse_cents(e[2]), parse_cents(e[3]), revenue, units


def _adjustments(text: str) -> tuple[Adjustment, ...]:
    """CAS segments; X12Error when a reason has no amount."""
    found: list[Adjustment] = []
    for e in _pairs(text):
        parse_cas(e + PADDING, found)
    return tuple(found)


def _amounts(text: str) -> tuple[QualifiedAmount, ...]:
    return tuple([QualifiedAmount(e[1], parse_cents(e[2])) for e in _pairs(text)])
