"""Records of the acknowledgments: TA1, 999 and 277CA."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from revcycle_edi.x12.records.common import Envelope, Name, Reference, StatusCode


class InterchangeAcknowledgment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """TA1. control_number and interchange_at are those of the acknowledged interchange; note_code `000`: no error."""

    envelope: Envelope
    control_number: int
    interchange_at: datetime
    code: Literal["A", "E", "R"]
    note_code: str

    @property
    def accepted(self) -> bool:
        """Accepted, with or without errors."""
        return self.code in ("A", "E")


class ElementError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """IK4. element, component and repetition count from 1, 0 where not sent.

    bad_value may identify a patient: never log it.
    """

    element: int
    component: int = 0
    repetition: int = 0
    reference_number: str = ""
    code: str
    bad_value: str = ""
    contexts: tuple[tuple[str, ...], ...] = ()


class SegmentError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """IK3 with its contexts and element errors. position counts the ST as 1. contexts are CTX element tuples."""

    segment: str
    position: int
    loop: str = ""
    code: str = ""
    contexts: tuple[tuple[str, ...], ...] = ()
    element_errors: tuple[ElementError, ...] = ()


class TransactionAcknowledgment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """AK2 … IK5: what became of one ST."""

    transaction_type: str
    control_number: str
    version: str = ""
    code: str
    error_codes: tuple[str, ...] = ()
    segment_errors: tuple[SegmentError, ...] = ()

    @property
    def accepted(self) -> bool:
        """Accepted, with or without errors; accepted syntax is not an accepted claim."""
        return self.code in ("A", "E")


class ImplementationAcknowledgment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One 999: the answer to one functional group."""

    envelope: Envelope
    transaction_control_number: str = "0001"
    functional_id: str
    group_control_number: int
    version: str = ""
    code: str
    included: int
    received: int
    accepted_count: int
    error_codes: tuple[str, ...] = ()
    transactions: tuple[TransactionAcknowledgment, ...] = ()

    @property
    def accepted(self) -> bool:
        """Every transaction set of the group was accepted."""
        return self.code in ("A", "E")

    def accepts(self, transaction_control_number: str) -> bool:
        """Say whether one ST was accepted.

        A set that is not listed, is listed without a verdict, or is of a rejected group shares the group's fate.
        """
        if self.code not in ("A", "E", "P"):
            return False
        wanted = _significant(transaction_control_number)
        for transaction in self.transactions:
            if transaction.code and _significant(transaction.control_number) == wanted:
                return transaction.accepted
        return self.accepted


def _significant(control_number: str) -> str:
    """A control number without what payers add or drop when they repeat one: spaces and leading zeros."""
    return control_number.strip().lstrip("0")


_ACCEPTING = frozenset(("A2", "A5"))
_REJECTING = frozenset(("A3", "A4", "A6", "A7", "A8"))


class ClaimStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One STC. codes are the composites STC01, STC10, STC11. action is STC03: WQ accepted, U rejected."""

    codes: tuple[StatusCode, ...]
    effective_date: date | None = None
    action: str = ""
    charge_cents: int | None = None
    message: str = ""

    @property
    def rejects(self) -> bool:
        """A3, A4, A6, A7, A8 or action U: what it is about was not taken into adjudication."""
        return self.action == "U" or any(code.category in _REJECTING for code in self.codes)


class LineAcknowledgment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2220D: a service line with its statuses. control_number is REF*FJ."""

    procedure_code: str = ""
    procedure_qualifier: str = "HC"
    modifiers: tuple[str, ...] = ()
    charge_cents: int | None = None
    revenue_code: str = ""
    units: Decimal | None = None
    statuses: tuple[ClaimStatus, ...] = ()
    control_number: str = ""
    references: tuple[Reference, ...] = ()
    service_from: date | None = None
    service_to: date | None = None


class ClaimAcknowledgment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2200D: what the front end decided about one claim. claim_id is CLM01 as echoed in TRN02."""

    claim_id: str
    statuses: tuple[ClaimStatus, ...]
    patient: Name | None = None
    provider: Name | None = None
    payer_claim_control_number: str = ""
    clearinghouse_number: str = ""
    references: tuple[Reference, ...] = ()
    service_from: date | None = None
    service_to: date | None = None
    lines: tuple[LineAcknowledgment, ...] = ()

    @property
    def outcome(self) -> Literal["accepted", "received", "rejected", "unknown"]:
        """A2 and A5 accept; A3, A4, A6, A7, A8 or action U reject (rejection wins); A0 and A1 only say it arrived."""
        if any(status.rejects for status in self.statuses):
            return "rejected"
        if self.accepting_category:
            return "accepted"
        return "received" if {"A0", "A1"} & set(self._categories()) else "unknown"

    @property
    def accepting_category(self) -> str:
        """The first category that accepts, whatever receipt stands before it; empty when none does."""
        return next((category for category in self._categories() if category in _ACCEPTING), "")

    def _categories(self) -> list[str]:
        return [code.category for status in self.statuses for code in status.codes]

    @property
    def accepted(self) -> bool:
        """Accepted into adjudication; a mere receipt (A1) is not."""
        return self.outcome == "accepted"

    @property
    def rejected(self) -> bool:
        """Rejected before adjudication: correct it and send a new claim, frequency 1."""
        return self.outcome == "rejected"


class ProviderAcknowledgment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loops 2000C and 2200C: totals by billing provider, where sent."""

    provider: Name
    trace_number: str = ""
    statuses: tuple[ClaimStatus, ...] = ()
    references: tuple[Reference, ...] = ()
    accepted_count: int | None = None
    rejected_count: int | None = None
    accepted_cents: int | None = None
    rejected_cents: int | None = None

    @property
    def rejected(self) -> bool:
        """Every claim of the provider was rejected; they may then not be listed one by one."""
        return any(status.rejects for status in self.statuses)


class ClaimAcknowledgmentReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One 277CA. batch_reference is BHT03 of the 837 it answers; source is who says so (payer PR, clearinghouse AY)."""

    envelope: Envelope
    transaction_control_number: str
    reference: str
    source: Name
    source_entity: str = "PR"
    source_trace: str = ""
    received_date: date | None = None
    processed_date: date | None = None
    receiver: Name
    batch_reference: str = ""
    batch_statuses: tuple[ClaimStatus, ...] = ()
    accepted_count: int | None = None
    rejected_count: int | None = None
    accepted_cents: int | None = None
    rejected_cents: int | None = None
    providers: tuple[ProviderAcknowledgment, ...] = ()
    claims: tuple[ClaimAcknowledgment, ...] = ()
