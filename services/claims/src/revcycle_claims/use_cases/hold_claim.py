"""Hold a claim back by hand, and let it go again."""

from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.problems import Conflict

from revcycle_claims.domain.claim import Preparation
from revcycle_claims.use_cases.advance_claims import Rulebook
from revcycle_claims.use_cases.submit_claim import open_claim


async def hold_claim(uow: UnitOfWork, rulebook: Rulebook, claim_id: UUID, reason: str, cause: Cause) -> None:
    """Keep a claim from going out until a person releases it.

    Raises:
        NotFound: no such claim. Conflict: it has gone out, or is not billed at all.
    """
    await _set_hold(uow, rulebook, claim_id, reason, cause)


async def release_claim(uow: UnitOfWork, rulebook: Rulebook, claim_id: UUID, cause: Cause) -> None:
    """Take a hold by hand away; other holds stay.

    Raises:
        NotFound: no such claim. Conflict: it has gone out, or is not billed at all.
    """
    await _set_hold(uow, rulebook, claim_id, None, cause)


async def _set_hold(uow: UnitOfWork, rulebook: Rulebook, claim_id: UUID, reason: str | None, cause: Cause) -> None:
    workspace, claim = await open_claim(uow, rulebook, claim_id)
    if claim.state not in (Preparation.WAITING, Preparation.HELD):
        raise Conflict("only a claim that has not gone out can be held or released", code="not_in_preparation")
    side = claim.encounter_id, claim.billing_side
    workspace.claims[side] = claim._replace(manual_hold=reason)
    workspace.advance(side, cause)
    await workspace.flush()
