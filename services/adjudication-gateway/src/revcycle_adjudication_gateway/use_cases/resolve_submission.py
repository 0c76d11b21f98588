"""A named person decides whether an unknown transmission arrived."""

from typing import Literal
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork

from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.submission import NotUnknown, Sending, resolve
from revcycle_adjudication_gateway.repositories import findings, interchanges, submissions
from revcycle_adjudication_gateway.repositories.findings import Resolution
from revcycle_adjudication_gateway.use_cases.record_decisions import record_decision


async def resolve_submission(
    uow: UnitOfWork,
    cause: Cause,
    submission_id: UUID,
    resolution: Literal["sent", "not_sent"],
    reason: str,
    policy: SendingPolicy,
) -> bool:
    """Decide about the interchange a submission is in: its bytes are one unit. False: no such submission.

    Raises:
        NotUnknown: the submission is not unknown (any more).
    """
    homes = await submissions.homes(uow, [submission_id])
    if submission_id not in homes:
        return False
    home = homes[submission_id]
    if home is None:
        raise NotUnknown(Sending.QUEUED)
    transmission = (await interchanges.lock_transmissions(uow, [home]))[home]
    decision = resolve(transmission, arrived=resolution == "sent")
    await record_decision(uow, cause, transmission.state, decision, policy)
    decided = Resolution(
        resolution_id=cause.derive("resolution"),
        submission_id=submission_id,
        interchange_id=home,
        attempt=transmission.attempt,
        resolution=resolution,
        reason=reason,
        resolved_by=cause.actor,
    )
    await findings.insert_resolution(uow, decided, at=cause.now)
    return True
