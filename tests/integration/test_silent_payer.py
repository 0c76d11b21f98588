"""A payer that falls silent: what nobody knows is called unknown, an inquiry settles it, nothing is sent twice."""

import signal

import pytest
from revcycle_devstack.stack import Stack

from .harness import Caller, Visits, wait_for

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(120)]

GATEWAY = "adjudication-gateway"


def test_bytes_taken_then_silence_and_the_gateway_killed(stack: Stack, caller: Caller, visits: Visits) -> None:
    """The claim is unknown, found by an inquiry, adjudicated and posted; the payer received one 837."""
    caller.plan_faults(silent_after_bytes=1)
    visit = visits.next()
    encounter_id = caller.send(visit.file)
    wait_for("the bytes at the payer", lambda: caller.payer.get("/faults").json()["silent_after_bytes"] == 0)

    stack.kill(GATEWAY, signal.SIGKILL)
    wait_for("the gateway dead", lambda: not _runs(stack))
    stack.wait_ready(GATEWAY)

    unknown = caller.wait_submission(encounter_id, "unknown")
    assert unknown["answer"] == "none"
    assert caller.arrivals(unknown["patient_control_number"]) == 1
    sent = caller.wait_submission(encounter_id, "sent")
    _assert_asked(caller, sent["submission_id"])
    claim = caller.wait_claim(encounter_id, "paid")
    assert claim["money"]["paid_cents"] == visit.expected.paid_cents
    assert claim["money"]["open_cents"] == 0
    assert len(claim["submissions"]) == 1
    assert caller.arrivals(unknown["patient_control_number"]) == 1


def test_silence_before_the_bytes(caller: Caller, visits: Visits) -> None:
    """The payer answers an inquiry with "not found"; only then the claim is sent again, and arrives once."""
    caller.plan_faults(silent_before_bytes=1)
    visit = visits.next()
    encounter_id = caller.send(visit.file)

    unknown = caller.wait_submission(encounter_id, "unknown")
    assert caller.arrivals(unknown["patient_control_number"]) == 0
    sent = caller.wait_submission(encounter_id, "sent")

    _assert_asked(caller, sent["submission_id"])
    claim = caller.wait_claim(encounter_id, "paid")
    assert claim["money"]["paid_cents"] == visit.expected.paid_cents
    assert claim["patient_control_number"] == unknown["patient_control_number"]
    assert caller.arrivals(unknown["patient_control_number"]) == 1


def _runs(stack: Stack) -> bool:
    return any(each.name == GATEWAY and each.state == "running" for each in stack.processes)


def _assert_asked(caller: Caller, submission_id: str) -> None:
    inquiries = caller.items(GATEWAY, "/v1/status-inquiries", submission_id=submission_id)
    assert inquiries, "it was settled without asking the payer"
