"""The only place where the parts of the service are wired together."""

from functools import partial
from typing import Final

from revcycle_service_kit.context import ServiceContext, ServiceParts
from revcycle_service_kit.problems import ProblemType
from revcycle_service_kit.timers import TimerKind

from revcycle_claims.api import claims, money, tasks
from revcycle_claims.api.access import ACCESS
from revcycle_claims.api.examples import EXAMPLES
from revcycle_claims.consumers import handlers
from revcycle_claims.repositories.figures import FIGURES
from revcycle_claims.rulebook import rulebook_of
from revcycle_claims.use_cases.advance_claims import SWEEP_TIMER
from revcycle_claims.use_cases.bill_claim import FILING_TIMER
from revcycle_claims.use_cases.lock_chunk import lock_chunk
from revcycle_claims.use_cases.match_deposits import ADVICE_TIMER, CASH_TIMER
from revcycle_claims.use_cases.ring_timers import (
    lock_advice,
    lock_cash,
    lock_claims_of,
    miss_advice,
    miss_money,
    warn_of_filing_deadlines,
)
from revcycle_claims.use_cases.sweep_claims import lock_sweep, sweep_claims

DESCRIPTION: Final = """
Builds claims from coded encounters, holds or submits them, posts remittances and deposits to a double-entry ledger,
bills patients, and keeps the work that is left: what, why, whose, until when, how much. Money is integer cents.
"""
PROBLEMS: Final = {
    "not_rejected": ProblemType(
        409, "A new claim (frequency 1) follows a rejection or an unprocessable denial only; else replace it."
    ),
    "rejected": ProblemType(409, "The payer has no claim to replace or void: send a new one (frequency 1)."),
    "nothing_changed": ProblemType(
        409, "The claim would be the one sent last: wait for the correction, or send confirm_unchanged."
    ),
    "submission_unresolved": ProblemType(409, "The payer has not answered the last submission: wait for its answer."),
    "payer_control_number_missing": ProblemType(
        409, "A replacement or void names the payer's control number; none has come yet."
    ),
    "not_submitted": ProblemType(409, "The claim has not gone out; it is sent by itself once its holds are cleared."),
    "too_many_submissions": ProblemType(409, "The claim was sent too often; talk to the payer instead."),
    "would_be_held": ProblemType(422, "The claim would be held: clear what errors name, then send it again."),
    "not_in_preparation": ProblemType(409, "Only a claim that has not gone out can be held or released."),
    "already_resolved": ProblemType(409, "The work item is resolved already."),
    "resolves_itself": ProblemType(409, "The work item is resolved by itself once the claim's holds are cleared."),
    "no_acceptable_row": ProblemType(
        422, "No row of the fee schedule is acceptable: errors name what is wrong with each."
    ),
    "deposit_count": ProblemType(422, "A deposit list has 1 to 5000 rows: split it."),
    "csv_invalid": ProblemType(400, "The CSV body cannot be read: check header, quotes and encoding."),
}


def build(context: ServiceContext) -> ServiceParts:
    """The parts of claims."""
    business_day, rulebook = context.clock.business_date, rulebook_of(context)
    return ServiceParts(
        name="claims",
        schema="claims",
        title="claims",
        description=DESCRIPTION.strip(),
        migrations="revcycle_claims.migrations",
        routers=(claims.router, tasks.router, money.router),
        access=ACCESS,
        handlers=handlers(rulebook),
        timers={
            FILING_TIMER: TimerKind(lock_claims_of, partial(warn_of_filing_deadlines, business_day)),
            ADVICE_TIMER: TimerKind(lock_advice, miss_money),
            CASH_TIMER: TimerKind(lock_cash, miss_advice),
            SWEEP_TIMER: TimerKind(
                partial(lock_sweep, rulebook, context.clock.now), partial(sweep_claims, context.clock.now)
            ),
        },
        lock_chunk=lock_chunk,
        body_limits={"/v1/fee-schedules": money.FEE_SCHEDULE_BYTES, "/v1/deposits": money.DEPOSIT_BYTES},
        problems=PROBLEMS,
        examples=EXAMPLES,
        figures=FIGURES,
    )
