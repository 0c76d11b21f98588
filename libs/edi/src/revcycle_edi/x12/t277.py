"""Reading the 277 (005010X212): answers to claim status inquiries."""

from collections.abc import Iterator
from datetime import date

from revcycle_edi.x12.cursor import (
    Cursor,
    TransactionStart,
    at_end,
    iter_transactions,
    parse_status_code,
    split_procedure,
)
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import RawSegment, Reference
from revcycle_edi.x12.records.status import LineStatus, StatusAnswer, StatusAnswerTransaction, StatusDetail
from revcycle_edi.x12.t276 import Levels, take
from revcycle_edi.x12.values import (
    parse_optional_cents,
    parse_optional_date,
    parse_optional_quantity,
    parse_period,
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
