"""What the payer's side says of a submission, kept apart from the claim so that it may arrive in any order."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from revcycle_events import (
    ClaimAcknowledged,
    ClaimAdjudicated,
    ClaimDenied,
    ClaimPended,
    ClaimRejected,
    ClaimTransmitted,
    RejectionReason,
    TransmissionUnknown,
)

from revcycle_claims.domain.claim import Adjudication, Claim, SubmissionState

AdjudicationEvent = (
    ClaimTransmitted
    | TransmissionUnknown
    | ClaimAcknowledged
    | ClaimRejected
    | ClaimPended
    | ClaimAdjudicated
    | ClaimDenied
)

_RANK: Final[dict[str, int]] = {
    SubmissionState.NOT_SENT: 0,
    SubmissionState.UNKNOWN: 1,
    SubmissionState.SENT: 2,
    SubmissionState.ACKNOWLEDGED: 3,
    SubmissionState.REJECTED: 4,
}


@dataclass(frozen=True, slots=True)
class Transmission:
    """The payer's side of one submission. ``reasons``: codes of a rejection, for example ``277ca A7:562:85``."""

    submission_id: UUID
    claim_id: UUID
    state: str = SubmissionState.NOT_SENT
    adjudication: str = Adjudication.NONE
    payer_claim_control_number: str | None = None
    reasons: tuple[str, ...] = ()
    updated_at: datetime | None = None


def record(transmission: Transmission, event: AdjudicationEvent, now: datetime) -> Transmission:
    """The transmission after an event. A submission never goes back: an accepted one is not merely sent again."""
    state, adjudication = _axes(event)
    known = transmission.state if _RANK[transmission.state] > _RANK[state] else state
    return replace(
        transmission,
        state=known,
        adjudication=adjudication or transmission.adjudication,
        payer_claim_control_number=_control_number(event) or transmission.payer_claim_control_number,
        reasons=tuple(map(describe, event.reasons)) if isinstance(event, ClaimRejected) else transmission.reasons,
        updated_at=now,
    )


def merge(claim: Claim, transmission: Transmission | None) -> Claim:
    """The claim with the axes of its current submission; what is said of an earlier one changes nothing."""
    if transmission is None or transmission.submission_id != claim.submission_id:
        return claim
    return claim._replace(
        submission=transmission.state,
        adjudication=transmission.adjudication,
        payer_claim_control_number=transmission.payer_claim_control_number or claim.payer_claim_control_number,
    )


def describe(reason: RejectionReason) -> str:
    """A rejection reason in one line: source, then category:status:entity or the codes."""
    parts = [part for part in (reason.category, reason.status, reason.entity) if part]
    return " ".join(filter(None, [reason.source, ":".join(parts), *reason.codes]))


def _axes(event: AdjudicationEvent) -> tuple[str, str | None]:
    if isinstance(event, ClaimTransmitted):
        return SubmissionState.SENT, None
    if isinstance(event, TransmissionUnknown):
        return SubmissionState.UNKNOWN, None
    if isinstance(event, ClaimRejected):
        return SubmissionState.REJECTED, None
    if isinstance(event, ClaimPended):
        return SubmissionState.ACKNOWLEDGED, Adjudication.PENDED
    if isinstance(event, ClaimAdjudicated):
        return SubmissionState.ACKNOWLEDGED, _adjudication_of(event)
    if isinstance(event, ClaimDenied):
        return SubmissionState.ACKNOWLEDGED, Adjudication.UNPROCESSABLE if event.unprocessable else None
    return SubmissionState.ACKNOWLEDGED, None


def _adjudication_of(event: ClaimAdjudicated) -> str:
    """Rolled up from the lines' outcomes."""
    outcomes = {line.outcome for line in event.lines}
    if event.is_reversal:
        return Adjudication.REVERSED
    if outcomes == {"unprocessable"}:
        return Adjudication.UNPROCESSABLE
    if outcomes and outcomes <= {"denied", "unprocessable"}:
        return Adjudication.DENIED
    if outcomes == {"zero_pay_to_patient"}:
        return Adjudication.ZERO_PAY_TO_PATIENT
    return Adjudication.PAID if outcomes <= {"paid", "zero_pay_to_patient"} else Adjudication.PARTLY_PAID


def _control_number(event: AdjudicationEvent) -> str | None:
    if isinstance(event, ClaimAcknowledged | ClaimAdjudicated):
        return event.payer_claim_control_number
    return None
