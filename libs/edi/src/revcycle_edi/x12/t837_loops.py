"""The loops the three 837 guides share: levels above the claim, other payers, lines, providers."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Literal, TypeVar

from revcycle_edi.x12.cursor import (
    Cursor,
    at_end,
    split_procedure,
)
from revcycle_edi.x12.records.claim import (
    BillingProvider,
    DentalClaim,
    Drug,
    InstitutionalClaim,
    LineAdjudication,
    OtherPayer,
    Patient,
    Payer,
    ProfessionalClaim,
    SubmissionHeader,
    Subscriber,
)
from revcycle_edi.x12.records.common import (
    Address,
    Contact,
    Name,
    RawSegment,
    Reference,
)
from revcycle_edi.x12.t837_parts import Entity, Parts, raw_entity, read_loop
from revcycle_edi.x12.values import (
    parse_cents,
    parse_date,
    parse_optional_quantity,
    parse_quantity,
)

_C = TypeVar("_C", ProfessionalClaim, InstitutionalClaim, DentalClaim)


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
            entity = Entity(cursor)
            submitter, contact = entity.name, entity.contact or contact
        elif cursor.id == "NM1" and cursor.e[1] == "40":
            receiver = Entity(cursor).name
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
    entity = Entity(cursor)
    pay_to: Address | None = None
    while cursor.id == "NM1":
        if cursor.e[1] == "87":
            pay_to = Entity(cursor).address
        else:
            extra.append(cursor.raw())
            extra.extend(raw_entity(Entity(cursor)))
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


def read_subscriber(cursor: Cursor) -> tuple[Subscriber, Payer | None]:
    """A level 22: the subscriber, and the payer where one is named."""
    cursor.advance()
    sbr = cursor.e if cursor.id == "SBR" else [""] * 26
    extra: list[RawSegment] = []
    member: Entity | None = None
    payer: Payer | None = None
    while cursor.id not in ("HL", "CLM") and not at_end(cursor):
        if cursor.id == "NM1" and cursor.e[1] == "IL":
            member = Entity(cursor)
        elif cursor.id == "NM1" and cursor.e[1] == "PR":
            payer = _payer(Entity(cursor))
        else:
            if cursor.id != "SBR":
                extra.append(cursor.raw())
            cursor.advance()
    if member is None:
        raise cursor.error("837.2010BA", "the subscriber level has no subscriber name", expected="NM1*IL after SBR")
    name = member.name
    subscriber = Subscriber(
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
    return subscriber, payer


def _payer(entity: Entity) -> Payer:
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
    entity = Entity(cursor)
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


def claims(
    cursor: Cursor,
    context: Context,
    read: Callable[[Cursor, Context], _C],
    quick: Callable[[Cursor, Context], Iterator[_C]] | None = None,
) -> Iterator[_C]:
    """Every claim of a transaction, the levels above kept in context; quick takes many of the usual shape at once."""
    context.header = _header(cursor)
    while not at_end(cursor):
        if quick is not None and cursor.id in ("CLM", "HL"):
            yield from quick(cursor, context)
            if at_end(cursor):
                return
        if cursor.id == "CLM":
            yield read(cursor, context)
        elif cursor.id == "HL" and cursor.e[3] == "20":
            context.billing = _billing(cursor)
        elif cursor.id == "HL" and cursor.e[3] == "22":
            context.subscriber, context.payer = read_subscriber(cursor)
            context.patient = None
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
    read_loop(cursor, parts)
    while cursor.id in ("NM1", "SBR"):
        if cursor.id == "NM1":
            code = cursor.e[1]
            entity = Entity(cursor)
            parts.providers.append((code, entity.provider()))
            parts.extra.extend(entity.extra)
        else:
            parts.others.append(_other_payer(cursor))
    return parts


def _other_payer(cursor: Cursor) -> OtherPayer:
    sbr = cursor.e
    parts = Parts(sbr)
    read_loop(cursor, parts)
    oi = parts.take_extra("OI") + ("",) * 8
    insured = payer = None
    while cursor.id == "NM1":
        code = cursor.e[1]
        raw = cursor.raw()
        entity = Entity(cursor)
        if code == "IL":
            insured = entity
        elif code == "PR":
            payer = entity
        else:
            parts.extra.append(raw)
            parts.extra.extend(raw_entity(entity))
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


def _take_payer_date(payer: Entity | None) -> date | None:
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
        read_loop(cursor, parts)
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
                entity = Entity(cursor)
                parts.providers.append((code, entity.provider()))
                parts.extra.extend(entity.extra)
            elif cursor.id == "SVD":
                self.adjudications.append(_adjudication(cursor))
            elif cursor.id == "LQ":
                parts.extra.append(cursor.raw())
                read_loop(cursor, parts)
            else:
                return

    def _drug(self, cursor: Cursor) -> None:
        lin = cursor.e
        inner = Parts(lin)
        read_loop(cursor, inner)
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
    read_loop(cursor, parts)
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
