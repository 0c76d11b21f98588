"""Writing and reading attachments: the 275 (006020X314) and the 277 request for information (006020X313)."""

import base64
from collections.abc import Iterator, Sequence

from revcycle_edi.x12.ack_build import status_composite
from revcycle_edi.x12.cursor import Cursor, TransactionStart, at_end, iter_transactions, parse_name, parse_status_code
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.hierarchy import Part, in_tree_order, write_name
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.attachment import (
    AttachedDocument,
    AttachmentTransaction,
    InformationRequest,
    InformationRequestTransaction,
)
from revcycle_edi.x12.records.common import Delimiters, Envelope, Name, QualifiedDate, Reference, StatusCode
from revcycle_edi.x12.values import format_date, format_period, parse_date, parse_optional_date, parse_period
from revcycle_edi.x12.writer import TransactionWriter, code, write_references

ATTACHMENT_VERSION = "006020X314"
REQUEST_VERSION = "006020X313"


def build_275(transactions: Sequence[AttachmentTransaction], *, interchange_version: str = "00501") -> bytes:
    """Write attachments of one interchange, one ST per claim; the envelope is that of the first.

    interchange_version is ISA12: the guide says 00602, many partners want 00501. X12Error names what cannot be sent.
    """
    if not transactions:
        raise X12Error("275.write.empty", "there is nothing to send", expected="at least one transaction")
    envelope = transactions[0].envelope
    if envelope.delimiters != Delimiters():
        raise X12Error("275.write.delimiters", "attachments are written with standard delimiters", expected="* : ^ ~")
    out = TransactionWriter(envelope, "PI", ATTACHMENT_VERSION, interchange_version=interchange_version)
    for item in transactions:
        out.open("275", control_number=item.transaction_control_number)
        _write_attachment(out, item)
        out.close()
    return out.finish()


def _write_attachment(out: TransactionWriter, item: AttachmentTransaction) -> None:
    reference = code(item.reference, "reference", 50, required=True)
    out.add("BGN", "11" if item.solicited else "02", reference, format_date(item.created))
    for entity, name in (("PR", item.payer), ("41", item.submitter), ("1P", item.provider), ("QC", item.patient)):
        write_name(out, entity, name)
    out.add("REF", "EJ", code(item.claim_id, "claim_id", 50, required=True))
    write_references(out, item.references)
    if item.service_from is not None:
        out.add("DTP", "472", *format_period(item.service_from, item.service_to))
    for number, document in enumerate(item.documents, 1):
        out.add("LX", str(number))
        out.add("TRN", "2" if item.solicited else "1", code(document.trace_number, "trace_number", 50, required=True))
        for status in document.statuses:
            out.add("STC", status_composite(status))
        write_references(out, document.references)
        out.add("DTP", "368", "D8", format_date(document.submitted))
        out.add("CAT", "AE", code(document.format, "format", 2, required=True))
        out.add("OOI", "1")
        data = base64.b64encode(document.content).decode("ascii")
        out.segments.append(f"BDS*B64*{len(data)}*{data}")


class _Documents:
    """Reads the 2000A loops of a 275."""

    def __init__(self) -> None:
        self.found: list[AttachedDocument] = []

    def read(self, cursor: Cursor) -> None:
        """Read one loop from its LX."""
        trace, format_, content = "", "", b""
        submitted = None
        statuses: list[StatusCode] = []
        references: list[Reference] = []
        while cursor.advance() != "LX" and not at_end(cursor):
            e = cursor.e
            if cursor.id == "TRN":
                trace = e[2]
            elif cursor.id == "DTP" and e[1] == "368":
                submitted = parse_date(e[3])
            elif cursor.id == "CAT":
                format_ = e[2]
            elif cursor.id == "STC":
                statuses.append(parse_status_code(e[1]))
            elif cursor.id == "REF":
                references.append(Reference(e[1], e[2]))
            elif cursor.id in ("BDS", "BIN"):
                content = _content(cursor)
        if submitted is None:
            raise cursor.error("275.date", "an attachment has no submission date", expected="DTP*368")
        self.found.append(
            AttachedDocument(
                trace_number=trace,
                submitted=submitted,
                format=format_,
                content=content,
                statuses=tuple(statuses),
                references=tuple(references),
            )
        )


def _content(cursor: Cursor) -> bytes:
    e = cursor.e
    if cursor.id == "BIN":
        return e[2].encode("latin-1")
    if e[1] != "B64":
        return e[3].encode("latin-1")
    try:
        return base64.b64decode(e[3], validate=True)
    except ValueError:
        raise cursor.error("275.base64", "the data is not base64", expected="base64 as BDS01 B64 says") from None


