"""Reading the 277CA (005010X214): what a front end decided about each claim of a batch."""

from collections.abc import Iterator

from revcycle_edi.x12.cursor import (
    Cursor,
    TransactionStart,
    at_end,
    iter_transactions,
    parse_name,
    parse_status_code,
    split_procedure,
)
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.acknowledgment import (
    ClaimAcknowledgment,
    ClaimAcknowledgmentReport,
    ClaimStatus,
    LineAcknowledgment,
    ProviderAcknowledgment,
)
from revcycle_edi.x12.records.common import Name, QualifiedAmount, QualifiedDate, Reference
from revcycle_edi.x12.values import (
    parse_cents,
    parse_integer,
    parse_optional_cents,
    parse_optional_date,
    parse_optional_quantity,
    parse_period,
)


def parse_stc(e: list[str]) -> ClaimStatus:
    """STC of a claim acknowledgment."""
    return ClaimStatus(
        codes=tuple(parse_status_code(text) for text in (e[1], e[10], e[11]) if text),
        effective_date=parse_optional_date(e[2]),
        action=e[3],
        charge_cents=parse_optional_cents(e[4]),
        message=e[12],
    )


class _Level:
    """The segments of one HL: its name, trace, statuses, totals, references and dates; lines for the patient level."""

    __slots__ = (
        "amounts",
        "dates",
        "entity",
        "level",
        "lines",
        "name",
        "quantities",
        "references",
        "statuses",
        "trace",
    )

    def __init__(self, cursor: Cursor) -> None:
        self.level = cursor.e[3]
        self.entity = ""
        self.name = Name()
        self.trace = ""
        self.statuses: list[ClaimStatus] = []
        self.quantities: dict[str, int] = {}
        self.amounts: list[QualifiedAmount] = []
        self.references: list[Reference] = []
        self.dates: list[QualifiedDate] = []
        self.lines: list[LineAcknowledgment] = []
        cursor.advance()
        self.read(cursor)

    def read(self, cursor: Cursor) -> None:
        """Read up to the next level or the next trace of the same patient level."""
        while cursor.id != "HL" and not at_end(cursor):
            if cursor.id == "TRN":
                if self.trace:
                    return
                self.trace = cursor.e[2]
            elif cursor.id == "SVC":
                self.lines.append(_line(cursor))
                continue
            else:
                self._segment(cursor)
            cursor.advance()

    def _segment(self, cursor: Cursor) -> None:
        e = cursor.e
        if cursor.id == "NM1":
            self.entity, self.name = e[1], parse_name(e)
        elif cursor.id == "STC":
            self.statuses.append(parse_stc(e))
        elif cursor.id == "QTY":
            self.quantities[e[1]] = parse_integer(e[2])
        elif cursor.id == "AMT":
            self.amounts.append(QualifiedAmount(e[1], parse_cents(e[2])))
        elif cursor.id == "REF":
            self.references.append(Reference(e[1], e[2]))
        elif cursor.id == "DTP":
            self.dates.append(QualifiedDate(e[1], *parse_period(e[2], e[3])))

    def amount(self, qualifier: str) -> int | None:
        """The amount with the qualifier."""
        return next((a.cents for a in self.amounts if a.qualifier == qualifier), None)

    def date(self, qualifier: str) -> QualifiedDate | None:
        """The date with the qualifier."""
        return next((d for d in self.dates if d.qualifier == qualifier), None)

    def reference(self, qualifier: str) -> str:
        """The reference with the qualifier, empty when not sent."""
        return next((r.value for r in self.references if r.qualifier == qualifier), "")

    def next_claim(self, cursor: Cursor) -> None:
        """Start the next claim of the same patient level."""
        self.trace = ""
        self.statuses, self.references, self.dates, self.lines = [], [], [], []
        self.read(cursor)


def _line(cursor: Cursor) -> LineAcknowledgment:
    svc = cursor.e
    statuses: list[ClaimStatus] = []
    references: list[Reference] = []
    control = ""
    start = end = None
    while cursor.advance() in ("STC", "REF", "DTP"):
        e = cursor.e
        if cursor.id == "STC":
            statuses.append(parse_stc(e))
        elif cursor.id == "DTP":
            start, end = parse_period(e[2], e[3])
        elif e[1] == "FJ":
            control = e[2]
        else:
            references.append(Reference(e[1], e[2]))
    qualifier, procedure, modifiers, _ = split_procedure(svc[1])
    return LineAcknowledgment(
        procedure_code=procedure,
        procedure_qualifier=qualifier,
        modifiers=modifiers,
        charge_cents=parse_optional_cents(svc[2]),
        revenue_code=svc[4],
        units=parse_optional_quantity(svc[7]),
        statuses=tuple(statuses),
        control_number=control,
        references=tuple(references),
        service_from=start,
        service_to=end,
    )


def _claim(level: _Level, provider: Name | None) -> ClaimAcknowledgment:
    served = level.date("472")
    return ClaimAcknowledgment(
        claim_id=level.trace,
        statuses=tuple(level.statuses),
        patient=level.name,
        provider=provider,
        payer_claim_control_number=level.reference("1K"),
        clearinghouse_number=level.reference("D9"),
        references=tuple(r for r in level.references if r.qualifier not in ("1K", "D9")),
        service_from=served.start if served else None,
        service_to=served.end if served else None,
        lines=tuple(level.lines),
    )


def _provider(level: _Level) -> ProviderAcknowledgment:
    return ProviderAcknowledgment(
        provider=level.name,
        trace_number=level.trace,
        statuses=tuple(level.statuses),
        references=tuple(level.references),
        accepted_count=level.quantities.get("QA"),
        rejected_count=level.quantities.get("QC"),
        accepted_cents=level.amount("YU"),
        rejected_cents=level.amount("YY"),
    )


def _report(cursor: Cursor, start: TransactionStart) -> Iterator[ClaimAcknowledgmentReport]:
    bht = cursor.e
    source = receiver = None
    providers: list[ProviderAcknowledgment] = []
    claims: list[ClaimAcknowledgment] = []
    while cursor.id != "HL" and not at_end(cursor):
        cursor.advance()
    while cursor.id == "HL":
        level = _Level(cursor)
        if level.level == "20":
            source = level
        elif level.level == "21":
            receiver = level
        elif level.level == "19":
            providers.append(_provider(level))
        else:
            provider = providers[-1].provider if providers else None
            claims.append(_claim(level, provider))
            while cursor.id == "TRN":
                level.next_claim(cursor)
                claims.append(_claim(level, provider))
    if source is None or receiver is None:
        raise cursor.error("277ca.levels", "source or receiver level is missing", expected="HL 20 and HL 21 after BHT")
    received, processed = source.date("050"), source.date("009")
    yield ClaimAcknowledgmentReport(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        reference=bht[3],
        source=source.name,
        source_entity=source.entity,
        source_trace=source.trace,
        received_date=received.start if received else None,
        processed_date=processed.start if processed else None,
        receiver=receiver.name,
        batch_reference=receiver.trace,
        batch_statuses=tuple(receiver.statuses),
        accepted_count=receiver.quantities.get("90"),
        rejected_count=receiver.quantities.get("AA"),
        accepted_cents=receiver.amount("YU"),
        rejected_cents=receiver.amount("YY"),
        providers=tuple(providers),
        claims=tuple(claims),
    )


def parse_277ca(data: Source) -> list[ClaimAcknowledgmentReport]:
    """Every claim acknowledgment (X214) of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "277", _report, versions=("005010X214",)))
