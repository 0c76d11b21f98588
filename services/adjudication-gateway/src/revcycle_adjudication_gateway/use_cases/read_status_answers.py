"""277: what became of a claim, asked for or not."""

from uuid import UUID

from revcycle_edi.x12.records import StatusAnswer, StatusCode
from revcycle_events import RejectionReason

from revcycle_adjudication_gateway.domain.references import plain, significant
from revcycle_adjudication_gateway.domain.submission import (
    acknowledge,
    pend,
    record_absence,
    reject,
    those_that_left,
)
from revcycle_adjudication_gateway.repositories.inquiries import InquiryAnswer
from revcycle_adjudication_gateway.use_cases.answers import UNSOLICITED_TRACE, Desk

NOT_FOUND = "not_found"
_NO_CODE = StatusCode("", "")
_SILENT = frozenset({"error", "unknown"})
"""The payer could not say: no evidence for anything."""


def read_status_answers(desk: Desk, answers: list[StatusAnswer]) -> None:
    """Read a whole 277. What was found is taken first: found claims prove that their interchange arrived."""
    absent: dict[tuple[UUID, int], list[UUID]] = {}
    for answer in answers:
        submission_id = _asked_about(desk, answer)
        if submission_id is None:
            desk.nobody("277", answer.claim_id or answer.trace_number)
            continue
        _keep(desk, answer, submission_id)
        if answer.state != NOT_FOUND:
            _read(desk, answer, submission_id)
            continue
        inquiry = desk.references.inquiries.get(plain(answer.trace_number))
        if inquiry is not None and inquiry.asked_about is not None:
            absent.setdefault((inquiry.asked_about, inquiry.attempt), []).append(submission_id)
    for (interchange_id, attempt), submission_ids in absent.items():
        desk.decide(record_absence(desk.transmission(interchange_id), submission_ids, attempt))


def _keep(desk: Desk, answer: StatusAnswer, submission_id: UUID) -> None:
    code = _first_code(answer)
    interchange_id = desk.submission(submission_id).interchange_id
    desk.acknowledge("277", answer.state, [code.text], interchange_id=interchange_id, submission_id=submission_id)
    trace = plain(answer.trace_number)
    if trace in desk.references.inquiries:
        desk.answers.append(InquiryAnswer(trace, answer.state, code.category, code.status))


def _read(desk: Desk, answer: StatusAnswer, submission_id: UUID) -> None:
    if answer.state in _SILENT:
        return
    desk.arrived(desk.submission(submission_id).interchange_id)
    submission = desk.submission(submission_id)
    code = _first_code(answer)
    number = answer.payer_claim_control_number
    if answer.state == "pending":
        desk.answer(pend(submission, code.category, code.status, number))
    elif answer.state == "rejected":
        reason = RejectionReason(source="277", category=code.category, status=code.status, entity=code.entity or None)
        desk.answer(reject(submission, [reason]))
    elif code.category == "A2":
        desk.answer(acknowledge(submission, "277", code.category, number))


def _asked_about(desk: Desk, answer: StatusAnswer) -> UUID | None:
    """By the trace of our question; an unsolicited answer by CLM01 and, where several have it, the payer's number."""
    inquiry = desk.references.inquiries.get(plain(answer.trace_number))
    if inquiry is not None:
        return inquiry.submission_id
    if plain(answer.trace_number) not in ("", UNSOLICITED_TRACE):
        return None
    named = [desk.submission(each) for each in desk.references.by_claim.get(plain(answer.claim_id), ())]
    candidates = those_that_left(named)
    number = significant(answer.payer_claim_control_number)
    for candidate in candidates:
        if significant(candidate.payer_claim_control_number or "") == number:
            return candidate.submission_id
    return candidates[-1].submission_id if candidates else None


def _first_code(answer: StatusAnswer) -> StatusCode:
    return answer.statuses[0].codes[0] if answer.statuses and answer.statuses[0].codes else _NO_CODE
