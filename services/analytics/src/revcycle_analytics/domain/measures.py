"""What each event adds to the sums that every KPI is made of.

A measure is a sum of integers per day, payer and CARC. Every measure comes from one stream only, so the order in which
topics reach us changes nothing; and an event is applied once, so the sums are exact. Money is integer cents.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

NOBODY = ""
"""Payer id or CARC of a sum that has none."""


class Place(NamedTuple):
    """Where a number is added: measure, day, payer and CARC."""

    measure: str
    day: date
    payer_id: str = NOBODY
    carc: str = NOBODY


Sums = Counter[Place]


class Adjustment(Protocol):
    """A posted adjustment as the claims stream tells it."""

    @property
    def account(self) -> str:
        """Ledger account it was posted to."""

    @property
    def amount_cents(self) -> int:
        """Positive lowers what is open with the payer."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A denied line: CARC and the amount at stake."""

    carc: str
    amount_cents: int


ACCOUNT_MEASURES = {
    "contractual_adjustment": "contractual_cents",
    "other_adjustment": "other_adjustment_cents",
    "receivable_patient": "patient_responsibility_cents",
}


def of_submission(business_date: date, payer_id: str, service_date: date, charge_cents: int, frequency: str) -> Sums:
    """A submission: the charge counts once per claim, with its first one; the lag is in whole days."""
    sums = Sums({Place("submissions", business_date, payer_id): 1})
    if frequency == "1":
        sums[Place("claims_submitted", business_date, payer_id)] = 1
        sums[Place("charge_cents", business_date, payer_id)] = charge_cents
        sums[Place("charge_lag_days", business_date, payer_id)] = (business_date - service_date).days
    return sums


def of_payment(day: date, payer_id: str, paid_cents: int) -> Sums:
    """A posted payment, negative when reversed."""
    return Sums({Place("paid_cents", day, payer_id): paid_cents})


def of_adjustments(day: date, payer_id: str, adjustments: list[tuple[str, str, int]]) -> Sums:
    """Posted adjustments as (account, CARC, cents); what stays open with the payer is no measure of its own."""
    sums = Sums()
    for account, carc, amount_cents in adjustments:
        measure = ACCOUNT_MEASURES.get(account)
        if measure is not None:
            sums[Place(measure, day, payer_id, carc)] += amount_cents
    return sums


def of_adjudication(day: date, payer_id: str, *, first_answer: bool, denied_lines: int) -> Sums:
    """An adjudication; first pass means: the payer's first answer, and no line denied."""
    sums = Sums({Place("claims_adjudicated", day, payer_id): 1})
    if denied_lines:
        sums[Place("claims_denied", day, payer_id)] = 1
    if first_answer:
        sums += of_first_answer(day, payer_id, passed=denied_lines == 0)
    return sums


def of_first_answer(day: date, payer_id: str, *, passed: bool) -> Sums:
    """The payer's first answer to a claim: a rejection before adjudication never passes."""
    sums = Sums({Place("first_answers", day, payer_id): 1})
    if passed:
        sums[Place("first_pass", day, payer_id)] = 1
    return sums


def of_denials(day: date, payer_id: str, denials: list[Denial]) -> Sums:
    """Denied lines and cents by CARC; a claim counts once per CARC."""
    sums = Sums()
    for denial in denials:
        sums[Place("lines_denied", day, payer_id, denial.carc)] += 1
        sums[Place("denied_cents", day, payer_id, denial.carc)] += denial.amount_cents
    for carc in {denial.carc for denial in denials}:
        sums[Place("claims_denied_by_carc", day, payer_id, carc)] += 1
    return sums


def counted(measure: str, day: date, payer_id: str = NOBODY, value: int = 1) -> Sums:
    """One number in one place."""
    return Sums({Place(measure, day, payer_id): value})
