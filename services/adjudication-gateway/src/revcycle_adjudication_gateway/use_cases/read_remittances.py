"""835: kept whole, published once when it balances, held with its failing equations when it does not."""

from collections.abc import Sequence
from uuid import UUID

from revcycle_edi.x12.records import Remittance, RemittanceClaim
from revcycle_events import ClaimLine, ProviderAdjustment, RemittanceReceived, RemittedClaim
from revcycle_messaging import UnitOfWork

from revcycle_adjudication_gateway.domain.adjudication import announce, choose_submission, remit
from revcycle_adjudication_gateway.domain.references import plain
from revcycle_adjudication_gateway.domain.remittance import (
    FailingEquation,
    PaymentKey,
    identity_conflict,
    identity_key,
    payment_key,
)
from revcycle_adjudication_gateway.domain.submission import Submission, adjudicate
from revcycle_adjudication_gateway.repositories import remittances, submissions
from revcycle_adjudication_gateway.repositories.remittances import HELD, PUBLISHED, StoredRemittance
from revcycle_adjudication_gateway.use_cases.answers import Desk
from revcycle_adjudication_gateway.use_cases.record_decisions import submitted

Advice = tuple[Remittance, tuple[FailingEquation, ...]]


async def read_remittances(uow: UnitOfWork, desk: Desk, advices: Sequence[Advice], bytes_sha256: str) -> None:
    """Read the remittances of one inbound interchange: the same one again is counted and dropped."""
    keys = [identity_key(desk.payer_id, remittance) for remittance, _ in advices]
    known = await remittances.count_copies(uow, keys)
    payments = await remittances.published_payments(
        uow, [payment_key(desk.payer_id, remittance) for remittance, _ in advices]
    )
    lines = await submissions.lines(uow, _candidates(desk, advices))
    new: list[StoredRemittance] = []
    for (remittance, failing), key in zip(advices, keys, strict=True):
        if key in known:
            continue
        known.add(key)
        stored = _read(
            desk, remittance, _objections(desk.payer_id, remittance, failing, payments), key, len(new), lines
        )
        new.append(stored)
        if stored.state == PUBLISHED:
            payments.add(payment_key(desk.payer_id, remittance))
            _publish(uow, desk, stored, bytes_sha256)
        else:
            _hold(desk, stored)
    await remittances.insert(uow, new, at=desk.cause.now)


def _objections(
    payer_id: str, remittance: Remittance, failing: tuple[FailingEquation, ...], payments: set[PaymentKey]
) -> tuple[FailingEquation, ...]:
    key = payment_key(payer_id, remittance)
    return (*failing, identity_conflict(key)) if key in payments else failing


def _read(
    desk: Desk,
    remittance: Remittance,
    failing: tuple[FailingEquation, ...],
    key: str,
    ordinal: int,
    lines: dict[UUID, list[ClaimLine]],
) -> StoredRemittance:
    remittance_id = desk.cause.derive("remittance", ordinal)
    claims = [_read_claim(desk, claim, lines, remittance_id, decides=not failing) for claim in remittance.claims]
    return StoredRemittance(
        remittance_id=remittance_id,
        state=HELD if failing else PUBLISHED,
        identity_key=key,
        payer_id=desk.payer_id,
        trace_number=payment_key(desk.payer_id, remittance).trace_number,
        payment_date=remittance.payment_date,
        payment_method=remittance.payment_method,
        paid_cents=remittance.paid_cents,
        interchange_id=desk.received_in,
        failing=failing,
        claims=claims,
        provider_adjustments=[
            ProviderAdjustment(
                reason=each.reason_code, reference=each.reference or None, amount_cents=each.amount_cents
            )
            for each in remittance.provider_adjustments
        ],
    )


def _read_claim(
    desk: Desk,
    claim: RemittanceClaim,
    lines: dict[UUID, list[ClaimLine]],
    remittance_id: UUID,
    *,
    decides: bool,
) -> RemittedClaim:
    """One CLP. It proves that its submission arrived; it decides only in a remittance that is published."""
    submission = _submission(desk, claim)
    if submission is None:
        if decides:
            _raise_unknown(desk, claim)
        return remit(claim, None, ())
    desk.arrived(submission.interchange_id)
    submission = desk.submission(submission.submission_id)
    remitted = remit(claim, submission, lines.get(submission.submission_id, ()))
    if decides:
        decided = adjudicate(submission, is_reversal=claim.is_reversal, control_number=claim.payer_claim_control_number)
        desk.replace(decided)
        adjudicated, denied = announce(remitted, decided, remittance_id)
        desk.announce(decided, adjudicated)
        if denied is not None:
            desk.announce(decided, denied)
    return remitted


def _publish(uow: UnitOfWork, desk: Desk, stored: StoredRemittance, bytes_sha256: str) -> None:
    event = RemittanceReceived(
        remittance_id=stored.remittance_id,
        payer_id=stored.payer_id,
        trace_number=stored.trace_number,
        payment_date=stored.payment_date,
        payment_method=stored.payment_method,
        paid_cents=stored.paid_cents,
        identity_key=stored.identity_key,
        bytes_sha256=bytes_sha256,
        claims=list(stored.claims),
        provider_adjustments=list(stored.provider_adjustments),
    )
    known = {claim.submission_id for claim in stored.claims if claim.submission_id is not None}
    depends_on = sorted({submitted(desk.submission(submission_id)) for submission_id in known})
    uow.add_event(event, desk.cause.about(stored.remittance_id), depends_on=depends_on)


def _hold(desk: Desk, stored: StoredRemittance) -> None:
    first = stored.failing[0]
    desk.raise_exception(
        "remittance_held",
        stored.trace_number,
        f"{len(stored.failing)} equations fail, first {first.equation} at {first.place}: "
        f"{first.left_cents} against {first.right_cents} cents",
        "ask the payer for a corrected 835; GET /v1/remittances/{id} lists every failing equation",
    )


def _raise_unknown(desk: Desk, claim: RemittanceClaim) -> None:
    desk.raise_exception(
        "remittance_claim_unknown",
        claim.claim_id,
        "a remitted claim has a CLP01 and CLP07 that no submission here has",
        "find the claim the payment belongs to, or return the payment",
    )


def _submission(desk: Desk, claim: RemittanceClaim) -> Submission | None:
    references = desk.references
    found = references.by_claim.get(plain(claim.claim_id)) or references.by_payer_number.get(
        plain(claim.payer_claim_control_number), []
    )
    return choose_submission([desk.submission(each) for each in found], claim)


def _candidates(desk: Desk, advices: Sequence[Advice]) -> list[UUID]:
    references = desk.references
    found: set[UUID] = set()
    for remittance, _ in advices:
        for claim in remittance.claims:
            found.update(references.by_claim.get(plain(claim.claim_id), ()))
            found.update(references.by_payer_number.get(plain(claim.payer_claim_control_number), ()))
    return sorted(found)
