"""Writing and reading the 270 and 271 (005010X279A1): eligibility inquiries and answers."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from revcycle_edi.x12.cursor import Cursor, TransactionStart, at_end, iter_transactions, parse_name
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.hierarchy import (
    Part,
    parse_refusal,
    write_demographics,
    write_name,
    write_refusals,
)
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import Envelope, Name, QualifiedDate, RawSegment, Reference
from revcycle_edi.x12.records.eligibility import (
    Benefit,
    EligibilityAnswer,
    EligibilityAnswerTransaction,
    EligibilityInquiry,
    EligibilityInquiryTransaction,
    Refusal,
)
from revcycle_edi.x12.records.status import Demographics
from revcycle_edi.x12.t837_write import write_dates
from revcycle_edi.x12.values import parse_optional_cents, parse_optional_quantity, parse_period
from revcycle_edi.x12.writer import (
    TransactionWriter,
    cents_text,
    clean_text,
    code,
    composite,
    quantity_text,
    write_references,
)

VERSION = "005010X279A1"
_UNKNOWN = Demographics()


def _open(envelope: Envelope, functional_id: str, transaction: str, purpose: str, reference: str) -> TransactionWriter:
    out = TransactionWriter(envelope, functional_id, VERSION)
    out.open(transaction)
    at = envelope.created_at
    out.add("BHT", "0022", purpose, code(reference, "reference", 50, required=True), f"{at:%Y%m%d}", f"{at:%H%M}")
    return out


def _write_person(
    out: TransactionWriter, item: EligibilityInquiry | EligibilityAnswer, parent: int, trace_type: str
) -> None:
    """Subscriber level, and dependent level when the patient is not the subscriber."""
    level = out.level("22", parent=parent, child=item.dependent is not None)
    trace = (
        "TRN",
        trace_type,
        code(item.trace_number, "trace_number", 50),
        code(item.trace_company, "trace_company", 10),
    )
    if item.dependent is None and item.trace_number:
        out.add(*trace)
    write_name(out, "IL", item.subscriber)
    if item.dependent is not None:
        write_demographics(out, item.subscriber_demographics)
        out.level("23", parent=level, child=False)
        if item.trace_number:
            out.add(*trace)
        write_name(out, "03", item.dependent)
    write_references(out, item.references)
    if isinstance(item, EligibilityAnswer):
        write_refusals(out, item.refusals)
        out.raw(item.extra_segments)
    own = item.subscriber_demographics if item.dependent is None else item.dependent_demographics
    write_demographics(out, own)
    write_dates(out, item.dates)


def build_270(envelope: Envelope, reference: str, inquiries: Sequence[EligibilityInquiry]) -> bytes:
    """Write eligibility inquiries as one 270. X12Error names the field that cannot be sent."""
    if not inquiries:
        raise X12Error("270.write.empty", "there is no inquiry to send", expected="at least one inquiry")
    out = _open(envelope, "HS", "270", "13", reference)
    payers: dict[Name, dict[Name, list[EligibilityInquiry]]] = {}
    for inquiry in inquiries:
        payers.setdefault(inquiry.payer, {}).setdefault(inquiry.provider, []).append(inquiry)
    for payer, providers in payers.items():
        payer_level = out.level("20", child=True)
        write_name(out, "PR", payer)
        for provider, own in providers.items():
            provider_level = out.level("21", parent=payer_level, child=True)
            write_name(out, "1P", provider)
            for inquiry in own:
                _write_person(out, inquiry, provider_level, "1")
                types = "^".join(code(c, "service type", 2, required=True) for c in inquiry.service_type_codes)
                procedure = composite(*[code(part, "procedure", 48) for part in inquiry.procedure])
                out.add("EQ", "" if procedure else types, procedure)
    out.close()
    return out.finish()


class _Walk:
    """The names above a person."""

    def __init__(self) -> None:
        self.payer = self.provider = Name()
        self.refusals: list[Refusal] = []
        self.subscriber = Part()
        self.dependent: Part | None = None

    def level(self, cursor: Cursor, stops: frozenset[str]) -> bool:
        """Read one HL; True when a person level was read that has no person below it."""
        code_, has_child = cursor.e[3], cursor.e[4] == "1"
        cursor.advance()
        part = Part()
        part.read(cursor, stops)
        if code_ == "20":
            self.payer, self.refusals = part.name or Name(), part.refusals
        elif code_ == "21":
            self.provider = part.name or Name()
            self.refusals = self.refusals + part.refusals
        elif code_ == "22":
            self.subscriber, self.dependent = part, None
            return not has_child
        else:
            self.dependent = part
            return True
        return False

    @property
    def person(self) -> Part:
        """The level the question or answer is about."""
        return self.dependent or self.subscriber


def _inquiries(cursor: Cursor) -> Iterator[EligibilityInquiry]:
    walk = _Walk()
    while not at_end(cursor):
        if cursor.id != "HL":
            cursor.advance()
            continue
        if not walk.level(cursor, frozenset(("EQ",))):
            continue
        types: list[str] = []
        procedures: list[tuple[str, ...]] = []
        while cursor.id == "EQ":
            types += [c for c in cursor.e[1].split("^") if c]
            if cursor.e[2]:
                procedures.append(tuple(cursor.e[2].split(":")))
            cursor.advance()
        person = walk.person
        inquiry = EligibilityInquiry(
            trace_number=person.trace[0],
            trace_company=person.trace[1],
            payer=walk.payer,
            provider=walk.provider,
            subscriber=walk.subscriber.name or Name(),
            subscriber_demographics=walk.subscriber.demographics,
            dependent=walk.dependent.name if walk.dependent else None,
            dependent_demographics=walk.dependent.demographics if walk.dependent else _UNKNOWN,
            service_type_codes=tuple(types),
            dates=tuple(person.dates),
            references=tuple(person.references),
        )
        # One question a record: the service types together, and each procedure that was asked about beside them.
        if types or not procedures:
            yield inquiry
        for procedure in procedures:
            yield replace(inquiry, service_type_codes=(), procedure=procedure)


def _parse_270(cursor: Cursor, start: TransactionStart) -> Iterator[EligibilityInquiryTransaction]:
    reference = cursor.e[3]
    yield EligibilityInquiryTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        reference=reference,
        inquiries=tuple(_inquiries(cursor)),
    )


def parse_270(data: Source) -> list[EligibilityInquiryTransaction]:
    """Every eligibility inquiry transaction of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "270", _parse_270))


