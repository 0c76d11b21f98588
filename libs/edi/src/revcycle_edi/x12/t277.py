"""Reading and writing the 277 (005010X212): answers to claim status inquiries."""

from collections.abc import Iterator, Sequence
from datetime import date

from revcycle_edi.x12.ack_build import status_composite
from revcycle_edi.x12.cursor import (
    Cursor,
    TransactionStart,
    at_end,
    iter_transactions,
    parse_status_code,
    split_procedure,
)
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.hierarchy import in_tree_order, write_name
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import Envelope, Name, RawSegment, Reference
from revcycle_edi.x12.records.status import LineStatus, StatusAnswer, StatusAnswerTransaction, StatusDetail
from revcycle_edi.x12.t276 import Levels, take
from revcycle_edi.x12.values import (
    format_date,
    format_period,
    parse_optional_cents,
    parse_optional_date,
    parse_optional_quantity,
    parse_period,
)
from revcycle_edi.x12.writer import (
    TransactionWriter,
    cents_text,
    clean_text,
    code,
    composite,
    quantity_text,
    write_references,
)


def _detail(e: list[str]) -> StatusDetail:
    return StatusDetail(
        codes=tuple(parse_status_code(text) for text in (e[1], e[10], e[11]) if text),
        effective_date=parse_optional_date(e[2]),
        charge_cents=parse_optional_cents(e[4]),
        paid_cents=parse_optional_cents(e[5]),
        adjudication_date=parse_optional_date(e[6]),
        payment_method=e[7],
        payment_date=parse_optional_date(e[8]),
        trace_number=e[9],
        message=e[12],
    )


class _Body:
    """Statuses, references and dates of a claim or a line."""

    def __init__(self) -> None:
        self.statuses: list[StatusDetail] = []
        self.references: list[Reference] = []
        self.extra: list[RawSegment] = []
        self.start: date | None = None
        self.end: date | None = None

    def segment(self, cursor: Cursor) -> None:
        """Take one segment."""
        e = cursor.e
        if cursor.id == "STC":
            self.statuses.append(_detail(e))
        elif cursor.id == "REF":
            self.references.append(Reference(e[1], e[2]))
        elif cursor.id == "DTP" and e[1] == "472":
            self.start, self.end = parse_period(e[2], e[3])
        else:
            self.extra.append(cursor.raw())


def _line(cursor: Cursor) -> LineStatus:
    svc = cursor.e
    body = _Body()
    while cursor.advance() not in ("SVC", "TRN", "HL") and not at_end(cursor):
        body.segment(cursor)
    qualifier, procedure, modifiers, _ = split_procedure(svc[1])
    control = take(body.references, "FJ")
    body.extra.extend(("REF", r.qualifier, r.value) for r in body.references)
    return LineStatus(
        procedure_code=procedure,
        procedure_qualifier=qualifier,
        modifiers=modifiers,
        charge_cents=parse_optional_cents(svc[2]),
        paid_cents=parse_optional_cents(svc[3]),
        revenue_code=svc[4],
        units=parse_optional_quantity(svc[7]),
        statuses=tuple(body.statuses),
        control_number=control,
        service_from=body.start,
        service_to=body.end,
        extra_segments=tuple(body.extra),
    )


def _answer(cursor: Cursor, levels: Levels) -> StatusAnswer:
    trace = cursor.e[2]
    body = _Body()
    lines: list[LineStatus] = []
    cursor.advance()
    while cursor.id not in ("TRN", "HL") and not at_end(cursor):
        if cursor.id == "SVC":
            lines.append(_line(cursor))
        else:
            body.segment(cursor)
            cursor.advance()
    return StatusAnswer(
        trace_number=trace,
        statuses=tuple(body.statuses),
        payer=levels.payer,
        receiver=levels.receiver,
        provider=levels.provider,
        subscriber=levels.subscriber,
        dependent=levels.dependent,
        claim_id=take(body.references, "EJ"),
        payer_claim_control_number=take(body.references, "1K"),
        bill_type=take(body.references, "BLT"),
        references=tuple(body.references),
        service_from=body.start,
        service_to=body.end,
        lines=tuple(lines),
        extra_segments=tuple(body.extra),
    )


