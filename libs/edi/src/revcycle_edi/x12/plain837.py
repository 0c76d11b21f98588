"""Professional claims of the plainest and most frequent shape, read with one pattern per level, claim and line.

Subscriber (and patient) with name, address and birth date, claim with diagnoses, an authorization and a rendering
provider, lines with service, date and control number. Whatever else stands in a claim sends it to the loop readers.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from revcycle_edi.x12.cursor import Cursor
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Memo, UnusualShapeError
from revcycle_edi.x12.records.claim import (
    BillingProvider,
    Patient,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Provider,
    SubmissionHeader,
    Subscriber,
)
from revcycle_edi.x12.records.common import Address, Reference
from revcycle_edi.x12.values import parse_cents, parse_date, parse_integer, parse_period, parse_quantity

_Service = tuple[str, tuple[str, ...], str, int, Decimal, str, tuple[int, ...], str]
_Period = tuple[date, date | None]
_WHO = r"(?:N3\*([^*~]*)~(N4\*[^~]*)~)?(?:DMG\*D8\*([^*~]+)\*([^*~]*)~)?"
_SUBSCRIBER = re.compile(
    rf"HL\*[^*~]*\*[^*~]*\*22\*[^~]*~(SBR\*[^~]*)~(NM1\*IL\*[^~]*)~{_WHO}"
    r"(NM1\*PR\*[^~]*~(?:(?:N3|N4|REF)\*[^~]*~)*)(?=CLM\*|HL\*)"
)
_PATIENT = re.compile(rf"HL\*[^*~]*\*[^*~]*\*23\*[^~]*~PAT\*([^*~]*)~(NM1\*QC\*[^~]*)~{_WHO}(?=CLM\*)")
_CLAIM = re.compile(r"(CLM\*[^~]*)~(?:REF\*G1\*([^*~]*)~)?(HI\*[^~]*)~(NM1\*82\*[^~]*~(?:PRV\*[^~]*~)?)?(?=LX\*)")
_LINE = re.compile(r"LX\*[^~]*~(SV1\*[^~]*)~(DTP\*472\*[^~]*)~(?:REF\*6R\*([^*~]*)~)?(?=LX\*|CLM\*|HL\*|SE\*)")


class Memory:
    """What was read before under the same text, kept while one input is read."""

    def __init__(self) -> None:
        self.providers = Memo(read_providers)
        self.rendering = Memo(_rendering)
        self.payers = Memo(_payer)
        self.services = Memo(_service)
        self.served = Memo(_served)
        self.diagnoses = Memo(_diagnoses)
        self.facilities = Memo(_facility)
        self.insurances = Memo(_insurance)


class Context:
    """The levels above the current claim, and what was read before."""

    def __init__(self, memory: Memory) -> None:
        self.header = SubmissionHeader(
            reference="", submitter_name="", submitter_id="", receiver_name="", receiver_id=""
        )
        self.billing: BillingProvider | None = None
        self.subscriber: Subscriber | None = None
        self.payer: Payer | None = None
        self.patient: Patient | None = None
        self.memory = memory


def plain_professional(cursor: Cursor, context: Context) -> Iterator[ProfessionalClaim]:
    """Claims with their subscribers and patients from the cursor on, up to the first one of another shape."""
    text = cursor.text
    start = pos = cursor.pos
    try:
        while True:
            found = _CLAIM.match(text, pos)
            if found is not None:
                claim, pos_behind = _claim(text, found, context)
                yield claim
                pos = pos_behind
            elif (found := _SUBSCRIBER.match(text, pos)) is not None:
                _subscriber(found, context)
                pos = found.end()
            elif (found := _PATIENT.match(text, pos)) is not None:
                _patient(found, context)
                pos = found.end()
            else:
                break
    except (UnusualShapeError, X12Error):
        pass  # The loop readers meet it again and say where if it is wrong.
    if pos > start:
        cursor.leap(pos)


def _claim(text: str, found: re.Match[str], context: Context) -> tuple[ProfessionalClaim, int]:
    """The claim whose head was found, and the position behind it."""
    billing, subscriber, payer, memory = context.billing, context.subscriber, context.payer, context.memory
    head, authorization, information, rendering = found.groups()
    e = head.split("*")
    if not 10 <= len(e) <= 11 or billing is None or subscriber is None or payer is None:
        raise UnusualShapeError
    place, frequency = memory.facilities[e[5]]
    version, diagnoses = memory.diagnoses[information]
    lines, pos = _lines(text, found.end(), memory)
    claim = ProfessionalClaim(
        claim_id=e[1],
        charge_cents=parse_cents(e[2]),
        billing_provider=billing,
        subscriber=subscriber,
        payer=payer,
        patient=context.patient,
        frequency_code=frequency,
        assignment_code=e[7],
        benefits_assigned=e[8],
        release_code=e[9],
        prior_authorization_number=authorization or "",
        rendering_provider=memory.rendering[rendering] if rendering else None,
        place_of_service=place,
        diagnosis_codes=diagnoses,
        lines=lines,
        diagnosis_version=version,
        provider_signature=e[6] != "N",
        patient_signature_source=e[10] if len(e) == 11 else "",
    )
    return claim, pos


def _lines(text: str, pos: int, memory: Memory) -> tuple[tuple[ProfessionalLine, ...], int]:
    """At least one line from a position on, and the position behind the last."""
    services, periods = memory.services, memory.served
    lines: list[ProfessionalLine] = []
    while (found := _LINE.match(text, pos)) is not None:
        service, period, control = found.groups()
        code, modifiers, qualifier, charge, units, unit, pointers, place = services[service]
        start, end = periods[period]
        lines.append(
            ProfessionalLine(
                procedure_code=code,
                modifiers=modifiers,
                procedure_qualifier=qualifier,
                charge_cents=charge,
                units=units,
                unit_code=unit,
                diagnosis_pointers=pointers,
                place_of_service=place,
                service_from=start,
                service_to=end,
                control_number=control or "",
            )
        )
        pos = found.end()
    if not lines or text.startswith("LX*", pos):
        raise UnusualShapeError
    return tuple(lines), pos


def _subscriber(found: re.Match[str], context: Context) -> None:
    """Take a subscriber level into the context."""
    insurance_text, name_text, street, city, born, sex, payer = found.groups()
    memory = context.memory
    responsibility, group, group_name, insurance, filing = memory.insurances[insurance_text]
    name = name_text.split("*")
    if len(name) != 10:
        raise UnusualShapeError
    context.subscriber = Subscriber(
        member_id=name[9],
        last_name=name[3],
        first_name=name[4],
        middle_name=name[5],
        suffix=name[7],
        entity_type="2" if name[2] == "2" else "1",
        birth_date=parse_date(born) if born else None,
        sex=sex or "",
        address=_address(street, city) if city else None,
        responsibility=responsibility,
        group_number=group,
        group_name=group_name,
        insurance_type_code=insurance,
        filing_code=filing,
    )
    context.payer, context.patient = memory.payers[payer], None


def _patient(found: re.Match[str], context: Context) -> None:
    """Take a patient level into the context."""
    relationship, name_text, street, city, born, sex = found.groups()
    name = name_text.split("*")
    if not 4 <= len(name) <= 8:
        raise UnusualShapeError
    name += [""] * 5
    context.patient = Patient(
        relationship_code=relationship,
        last_name=name[3],
        first_name=name[4],
        middle_name=name[5],
        suffix=name[7],
        birth_date=parse_date(born) if born else None,
        sex=sex or "",
        address=_address(street, city) if city else None,
    )


def _address(street: str, region: str) -> Address:
    """N3 and N4; not remembered, since postal codes of nine digits hardly repeat."""
    e = region.split("*")
    if len(e) != 4:
        raise UnusualShapeError
    return Address(line1=street, city=e[1], state=e[2], postal_code=e[3])


def _service(segment: str) -> _Service:
    """SV1 as code, modifiers, qualifier, charge, units, unit, pointers and place of service."""
    e = segment.split("*")
    parts = e[1].split(":") if len(e) == 8 and e[0] == "SV1" else []
    if not 2 <= len(parts) <= 6 or len(e[7]) > 11:
        raise UnusualShapeError
    pointers = tuple([parse_integer(p, digits=2) for p in e[7].split(":") if p])
    modifiers = tuple([m for m in parts[2:] if m])
    return parts[1], modifiers, parts[0], parse_cents(e[2]), parse_quantity(e[4]), e[3], pointers, e[5]


def _served(segment: str) -> _Period:
    """DTP*472."""
    e = segment.split("*")
    if e[:2] != ["DTP", "472"] or len(e) != 4 or e[2] not in ("D8", "RD8"):
        raise UnusualShapeError
    return parse_period(e[2], e[3])


def _diagnoses(segment: str) -> tuple[Literal["10", "9"], tuple[str, ...]]:
    """HI with diagnoses and nothing else."""
    version: Literal["10", "9"] = "10"
    if segment[:7] == "HI*ABK:":
        codes = segment[7:].split("*ABF:")
    elif segment[:6] == "HI*BK:":
        version, codes = "9", segment[6:].split("*BF:")
    else:
        raise UnusualShapeError
    if len(codes) > 12 or segment.count(":") != len(codes) or segment.count("*") != len(codes):
        raise UnusualShapeError
    return version, tuple(codes)


def _facility(composite: str) -> tuple[str, str]:
    """CLM05 as place of service and frequency."""
    parts = composite.split(":")
    if len(parts) != 3:
        raise UnusualShapeError
    return parts[0], parts[2]


def _insurance(segment: str) -> tuple[str, str, str, str, str]:
    """SBR as responsibility, group number and name, type and filing code."""
    e = segment.split("*")
    if e[0] != "SBR" or len(e) != 10:
        raise UnusualShapeError
    return e[1], e[3], e[4], e[5], e[9]


def _rendering(text: str) -> Provider:
    (provider,) = read_providers(text)
    return provider[1]


def _payer(text: str) -> Payer:
    """NM1*PR with its address and references, every segment with its terminator."""
    segments = [segment.split("*") + [""] * 10 for segment in text[:-1].split("~")]
    name = segments[0]
    if name[:2] != ["NM1", "PR"] or any(e[0] == "NM1" for e in segments[1:]):
        raise UnusualShapeError
    found = _loop(segments[1:])
    return Payer(name=name[3], payer_id=name[9], id_qualifier=name[8], address=found[0], references=found[2])


def _loop(segments: list[list[str]]) -> tuple[Address | None, str, tuple[Reference, ...]]:
    """Address, taxonomy and references behind a name."""
    address: Address | None = None
    taxonomy = ""
    references: list[Reference] = []
    for e in segments:
        if e[0] == "PRV":
            taxonomy = e[3]
        elif e[0] == "REF":
            references.append(Reference(e[1], e[2]))
        elif e[0] == "N3":
            address = Address(line1=e[1], line2=e[2])
        else:
            base = address or Address()
            address = Address(line1=base.line1, line2=base.line2, city=e[1], state=e[2], postal_code=e[3], country=e[4])
    return address, taxonomy, tuple(references)


def read_providers(text: str) -> tuple[tuple[str, Provider], ...]:
    """NM1 loops (PRV, N3, N4 and REF inside), every segment with its terminator, as (entity code, provider)."""
    found: list[tuple[str, Provider]] = []
    for loop in ("~" + text[:-1]).split("~NM1*")[1:]:
        name, *others = [segment.split("*") + [""] * 10 for segment in loop.split("~")]
        address, taxonomy, references = _loop(others)
        provider = Provider(
            last_name=name[2],
            npi=name[8] if name[7] == "XX" else "",
            first_name=name[3],
            middle_name=name[4],
            suffix=name[6],
            entity_type="2" if name[1] == "2" else "1",
            taxonomy_code=taxonomy,
            address=address,
            references=references,
        )
        found.append((name[0], provider))
    return tuple(found)
