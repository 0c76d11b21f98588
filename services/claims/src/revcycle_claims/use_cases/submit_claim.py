"""Send a claim again, because a biller decided so: a new claim, a replacement or a void."""

from dataclasses import dataclass
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.problems import Conflict, FieldError, NotFound, Unprocessable

from revcycle_claims.domain.advance import Candidate, build_inputs
from revcycle_claims.domain.build_claim import ClaimDraft, Held, build_claim
from revcycle_claims.domain.claim import ORIGINAL, VOID, Claim
from revcycle_claims.domain.decisions import sha256_of
from revcycle_claims.domain.resubmission import refuse_submission
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import ledger
from revcycle_claims.use_cases.advance_claims import (
    Rulebook,
    Workspace,
    open_workspace,
    prerequisites_of,
    record_draft,
)
from revcycle_claims.use_cases.bill_claim import Order, bill_patient, submit

_ANSWERED_BY_RESUBMISSION = ("claim_rejected", "claim_denied", "changed_after_submission")


@dataclass(frozen=True, slots=True)
class SubmitClaim:
    """The command. ``confirm_unchanged``: send although nothing on the claim has changed."""

    claim_id: UUID
    frequency: str
    confirm_unchanged: bool


async def submit_claim(uow: UnitOfWork, rulebook: Rulebook, command: SubmitClaim, cause: Cause) -> None:
    """Build the claim anew from what is known now and send it.

    Raises:
        NotFound: no such claim. Conflict: this claim cannot be sent so now. Unprocessable: it would be held.
    """
    workspace, claim = await open_claim(uow, rulebook, command.claim_id)
    refusal = refuse_submission(claim, command.frequency)
    if refusal is not None:
        raise Conflict(refusal.detail, code=refusal.code)
    candidate = workspace.candidate(claim, cause)
    draft = _build(workspace, candidate, command.frequency, cause)
    if sha256_of(draft) == claim.draft_hash and command.frequency != VOID and not command.confirm_unchanged:
        raise Conflict(
            "nothing on the claim has changed since it was last sent; a correction may still be on its way here: "
            "wait until changed_since_submission is true, or send confirm_unchanged",
            code="nothing_changed",
        )
    changes = workspace.changes
    for kind in _ANSWERED_BY_RESUBMISSION:
        changes.resolve_task(claim.claim_id, kind, "resubmitted", cause.actor, cause)
    book = (await ledger.load_books(uow, [claim.claim_id]))[claim.claim_id]
    claim = claim._replace(payer_id=draft.payer_id, coding_version=candidate.coding.coding_version)
    if draft.self_pay:
        bill_patient(changes, claim, draft, cause, book.charges)
    else:
        charges = {line.line_number: line.charge_cents for line in draft.lines}
        order = Order(
            draft,
            command.frequency,
            candidate.business_date,
            prerequisites_of(candidate),
            book.originals(claim.chain) if command.frequency != ORIGINAL else 0,
        )
        # A void leaves the charges until the payer has taken it.
        submit(changes, claim, order, cause, charges if command.frequency == VOID else book.charges)
    await workspace.flush()


async def open_claim(uow: UnitOfWork, rulebook: Rulebook, claim_id: UUID) -> tuple[Workspace, Claim]:
    """One claim, locked with its anchors. Raises NotFound."""
    found = await claim_rows.read_claim(uow, claim_id)
    if found is None:
        raise NotFound("no claim has this id")
    workspace = await open_workspace(uow, rulebook, encounter_ids=[found.encounter_id])
    await workspace.scrub_ahead()
    return workspace, workspace.claims[found.encounter_id, found.billing_side]


def _build(workspace: Workspace, candidate: Candidate, frequency: str, cause: Cause) -> ClaimDraft:
    """The claim as it would go out now. Raises Unprocessable with every hold."""
    inputs = build_inputs(candidate, workspace.reference, workspace.scrub(candidate))
    if frequency != ORIGINAL:
        # The limit for corrected claims is the payer's own and not that of the first filing.
        inputs = inputs.model_copy(update={"business_date": inputs.visit.date_of_service})
    built = build_claim(inputs)
    if isinstance(built, Held):
        raise Unprocessable(
            "the claim would be held; clear what errors name first",
            code="would_be_held",
            errors=[
                FieldError(item.field, item.rule, f"to be cleared by {item.owner}", item.expected)
                for item in built.reasons
            ],
        )
    record_draft(workspace.changes, candidate.claim, inputs, built, cause)
    return built
