"""Writing subscribers and professional claims of the plainest and most frequent shape: a few texts, not 24 segments.

Every value passes the same policy as in the loop writers (clean_text for words, code for identifiers); what repeats
from claim to claim (services, dates, providers, payers, names) is written once and remembered.
"""

from datetime import date
from decimal import Decimal

import msgspec

from revcycle_edi.x12.memo import Table
from revcycle_edi.x12.records.claim import Payer, ProfessionalClaim, ProfessionalLine, Provider, Subscriber
from revcycle_edi.x12.records.common import Address
from revcycle_edi.x12.t837_write import (
    claim_amount,
    diagnosis_texts,
    procedure_text,
    write_payer,
    write_provider,
)
from revcycle_edi.x12.values import format_date, format_period, format_quantity
from revcycle_edi.x12.writer import SegmentWriter, clean_text, code, composite, write_address

_MAX_LINES = 50
_Service = tuple[str, tuple[str, ...], str, str, int, str, Decimal, str, tuple[int, ...]]


class PlainWriter:
    """Adds to a writer; what has not the plain shape is left to the loop writers (the methods return False)."""

    def __init__(self, out: SegmentWriter) -> None:
        self._out = out
        self._words60 = Table(_word60)
        self._words35 = Table(_word35)
        self._words25 = Table(_word25)
        self._words10 = Table(_word10)
        self._pointers = Table(_highest)
        self._payers = Table(_payer)
        self._providers = Table(_provider)
        self._services = Table(_service)
        self._served = Table(_served)
        self._diagnoses = Table(_diagnoses)
        self._claims = Table(_claim_tail)
        self._insurances = Table(_insurance)
        self._cities = Table(_city)
        self._codes2 = Table(_code2)

    def subscriber(self, subscriber: Subscriber, payer: Payer, *, is_patient: bool) -> bool:
        """Loops 2000B (behind its HL), 2010BA and 2010BB."""
        address, born = subscriber.address, subscriber.birth_date
        if (
            address is None
            or born is None
            or not subscriber.member_id
            or not subscriber.sex
            or subscriber.entity_type != "1"
            or subscriber.extra_segments
            or subscriber.references
        ):
            return False
        insurance = self._insurances[
            (
                subscriber.responsibility,
                is_patient,
                subscriber.group_number,
                subscriber.group_name,
                subscriber.insurance_type_code,
                subscriber.filing_code,
            )
        ]
        place, place_count = self._address(address)
        paid_by, payer_count = self._payers[payer]
        self._out.add_block(
            f"{insurance}~NM1*IL*1*{self._words60[subscriber.last_name]}*{self._words35[subscriber.first_name]}"
            f"*{self._words25[subscriber.middle_name]}**{self._words10[subscriber.suffix]}"
            f"*MI*{_identifier(subscriber.member_id, 'NM1*IL identifier', 80)}{place}"
            f"~DMG*D8*{format_date(born)}*{subscriber.sex}~{paid_by}",
            3 + place_count + payer_count,
        )
        return True

    def _address(self, address: Address) -> tuple[str, int]:
        """N3 and N4, each with the terminator in front of it."""
        street = _street(address.line1)
        postal = address.postal_code
        if postal.isdigit() and postal.isascii() and len(postal) <= 15 and not address.country:
            city = f"~N4*{self._cities[address.city]}*{self._codes2[address.state]}*{postal}"
        else:
            city = _region(address)
        if not street:
            return city, 1 if city else 0
        second = _street(address.line2) if address.line2 else ""
        start = f"~N3*{street}*{second}" if second else f"~N3*{street}"
        return start + city, 2 if city else 1

    def claim(self, claim: ProfessionalClaim) -> bool:
        """Loop 2300 with its lines."""
        if not _is_plain(claim):
            return False
        tail = self._claims[
            (
                claim.place_of_service,
                claim.frequency_code,
                claim.provider_signature,
                claim.assignment_code,
                claim.benefits_assigned,
                claim.release_code,
                claim.patient_signature_source,
            )
        ]
        parts = [
            f"CLM*{_identifier(claim.claim_id, 'claim_id (CLM01)', 38)}"
            f"*{claim_amount(claim.charge_cents, 'the claim charge')}{tail}"
        ]
        count = 2
        if claim.prior_authorization_number:
            parts.append(f"REF*G1*{code(claim.prior_authorization_number, 'REF*G1', 50)}")
            count += 1
        parts.append(self._diagnoses[(claim.diagnosis_codes, claim.diagnosis_version)])
        rendering = claim.rendering_provider
        if rendering is not None and (not rendering.npi or rendering.npi != claim.billing_provider.npi):
            text, segments = self._providers[rendering]
            parts.append(text)
            count += segments
        if not self._lines(claim, parts):
            return False
        self._out.add_block("~".join(parts), count + 4 * len(claim.lines))
        return True

    def _lines(self, claim: ProfessionalClaim, parts: list[str]) -> bool:
        services, served = self._services, self._served
        available, claim_place = len(claim.diagnosis_codes), claim.place_of_service
        for number, line in enumerate(claim.lines, 1):
            pointers = line.diagnosis_pointers
            if (
                not line.control_number
                or line.service_from is None
                or not _is_plain_line(line)
                or self._pointers[pointers] > available
            ):
                return False
            place = line.place_of_service
            service = services[
                (
                    line.procedure_code,
                    line.modifiers,
                    line.procedure_qualifier,
                    line.description,
                    line.charge_cents,
                    line.unit_code,
                    line.units,
                    "" if place == claim_place else place,
                    pointers,
                )
            ]
            day = served[(line.service_from, line.service_to)]
            control = _identifier(line.control_number, "line control number", 30)
            parts.append(f"LX*{number}~{service}~{day}~REF*6R*{control}")
        return True


