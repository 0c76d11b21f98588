"""Ways on which what is known of a patient comes in: encounter files of every fate, and every operation misused."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from .canaries import Person
from .harness import Caller, Json, Visits, wait_for

SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")
METHODS = ("get", "post", "put", "patch", "delete")
ENDED = ("paid", "partly_paid", "denied")


def identified(person: Person) -> dict[str, object]:
    """Everything that can tell who somebody is, in its place in an encounter file."""
    return {
        "patient.last_name": person.last_name,
        "patient.first_name": person.first_name,
        "patient.middle_name": person.first_name,
        "patient.medical_record_number": person.record_number,
        "patient.phone": person.social,
        "patient.address.line1": person.street,
        "coverages.0.member_id": person.member_id,
        "coverages.0.group_number": f"G-{person.social}",
        "coverages.0.relationship": "spouse",
        "coverages.0.subscriber": {
            "last_name": person.last_name,
            "first_name": person.first_name,
            "birth_date": "1980-01-02",
            "sex": "F",
        },
        "document.text": f"{person.note}. {person.first_name} {person.last_name}, number {person.social}.",
    }


def accepted(person: Person, number: int, visits: Visits) -> tuple[dict[str, Json], str]:
    """A file that is taken, and what becomes of its encounter."""
    fates: Sequence[tuple[dict[str, object], str]] = (
        ({}, "adjudicated"),
        ({}, "adjudicated"),
        ({}, "adjudicated"),
        ({"coverages.0.member_id": person.member_id.replace("-", "/")}, "rejected"),
        ({"coverages.0.payer_id": "NOSUCHPAYER"}, "held"),
        ({"diagnoses": []}, "on the worklist"),
        ({"document.signed_at": None}, "blocked"),
    )
    changes, fate = fates[number % len(fates)]
    return visits.file({**identified(person), **changes}), fate


def refused(person: Person, visits: Visits) -> list[object]:
    """Files that are not taken, each with a canary where something else belongs."""
    whole = identified(person)
    wrong: list[dict[str, object]] = [
        {"patient.birth_date": person.note},
        {"patient.sex": person.last_name},
        {"patient.ssn": person.social},
        {"patient.address.postal_code": person.street},
        {"rendering_provider.npi": person.social},
        {"coverages.0.member_id": [person.member_id]},
        {"date_of_service": person.social},
        {person.last_name: person.first_name},
        {"services.0.code": person.note},
        {"encounter_number": f"{person.last_name}^{person.first_name}" * 20},
    ]
    files: list[object] = [visits.file({**whole, **changes}) for changes in wrong]
    return [*files, {**visits.file(), "patient": person.last_name}, f"{person.last_name} {person.note}", [person.note]]


def send_everybody(caller: Caller, visits: Visits, everybody: Sequence[Person]) -> tuple[list[str], list[str]]:
    """Send a file for each and, for some, files that are refused; returns encounter ids with a claim and all errors."""
    files = [accepted(person, number, visits) for number, person in enumerate(everybody)]
    results = caller.intake([file for file, _ in files])
    assert {each["status"] for each in results} == {"created"}
    spoilt = [file for person in everybody[::17] for file in refused(person, visits)]
    answers = caller.intake(spoilt)
    assert {each["status"] for each in answers} <= {"refused", "created"}
    assert sum(each["status"] == "refused" for each in answers) >= len(spoilt) * 3 // 4
    fates = {str(result["encounter_id"]): fate for result, (_, fate) in zip(results, files, strict=True)}
    billed = [encounter_id for encounter_id, fate in fates.items() if fate in ("adjudicated", "rejected", "held")]
    return billed, [json.dumps(each["errors"]) for each in (*results, *answers) if each["errors"]]


def wait_for_everybody(caller: Caller, encounter_ids: Sequence[str]) -> None:
    """Wait until every claim has come to an outcome, and look at each through every door."""

    def ended() -> bool:
        found = caller.call("claims", "POST", "/v1/claims:search", {"encounter_ids": list(encounter_ids)}).json()
        return sum(item["outcome"] is not None for item in found["items"]) == len(encounter_ids)

    wait_for("an outcome of every claim", ended, 60)


def misuses(caller: Caller, service: str, people: Sequence[Person]) -> Iterator[httpx.Response]:
    """Every operation of a service, called with canaries wherever the caller may write something."""
    document: Json = httpx.get(f"{caller.urls[service]}/openapi.json", timeout=20).json()
    number = 0
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method not in operations:
                continue
            person = people[number % len(people)]
            number += 1
            yield from _misused(caller, service, method.upper(), path, operations[method], person)


def _misused(
    caller: Caller, service: str, method: str, path: str, operation: Json, person: Person
) -> Iterator[httpx.Response]:
    values = (person.last_name, person.social, person.member_id, person.note)
    names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
    asked = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    filled = path
    for index, name in enumerate(names):
        filled = filled.replace("{" + name + "}", values[index % len(values)].replace(" ", "%20"))
    query = {name: values[index % len(values)] for index, name in enumerate([*asked, person.first_name])}
    headers = {"traceparent": person.note, "tracestate": person.last_name, "x_request_id": person.note}
    url = str(httpx.URL(filled, params=query))
    yield caller.call(service, method, url, **headers)
    if "requestBody" not in operation:
        return
    yield caller.call(service, method, filled, f"{person.last_name} {person.note}", **headers)
    yield caller.call(service, method, filled, {person.last_name: person.social}, **headers)
    yield caller.call(service, method, filled, _spoilt(operation, person), **headers)
    for kind in operation["requestBody"]["content"]:
        raw = f'{person.last_name},{person.social}\n"{person.note}\n{{'.encode()
        yield caller.send_bytes(service, method, filled, raw, kind)


def _spoilt(operation: Json, person: Person) -> dict[str, Any]:
    """A body with every field of the operation's examples, and in each something that cannot be right."""
    known: set[str] = set()
    for content in operation["requestBody"]["content"].values():
        for example in (content.get("example"), *(content.get("schema", {}).get("examples") or ())):
            known |= set(example) if isinstance(example, dict) else set()
    return {name: {"of": [person.last_name, person.note]} for name in known | {person.first_name}}
