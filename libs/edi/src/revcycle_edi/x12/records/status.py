"""Records of the 276 (claim status inquiry) and the 277 (answer)."""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from revcycle_edi.x12.records.common import Envelope, Name, RawSegment, Reference, StatusCode

ClaimState = Literal[
    "not_found",
    "received",
    "pending",
    "info_requested",
    "rejected",
    "paid",
    "denied",
    "finalized",
    "error",
    "unknown",
]

_STATES: dict[str, ClaimState] = {
    "A4": "not_found",
    "D0": "not_found",
    "A3": "rejected",
    "A6": "rejected",
    "A7": "rejected",
    "A8": "rejected",
    "F1": "paid",
    "F2": "denied",
}
_STATES_BY_LETTER: dict[str, ClaimState] = {
    "A": "received",
    "P": "pending",
    "R": "info_requested",
    "F": "finalized",
    "E": "error",
    "D": "error",
}


class Demographics(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """DMG: date of birth and sex (M, F, U)."""

    birth_date: date | None = None
    sex: str = ""


class LineInquiry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2210 of a 276: one service line of the claim asked about."""

    procedure_code: str
    charge_cents: int
    procedure_qualifier: str = "HC"
    modifiers: tuple[str, ...] = ()
    revenue_code: str = ""
    units: Decimal | None = None
    control_number: str = ""
    service_from: date | None = None
    service_to: date | None = None


class StatusInquiry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One claim asked about (276 loop 2200). trace_number is TRN02, which the 277 echoes.

    claim_id is our CLM01 (REF*EJ), payer_claim_control_number REF*1K. dependent is set when the patient is not the
    subscriber. subscriber.id is the member id (id_qualifier MI), provider.id the NPI (XX), payer.id the payer id (PI).
    """

    trace_number: str
    payer: Name
    receiver: Name
    provider: Name
    subscriber: Name
    subscriber_demographics: Demographics = Demographics()
    dependent: Name | None = None
    dependent_demographics: Demographics = Demographics()
    claim_id: str = ""
    payer_claim_control_number: str = ""
    bill_type: str = ""
    charge_cents: int | None = None
    service_from: date | None = None
    service_to: date | None = None
    references: tuple[Reference, ...] = ()
    lines: tuple[LineInquiry, ...] = ()


class StatusInquiryTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 276."""

    envelope: Envelope
    transaction_control_number: str
    reference: str
    inquiries: tuple[StatusInquiry, ...]


class StatusDetail(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One STC of a 277: up to three codes and the money known so far."""

    codes: tuple[StatusCode, ...]
    effective_date: date | None = None
    charge_cents: int | None = None
    paid_cents: int | None = None
    adjudication_date: date | None = None
    payment_method: str = ""
    payment_date: date | None = None
    trace_number: str = ""
    message: str = ""


class LineStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2220 of a 277: one service line with its statuses."""

    procedure_code: str = ""
    procedure_qualifier: str = "HC"
    modifiers: tuple[str, ...] = ()
    charge_cents: int | None = None
    paid_cents: int | None = None
    revenue_code: str = ""
    units: Decimal | None = None
    statuses: tuple[StatusDetail, ...] = ()
    control_number: str = ""
    service_from: date | None = None
    service_to: date | None = None
    extra_segments: tuple[RawSegment, ...] = ()


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer about one claim (277 loop 2200). trace_number is TRN02 of the inquiry; empty claim_id: not echoed."""

    trace_number: str
    statuses: tuple[StatusDetail, ...]
    payer: Name
    receiver: Name
    provider: Name
    subscriber: Name | None = None
    dependent: Name | None = None
    claim_id: str = ""
    payer_claim_control_number: str = ""
    bill_type: str = ""
    references: tuple[Reference, ...] = ()
    service_from: date | None = None
    service_to: date | None = None
    lines: tuple[LineStatus, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()

    @property
    def state(self) -> ClaimState:
        """What the first category code means for the sender. A definite not_found (A4, D0) permits sending again."""
        category = self.statuses[0].codes[0].category if self.statuses and self.statuses[0].codes else ""
        return _STATES.get(category) or _STATES_BY_LETTER.get(category[:1], "unknown")


class StatusAnswerTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 277 X212."""

    envelope: Envelope
    transaction_control_number: str
    reference: str
    answers: tuple[StatusAnswer, ...]
