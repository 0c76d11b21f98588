"""What timers do when they ring: lock what they are about, look again, decide as of the time they were due.

Each comes in two steps, the locks first: whoever changes a claim or a trace number holds its lock when it cancels the
timer, so the timer's own row is locked behind it.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from revcycle_messaging import UnitOfWork
from revcycle_service_kit.timers import DueTimer

from revcycle_claims.domain.claim import Claim, Outcome, Preparation
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import queries, reference
from revcycle_claims.use_cases.advance_claims import BusinessDay
from revcycle_claims.use_cases.bill_claim import FILING_TASK, FILING_WARNING_DAYS
from revcycle_claims.use_cases.changes import Changes, Work
from revcycle_claims.use_cases.match_deposits import Clearing, open_clearing


async def lock_claims_of(uow: UnitOfWork, due: Sequence[DueTimer]) -> dict[UUID, Claim]:
    """The claims that timers are about, locked."""
    return await claim_rows.lock_claims(uow, [_subject(timer) for timer in due])


async def warn_of_filing_deadlines(
    business_day: BusinessDay, uow: UnitOfWork, due: Sequence[DueTimer], locked: dict[UUID, Claim]
) -> None:
    """Claims still unsettled some days before the last day the payer takes them become work."""
    causes = {_subject(timer): timer.cause for timer in due}
    claims = {claim_id: claim for claim_id, claim in locked.items() if claim_id in causes}
    zones = await reference.time_zones(uow)
    changes = Changes(uow, claims)
    await changes.load_tasks(claims)
    for claim in list(claims.values()):
        cause = causes[claim.claim_id]
        today = business_day(zones.get(claim.facility_npi or "", "UTC"), cause.now)
        if claim.filing_deadline is None or _is_settled(claim):
            continue
        if today >= claim.filing_deadline - timedelta(days=FILING_WARNING_DAYS):
            work = Work(
                FILING_TASK,
                "billing",
                f"unsettled {FILING_WARNING_DAYS} days before the payer's filing limit",
                "clear what the claim waits for; afterwards the payer need not take it",
                claim.charge_cents,
                claim.filing_deadline,
            )
            changes.open_claim_task(claim, work, cause)
    await changes.flush()


def _is_settled(claim: Claim) -> bool:
    if claim.state in (Preparation.PATIENT_ONLY, Preparation.NOT_BILLABLE, Preparation.VOIDED):
        return True
    return claim.outcome in (Outcome.PAID, Outcome.PARTLY_PAID, Outcome.DENIED)


async def lock_advice(uow: UnitOfWork, due: Sequence[DueTimer]) -> Clearing:
    """The trace numbers of remittances, locked, with what stands under them."""
    return await open_clearing(Changes(uow), await queries.remittance_traces(uow, map(_subject, due)))


async def miss_money(uow: UnitOfWork, due: Sequence[DueTimer], clearing: Clearing) -> None:
    """Remittances without a deposit for some days become work."""
    causes = {_subject(timer): timer.cause for timer in due}
    changes = clearing.changes
    paid = {deposit.remittance_id for deposits in clearing.deposits.values() for deposit in deposits}
    for remittance in (item for items in clearing.remittances.values() for item in items):
        cause = causes.get(remittance.remittance_id)
        if cause is not None and remittance.state == "posted" and remittance.remittance_id not in paid:
            work = Work(
                "advice_without_money",
                "billing",
                "the payer advised a payment and no deposit has come",
                "ask the payer to trace the payment",
                remittance.paid_cents,
            )
            changes.open_money_task("remittance", remittance.remittance_id, work, cause)
    await changes.flush()


async def lock_cash(uow: UnitOfWork, due: Sequence[DueTimer]) -> Clearing:
    """The trace numbers of deposits, locked, with what stands under them."""
    return await open_clearing(Changes(uow), await queries.deposit_traces(uow, map(_subject, due)))


async def miss_advice(uow: UnitOfWork, due: Sequence[DueTimer], clearing: Clearing) -> None:
    """Deposits without a remittance for some days become work."""
    causes = {_subject(timer): timer.cause for timer in due}
    changes = clearing.changes
    for deposit in (item for items in clearing.deposits.values() for item in items):
        cause = causes.get(deposit.deposit_id)
        if cause is not None and deposit.remittance_id is None:
            work = Work(
                "money_without_advice",
                "billing",
                "money came from a payer without a remittance",
                "ask the payer for the remittance of this trace number",
                deposit.amount_cents,
            )
            changes.open_money_task("deposit", deposit.deposit_id, work, cause)
    await changes.flush()


def _subject(timer: DueTimer) -> UUID:
    """What a timer is about: its aggregate is ``claim/<id>``, ``remittance/<id>`` or ``deposit/<id>``."""
    return UUID(timer.aggregate.partition("/")[2])
