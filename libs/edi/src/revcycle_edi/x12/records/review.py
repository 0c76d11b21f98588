"""Records of the 278 (005010X217): authorization requests and their answers."""

from decimal import Decimal

import msgspec

from revcycle_edi.x12.records.common import Envelope, Name, QualifiedDate, RawSegment
from revcycle_edi.x12.records.eligibility import Refusal
from revcycle_edi.x12.records.status import Demographics


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """HCR. action: A1 certified, A2 partly, A3 not certified, A4 pended, A6 modified, C cancelled, CT contact payer."""

    action: str
    authorization_number: str = ""
    reason: str = ""


class ReviewService(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One service asked for (level SS)."""

    procedure_code: str
    procedure_qualifier: str = "HC"
    modifiers: tuple[str, ...] = ()
    charge_cents: int | None = None
    unit_code: str = ""
    units: Decimal | None = None
    dates: tuple[QualifiedDate, ...] = ()
    decision: Decision | None = None
    refusals: tuple[Refusal, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class Review(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One patient event: the request, and in an answer the decision.

    category is UM01 (HS services, AR admission, SC specialty care), certification_type UM02 (I initial, ...),
    place_of_service the code of UM04 with qualifier B. diagnoses are HI composites as (qualifier, code).
    """

    payer: Name
    requester: Name
    subscriber: Name
    subscriber_demographics: Demographics = Demographics()
    dependent: Name | None = None
    dependent_demographics: Demographics = Demographics()
    trace_number: str = ""
    trace_company: str = ""
    category: str
    certification_type: str = ""
    service_type: str = ""
    place_of_service: str = ""
    decision: Decision | None = None
    refusals: tuple[Refusal, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    diagnoses: tuple[tuple[str, str], ...] = ()
    services: tuple[ReviewService, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class ReviewTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 278. purpose is BHT02: 13 request, 11 answer, 01 cancellation, 36 reply."""

    envelope: Envelope
    transaction_control_number: str
    purpose: str
    reference: str
    reviews: tuple[Review, ...]
