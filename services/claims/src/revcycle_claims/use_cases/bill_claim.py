"""Send a claim out: a submission to the payer, or for self-pay a bill to the patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from revcycle_events import ClaimClosed, ClaimLine, ClaimSubmitted, PatientBilled
from revcycle_events.claims_v1 import RenderingPerson
from revcycle_messaging import Cause, DependsOn

from revcycle_claims.domain import ids
from revcycle_claims.domain.build_claim import ClaimDraft
from revcycle_claims.domain.claim import (
    ORIGINAL,
    Adjudication,
    Claim,
    Outcome,
    Preparation,
    Receivable,
    SubmissionState,
)
from revcycle_claims.domain.decisions import sha256_of
from revcycle_claims.domain.ledger import Account, charge_journal, reversal_of
from revcycle_claims.repositories.claims import ClaimLineRow, PatientBill, Submission
from revcycle_claims.use_cases.changes import Changes

FILING_TIMER: Final = "filing-deadline"
FILING_TASK: Final = "filing_deadline_near"
FILING_WARNING_DAYS: Final = 15


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: the draft, how often it was sent before (frequency), and what it was decided on."""

    draft: ClaimDraft
    frequency: str
    business_date: date
    depends_on: tuple[DependsOn, ...]
    answers_before: int = 0


def submit(changes: Changes, claim: Claim, order: Order, cause: Cause, billed: Mapping[int, int]) -> Claim:
    """Decide a submission: control numbers, charges in the ledger, ClaimSubmitted. ``billed``: charges so far."""
    draft, tenant_id = order.draft, changes.tenant_id
    ordinal = claim.submissions + 1
    chain = claim.chain + 1 if order.frequency == ORIGINAL else claim.chain
    control_number = ids.patient_control_number(tenant_id, claim.claim_id, chain)
    submission = Submission(
        submission_id=ids.submission_id(tenant_id, claim.claim_id, ordinal),
        claim_id=claim.claim_id,
        ordinal=ordinal,
        frequency=order.frequency,
        patient_control_number=control_number,
        payer_claim_control_number=None if order.frequency == ORIGINAL else claim.payer_claim_control_number,
        predecessor=claim.submission_id,
        charge_cents=draft.charge_cents,
        draft_hash=sha256_of(draft),
        decided_at=cause.now,
        decided_by=cause.actor,
    )
    changes.submissions.append(submission)
    claim = _charge(changes, claim, draft, cause, billed, Account.RECEIVABLE_INSURANCE)
    claim = claim._replace(
        state=Preparation.SUBMITTED,
        submission=SubmissionState.NOT_SENT,
        adjudication=Adjudication.NONE,
        receivable=Receivable.INSURANCE,
        holds=(),
        draft_hash=submission.draft_hash,
        submissions=ordinal,
        chain=chain,
        frequency=order.frequency,
        submission_id=submission.submission_id,
        patient_control_number=control_number,
        payer_claim_control_number=submission.payer_claim_control_number,
        answers_before=order.answers_before,
        closed=False,
        filing_deadline=draft.filing_deadline,
    ).settle_as(None, "transmission", cause.now)
    changes.set_lines(claim.claim_id, _line_rows(claim, draft, control_number))
    changes.emit(_submitted(claim, submission, order), cause, claim, order.depends_on)
    set_filing_timer(changes, claim)
    return changes.save(claim)


def bill_patient(
    changes: Changes, claim: Claim, draft: ClaimDraft, cause: Cause, billed: Mapping[int, int] | None = None
) -> Claim:
    """Self-pay: the whole charge is the patient's. ``billed``: what an insurer was charged so far."""
    if billed:
        reverse_charges(changes, claim, billed, cause)
    claim = _charge(changes, claim, draft, cause, {}, Account.RECEIVABLE_PATIENT)
    claim = claim._replace(
        state=Preparation.PATIENT_ONLY,
        receivable=Receivable.PATIENT,
        holds=(),
        draft_hash=sha256_of(draft),
        closed=True,
        filing_deadline=None,
    ).settle_as(Outcome.PATIENT_ONLY, None, cause.now)
    changes.set_lines(claim.claim_id, _line_rows(claim, draft, None))
    claim = issue_bill(changes, claim, draft.charge_cents, cause)
    close(changes, claim, 0, draft.charge_cents, cause)
    return changes.save(claim)


def issue_bill(changes: Changes, claim: Claim, amount_cents: int, cause: Cause) -> Claim:
    """Bill the patient for cents more (or fewer, after a correction)."""
    assert claim.patient_id is not None, "a billed claim has a patient"
    bill_id = ids.stable_id(changes.tenant_id, "bill", claim.claim_id, cause.id, claim.version)
    changes.bills.append(PatientBill(bill_id, claim.claim_id, claim.patient_id, amount_cents, cause.now))
    event = PatientBilled(
        claim_id=claim.claim_id,
        encounter_id=claim.encounter_id,
        patient_id=claim.patient_id,
        bill_id=bill_id,
        amount_cents=amount_cents,
    )
    changes.emit(event, cause, claim)
    return claim._replace(billed_patient_cents=claim.billed_patient_cents + amount_cents)


