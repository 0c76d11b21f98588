"""Writing the 835 (005010X221A1)."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Table
from revcycle_edi.x12.outlines835 import CLAIM_PAYMENT
from revcycle_edi.x12.records.common import Name, QualifiedAmount, QualifiedQuantity, RawSegment
from revcycle_edi.x12.records.remittance import (
    BankAccount,
    ProviderAdjustment,
    Remittance,
    RemittanceClaim,
    RemittanceLine,
    RemittanceParty,
)
from revcycle_edi.x12.values import format_cents, format_date, format_quantity
from revcycle_edi.x12.writer import (
    TransactionWriter,
    clean_text,
    code,
    codes,
    composite,
    quantity_text,
    words,
    write_address,
    write_adjustments,
    write_contact,
    write_references,
)


def build_835(remittances: Sequence[Remittance]) -> bytes:
    """Write remittances of one interchange, one ST each; the envelope is that of the first.

    X12Error names the field that cannot be sent. Nothing is balanced here: use balance_835 first.
    """
    if not remittances:
        raise X12Error("835.write.empty", "there is no remittance to send", expected="at least one remittance")
    out = TransactionWriter(remittances[0].envelope, "HP", "005010X221A1")
    writer = _ClaimWriter(out)
    for remittance in remittances:
        out.open("835", with_version=False, control_number=remittance.transaction_control_number)
        _write_head(out, remittance)
        writer.claims(remittance)
        _write_provider_adjustments(out, remittance.provider_adjustments)
        out.close()
    return out.finish()


def _account(account: BankAccount | None) -> list[str]:
    if account is None:
        return ["", "", "", ""]
    return [
        account.routing_qualifier,
        code(account.routing_number, "routing number", 12),
        account.account_qualifier,
        code(account.account_number, "account number", 35),
    ]


def _write_head(out: TransactionWriter, remittance: Remittance) -> None:
    paid = -remittance.paid_cents if remittance.credit_debit == "D" else remittance.paid_cents
    out.add(
        "BPR",
        code(remittance.handling_code, "handling_code", 2, required=True),
        format_cents(paid),
        remittance.credit_debit,
        code(remittance.payment_method, "payment_method", 3, required=True),
        code(remittance.payment_format, "payment_format", 10),
        *_account(remittance.payer_account),
        code(remittance.originating_company_id, "originating_company_id", 10),
        code(remittance.originating_company_supplement, "originating_company_supplement", 9),
        *_account(remittance.payee_account),
        format_date(remittance.payment_date),
    )
    trace = code(remittance.trace_number, "trace_number", 50, required=True)
    payer_id = code(remittance.payer_trace_id, "payer_trace_id", 10)
    out.add("TRN", "1", trace, payer_id, code(remittance.trace_supplement, "trace_supplement", 50))
    out.raw([remittance.currency] if remittance.currency else [])
    if remittance.receiver_id:
        out.add("REF", "EV", code(remittance.receiver_id, "receiver_id", 50))
    if remittance.system_version:
        out.add("REF", "F2", code(remittance.system_version, "system_version", 50))
    if remittance.production_date is not None:
        out.add("DTM", "405", format_date(remittance.production_date))
    _write_party(out, "PR", remittance.payer)
    _write_party(out, "PE", remittance.payee)
    out.raw(remittance.extra_segments)


def _write_party(out: TransactionWriter, entity: str, party: RemittanceParty) -> None:
    identifier = code(party.id, f"N1*{entity} identifier", 80)
    out.add("N1", entity, clean_text(party.name, 60), party.id_qualifier if identifier else "", identifier)
    write_address(out, party.address)
    write_references(out, party.references)
    for contact in party.contacts:
        write_contact(out, contact)
    out.raw(party.extra_segments)


class _ClaimWriter:
    """Loops 2100 and 2110. Texts of what repeats from claim to claim are kept while one input is written."""

    def __init__(self, out: TransactionWriter) -> None:
        self._out = out
        self._statuses = codes("status_code", 2, required=True)
        self._filings = codes("filing_code", 2)
        self._entities = codes("entity code", 3, required=True)
        self._amount_codes = codes("AMT01", 3, required=True)
        self._tails = Table(_claim_tail)
        self._procedures = Table(_procedure)
        self._line_tails = Table(_line_tail)
        self._last, self._first, self._middle, self._suffix = words(60), words(35), words(25), words(10)

    def claims(self, remittance: Remittance) -> None:
        """Claims with the LX each stands under; summaries follow their LX."""
        summaries: dict[str, list[RawSegment]] = {}
        for number, raw in remittance.provider_summaries:
            summaries.setdefault(number, []).append(raw)
        open_number = ""
        for number, run in groupby(remittance.claims, lambda claim: claim.assigned_number):
            if number != open_number:
                open_number = number
                self._out.add("LX", code(number, "assigned_number", 6, required=True))
                self._out.raw(summaries.pop(number, []))
            self._out.outlined(CLAIM_PAYMENT, list(run), self._claim)

    def _claim(self, claim: RemittanceClaim) -> None:
        self._head(claim)
        for line in claim.lines:
            self._line(line)
        if claim.extra_segments:
            self._out.raw(claim.extra_segments)

    def _head(self, claim: RemittanceClaim) -> None:
        out, add = self._out, self._out.segments.append
        share = claim.patient_responsibility_cents
        tail = self._tails[
            (claim.facility_code, claim.frequency_code, claim.drg_code, claim.drg_weight, claim.discharge_fraction)
        ]
        add(
            f"CLP*{code(claim.claim_id, 'claim_id (CLP01)', 38, required=True)}*{self._statuses[claim.status_code]}"
            f"*{format_cents(claim.charge_cents)}*{format_cents(claim.paid_cents)}"
            f"*{'' if share is None else format_cents(share)}*{self._filings[claim.filing_code]}"
            f"*{code(claim.payer_claim_control_number, 'payer_claim_control_number', 50)}{tail}".rstrip("*")
        )
        if claim.adjustments:
            write_adjustments(out, claim.adjustments)
        if claim.patient is not None:
            self._name("QC", claim.patient)
        if claim.insured is not None:
            self._name("IL", claim.insured)
        for entity, name in claim.names:
            self._name(self._entities[entity], name)
        out.raw([raw for raw in (claim.inpatient_remarks, claim.outpatient_remarks) if raw])
        if claim.references:
            write_references(out, claim.references)
        self._dates(claim)
        for contact in claim.contacts:
            write_contact(out, contact)
        self._amounts(claim.amounts, claim.quantities)

    def _dates(self, claim: RemittanceClaim) -> None:
        add = self._out.segments.append
        start, end, received = claim.statement_from, claim.statement_to, claim.received_date
        if start is not None:
            add(f"DTM*232*{format_date(start)}")
        if end is not None:
            add(f"DTM*233*{format_date(end)}")
        if received is not None:
            add(f"DTM*050*{format_date(received)}")
        for item in claim.dates:
            add(f"DTM*{code(item.qualifier, 'DTM01', 3, required=True)}*{format_date(item.start)}")

    def _name(self, entity: str, name: Name) -> None:
        identifier = name.id
        if not (identifier.isalnum() and identifier.isascii() and len(identifier) <= 80):
            identifier = code(identifier, f"NM1*{entity} identifier", 80)
        qualifier = name.id_qualifier if identifier else ""
        last = self._last[name.last_name]
        if name.entity_type == "2":
            text = f"NM1*{entity}*2*{last}*****{qualifier}*{identifier}"
        else:
            text = (
                f"NM1*{entity}*1*{last}*{self._first[name.first_name]}*{self._middle[name.middle_name]}"
                f"**{self._suffix[name.suffix]}*{qualifier}*{identifier}"
            )
        self._out.segments.append(text.rstrip("*"))

    def _amounts(self, amounts: Sequence[QualifiedAmount], quantities: Sequence[QualifiedQuantity]) -> None:
        add = self._out.segments.append
        for amount in amounts:
            add(f"AMT*{self._amount_codes[amount.qualifier]}*{format_cents(amount.cents)}")
        for quantity in quantities:
            self._out.add(
                "QTY", code(quantity.qualifier, "QTY01", 2, required=True), format_quantity(quantity.quantity)
            )

    def _line(self, line: RemittanceLine) -> None:
        out, add = self._out, self._out.segments.append
        procedure = self._procedures[(line.procedure_qualifier, line.procedure_code, line.modifiers, line.description)]
        tail = self._line_tails[(line.revenue_code, line.units_paid, line.submitted, line.submitted_units)]
        add(f"SVC*{procedure}*{format_cents(line.charge_cents)}*{format_cents(line.paid_cents)}{tail}")
        start, end = line.service_from, line.service_to
        if start is not None:
            if end is None:
                add(f"DTM*472*{format_date(start)}")
            else:
                add(f"DTM*150*{format_date(start)}")
                add(f"DTM*151*{format_date(end)}")
        if line.adjustments:
            write_adjustments(out, line.adjustments)
        if line.control_number:
            add(f"REF*6R*{code(line.control_number, 'line control number', 50)}")
        if line.references:
            write_references(out, line.references)
        if line.amounts or line.quantities:
            self._amounts(line.amounts, line.quantities)
        for remark in line.remark_codes:
            add(f"LQ*HE*{code(remark, 'remark code', 30, required=True)}")
        for remark in line.drug_remark_codes:
            add(f"LQ*RX*{code(remark, 'remark code', 30, required=True)}")
        if line.extra_segments:
            out.raw(line.extra_segments)


def _claim_tail(key: tuple[str, str, str, Decimal | None, Decimal | None]) -> str:
    """CLP from the eighth element on."""
    facility, frequency, drg, weight, fraction = key
    elements = [
        "",
        code(facility, "facility_code", 2),
        code(frequency, "frequency_code", 1),
        "",
        code(drg, "drg_code", 4),
    ]
    return "*".join([*elements, quantity_text(weight), quantity_text(fraction)]).rstrip("*")


def _procedure(key: tuple[str, str, tuple[str, ...], str]) -> str:
    qualifier, procedure, modifiers, text = key
    parts = [code(modifier, "modifier", 2) for modifier in modifiers]
    description = clean_text(text, 80)
    if description:
        parts += [""] * (4 - len(parts))
    return composite(qualifier, code(procedure, "procedure_code", 48), *parts, description)


def _line_tail(key: tuple[str, Decimal | None, tuple[str, ...], Decimal | None]) -> str:
    """SVC from the fourth element on."""
    revenue, units, submitted, submitted_units = key
    other = composite(*[code(part, "submitted procedure", 80) for part in submitted])
    elements = ["", code(revenue, "revenue_code", 48), quantity_text(units), other, quantity_text(submitted_units)]
    return "*".join(elements).rstrip("*")


def _write_provider_adjustments(out: TransactionWriter, adjustments: Sequence[ProviderAdjustment]) -> None:
    """PLB segments: neighbours of the same provider and period share one, at most six pairs each."""
    run: list[ProviderAdjustment] = []
    for item in adjustments:
        if run and (
            len(run) == 6
            or (item.provider_id, item.fiscal_period_end) != (run[0].provider_id, run[0].fiscal_period_end)
        ):
            _write_plb(out, run)
            run = []
        run.append(item)
    if run:
        _write_plb(out, run)


def _write_plb(out: TransactionWriter, run: Sequence[ProviderAdjustment]) -> None:
    elements = [
        "PLB",
        code(run[0].provider_id, "provider_id", 50, required=True),
        format_date(run[0].fiscal_period_end),
    ]
    for item in run:
        reason = code(item.reason_code, "PLB reason", 2, required=True)
        elements += [composite(reason, code(item.reference, "PLB reference", 50)), format_cents(item.amount_cents)]
    out.add(*elements)
