"""Posting a remittance: advice becomes journal entries, line by line; what is denied stays open.

Arithmetic of the 835 (domain rules 2.7): line charge - adjustments = paid; claim charge - adjustments of claim and
lines = paid; sum of claims - provider-level adjustments = payment. A remittance that breaks one is held whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from revcycle_events import LineAdjustment, LinePayment, RemittanceReceived, RemittedAdjustment, RemittedClaim, Value

from revcycle_claims.domain.carc_playbook import AdjustmentClass, classify
from revcycle_claims.domain.ledger import CLAIM_LEVEL, Account, Entry, Journal

RULE_ID: Final = "post-remittance"
RULE_VERSION: Final = "1"

_ACCOUNTS: Final[dict[AdjustmentClass, Account]] = {
    AdjustmentClass.PATIENT: Account.RECEIVABLE_PATIENT,
    AdjustmentClass.CONTRACTUAL: Account.CONTRACTUAL_ADJUSTMENT,
    AdjustmentClass.OTHER: Account.OTHER_ADJUSTMENT,
}


@dataclass(frozen=True, slots=True)
class RemittedLine:
    """What one SVC (or the claim level, line 0) says, split by where the money goes. ``denied`` stays open."""

    line_number: int
    matched_by: str
    charge_cents: int
    paid_cents: int
    contractual_cents: int
    other_adjustment_cents: int
    patient_cents: int
    denied_cents: int
    adjustments: tuple[LineAdjustment, ...]
    carcs: tuple[str, ...]
    rarcs: tuple[str, ...]


class PostingOutput(Value):
    """The output of the posting decision, for the explanation."""

    payments: list[LinePayment]
    adjustments: list[LineAdjustment]
    denied: list[LineAdjustment]


def failing_equations(remittance: RemittanceReceived) -> list[str]:
    """The equations that do not hold, named by level and position; empty when the remittance balances."""
    failing = []
    for number, claim in enumerate(remittance.claims, start=1):
        failing += _failing_of_claim(number, claim)
    claims_cents = sum(claim.paid_cents for claim in remittance.claims)
    provider_cents = sum(adjustment.amount_cents for adjustment in remittance.provider_adjustments)
    if claims_cents - provider_cents != remittance.paid_cents:
        failing.append("transaction: sum of CLP04 - sum of PLB = BPR02")
    return failing


def _failing_of_claim(number: int, claim: RemittedClaim) -> list[str]:
    failing = []
    for index, line in enumerate(claim.lines, start=1):
        if line.charge_cents - _sum(line.adjustments) != line.paid_cents:
            failing.append(f"claim {number} line {index}: SVC02 - sum of CAS = SVC03")
    adjusted = _sum(claim.adjustments) + sum(_sum(line.adjustments) for line in claim.lines)
    if claim.charge_cents - adjusted != claim.paid_cents:
        failing.append(f"claim {number}: CLP03 - sum of CAS = CLP04")
    return failing


def _sum(adjustments: Iterable[RemittedAdjustment]) -> int:
    return sum(adjustment.amount_cents for adjustment in adjustments)


def split_lines(claim: RemittedClaim) -> tuple[RemittedLine, ...]:
    """The lines of a CLP with their money split by account; claim-level CAS and unmatched lines stand on line 0.

    A CLP without SVC is paid and adjusted at the claim level as a whole.
    """
    lines = [
        _split(
            line.line_number or CLAIM_LEVEL,
            line.matched_by,
            line.charge_cents,
            line.paid_cents,
            line.adjustments,
            line.rarcs,
        )
        for line in claim.lines
    ]
    # What the lines do not say is said at the claim level: its own CAS, and without SVC the payment too.
    charge_cents = claim.charge_cents - sum(line.charge_cents for line in claim.lines)
    paid_cents = claim.paid_cents - sum(line.paid_cents for line in claim.lines)
    if claim.adjustments or charge_cents or paid_cents:
        lines.append(_split(CLAIM_LEVEL, "claim_level", charge_cents, paid_cents, claim.adjustments, claim.rarcs))
    return tuple(lines)


def _split(
    line_number: int,
    matched_by: str,
    charge_cents: int,
    paid_cents: int,
    adjustments: Sequence[RemittedAdjustment],
    rarcs: Sequence[str],
) -> RemittedLine:
    sums = dict.fromkeys(AdjustmentClass, 0)
    posted: list[LineAdjustment] = []
    denied_carcs: list[str] = []
    for adjustment in adjustments:
        adjustment_class = classify(adjustment.group, adjustment.carc)
        sums[adjustment_class] += adjustment.amount_cents
        if adjustment_class is AdjustmentClass.DENIAL:
            denied_carcs.append(adjustment.carc)
        posted.append(_line_adjustment(line_number, adjustment, adjustment_class))
    return RemittedLine(
        line_number=line_number,
        matched_by=matched_by,
        charge_cents=charge_cents,
        paid_cents=paid_cents,
        contractual_cents=sums[AdjustmentClass.CONTRACTUAL],
        other_adjustment_cents=sums[AdjustmentClass.OTHER],
        patient_cents=sums[AdjustmentClass.PATIENT],
        denied_cents=sums[AdjustmentClass.DENIAL],
        adjustments=tuple(posted),
        carcs=tuple(denied_carcs),
        rarcs=tuple(rarcs),
    )


def _line_adjustment(
    line_number: int, adjustment: RemittedAdjustment, adjustment_class: AdjustmentClass
) -> LineAdjustment:
    return LineAdjustment(
        line_number=line_number,
        group=adjustment.group,
        carc=adjustment.carc,
        amount_cents=adjustment.amount_cents,
        account=_ACCOUNTS.get(adjustment_class, Account.RECEIVABLE_INSURANCE),
    )


def posting_output(lines: Sequence[RemittedLine]) -> PostingOutput:
    """Payments, posted adjustments and what stays open as denied, for events and for the explanation."""
    adjustments = [adjustment for line in lines for adjustment in line.adjustments]
    return PostingOutput(
        payments=[
            LinePayment(line_number=line.line_number, paid_cents=line.paid_cents) for line in lines if line.paid_cents
        ],
        adjustments=[item for item in adjustments if item.account != Account.RECEIVABLE_INSURANCE],
        denied=[item for item in adjustments if item.account == Account.RECEIVABLE_INSURANCE],
    )


def posting_journal(
    journal_id: UUID, posted_at: datetime, remittance_id: UUID, claim_id: UUID, lines: Sequence[RemittedLine]
) -> Journal:
    """Payment and adjustments of one claim against the insurance's receivable, line by line."""
    entries: list[Entry] = []
    for line in lines:
        settled = [
            Entry(item.account, item.amount_cents, claim_id, line.line_number, item.group, item.carc)
            for item in line.adjustments
            if item.account != Account.RECEIVABLE_INSURANCE and item.amount_cents
        ]
        if line.paid_cents:
            settled.append(Entry(Account.CLEARING_REMITTANCE, line.paid_cents, claim_id, line.line_number))
        cents = sum(entry.cents for entry in settled)
        entries += settled
        if cents:
            entries.append(Entry(Account.RECEIVABLE_INSURANCE, -cents, claim_id, line.line_number))
    return Journal(journal_id, "remittance", posted_at, tuple(entries), claim_id, remittance_id)


def unapplied_journal(journal_id: UUID, posted_at: datetime, remittance_id: UUID, paid_cents: int) -> Journal:
    """Money of a remitted claim that cannot be applied (yet): it waits in ``unapplied``, never dropped."""
    entries = (Entry(Account.CLEARING_REMITTANCE, paid_cents), Entry(Account.UNAPPLIED, -paid_cents))
    return Journal(journal_id, "remittance_unapplied", posted_at, entries, remittance_id=remittance_id)


def provider_journal(journal_id: UUID, posted_at: datetime, remittance: RemittanceReceived) -> Journal:
    """PLB: positive lowers the payment. It moves between clearing and the provider level, never a claim."""
    entries = tuple(
        entry
        for adjustment in remittance.provider_adjustments
        for entry in (
            Entry(Account.PROVIDER_LEVEL, adjustment.amount_cents),
            Entry(Account.CLEARING_REMITTANCE, -adjustment.amount_cents),
        )
    )
    return Journal(journal_id, "provider_adjustment", posted_at, entries, remittance_id=remittance.remittance_id)
