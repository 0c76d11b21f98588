"""Writing and reading the 276 (005010X212): claim status inquiries."""

from collections.abc import Iterator, Sequence

from revcycle_edi.x12.cursor import Cursor, TransactionStart, at_end, iter_transactions, parse_name, split_procedure
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import Envelope, Name, Reference
from revcycle_edi.x12.records.status import Demographics, LineInquiry, StatusInquiry, StatusInquiryTransaction
from revcycle_edi.x12.t837_write import write_person
from revcycle_edi.x12.values import (
    format_cents,
    format_date,
    format_period,
    parse_cents,
    parse_optional_cents,
    parse_optional_date,
    parse_optional_quantity,
    parse_period,
)
from revcycle_edi.x12.writer import TransactionWriter, code, composite, quantity_text, write_references

VERSION = "005010X212"


def _write_name(out: TransactionWriter, entity: str, name: Name, qualifier: str) -> None:
    entity_type = name.entity_type or "1"
    write_person(out, entity, entity_type, name.last_name, name, name.id_qualifier or qualifier, name.id)


def _write_demographics(out: TransactionWriter, demographics: Demographics) -> None:
    if demographics.birth_date is not None:
        out.add("DMG", "D8", format_date(demographics.birth_date), code(demographics.sex, "sex", 1))


def _write_claim(out: TransactionWriter, inquiry: StatusInquiry) -> None:
    out.add("TRN", "1", code(inquiry.trace_number, "trace_number", 50, required=True))
    for qualifier, value, name in (
        ("1K", inquiry.payer_claim_control_number, "payer_claim_control_number"),
        ("BLT", inquiry.bill_type, "bill_type"),
        ("EJ", inquiry.claim_id, "claim_id"),
    ):
        if value:
            out.add("REF", qualifier, code(value, name, 50))
    write_references(out, inquiry.references)
    if inquiry.charge_cents is not None:
        out.add("AMT", "T3", format_cents(inquiry.charge_cents))
    if inquiry.service_from is not None:
        out.add("DTP", "472", *format_period(inquiry.service_from, inquiry.service_to))
    for line in inquiry.lines:
        out.add(
            "SVC",
            composite(line.procedure_qualifier, code(line.procedure_code, "procedure_code", 48), *line.modifiers),
            format_cents(line.charge_cents),
            "",
            code(line.revenue_code, "revenue_code", 48),
            "",
            "",
            quantity_text(line.units),
        )
        if line.control_number:
            out.add("REF", "FJ", code(line.control_number, "line control number", 50))
        if line.service_from is not None:
            out.add("DTP", "472", *format_period(line.service_from, line.service_to))


_Levels = dict[tuple[Name, Name, Name], dict[tuple[Name, Demographics, bool], list[StatusInquiry]]]


def _write_patients(out: TransactionWriter, parent: int, patients: _Levels, levels: tuple[Name, Name, Name]) -> None:
    for (subscriber, demographics, has_dependent), group in patients[levels].items():
        level = out.level("22", parent=parent, child=has_dependent)
        if not has_dependent:
            _write_demographics(out, demographics)
        _write_name(out, "IL", subscriber, "MI")
        dependents: dict[tuple[Name | None, Demographics], list[StatusInquiry]] = {}
        for inquiry in group:
            dependents.setdefault((inquiry.dependent, inquiry.dependent_demographics), []).append(inquiry)
        for (dependent, own), inquiries in dependents.items():
            if dependent is not None:
                out.level("23", parent=level, child=False)
                _write_demographics(out, own)
                _write_name(out, "QC", dependent, "")
            for inquiry in inquiries:
                _write_claim(out, inquiry)


def build_276(envelope: Envelope, reference: str, inquiries: Sequence[StatusInquiry]) -> bytes:
    """Write status inquiries as one 276. X12Error names the field that cannot be sent.

    Inquiries are grouped by payer, receiver (who asks), provider and subscriber, first seen first.
    """
    if not inquiries:
        raise X12Error("276.write.empty", "there is no inquiry to send", expected="at least one inquiry")
    out = TransactionWriter(envelope, "HR", VERSION)
    out.open("276")
    at = envelope.created_at
    out.add("BHT", "0010", "13", code(reference, "reference", 50, required=True), f"{at:%Y%m%d}", f"{at:%H%M}")
    grouped: _Levels = {}
    for inquiry in inquiries:
        subscribers = grouped.setdefault((inquiry.payer, inquiry.receiver, inquiry.provider), {})
        key = (inquiry.subscriber, inquiry.subscriber_demographics, inquiry.dependent is not None)
        subscribers.setdefault(key, []).append(inquiry)
    payers: dict[Name, dict[Name, list[Name]]] = {}
    for payer, receiver, provider in grouped:
        payers.setdefault(payer, {}).setdefault(receiver, []).append(provider)
    for payer, receivers in payers.items():
        payer_level = out.level("20", child=True)
        _write_name(out, "PR", payer, "PI")
        for receiver, providers in receivers.items():
            receiver_level = out.level("21", parent=payer_level, child=True)
            _write_name(out, "41", receiver, "46")
            for provider in providers:
                provider_level = out.level("19", parent=receiver_level, child=True)
                _write_name(out, "1P", provider, "XX")
                _write_patients(out, provider_level, grouped, (payer, receiver, provider))
    out.close()
    return out.finish()


