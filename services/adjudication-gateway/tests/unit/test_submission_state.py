"""The state machine of a submission: no path delivers twice without a definite word that nothing arrived."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from revcycle_adjudication_gateway.domain.submission import (
    Answer,
    NotUnknown,
    Outcome,
    Sending,
    Submission,
    Transmission,
    acknowledge,
    adjudicate,
    arrive,
    lose_worker,
    pend,
    record_absence,
    reject,
    resolve,
    send_again,
    settle,
)
from revcycle_events import (
    ClaimAcknowledged,
    ClaimRejected,
    ClaimTransmitted,
    RejectionReason,
    TransmissionUnknown,
)

INTERCHANGE = UUID(int=100)


def make_submission(number: int, **changes: object) -> Submission:
    submission = Submission(
        submission_id=UUID(int=number),
        claim_id=UUID(int=number + 1000),
        encounter_id=UUID(int=number + 2000),
        payer_id="REVPAY1",
        patient_control_number=f"RC{number:06d}",
        frequency="1",
        submitted_sequence=1,
        sending=Sending.INTENT,
        interchange_id=INTERCHANGE,
    )
    return replace(submission, **changes)  # type: ignore[arg-type]  # keyword fields of the dataclass


def make_transmission(count: int = 2, state: Sending = Sending.INTENT, attempt: int = 1) -> Transmission:
    members = tuple(make_submission(number, sending=state) for number in range(1, count + 1))
    return Transmission(INTERCHANGE, "REVPAY1", "000000017", "0" * 64, state, attempt, members)


class Payer:
    """A payer that keeps the one promise real ones make: what it denied knowing, it never completes afterwards."""

    def __init__(self) -> None:
        self.arrivals = 0
        self.denied_before = 0

    def receive(self, delivery: int) -> bool:
        if delivery <= self.denied_before:
            return False
        self.arrivals += 1
        return True


class Delivering(RuleBasedStateMachine):
    """Any order of losses, late outcomes, questions, stale answers and people: the payer has the bytes at most once."""

    flying = Bundle("flying")
    answers = Bundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.payer = Payer()
        self.transmission = make_transmission(1)

    @initialize(target=flying)
    def first_delivery(self) -> int:
        return self.transmission.attempt

    @precondition(lambda self: self.transmission.state is Sending.NOT_SENT)
    @rule(target=flying)
    def deliver_again(self) -> int:
        self.transmission = send_again(self.transmission)
        return self.transmission.attempt

    @rule(delivery=consumes(flying), heard=st.booleans())
    def bytes_arrive(self, delivery: int, heard: bool) -> None:
        """The bytes reach the door; the gateway may or may not hear its answer."""
        taken = self.payer.receive(delivery)
        outcome = (Outcome.TAKEN if taken else Outcome.NOT_SENT) if heard else Outcome.UNKNOWN
        self.transmission = settle(self.transmission, delivery, outcome).transmission

    @rule(delivery=consumes(flying))
    def door_stays_closed(self, delivery: int) -> None:
        self.transmission = settle(self.transmission, delivery, Outcome.NOT_SENT).transmission

    @rule()
    def worker_is_lost(self) -> None:
        """The lease runs out; the bytes of the delivery may still be under way."""
        self.transmission = lose_worker(self.transmission).transmission

    @precondition(lambda self: self.transmission.state is Sending.UNKNOWN)
    @rule(target=answers)
    def ask(self) -> tuple[int, bool]:
        """The payer answers the truth of the moment; the answer may travel for a long time, and arrive twice."""
        found = self.payer.arrivals > 0
        if not found:
            # "An interchange it has answered not found for, it never completes afterwards."
            self.payer.denied_before = self.transmission.attempt
        return self.transmission.attempt, found

    @rule(answer=answers)
    def answer_comes(self, answer: tuple[int, bool]) -> None:
        attempt, found = answer
        if found:
            self.transmission = arrive(self.transmission).transmission
        else:
            self.transmission = record_absence(self.transmission, [UUID(int=1)], attempt).transmission

    @precondition(lambda self: self.transmission.state is Sending.UNKNOWN)
    @rule()
    def person_decides(self) -> None:
        """A person who has asked the payer: the truth, and the payer has promised not to complete it later."""
        arrived = self.payer.arrivals > 0
        if not arrived:
            self.payer.denied_before = self.transmission.attempt
        self.transmission = resolve(self.transmission, arrived=arrived).transmission

    @invariant()
    def at_most_one_arrival(self) -> None:
        assert self.payer.arrivals <= 1

    @invariant()
    def members_mirror_the_interchange(self) -> None:
        assert {member.sending for member in self.transmission.submissions} == {self.transmission.state}


Delivering.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestDelivering = Delivering.TestCase


def test_taken_bytes_are_announced_per_claim() -> None:
    decision = settle(make_transmission(), 1, Outcome.TAKEN)
    assert decision.transmission.state is Sending.SENT
    assert [type(event) for _, event in decision.events] == [ClaimTransmitted, ClaimTransmitted]


def test_a_lost_outcome_is_unknown_and_stays_so_until_somebody_knows() -> None:
    unknown = lose_worker(make_transmission())
    assert [type(event) for _, event in unknown.events] == [TransmissionUnknown, TransmissionUnknown]
    assert settle(unknown.transmission, 1, Outcome.TAKEN).transmission.state is Sending.UNKNOWN
    with pytest.raises(AssertionError):
        send_again(unknown.transmission)


def test_one_absent_claim_of_two_permits_nothing() -> None:
    unknown = make_transmission(state=Sending.UNKNOWN)
    first = record_absence(unknown, [UUID(int=1)], 1)
    assert first.transmission.state is Sending.UNKNOWN
    both = record_absence(first.transmission, [UUID(int=2)], 1)
    assert both.transmission.state is Sending.NOT_SENT
    assert both.events == ()


def test_an_answer_about_an_earlier_delivery_permits_nothing() -> None:
    unknown = make_transmission(state=Sending.UNKNOWN, attempt=2)
    assert record_absence(unknown, [UUID(int=1), UUID(int=2)], 1).transmission.state is Sending.UNKNOWN


def test_not_found_of_what_arrived_is_a_contradiction_for_a_person() -> None:
    decision = record_absence(make_transmission(state=Sending.SENT), [UUID(int=1)], 1)
    assert decision.transmission.state is Sending.SENT
    assert decision.contradiction


def test_an_acknowledgment_overtakes_the_outcome() -> None:
    """The payer's answer is read before the worker writes "sent": announced once."""
    arrived = arrive(make_transmission())
    assert len(arrived.events) == 2
    late = settle(arrived.transmission, 1, Outcome.UNKNOWN)
    assert late.transmission.state is Sending.SENT
    assert late.events == ()


