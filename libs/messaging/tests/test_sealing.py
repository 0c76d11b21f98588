"""Promise: sealed compartments are unreadable without the grant, and any change on the way is noticed."""

import base64
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st
from revcycle_events import EncounterDocumented
from revcycle_messaging.envelope import (
    DependsOn,
    Envelope,
    headers_from_text,
    headers_text_to_kafka,
    headers_to_kafka,
    headers_to_text,
    read_headers,
)
from revcycle_messaging.errors import BadSeal, MissingKey, Permanent
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.sealing import SealedEvent, check_seal, open_event, seal_event, view_of
from revcycle_messaging.testing import OTHER_TENANT, START, TENANT, NoteTaken, make_cause, make_key_ring
from revcycle_messaging.transports.kafka import hash_of_key

TOPIC = "revcycle.testing.v1"
PAYLOAD = (
    '{"note_id":"n1","number":3,"cents":125,"sealed":'
    '{"identity":"k1.AAAAAAAAAAAAAAABbvTRnSmREiQsfQh3uO5/o1zcPAQh4AfLPSJ+MJ6DabfEUcvFjHNYiGwvUA=="'
    ',"clinical":"k1.AAAAAAAAAAAAAAACslNNEtAu+OubRA0hVTzmBN7UyB6SBV7IxlMLutFy"}}'
)
HEADERS = """\
ce_specversion:1.0
ce_id:00000000-0000-0000-0000-000000000007
ce_type:revcycle.testing.NoteTaken.v1
ce_source:revcycle/testing
ce_subject:n1
ce_time:2026-09-01T12:00:00+00:00
content-type:application/json
ce_sequence:3
ce_tenantid:0190a000-0000-7000-8000-00000000000a
ce_correlationid:c1
ce_causationid:00000000-0000-0000-0000-000000000008
ce_dependson:revcycle.patients.v1/p1@4
ce_seal:k1.AAAAAAAAAAAAAAADlMSXEzMsVhCRI39RYoEXug=="""


def envelope(tenant_id: UUID = TENANT) -> Envelope:
    return Envelope(
        id=UUID(int=7),
        type="revcycle.testing.NoteTaken.v1",
        source="revcycle/testing",
        subject="n1",
        time=START,
        sequence=3,
        tenant_id=tenant_id,
        correlation_id="c1",
        causation_id=UUID(int=8),
        depends_on=(DependsOn("revcycle.patients.v1", "p1", 4),),
        traceparent=None,
    )


def sealed(tmp_path: Path) -> SealedEvent:
    note = NoteTaken(note_id="n1", number=3, cents=125, name="SYNTHETIC PERSON", code="I10")
    return seal_event(note, envelope(), TOPIC, make_key_ring(tmp_path))


def test_an_event_comes_back_as_it_was_written(tmp_path: Path) -> None:
    event = sealed(tmp_path)
    keys = make_key_ring(tmp_path)
    checked = check_seal(TOPIC, "n1", event.headers, event.payload, keys)
    assert checked == envelope()
    opened = open_event(TOPIC, "n1", checked, event.payload, keys).event
    assert (opened.number, opened.cents, opened.name, opened.code) == (3, 125, "SYNTHETIC PERSON", "I10")


def test_what_goes_on_the_wire_stays_as_it_is_byte_for_byte(tmp_path: Path) -> None:
    """Archives and topics hold what earlier versions wrote: headers, value and seals of one event, with known keys."""
    key = {"active": "k1", "keys": {"k1": base64.b64encode(bytes(range(32))).decode()}}
    purposes = dict.fromkeys(("envelope", "identity", "clinical"), key)
    ring = tmp_path / "known.json"
    ring.write_text(json.dumps({"granted": ["identity", "clinical"], "tenants": {str(TENANT): purposes}}))
    note = NoteTaken(note_id="n1", number=3, cents=125, name="SYNTHETIC PERSON", code="I10")
    nonces = iter(range(1, 4))
    event = seal_event(note, envelope(), TOPIC, KeyRing(ring), lambda size: next(nonces).to_bytes(size, "big"))
    assert event.payload.decode() == PAYLOAD
    assert headers_to_text(event.headers) == HEADERS


def test_without_the_grant_a_compartment_stays_shut_and_its_text_is_not_in_the_bytes(tmp_path: Path) -> None:
    event = sealed(tmp_path)
    assert b"SYNTHETIC PERSON" not in event.payload and b"I10" not in event.payload
    clinical_only = make_key_ring(tmp_path, ["clinical"], service="analytics")
    checked = check_seal(TOPIC, "n1", event.headers, event.payload, clinical_only)
    opened = open_event(TOPIC, "n1", checked, event.payload, clinical_only).event
    assert opened.name is None and opened.code == "I10" and isinstance(opened, NoteTaken)