class Levels:
    """The names above a claim while a 276 or 277 is read."""

    def __init__(self) -> None:
        self.payer = self.receiver = self.provider = Name()
        self.subscriber: Name | None = None
        self.subscriber_demographics = Demographics()
        self.dependent: Name | None = None
        self.dependent_demographics = Demographics()

    def read(self, cursor: Cursor) -> None:
        """Read one HL up to its first claim (TRN) or the next HL."""
        level = cursor.e[3]
        demographics, name = Demographics(), Name()
        while cursor.advance() not in ("HL", "TRN") and not at_end(cursor):
            e = cursor.e
            if cursor.id == "DMG":
                demographics = Demographics(birth_date=parse_optional_date(e[2]), sex=e[3])
            elif cursor.id == "NM1":
                name = parse_name(e)
            elif cursor.id in ("STC", "REF"):
                break
        self._keep(level, name, demographics)

    def _keep(self, level: str, name: Name, demographics: Demographics) -> None:
        if level == "20":
            self.payer = name
        elif level == "21":
            self.receiver = name
        elif level == "19":
            self.provider = name
        elif level == "22":
            self.subscriber, self.subscriber_demographics = name, demographics
            self.dependent, self.dependent_demographics = None, Demographics()
        else:
            self.dependent, self.dependent_demographics = name, demographics


def _line(cursor: Cursor) -> LineInquiry:
    svc = cursor.e
    control = ""
    start = end = None
    while cursor.advance() in ("REF", "DTP"):
        if cursor.id == "DTP":
            start, end = parse_period(cursor.e[2], cursor.e[3])
        elif cursor.e[1] == "FJ":
            control = cursor.e[2]
    qualifier, procedure, modifiers, _ = split_procedure(svc[1])
    return LineInquiry(
        procedure_code=procedure,
        charge_cents=parse_cents(svc[2]),
        procedure_qualifier=qualifier,
        modifiers=modifiers,
        revenue_code=svc[4],
        units=parse_optional_quantity(svc[7]),
        control_number=control,
        service_from=start,
        service_to=end,
    )


def _inquiry(cursor: Cursor, levels: Levels) -> StatusInquiry:
    trace = cursor.e[2]
    references: list[Reference] = []
    charge: int | None = None
    start = end = None
    lines: list[LineInquiry] = []
    cursor.advance()
    while cursor.id not in ("TRN", "HL") and not at_end(cursor):
        e = cursor.e
        if cursor.id == "SVC":
            lines.append(_line(cursor))
            continue
        if cursor.id == "REF":
            references.append(Reference(e[1], e[2]))
        elif cursor.id == "AMT":
            charge = parse_optional_cents(e[2])
        elif cursor.id == "DTP" and e[1] == "472":
            start, end = parse_period(e[2], e[3])
        cursor.advance()
    return StatusInquiry(
        trace_number=trace,
        payer=levels.payer,
        receiver=levels.receiver,
        provider=levels.provider,
        subscriber=levels.subscriber or Name(),
        subscriber_demographics=levels.subscriber_demographics,
        dependent=levels.dependent,
        dependent_demographics=levels.dependent_demographics,
        claim_id=take(references, "EJ"),
        payer_claim_control_number=take(references, "1K"),
        bill_type=take(references, "BLT"),
        charge_cents=charge,
        service_from=start,
        service_to=end,
        references=tuple(references),
        lines=tuple(lines),
    )


def take(references: list[Reference], qualifier: str) -> str:
    """Remove and return the first reference with the qualifier, empty when there is none."""
    for index, found in enumerate(references):
        if found.qualifier == qualifier:
            del references[index]
            return found.value
    return ""


def _transaction(cursor: Cursor, start: TransactionStart) -> Iterator[StatusInquiryTransaction]:
    bht = cursor.e
    levels = Levels()
    inquiries: list[StatusInquiry] = []
    while not at_end(cursor):
        if cursor.id == "HL":
            levels.read(cursor)
        elif cursor.id == "TRN":
            inquiries.append(_inquiry(cursor, levels))
        else:
            cursor.advance()
    yield StatusInquiryTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        reference=bht[3],
        inquiries=tuple(inquiries),
    )


def parse_276(data: Source) -> list[StatusInquiryTransaction]:
    """Every status inquiry transaction of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "276", _transaction))
