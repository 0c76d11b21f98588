"""One identity per policy period, and one answer to who was primary on a date."""

from dataclasses import replace
from datetime import date
from itertools import permutations
from uuid import UUID

from revcycle_registration.domain.coverage import (
    Coverage,
    Policy,
    Subscriber,
    correct,
    in_billing_order,
    in_force,
    read_policy,
    same_coverage,
)
from revcycle_registration.domain.encounter_file import CoveragePart

PATIENT = UUID(int=1)
OPEN = Policy(1, "REVPAY1", "TEST1", None, "self", date(2026, 1, 1), None, None)


def coverage(number: int, policy: Policy) -> Coverage:
    return Coverage(UUID(int=number), PATIENT, policy)


def test_both_ends_of_a_coverage_are_in_force() -> None:
    policy = replace(OPEN, effective_to=date(2026, 6, 30))
    assert [in_force(policy, date(2026, month, day)) for month, day in ((1, 1), (6, 30), (7, 1))] == [
        True,
        True,
        False,
    ]
    assert not in_force(policy, date(2025, 12, 31))


def test_primary_does_not_depend_on_the_order_in_which_coverages_became_known() -> None:
    coverages = [
        coverage(1, replace(OPEN, rank=2)),
        coverage(2, replace(OPEN, payer_id="SELFPAY", effective_from=date(2026, 5, 1))),
        coverage(3, replace(OPEN, payer_id="REVPAY2")),
        coverage(4, replace(OPEN, payer_id="REVPAY3", effective_from=date(2026, 4, 1))),
        coverage(5, replace(OPEN, payer_id="REVPAY9", effective_to=date(2026, 2, 1))),
    ]
    for order in permutations(coverages):
        assert [each.id.int for each in in_billing_order(order, date(2026, 8, 1))] == [4, 3, 2, 1]


def test_a_policy_is_the_same_coverage_while_the_periods_overlap_and_a_new_one_after() -> None:
    ended = coverage(1, replace(OPEN, effective_to=date(2026, 6, 30)))
    assert same_coverage([ended], replace(OPEN, effective_from=date(2026, 6, 30))) is ended
    assert same_coverage([ended], replace(OPEN, effective_from=date(2026, 7, 1))) is None
    assert same_coverage([ended], replace(OPEN, member_id="TEST2")) is None


def test_of_several_periods_of_a_policy_the_one_most_like_what_is_stated_is_corrected() -> None:
    """Renewed a fortnight earlier than was known: last year's coverage became this year's, and its visits had none."""
    last = coverage(1, replace(OPEN, effective_from=date(2025, 1, 1), effective_to=date(2025, 12, 31)))
    this = coverage(2, OPEN)
    for known in ([last, this], [this, last]):
        assert same_coverage(known, replace(OPEN, effective_from=date(2025, 12, 15))) is this
        assert same_coverage(known, replace(last.policy, effective_to=date(2026, 1, 2))) is last
        assert same_coverage(known, this.policy) is this
    longer = coverage(3, replace(OPEN, effective_from=date(2025, 1, 1)))
    for known in ([longer, this], [this, longer]):
        assert (same_coverage(known, OPEN), same_coverage(known, longer.policy)) == (this, longer)


def test_what_a_later_file_leaves_out_is_not_forgotten_but_an_end_may_be_withdrawn() -> None:
    known = coverage(1, replace(OPEN, group_number="G1", effective_to=date(2026, 6, 30)))
    corrected = correct(known, OPEN)
    assert corrected is not None
    assert corrected.policy.group_number == "G1"
    assert corrected.policy.effective_to is None
    assert correct(corrected, OPEN) is None


def test_birth_date_and_sex_of_the_same_holder_are_not_forgotten_and_those_of_another_not_kept() -> None:
    holder = Subscriber("Holder", "Hal", date(1970, 1, 1), "M")
    known = coverage(1, replace(OPEN, relationship="spouse", subscriber=holder))
    assert correct(known, replace(known.policy, subscriber=replace(holder, birth_date=None, sex=None))) is None
    other = Subscriber("Holder", "Hannah")
    corrected = correct(known, replace(known.policy, subscriber=other))
    assert corrected is not None and corrected.policy.subscriber == other
    own = correct(known, OPEN)
    assert own is not None and own.policy.subscriber is None


def test_an_incomplete_coverage_names_what_keeps_it_from_being_billed() -> None:
    part = CoveragePart(payer_id="REVPAY1", rank=1, relationship="spouse")
    assert read_policy(part, "coverages[0]") == (
        "coverages[0].member_id",
        "coverages[0].effective_from",
        "coverages[0].subscriber",
    )


def test_self_pay_needs_nothing_but_its_name_and_is_always_in_force() -> None:
    policy = read_policy(CoveragePart(payer_id="SELFPAY"), "coverages[0]")
    assert isinstance(policy, Policy)
    assert in_force(policy, date(1999, 1, 1)) and in_force(policy, date(2026, 8, 15))
