"""The loops the three 837 guides share: levels above the claim, other payers, lines, providers."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Literal, TypeVar

from revcycle_edi.x12.cursor import (
    Cursor,
    at_end,
    parse_cas,
    parse_contact,
    parse_dtp,
    parse_n3,
    parse_name,
    parse_reference,
    split_procedure,
    with_n4,
)
from revcycle_edi.x12.records.claim import (
    Attachment,
    BillingProvider,
    DentalClaim,
    Drug,
    InstitutionalClaim,
    LineAdjudication,
    Note,
    OtherPayer,
    Patient,
    Payer,
    ProfessionalClaim,
    Provider,
    SubmissionHeader,
    Subscriber,
)
from revcycle_edi.x12.records.common import (
    Address,
    Adjustment,
    Contact,
    Name,
    QualifiedAmount,
    QualifiedDate,
    RawSegment,
    Reference,
)
from revcycle_edi.x12.values import (
    parse_cents,
    parse_date,
    parse_optional_date,
    parse_optional_quantity,
    parse_quantity,
)

_C = TypeVar("_C", ProfessionalClaim, InstitutionalClaim, DentalClaim)
_LOOP_STARTS = frozenset(("HL", "CLM", "SBR", "LX", "NM1", "SVD", "SE", "GE", "IEA", "ST", "LIN", "LQ", ""))


class Parts:
    """What the segments of one loop add up to before the record is made."""

    __slots__ = (
        "adjustments",
        "amounts",
        "attachments",
        "dates",
        "e",
        "extra",
        "hi",
        "notes",
        "others",
        "providers",
        "references",
    )

    def __init__(self, e: list[str]) -> None:
        self.e = e
        self.dates: list[QualifiedDate] = []
        self.references: list[Reference] = []
        self.amounts: list[QualifiedAmount] = []
        self.adjustments: list[Adjustment] = []
        self.notes: list[Note] = []
        self.attachments: list[Attachment] = []
        self.hi: list[str] = []
        self.providers: list[tuple[str, Provider]] = []
        self.others: list[OtherPayer] = []
        self.extra: list[RawSegment] = []

    def take_date(self, *qualifiers: str) -> QualifiedDate | None:
        """Remove and return the first date with one of the qualifiers."""
        for index, found in enumerate(self.dates):
            if found.qualifier in qualifiers:
                return self.dates.pop(index)
        return None

    def take_reference(self, qualifier: str) -> str:
        """Remove and return the first reference with the qualifier, empty when there is none."""
        for index, found in enumerate(self.references):
            if found.qualifier == qualifier:
                del self.references[index]
                return found.value
        return ""

    def take_provider(self, code: str) -> Provider | None:
        """Remove and return the first provider with the entity code."""
        for index, (found, provider) in enumerate(self.providers):
            if found == code:
                del self.providers[index]
                return provider
        return None

    def take_amount(self, qualifier: str) -> int | None:
        """Remove and return the first amount with the qualifier."""
        for index, found in enumerate(self.amounts):
            if found.qualifier == qualifier:
                del self.amounts[index]
                return found.cents
        return None

    def take_extra(self, segment_id: str) -> RawSegment:
        """Remove and return the first unmodelled segment with the id."""
        for index, found in enumerate(self.extra):
            if found[0] == segment_id:
                return self.extra.pop(index)
        return ()


def _dtp(parts: Parts, e: list[str]) -> None:
    if e[2] in ("D8", "RD8", "DT"):
        parts.dates.append(parse_dtp(e))
    else:
        parts.extra.append(("DTP", e[1], e[2], e[3]))


def _ref(parts: Parts, e: list[str]) -> None:
    if e[4] or e[3]:
        parts.extra.append(("REF", e[1], e[2], e[3], e[4]) if e[4] else ("REF", e[1], e[2], e[3]))
    else:
        parts.references.append(Reference(e[1], e[2]))


def _amt(parts: Parts, e: list[str]) -> None:
    parts.amounts.append(QualifiedAmount(e[1], parse_cents(e[2])))


def _cas(parts: Parts, e: list[str]) -> None:
    parse_cas(e, parts.adjustments)


def _nte(parts: Parts, e: list[str]) -> None:
    parts.notes.append(Note(e[1], e[2]))


def _pwk(parts: Parts, e: list[str]) -> None:
    parts.attachments.append(Attachment(report_type=e[1], transmission=e[2], control_number=e[6]))


def _hi(parts: Parts, e: list[str]) -> None:
    parts.hi.extend(composite for composite in e[1:13] if composite)


_HANDLERS: dict[str, Callable[[Parts, list[str]], None]] = {
    "DTP": _dtp,
    "REF": _ref,
    "AMT": _amt,
    "CAS": _cas,
    "NTE": _nte,
    "PWK": _pwk,
    "HI": _hi,
}


def _read_loop(cursor: Cursor, parts: Parts) -> None:
    """Read segments into parts up to the next loop."""
    while cursor.advance() not in _LOOP_STARTS:
        handler = _HANDLERS.get(cursor.id)
        if handler is not None:
            handler(parts, cursor.e)
        else:
            parts.extra.append(cursor.raw())


class _Entity:
    """An NM1 loop as read: name, address, references, contact, taxonomy and what else stood in it."""

    __slots__ = ("address", "birth_date", "contact", "extra", "name", "references", "sex", "taxonomy")

    def __init__(self, cursor: Cursor) -> None:
        self.name: Name = parse_name(cursor.e)
        self.address: Address | None = None
        self.references: list[Reference] = []
        self.contact: Contact | None = None
        self.taxonomy = ""
        self.birth_date: date | None = None
        self.sex = ""
        self.extra: list[RawSegment] = []
        while cursor.advance() not in _LOOP_STARTS and cursor.id in _ENTITY_SEGMENTS:
            handler = _ENTITY_SEGMENTS[cursor.id]
            handler(self, cursor)

    def n3(self, cursor: Cursor) -> None:
        """Street."""
        self.address = parse_n3(cursor.e)

    def n4(self, cursor: Cursor) -> None:
        """City, state, postal code."""
        self.address = with_n4(self.address, cursor.e)

    def ref(self, cursor: Cursor) -> None:
        """Further identifiers."""
        self.references.append(parse_reference(cursor.e))

    def per(self, cursor: Cursor) -> None:
        """Contact; the second and later ones are kept raw."""
        if self.contact is None:
            self.contact = parse_contact(cursor.e)
        else:
            self.extra.append(cursor.raw())

    def prv(self, cursor: Cursor) -> None:
        """Taxonomy."""
        self.taxonomy = cursor.e[3]

    def dmg(self, cursor: Cursor) -> None:
        """Birth date and sex."""
        self.birth_date = parse_optional_date(cursor.e[2])
        self.sex = cursor.e[3]

    def other(self, cursor: Cursor) -> None:
        """Segments without a field of their own."""
        self.extra.append(cursor.raw())

    def provider(self) -> Provider:
        """The loop as a provider record."""
        name = self.name
        return Provider(
            last_name=name.last_name,
            npi=name.id if name.id_qualifier == "XX" else "",
            first_name=name.first_name,
            middle_name=name.middle_name,
            suffix=name.suffix,
            entity_type="2" if name.entity_type == "2" else "1",
            taxonomy_code=self.taxonomy,
            address=self.address,
            references=tuple(self.references),
        )


_ENTITY_SEGMENTS: dict[str, Callable[[_Entity, Cursor], None]] = {
    "N3": _Entity.n3,
    "N4": _Entity.n4,
    "REF": _Entity.ref,
    "PER": _Entity.per,
    "PRV": _Entity.prv,
    "DMG": _Entity.dmg,
    "N2": _Entity.other,
    "DTP": _Entity.other,
}


class Context:
    """The levels above the current claim."""

    def __init__(self) -> None:
        self.header = SubmissionHeader(
            reference="", submitter_name="", submitter_id="", receiver_name="", receiver_id=""
        )
        self.billing: BillingProvider | None = None
        self.subscriber: Subscriber | None = None
        self.payer: Payer | None = None
        self.patient: Patient | None = None


def _header(cursor: Cursor) -> SubmissionHeader:
    """BHT, 1000A and 1000B; leaves the cursor at the first HL."""
    bht = cursor.e
    submitter = receiver = Name()
    contact = Contact()
    while cursor.id and cursor.id != "HL" and not at_end(cursor):
        if cursor.id == "NM1" and cursor.e[1] == "41":
            entity = _Entity(cursor)
            submitter, contact = entity.name, entity.contact or contact
        elif cursor.id == "NM1" and cursor.e[1] == "40":
            receiver = _Entity(cursor).name
        else:
            cursor.advance()
    numbers = dict(contact.numbers)
    return SubmissionHeader(
        reference=bht[3],
        submitter_name=submitter.last_name,
        submitter_id=submitter.id,
        receiver_name=receiver.last_name,
        receiver_id=receiver.id,
        contact_name=contact.name,
        contact_phone=numbers.get("TE", ""),
        contact_email=numbers.get("EM", ""),
        purpose_code="18" if bht[2] == "18" else "00",
        usage_code=_usage(bht[6]),
    )


def _usage(text: str) -> Literal["CH", "RP", "31"]:
    if text == "RP":
        return "RP"
    return "31" if text == "31" else "CH"


def _billing(cursor: Cursor) -> BillingProvider:
    taxonomy = ""
    extra: list[RawSegment] = []
    cursor.advance()
    while cursor.id in ("PRV", "CUR"):
        if cursor.id == "PRV":
            taxonomy = cursor.e[3]
        else:
            extra.append(cursor.raw())
        cursor.advance()
    if cursor.id != "NM1":
        raise cursor.error("837.2010AA", "the billing provider level has no name", expected="NM1*85 after HL*20")
    entity = _Entity(cursor)
    pay_to: Address | None = None
    while cursor.id == "NM1":
        if cursor.e[1] == "87":
            pay_to = _Entity(cursor).address
        else:
            extra.append(cursor.raw())
            extra.extend(_raw_entity(_Entity(cursor)))
    tax = next((r for r in entity.references if r.qualifier in ("EI", "SY")), Reference("EI", ""))
    name = entity.name
    return BillingProvider(
        name=name.last_name,
        npi=name.id,
        tax_id=tax.value,
        address=entity.address or Address(),
        first_name=name.first_name,
        middle_name=name.middle_name,
        suffix=name.suffix,
        entity_type="1" if name.entity_type == "1" else "2",
        tax_id_qualifier="SY" if tax.qualifier == "SY" else "EI",
        taxonomy_code=taxonomy,
        contact=entity.contact,
        pay_to_address=pay_to,
        references=tuple(r for r in entity.references if r is not tax),
        extra_segments=tuple(extra + entity.extra),
    )


def _raw_entity(entity: _Entity) -> list[RawSegment]:
    """The segments behind an NM1 again, for loops without a record of their own."""
    raw: list[RawSegment] = []
    if entity.address is not None:
        a = entity.address
        raw.append(("N3", a.line1, a.line2) if a.line2 else ("N3", a.line1))
        raw.append(("N4", a.city, a.state, a.postal_code))
    raw.extend(("REF", r.qualifier, r.value) for r in entity.references)
    return raw + entity.extra


def _subscriber(cursor: Cursor, context: Context) -> None:
    cursor.advance()
    sbr = cursor.e if cursor.id == "SBR" else [""] * 26
    extra: list[RawSegment] = []
    member: _Entity | None = None
    while cursor.id not in ("HL", "CLM") and not at_end(cursor):
        if cursor.id == "NM1" and cursor.e[1] == "IL":
            member = _Entity(cursor)
        elif cursor.id == "NM1" and cursor.e[1] == "PR":
            context.payer = _payer(_Entity(cursor))
        else:
            if cursor.id != "SBR":
                extra.append(cursor.raw())
            cursor.advance()
    if member is None:
        raise cursor.error("837.2010BA", "the subscriber level has no subscriber name", expected="NM1*IL after SBR")
    name = member.name
    context.subscriber = Subscriber(
        member_id=name.id,
        last_name=name.last_name,
        first_name=name.first_name,
        middle_name=name.middle_name,
        suffix=name.suffix,
        entity_type="2" if name.entity_type == "2" else "1",
        birth_date=member.birth_date,
        sex=member.sex,
        address=member.address,
        responsibility=sbr[1],
        group_number=sbr[3],
        group_name=sbr[4],
        insurance_type_code=sbr[5],
        filing_code=sbr[9],
        references=tuple(member.references),
        extra_segments=tuple(extra + member.extra),
    )


def _payer(entity: _Entity) -> Payer:
    name = entity.name
    return Payer(
        name=name.last_name,
        payer_id=name.id,
        id_qualifier=name.id_qualifier,
        address=entity.address,
        references=tuple(entity.references),
        extra_segments=tuple(entity.extra),
    )


def _patient(cursor: Cursor) -> Patient:
    cursor.advance()
    pat = cursor.e if cursor.id == "PAT" else [""] * 26
    while cursor.id not in ("NM1", "HL", "CLM") and not at_end(cursor):
        cursor.advance()
    if cursor.id != "NM1":
        raise cursor.error("837.2010CA", "the patient level has no patient name", expected="NM1*QC after PAT")
    entity = _Entity(cursor)
    name = entity.name
    return Patient(
        relationship_code=pat[1],
        last_name=name.last_name,
        first_name=name.first_name,
        middle_name=name.middle_name,
        suffix=name.suffix,
        birth_date=entity.birth_date,
        sex=entity.sex,
        address=entity.address,
        references=tuple(entity.references),
        extra_segments=tuple(entity.extra),
    )


def claims(cursor: Cursor, context: Context, read: Callable[[Cursor, Context], _C]) -> Iterator[_C]:
    """Every claim of a transaction, the levels above kept in context."""
    context.header = _header(cursor)
    while not at_end(cursor):
        if cursor.id == "CLM":
            yield read(cursor, context)
        elif cursor.id == "HL" and cursor.e[3] == "20":
            context.billing = _billing(cursor)
        elif cursor.id == "HL" and cursor.e[3] == "22":
            context.patient = context.payer = None
            _subscriber(cursor, context)
        elif cursor.id == "HL" and cursor.e[3] == "23":
            context.patient = _patient(cursor)
        else:
            cursor.advance()


def levels(cursor: Cursor, context: Context) -> tuple[BillingProvider, Subscriber, Payer]:
    """The levels above a claim; X12Error when one is missing."""
    if context.billing is None or context.subscriber is None or context.payer is None:
        raise cursor.error(
            "837.levels",
            "a claim stands before its billing provider, subscriber and payer",
            expected="HL 20, HL 22 with NM1*IL and NM1*PR before CLM",
        )
    return context.billing, context.subscriber, context.payer


def claim_parts(cursor: Cursor) -> Parts:
    """Claim level: CLM up to the first line, with providers and other payers."""
    parts = Parts(cursor.e)
    _read_loop(cursor, parts)
    while cursor.id in ("NM1", "SBR"):
        if cursor.id == "NM1":
            code = cursor.e[1]
            entity = _Entity(cursor)
            parts.providers.append((code, entity.provider()))
            parts.extra.extend(entity.extra)
        else:
            parts.others.append(_other_payer(cursor))
    return parts


def _other_payer(cursor: Cursor) -> OtherPayer:
    sbr = cursor.e
    parts = Parts(sbr)
    _read_loop(cursor, parts)
    oi = parts.take_extra("OI") + ("",) * 8
    insured = payer = None
    while cursor.id == "NM1":
        code = cursor.e[1]
        raw = cursor.raw()
        entity = _Entity(cursor)
        if code == "IL":
            insured = entity
        elif code == "PR":
            payer = entity
        else:
            parts.extra.append(raw)
            parts.extra.extend(_raw_entity(entity))
    decided = _take_payer_date(payer)
    control = ""
    if payer is not None:
        control = next((r.value for r in payer.references if r.qualifier == "F8"), "")
        parts.extra.extend(("REF", r.qualifier, r.value) for r in payer.references if r.qualifier != "F8")
    return OtherPayer(
        responsibility=sbr[1],
        relationship_code=sbr[2],
        subscriber=insured.name if insured else Name(),
        payer_name=payer.name.last_name if payer else "",
        payer_id=payer.name.id if payer else "",
        payer_id_qualifier=payer.name.id_qualifier if payer else "PI",
        group_number=sbr[3],
        group_name=sbr[4],
        insurance_type_code=sbr[5],
        filing_code=sbr[9],
        adjustments=tuple(parts.adjustments),
        paid_cents=parts.take_amount("D"),
        amounts=tuple(parts.amounts),
        benefits_assigned=oi[3],
        patient_signature_source=oi[4],
        release_code=oi[6],
        outpatient_remarks=parts.take_extra("MOA"),
        inpatient_remarks=parts.take_extra("MIA"),
        adjudication_date=decided,
        subscriber_address=insured.address if insured else None,
        payer_address=payer.address if payer else None,
        payer_claim_control_number=control,
        extra_segments=tuple(parts.extra),
    )


def _take_payer_date(payer: _Entity | None) -> date | None:
    for raw in payer.extra if payer else ():
        if raw[0] == "DTP" and len(raw) > 3 and raw[1] == "573":
            return parse_date(raw[3])
    return None


class Line:
    """A service line as read, before the record of its kind is made."""

    __slots__ = ("adjudications", "drug", "parts", "service", "teeth")

    def __init__(self, cursor: Cursor, service_id: str) -> None:
        self.service: list[str] = [""] * 26
        self.drug: Drug | None = None
        self.adjudications: list[LineAdjudication] = []
        self.parts = parts = Parts(cursor.e)
        _read_loop(cursor, parts)
        for index, raw in enumerate(parts.extra):
            if raw[0] == service_id:
                self.service = list(raw) + [""] * 26
                del parts.extra[index]
                break
        self.teeth = [raw for raw in parts.extra if raw[0] == "TOO"]
        if self.teeth:
            parts.extra = [raw for raw in parts.extra if raw[0] != "TOO"]
        self._inner_loops(cursor)

    def _inner_loops(self, cursor: Cursor) -> None:
        parts = self.parts
        while True:
            if cursor.id == "LIN":
                self._drug(cursor)
            elif cursor.id == "NM1":
                code = cursor.e[1]
                entity = _Entity(cursor)
                parts.providers.append((code, entity.provider()))
                parts.extra.extend(entity.extra)
            elif cursor.id == "SVD":
                self.adjudications.append(_adjudication(cursor))
            elif cursor.id == "LQ":
                parts.extra.append(cursor.raw())
                _read_loop(cursor, parts)
            else:
                return

    def _drug(self, cursor: Cursor) -> None:
        lin = cursor.e
        inner = Parts(lin)
        _read_loop(cursor, inner)
        ctp = inner.take_extra("CTP") + ("",) * 8
        self.drug = Drug(
            ndc=lin[3],
            quantity=parse_quantity(ctp[4] or "0"),
            unit=ctp[5].partition(":")[0],
            prescription_number=inner.take_reference("XZ"),
        )
        self.parts.extra.extend(inner.extra)


def _adjudication(cursor: Cursor) -> LineAdjudication:
    svd = cursor.e
    parts = Parts(svd)
    _read_loop(cursor, parts)
    qualifier, code, modifiers, _ = split_procedure(svd[3]) if svd[3] else ("HC", "", (), "")
    decided = parts.take_date("573")
    parts.extra.extend(("REF", r.qualifier, r.value) for r in parts.references)
    parts.extra.extend(("AMT", a.qualifier, str(a.cents)) for a in parts.amounts)
    return LineAdjudication(
        payer_id=svd[1],
        paid_cents=parse_cents(svd[2]),
        procedure_qualifier=qualifier,
        procedure_code=code,
        modifiers=modifiers,
        revenue_code=svd[4],
        units=parse_optional_quantity(svd[5]),
        bundled_line=svd[6],
        adjustments=tuple(parts.adjustments),
        adjudication_date=decided.start if decided else None,
        extra_segments=tuple(parts.extra),
    )
