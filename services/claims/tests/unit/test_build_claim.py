"""Building a claim: every rule holds by itself, all reasons are collected, and a decision can be taken again."""

from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from revcycle_claims.domain.advance import Bill, Candidate, Close, Diverged, Hold, Reference, Wait, advance
from revcycle_claims.domain.build_claim import BuildInputs, ClaimDraft, Held, build_claim
from revcycle_claims.domain.claim import Claim
from revcycle_claims.domain.decisions import make_decision, sha256_of
from revcycle_claims.domain.reference import Facility, Payer, Price, find_price
from revcycle_claims.domain.scrub import Scrub, Scrubber, scrub_facts
from revcycle_claims.domain.slots import (
    CodingSlot,
    CoverageSlot,
    EncounterSlot,
    PatientSlot,
    Prerequisite,
    Visit,
    primary_coverage,
)
from revcycle_events import Address, CodedService, CoveragePolicy, PatientDetails, RenderingProvider
from revcycle_messaging.testing import START, TENANT

NPI, RENDERING = "1234567893", "1679576722"
ENCOUNTER, PATIENT = UUID(int=1), UUID(int=2)
ON = date(2026, 8, 3)
ADDRESS = Address(line1="1 TEST WAY", city="TESTVILLE", state="MA", postal_code="021390001")


def coverage(rank: int = 1, payer_id: str = "TESTPAY", **policy: Any) -> CoverageSlot:
    values = {"member_id": "M1", "relationship": "self", "effective_from": date(2026, 1, 1)} | policy
    return CoverageSlot(
        coverage_id=UUID(int=10 + rank),
        patient_id=PATIENT,
        rank=rank,
        payer_id=payer_id,
        policy=CoveragePolicy.model_validate(values),
    )


def coding(**changes: Any) -> CodingSlot:
    services = (
        CodedService(line_number=1, code="G0463", units=2, diagnosis_pointers=[1]),
        CodedService(line_number=2, code="T1015", units=1, diagnosis_pointers=[2, 1]),
    )
    values = {
        "encounter_id": ENCOUNTER,
        "billing_side": "professional",
        "coding_version": 1,
        "date_of_service": ON,
        "diagnoses": ("Z00.00", "R05.9"),
        "services": services,
    } | changes
    return CodingSlot.model_validate(values)


def visit(**changes: Any) -> Visit:
    values = {
        "patient_id": PATIENT,
        "facility_npi": NPI,
        "encounter_number": "E-1",
        "date_of_service": ON,
        "place_of_service": "11",
        "document_version": 1,
        "rendering_provider": RenderingProvider(npi=RENDERING, last_name="TESTDOCTOR", first_name="JO"),
    } | changes
    return Visit.model_validate(values)


def patient(**changes: Any) -> PatientSlot:
    values = {
        "medical_record_number": "MRN-1",
        "last_name": "TESTPERSON",
        "first_name": "ANN",
        "birth_date": date(1980, 1, 2),
        "sex": "F",
        "address": ADDRESS,
    } | changes
    return PatientSlot(patient_id=PATIENT, sequence=1, details=PatientDetails.model_validate(values))


FACILITY = Facility(npi=NPI, name="SYNTHETIC CLINIC", tax_id="123456789", address=ADDRESS, time_zone="UTC")
PAYER = Payer(payer_id="TESTPAY", name="SYNTHETIC PAYER", filing_limit_days=90)
PRICES = (
    Price(code="G0463", effective_from=date(2026, 1, 1), price_cents=10_000),
    Price(code="T1015", effective_from=date(2026, 1, 1), price_cents=2_500),
)


def inputs(**changes: Any) -> BuildInputs:
    values: dict[str, Any] = {
        "billing_side": "professional",
        "visit": visit(),
        "coding": coding(),
        "patient": patient(),
        "coverages": (coverage(),),
        "facility": FACILITY,
        "payers": (PAYER,),
        "prices": PRICES,
        "business_date": date(2026, 9, 30),
    } | changes
    values.setdefault("scrub", scrubbed(values["visit"], values["coding"], values["patient"]))
    return BuildInputs.model_validate(values)


@cache
def scrubber() -> Scrubber:
    return Scrubber.open()


def scrubbed(visited: Visit, coded: CodingSlot, person: PatientSlot) -> Scrub:
    return scrubber().scrub(scrub_facts(visited, coded, person.details))


def test_line_charges_are_price_times_units_and_sum_to_the_claim() -> None:
    draft = build_claim(inputs())
    assert isinstance(draft, ClaimDraft)
    assert [line.charge_cents for line in draft.lines] == [20_000, 2_500]
    assert draft.charge_cents == 22_500
    assert draft.filing_deadline == date(2026, 11, 1)


