"""What a payer decided, per line: derived from group, CARC and RARC, never from "paid = 0" or CLP02 alone.

Money is integer cents; positive adjustments lower the payment.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from revcycle_edi.x12.records import Adjustment, RemittanceClaim, RemittanceLine
from revcycle_events import (
    AdjudicatedLine,
    ClaimAdjudicated,
    ClaimDenied,
    ClaimLine,
    DenialCause,
    RemittedAdjustment,
    RemittedClaim,
    RemittedLine,
)

from revcycle_adjudication_gateway.domain.adjustment_reasons import UNPROCESSABLE_REMARKS, Bearing, bearing_of
from revcycle_adjudication_gateway.domain.line_matching import match_lines
from revcycle_adjudication_gateway.domain.references import significant
from revcycle_adjudication_gateway.domain.submission import Answer, Submission, those_that_left

PAID = "paid"
PARTLY_PAID = "partly_paid"
ZERO_PAY_TO_PATIENT = "zero_pay_to_patient"
DENIED = "denied"
UNPROCESSABLE = "unprocessable"
REVERSED = "reversed"
CLAIM_LEVEL = "claim_level"
"""``matched_by`` of a decision on the claim as a whole: the payer sent no lines."""


def choose_submission(candidates: Sequence[Submission], claim: RemittanceClaim) -> Submission | None:
    """The submission a remitted claim answers, among those with its CLM01 (or its payer claim number), oldest first.

    Replacement and void keep the CLM01 of what they replace, so the payer's own number decides. Without it a reversal
    is of the newest decision, and anything else answers the oldest submission that still waits for one. What the payer
    never got, or refused, answers for nothing while there is another.
    """
    number = significant(claim.payer_claim_control_number)
    if number:
        for candidate in candidates:
            if significant(candidate.payer_claim_control_number or "") == number:
                return candidate
    sent = those_that_left(candidates)
    decided = [candidate for candidate in sent if candidate.answer in (Answer.ADJUDICATED, Answer.REVERSED)]
    refused = [candidate for candidate in sent if candidate.answer is Answer.REJECTED]
    waiting = [candidate for candidate in sent if candidate not in decided and candidate not in refused]
    likely = (decided or waiting)[-1:] if claim.is_reversal else waiting[:1] or decided[-1:]
    likely = likely or refused[-1:]
    return likely[0] if likely else None


def remit(claim: RemittanceClaim, submission: Submission | None, submitted: Sequence[ClaimLine]) -> RemittedClaim:
    """One CLP in our words, tied to the submission and its lines where a rule ties it."""
    matches = match_lines(claim.lines, submitted)
    adjustments = _adjustments(claim.adjustments)
    lines = [_remitted_line(line, *match) for line, match in zip(claim.lines, matches, strict=True)]
    share = claim.patient_responsibility_cents
    if share is None:
        share = sum(each.amount_cents for each in _every(adjustments, lines) if each.group == "PR")
    return RemittedClaim(
        claim_id=submission.claim_id if submission else None,
        submission_id=submission.submission_id if submission else None,
        # Ours where it is known: what the payer wrote may be changed, and claims tells its submissions apart by it.
        patient_control_number=submission.patient_control_number if submission else claim.claim_id,
        payer_claim_control_number=claim.payer_claim_control_number.strip() or None,
        claim_status_code=claim.status_code,
        is_reversal=claim.is_reversal,
        charge_cents=claim.charge_cents,
        paid_cents=claim.paid_cents,
        patient_responsibility_cents=share,
        adjustments=adjustments,
        rarcs=list(claim.remark_codes),
        lines=lines,
    )


def announce(
    claim: RemittedClaim, submission: Submission, remittance_id: UUID
) -> tuple[ClaimAdjudicated, ClaimDenied | None]:
    """The decision on a claim, and beside it the denial when a line (or the claim) is denied or unprocessable."""
    lines = [
        AdjudicatedLine(
            line_number=line.line_number or 0,
            outcome=outcome_of(line, claim),
            charge_cents=line.charge_cents,
            paid_cents=line.paid_cents,
            adjustments=line.adjustments,
            rarcs=line.rarcs,
            matched_by=line.matched_by,
        )
        for line in claim.lines or [_whole(claim)]
    ]
    adjudicated = ClaimAdjudicated(
        claim_id=submission.claim_id,
        submission_id=submission.submission_id,
        payer_id=submission.payer_id,
        remittance_id=remittance_id,
        claim_status_code=claim.claim_status_code,
        is_reversal=claim.is_reversal,
        payer_claim_control_number=claim.payer_claim_control_number,
        charge_cents=claim.charge_cents,
        paid_cents=claim.paid_cents,
        patient_responsibility_cents=claim.patient_responsibility_cents,
        lines=lines,
    )
    causes = [] if claim.is_reversal else denial_causes(claim)
    if not causes:
        return adjudicated, None
    denied = ClaimDenied(
        claim_id=submission.claim_id,
        submission_id=submission.submission_id,
        payer_id=submission.payer_id,
        remittance_id=remittance_id,
        unprocessable=_is_unprocessable(claim.rarcs) or any(line.outcome == UNPROCESSABLE for line in lines),
        causes=causes,
    )
    return adjudicated, denied


def outcome_of(line: RemittedLine, claim: RemittedClaim) -> str:
    """One of the outcomes above. A line without payment is denied only by a reason that denies."""
    if claim.is_reversal:
        return REVERSED
    if any(_denies(each) for each in line.adjustments):
        if _is_unprocessable(claim.rarcs) or _is_unprocessable(line.rarcs):
            return UNPROCESSABLE
        return PARTLY_PAID if line.paid_cents > 0 else DENIED
    share = sum(
        each.amount_cents for each in line.adjustments if bearing_of(each.group, each.carc) is Bearing.PATIENT_SHARE
    )
    return ZERO_PAY_TO_PATIENT if line.paid_cents == 0 and share > 0 else PAID


def _whole(claim: RemittedClaim) -> RemittedLine:
    """A claim decided without its lines, as the one line 0 that stands for it."""
    return RemittedLine(
        line_number=None,
        matched_by=CLAIM_LEVEL,
        charge_cents=claim.charge_cents,
        paid_cents=claim.paid_cents,
        adjustments=claim.adjustments,
        rarcs=claim.rarcs,
    )


def denial_causes(claim: RemittedClaim) -> list[DenialCause]:
    """Every adjustment that denies, with the remarks beside it; line 0 stands for the whole claim."""
    causes = [_cause(0, each, claim.rarcs) for each in claim.adjustments if _denies(each)]
    for line in claim.lines:
        remarks = list(dict.fromkeys([*line.rarcs, *claim.rarcs]))
        causes.extend(_cause(line.line_number or 0, each, remarks) for each in line.adjustments if _denies(each))
    return causes


def _cause(line_number: int, adjustment: RemittedAdjustment, rarcs: list[str]) -> DenialCause:
    return DenialCause(
        line_number=line_number,
        group=adjustment.group,
        carc=adjustment.carc,
        rarcs=rarcs,
        amount_cents=adjustment.amount_cents,
    )


def _denies(adjustment: RemittedAdjustment) -> bool:
    return adjustment.amount_cents > 0 and bearing_of(adjustment.group, adjustment.carc) is Bearing.DENIAL


def _is_unprocessable(rarcs: Iterable[str]) -> bool:
    return not UNPROCESSABLE_REMARKS.isdisjoint(rarcs)


def _every(adjustments: list[RemittedAdjustment], lines: list[RemittedLine]) -> Iterable[RemittedAdjustment]:
    yield from adjustments
    for line in lines:
        yield from line.adjustments


def _remitted_line(line: RemittanceLine, line_number: int | None, matched_by: str) -> RemittedLine:
    return RemittedLine(
        line_number=line_number,
        matched_by=matched_by,
        charge_cents=line.charge_cents,
        paid_cents=line.paid_cents,
        adjustments=_adjustments(line.adjustments),
        rarcs=list(line.remark_codes),
    )


def _adjustments(adjustments: Iterable[Adjustment]) -> list[RemittedAdjustment]:
    return [
        RemittedAdjustment(
            group=each.group_code,
            carc=each.reason_code,
            amount_cents=each.amount_cents,
            # A part of a unit has no place in the event; no quantity is said then, never a wrong one.
            quantity=int(each.quantity) if each.quantity is not None and each.quantity % 1 == 0 else None,
        )
        for each in adjustments
    ]