def _benefit(cursor: Cursor) -> Benefit:
    eb = cursor.e
    references: list[Reference] = []
    dates: list[QualifiedDate] = []
    refusals: list[Refusal] = []
    messages: list[str] = []
    entities: list[tuple[str, Name]] = []
    extra: list[RawSegment] = []
    while cursor.advance() not in ("EB", "HL") and not at_end(cursor):
        e = cursor.e
        if cursor.id == "REF" and not e[3]:
            references.append(Reference(e[1], e[2]))
        elif cursor.id == "DTP" and e[2] in ("D8", "RD8"):
            dates.append(QualifiedDate(e[1], *parse_period(e[2], e[3])))
        elif cursor.id == "AAA":
            refusals.append(parse_refusal(e))
        elif cursor.id == "MSG":
            messages.append(e[1])
        elif cursor.id == "NM1":
            entities.append((e[1], parse_name(e)))
        elif cursor.id not in ("LS", "LE"):
            extra.append(cursor.raw())
    return Benefit(
        information_code=eb[1],
        coverage_level=eb[2],
        service_type_codes=tuple(c for c in eb[3].split("^") if c),
        insurance_type=eb[4],
        plan=eb[5],
        period=eb[6],
        amount_cents=parse_optional_cents(eb[7]),
        percent=parse_optional_quantity(eb[8]),
        quantity_qualifier=eb[9],
        quantity=parse_optional_quantity(eb[10]),
        authorization_required=eb[11],
        in_network=eb[12],
        procedure=tuple(eb[13].split(":")) if eb[13] else (),
        references=tuple(references),
        dates=tuple(dates),
        refusals=tuple(refusals),
        messages=tuple(messages),
        entities=tuple(entities),
        extra_segments=tuple(extra),
    )


