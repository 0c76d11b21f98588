"""Writing acknowledgments: TA1, 999, 277CA, and the 277 that answers a status inquiry."""

from collections.abc import Sequence

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.acknowledgment import (
    ClaimAcknowledgment,
    ClaimAcknowledgmentReport,
    ClaimStatus,
    ElementError,
    ImplementationAcknowledgment,
    InterchangeAcknowledgment,
    LineAcknowledgment,
    ProviderAcknowledgment,
    SegmentError,
    TransactionAcknowledgment,
)
from revcycle_edi.x12.records.common import Name, StatusCode
from revcycle_edi.x12.t837_write import write_person
from revcycle_edi.x12.values import format_cents, format_date, format_period
from revcycle_edi.x12.writer import (
    TransactionWriter,
    assemble,
    cents_text,
    clean_text,
    code,
    composite,
    interchange_header,
    quantity_text,
    write_references,
)


def build_ta1(acknowledgments: Sequence[InterchangeAcknowledgment]) -> bytes:
    """Write TA1 segments in an interchange of their own, without a group; the envelope is that of the first."""
    if not acknowledgments:
        raise X12Error("ta1.write.empty", "there is nothing to acknowledge", expected="at least one acknowledgment")
    envelope = acknowledgments[0].envelope
    segments = [interchange_header(envelope)]
    for item in acknowledgments:
        at = item.interchange_at
        note = code(item.note_code, "note_code", 3, required=True)
        segments.append(f"TA1*{item.control_number:09d}*{at:%y%m%d}*{at:%H%M}*{item.code}*{note}")
    segments.append(f"IEA*0*{envelope.control_number:09d}")
    return assemble(segments, envelope.delimiters)


def build_999(acknowledgments: Sequence[ImplementationAcknowledgment]) -> bytes:
    """Write 999s of one interchange, one ST per acknowledged group; the envelope is that of the first."""
    if not acknowledgments:
        raise X12Error("999.write.empty", "there is nothing to acknowledge", expected="at least one acknowledgment")
    out = TransactionWriter(acknowledgments[0].envelope, "FA", "005010X231A1")
    for item in acknowledgments:
        out.open("999", control_number=item.transaction_control_number)
        version = code(item.version, "version", 12)
        out.add(
            "AK1", code(item.functional_id, "functional_id", 2, required=True), str(item.group_control_number), version
        )
        for transaction in item.transactions:
            _write_transaction(out, transaction)
        counts = [str(n) for n in (item.included, item.received, item.accepted_count)]
        out.add("AK9", item.code, *counts, *[code(c, "AK905", 3) for c in item.error_codes[:5]])
        out.close()
    return out.finish()


def _write_transaction(out: TransactionWriter, item: TransactionAcknowledgment) -> None:
    control = code(item.control_number, "transaction control number", 9, required=True)
    out.add("AK2", item.transaction_type, control, code(item.version, "version", 35))
    for error in item.segment_errors:
        _write_segment_error(out, error)
    if item.code:
        out.add("IK5", item.code, *[code(c, "IK502", 3) for c in item.error_codes[:5]])


def _write_segment_error(out: TransactionWriter, error: SegmentError) -> None:
    out.add("IK3", code(error.segment, "IK301", 3, required=True), str(error.position), error.loop[:4], error.code)
    for context in error.contexts:
        out.add("CTX", *context)
    for element in error.element_errors:
        _write_element_error(out, element)


def _write_element_error(out: TransactionWriter, error: ElementError) -> None:
    place = composite(str(error.element), *(str(n) if n else "" for n in (error.component, error.repetition)))
    out.add("IK4", place, error.reference_number, error.code, clean_text(error.bad_value, 99))
    for context in error.contexts:
        out.add("CTX", *context)


def status_composite(status: StatusCode) -> str:
    """An STC composite."""
    category = code(status.category, "status category", 30, required=True)
    return composite(category, code(status.status, "status code", 30), status.entity, status.code_list)


def _write_stc(out: TransactionWriter, status: ClaimStatus) -> None:
    codes = [status_composite(c) for c in status.codes[:3]] + ["", "", ""]
    day = format_date(status.effective_date) if status.effective_date else ""
    charge = cents_text(status.charge_cents)
    out.add("STC", codes[0], day, status.action, charge, *[""] * 5, codes[1], codes[2], clean_text(status.message, 264))


def _write_name(out: TransactionWriter, entity: str, name: Name) -> None:
    write_person(out, entity, name.entity_type or "1", name.last_name, name, name.id_qualifier, name.id)