def _parse_275(cursor: Cursor, start: TransactionStart) -> Iterator[AttachmentTransaction]:
    bgn = cursor.e
    names: dict[str, Name] = {}
    part = Part()
    documents = _Documents()
    while not at_end(cursor):
        if cursor.id == "LX":
            documents.read(cursor)
            continue
        e = cursor.e
        if cursor.id == "NM1":
            names[e[1]] = parse_name(e)
        elif cursor.id == "REF":
            part.references.append(Reference(e[1], e[2]))
        elif cursor.id == "DTP" and e[1] == "472":
            part.dates.append(_period(e))
        cursor.advance()
    served = part.dates[0] if part.dates else None
    yield AttachmentTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        solicited=bgn[1] == "11",
        reference=bgn[2],
        created=parse_date(bgn[3]),
        payer=names.get("PR", Name()),
        submitter=names.get("41", Name()),
        provider=names.get("1P", Name()),
        patient=names.get("QC", Name()),
        claim_id=part.take_reference("EJ"),
        references=tuple(part.references),
        service_from=served.start if served else None,
        service_to=served.end if served else None,
        documents=tuple(documents.found),
    )


def _period(e: list[str]) -> QualifiedDate:
    return QualifiedDate(e[1], *parse_period(e[2], e[3]))


def parse_275(data: Source) -> list[AttachmentTransaction]:
    """Every attachment transaction of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "275", _parse_275))


def build_277rfai(envelope: Envelope, reference: str, requests: Sequence[InformationRequest]) -> bytes:
    """Write requests for information as one 277. X12Error names the field that cannot be sent."""
    if not requests:
        raise X12Error("277rfai.write.empty", "there is nothing to ask", expected="at least one request")
    out = TransactionWriter(envelope, "HN", REQUEST_VERSION)
    out.open("277")
    at = envelope.created_at
    out.add("BHT", "0085", "48", code(reference, "reference", 50, required=True), f"{at:%Y%m%d}", f"{at:%H%M}", "RQ")
    levels: dict[tuple[Name, ...], int] = {}
    for request in in_tree_order(requests, lambda r: (r.payer, r.receiver, r.provider)):
        payer, receiver = (request.payer,), (request.payer, request.receiver)
        if payer not in levels:
            levels[payer] = out.level("20", child=True)
            write_name(out, "PR", request.payer)
        if receiver not in levels:
            levels[receiver] = out.level("21", parent=levels[payer], child=True)
            write_name(out, "41", request.receiver)
        provider = (request.payer, request.receiver, request.provider)
        if provider not in levels:
            levels[provider] = out.level("19", parent=levels[receiver], child=True)
            write_name(out, "1P", request.provider)
        out.level("PT", parent=levels[provider], child=False)
        write_name(out, "QC", request.patient)
        _write_request(out, request)
    out.close()
    return out.finish()


def _write_request(out: TransactionWriter, request: InformationRequest) -> None:
    out.add("TRN", "1", code(request.trace_number, "trace_number", 50, required=True))
    day = format_date(request.status_date) if request.status_date else ""
    for first in range(0, len(request.codes), 3):
        codes = [status_composite(c) for c in request.codes[first : first + 3]] + ["", ""]
        out.add("STC", codes[0], day, *[""] * 7, codes[1], codes[2])
    for qualifier, value in (("1K", request.payer_claim_control_number), ("EJ", request.claim_id)):
        if value:
            out.add("REF", qualifier, code(value, f"REF*{qualifier}", 50))
    write_references(out, request.references)
    if request.service_from is not None:
        out.add("DTP", "472", *format_period(request.service_from, request.service_to))
    if request.due_date is not None:
        out.add("DTP", "106", "D8", format_date(request.due_date))
    out.raw(request.extra_segments)


def _request(cursor: Cursor, names: dict[str, Name]) -> InformationRequest:
    trace = cursor.e[2]
    cursor.advance()
    part = Part()
    part.read(cursor, frozenset(("TRN",)))
    codes: list[StatusCode] = []
    status_date = None
    for raw in [raw for raw in part.extra if raw[0] == "STC"]:
        e = [*raw, *[""] * 13]
        status_date = parse_optional_date(e[2])
        codes += [parse_status_code(text) for text in (e[1], e[10], e[11]) if text]
    served, due = part.take_date("472"), part.take_date("106")
    return InformationRequest(
        trace_number=trace,
        codes=tuple(codes),
        payer=names.get("20", Name()),
        receiver=names.get("21", Name()),
        provider=names.get("19", Name()),
        patient=names.get("PT", Name()),
        status_date=status_date,
        due_date=due.start if due else None,
        claim_id=part.take_reference("EJ"),
        payer_claim_control_number=part.take_reference("1K"),
        references=tuple(part.references),
        service_from=served.start if served else None,
        service_to=served.end if served else None,
        extra_segments=tuple(raw for raw in part.extra if raw[0] != "STC"),
    )


def _parse_277(cursor: Cursor, start: TransactionStart) -> Iterator[InformationRequestTransaction]:
    reference = cursor.e[3]
    names: dict[str, Name] = {}
    requests: list[InformationRequest] = []
    level = ""
    while not at_end(cursor):
        if cursor.id == "TRN":
            requests.append(_request(cursor, names))
            continue
        if cursor.id == "HL":
            level = "PT" if cursor.e[3] == "22" else cursor.e[3]
        elif cursor.id == "NM1":
            names[level] = parse_name(cursor.e)
        cursor.advance()
    yield InformationRequestTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        reference=reference,
        requests=tuple(requests),
    )


def parse_277rfai(data: Source) -> list[InformationRequestTransaction]:
    """Every request for information (X313, X213) of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "277", _parse_277, versions=("006020X313", "005010X213")))
