"""Whether a claim that went out still says what is known now."""

from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.advance import Candidate, build_inputs
from revcycle_claims.domain.build_claim import ClaimDraft, build_claim
from revcycle_claims.domain.claim import Claim
from revcycle_claims.domain.decisions import sha256_of
from revcycle_claims.domain.scrub import NOT_SCRUBBED
from revcycle_claims.repositories import reference, slots


async def changed_since_submission(uow: UnitOfWork, claim: Claim) -> bool:
    """Build the claim again from what is known and compare; reads only. False for a claim that has not gone out."""
    if claim.draft_hash is None or claim.date_of_service is None:
        return False
    coding = (await slots.codings_of(uow, [claim.encounter_id]))[claim.encounter_id, claim.billing_side]
    encounter = await slots.read_encounter(uow, claim.encounter_id)
    patient = await slots.read_patient(uow, encounter.patient_id) if encounter and encounter.patient_id else None
    if encounter is None or encounter.visit is None or patient is None or coding.not_billable is not None:
        return True
    coverages = await slots.coverages_of(uow, [patient.patient_id])
    candidate = Candidate(
        claim=claim,
        coding=coding,
        encounter=encounter,
        patient=patient,
        coverages=tuple(sorted(coverages.get(patient.patient_id, {}).values(), key=lambda item: str(item.coverage_id))),
        # As of the day of service: the filing limit is not a matter of content.
        business_date=encounter.visit.date_of_service,
    )
    codes = {service.code for service in coding.services}
    built = build_claim(build_inputs(candidate, await reference.load_reference(uow, codes), NOT_SCRUBBED))
    return not isinstance(built, ClaimDraft) or sha256_of(built) != claim.draft_hash