def close(changes: Changes, claim: Claim, paid_cents: int, patient_cents: int, cause: Cause) -> None:
    """Say that nothing is left to wait for."""
    assert claim.outcome is not None, "a closed claim has an outcome"
    event = ClaimClosed(
        claim_id=claim.claim_id,
        encounter_id=claim.encounter_id,
        outcome=claim.outcome,
        paid_cents=paid_cents,
        patient_responsibility_cents=patient_cents,
    )
    changes.emit(event, cause, claim)


def reverse_charges(changes: Changes, claim: Claim, billed: Mapping[int, int], cause: Cause) -> None:
    """Take the charges back by a reversing journal."""
    assert claim.charge_journal_id is not None, "charges are posted by a journal"
    charges = charge_journal(claim.charge_journal_id, cause.now, claim.claim_id, billed, Account.RECEIVABLE_INSURANCE)
    journal_id = ids.stable_id(changes.tenant_id, "charge-reversal", claim.charge_journal_id)
    changes.journals.append(reversal_of(charges, journal_id, "charge_reversal", cause.now))


def set_filing_timer(changes: Changes, claim: Claim) -> None:
    """Ring some days before the last day the payer takes the claim, while it is unsettled."""
    if claim.filing_deadline is not None:
        due = claim.filing_deadline - timedelta(days=FILING_WARNING_DAYS)
        at = datetime.combine(due, time(), UTC)
        changes.uow.set_timer(f"claim/{claim.claim_id}", FILING_TIMER, at)


def stop_filing_clock(changes: Changes, claim: Claim, cause: Cause) -> None:
    """The payer has adjudicated, or nothing is filed: no timer is left, and nobody need hurry any more."""
    changes.uow.cancel_timer(f"claim/{claim.claim_id}", FILING_TIMER)
    changes.resolve_task(claim.claim_id, FILING_TASK, "clock_stopped", f"policy:{FILING_TIMER}", cause)


def _charge(
    changes: Changes, claim: Claim, draft: ClaimDraft, cause: Cause, billed: Mapping[int, int], receivable: Account
) -> Claim:
    """Post the draft's charges; charges that stand otherwise are reversed first, equal ones are left alone."""
    charges = {line.line_number: line.charge_cents for line in draft.lines}
    if charges == billed:
        return claim
    if billed:
        reverse_charges(changes, claim, billed, cause)
    journal_id: UUID = ids.stable_id(changes.tenant_id, "charge", claim.claim_id, claim.submissions + 1)
    changes.journals.append(charge_journal(journal_id, cause.now, claim.claim_id, charges, receivable))
    return claim._replace(charge_journal_id=journal_id, charge_cents=draft.charge_cents)


def _line_rows(claim: Claim, draft: ClaimDraft, control_number: str | None) -> list[ClaimLineRow]:
    return [
        ClaimLineRow(
            claim.claim_id,
            line,
            ids.line_control_number(control_number, line.line_number) if control_number else None,
        )
        for line in draft.lines
    ]


def _submitted(claim: Claim, submission: Submission, order: Order) -> ClaimSubmitted:
    draft = order.draft
    assert claim.patient_id is not None and draft.filing_deadline is not None, "a payer's claim has both"
    person = draft.rendering_provider
    control_number = submission.patient_control_number
    return ClaimSubmitted(
        claim_id=claim.claim_id,
        encounter_id=claim.encounter_id,
        patient_id=claim.patient_id,
        submission_id=submission.submission_id,
        billing_side=draft.billing_side,
        payer_id=draft.payer_id,
        payer_name=draft.payer_name,
        frequency=submission.frequency,
        patient_control_number=control_number,
        payer_claim_control_number=submission.payer_claim_control_number,
        charge_cents=draft.charge_cents,
        business_date=order.business_date,
        billing_provider=draft.billing_provider,
        rendering_provider=RenderingPerson(
            npi=person.npi, last_name=person.last_name, first_name=person.first_name, taxonomy=person.taxonomy
        ),
        subscriber=draft.subscriber,
        patient=draft.patient,
        encounter_number=draft.encounter_number,
        filing_deadline=draft.filing_deadline,
        date_of_service=draft.date_of_service,
        place_of_service=draft.place_of_service,
        diagnoses=list(draft.diagnoses),
        lines=[
            ClaimLine(
                line_number=line.line_number,
                line_control_number=ids.line_control_number(control_number, line.line_number),
                code=line.code,
                modifiers=list(line.modifiers),
                units=line.units,
                charge_cents=line.charge_cents,
                diagnosis_pointers=list(line.diagnosis_pointers),
            )
            for line in draft.lines
        ],
    )
