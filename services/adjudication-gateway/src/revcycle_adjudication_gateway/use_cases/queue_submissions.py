"""Takes over what claims decided to submit."""

from collections.abc import Sequence

from revcycle_events import ClaimSubmitted
from revcycle_messaging import Received, UnitOfWork

from revcycle_adjudication_gateway.repositories import findings, submissions
from revcycle_adjudication_gateway.repositories.findings import ExceptionItem
from revcycle_adjudication_gateway.repositories.submissions import NewSubmission


async def queue_submissions(uow: UnitOfWork, received: Sequence[Received[ClaimSubmitted]]) -> None:
    """Store each submission and queue it for its payer's route; one without a route waits until there is one.

    A CLM01 and frequency that already stand here are never queued again: the payer takes each once.
    """
    known = await submissions.insert_queued(
        uow, [NewSubmission(each.event, each.envelope.sequence, each.cause.now) for each in received]
    )
    refused = [each for each in received if each.event.submission_id not in known]
    for each in refused:
        item = ExceptionItem(
            exception_id=each.cause.derive("exception"),
            kind="contradiction",
            payer_id=each.event.payer_id,
            reference=each.event.patient_control_number,
            detail="a submission with this CLM01 and frequency is already here; this one was not queued",
            remedy="submit the claim anew, with a new patient control number",
        )
        await findings.insert_exceptions(uow, [item], at=each.cause.now)
