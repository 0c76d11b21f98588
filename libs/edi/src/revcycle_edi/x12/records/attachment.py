"""Records of the 275 (attachments) and the 277 RFAI (a payer's request for them)."""

from datetime import date

import msgspec

from revcycle_edi.x12.records.common import Envelope, Name, RawSegment, Reference, StatusCode


class AttachedDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One document. trace_number is the PWK06 of the claim (unsolicited) or TRN02 of the request (solicited).

    format is CAT02 (HL for a C-CDA, TX text, IA image, ...). content is the document itself; it travels as base64.
    """

    trace_number: str
    submitted: date
    format: str
    content: bytes
    statuses: tuple[StatusCode, ...] = ()
    references: tuple[Reference, ...] = ()


class AttachmentTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 275: the documents of one claim. solicited answers a request (BGN01 11), else it came unasked."""

    envelope: Envelope
    transaction_control_number: str = "0001"
    solicited: bool = False
    reference: str
    created: date
    payer: Name
    submitter: Name
    provider: Name
    patient: Name
    claim_id: str
    references: tuple[Reference, ...] = ()
    service_from: date | None = None
    service_to: date | None = None
    documents: tuple[AttachedDocument, ...]


class InformationRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One claim a payer wants documents for. trace_number is what the 275 echoes; codes name the documents (LOINC)."""

    trace_number: str
    codes: tuple[StatusCode, ...]
    payer: Name
    receiver: Name
    provider: Name
    patient: Name
    status_date: date | None = None
    due_date: date | None = None
    claim_id: str = ""
    payer_claim_control_number: str = ""
    references: tuple[Reference, ...] = ()
    service_from: date | None = None
    service_to: date | None = None
    extra_segments: tuple[RawSegment, ...] = ()


class InformationRequestTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 277 RFAI."""

    envelope: Envelope
    transaction_control_number: str
    reference: str
    requests: tuple[InformationRequest, ...]
