"""Reading the 835 (005010X221A1): remittances with claims, lines and provider-level adjustments."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date

import msgspec

from revcycle_edi.x12.balance import (
    BalanceEquation,
    balance_835_claim,
    balance_835_payment,
    holds_835_claim,
    unbalanced,
)
from revcycle_edi.x12.cursor import (
    Cursor,
    TransactionStart,
    at_end,
    iter_transactions,
    parse_cas,
    parse_contact,
    parse_dtm,
    parse_n3,
    parse_name,
    parse_reference,
    split_procedure,
    with_n4,
)
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.quick835 import ClaimReader
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import (
    Address,
    Adjustment,
    Contact,
    Name,
    QualifiedAmount,
    QualifiedDate,
    QualifiedQuantity,
    RawSegment,
    Reference,
)
from revcycle_edi.x12.records.remittance import (
    BankAccount,
    ProviderAdjustment,
    Remittance,
    RemittanceClaim,
    RemittanceLine,
    RemittanceParty,
)
from revcycle_edi.x12.templates import Lines, read_whole
from revcycle_edi.x12.values import (
    parse_cents,
    parse_date,
    parse_optional_cents,
    parse_optional_quantity,
    parse_quantity,
)


class _Loop:
    """What the segments of a 2100 or 2110 loop add up to."""

    __slots__ = (
        "adjustments",
        "amounts",
        "contacts",
        "control_number",
        "dates",
        "drug_remarks",
        "extra",
        "insured",
        "mia",
        "moa",
        "names",
        "patient",
        "quantities",
        "references",
        "remarks",
    )

    def __init__(self) -> None:
        self.adjustments: list[Adjustment] = []
        self.amounts: list[QualifiedAmount] = []
        self.contacts: list[Contact] = []
        self.control_number = ""
        self.dates: list[QualifiedDate] = []
        self.drug_remarks: list[str] = []
        self.extra: list[RawSegment] = []
        self.patient: Name | None = None
        self.insured: Name | None = None
        self.names: list[tuple[str, Name]] = []
        self.mia: RawSegment = ()
        self.moa: RawSegment = ()
        self.quantities: list[QualifiedQuantity] = []
        self.references: list[Reference] = []
        self.remarks: list[str] = []

    def take_date(self, qualifier: str) -> QualifiedDate | None:
        """Remove and return the first date with the qualifier."""
        for index, found in enumerate(self.dates):
            if found.qualifier == qualifier:
                return self.dates.pop(index)
        return None


def _cas(loop: _Loop, cursor: Cursor) -> None:
    parse_cas(cursor.e, loop.adjustments)


def _dtm(loop: _Loop, cursor: Cursor) -> None:
    loop.dates.append(parse_dtm(cursor.e))


def _ref(loop: _Loop, cursor: Cursor) -> None:
    e = cursor.e
    if e[1] == "6R" and not loop.control_number:
        loop.control_number = e[2]
    else:
        loop.references.append(Reference(e[1], e[2]))


def _amt(loop: _Loop, cursor: Cursor) -> None:
    e = cursor.e
    loop.amounts.append(QualifiedAmount(e[1], parse_cents(e[2])))


def _qty(loop: _Loop, cursor: Cursor) -> None:
    e = cursor.e
    loop.quantities.append(QualifiedQuantity(e[1], parse_quantity(e[2])))


def _lq(loop: _Loop, cursor: Cursor) -> None:
    e = cursor.e
    (loop.drug_remarks if e[1] == "RX" else loop.remarks).append(e[2])


def _nm1(loop: _Loop, cursor: Cursor) -> None:
    e = cursor.e
    if e[1] == "QC" and loop.patient is None:
        loop.patient = parse_name(e)
    elif e[1] == "IL" and loop.insured is None:
        loop.insured = parse_name(e)
    else:
        loop.names.append((e[1], parse_name(e)))


def _mia(loop: _Loop, cursor: Cursor) -> None:
    loop.mia = cursor.raw()


def _moa(loop: _Loop, cursor: Cursor) -> None:
    loop.moa = cursor.raw()


def _per(loop: _Loop, cursor: Cursor) -> None:
    loop.contacts.append(parse_contact(cursor.e))


_Handler = Callable[[_Loop, Cursor], None]
_LINE: dict[str, _Handler] = {"CAS": _cas, "DTM": _dtm, "REF": _ref, "AMT": _amt, "QTY": _qty, "LQ": _lq}
_CLAIM: dict[str, _Handler] = {
    "CAS": _cas,
    "DTM": _dtm,
    "REF": _ref,
    "AMT": _amt,
    "QTY": _qty,
    "NM1": _nm1,
    "MIA": _mia,
    "MOA": _moa,
    "PER": _per,
}
_STOPS = frozenset(("SVC", "CLP", "LX", "PLB", "SE", "ST", "GE", "GS", "IEA", "ISA", ""))


def _read_loop(cursor: Cursor, handlers: dict[str, _Handler]) -> _Loop:
    loop = _Loop()
    while cursor.advance() not in _STOPS:
        handler = handlers.get(cursor.id)
        if handler is not None:
            handler(loop, cursor)
        else:
            loop.extra.append(cursor.raw())
    return loop


def _line(cursor: Cursor) -> RemittanceLine:
    e = cursor.e
    charge, paid = parse_cents(e[2]), parse_cents(e[3])
    units, submitted_units = parse_optional_quantity(e[5]), parse_optional_quantity(e[7])
    loop = _read_loop(cursor, _LINE)
    qualifier, procedure, modifiers, description = split_procedure(e[1])
    single, start, end = loop.take_date("472"), loop.take_date("150"), loop.take_date("151")
    served = single or start
    submitted = tuple(e[6].split(":")) if e[6] else ()
    return RemittanceLine(
        procedure_code=procedure,
        charge_cents=charge,
        paid_cents=paid,
        procedure_qualifier=qualifier,
        modifiers=modifiers,
        description=description,
        revenue_code=e[4],
        units_paid=units,
        submitted=submitted,
        submitted_units=submitted_units,
        service_from=served.start if served else None,
        service_to=end.start if end else None,
        adjustments=tuple(loop.adjustments),
        control_number=loop.control_number,
        references=tuple(loop.references),
        amounts=tuple(loop.amounts),
        quantities=tuple(loop.quantities),
        remark_codes=tuple(loop.remarks),
        drug_remark_codes=tuple(loop.drug_remarks),
        extra_segments=tuple(loop.extra),
    )


def _claim(cursor: Cursor, assigned_number: str) -> RemittanceClaim:
    e = cursor.e
    charge, paid, patient_share = parse_cents(e[3]), parse_cents(e[4]), parse_optional_cents(e[5])
    weight, fraction = parse_optional_quantity(e[12]), parse_optional_quantity(e[13])
    loop = _read_loop(cursor, _CLAIM)
    lines: list[RemittanceLine] = []
    while cursor.id == "SVC":
        lines.append(_line(cursor))
    start, end, received = loop.take_date("232"), loop.take_date("233"), loop.take_date("050")
    if loop.control_number:
        loop.references.append(Reference("6R", loop.control_number))
    return RemittanceClaim(
        claim_id=e[1],
        status_code=e[2],
        charge_cents=charge,
        paid_cents=paid,
        patient_responsibility_cents=patient_share,
        filing_code=e[6],
        payer_claim_control_number=e[7],
        facility_code=e[8],
        frequency_code=e[9],
        drg_code=e[11],
        drg_weight=weight,
        discharge_fraction=fraction,
        assigned_number=assigned_number,
        adjustments=tuple(loop.adjustments),
        patient=loop.patient,
        insured=loop.insured,
        names=tuple(loop.names),
        inpatient_remarks=loop.mia,
        outpatient_remarks=loop.moa,
        references=tuple(loop.references),
        statement_from=start.start if start else None,
        statement_to=end.start if end else None,
        received_date=received.start if received else None,
        dates=tuple(loop.dates),
        contacts=tuple(loop.contacts),
        amounts=tuple(loop.amounts),
        quantities=tuple(loop.quantities),
        lines=tuple(lines),
        extra_segments=tuple(loop.extra),
    )


_LINES = Lines(lambda text: read_whole("SVC*" + text, _line), "~DTM*472*")


def _quick() -> ClaimReader:
    return ClaimReader(lambda text: read_whole(text, lambda cursor: _claim(cursor, "")), _LINES)


def _party(cursor: Cursor) -> RemittanceParty:
    n1 = cursor.e
    address: Address | None = None
    references: list[Reference] = []
    contacts: list[Contact] = []
    extra: list[RawSegment] = []
    while cursor.advance() not in ("N1", "LX", "CLP") and cursor.id not in _STOPS:
        if cursor.id == "N3":
            address = parse_n3(cursor.e)
        elif cursor.id == "N4":
            address = with_n4(address, cursor.e)
        elif cursor.id == "REF":
            references.append(parse_reference(cursor.e))
        elif cursor.id == "PER":
            contacts.append(parse_contact(cursor.e))
        else:
            extra.append(cursor.raw())
    return RemittanceParty(
        name=n1[2],
        id_qualifier=n1[3],
        id=n1[4],
        address=address,
        references=tuple(references),
        contacts=tuple(contacts),
        extra_segments=tuple(extra),
    )


class _Head:
    """Everything of an 835 before the first claim."""

    def __init__(self, cursor: Cursor) -> None:
        if cursor.id != "BPR":
            raise cursor.error("835.bpr", "the remittance does not start with its payment", expected="BPR after ST")
        self.bpr = bpr = cursor.e
        paid = parse_cents(bpr[2])
        self.paid_cents = -paid if bpr[3] == "D" else paid
        self.payment_date = _payment_date(bpr[16])
        self.trn: list[str] = []
        self.currency: RawSegment = ()
        self.receiver = self.version = ""
        self.production: QualifiedDate | None = None
        self.payer = self.payee = RemittanceParty(name="")
        self.extra: list[RawSegment] = []
        cursor.advance()
        while cursor.id not in ("LX", "CLP", "PLB") and not at_end(cursor):
            if cursor.id == "N1":
                self._n1(cursor)
            else:
                self._segment(cursor)
                cursor.advance()
        if not self.trn:
            raise cursor.error("835.trn", "the remittance has no trace number", expected="TRN after BPR")

    def _n1(self, cursor: Cursor) -> None:
        if cursor.e[1] == "PR":
            self.payer = _party(cursor)
        elif cursor.e[1] == "PE":
            self.payee = _party(cursor)
        else:
            self.extra.append(cursor.raw())
            cursor.advance()

    def _segment(self, cursor: Cursor) -> None:
        e = cursor.e
        if cursor.id == "TRN" and not self.trn:
            self.trn = e
        elif cursor.id == "CUR":
            self.currency = cursor.raw()
        elif cursor.id == "REF" and e[1] == "EV":
            self.receiver = e[2]
        elif cursor.id == "REF" and e[1] == "F2":
            self.version = e[2]
        elif cursor.id == "DTM" and e[1] == "405":
            self.production = parse_dtm(e)
        else:
            self.extra.append(cursor.raw())


def _plb(cursor: Cursor, into: list[ProviderAdjustment]) -> None:
    e = cursor.e
    period_end = parse_date(e[2])
    for index in range(3, 15, 2):
        if not e[index] and not e[index + 1]:
            continue
        reason, _, reference = e[index].partition(":")
        into.append(
            ProviderAdjustment(
                provider_id=e[1],
                fiscal_period_end=period_end,
                reason_code=reason,
                amount_cents=parse_cents(e[index + 1]),
                reference=reference,
            )
        )


def _account(e: list[str], first: int) -> BankAccount | None:
    if not any(e[first : first + 4]):
        return None
    return BankAccount(
        routing_qualifier=e[first],
        routing_number=e[first + 1],
        account_qualifier=e[first + 2],
        account_number=e[first + 3],
    )


def _remittance(cursor: Cursor, start: TransactionStart) -> Iterator[Remittance]:
    claims: list[RemittanceClaim] = []
    remittance = _read(cursor, start, claims.extend)
    yield msgspec.structs.replace(remittance, claims=tuple(claims))


def _unbalanced(cursor: Cursor, start: TransactionStart) -> Iterator[BalanceEquation]:
    """The equations of one ST that do not hold; claims are forgotten as soon as they are judged."""
    broken: list[BalanceEquation] = []
    paid = 0

    def judge(claims: Iterable[RemittanceClaim]) -> None:
        nonlocal paid
        for claim in claims:
            paid += claim.paid_cents
            if not holds_835_claim(claim):
                broken.extend(unbalanced(balance_835_claim(claim)))

    remittance = _read(cursor, start, judge)
    yield from broken
    yield from unbalanced([balance_835_payment(remittance, paid)])


def _read(cursor: Cursor, start: TransactionStart, take: Callable[[Iterable[RemittanceClaim]], None]) -> Remittance:
    """One ST without its claims, which are handed to take as they come."""
    quick = _quick()
    cursor.start_digest()
    head = _Head(cursor)
    assigned = ""
    summaries: list[tuple[str, RawSegment]] = []
    adjustments: list[ProviderAdjustment] = []
    extra = head.extra
    while not at_end(cursor):
        if cursor.id == "CLP":
            take(quick.claims(cursor, assigned))
            if cursor.id == "CLP":
                take((_claim(cursor, assigned),))
            continue
        if cursor.id == "LX":
            assigned = cursor.e[1]
        elif cursor.id in ("TS2", "TS3"):
            summaries.append((assigned, cursor.raw()))
        elif cursor.id == "PLB":
            _plb(cursor, adjustments)
        else:
            extra.append(cursor.raw())
        cursor.advance()
    content_sha256 = cursor.take_digest()
    bpr, trn = head.bpr, head.trn
    return Remittance(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        content_sha256=content_sha256,
        handling_code=bpr[1],
        paid_cents=head.paid_cents,
        credit_debit=bpr[3],
        payment_method=bpr[4],
        payment_format=bpr[5],
        payer_account=_account(bpr, 6),
        originating_company_id=bpr[10],
        originating_company_supplement=bpr[11],
        payee_account=_account(bpr, 12),
        payment_date=head.payment_date,
        trace_number=trn[2],
        payer_trace_id=trn[3],
        trace_supplement=trn[4],
        currency=head.currency,
        receiver_id=head.receiver,
        system_version=head.version,
        production_date=head.production.start if head.production else None,
        payer=head.payer,
        payee=head.payee,
        provider_summaries=tuple(summaries),
        provider_adjustments=tuple(adjustments),
        extra_segments=tuple(extra),
    )


def _payment_date(text: str) -> date:
    if not text:
        raise X12Error("835.bpr16", "the payment has no date", expected="CCYYMMDD", segment="BPR", element="16")
    return parse_date(text)


def _claims(cursor: Cursor, start: TransactionStart) -> Iterator[RemittanceClaim]:
    quick = _quick()
    assigned = ""
    while not at_end(cursor):
        if cursor.id == "CLP":
            yield from quick.claims(cursor, assigned)
            if cursor.id == "CLP":
                yield _claim(cursor, assigned)
        else:
            if cursor.id == "LX":
                assigned = cursor.e[1]
            cursor.advance()


def parse_835(data: Source) -> list[Remittance]:
    """Every remittance of an input. X12Error, with the place, when the input cannot be read.

    Nothing is judged: use balance_835 and validate.
    """
    return list(iter_transactions(data, "835", _remittance))


def iter_835_claims(source: Source) -> Iterator[RemittanceClaim]:
    """The claims of all remittances one by one, in constant memory."""
    return iter_transactions(source, "835", _claims)


def iter_835_unbalanced(source: Source) -> Iterator[BalanceEquation]:
    """The equations of all remittances that do not hold, from line to transaction, in constant memory."""
    return iter_transactions(source, "835", _unbalanced)
