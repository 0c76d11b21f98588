"""The life of a submission on its way to a payer: pure state, no I/O.

Bytes travel as one unit, so the *transmission* (an outbound 837 interchange and the submissions in it) carries the
sending state, and its submissions mirror it::

    queued -> intent -> sent
                     -> refused                 the door said no: nothing was recorded
                     -> not_sent -> intent      no byte left: the same bytes go again
                     -> unknown  -> sent        an acknowledgment, a status answer or a person says it arrived
                                 -> not_sent    the payer said "not found" of every claim, or a person said so

Nothing else leads back to ``intent``; that is the promise "a payer receives each claim at most once".
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from revcycle_events import (
    ClaimAcknowledged,
    ClaimPended,
    ClaimRejected,
    ClaimTransmitted,
    Event,
    RejectionReason,
    TransmissionUnknown,
)


class Sending(StrEnum):
    """Where the bytes are."""

    QUEUED = "queued"
    INTENT = "intent"
    SENT = "sent"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    REFUSED = "refused"


class Answer(StrEnum):
    """How far the payer's answer has come; the order of the members is the order of a claim's life."""

    NONE = "none"
    SYNTAX = "syntax"
    ACCEPTED = "accepted"
    PENDED = "pended"
    REJECTED = "rejected"
    ADJUDICATED = "adjudicated"
    REVERSED = "reversed"


class Outcome(StrEnum):
    """What one attempt to deliver came to."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class NotUnknown(Exception):
    """A person may only resolve what is unknown; ``state`` says what it is."""

    def __init__(self, state: Sending) -> None:
        self.state = state
        super().__init__(f"the submission is {state}, not unknown")


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission of a claim. ``absent_attempt``: the attempt of which the payer said it has no such claim."""

    submission_id: UUID
    claim_id: UUID
    encounter_id: UUID
    payer_id: str
    patient_control_number: str
    frequency: str
    submitted_sequence: int
    sending: Sending = Sending.QUEUED
    answer: Answer = Answer.NONE
    interchange_id: UUID | None = None
    absent_attempt: int | None = None
    payer_claim_control_number: str | None = None


@dataclass(frozen=True, slots=True)
class Transmission:
    """An outbound 837 interchange and what it carries. ``attempt`` counts deliveries of these same bytes from 1."""

    interchange_id: UUID
    payer_id: str
    control_number: str
    sha256: str
    state: Sending
    attempt: int
    submissions: tuple[Submission, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A new state and what is to be announced about which submission; ``contradiction`` names what does not fit."""

    transmission: Transmission
    events: tuple[tuple[Submission, Event], ...] = ()
    contradiction: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The same for one submission."""

    submission: Submission
    event: Event | None = None
    contradiction: str | None = None


def those_that_left(candidates: Sequence[Submission]) -> Sequence[Submission]:
    """The submissions that are in an interchange: only these can be answered. All, when none is."""
    return [each for each in candidates if each.interchange_id is not None] or candidates


def settle(transmission: Transmission, attempt: int, outcome: Outcome, codes: Collection[str] = ()) -> Decision:
    """What an attempt came to. An outcome of an older attempt, or one that an answer has overtaken, changes nothing."""
    if transmission.state is not Sending.INTENT or transmission.attempt != attempt:
        return Decision(transmission)
    if outcome is Outcome.TAKEN:
        return _move(transmission, Sending.SENT, _transmitted(transmission))
    if outcome is Outcome.UNKNOWN:
        return _move(transmission, Sending.UNKNOWN, _unknown)
    if outcome is Outcome.NOT_SENT:
        return _move(transmission, Sending.NOT_SENT)
    reasons = [RejectionReason(source="transport", codes=list(codes))]
    refused = _move(transmission, Sending.REFUSED, lambda submission: _rejected(submission, reasons))
    members = tuple(replace(member, answer=Answer.REJECTED) for member in refused.transmission.submissions)
    return replace(refused, transmission=replace(refused.transmission, submissions=members))


def lose_worker(transmission: Transmission) -> Decision:
    """The lease of an attempt ran out without an outcome: the bytes may have gone."""
    return settle(transmission, transmission.attempt, Outcome.UNKNOWN)


def arrive(transmission: Transmission) -> Decision:
    """An answer names the interchange or one of its claims: it arrived, whatever we believed."""
    if transmission.state is Sending.SENT:
        return Decision(transmission)
    decision = _move(transmission, Sending.SENT, _transmitted(transmission))
    if transmission.state is Sending.REFUSED:
        return replace(decision, contradiction="the door refused these bytes, yet the payer answers them")
    return decision


def record_absence(transmission: Transmission, submission_ids: Collection[UUID], attempt: int) -> Decision:
    """The payer said "not found" of these claims, asked after ``attempt``.

    Only an answer about the present attempt of an unknown transmission counts, and only when all claims are absent.
    """
    if transmission.state is Sending.SENT:
        return Decision(transmission, contradiction="the payer has the interchange but does not find the claim")
    if transmission.state is not Sending.UNKNOWN or transmission.attempt != attempt:
        return Decision(transmission)
    members = tuple(
        replace(member, absent_attempt=attempt) if member.submission_id in submission_ids else member
        for member in transmission.submissions
    )
    marked = replace(transmission, submissions=members)
    if all(member.absent_attempt == attempt for member in members):
        return _move(marked, Sending.NOT_SENT)
    return Decision(marked)


def resolve(transmission: Transmission, *, arrived: bool) -> Decision:
    """A named person says whether the bytes arrived.

    Raises:
        NotUnknown: the transmission is in any other state.
    """
    if transmission.state is not Sending.UNKNOWN:
        raise NotUnknown(transmission.state)
    return arrive(transmission) if arrived else _move(transmission, Sending.NOT_SENT)


def send_again(transmission: Transmission) -> Transmission:
    """Commit to one more delivery of the same bytes; allowed only when they definitely are not at the payer."""
    assert transmission.state is Sending.NOT_SENT, "only what is definitely not sent may be sent again"
    members = tuple(replace(member, sending=Sending.INTENT, absent_attempt=None) for member in transmission.submissions)
    return replace(transmission, state=Sending.INTENT, attempt=transmission.attempt + 1, submissions=members)


def accept_syntax(submission: Submission) -> Answered:
    """A 999 accepted the set: readable, nothing more."""
    if submission.answer is Answer.NONE:
        return Answered(replace(submission, answer=Answer.SYNTAX))
    return Answered(submission)


def acknowledge(submission: Submission, source: str, category: str, control_number: str | None) -> Answered:
    """The payer took the claim into adjudication; said twice it is announced once."""
    known = replace(
        submission,
        payer_claim_control_number=submission.payer_claim_control_number or (control_number or "").strip() or None,
    )
    if submission.answer is Answer.REJECTED:
        return Answered(known, contradiction="accepted by the payer after it was rejected")
    if submission.answer not in (Answer.NONE, Answer.SYNTAX):
        return Answered(known)
    event = ClaimAcknowledged(
        claim_id=submission.claim_id,
        submission_id=submission.submission_id,
        payer_id=submission.payer_id,
        source=source,
        category=category,
        payer_claim_control_number=known.payer_claim_control_number,
    )
    return Answered(replace(known, answer=Answer.ACCEPTED), event)


def reject(submission: Submission, reasons: list[RejectionReason]) -> Answered:
    """The claim never reached adjudication. A rejection of what was accepted is a contradiction, never a rejection."""
    if submission.answer is Answer.REJECTED:
        return Answered(submission)
    if submission.answer not in (Answer.NONE, Answer.SYNTAX):
        return Answered(submission, contradiction=f"rejected by the payer after it was {submission.answer}")
    return Answered(replace(submission, answer=Answer.REJECTED), _rejected(submission, reasons))


def refuse_unwritable(submission: Submission, rule: str) -> Answered:
    """No 837 can be written of this submission (``rule`` says why): it never leaves."""
    assert submission.sending is Sending.QUEUED, "only a queued submission is rendered"
    event = _rejected(submission, [RejectionReason(source="gateway", codes=[rule])])
    return Answered(replace(submission, sending=Sending.REFUSED, answer=Answer.REJECTED), event)


def pend(submission: Submission, category: str, status: str, control_number: str | None) -> Answered:
    """The payer is still thinking; announced when that is new, passed over once it has decided."""
    known = replace(
        submission,
        payer_claim_control_number=submission.payer_claim_control_number or (control_number or "").strip() or None,
    )
    if submission.answer not in (Answer.NONE, Answer.SYNTAX, Answer.ACCEPTED):
        return Answered(known)
    event = ClaimPended(
        claim_id=submission.claim_id,
        submission_id=submission.submission_id,
        payer_id=submission.payer_id,
        category=category,
        status=status,
    )
    return Answered(replace(known, answer=Answer.PENDED), event)


def adjudicate(submission: Submission, *, is_reversal: bool, control_number: str | None) -> Submission:
    """An 835 names the claim. A reversal is of the past decision; what comes after it decides again."""
    return replace(
        submission,
        answer=Answer.REVERSED if is_reversal else Answer.ADJUDICATED,
        payer_claim_control_number=submission.payer_claim_control_number or (control_number or "").strip() or None,
    )


def _move(
    transmission: Transmission, state: Sending, announce: Callable[[Submission], Event] | None = None
) -> Decision:
    members = tuple(replace(member, sending=state) for member in transmission.submissions)
    events = tuple((member, announce(member)) for member in members) if announce else ()
    return Decision(replace(transmission, state=state, submissions=members), events)


def _transmitted(transmission: Transmission) -> Callable[[Submission], Event]:
    def announce(submission: Submission) -> Event:
        return ClaimTransmitted(
            claim_id=submission.claim_id,
            submission_id=submission.submission_id,
            payer_id=submission.payer_id,
            interchange_id=transmission.interchange_id,
            interchange_control_number=transmission.control_number,
            bytes_sha256=transmission.sha256,
        )

    return announce


def _unknown(submission: Submission) -> Event:
    assert submission.interchange_id is not None, "a submission under way belongs to an interchange"
    return TransmissionUnknown(
        claim_id=submission.claim_id,
        submission_id=submission.submission_id,
        payer_id=submission.payer_id,
        interchange_id=submission.interchange_id,
    )


def _rejected(submission: Submission, reasons: list[RejectionReason]) -> ClaimRejected:
    return ClaimRejected(
        claim_id=submission.claim_id,
        submission_id=submission.submission_id,
        payer_id=submission.payer_id,
        reasons=reasons,
    )
