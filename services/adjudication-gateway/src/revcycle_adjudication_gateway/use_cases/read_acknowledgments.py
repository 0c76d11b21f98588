"""TA1, 999 and 277CA: did it arrive, can it be read, was the claim taken into adjudication."""

from collections.abc import Iterable
from uuid import UUID

from revcycle_edi.x12.records import (
    ClaimAcknowledgment,
    ClaimAcknowledgmentReport,
    ClaimStatus,
    ImplementationAcknowledgment,
    InterchangeAcknowledgment,
    ProviderAcknowledgment,
    TransactionAcknowledgment,
)
from revcycle_events import RejectionReason

from revcycle_adjudication_gateway.domain.references import plain
from revcycle_adjudication_gateway.domain.submission import accept_syntax, acknowledge, reject
from revcycle_adjudication_gateway.repositories.interchanges import CLAIMS_837P, INQUIRY_276
from revcycle_adjudication_gateway.use_cases.answers import Desk, answered

DUPLICATE_INTERCHANGE = "025"
"""TA105: the payer already has an interchange with this control number. Ours is sent again only as the same bytes."""

_KINDS_BY_FUNCTION = {"HC": CLAIMS_837P, "HR": INQUIRY_276}


def read_interchange_acknowledgment(desk: Desk, acknowledgment: InterchangeAcknowledgment) -> None:
    """TA1: whatever it says, the interchange is there; R rejects all its claims, unless it is there already."""
    known = desk.references.by_control_number
    interchange_id = answered(known, acknowledgment.envelope, "", acknowledgment.control_number)
    if interchange_id is None:
        desk.nobody("TA1", f"{acknowledgment.control_number:09d}")
        return
    is_duplicate = acknowledgment.note_code == DUPLICATE_INTERCHANGE
    verdict = "duplicate" if is_duplicate else "accepted" if acknowledgment.accepted else "rejected"
    desk.acknowledge("TA1", verdict, [acknowledgment.note_code], interchange_id=interchange_id)
    desk.arrived(interchange_id)
    if verdict == "rejected":
        _reject_all(desk, interchange_id, [RejectionReason(source="ta1", codes=[acknowledgment.note_code])])


def read_implementation_acknowledgment(desk: Desk, acknowledgment: ImplementationAcknowledgment) -> None:
    """999: every claim of a rejected set is rejected; an accepted set is readable, nothing more."""
    kind = _KINDS_BY_FUNCTION.get(acknowledgment.functional_id, "")
    known = desk.references.by_group
    interchange_id = answered(known, acknowledgment.envelope, kind, acknowledgment.group_control_number)
    if interchange_id is None:
        desk.nobody("999", f"{acknowledgment.functional_id} {acknowledgment.group_control_number}")
        return
    # An interchange of ours holds one group with one transaction set, so the set's verdict is the verdict on all.
    accepted = acknowledgment.accepts("0001")
    codes = [code for each in acknowledgment.transactions for code in _syntax_codes(each)]
    codes = codes or list(acknowledgment.error_codes)
    desk.acknowledge("999", "accepted" if accepted else "rejected", codes, interchange_id=interchange_id)
    if interchange_id in desk.references.inquiry_interchanges:
        if not accepted:
            desk.contradict("the payer cannot read our status inquiry", str(acknowledgment.group_control_number))
        return
    desk.arrived(interchange_id)
    if accepted:
        for member in desk.members(interchange_id):
            desk.answer(accept_syntax(member))
    else:
        _reject_all(desk, interchange_id, [RejectionReason(source="999", codes=codes)])


def read_claim_report(desk: Desk, report: ClaimAcknowledgmentReport) -> None:
    """277CA: accepted or rejected, claim by claim; matched by BHT03 of the 837 and CLM01."""
    interchange_id = desk.references.by_batch.get(plain(report.batch_reference))
    if interchange_id is not None:
        desk.arrived(interchange_id)
    for claim in report.claims:
        submission_id = _reported(desk, interchange_id, claim.claim_id)
        if submission_id is None:
            desk.nobody("277CA", claim.claim_id)
        else:
            _read_claim(desk, submission_id, claim)
    for provider in report.providers:
        if provider.rejected:
            _reject_provider(desk, interchange_id, provider, report)
    if report.claims:
        return
    if interchange_id is None:
        desk.nobody("277CA", report.batch_reference)
    elif any(status.rejects for status in report.batch_statuses):
        _reject_all(desk, interchange_id, _reasons(report.batch_statuses))


def _reject_provider(
    desk: Desk, interchange_id: UUID | None, provider: ProviderAcknowledgment, report: ClaimAcknowledgmentReport
) -> None:
    """A whole billing provider is rejected: so is each claim of it that the report does not answer by itself."""
    named = {_reported(desk, interchange_id, claim.claim_id) for claim in report.claims}
    billed = desk.references.billed_by
    members = desk.members(interchange_id) if interchange_id is not None else ()
    concerned = [each for each in members if provider.provider.id in billed.get(each.submission_id, ())]
    if not concerned:
        # The number of a provider is nobody's secret, and a person needs it to ask the payer.
        desk.nobody("277CA", f"{report.batch_reference} of provider {provider.provider.id}")
    codes = [code.text for status in provider.statuses for code in status.codes]
    for member in concerned:
        if member.submission_id not in named:
            desk.acknowledge(
                "277CA", "rejected", codes, interchange_id=interchange_id, submission_id=member.submission_id
            )
            desk.answer(reject(member, _reasons(provider.statuses)))


def _read_claim(desk: Desk, submission_id: UUID, claim: ClaimAcknowledgment) -> None:
    interchange_id = desk.submission(submission_id).interchange_id
    desk.arrived(interchange_id)
    desk.acknowledge(
        "277CA",
        claim.outcome,
        [code.text for status in claim.statuses for code in status.codes],
        interchange_id=interchange_id,
        submission_id=submission_id,
    )
    submission = desk.submission(submission_id)
    if claim.rejected:
        desk.answer(reject(submission, _reasons(claim.statuses)))
    elif claim.accepted:
        known = acknowledge(submission, "277ca", claim.accepting_category, claim.payer_claim_control_number)
        desk.answer(known)


def _reported(desk: Desk, interchange_id: UUID | None, claim_id: str) -> UUID | None:
    """The submission with this CLM01: in the interchange that is answered, else the newest that left."""
    candidates = desk.references.by_claim.get(plain(claim_id), [])
    for candidate in candidates:
        if interchange_id is not None and desk.submission(candidate).interchange_id == interchange_id:
            return candidate
    left = [candidate for candidate in candidates if desk.submission(candidate).interchange_id is not None]
    return left[-1] if left else None


def _reject_all(desk: Desk, interchange_id: UUID, reasons: list[RejectionReason]) -> None:
    for member in desk.members(interchange_id):
        desk.answer(reject(member, reasons))


def _reasons(statuses: Iterable[ClaimStatus]) -> list[RejectionReason]:
    return [
        RejectionReason(source="277ca", category=code.category, status=code.status, entity=code.entity or None)
        for status in statuses
        for code in status.codes
    ]


def _syntax_codes(transaction: TransactionAcknowledgment) -> list[str]:
    """IK5 codes, then segment and element codes with their places; never the bad values."""
    codes = [f"IK5:{code}" for code in transaction.error_codes]
    for segment in transaction.segment_errors:
        codes.append(f"IK304:{segment.code}@{segment.segment}-{segment.position}")
        codes.extend(
            f"IK403:{element.code}@{segment.segment}-{segment.position}-{element.element:02d}"
            for element in segment.element_errors
        )
    return codes
