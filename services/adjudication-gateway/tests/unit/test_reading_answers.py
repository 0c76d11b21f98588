"""Answers are matched by number only, reject what they name, and permit a second sending only when they may."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace
from revcycle_adjudication_gateway.domain.submission import Answer, Sending, Submission, Transmission
from revcycle_adjudication_gateway.repositories.inquiries import Inquiry
from revcycle_adjudication_gateway.use_cases.answers import Desk, References, numbered
from revcycle_adjudication_gateway.use_cases.read_acknowledgments import (
    read_claim_report,
    read_implementation_acknowledgment,
    read_interchange_acknowledgment,
)
from revcycle_adjudication_gateway.use_cases.read_status_answers import read_status_answers
from revcycle_edi.x12.records import (
    ClaimAcknowledgment,
    ClaimAcknowledgmentReport,
    ClaimStatus,
    Envelope,
    ImplementationAcknowledgment,
    InterchangeAcknowledgment,
    Name,
    ProviderAcknowledgment,
    StatusAnswer,
    StatusCode,
    StatusDetail,
    TransactionAcknowledgment,
)
from revcycle_events import ClaimAcknowledged, ClaimPended, ClaimRejected, ClaimTransmitted
from revcycle_messaging import Cause

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
HOME = UUID(int=100)
QUESTION_HOME = UUID(int=101)
SENT = [
    {
        "interchange_id": home,
        "kind": kind,
        "sender_id": sender,
        "receiver_id": "REVPAY1",
        "control_number": number,
        "group_control_number": number,
    }
    for home, kind, sender, number in (
        (HOME, "837P", "REVCYCLE01", 17),
        (QUESTION_HOME, "276", "REVCYCLE01", 18),
        (UUID(int=102), "837P", "REVCYCLE02", 17),
    )
]
NOBODY = Name(entity_type="2", last_name="SAMPLE")
ENVELOPE = Envelope(sender_id="REVPAY1", receiver_id="REVCYCLE01", control_number=1, created_at=NOW)


def make_desk(state: Sending = Sending.SENT, *, attempt: int = 1, count: int = 2, asked_at: int = 1) -> Desk:
    members = tuple(
        Submission(
            submission_id=UUID(int=number),
            claim_id=UUID(int=1000 + number),
            encounter_id=UUID(int=2000 + number),
            payer_id="REVPAY1",
            patient_control_number=f"RC{number}",
            frequency="1",
            submitted_sequence=1,
            sending=state,
            interchange_id=HOME,
        )
        for number in range(1, count + 1)
    )
    references = References(
        by_control_number=numbered(SENT, "control_number", with_kind=False),
        by_group=numbered(SENT, "group_control_number", with_kind=True),
        by_batch={"BATCH": HOME},
        inquiries={
            f"T{number}": Inquiry(f"T{number}", UUID(int=number), "REVPAY1", HOME, asked_at, "gateway")
            for number in range(1, count + 1)
        },
        by_claim={f"RC{number}": [UUID(int=number)] for number in range(1, count + 1)},
        inquiry_interchanges=frozenset({QUESTION_HOME}),
        billed_by={UUID(int=number): frozenset({"NPI2" if number == 3 else "NPI1"}) for number in range(1, count + 1)},
    )
    desk = Desk(Cause(UUID(int=7), UUID(int=8), NOW, "payer:REVPAY1"), "REVPAY1", UUID(int=9), references)
    desk.put([Transmission(HOME, "REVPAY1", "000000017", "0" * 64, state, attempt, members)], [])
    return desk


def answers_of(desk: Desk) -> list[Answer]:
    return [each.answer for each in desk.members(HOME)]


def published(desk: Desk) -> list[str]:
    return [type(event).__name__ for _, event in desk.events]


def ta1(control_number: int, code: str, note: str) -> InterchangeAcknowledgment:
    return InterchangeAcknowledgment(
        envelope=ENVELOPE,
        control_number=control_number,
        interchange_at=NOW,
        code=code,  # type: ignore[arg-type]  # one of the three codes
        note_code=note,
    )


def syntax(code: str, *, group: int = 17, function: str = "HC") -> ImplementationAcknowledgment:
    return ImplementationAcknowledgment(
        envelope=ENVELOPE,
        functional_id=function,
        group_control_number=group,
        code=code,
        included=1,
        received=1,
        accepted_count=0 if code == "R" else 1,
        transactions=(
            TransactionAcknowledgment(transaction_type="837", control_number="0001", code=code, error_codes=("5",)),
        ),
    )


def report(*claims: ClaimAcknowledgment, batch: str = "BATCH") -> ClaimAcknowledgmentReport:
    return ClaimAcknowledgmentReport(
        envelope=ENVELOPE,
        transaction_control_number="0001",
        reference="R1",
        source=NOBODY,
        receiver=NOBODY,
        batch_reference=batch,
        claims=claims,
    )


def claim(number: int, *codes: StatusCode, icn: str = "") -> ClaimAcknowledgment:
    return ClaimAcknowledgment(
        claim_id=f"RC{number}", statuses=(ClaimStatus(codes=codes),), payer_claim_control_number=icn
    )


def status(trace: str, category: str, *, claim_id: str = "") -> StatusAnswer:
    return StatusAnswer(
        trace_number=trace,
        statuses=(StatusDetail(codes=(StatusCode(category, "20"),)),),
        payer=NOBODY,
        receiver=NOBODY,
        provider=NOBODY,
        claim_id=claim_id,
    )


def test_a_rejected_interchange_rejects_every_claim_and_proves_its_arrival() -> None:
    desk = make_desk(Sending.UNKNOWN)
    read_interchange_acknowledgment(desk, ta1(17, "R", "022"))
    assert answers_of(desk) == [Answer.REJECTED, Answer.REJECTED]
    assert published(desk) == ["ClaimTransmitted", "ClaimTransmitted", "ClaimRejected", "ClaimRejected"]
    rejected = desk.events[-1][1]
    assert isinstance(rejected, ClaimRejected)
    assert [(reason.source, reason.codes) for reason in rejected.reasons] == [("ta1", ["022"])]


def test_a_number_given_again_under_another_name_is_told_apart_by_the_name() -> None:
    """Promise: after a route got another sender id, an answer to a number rejects the interchange it is about."""
    old = make_desk()
    read_interchange_acknowledgment(old, ta1(17, "R", "022"))
    assert answers_of(old) == [Answer.REJECTED, Answer.REJECTED]
    for receiver in ("REVCYCLE02", "UNHEARD OF"):  # Under a name we never had, the newest is meant.
        to_another = replace(ENVELOPE, receiver_id=receiver)
        new = make_desk()
        read_interchange_acknowledgment(new, replace(ta1(17, "R", "022"), envelope=to_another))
        read_implementation_acknowledgment(new, replace(syntax("R"), envelope=to_another))
        assert answers_of(new) == [Answer.NONE, Answer.NONE]
        assert {each.interchange_id for each in new.acknowledgments} == {UUID(int=102)}


def test_a_duplicate_interchange_is_there_already_and_rejects_nothing() -> None:
    desk = make_desk(Sending.INTENT, attempt=2)
    read_interchange_acknowledgment(desk, ta1(17, "R", "025"))
    assert answers_of(desk) == [Answer.NONE, Answer.NONE]
    assert published(desk) == ["ClaimTransmitted", "ClaimTransmitted"]


def test_a_syntax_rejection_rejects_the_set_and_an_acceptance_is_only_syntax() -> None:
    desk = make_desk()
    read_implementation_acknowledgment(desk, syntax("A"))
    assert answers_of(desk) == [Answer.SYNTAX, Answer.SYNTAX]
    assert published(desk) == []
    read_implementation_acknowledgment(desk, syntax("R"))
    assert answers_of(desk) == [Answer.REJECTED, Answer.REJECTED]
    rejected = desk.events[-1][1]
    assert isinstance(rejected, ClaimRejected)
    assert [(reason.source, reason.codes) for reason in rejected.reasons] == [("999", ["IK5:5"])]


def test_a_rejected_question_touches_no_claim() -> None:
    desk = make_desk()
    read_implementation_acknowledgment(desk, syntax("R", group=18, function="HR"))
    assert answers_of(desk) == [Answer.NONE, Answer.NONE]
    assert [each.kind for each in desk.exceptions] == ["contradiction"]


def test_an_acknowledgment_for_nobody_is_kept_as_an_exception() -> None:
    desk = make_desk(Sending.INTENT)
    read_interchange_acknowledgment(desk, ta1(99, "A", "000"))
    read_implementation_acknowledgment(desk, syntax("A", group=99))
    read_claim_report(desk, report(claim(77, StatusCode("A2", "20")), batch="OTHER"))
    read_status_answers(desk, [status("T99", "A2")])
    assert [each.kind for each in desk.exceptions] == ["acknowledgment_for_nobody"] * 4
    assert published(desk) == []


def test_a_claim_report_answers_claim_by_claim_with_all_three_parts_of_the_status() -> None:
    desk = make_desk(Sending.INTENT)
    accepted = claim(1, StatusCode("A2", "20", "PR"), icn="ICN1")
    rejected = claim(2, StatusCode("A7", "562", "85"))
    read_claim_report(desk, report(rejected, accepted))
    assert answers_of(desk) == [Answer.ACCEPTED, Answer.REJECTED]
    events = {type(event): event for _, event in desk.events}
    said = events[ClaimRejected].reasons[0]  # type: ignore[attr-defined]  # keyed by its own type
    assert (said.source, said.category, said.status, said.entity) == ("277ca", "A7", "562", "85")
    assert events[ClaimAcknowledged].payer_claim_control_number == "ICN1"  # type: ignore[attr-defined]
    assert published(desk).count("ClaimTransmitted") == 2


@pytest.mark.parametrize("before", [(), (StatusCode("A1", "19"),)])
def test_an_acceptance_is_announced_with_its_own_category(before: tuple[StatusCode, ...]) -> None:
    """Promise: what stands before the acceptance (a receipt, a status without a code) neither hides nor names it."""
    desk = make_desk()
    said = ClaimAcknowledgment(
        claim_id="RC1", statuses=(ClaimStatus(codes=before), ClaimStatus(codes=(StatusCode("A2", "20"),)))
    )
    read_claim_report(desk, report(said))
    (event,) = [event for _, event in desk.events]
    assert isinstance(event, ClaimAcknowledged)
    assert event.category == "A2"


def provider(number: str, category: str) -> ProviderAcknowledgment:
    return ProviderAcknowledgment(
        provider=Name(entity_type="2", last_name="SAMPLE", id_qualifier="XX", id=number),
        statuses=(ClaimStatus(codes=(StatusCode(category, "562", "85"),), action="U" if category == "A3" else "WQ"),),
    )


def test_a_rejected_provider_rejects_its_claims_and_no_others() -> None:
    """Promise: claims of a provider the payer rejects as a whole are not left waiting; those it names stand alone."""
    desk = make_desk(count=3)
    said = report(claim(2, StatusCode("A2", "20")))
    read_claim_report(desk, replace(said, providers=(provider("NPI1", "A3"), provider("NPI2", "A1"))))
    assert answers_of(desk) == [Answer.REJECTED, Answer.ACCEPTED, Answer.NONE]
    assert desk.exceptions == []


def test_a_rejected_provider_that_nobody_knows_is_shown_to_a_person() -> None:
    desk = make_desk()
    read_claim_report(desk, replace(report(), providers=(provider("NPI9", "A3"),)))
    assert answers_of(desk) == [Answer.NONE, Answer.NONE]
    assert [each.kind for each in desk.exceptions] == ["acknowledgment_for_nobody"]


def test_references_are_found_whatever_case_and_spaces_the_payer_writes_them_with() -> None:
    """Promise: a number that is ours but for padding and case is ours, in every answer that repeats it."""
    desk = make_desk(Sending.UNKNOWN)
    accepted = replace(claim(1, StatusCode("A2", "20"), icn=" ICN1 "), claim_id="rc1  ")
    read_claim_report(desk, report(accepted, batch="batch "))
    read_status_answers(desk, [status(" t2", "P1"), status("0 ", "P1", claim_id="rc1")])
    assert answers_of(desk) == [Answer.PENDED, Answer.PENDED]
    assert desk.members(HOME)[0].payer_claim_control_number == "ICN1"
    assert [each.trace for each in desk.answers] == ["T2"]
    assert desk.exceptions == []


def test_a_mere_receipt_is_no_acceptance() -> None:
    desk = make_desk()
    read_claim_report(desk, report(claim(1, StatusCode("A1", "19"))))
    assert answers_of(desk) == [Answer.NONE, Answer.NONE]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["D0", "A4"], Sending.NOT_SENT),
        (["D0"], Sending.UNKNOWN),
        (["D0", "E1"], Sending.UNKNOWN),
        (["D0", "P1"], Sending.SENT),
        (["F1", "D0"], Sending.SENT),
    ],
)
def test_only_not_found_of_every_claim_means_not_sent(said: Sequence[str], expected: Sending) -> None:
    desk = make_desk(Sending.UNKNOWN)
    read_status_answers(desk, [status(f"T{number}", category) for number, category in enumerate(said, 1)])
    assert {each.sending for each in desk.members(HOME)} == {expected}


def test_not_found_about_an_earlier_delivery_permits_nothing() -> None:
    desk = make_desk(Sending.UNKNOWN, attempt=2, asked_at=1)
    read_status_answers(desk, [status("T1", "D0"), status("T2", "D0")])
    assert {each.sending for each in desk.members(HOME)} == {Sending.UNKNOWN}


def test_an_unsolicited_answer_is_matched_by_the_claims_own_number() -> None:
    desk = make_desk()
    read_status_answers(desk, [status("0", "P1", claim_id="RC2")])
    assert [type(event) for _, event in desk.events] == [ClaimPended]
    assert answers_of(desk) == [Answer.NONE, Answer.PENDED]


def test_an_unsolicited_answer_is_never_about_a_replacement_that_has_not_left() -> None:
    """Promise: a claim that waits in our queue is not pended by the payer."""
    desk = make_desk(count=1)
    sent = desk.members(HOME)[0]
    queued = dataclasses.replace(sent, submission_id=UUID(int=5), frequency="7", interchange_id=None)
    desk.put([], [queued])
    desk.references.by_claim["RC1"].append(queued.submission_id)
    read_status_answers(desk, [replace(status("0", "P1", claim_id="RC1"), payer_claim_control_number="ICN9")])
    assert [each.submission_id for each, _ in desk.events] == [sent.submission_id]


def test_an_unsolicited_not_found_permits_nothing() -> None:
    desk = make_desk(Sending.UNKNOWN, count=1)
    read_status_answers(desk, [status("0", "D0", claim_id="RC1")])
    assert {each.sending for each in desk.members(HOME)} == {Sending.UNKNOWN}


def test_a_found_claim_is_announced_as_transmitted_once() -> None:
    desk = make_desk(Sending.UNKNOWN)
    read_status_answers(desk, [status("T1", "A2"), status("T2", "A2")])
    assert [type(event) for _, event in desk.events].count(ClaimTransmitted) == 2
    assert answers_of(desk) == [Answer.ACCEPTED, Answer.ACCEPTED]