@pytest.mark.parametrize(
    ("topic", "key", "header", "payload"),
    [
        ("revcycle.other.v1", "n1", {}, None),
        (TOPIC, "n2", {}, None),
        (TOPIC, "n2", {"ce_subject": "n2"}, None),
        (TOPIC, "n1", {"ce_sequence": "4"}, None),
        (TOPIC, "n1", {"ce_tenantid": str(OTHER_TENANT)}, None),
        (TOPIC, "n1", {"ce_dependson": "revcycle.patients.v1/p1@3"}, None),
        (TOPIC, "n1", {"ce_extra": "x"}, None),
        (TOPIC, "n1", {}, (b'"cents":125', b'"cents":126')),
        (TOPIC, "n1", {"ce_seal": "k1."}, None),
        (TOPIC, "n1", {"ce_seal": "k1.%%%"}, None),
    ],
)
def test_any_change_breaks_the_seal(
    tmp_path: Path, topic: str, key: str, header: dict[str, str], payload: tuple[bytes, bytes] | None
) -> None:
    event = sealed(tmp_path)
    value = event.payload.replace(*payload) if payload else event.payload
    assert payload is None or value != event.payload
    with pytest.raises(BadSeal):
        check_seal(topic, key, {**event.headers, **header}, value, make_key_ring(tmp_path))


def test_the_trace_context_may_change_on_the_way(tmp_path: Path) -> None:
    event = sealed(tmp_path)
    headers = {**event.headers, "traceparent": "00-00000000000000000000000000000001-0000000000000002-01"}
    assert check_seal(TOPIC, "n1", headers, event.payload, make_key_ring(tmp_path)).traceparent is not None


@pytest.mark.parametrize("key_id", ['k"1', "k.1", "k\n1", ""])
def test_a_key_id_that_would_change_the_form_on_the_wire_is_refused(tmp_path: Path, key_id: str) -> None:
    make_key_ring(tmp_path)
    ring = tmp_path / "testing.json"
    ring.write_text(ring.read_text().replace('"k1"', json.dumps(key_id)))
    with pytest.raises(MissingKey, match="key id"):
        KeyRing(ring)


def test_a_missing_key_is_said_loudly_and_is_no_broken_seal(tmp_path: Path) -> None:
    event = sealed(tmp_path)
    strangers = make_key_ring(tmp_path / "..", service="stranger", tenants=[OTHER_TENANT])
    with pytest.raises(MissingKey, match="no envelope key"):
        check_seal(TOPIC, "n1", event.headers, event.payload, strangers)


def test_content_that_breaks_its_contract_names_fields_and_no_values(tmp_path: Path) -> None:
    keys = make_key_ring(tmp_path)
    bad: Any = NoteTaken.model_construct(note_id="n1", number="SECRET", name="N", code="C", cents=0)
    with pytest.warns(UserWarning, match="serialized value"):
        event = seal_event(bad, envelope(), TOPIC, keys)
    with pytest.raises(Permanent) as refused:
        open_event(TOPIC, "n1", envelope(), event.payload, keys)
    assert "number" in str(refused.value) and "SECRET" not in str(refused.value)


def test_a_view_keeps_what_is_granted() -> None:
    view = view_of(EncounterDocumented, frozenset({"clinical"}))
    assert view.model_fields["encounter_number"].default is None
    assert view.model_fields["diagnoses"].is_required()


@given(st.dictionaries(st.from_regex(r"ce_[a-z]{1,8}", fullmatch=True), st.text("abc:/-@é", max_size=20), min_size=1))
def test_headers_survive_their_text_form(headers: dict[str, str]) -> None:
    text = headers_to_text(headers)
    assert headers_from_text(text) == headers and headers_text_to_kafka(text) == headers_to_kafka(headers)


@given(st.text(max_size=40))
def test_a_key_lies_where_every_other_kafka_client_looks_for_it(key: str) -> None:
    assert hash_of_key(key) == murmur2(key.encode()) & 0x7FFFFFFF


def test_headers_that_are_no_envelope_are_refused(tmp_path: Path) -> None:
    headers = sealed(tmp_path).headers
    for name in ("ce_id", "ce_sequence", "ce_tenantid", "ce_time"):
        with pytest.raises(BadSeal):
            read_headers({**headers, name: "?"})
        with pytest.raises(BadSeal):
            read_headers({key: value for key, value in headers.items() if key != name})


def test_derived_ids_follow_from_the_cause_alone() -> None:
    cause = make_cause(5)
    assert cause.derive("claim") == make_cause(5).derive("claim")
    assert (
        len({cause.derive("claim"), cause.derive("claim", 1), cause.derive("bill"), make_cause(6).derive("claim")}) == 4
    )
    assert cause.derive("claim").version == 7