def _is_plain(claim: ProfessionalClaim) -> bool:
    """Whether the claim has only what PlainWriter.claim writes."""
    return not (
        claim.dates
        or claim.references
        or claim.notes
        or claim.attachments
        or claim.extra_segments
        or claim.other_payers
        or claim.providers
        or claim.service_facility is not None
        or claim.referring_provider is not None
        or claim.patient_paid_cents is not None
        or claim.accident_date is not None
        or claim.related_causes
        or claim.condition_codes
        or claim.clia_number
        or claim.referral_number
        or claim.payer_claim_control_number
        or claim.delay_reason_code
        or claim.frequency_code != "1"
        or not claim.diagnosis_codes
        or not 1 <= len(claim.lines) <= _MAX_LINES
    )


def _is_plain_line(line: ProfessionalLine) -> bool:
    """Whether the line has only what PlainWriter writes."""
    return not (
        line.dates
        or line.references
        or line.amounts
        or line.notes
        or line.attachments
        or line.extra_segments
        or line.adjudications
        or line.providers
        or line.drug is not None
        or line.rendering_provider is not None
        or line.emergency
        or line.epsdt
        or line.family_planning
    )


def _identifier(value: str, name: str, limit: int) -> str:
    """As code(), required; letters and digits need no closer look."""
    if value.isalnum() and value.isascii() and len(value) <= limit:
        return value
    return code(value, name, limit, required=True)


def _street(text: str) -> str:
    """As clean_text(), with nothing to remember: streets hardly repeat."""
    bare = text.replace(" ", "")
    if bare.isalnum() and bare.isascii() and bare.isupper() and "  " not in text and len(text) <= 55 and text[0] != " ":
        return text.rstrip()
    return clean_text(text, 55)


def _word60(text: str) -> str:
    return clean_text(text, 60)


def _word35(text: str) -> str:
    return clean_text(text, 35)


def _word25(text: str) -> str:
    return clean_text(text, 25)


def _word10(text: str) -> str:
    return clean_text(text, 10)


def _highest(pointers: tuple[int, ...]) -> int:
    """The highest pointer; so many that none is allowed when the pointers are not one to four numbers from 1 on."""
    return max(pointers) if 1 <= len(pointers) <= 4 and min(pointers) >= 1 else _MAX_LINES


def _insurance(key: tuple[str, bool, str, str, str, str]) -> str:
    responsibility, is_patient, group_number, group_name, insurance_type, filing = key
    out = SegmentWriter()
    out.add(
        "SBR",
        code(responsibility, "responsibility", 1, required=True),
        "18" if is_patient else "",
        code(group_number, "group_number", 50),
        clean_text(group_name, 60),
        code(insurance_type, "insurance_type_code", 3),
        "",
        "",
        "",
        code(filing, "filing_code", 2),
    )
    return out.segments[0]


def _city(text: str) -> str:
    return clean_text(text, 30)


def _code2(text: str) -> str:
    return code(text, "N402 state", 2)


def _region(address: Address) -> str:
    """N4 with the terminator in front of it, empty when nothing is known."""
    out = SegmentWriter()
    write_address(out, msgspec.structs.replace(address, line1="", line2=""))
    return "".join("~" + segment for segment in out.segments)


def _payer(payer: Payer) -> tuple[str, int]:
    out = SegmentWriter()
    write_payer(out, payer)
    return "~".join(out.segments), len(out.segments)


def _provider(provider: Provider) -> tuple[str, int]:
    out = SegmentWriter()
    write_provider(out, "82", provider)
    return "~".join(out.segments), len(out.segments)


def _claim_tail(key: tuple[str, str, bool, str, str, str, str]) -> str:
    """CLM from the third element on."""
    place, frequency, signed, assigned, benefits, release, source = key
    facility = composite(code(place, "facility code", 2, required=True), "B", frequency)
    elements = ["", "", "", facility, "Y" if signed else "N", assigned, benefits, release, source]
    return "*".join(elements).rstrip("*")


def _diagnoses(key: tuple[tuple[str, ...], str]) -> str:
    return "*".join(["HI", *diagnosis_texts(key[0], key[1], 12)])


def _service(key: _Service) -> str:
    procedure, modifiers, qualifier, description, charge, unit, units, place, pointers = key
    out = SegmentWriter()
    out.add(
        "SV1",
        procedure_text(qualifier, procedure, modifiers, description),
        claim_amount(charge, "the line charge"),
        unit,
        format_quantity(units),
        place,
        "",
        ":".join(map(str, pointers)),
    )
    return out.segments[0]


def _served(key: tuple[date, date | None]) -> str:
    return "*".join(("DTP", "472", *format_period(*key)))
