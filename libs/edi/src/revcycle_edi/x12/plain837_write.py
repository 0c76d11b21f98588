"""Writing subscribers and professional claims of the plainest and most frequent shape: one text, not 24 segments.

Every value passes the same policy as in the loop writers (clean_text for words, code for identifiers): identifiers and
streets, which hardly repeat, are checked as columns over many claims at once; what repeats from claim to claim
(services, dates, providers, payers, names) is written once and remembered. What has not the plain shape, or a value
that is refused, is left to the loop writers, which say why.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from string import ascii_letters, ascii_uppercase, digits
from typing import TypeVar

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Table
from revcycle_edi.x12.records.claim import ClaimBase, Patient, Payer, ProfessionalClaim, Provider
from revcycle_edi.x12.records.common import Address
from revcycle_edi.x12.t837_write import (
    claim_amount,
    diagnosis_texts,
    pointers_text,
    procedure_text,
    write_adjudication,
    write_other_payer,
    write_payer,
    write_provider,
)
from revcycle_edi.x12.values import format_date, format_period, format_quantity
from revcycle_edi.x12.writer import SegmentWriter, clean_text, code, composite, words, write_address

_MAX_LINES = 50
_ROWS = 512
_USUAL_IN_WORDS = (ascii_uppercase + digits + " ").encode()
_USUAL_IN_CODES = (ascii_letters + digits + "-").encode()
_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")
_Block = tuple[str, int]
"""Finished segments, terminators between them, and how many they are."""
_NOTHING: _Block = ("", 0)


class PlainWriter:
    """Texts of what has the plain shape; None where it has not, which the loop writers then write."""

    def __init__(self) -> None:
        self._words60 = words(60)
        self._words35 = words(35)
        self._words25 = words(25)
        self._words10 = words(10)
        # By the identity of the record: the claims keep their records alive while they are written.
        self._payers: dict[int, _Block] = {}
        self._providers: dict[int, _Block] = {}
        self._amounts = Table(_amount)
        self._procedures = Table(_procedure)
        self._units = Table(_units)
        self._pointers = Table(_pointers)
        self._served = Table(_served)
        self._diagnoses = Table(_diagnoses)
        self._claims = Table(_claim_tail)
        self._insurances = Table(_insurance)
        self._cities = Table(_city)
        self._refused: Collection[str] = ()
        self._unclean: Collection[str] = ()

    def claims(self, claims: Sequence[ClaimBase]) -> list[_Block | None]:
        """Loop 2300 with its lines, for every claim."""
        found: list[_Block | None] = []
        for at in range(0, len(claims), _ROWS):
            rows = [claim for claim in claims[at : at + _ROWS] if isinstance(claim, ProfessionalClaim)]
            if len(rows) < len(claims[at : at + _ROWS]):
                return [None] * len(claims)  # The claims of a file are of one kind.
            self._refused = _refused([claim.claim_id for claim in rows], "claim_id (CLM01)", 38)
            controls = [line.control_number for claim in rows for line in claim.lines]
            self._refused |= _refused(controls, "line control number", 30)
            found += map(self._claim, rows)
        return found

    def subscribers(self, claims: Sequence[ClaimBase]) -> list[_Block | None]:
        """Loops 2000B (behind its HL), 2010BA and 2010BB, for the subscriber of every claim."""
        found: list[_Block | None] = []
        for at in range(0, len(claims), _ROWS):
            rows = claims[at : at + _ROWS]
            self._refused = _refused([claim.subscriber.member_id for claim in rows], "NM1*IL identifier", 80)
            addresses = [claim.subscriber.address for claim in rows]
            self._unclean = _unclean([address.line1 for address in addresses if address is not None], 55)
            found += map(self._subscriber, rows)
        return found

    def patient(self, patient: Patient) -> _Block | None:
        """Loops 2000C (behind its HL) and 2010CA."""
        born = patient.birth_date
        if patient.references or patient.extra_segments or born is None or not patient.sex.isalnum():
            return None
        try:
            place, segments = _place(patient.address)
            relationship = code(patient.relationship_code, "relationship_code", 2, required=True)
        except X12Error:
            return None
        given = (
            f"NM1*QC*1*{self._words60[patient.last_name]}*{self._words35[patient.first_name]}"
            f"*{self._words25[patient.middle_name]}**{self._words10[patient.suffix]}"
        ).rstrip("*")
        return f"PAT*{relationship}~{given}{place}~DMG*D8*{format_date(born)}*{patient.sex}", 3 + segments

    def _subscriber(self, claim: ClaimBase) -> _Block | None:
        subscriber = claim.subscriber
        address, born, member, sex = subscriber.address, subscriber.birth_date, subscriber.member_id, subscriber.sex
        if (
            address is None
            or born is None
            or member in self._refused
            or not sex.isalnum()
            or subscriber.entity_type != "1"
            or subscriber.extra_segments
            or subscriber.references
        ):
            return None
        try:
            insurance = self._insurances[
                (
                    subscriber.responsibility,
                    claim.patient is None,
                    subscriber.group_number,
                    subscriber.group_name,
                    subscriber.insurance_type_code,
                    subscriber.filing_code,
                )
            ]
            place, place_count = self._address(address)
            paid_by, payer_count = self._payers.get(id(claim.payer)) or _kept(self._payers, claim.payer, _payer)
        except X12Error:
            return None
        day = born.isoformat().replace("-", "") if born.__class__ is date else format_date(born)
        return (
            f"{insurance}~NM1*IL*1*{self._words60[subscriber.last_name]}*{self._words35[subscriber.first_name]}"
            f"*{self._words25[subscriber.middle_name]}**{self._words10[subscriber.suffix]}"
            f"*MI*{member}{place}~DMG*D8*{day}*{sex}{paid_by}",
            3 + place_count + payer_count,
        )

    def _address(self, address: Address) -> _Block:
        """N3 and N4, each with the terminator in front of it."""
        street, postal = address.line1, address.postal_code
        if (
            street in self._unclean
            or address.line2
            or address.country
            or len(postal) > 15
            or not (postal.isdecimal() and postal.isascii())
        ):
            return _place(address)
        return f"~N3*{street}~N4*{self._cities[(address.city, address.state)]}*{postal}", 2

    def _claim(self, claim: ProfessionalClaim) -> _Block | None:
        if not _is_plain(claim) or claim.claim_id in self._refused:
            return None
        try:
            tail = self._claims[
                (
                    claim.place_of_service,
                    claim.provider_signature,
                    claim.assignment_code,
                    claim.benefits_assigned,
                    claim.release_code,
                    claim.patient_signature_source,
                )
            ]
            number = claim.prior_authorization_number
            authorization = f"~REF*G1*{code(number, 'REF*G1', 50)}" if number else ""
            provider = claim.rendering_provider
            if provider is None or (provider.npi and provider.npi == claim.billing_provider.npi):
                rendering, count = _NOTHING
            else:
                rendering, count = self._providers.get(id(provider)) or _kept(self._providers, provider, _provider)
            others, more = _written(write_other_payer, claim.other_payers) if claim.other_payers else _NOTHING
            lines, decided = self._lines(claim)
            return (
                f"CLM*{claim.claim_id}*{self._amounts[claim.charge_cents]}{tail}{authorization}"
                f"~{self._diagnoses[(claim.diagnosis_codes, claim.diagnosis_version)]}{rendering}{others}{lines}",
                2 + (number != "") + count + more + 4 * len(claim.lines) + decided,
            )
        except X12Error:
            return None

    def _lines(self, claim: ProfessionalClaim) -> _Block:
        """Loops 2400, the terminator in front of each segment, and how many segments are of loops 2430.

        X12Error when a line has not the plain shape.
        """
        text, decided = "", 0
        amounts, procedures, units, pointers, served = (
            self._amounts,
            self._procedures,
            self._units,
            self._pointers,
            self._served,
        )
        usual, available, refused = claim.place_of_service, len(claim.diagnosis_codes), self._refused
        for number, line in enumerate(claim.lines, 1):
            pointed, highest = pointers[line.diagnosis_pointers]
            place, control = line.place_of_service, line.control_number
            if place == usual:
                place = ""
            if (
                line.dates
                or line.references
                or line.amounts
                or line.notes
                or line.attachments
                or line.extra_segments
                or line.providers
                or line.drug is not None
                or line.rendering_provider is not None
                or line.emergency
                or line.epsdt
                or line.family_planning
                or highest > available
                or control in refused
                or (place and not place.isalnum())
            ):
                raise _OTHER_SHAPE
            procedure = procedures[(line.procedure_qualifier, line.procedure_code, line.modifiers, line.description)]
            text += (
                f"~LX*{number}~SV1*{procedure}*{amounts[line.charge_cents]}*{units[(line.unit_code, line.units)]}"
                f"*{place}**{pointed}~{served[(line.service_from, line.service_to)]}~REF*6R*{control}"
            )
            if line.adjudications:
                decisions, count = _written(write_adjudication, line.adjudications)
                text += decisions
                decided += count
        return text, decided


_OTHER_SHAPE = X12Error("837.write.shape", "not of the plain shape", expected="the loop writers")


def _is_plain(claim: ProfessionalClaim) -> bool:
    """Whether the claim has only what PlainWriter writes."""
    return not (
        claim.dates
        or claim.references
        or claim.notes
        or claim.attachments
        or claim.extra_segments
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


def _written(write: Callable[[SegmentWriter, _T], None], records: Iterable[_T]) -> _Block:
    """What a loop writer writes of each record, the terminator in front of each segment."""
    out = SegmentWriter()
    for record in records:
        write(out, record)
    return "".join("~" + segment for segment in out.segments), out.count


def _kept(cache: dict[int, _Block], record: _K, write: Callable[[_K], _Block]) -> _Block:
    cache[id(record)] = block = write(record)
    return block


def _all_of(values: Sequence[str], allowed: bytes, limit: int) -> bool:
    """Whether every text of a column has 1 to so many characters, all of them allowed (`?` must not be)."""
    others = "".join(values).encode("ascii", "replace").translate(None, allowed)
    return not others and "" not in values and max(map(len, values), default=0) <= limit


def _refused(values: Sequence[str], name: str, limit: int) -> set[str]:
    """Which of a column of identifiers code(), required, refuses."""
    if _all_of(values, _USUAL_IN_CODES, limit):
        return set()
    refused = set()
    for value in values:
        try:
            code(value, name, limit, required=True)
        except X12Error:
            refused.add(value)
    return refused


def _unclean(texts: Sequence[str], limit: int) -> set[str]:
    """Which of a column of texts clean_text() changes or leaves empty."""
    joined = "~".join(texts)
    if _all_of(texts, _USUAL_IN_WORDS, limit) and not any(space in f"~{joined}~" for space in ("  ", " ~", "~ ")):
        return set()
    return {text for text in texts if not text or clean_text(text, limit) != text}


def _place(address: Address | None) -> _Block:
    """N3 and N4, each with the terminator in front of it."""
    out = SegmentWriter()
    write_address(out, address)
    return "".join("~" + segment for segment in out.segments), len(out.segments)


def _amount(cents: int) -> str:
    return claim_amount(cents, "the charge")


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


def _city(key: tuple[str, str]) -> str:
    city, state = key
    return f"{clean_text(city, 30)}*{code(state, 'N402 state', 2)}"


def _payer(payer: Payer) -> _Block:
    out = SegmentWriter()
    write_payer(out, payer)
    return "".join("~" + segment for segment in out.segments), len(out.segments)


def _provider(provider: Provider) -> _Block:
    out = SegmentWriter()
    write_provider(out, "82", provider)
    return "".join("~" + segment for segment in out.segments), len(out.segments)


def _claim_tail(key: tuple[str, bool, str, str, str, str]) -> str:
    """CLM from the third element on."""
    place, signed, assigned, benefits, release, source = key
    facility = composite(code(place, "facility code", 2, required=True), "B", "1")
    elements = ["", "", "", facility, "Y" if signed else "N", assigned, benefits, release, source]
    return "*".join(elements).rstrip("*")


def _diagnoses(key: tuple[tuple[str, ...], str]) -> str:
    if not key[0]:
        raise X12Error("837.write.diagnoses", "the claim has no diagnosis", expected="1 to 12 diagnoses", segment="HI")
    return "*".join(["HI", *diagnosis_texts(key[0], key[1], 12)])


def _procedure(key: tuple[str, str, tuple[str, ...], str]) -> str:
    return procedure_text(*key)


def _units(key: tuple[str, Decimal]) -> str:
    return f"{key[0]}*{format_quantity(key[1])}"


def _pointers(pointers: tuple[int, ...]) -> tuple[str, int]:
    """The composite and the highest pointer. X12Error when there is none or it is none."""
    if not pointers:
        raise _OTHER_SHAPE
    return pointers_text(pointers, max(pointers)), max(pointers)


def _served(key: tuple[date | None, date | None]) -> str:
    start, end = key
    if start is None:
        raise _OTHER_SHAPE
    return "*".join(("DTP", "472", *format_period(start, end)))
