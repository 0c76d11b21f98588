"""Records of the 835: a remittance with its claims, lines and provider-level adjustments. All amounts in cents."""

from datetime import date
from decimal import Decimal

import msgspec

from revcycle_edi.x12.records.common import (
    Address,
    Adjustment,
    Contact,
    Envelope,
    Name,
    QualifiedAmount,
    QualifiedDate,
    QualifiedQuantity,
    RawSegment,
    Reference,
)


class BankAccount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A side of an electronic payment in the BPR: routing number and account with their qualifiers."""

    routing_qualifier: str = "01"
    routing_number: str = ""
    account_qualifier: str = "DA"
    account_number: str = ""


class RemittanceParty(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 1000A (payer) or 1000B (payee). The NPI of a payee is id when id_qualifier is `XX`."""

    name: str
    id_qualifier: str = ""
    id: str = ""
    address: Address | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()

    @property
    def tax_id(self) -> str:
        """The tax id of a payee: REF*TJ, or the N1 identifier when its qualifier is FI; empty when absent."""
        for reference in self.references:
            if reference.qualifier == "TJ":
                return reference.value
        return self.id if self.id_qualifier == "FI" else ""


class RemittanceLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2110. units_paid None means SVC05 was not sent (the guide then means 1).

    submitted is SVC06 as (qualifier, code, modifiers...) when the payer decided on another code than was sent.
    control_number is REF*6R, empty when the payer does not echo it.
    """

    procedure_code: str
    charge_cents: int
    paid_cents: int
    procedure_qualifier: str = "HC"
    modifiers: tuple[str, ...] = ()
    description: str = ""
    revenue_code: str = ""
    units_paid: Decimal | None = None
    submitted: tuple[str, ...] = ()
    submitted_units: Decimal | None = None
    service_from: date | None = None
    service_to: date | None = None
    adjustments: tuple[Adjustment, ...] = ()
    control_number: str = ""
    references: tuple[Reference, ...] = ()
    amounts: tuple[QualifiedAmount, ...] = ()
    quantities: tuple[QualifiedQuantity, ...] = ()
    remark_codes: tuple[str, ...] = ()
    drug_remark_codes: tuple[str, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()

    @property
    def allowed_cents(self) -> int | None:
        """AMT*B6 when sent, else None: absent is not zero."""
        return next((amount.cents for amount in self.amounts if amount.qualifier == "B6"), None)


class RemittanceClaim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Loop 2100. claim_id is CLP01, the CLM01 of the submission. status_code 22 is a reversal.

    patient_responsibility_cents None means CLP05 was not sent. remark_codes are those of MIA and MOA.
    names holds further NM1 loops as (entity code, name): 74 corrected, 82 rendering, TT crossover, PR, GB.
    """

    claim_id: str
    status_code: str
    charge_cents: int
    paid_cents: int
    patient_responsibility_cents: int | None = None
    filing_code: str = ""
    payer_claim_control_number: str = ""
    facility_code: str = ""
    frequency_code: str = ""
    drg_code: str = ""
    drg_weight: Decimal | None = None
    discharge_fraction: Decimal | None = None
    assigned_number: str = ""
    adjustments: tuple[Adjustment, ...] = ()
    patient: Name | None = None
    insured: Name | None = None
    names: tuple[tuple[str, Name], ...] = ()
    inpatient_remarks: RawSegment = ()
    outpatient_remarks: RawSegment = ()
    references: tuple[Reference, ...] = ()
    statement_from: date | None = None
    statement_to: date | None = None
    received_date: date | None = None
    dates: tuple[QualifiedDate, ...] = ()
    contacts: tuple[Contact, ...] = ()
    amounts: tuple[QualifiedAmount, ...] = ()
    quantities: tuple[QualifiedQuantity, ...] = ()
    lines: tuple[RemittanceLine, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()

    @property
    def is_reversal(self) -> bool:
        """CLP02 22: the claim takes an earlier decision back, amounts negated."""
        return self.status_code == "22"

    @property
    def remark_codes(self) -> tuple[str, ...]:
        """Remark codes (RARC) of MIA05, MIA20-23 and MOA03-07."""
        found = [self.outpatient_remarks[i] for i in range(3, min(8, len(self.outpatient_remarks)))]
        found += [self.inpatient_remarks[i] for i in (5, 20, 21, 22, 23) if i < len(self.inpatient_remarks)]
        return tuple(code for code in found if code)


class ProviderAdjustment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pair of a PLB. Positive lowers the payment. Never an adjustment of a claim.

    reason_code is the adjustment reason (WO, FB, L6, 72, CS, ...), reference its identifier (a payer claim number for
    WO, the earlier trace for FB).
    """

    provider_id: str
    fiscal_period_end: date
    reason_code: str
    amount_cents: int
    reference: str = ""


class Remittance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ST…SE of an 835.

    paid_cents is BPR02, negative when BPR03 is D. content_sha256 is the SHA-256 (hex) over the segments between ST and
    SE, without the ST/SE control numbers, with standard delimiters: the same advice sent twice has the same value.
    provider_summaries are TS2 and TS3 segments with the LX number in front. payment_date is BPR16.
    """

    envelope: Envelope
    transaction_control_number: str
    content_sha256: str = ""
    handling_code: str
    paid_cents: int
    credit_debit: str = "C"
    payment_method: str
    payment_format: str = ""
    payer_account: BankAccount | None = None
    originating_company_id: str = ""
    originating_company_supplement: str = ""
    payee_account: BankAccount | None = None
    payment_date: date
    trace_number: str
    payer_trace_id: str
    trace_supplement: str = ""
    currency: RawSegment = ()
    receiver_id: str = ""
    system_version: str = ""
    production_date: date | None = None
    payer: RemittanceParty
    payee: RemittanceParty
    claims: tuple[RemittanceClaim, ...] = ()
    provider_summaries: tuple[tuple[str, RawSegment], ...] = ()
    provider_adjustments: tuple[ProviderAdjustment, ...] = ()
    extra_segments: tuple[RawSegment, ...] = ()