services = coding().services
HELD = {
    "unknown_facility": {"facility": None},
    "unknown_payer": {"payers": ()},
    "coverage_not_in_force": {"coverages": (coverage(effective_to=date(2026, 8, 2)),)},
    "patient_incomplete": {"patient": patient(address=None)},
    "missing_subscriber": {"coverages": (coverage(relationship="child"),)},
    "invalid_npi": {"visit": visit(rendering_provider={"npi": "1234567890", "last_name": "T", "first_name": "J"})},
    "future_date_of_service": {"business_date": date(2026, 8, 2)},
    "date_of_service_differs": {"coding": coding(date_of_service=date(2026, 8, 4))},
    "no_price": {"prices": PRICES[:1]},
    "past_filing_limit": {"business_date": date(2026, 11, 2)},
    "PX-00": {"coding": coding(services=())},
    "too_many_lines": {
        "coding": coding(services=[services[0].model_copy(update={"line_number": n}) for n in range(1, 52)])
    },
    "PX-01": {"coding": coding(services=[services[0].model_copy(update={"code": "J1030"})])},
    "PX-11": {"coding": coding(services=[services[0].model_copy(update={"modifiers": ["26", "TC"]})])},
    "charge_not_positive": {"coding": coding(services=[services[0].model_copy(update={"units": -1})])},
    "DX-00": {"coding": coding(diagnoses=())},
    "DX-01": {"coding": coding(diagnoses=("A99.99", "R05.9"))},
    "DX-02": {"coding": coding(diagnoses=("E11", "R05.9"))},
    "DX-08": {"coding": coding(diagnoses=("W19.XXXA", "S83.411A"))},
    "PT-01": {"coding": coding(services=[services[0].model_copy(update={"diagnosis_pointers": [3]})])},
    "manual_hold": {"manual_hold": "waiting for a signature"},
}


@pytest.mark.parametrize("rule", sorted(HELD))
def test_each_rule_holds_the_claim(rule: str) -> None:
    """Every rule of the table can be broken, and then names itself, its owner and what would be right."""
    held = build_claim(inputs(**HELD[rule]))
    assert isinstance(held, Held)
    reason = next(item for item in held.reasons if item.rule == rule)
    assert reason.owner in ("registration", "coding", "billing")
    assert reason.expected and reason.field and reason.rule_version and reason.release


def test_a_code_edit_names_the_release_that_says_so() -> None:
    """The hold carries rule, version and release; the finding in the decision says it for the case at hand."""
    case = inputs(**HELD["PX-01"])
    held = build_claim(case)
    assert isinstance(held, Held)
    reason = next(item for item in held.reasons if item.rule == "PX-01")
    assert (reason.rule_version, reason.release, reason.line_number) == ("1", "demo-2026", 1)
    finding = next(item for item in case.scrub.findings if item.rule == "PX-01")
    assert "J1010" in finding.expected and finding.carc == "181"


def test_a_warning_of_the_edits_holds_nothing_and_is_kept() -> None:
    """Two diagnoses that exclude each other need a person's eye, not a person's permission."""
    case = inputs(coding=coding(diagnoses=("R73.9", "E11.65")))
    assert isinstance(build_claim(case), ClaimDraft)
    assert [item.rule for item in case.scrub.findings if item.severity == "warning"].count("DX-07") == 1


def test_all_reasons_are_collected_at_once() -> None:
    held = build_claim(inputs(facility=None, prices=(), coverages=(), manual_hold="x"))
    assert isinstance(held, Held)
    assert [item.rule for item in held.reasons] == [
        "unknown_facility",
        "coverage_not_in_force",
        "no_price",
        "no_price",
        "manual_hold",
    ]
    assert [item.line_number for item in held.reasons if item.rule == "no_price"] == [1, 2]


def test_a_hold_says_nothing_about_the_patient() -> None:
    """Reasons travel in the clear: no name, member id, code or date may stand in them."""
    everything = {name: value for changes in HELD.values() for name, value in changes.items()}
    held = build_claim(inputs(**everything))
    assert isinstance(held, Held)
    text = " ".join(f"{item.rule} {item.field} {item.expected}" for item in held.reasons)
    secrets = ("TESTPERSON", "ANN", "M1", "G0463", "J1030", "Z00", "A99", "2026-", "MRN")
    assert not any(secret in text for secret in secrets)


def test_a_past_decision_gives_the_same_bytes_again() -> None:
    """The stored input is enough to decide again; input and output are the same to the byte."""
    for case in (inputs(), inputs(facility=None, prices=())):
        output = build_claim(case)
        decision = make_decision(TENANT, UUID(int=2), (1,), ("claim-draft", "build-claim", "1"), case, output, START)
        again = BuildInputs.model_validate_json(decision.input_text)
        assert sha256_of(again) == decision.input_hash
        assert build_claim(again).model_dump_json() == decision.output_text


