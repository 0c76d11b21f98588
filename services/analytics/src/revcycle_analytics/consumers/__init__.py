"""Every stream, one handler per kind of event: what it adds goes into the rollups in the same transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from revcycle_events import (
    AdjustmentPosted,
    ClaimAdjudicated,
    ClaimClosed,
    ClaimDenied,
    ClaimDrafted,
    ClaimHeld,
    ClaimRejected,
    ClaimSubmitted,
    DepositReceived,
    EncounterCoded,
    EncounterDocumented,
    EncounterOpened,
    Event,
    PatientBilled,
    PatientRegistered,
    PaymentPosted,
    RemittanceReceived,
)
from revcycle_messaging import Handler, Received, UnitOfWork

from revcycle_analytics.domain import measures
from revcycle_analytics.domain.measures import Denial, Sums
from revcycle_analytics.repositories import rollups

DENIED_OUTCOMES = frozenset({"denied", "unprocessable"})


async def on_submitted(uow: UnitOfWork, received: Sequence[Received[ClaimSubmitted]]) -> None:
    """Claims, charges and charge lag, by the business date of the submission."""
    sums = Sums()
    for event in (one.event for one in received):
        sums += measures.of_submission(
            event.business_date, event.payer_id, event.date_of_service, event.charge_cents, event.frequency
        )
    await rollups.add(uow, sums)


async def on_payments(uow: UnitOfWork, received: Sequence[Received[PaymentPosted]]) -> None:
    """Payments; a reversed payment is negative, so plain addition keeps the sums exact."""
    sums = Sums()
    for one in received:
        sums.update(measures.of_payment(one.envelope.time.date(), one.event.payer_id, one.event.paid_cents))
    await rollups.add(uow, sums)


async def on_adjustments(uow: UnitOfWork, received: Sequence[Received[AdjustmentPosted]]) -> None:
    """Adjustments by the ledger account they were posted to."""
    sums = Sums()
    for one in received:
        posted = [(item.account, item.carc, item.amount_cents) for item in one.event.adjustments]
        sums.update(measures.of_adjustments(one.envelope.time.date(), one.event.payer_id, posted))
    await rollups.add(uow, sums)


async def on_adjudicated(uow: UnitOfWork, received: Sequence[Received[ClaimAdjudicated]]) -> None:
    """Adjudications and first answers; a reversal takes back money, not the answer."""
    decided = [one for one in received if not one.event.is_reversal]
    first = await rollups.note_first_answers(uow, [one.event.claim_id for one in decided])
    sums = Sums()
    for one in decided:
        denied = sum(line.outcome in DENIED_OUTCOMES for line in one.event.lines)
        is_first = one.event.claim_id in first
        first.discard(one.event.claim_id)
        sums.update(
            measures.of_adjudication(
                one.envelope.time.date(), one.event.payer_id, first_answer=is_first, denied_lines=denied
            )
        )
    await rollups.add(uow, sums)


async def on_rejected(uow: UnitOfWork, received: Sequence[Received[ClaimRejected]]) -> None:
    """A rejection is a first answer that did not pass."""
    first = await rollups.note_first_answers(uow, [one.event.claim_id for one in received])
    sums = Sums()
    for one in received:
        day, payer_id = one.envelope.time.date(), one.event.payer_id
        sums.update(measures.counted("claims_rejected", day, payer_id))
        if one.event.claim_id in first:
            first.discard(one.event.claim_id)
            sums.update(measures.of_first_answer(day, payer_id, passed=False))
    await rollups.add(uow, sums)


async def on_denied(uow: UnitOfWork, received: Sequence[Received[ClaimDenied]]) -> None:
    """Causes of denials."""
    sums = Sums()
    for one in received:
        denials = [Denial(cause.carc, cause.amount_cents) for cause in one.event.causes]
        sums.update(measures.of_denials(one.envelope.time.date(), one.event.payer_id, denials))
    await rollups.add(uow, sums)


async def on_remittances(uow: UnitOfWork, received: Sequence[Received[RemittanceReceived]]) -> None:
    """The payers' advice."""
    sums = Sums()
    for one in received:
        day = one.envelope.time.date()
        sums.update(measures.counted("remittances", day, one.event.payer_id))
        sums.update(measures.counted("advice_cents", day, one.event.payer_id, one.event.paid_cents))
    await rollups.add(uow, sums)


async def on_deposits(uow: UnitOfWork, received: Sequence[Received[DepositReceived]]) -> None:
    """The bank's money."""
    sums = Sums()
    for one in received:
        sums.update(
            measures.counted("deposit_cents", one.event.deposit_date, one.event.payer_id, one.event.amount_cents)
        )
    await rollups.add(uow, sums)


def counting(measure: str) -> Handler:
    """A handler that counts events of a type per day."""

    async def count(uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
        sums = Sums()
        for one in received:
            payer_id = getattr(one.event, "payer_id", None) or measures.NOBODY
            sums.update(measures.counted(measure, one.envelope.time.date(), payer_id))
        await rollups.add(uow, sums)

    return count


HANDLERS: Mapping[type[Event], Handler] = {
    PatientRegistered: counting("patients_registered"),
    EncounterOpened: counting("encounters_blocked"),
    EncounterDocumented: counting("encounters_documented"),
    EncounterCoded: counting("encounters_coded"),
    ClaimDrafted: counting("claims_drafted"),
    ClaimHeld: counting("claims_held"),
    ClaimSubmitted: on_submitted,
    PaymentPosted: on_payments,
    AdjustmentPosted: on_adjustments,
    PatientBilled: counting("patients_billed"),
    ClaimClosed: counting("claims_closed"),
    ClaimAdjudicated: on_adjudicated,
    ClaimRejected: on_rejected,
    ClaimDenied: on_denied,
    RemittanceReceived: on_remittances,
    DepositReceived: on_deposits,
}