def test_a_refusal_at_the_door_rejects_every_claim() -> None:
    decision = settle(make_transmission(), 1, Outcome.REFUSED, ["http-400"])
    assert decision.transmission.state is Sending.REFUSED
    assert {member.answer for member in decision.transmission.submissions} == {Answer.REJECTED}
    assert all(isinstance(event, ClaimRejected) for _, event in decision.events)


def test_a_person_may_only_resolve_what_is_unknown() -> None:
    with pytest.raises(NotUnknown):
        resolve(make_transmission(state=Sending.SENT), arrived=True)


def test_acceptance_is_announced_once_and_keeps_the_payers_number() -> None:
    first = acknowledge(make_submission(1), "277ca", "A2", "ICN1")
    assert isinstance(first.event, ClaimAcknowledged)
    again = acknowledge(first.submission, "277", "A2", None)
    assert again.event is None
    assert again.submission.payer_claim_control_number == "ICN1"


def test_rejection_of_an_accepted_claim_is_a_contradiction_not_a_rejection() -> None:
    accepted = acknowledge(make_submission(1), "277ca", "A2", "ICN1").submission
    answered = reject(accepted, [RejectionReason(source="277ca", category="A3", status="54")])
    assert answered.event is None
    assert answered.contradiction
    assert answered.submission.answer is Answer.ACCEPTED


def test_pending_after_the_decision_says_nothing_new() -> None:
    decided = adjudicate(make_submission(1), is_reversal=False, control_number="ICN1")
    assert pend(decided, "P1", "20", "ICN1").event is None
    pended = pend(make_submission(2), "P1", "20", "ICN2")
    assert pended.event is not None
    assert pend(pended.submission, "P1", "20", "ICN2").event is None