def test_the_lowest_rank_in_force_is_billed() -> None:
    first = coverage(1, effective_to=date(2026, 7, 1))
    second = coverage(2, "OTHERPAY")
    assert primary_coverage((second, first), ON) == second
    assert primary_coverage((second, first), date(2026, 7, 1)) == first


def test_prices_hold_from_the_first_day_to_the_day_before_the_last() -> None:
    """effective_to is exclusive; of several rows the latest start wins, a modifier's row before a plain one."""
    old = Price(code="G0463", effective_from=date(2026, 1, 1), effective_to=date(2026, 3, 1), price_cents=1)
    new = Price(code="G0463", effective_from=date(2026, 2, 1), price_cents=2)
    special = Price(code="G0463", modifier="25", effective_from=date(2026, 1, 1), price_cents=3)
    rows = (old, new, special)
    assert find_price(rows, "G0463", (), date(2025, 12, 31)) is None
    assert find_price(rows, "G0463", (), date(2026, 1, 31)) == old
    assert find_price(rows, "G0463", (), date(2026, 2, 1)) == new
    assert find_price(rows, "G0463", ("25",), date(2026, 2, 1)) == special
    assert find_price((old,), "G0463", (), date(2026, 3, 1)) is None


# --- advance ---------------------------------------------------------------------------------------------------

REFERENCE = Reference({NPI: FACILITY}, {"TESTPAY": PAYER}, {price.code: (price,) for price in PRICES}, 1)
CLAIM = Claim(claim_id=UUID(int=3), encounter_id=ENCOUNTER, billing_side="professional", created_at=START, since=START)


def candidate(**changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "claim": CLAIM,
        "coding": coding(),
        "encounter": EncounterSlot(encounter_id=ENCOUNTER, sequence=1, patient_id=PATIENT, visit=visit()),
        "patient": patient(),
        "coverages": (coverage(),),
        "business_date": date(2026, 9, 30),
    } | changes
    return Candidate(**values)


def scrub(one: Candidate) -> Scrub:
    assert one.encounter.visit is not None and one.patient is not None
    return scrubbed(one.encounter.visit, one.coding, one.patient)


def test_what_has_not_arrived_is_a_state_not_an_error() -> None:
    """No encounter, no patient, an event not applied yet: each is waited for by name."""
    empty = EncounterSlot(encounter_id=ENCOUNTER)
    assert advance(candidate(encounter=empty, patient=None), REFERENCE, {}, scrub) == Wait("encounter")
    assert advance(candidate(patient=PatientSlot(patient_id=PATIENT)), REFERENCE, {}, scrub) == Wait("patient")


def test_no_coverage_and_coverage_not_here_yet_are_different() -> None:
    """The codings' prerequisite tells them apart: before it is applied the claim waits, afterwards it is held."""
    topic, key = "revcycle.patients.v1", str(PATIENT)
    wanted = coding(prerequisites=(Prerequisite(topic, key, 17),))
    uncovered = candidate(coding=wanted, coverages=())
    assert advance(uncovered, REFERENCE, {(topic, key): 16}, scrub) == Wait("coverage")
    step = advance(uncovered, REFERENCE, {(topic, key): 17}, scrub)
    assert isinstance(step, Hold)
    assert [item.rule for item in step.held.reasons] == ["coverage_not_in_force"]


def test_what_is_not_billed_is_closed() -> None:
    assert advance(candidate(coding=coding(not_billable="no service")), REFERENCE, {}, scrub) == Close("not_billable")
    cancelled = EncounterSlot(encounter_id=ENCOUNTER, patient_id=PATIENT, visit=visit(), cancelled="error")
    assert advance(candidate(encounter=cancelled), REFERENCE, {}, scrub) == Close("voided")


def test_a_claim_that_has_gone_out_is_never_changed_by_itself() -> None:
    """The same content: nothing. Other content: a biller's decision."""
    step = advance(candidate(), REFERENCE, {}, scrub)
    assert isinstance(step, Bill)
    sent = Claim(
        claim_id=UUID(int=3),
        encounter_id=ENCOUNTER,
        billing_side="professional",
        created_at=START,
        since=START,
        state="submitted",
        submissions=1,
        draft_hash=sha256_of(step.draft),
    )
    assert advance(candidate(claim=sent), REFERENCE, {}, scrub) is None
    recoded = coding(services=[services[0]], coding_version=2)
    step = advance(candidate(claim=sent, coding=recoded), REFERENCE, {}, scrub)
    assert isinstance(step, Diverged)
    assert step.cause == "recoded_after_submission"
