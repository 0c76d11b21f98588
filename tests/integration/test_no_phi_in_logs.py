"""Who a patient is stays in the databases: no log, metric, problem or topic segment tells it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.stack import Stack

from .harness import Caller, Json, Visits, wait_for

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(120)]

SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")

LAST_NAME = "Zzquokka-Canary"
FIRST_NAME = "Wombatina"
MIDDLE_NAME = "Numbatella"
MEDICAL_RECORD_NUMBER = "MRNBILBY77"
MEMBER_ID = "BANDICOOT-4711"
REFUSED_MEMBER_ID = "BANDI/COOT/4712"
GROUP_NUMBER = "GRP-POTOROO-9"
PHONE = "555-0199-31415"
STREET = "31415 Thylacine Test Lane"
NOTE = "synthetic canary note: patient hums the dugong overture"
SUBSCRIBER = "Quollworth"
BAD_BIRTH_DATE = "19th of Cassowary"
BAD_SEX = "Echidna"
CANARIES = (
    *(LAST_NAME, FIRST_NAME, MIDDLE_NAME, MEDICAL_RECORD_NUMBER, MEMBER_ID, REFUSED_MEMBER_ID, GROUP_NUMBER),
    *(PHONE, STREET, NOTE, SUBSCRIBER, BAD_BIRTH_DATE, BAD_SEX),
)

WHO = {
    "patient.last_name": LAST_NAME,
    "patient.first_name": FIRST_NAME,
    "patient.middle_name": MIDDLE_NAME,
    "patient.phone": PHONE,
    "patient.address.line1": STREET,
    "coverages.0.group_number": GROUP_NUMBER,
    "coverages.0.relationship": "spouse",
    "coverages.0.subscriber": {
        "last_name": SUBSCRIBER,
        "first_name": FIRST_NAME,
        "birth_date": "1980-01-02",
        "sex": "F",
    },
    "document.text": NOTE,
}


def test_canaries_are_sighted_nowhere(stack: Stack, caller: Caller, visits: Visits) -> None:
    problems = _send_canaries(caller, visits)

    texts = dict(_texts(caller, stack, problems))

    assert any(name.endswith(".log") and "logs" in name for name in texts)
    segments = {name: text for name, text in texts.items() if "kafka" in name and "revcycle." in name}
    assert any("revpay1" in text for text in segments.values()), "the segments cannot be read: the search is blind"
    sightings = [
        f"{canary!r} in {name}" for name, text in texts.items() for canary in CANARIES if canary.lower() in text
    ]
    assert sightings == []


def _send_canaries(caller: Caller, visits: Visits) -> list[str]:
    """Send the same person along every way an encounter can take; returns every problem that was answered."""
    identity = {"patient.medical_record_number": MEDICAL_RECORD_NUMBER, "coverages.0.member_id": MEMBER_ID}
    rejected = {"patient.medical_record_number": "MRNBILBY78", "coverages.0.member_id": REFUSED_MEMBER_ID}
    unknown_payer = {"patient.medical_record_number": "MRNBILBY79", "coverages.0.payer_id": "NOSUCHPAYER"}
    files = [
        visits.file({**WHO, **identity}),
        visits.file({**WHO, **rejected}),
        visits.file({**WHO, **unknown_payer}),
        visits.file({**WHO, "diagnoses": []}),
        visits.file({**WHO, "document.signed_at": None}),
        visits.file({**WHO, "patient.birth_date": BAD_BIRTH_DATE}),
        visits.file({**WHO, "patient.sex": BAD_SEX}),
        visits.file({**WHO, "rendering_provider.npi": LAST_NAME}),
        visits.file({**WHO, "patient.address.postal_code": STREET}),
        visits.file({**WHO, "patient.nickname": FIRST_NAME}),
        visits.file({**WHO, "coverages.0.member_id": [MEMBER_ID]}),
        visits.file({**WHO, "date_of_service": "2026-10-05"}),
        {**visits.file(), "patient": LAST_NAME},
        f"{LAST_NAME} {FIRST_NAME} {NOTE}",
    ]
    results = caller.intake(files)
    paid, sent_back, held = (each["encounter_id"] for each in results[:3])
    wait_for("an adjudicated claim", lambda: _outcome(caller, paid) in ("paid", "partly_paid", "denied"))
    wait_for("a rejected claim", lambda: _outcome(caller, sent_back) == "rejected")
    caller.wait_claim(held, "held")
    patient = caller.read("registration", f"/v1/patients/{results[0]['patient_id']}")
    assert LAST_NAME in json.dumps(patient), "the canary did not even arrive"
    return [json.dumps(each["errors"]) for each in results if each["errors"]] + _problems(caller)


def _outcome(caller: Caller, encounter_id: str) -> str | None:
    claim: Json = caller.claim(encounter_id)
    return claim["outcome"] if claim else None


def _problems(caller: Caller) -> list[str]:
    """What is answered to requests that are wrong as a whole."""
    answers = [
        caller.call("registration", "POST", "/v1/intake", {"encounters": f"{LAST_NAME} {NOTE}"}),
        caller.call("registration", "GET", f"/v1/patients/{MEDICAL_RECORD_NUMBER}"),
        caller.call(
            "registration", "POST", "/v1/patients", {"last_name": {"of": LAST_NAME}, "birth_date": BAD_BIRTH_DATE}
        ),
        caller.call("registration", "POST", "/v1/patients:search", {"medical_record_numbers": LAST_NAME}),
        caller.call("claims", "GET", f"/v1/claims/{MEMBER_ID}"),
        caller.call("claims", "POST", "/v1/claims:search", {"encounter_ids": [LAST_NAME]}),
        caller.call("coding", "GET", f"/v1/codings/{LAST_NAME}/professional"),
        caller.call("adjudication-gateway", "POST", "/v1/status-inquiries", {"submission_ids": [MEMBER_ID]}),
        httpx.post(f"{caller.urls['registration']}/v1/intake", content=f'{{"{LAST_NAME}"'.encode(), timeout=10),
    ]
    assert all(400 <= answer.status_code < 500 for answer in answers), [answer.status_code for answer in answers]
    return [answer.text for answer in answers]


def _texts(caller: Caller, stack: Stack, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Everything that is searched, in lower case, by where it was found."""
    layout = StateLayout(stack.state_dir)
    for number, problem in enumerate(problems):
        yield f"problem {number}", problem.lower()
    for service in SERVICES:
        yield f"metrics of {service}", httpx.get(f"{caller.urls[service]}/metrics", timeout=10).text.lower()
    for folder in (layout.logs, layout.kafka):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix not in (".index", ".timeindex"):
                yield str(file.relative_to(stack.state_dir)), _read(file)


def _read(file: Path) -> str:
    return file.read_bytes().decode("latin-1").lower()
