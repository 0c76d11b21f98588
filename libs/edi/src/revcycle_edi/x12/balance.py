"""The money equations of 835 and 837, every one with both sides in cents.

835 (005010X221A1 1.10.2): line SVC02 - ΣCAS = SVC03; claim CLP03 - ΣCAS(claim and lines) = CLP04; transaction
ΣCLP04 - ΣPLB = BPR02; CLP05 = ΣCAS*PR except on reversals. 837: CLM02 = Σ line charges; for each payer that has decided
the lines, AMT*D = ΣSVD02 - ΣCAS(claim) and SV102 = SVD02 + ΣCAS(line).
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from revcycle_edi.x12.records.claim import DentalClaim, InstitutionalClaim, OtherPayer, ProfessionalClaim, ServiceLine
from revcycle_edi.x12.records.common import Adjustment
from revcycle_edi.x12.records.remittance import Remittance, RemittanceClaim

Level = Literal["line", "claim", "transaction", "patient_responsibility", "other_payer", "other_payer_line"]


class BalanceEquation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One equation. id names its subject: `CLP01`, `CLP01/line number`, the trace number, `CLM01/payer id/line`."""

    level: Level
    id: str
    equation: str
    left_cents: int
    right_cents: int

    @property
    def difference_cents(self) -> int:
        """Left minus right; 0 when the equation holds."""
        return self.left_cents - self.right_cents

    @property
    def balanced(self) -> bool:
        """Whether the equation holds."""
        return self.left_cents == self.right_cents


def _total(adjustments: Iterable[Adjustment]) -> int:
    return sum(adjustment.amount_cents for adjustment in adjustments)


def _totals(adjustments: tuple[Adjustment, ...]) -> tuple[int, int]:
    """All adjustments, and the patient's part of them."""
    total = patient = 0
    for adjustment in adjustments:
        total += adjustment.amount_cents
        if adjustment.group_code == "PR":
            patient += adjustment.amount_cents
    return total, patient


def balance_835_claim(claim: RemittanceClaim) -> list[BalanceEquation]:
    """Line, claim and patient responsibility equations of one 835 claim."""
    equations: list[BalanceEquation] = []
    claim_id = claim.claim_id
    adjusted, patient = _totals(claim.adjustments)
    for number, line in enumerate(claim.lines, 1):
        line_adjusted, line_patient = _totals(line.adjustments)
        adjusted += line_adjusted
        patient += line_patient
        equations.append(
            BalanceEquation(
                level="line",
                id=f"{claim_id}/{line.control_number or number}",
                equation="SVC02 - CAS = SVC03",
                left_cents=line.charge_cents - line_adjusted,
                right_cents=line.paid_cents,
            )
        )
    equations.append(
        BalanceEquation(
            level="claim",
            id=claim_id,
            equation="CLP03 - CAS = CLP04",
            left_cents=claim.charge_cents - adjusted,
            right_cents=claim.paid_cents,
        )
    )
    if not claim.is_reversal:
        equations.append(
            BalanceEquation(
                level="patient_responsibility",
                id=claim_id,
                equation="CLP05 = CAS*PR",
                left_cents=claim.patient_responsibility_cents or 0,
                right_cents=patient,
            )
        )
    return equations


def holds_835_claim(claim: RemittanceClaim) -> bool:
    """Whether every equation of balance_835_claim holds: the same sums, and nothing written down."""
    adjusted, patient = _totals(claim.adjustments) if claim.adjustments else (0, 0)
    for line in claim.lines:
        line_adjusted = 0
        for adjustment in line.adjustments:
            line_adjusted += adjustment.amount_cents
            if adjustment.group_code == "PR":
                patient += adjustment.amount_cents
        if line.charge_cents - line_adjusted != line.paid_cents:
            return False
        adjusted += line_adjusted
    if claim.charge_cents - adjusted != claim.paid_cents:
        return False
    return claim.is_reversal or (claim.patient_responsibility_cents or 0) == patient


def balance_835(remittance: Remittance) -> list[BalanceEquation]:
    """Every equation of a remittance, whether it holds or not; the transaction comes last."""
    equations: list[BalanceEquation] = []
    for claim in remittance.claims:
        equations += balance_835_claim(claim)
    equations.append(balance_835_payment(remittance, sum(claim.paid_cents for claim in remittance.claims)))
    return equations


def balance_835_payment(remittance: Remittance, claims_paid_cents: int) -> BalanceEquation:
    """The transaction equation of a remittance, its claims summed by the caller."""
    withheld = sum(adjustment.amount_cents for adjustment in remittance.provider_adjustments)
    return BalanceEquation(
        level="transaction",
        id=remittance.trace_number,
        equation="CLP04 - PLB = BPR02",
        left_cents=claims_paid_cents - withheld,
        right_cents=remittance.paid_cents,
    )


def _other_payer(claim_id: str, other: OtherPayer, lines: Iterable[ServiceLine]) -> list[BalanceEquation]:
    """Coordination of benefits; the claim equation applies only when the payer decided lines."""
    equations: list[BalanceEquation] = []
    paid = 0
    decided = False
    for number, line in enumerate(lines, 1):
        for item in line.adjudications:
            if item.payer_id != other.payer_id:
                continue
            decided = True
            paid += item.paid_cents
            equations.append(
                BalanceEquation(
                    level="other_payer_line",
                    id=f"{claim_id}/{other.payer_id}/{line.control_number or number}",
                    equation="charge = SVD02 + CAS",
                    left_cents=line.charge_cents,
                    right_cents=item.paid_cents + _total(item.adjustments),
                )
            )
    if decided and other.paid_cents is not None:
        equations.append(
            BalanceEquation(
                level="other_payer",
                id=f"{claim_id}/{other.payer_id}",
                equation="AMT*D = SVD02 - CAS",
                left_cents=other.paid_cents,
                right_cents=paid - _total(other.adjustments),
            )
        )
    return equations


def balance_837(claim: ProfessionalClaim | InstitutionalClaim | DentalClaim) -> list[BalanceEquation]:
    """Every equation of a claim: the charge, then each other payer's decision."""
    charged = 0
    for line in claim.lines:
        charged += line.charge_cents
    equations = [
        BalanceEquation(
            level="claim",
            id=claim.claim_id,
            equation="CLM02 = line charges",
            left_cents=claim.charge_cents,
            right_cents=charged,
        )
    ]
    for other in claim.other_payers:
        equations += _other_payer(claim.claim_id, other, claim.lines)
    return equations


def unbalanced(equations: Iterable[BalanceEquation]) -> list[BalanceEquation]:
    """The equations that do not hold."""
    return [equation for equation in equations if equation.left_cents != equation.right_cents]
