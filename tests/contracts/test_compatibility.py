"""Promise: a change that breaks a reader or a client against the last release is found before it is committed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from revcycle_cli.contracts import incompatibilities

RELEASED = Path(__file__).resolve().parents[2] / "docs" / "contracts" / "released"
SUBMITTED = "event:revcycle.claims.ClaimSubmitted.v1"
CLAIMS = "rest:claims"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def released() -> dict[str, Document]:
    found: dict[str, Document] = {}
    for path in RELEASED.glob("*.json"):
        found |= json.loads(path.read_text())
    return found


def _operation(document: Document, path: str, method: str) -> Document:
    found: Document = document["paths"][path][method]
    return found


def _remove_field(event: Document) -> None:
    del event["properties"]["charge_cents"]


def _retype(event: Document) -> None:
    event["properties"]["charge_cents"]["type"] = "string"


def _require(event: Document) -> None:
    event["properties"]["urgent"] = {"type": "boolean", "x-compartment": "clear"}
    event["required"].append("urgent")


def _make_optional(event: Document) -> None:
    event["required"].remove("charge_cents")


def _unseal(event: Document) -> None:
    event["properties"]["encounter_number"]["x-compartment"] = "clear"


def _seal(event: Document) -> None:
    event["properties"]["charge_cents"]["x-compartment"] = "clinical"


def _retype_nested(event: Document) -> None:
    event["$defs"]["ClaimLine"]["properties"]["units"]["type"] = "string"


def _make_nullable(event: Document) -> None:
    alternatives = event["properties"]["payer_claim_control_number"]["anyOf"]
    alternatives[:] = [each for each in alternatives if each["type"] != "null"]


def _move_topic(event: Document) -> None:
    event["x-topic"] = "revcycle.elsewhere.v1"


def _change_key(event: Document) -> None:
    event["x-key"] = "encounter_id"


EVENT_BREAKS: dict[str, tuple[Callable[[Document], None], str]] = {
    "a field removed": (_remove_field, "charge_cents: field removed"),
    "a field retyped": (_retype, "charge_cents: type changed"),
    "a field newly required": (_require, "urgent: newly required"),
    "a field no longer always there": (_make_optional, "charge_cents: no longer always there"),
    "a sealed field in the clear": (_unseal, "encounter_number: x-compartment changed from identity to clear"),
    "a clear field sealed": (_seal, "charge_cents: x-compartment changed from clear to clinical"),
    "a nested field retyped": (_retype_nested, "lines[].units: type changed"),
    "null no longer allowed": (_make_nullable, "payer_claim_control_number: may no longer be null"),
    "another topic": (_move_topic, "x-topic changed"),
    "another key": (_change_key, "x-key changed"),
}


@pytest.mark.parametrize("name", EVENT_BREAKS)
def test_a_breaking_change_of_an_event_is_named(name: str, released: dict[str, Document]) -> None:
    plant, expected = EVENT_BREAKS[name]
    present = {**released, SUBMITTED: copy.deepcopy(released[SUBMITTED])}
    plant(present[SUBMITTED])
    found = incompatibilities(released, present)
    assert any(line.startswith(f"{SUBMITTED}: ") and expected in line for line in found), found


def _remove_operation(rest: Document) -> None:
    del rest["paths"]["/v1/claims/{claim_id}/timeline"]


def _require_parameter(rest: Document) -> None:
    parameters = _operation(rest, "/v1/claims", "get")["parameters"]
    parameters.append({"in": "query", "name": "region", "required": True, "schema": {"type": "string"}})


def _remove_parameter(rest: Document) -> None:
    parameters = _operation(rest, "/v1/claims", "get")["parameters"]
    parameters[:] = [each for each in parameters if each["name"] != "outcome"]


def _remove_response_field(rest: Document) -> None:
    del rest["components"]["schemas"]["ClaimDetail"]["properties"]["outcome"]


def _retype_response_field(rest: Document) -> None:
    rest["components"]["schemas"]["Money"]["properties"]["paid_cents"]["type"] = "string"


def _remove_status(rest: Document) -> None:
    del _operation(rest, "/v1/claims/{claim_id}", "get")["responses"]["404"]


def _require_in_request(rest: Document) -> None:
    rest["components"]["schemas"]["HoldRequest"]["properties"]["until"] = {"type": "string"}
    rest["components"]["schemas"]["HoldRequest"]["required"].append("until")


def _remove_value(rest: Document) -> None:
    rest["components"]["schemas"]["SubmissionRequest"]["properties"]["frequency"]["enum"].remove("8")


def _remove_media_type(rest: Document) -> None:
    del _operation(rest, "/v1/deposits", "post")["requestBody"]["content"]["text/csv"]


REST_BREAKS: dict[str, tuple[Callable[[Document], None], str]] = {
    "an operation removed": (_remove_operation, "GET /v1/claims/{claim_id}/timeline: operation removed"),
    "a parameter newly required": (_require_parameter, "query parameter region newly required"),
    "a parameter removed": (_remove_parameter, "query parameter outcome removed"),
    "a response field removed": (_remove_response_field, "200.outcome: field removed"),
    "a response field retyped": (_retype_response_field, "paid_cents: type changed"),
    "a status removed": (_remove_status, "status 404 removed"),
    "a request field newly required": (_require_in_request, "request.until: newly required"),
    "an enum value removed": (_remove_value, "request.frequency: value removed: 8"),
    "a media type removed": (_remove_media_type, "request may no longer be text/csv"),
}


@pytest.mark.parametrize("name", REST_BREAKS)
def test_a_breaking_change_of_the_rest_interface_is_named(name: str, released: dict[str, Document]) -> None:
    plant, expected = REST_BREAKS[name]
    present = {**released, CLAIMS: copy.deepcopy(released[CLAIMS])}
    plant(present[CLAIMS])
    found = incompatibilities(released, present)
    assert any(line.startswith(f"{CLAIMS}: ") and expected in line for line in found), found


def test_a_removed_document_is_named(released: dict[str, Document]) -> None:
    present = {name: each for name, each in released.items() if name != SUBMITTED}
    assert incompatibilities(released, present) == [f"{SUBMITTED}: was removed"]


def test_additions_break_nobody(released: dict[str, Document]) -> None:
    present = {**released, **{name: copy.deepcopy(released[name]) for name in (SUBMITTED, CLAIMS)}}
    present["event:revcycle.claims.SomethingNew.v1"] = present[SUBMITTED]
    present[SUBMITTED]["properties"]["note"] = {"type": "string", "x-compartment": "clear", "default": ""}
    present[CLAIMS]["paths"]["/v1/new"] = {"get": {"responses": {"200": {}}}}
    schemas = present[CLAIMS]["components"]["schemas"]
    schemas["ClaimDetail"]["properties"]["extra"] = {"type": "string"}
    schemas["HoldRequest"]["properties"]["until"] = {"type": "string"}
    schemas["SubmissionRequest"]["properties"]["frequency"]["enum"].append("6")
    _operation(present[CLAIMS], "/v1/claims", "get")["responses"]["418"] = {}
    assert incompatibilities(released, present) == []
    assert len(released) >= 40
