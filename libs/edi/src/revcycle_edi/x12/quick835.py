"""835 claims of the usual shape, read with one pattern per claim and per line; the loop reader takes all others.

Both give the same records, which a test holds against damaged files.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from revcycle_edi.x12.cursor import PADDING, Cursor, parse_cas, parse_name
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.common import Adjustment, Name, QualifiedAmount, Reference
from revcycle_edi.x12.records.remittance import RemittanceClaim, RemittanceLine
from revcycle_edi.x12.values import parse_cents, parse_date, parse_optional_quantity

_V = r"([^*~]*)"
_C = r"([^*:~]*)"
_NEXT = r"(?=SVC\*|CLP\*|LX\*|SE\*|PLB\*)"
_REFERENCES = r"((?:REF\*[^*~]*\*[^*~]*~)*)"
_AMOUNTS = r"((?:AMT\*[^*~]*\*[^*~]*~)*)"
_CLAIM = re.compile(
    rf"CLP\*{_V}\*{_V}\*{_V}\*{_V}\*{_V}\*{_V}\*{_V}(?:\*{_V}(?:\*{_V})?)?~((?:CAS\*[^~]*~)*)"
    rf"((?:NM1\*[^~]*~)*)(MOA\*[^~]*~)?{_REFERENCES}"
    rf"(?:DTM\*232\*([^*~]+)~)?(?:DTM\*233\*([^*~]+)~)?(?:DTM\*050\*([^*~]+)~)?{_AMOUNTS}{_NEXT}"
)
_LINE = re.compile(
    rf"SVC\*{_C}:{_C}((?::[^*:~]*){{0,4}})\*{_V}\*{_V}(?:\*{_V}(?:\*{_V})?)?~"
    rf"(?:DTM\*(?:472|150)\*([^*~]+)~(?:(?<=150\*.{{8}}~)DTM\*151\*([^*~]+)~)?)?((?:CAS\*[^~]*~)*)"
    rf"(?:REF\*6R\*([^*~]+)~)?{_REFERENCES}{_AMOUNTS}((?:LQ\*[^*~]*\*[^*~]*~)*){_NEXT}"
)
_CACHED = 160
"""Texts of up to so many characters are worth remembering; a bound on what a hostile file can make us keep."""


def quick_claims(cursor: Cursor, assigned_number: str) -> Iterator[RemittanceClaim]:
    """Claims from the cursor on, up to the first segment that is none or a claim of another shape."""
    text = cursor.text
    start = pos = cursor.pos
    try:
        while (found := _CLAIM.match(text, pos)) is not None:
            lines: list[RemittanceLine] = []
            end = found.end()
            while (line := _LINE.match(text, end)) is not None:
                lines.append(_line(line))
                end = line.end()
            if text.startswith("SVC*", end):
                break
            yield _claim(found, lines, assigned_number)
            pos = end
    except X12Error:
        pass  # The loop reader meets it again and says where.
    if pos > start:
        cursor.leap(pos)


def _claim(found: re.Match[str], lines: list[RemittanceLine], assigned_number: str) -> RemittanceClaim:
    (
        id_,
        status,
        charge,
        paid,
        share,
        filing,
        control,
        facility,
        frequency,
        adjustments,
        people,
        remarks,
        references,
        start,
        end,
        received,
        amounts,
    ) = found.groups()
    patient, insured, others = _names(people) if people else (None, None, ())
    return RemittanceClaim(
        claim_id=id_,
        status_code=status,
        charge_cents=parse_cents(charge),
        paid_cents=parse_cents(paid),
        patient_responsibility_cents=parse_cents(share) if share else None,
        filing_code=filing,
        payer_claim_control_number=control,
        facility_code=facility or "",
        frequency_code=frequency or "",
        assigned_number=assigned_number,
        adjustments=_adjustments(adjustments) if adjustments else (),
        patient=patient,
        insured=insured,
        names=others,
        outpatient_remarks=tuple(remarks[:-1].split("*")) if remarks else (),
        references=_claim_references(references) if references else (),
        statement_from=parse_date(start) if start else None,
        statement_to=parse_date(end) if end else None,
        received_date=parse_date(received) if received else None,
        amounts=_amounts(amounts) if amounts else (),
        lines=tuple(lines),
    )


def _line(found: re.Match[str]) -> RemittanceLine:
    (
        qualifier,
        code,
        modifiers,
        charge,
        paid,
        revenue,
        units,
        start,
        end,
        adjustments,
        control,
        references,
        amounts,
        remarks,
    ) = found.groups()
    others: tuple[Reference, ...] = ()
    if references:
        control, others = _line_references(control, references)
    return RemittanceLine(
        procedure_code=code,
        charge_cents=parse_cents(charge),
        paid_cents=parse_cents(paid),
        procedure_qualifier=qualifier,
        modifiers=tuple([m for m in modifiers.split(":") if m]) if modifiers else (),
        revenue_code=revenue or "",
        units_paid=parse_optional_quantity(units) if units else None,
        service_from=parse_date(start) if start else None,
        service_to=parse_date(end) if end else None,
        adjustments=_adjustments(adjustments) if adjustments else (),
        control_number=control or "",
        references=others,
        amounts=_amounts(amounts) if amounts else (),
        remark_codes=_remarks(remarks, drug=False) if remarks else (),
        drug_remark_codes=_remarks(remarks, drug=True) if remarks else (),
    )


def _names(text: str) -> tuple[Name | None, Name | None, tuple[tuple[str, Name], ...]]:
    """NM1 segments as patient, insured and the others."""
    patient = insured = None
    others: list[tuple[str, Name]] = []
    for segment in text[4:-1].split("~NM1*"):
        if segment.startswith("QC*") and patient is None:
            patient = _name(segment)
        elif segment.startswith("IL*") and insured is None:
            insured = _name(segment)
        else:
            name = _known_name(segment) if len(segment) <= _CACHED else _name(segment)
            others.append((segment.partition("*")[0], name))
    return patient, insured, tuple(others)


def _name(segment: str) -> Name:
    """What follows the segment id of an NM1."""
    e = segment.split("*")
    if len(e) != 9:
        return parse_name(["NM1", *e, *PADDING])
    kind = e[1]
    return Name(
        last_name=e[2],
        first_name=e[3],
        middle_name=e[4],
        suffix=e[6],
        entity_type="1" if kind == "1" else "2" if kind == "2" else "",
        id_qualifier=e[7],
        id=e[8],
    )


_known_name = lru_cache(maxsize=1024)(_name)


def _adjustments(text: str) -> tuple[Adjustment, ...]:
    return _known_adjustments(text) if len(text) <= _CACHED else _read_adjustments(text)


def _read_adjustments(text: str) -> tuple[Adjustment, ...]:
    """CAS segments; X12Error when a reason has no amount."""
    found: list[Adjustment] = []
    for segment in text[:-1].split("~"):
        parse_cas(segment.split("*") + PADDING, found)
    return tuple(found)


_known_adjustments = lru_cache(maxsize=8192)(_read_adjustments)


def _pairs(text: str) -> list[list[str]]:
    return [segment.split("*") for segment in text[:-1].split("~")]


def _amounts(text: str) -> tuple[QualifiedAmount, ...]:
    return _known_amounts(text) if len(text) <= _CACHED else _read_amounts(text)


def _read_amounts(text: str) -> tuple[QualifiedAmount, ...]:
    return tuple([QualifiedAmount(e[1], parse_cents(e[2])) for e in _pairs(text)])


_known_amounts = lru_cache(maxsize=8192)(_read_amounts)


def _claim_references(text: str) -> tuple[Reference, ...]:
    """References of a claim; a line control number that strayed there comes last, as the loop reader puts it."""
    control, others = _line_references(None, text)
    return (*others, Reference("6R", control)) if control else others


def _line_references(control: str | None, text: str) -> tuple[str | None, tuple[Reference, ...]]:
    """The line control number (the first REF*6R) and the other references."""
    others: list[Reference] = []
    for e in _pairs(text):
        if e[1] == "6R" and not control:
            control = e[2]
        else:
            others.append(Reference(e[1], e[2]))
    return control, tuple(others)


def _remarks(text: str, *, drug: bool) -> tuple[str, ...]:
    return tuple([e[2] for e in _pairs(text) if (e[1] == "RX") == drug])
