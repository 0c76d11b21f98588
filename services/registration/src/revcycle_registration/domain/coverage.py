"""Coverages of a patient: one identity per policy period, and one answer to "who was primary on this date".

A stated coverage is the same as a known one when payer and member id agree and the periods overlap: then a difference
in rank, dates, group or subscriber corrects what was believed. Without overlap it is a new period of the policy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from revcycle_registration.domain.encounter_file import SELF_PAY, CoveragePart

# Self-pay has no first day; a fixed one keeps it in force on every date of service.
SELF_PAY_FROM = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who holds the policy when the patient does not."""

    last_name: str
    first_name: str
    birth_date: date | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What was stated of a coverage. ``effective_to`` is the last day in force; None: open."""

    rank: int
    payer_id: str
    member_id: str
    group_number: str | None
    relationship: str
    effective_from: date
    effective_to: date | None
    subscriber: Subscriber | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """A policy period of a patient."""

    id: UUID
    patient_id: UUID
    policy: Policy


def read_policy(part: CoveragePart, path: str) -> Policy | tuple[str, ...]:
    """The policy a sender stated, or the names of the fields without which it cannot be billed."""
    self_pay = part.payer_id == SELF_PAY
    rank = part.rank or (1 if self_pay else None)
    member_id = part.member_id or (SELF_PAY if self_pay else None)
    relationship = part.relationship or ("self" if self_pay else None)
    effective_from = part.effective_from or (SELF_PAY_FROM if self_pay else None)
    holder_known = part.subscriber is not None or relationship == "self"
    if (
        part.payer_id is not None
        and rank is not None
        and member_id is not None
        and relationship is not None
        and effective_from is not None
        and holder_known
    ):
        return Policy(
            rank=rank,
            payer_id=part.payer_id,
            member_id=member_id,
            group_number=part.group_number,
            relationship=relationship,
            effective_from=effective_from,
            effective_to=part.effective_to,
            subscriber=_subscriber(part),
        )
    values = {
        "rank": rank,
        "payer_id": part.payer_id,
        "member_id": member_id,
        "relationship": relationship,
        "effective_from": effective_from,
        "subscriber": holder_known or relationship is None or None,
    }
    return tuple(f"{path}.{name}" for name, value in values.items() if value is None)


def _subscriber(part: CoveragePart) -> Subscriber | None:
    if part.subscriber is None:
        return None
    holder = part.subscriber
    return Subscriber(holder.last_name, holder.first_name, holder.birth_date, holder.sex)


def in_force(policy: Policy, on: date) -> bool:
    """Whether the policy covers a day; both ends count."""
    return policy.effective_from <= on and (policy.effective_to is None or on <= policy.effective_to)


def overlap(one: Policy, other: Policy) -> bool:
    """Whether two policies share a day."""
    return (one.effective_to is None or other.effective_from <= one.effective_to) and (
        other.effective_to is None or one.effective_from <= other.effective_to
    )


def same_coverage(known: Iterable[Coverage], stated: Policy) -> Coverage | None:
    """The known coverage a stated policy is about, or None when it is a new one."""
    same = [
        coverage
        for coverage in known
        if (coverage.policy.payer_id, coverage.policy.member_id) == (stated.payer_id, stated.member_id)
        and overlap(coverage.policy, stated)
    ]
    # Several periods of one policy: the one stated is that with most days in common. The first one would take over the
    # next one's period and lose its own.
    return max(same, key=lambda coverage: _likeness(coverage.policy, stated), default=None)


def _likeness(one: Policy, other: Policy) -> tuple[int, int]:
    """Days in common, then how near the beginnings are."""
    last = min(one.effective_to or date.max, other.effective_to or date.max)
    shared = last - max(one.effective_from, other.effective_from)
    return shared.days, -abs((one.effective_from - other.effective_from).days)


def correct(known: Coverage, stated: Policy) -> Coverage | None:
    """The corrected coverage, or None when nothing changes. What was stated as null keeps its value, but for the end:
    an end may be withdrawn."""
    policy = known.policy
    merged = replace(
        stated,
        group_number=stated.group_number or policy.group_number,
        subscriber=_subscriber_with(policy.subscriber, stated.subscriber) if stated.relationship != "self" else None,
    )
    return None if merged == policy else replace(known, policy=merged)


def _subscriber_with(known: Subscriber | None, stated: Subscriber | None) -> Subscriber | None:
    """Of the same holder what is left out keeps its value; another name is another person."""
    if known is None or stated is None:
        return stated or known
    if (known.last_name, known.first_name) != (stated.last_name, stated.first_name):
        return stated
    return replace(stated, birth_date=stated.birth_date or known.birth_date, sex=stated.sex or known.sex)


def _billing_order(coverage: Coverage) -> tuple[int, bool, int, str, str]:
    policy = coverage.policy
    return (
        policy.rank,
        policy.payer_id == SELF_PAY,
        -policy.effective_from.toordinal(),
        policy.payer_id,
        policy.member_id,
    )


def in_billing_order(coverages: Iterable[Coverage], on: date) -> Sequence[Coverage]:
    """Coverages in force on a date, primary first: by rank, an insurer before self-pay, then the newest policy.

    The order depends only on what the coverage events carry, so every service finds the same primary.
    """
    return sorted((each for each in coverages if in_force(each.policy, on)), key=_billing_order)