def _answer(walk: _Walk, benefits: tuple[Benefit, ...]) -> EligibilityAnswer:
    person = walk.person
    return EligibilityAnswer(
        trace_number=person.trace[0],
        trace_company=person.trace[1],
        payer=walk.payer,
        provider=walk.provider,
        subscriber=walk.subscriber.name or Name(),
        subscriber_demographics=walk.subscriber.demographics,
        dependent=walk.dependent.name if walk.dependent else None,
        dependent_demographics=walk.dependent.demographics if walk.dependent else _UNKNOWN,
        refusals=tuple(walk.refusals + person.refusals),
        dates=tuple(person.dates),
        references=tuple(person.references),
        benefits=benefits,
        extra_segments=tuple(person.extra),
    )


def _answers(cursor: Cursor) -> Iterator[EligibilityAnswer]:
    walk = _Walk()
    answered = False
    while not at_end(cursor):
        if cursor.id != "HL":
            cursor.advance()
            continue
        if walk.level(cursor, frozenset(("EB",))):
            benefits: list[Benefit] = []
            while cursor.id == "EB":
                benefits.append(_benefit(cursor))
            answered = True
            yield _answer(walk, tuple(benefits))
    if not answered and walk.refusals:
        yield _answer(walk, ())


def _parse_271(cursor: Cursor, start: TransactionStart) -> Iterator[EligibilityAnswerTransaction]:
    reference = cursor.e[3]
    yield EligibilityAnswerTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        reference=reference,
        answers=tuple(_answers(cursor)),
    )


def parse_271(data: Source) -> list[EligibilityAnswerTransaction]:
    """Every eligibility answer transaction of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "271", _parse_271))


def _write_benefit(out: TransactionWriter, benefit: Benefit) -> None:
    out.add(
        "EB",
        code(benefit.information_code, "information_code", 3, required=True),
        code(benefit.coverage_level, "coverage_level", 3),
        "^".join(code(c, "service type", 2, required=True) for c in benefit.service_type_codes),
        code(benefit.insurance_type, "insurance_type", 3),
        clean_text(benefit.plan, 50),
        code(benefit.period, "period", 2),
        cents_text(benefit.amount_cents),
        quantity_text(benefit.percent),
        code(benefit.quantity_qualifier, "quantity_qualifier", 2),
        quantity_text(benefit.quantity),
        code(benefit.authorization_required, "authorization_required", 1),
        code(benefit.in_network, "in_network", 1),
        composite(*[code(part, "procedure", 48) for part in benefit.procedure]),
    )
    out.raw([raw for raw in benefit.extra_segments if raw[0] == "HSD"])
    write_references(out, benefit.references)
    write_dates(out, benefit.dates)
    write_refusals(out, benefit.refusals)
    for message in benefit.messages:
        out.add("MSG", clean_text(message, 264))
    out.raw([raw for raw in benefit.extra_segments if raw[0] == "III"])
    if benefit.entities:
        out.add("LS", "2120")
        for entity, name in benefit.entities:
            write_name(out, code(entity, "entity code", 3, required=True), name)
        out.raw([raw for raw in benefit.extra_segments if raw[0] not in ("HSD", "III")])
        out.add("LE", "2120")


def build_271(envelope: Envelope, reference: str, answers: Sequence[EligibilityAnswer]) -> bytes:
    """Write eligibility answers as one 271. X12Error names the field that cannot be sent."""
    if not answers:
        raise X12Error("271.write.empty", "there is no answer to send", expected="at least one answer")
    out = _open(envelope, "HB", "271", "11", reference)
    payers: dict[Name, dict[Name, list[EligibilityAnswer]]] = {}
    for answer in answers:
        payers.setdefault(answer.payer, {}).setdefault(answer.provider, []).append(answer)
    for payer, providers in payers.items():
        payer_level = out.level("20", child=True)
        write_name(out, "PR", payer)
        for provider, own in providers.items():
            provider_level = out.level("21", parent=payer_level, child=True)
            write_name(out, "1P", provider)
            for answer in own:
                _write_person(out, answer, provider_level, "2")
                for benefit in answer.benefits:
                    _write_benefit(out, benefit)
    out.close()
    return out.finish()