def _write_totals(
    out: TransactionWriter, item: ClaimAcknowledgmentReport | ProviderAcknowledgment, accepted: str, rejected: str
) -> None:
    for qualifier, count in ((accepted, item.accepted_count), (rejected, item.rejected_count)):
        if count is not None:
            out.add("QTY", qualifier, str(count))
    for qualifier, cents in (("YU", item.accepted_cents), ("YY", item.rejected_cents)):
        if cents is not None:
            out.add("AMT", qualifier, format_cents(cents))


def build_277ca(reports: Sequence[ClaimAcknowledgmentReport]) -> bytes:
    """Write 277CAs of one interchange, one ST per acknowledged batch; the envelope is that of the first."""
    if not reports:
        raise X12Error("277ca.write.empty", "there is nothing to acknowledge", expected="at least one report")
    out = TransactionWriter(reports[0].envelope, "HN", "005010X214")
    for report in reports:
        out.open("277", control_number=report.transaction_control_number)
        _write_report(out, report)
        out.close()
    return out.finish()


def _write_report(out: TransactionWriter, report: ClaimAcknowledgmentReport) -> None:
    at = report.envelope.created_at
    reference = code(report.reference, "reference", 50, required=True)
    out.add("BHT", "0085", "08", reference, f"{at:%Y%m%d}", f"{at:%H%M}", "TH")
    source = out.level("20", child=True)
    _write_name(out, report.source_entity, report.source)
    out.add("TRN", "1", code(report.source_trace, "source_trace", 50, required=True))
    for qualifier, day in (("050", report.received_date), ("009", report.processed_date)):
        if day is not None:
            out.add("DTP", qualifier, "D8", format_date(day))
    receiver = out.level("21", parent=source, child=bool(report.providers or report.claims))
    _write_name(out, "41", report.receiver)
    out.add("TRN", "2", code(report.batch_reference, "batch_reference", 50, required=True))
    for status in report.batch_statuses:
        _write_stc(out, status)
    _write_totals(out, report, "90", "AA")
    _write_providers(out, report, receiver)


def _write_providers(out: TransactionWriter, report: ClaimAcknowledgmentReport, receiver: int) -> None:
    details = {item.provider: item for item in report.providers}
    claims: dict[Name, list[ClaimAcknowledgment]] = {item.provider: [] for item in report.providers}
    for claim in report.claims:
        claims.setdefault(claim.provider or Name(), []).append(claim)
    for provider, own in claims.items():
        level = out.level("19", parent=receiver, child=bool(own))
        _write_name(out, "85", provider)
        detail = details.get(provider)
        if detail is not None and (detail.trace_number or detail.statuses):
            out.add("TRN", "1", code(detail.trace_number, "provider trace", 50, required=True))
            for status in detail.statuses:
                _write_stc(out, status)
            write_references(out, detail.references)
            _write_totals(out, detail, "QA", "QC")
        for claim in own:
            out.level("PT", parent=level, child=False)
            _write_name(out, "QC", claim.patient or Name())
            _write_claim(out, claim)


def _write_claim(out: TransactionWriter, claim: ClaimAcknowledgment) -> None:
    out.add("TRN", "2", code(claim.claim_id, "claim_id", 50, required=True))
    for status in claim.statuses:
        _write_stc(out, status)
    for qualifier, value in (("1K", claim.payer_claim_control_number), ("D9", claim.clearinghouse_number)):
        if value:
            out.add("REF", qualifier, code(value, f"REF*{qualifier}", 50))
    write_references(out, claim.references)
    if claim.service_from is not None:
        out.add("DTP", "472", *format_period(claim.service_from, claim.service_to))
    for line in claim.lines:
        _write_line(out, line)


def _write_line(out: TransactionWriter, line: LineAcknowledgment) -> None:
    procedure = composite(line.procedure_qualifier, code(line.procedure_code, "procedure_code", 48), *line.modifiers)
    revenue = code(line.revenue_code, "revenue_code", 48)
    out.add("SVC", procedure, cents_text(line.charge_cents), "", revenue, "", "", quantity_text(line.units))
    for status in line.statuses:
        _write_stc(out, status)
    if line.control_number:
        out.add("REF", "FJ", code(line.control_number, "line control number", 50))
    write_references(out, line.references)
    if line.service_from is not None:
        out.add("DTP", "472", *format_period(line.service_from, line.service_to))
