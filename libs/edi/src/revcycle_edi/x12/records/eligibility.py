"""Records of the 270 (eligibility inquiry) and the 271 (answer)."""

from decimal import Decimal

import msgspec

from revcycle_edi.x12.records.common import Envelope, Name, QualifiedDate, RawSegment, Reference
from revcycle_edi.x12.records.status import Demographics


class EligibilityInquiry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One person asked about. trace_number is echoed by the answer, trace_company is 9 or 1 and a tax id.

    subscriber.id is the member id; dependent is set when the patient is not the subscriber. procedure, when set,
    is (qualifier, code, modifiers...) and asks about one procedure instead of service types.
    """

    trace_number: str
    trace_company: str
    payer: Name
    provider: Name
    subscriber: Name
    subscriber_demographics: Demographics = Demographics()
    dependent: Name | None = None
    dependent_demographics: Demographics = Demographics()
    service_type_codes: tuple[str, ...] = ("30",)
    procedure: tuple[str, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    references: tuple[Reference, ...] = ()


class EligibilityInquiryTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 270."""

    envelope: Envelope
    transaction_control_number: str
    reference: str
    inquiries: tuple[EligibilityInquiry, ...]


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """AAA: why there is no (full) answer. reason_code such as 72 (invalid member id), 42 (payer down)."""

    valid: bool
    reason_code: str
    follow_up: str

    @property
    def retry(self) -> bool:
        """Ask again later without changes; everything else needs a correction first."""
        return self.follow_up in ("R", "P")


class Benefit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """EB with what belongs to it. information_code: 1 active, 6 inactive, A coinsurance, B copay, C deductible, ...

    percent is a fraction (0.2 is 20 %). authorization_required and in_network are Y, N, U or W as sent. messages can
    change the meaning of everything else.
    """

    information_code: str
    coverage_level: str = ""
    service_type_codes: tuple[str, ...] = ()
    insurance_type: str = ""
    plan: str = ""
    period: str = ""
    amount_cents: int | None = None
    percent: Decimal | None = None
    quantity_qualifier: str = ""
    quantity: Decimal | None = None
    authorization_required: str = ""
    in_network: str = ""
    procedure: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    messages: tuple[str, ...] = ()
    entities: tuple[tuple[str, Name], ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()


class EligibilityAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer about one person. refusals of every level above and at the person are collected."""

    trace_number: str
    trace_company: str = ""
    payer: Name
    provider: Name
    subscriber: Name
    subscriber_demographics: Demographics = Demographics()
    dependent: Name | None = None
    dependent_demographics: Demographics = Demographics()
    refusals: tuple[Refusal, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    references: tuple[Reference, ...] = ()
    benefits: tuple[Benefit, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()

    @property
    def active(self) -> bool | None:
        """Coverage in force (EB01 1-5), not in force (6-8), or None when the answer does not say."""
        codes = {benefit.information_code for benefit in self.benefits}
        if codes & {"1", "2", "3", "4", "5"}:
            return True
        return False if codes & {"6", "7", "8"} else None


class EligibilityAnswerTransaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of a 271."""

    envelope: Envelope
    transaction_control_number: str
    reference: str
    answers: tuple[EligibilityAnswer, ...]
