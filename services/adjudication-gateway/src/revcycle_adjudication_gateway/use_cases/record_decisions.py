"""Writes what the state machine decided: interchange, submissions, and the events that say so."""

from collections.abc import Iterable

from revcycle_events import Event
from revcycle_events.claims_v1 import TOPIC as CLAIMS_TOPIC
from revcycle_messaging import Cause, DependsOn, UnitOfWork

from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.submission import Decision, Outcome, Sending, Submission, Transmission
from revcycle_adjudication_gateway.repositories import interchanges, submissions


async def record_decision(
    uow: UnitOfWork, cause: Cause, before: Sending, decision: Decision, policy: SendingPolicy
) -> None:
    """Write a decision about one transmission that was in state ``before`` and is locked by this transaction."""
    await move_interchange(uow, cause, before, decision.transmission, policy)
    await submissions.save(uow, decision.transmission.submissions, at=cause.now)
    publish(uow, cause, decision.events)


async def move_interchange(
    uow: UnitOfWork, cause: Cause, before: Sending, transmission: Transmission, policy: SendingPolicy
) -> None:
    """Write the state of an interchange, and when somebody has to look at it again, if the state changed.

    An answer of the payer proves that the bytes arrived: it also says what came of an attempt whose worker is gone.
    """
    if transmission.state is Sending.SENT and before is not Sending.SENT:
        await interchanges.settle_attempt(
            uow,
            transmission.interchange_id,
            transmission.attempt,
            outcome=Outcome.TAKEN,
            http_status=None,
            detail="answered",
            at=cause.now,
        )
    if transmission.state is not before:
        await interchanges.set_state(
            uow,
            transmission.interchange_id,
            transmission.state,
            next_at=policy.next_look(before, transmission, cause.now),
            at=cause.now,
        )


def publish(uow: UnitOfWork, cause: Cause, events: Iterable[tuple[Submission, Event]]) -> None:
    """Announce what happened to submissions: about their encounter, after the event that asked for them."""
    for submission, event in events:
        uow.add_event(event, cause.about(submission.encounter_id), depends_on=[submitted(submission)])


def submitted(submission: Submission) -> DependsOn:
    """The ClaimSubmitted event a submission comes from."""
    return DependsOn(CLAIMS_TOPIC, str(submission.claim_id), submission.submitted_sequence)
