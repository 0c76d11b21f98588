"""Writing the 835 (005010X221A1)."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.outlines835 import claim_payment
from revcycle_edi.x12.records.common import Name, QualifiedAmount, QualifiedQuantity, RawSegment
from revcycle_edi.x12.records.remittance import (
    BankAccount,
    ProviderAdjustment,
    Remittance,
    RemittanceClaim,
    RemittanceLine,
    RemittanceParty,
)
from revcycle_edi.x12.t837_write import write_person
from revcycle_edi.x12.values import format_cents, format_date, format_quantity
from revcycle_edi.x12.writer import (
    TransactionWriter,
    cents_text,
    clean_text,
    code,
    composite,
    quantity_text,
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
    for remittance in remittances:
        out.open("835", with_version=False, control_number=remittance.transaction_control_number)
        _write_head(out, remittance)
        _write_claims(out, remittance)
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


def _write_claims(out: TransactionWriter, remittance: Remittance) -> None:
    """Loops 2000 and 2100: claims with the LX each stands under; summaries follow their LX."""
    summaries: dict[str, list[RawSegment]] = {}
    for number, raw in remittance.provider_summaries:
        summaries.setdefault(number, []).append(raw)
    open_number = ""
    for number, run in groupby(remittance.claims, lambda claim: claim.assigned_number):
        if number != open_number:
            open_number = number
            out.add("LX", code(number, "assigned_number", 6, required=True))
            out.raw(summaries.pop(number, []))
        out.outlined(claim_payment(), list(run), lambda claim: _write_claim(out, claim))
    for number, raws in summaries.items():  # A summary may stand under an LX that has no claim.
        out.add("LX", code(number, "assigned_number", 6, required=True))
        out.raw(raws)


def _write_claim(out: TransactionWriter, claim: RemittanceClaim) -> None:
    out.add(
        "CLP",
        code(claim.claim_id, "claim_id (CLP01)", 38, required=True),
        code(claim.status_code, "status_code", 2, required=True),
        format_cents(claim.charge_cents),
        format_cents(claim.paid_cents),
        cents_text(claim.patient_responsibility_cents),
        code(claim.filing_code, "filing_code", 2),
        code(claim.payer_claim_control_number, "payer_claim_control_number", 50),
        code(claim.facility_code, "facility_code", 2),
        code(claim.frequency_code, "frequency_code", 1),
        "",
        code(claim.drg_code, "drg_code", 4),
        quantity_text(claim.drg_weight),
        quantity_text(claim.discharge_fraction),
    )
    write_adjustments(out, claim.adjustments)
    if claim.patient is not None:
        _write_name(out, "QC", claim.patient)
    if claim.insured is not None:
        _write_name(out, "IL", claim.insured)
    for entity, name in claim.names:
        _write_name(out, code(entity, "entity code", 3, required=True), name)
    out.raw([raw for raw in (claim.inpatient_remarks, claim.outpatient_remarks) if raw])
    write_references(out, claim.references)
    dates = (("232", claim.statement_from), ("233", claim.statement_to), ("050", claim.received_date))
    for qualifier, day in dates:
        _write_date(out, qualifier, day)
    for item in claim.dates:
        _write_date(out, code(item.qualifier, "DTM01", 3, required=True), item.start)
    for contact in claim.contacts:
        write_contact(out, contact)
    _write_amounts(out, claim.amounts, claim.quantities)
    for line in claim.lines:
        _write_line(out, line)
    out.raw(claim.extra_segments)


def _write_date(out: TransactionWriter, qualifier: str, day: date | None) -> None:
    if day is not None:
        out.add("DTM", qualifier, format_date(day))


def _write_name(out: TransactionWriter, entity: str, name: Name) -> None:
    write_person(out, entity, name.entity_type, name.last_name, name, name.id_qualifier, name.id)


def _write_amounts(
    out: TransactionWriter, amounts: Sequence[QualifiedAmount], quantities: Sequence[QualifiedQuantity]
) -> None:
    for amount in amounts:
        out.add("AMT", code(amount.qualifier, "AMT01", 3, required=True), format_cents(amount.cents))
    for quantity in quantities:
        out.add("QTY", code(quantity.qualifier, "QTY01", 2, required=True), format_quantity(quantity.quantity))


def _write_line(out: TransactionWriter, line: RemittanceLine) -> None:
    out.add(
        "SVC",
        _procedure(line),
        format_cents(line.charge_cents),
        format_cents(line.paid_cents),
        code(line.revenue_code, "revenue_code", 48),
        quantity_text(line.units_paid),
        composite(*[code(part, "submitted procedure", 80) for part in line.submitted]),
        quantity_text(line.submitted_units),
    )
    if line.service_to is None:
        _write_date(out, "472", line.service_from)
    elif line.service_from is not None:
        _write_date(out, "150", line.service_from)
        _write_date(out, "151", line.service_to)
    write_adjustments(out, line.adjustments)
    if line.control_number:
        out.add("REF", "6R", code(line.control_number, "line control number", 50))
    write_references(out, line.references)
    _write_amounts(out, line.amounts, line.quantities)
    for qualifier, remarks in (("HE", line.remark_codes), ("RX", line.drug_remark_codes)):
        for remark in remarks:
            out.add("LQ", qualifier, code(remark, "remark code", 30, required=True))
    out.raw(line.extra_segments)


def _procedure(line: RemittanceLine) -> str:
    parts = [code(modifier, "modifier", 2) for modifier in line.modifiers]
    description = clean_text(line.description, 80)
    if description:
        parts += [""] * (4 - len(parts))
    return composite(line.procedure_qualifier, code(line.procedure_code, "procedure_code", 48), *parts, description)


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