def _transaction(cursor: Cursor, start: TransactionStart) -> Iterator[StatusAnswerTransaction]:
    bht = cursor.e
    levels = Levels()
    answers: list[StatusAnswer] = []
    while not at_end(cursor):
        if cursor.id == "HL":
            levels.read(cursor)
        elif cursor.id == "TRN":
            answers.append(_answer(cursor, levels))
        else:
            cursor.advance()
    yield StatusAnswerTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        reference=bht[3],
        answers=tuple(answers),
    )


def parse_277(data: Source) -> list[StatusAnswerTransaction]:
    """Every status answer (X212) of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "277", _transaction, versions=("005010X212",)))


def _write_detail(out: TransactionWriter, status: StatusDetail) -> None:
    codes = [status_composite(c) for c in status.codes[:3]] + ["", "", ""]
    days = [format_date(d) if d else "" for d in (status.effective_date, status.adjudication_date, status.payment_date)]
    out.add(
        "STC",
        codes[0],
        days[0],
        "",
        cents_text(status.charge_cents),
        cents_text(status.paid_cents),
        days[1],
        code(status.payment_method, "payment_method", 3),
        days[2],
        code(status.trace_number, "trace_number", 16),
        codes[1],
        codes[2],
        clean_text(status.message, 264),
    )


def _write_line(out: TransactionWriter, line: LineStatus) -> None:
    procedure = composite(line.procedure_qualifier, code(line.procedure_code, "procedure_code", 48), *line.modifiers)
    amounts = (cents_text(line.charge_cents), cents_text(line.paid_cents))
    out.add("SVC", procedure, *amounts, code(line.revenue_code, "revenue_code", 48), "", "", quantity_text(line.units))
    for status in line.statuses:
        _write_detail(out, status)
    if line.control_number:
        out.add("REF", "FJ", code(line.control_number, "line control number", 50))
    if line.service_from is not None:
        out.add("DTP", "472", *format_period(line.service_from, line.service_to))
    out.raw(line.extra_segments)


def _write_answer(out: TransactionWriter, answer: StatusAnswer) -> None:
    out.add("TRN", "2", code(answer.trace_number, "trace_number", 50, required=True))
    for status in answer.statuses:
        _write_detail(out, status)
    for qualifier, value in (
        ("1K", answer.payer_claim_control_number),
        ("BLT", answer.bill_type),
        ("EJ", answer.claim_id),
    ):
        if value:
            out.add("REF", qualifier, code(value, f"REF*{qualifier}", 50))
    write_references(out, answer.references)
    if answer.service_from is not None:
        out.add("DTP", "472", *format_period(answer.service_from, answer.service_to))
    out.raw(answer.extra_segments)
    for line in answer.lines:
        _write_line(out, line)


def build_277(envelope: Envelope, reference: str, answers: Sequence[StatusAnswer]) -> bytes:
    """Write status answers as one 277. X12Error names the field that cannot be sent.

    Answers are grouped by payer, receiver and provider, first seen first.
    """
    if not answers:
        raise X12Error("277.write.empty", "there is no answer to send", expected="at least one answer")
    out = TransactionWriter(envelope, "HN", "005010X212")
    out.open("277")
    at = envelope.created_at
    out.add("BHT", "0010", "08", code(reference, "reference", 50, required=True), f"{at:%Y%m%d}", f"{at:%H%M}", "DG")
    levels: dict[tuple[Name, ...], int] = {}
    for answer in in_tree_order(answers, lambda a: (a.payer, a.receiver, a.provider)):
        parent = 0
        path: tuple[Name, ...] = ()
        named = (("20", "PR", answer.payer), ("21", "41", answer.receiver), ("19", "1P", answer.provider))
        for level, entity, name in named:
            path = (*path, name)
            if path not in levels:
                levels[path] = out.level(level, parent=parent, child=True)
                write_name(out, entity, name)
            parent = levels[path]
        parent = out.level("22", parent=parent, child=answer.dependent is not None)
        write_name(out, "IL", answer.subscriber or Name())
        if answer.dependent is not None:
            out.level("23", parent=parent, child=False)
            write_name(out, "QC", answer.dependent)
        _write_answer(out, answer)
    out.close()
    return out.finish()
