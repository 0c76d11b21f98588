"""Promise: every contract says its type, topic, key and, for each field, how it travels; newer versions still read."""

from datetime import date
from uuid import UUID

import pytest
from revcycle_events import REGISTRY, ClaimHeld, Clear, Compartment, EncounterCoded, Event, Identity, contract_of

SENSITIVE_WORDS = ("name", "birth", "member", "medical_record", "address", "phone", "subscriber", "encounter_number")
CLINICAL_WORDS = ("diagnos", "date_of_service", "place_of_service", "services")


@pytest.mark.parametrize("contract", REGISTRY.values(), ids=lambda contract: contract.__name__)
def test_names_follow_the_house_form(contract: type[Event]) -> None:
    identity = contract.contract
    product, service, name, version = identity.type.split(".")
    assert product == "revcycle" and service and version == "v1"
    assert name.endswith(("Opened", "Resolved")) or name == contract.__name__
    assert identity.topic.startswith("revcycle.") and identity.topic.endswith(".v1")
    assert contract_of(identity.type) is contract


@pytest.mark.parametrize("contract", REGISTRY.values(), ids=lambda contract: contract.__name__)
def test_nothing_that_names_a_patient_or_a_diagnosis_is_clear(contract: type[Event]) -> None:
    allowed = (
        {"payer_name", "name"}
        if "directory" in contract.contract.topic or "payer_name" in contract.model_fields
        else set()
    )
    clear = {name for name, where in contract.compartments.items() if where is Compartment.CLEAR} - allowed
    if "directory" in contract.contract.topic:
        clear -= {"address"}  # a facility's own street address
    offending = {name for name in clear for word in (*SENSITIVE_WORDS, *CLINICAL_WORDS) if word in name}
    assert not offending


def test_a_field_without_a_compartment_is_refused() -> None:
    with pytest.raises(TypeError, match="exactly one of Clear"):

        class Unmarked(Event, type="revcycle.testing.Unmarked.v1", topic="t", key="key_id"):
            """No compartment."""

            key_id: Clear[str]
            cents: int


def test_a_key_that_is_sealed_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a clear field"):

        class SealedKey(Event, type="revcycle.testing.SealedKey.v1", topic="t", key="key_id"):
            """The key is sealed."""

            key_id: Identity[str]


def test_a_newer_minor_version_still_reads() -> None:
    claim = UUID(int=1)
    event = ClaimHeld.model_validate(
        {
            "claim_id": str(claim),
            "encounter_id": str(claim),
            "payer_id": None,
            "reasons": [{"rule": "r", "field": "f", "owner": "new owner", "expected": "e", "added_later": 1}],
            "added_later": {"anything": True},
        }
    )
    assert event.key == str(claim) and event.reasons[0].owner == "new owner"


def test_an_event_survives_its_json() -> None:
    event = EncounterCoded(
        encounter_id=UUID(int=1),
        billing_side="professional",
        coding_version=1,
        document_version=1,
        finalised_by="policy:auto-finalise.v1",
        decision_id=UUID(int=2),
        code_set_releases={},
        date_of_service=date(2026, 9, 1),
        diagnoses=["I10"],
        services=[],
    )
    assert EncounterCoded.model_validate_json(event.model_dump_json()) == event
