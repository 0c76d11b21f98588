"""When a claim may be sent again, and as what.

Rejected claims were never adjudicated: the remedy is a new claim (frequency 1) with a new CLM01. Adjudicated ones are
replaced (7) or voided (8), which must name the payer's control number; without it they must not go out.
"""

from typing import Final, NamedTuple

from revcycle_claims.domain.claim import ORIGINAL, Claim, Outcome, Preparation, SubmissionState

MAX_SUBMISSIONS: Final = 20
_UNRESOLVED: Final = (SubmissionState.NOT_SENT, SubmissionState.UNKNOWN, SubmissionState.SENT)


class Refusal(NamedTuple):
    """Why a submission is refused, and what to do."""

    code: str
    detail: str


def refuse_submission(claim: Claim, frequency: str) -> Refusal | None:
    """The reason against sending a claim with this frequency, or None."""
    if claim.state != Preparation.SUBMITTED:
        return Refusal("not_submitted", "the claim has not gone out; it is sent by itself once its holds are cleared")
    if claim.submissions >= MAX_SUBMISSIONS:
        return Refusal("too_many_submissions", f"a claim is sent {MAX_SUBMISSIONS} times at most; talk to the payer")
    if claim.outcome is None and claim.submission in _UNRESOLVED:
        return Refusal(
            "submission_unresolved",
            "the payer has not answered the last submission; wait for its answer or a status inquiry",
        )
    if frequency == ORIGINAL:
        return None if claim.may_start_over else _not_rejected()
    if claim.outcome == Outcome.REJECTED and claim.frequency == ORIGINAL:
        return Refusal("rejected", "the payer has no claim to replace or void; send a new one with frequency 1")
    if claim.payer_claim_control_number is None:
        return Refusal(
            "payer_control_number_missing",
            "a replacement or void names the payer's claim control number; none has come yet",
        )
    return None


def _not_rejected() -> Refusal:
    return Refusal(
        "not_rejected",
        "a new claim (frequency 1) follows a rejection or an unprocessable denial only; else replace it (7)",
    )
