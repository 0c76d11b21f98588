"""What is wrong is answered clearly or held with its reason, can be seen through REST, and delays nothing else."""

from uuid import UUID

import httpx
import pytest

from .harness import Caller, Json, Visits, wait_for

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(120)]

GATEWAY = "adjudication-gateway"
SERVICES = ("registration", "coding", "claims", GATEWAY, "analytics")
ANOTHER_TENANT = UUID("0190a000-0000-7000-8000-00000000beef")

REFUSED_AT_INTAKE: dict[str, tuple[dict[str, object], str, str]] = {
    "future date of service": ({"date_of_service": "2026-10-05"}, "date_of_service", "not_in_the_future"),
    "no units": ({"services.0.units": 0}, "services[0].units", "minimum"),
    "negative units": ({"services.0.units": -2}, "services[0].units", "minimum"),
    "a charge from outside": ({"services.0.charge_cents": -100}, "services[0].charge_cents", "unknown_field"),
    "an NPI that cannot be": ({"rendering_provider.npi": "1000000013"}, "rendering_provider.npi", "npi"),
}


@pytest.mark.parametrize("case", REFUSED_AT_INTAKE)
def test_a_file_that_cannot_be_right_is_refused_with_field_rule_and_remedy(
    caller: Caller, visits: Visits, case: str
) -> None:
    changes, field, rule = REFUSED_AT_INTAKE[case]
    file = visits.file(changes)

    refused, taken = caller.intake([file, visits.file()])

    assert (refused["status"], refused["encounter_id"]) == ("refused", None)
    error = next(each for each in refused["errors"] if each["field"] == field)
    assert error["rule"] == rule
    assert error["message"] and error["expected"]
    assert taken["status"] == "created", "the file beside it must not suffer"
    kept = caller.items("registration", "/v1/intake-refusals", limit="200")
    assert refused["errors"] in [
        each["errors"] for each in kept if each["encounter_number"] == file["encounter_number"]
    ]


@pytest.mark.parametrize("cents", [0, -500])
def test_a_price_that_is_not_above_zero_is_refused(caller: Caller, cents: int) -> None:
    # A code that no visit has: prices of other schedules count too.
    row = {"code": "Z0001", "modifier": None, "effective_from": "2026-01-01", "effective_to": None}
    rows = [{**row, "price_cents": cents}, {**row, "price_cents": 12500}]

    alone = caller.call("claims", "POST", "/v1/fee-schedules", {"name": "refused", "rows": rows[:1]})
    mixed = caller.call(
        "claims", "POST", "/v1/fee-schedules", {"name": f"mixed{cents}".replace("-", "m"), "rows": rows}
    )

    assert alone.status_code == 422
    (error,) = alone.json()["errors"]
    assert error["field"] == "rows[0].price_cents"
    assert error["expected"] == "more than 0"
    assert mixed.status_code == 201, mixed.text
    assert mixed.json()["accepted"] == 1
    assert [(each["row"], each["field"]) for each in mixed.json()["rejected"]] == [(1, "price_cents")]


def test_a_payer_nobody_recorded_holds_the_claim(caller: Caller, visits: Visits) -> None:
    encounter_id = caller.send(visits.file({"coverages.0.payer_id": "NOSUCHPAYER"}))

    claim = caller.wait_claim(encounter_id, "held")

    (hold,) = claim["holds"]
    assert (hold["rule"], hold["field"]) == ("unknown_payer", "coverages.payer_id")
    assert hold["expected"] and hold["owner"]
    (task,) = caller.items("claims", "/v1/tasks", claim_id=claim["claim_id"])
    assert (task["kind"], task["state"]) == ("claim_held", "open")
    assert task["remedy"]


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"services.0.code": "J1030"}, "PX-01", "services[0].code"),
        ({"diagnoses.0": "Q00.99"}, "DX-01", "diagnoses[0]"),
        ({"services.0.diagnosis_pointers": [9]}, "PT-01", "services[0].diagnosis_pointers"),
    ],
    ids=["a procedure code that ended before", "a diagnosis nobody assigns", "a pointer to nothing"],
)
def test_wrong_codes_wait_for_a_coder_with_their_findings(
    caller: Caller, visits: Visits, changes: dict[str, object], rule: str, field: str
) -> None:
    encounter_id = caller.send(visits.file(changes))

    def coding() -> Json | None:
        response = caller.call("coding", "GET", f"/v1/codings/{encounter_id}/professional")
        return response.json() if response.status_code == 200 else None

    open_coding = wait_for("coding on the worklist", coding)
    finding = next(each for each in open_coding["findings"] if each["rule"] == rule)
    assert finding["field"] == field
    assert finding["message"] and finding["expected"]
    finalised = caller.call("coding", "POST", f"/v1/codings/{encounter_id}/professional:finalise")
    assert finalised.status_code == 409
    assert rule in [each["rule"] for each in finalised.json()["errors"]]


def test_a_coverage_not_in_force_blocks_billing(caller: Caller, visits: Visits) -> None:
    over = {"coverages.0.effective_from": "2025-01-01", "coverages.0.effective_to": "2025-12-31"}
    encounter_id = caller.send(visits.file(over))

    readiness = caller.read("registration", f"/v1/encounters/{encounter_id}/readiness")

    assert readiness["ready"] is False
    (blocker,) = readiness["blockers"]
    assert (blocker["field"], blocker["rule"]) == ("coverages", "in_force_on_date_of_service")
    assert "in force" in blocker["expected"]


def test_a_malformed_answer_is_kept_with_what_is_wrong_in_it(caller: Caller, visits: Visits) -> None:
    known = {each["interchange_id"] for each in caller.items(GATEWAY, "/v1/interchanges", state="malformed")}
    caller.plan_faults(malformed_answer=1)
    encounter_id = caller.send(visits.file())

    def arrived() -> list[Json]:
        found = caller.items(GATEWAY, "/v1/interchanges", state="malformed", direction="in")
        return [each for each in found if each["interchange_id"] not in known]

    (item,) = wait_for("the malformed answer", arrived)
    finding = caller.read(GATEWAY, f"/v1/interchanges/{item['interchange_id']}")["finding"]
    assert finding["rule"] and finding["message"] and finding["expected"]
    assert finding["segment_number"] > 0
    exceptions = caller.items(GATEWAY, "/v1/exceptions", kind="malformed")
    assert item["interchange_id"] in [each["interchange_id"] for each in exceptions]
    raw = caller.call(GATEWAY, "GET", f"/v1/interchanges/{item['interchange_id']}/raw")
    assert len(raw.content) == item["size_bytes"]
    caller.wait_claim(encounter_id, "paid")


def test_a_remittance_that_does_not_balance_is_held_whole_and_the_right_one_posted(
    caller: Caller, visits: Visits
) -> None:
    known = {each["remittance_id"] for each in caller.items(GATEWAY, "/v1/remittances", state="held")}
    caller.plan_faults(unbalanced_835=1)
    visit = visits.next()
    encounter_id = caller.send(visit.file)

    def arrived() -> list[Json]:
        found = caller.items(GATEWAY, "/v1/remittances", state="held")
        return [each for each in found if each["remittance_id"] not in known]

    (held,) = wait_for("the remittance that does not balance", arrived)
    failing = caller.read(GATEWAY, f"/v1/remittances/{held['remittance_id']}")["failing"]
    assert failing
    for equation in failing:
        assert equation["place"] and equation["equation"]
        assert equation["left_cents"] != equation["right_cents"]
    claim = caller.wait_claim(encounter_id, "paid")
    money = claim["money"]
    assert (money["paid_cents"], money["patient_cents"]) == (visit.expected.paid_cents, visit.expected.patient_cents)
    assert (money["open_cents"], money["unbalanced_cents"]) == (0, 0)
    exceptions = caller.items(GATEWAY, "/v1/exceptions", kind="remittance_held")
    assert held["trace_number"] in [each["reference"] for each in exceptions]


def test_money_for_a_claim_nobody_knows_lies_unapplied_and_is_a_task(caller: Caller, visits: Visits) -> None:
    caller.plan_faults(unknown_claim_835=1)
    encounter_id = caller.send(visits.file())

    (unapplied,) = wait_for("the unapplied payment", lambda: caller.items("claims", "/v1/unapplied-payments"))
    assert unapplied["why"] == "unknown_claim"
    assert unapplied["paid_cents"] > 0
    (task,) = caller.items("claims", "/v1/tasks", kind="unknown_claim")
    assert (task["state"], task["money_at_stake_cents"]) == ("open", unapplied["paid_cents"])
    assert task["cause"] and task["remedy"]
    (exception,) = caller.items(GATEWAY, "/v1/exceptions", kind="remittance_claim_unknown")
    assert exception["reference"] == unapplied["patient_control_number"]
    caller.wait_claim(encounter_id, "paid")


def test_what_is_held_delays_nobody_else(caller: Caller, visits: Visits) -> None:
    """Right files between wrong ones, in one request, reach their remittance while the wrong ones wait."""
    wrong = [
        visits.file({"coverages.0.payer_id": "NOSUCHPAYER"}),
        visits.file({"diagnoses": []}),
        visits.file({"facility_npi": "1999999976"}),
        visits.file({"date_of_service": "2026-10-05"}),
        visits.file({"coverages": []}),
    ]
    right = [visits.next() for _ in wrong]
    files = [file for pair in zip(wrong, (each.file for each in right), strict=True) for file in pair]

    results = caller.intake(files)

    for visit, result in zip(right, results[1::2], strict=True):
        claim = caller.wait_claim(result["encounter_id"], "paid")
        assert claim["money"]["paid_cents"] == visit.expected.paid_cents
    for service in SERVICES:
        messaging = caller.read(service, "/v1/ops/messaging")
        assert (messaging["dead_letters"], messaging["parked_keys"]) == (0, 0), f"{service} parks what follows"
        assert not messaging["stopped_because"]


def test_another_tenants_ids_do_not_exist(caller: Caller, visits: Visits) -> None:
    encounter_id = caller.send(visits.file())
    claim = caller.wait_claim(encounter_id, "paid")
    submission = caller.submission(encounter_id)
    assert submission is not None
    (remittance, *_) = caller.items(GATEWAY, "/v1/remittances")
    (posted, *_) = caller.items("claims", "/v1/remittances")
    encounter = caller.read("registration", f"/v1/encounters/{encounter_id}")
    ours = [
        ("registration", f"/v1/encounters/{encounter_id}"),
        ("registration", f"/v1/encounters/{encounter_id}/readiness"),
        ("registration", f"/v1/patients/{encounter['patient_id']}"),
        ("coding", f"/v1/codings/{encounter_id}/professional"),
        ("claims", f"/v1/claims/{claim['claim_id']}"),
        ("claims", f"/v1/claims/{claim['claim_id']}/timeline"),
        ("claims", f"/v1/remittances/{posted['remittance_id']}"),
        (GATEWAY, f"/v1/submissions/{submission['submission_id']}"),
        (GATEWAY, f"/v1/interchanges/{submission['interchange_id']}"),
        (GATEWAY, f"/v1/interchanges/{submission['interchange_id']}/raw"),
        (GATEWAY, f"/v1/remittances/{remittance['remittance_id']}"),
    ]
    with Caller(caller.stack, ANOTHER_TENANT) as stranger:
        for service, path in ours:
            assert caller.call(service, "GET", path).status_code == 200, f"{service} {path}"
            assert stranger.call(service, "GET", path).status_code == 404, f"{service} {path}"
        hold = stranger.call("claims", "POST", f"/v1/claims/{claim['claim_id']}:hold", {"reason": "not mine"})
        assert hold.status_code == 404
        for service, path in [("registration", "/v1/encounters"), ("claims", "/v1/claims"), (GATEWAY, "/v1/routes")]:
            assert stranger.items(service, path) == []


def test_without_a_token_nothing_is_answered_but_401(caller: Caller) -> None:
    paths = {
        "registration": "/v1/encounters",
        "coding": "/v1/coding-tasks",
        "claims": "/v1/claims",
        GATEWAY: "/v1/submissions",
        "analytics": "/v1/kpis",
    }
    for service, path in paths.items():
        for headers in ({}, {"authorization": "Bearer not.a.token"}):
            answer = httpx.get(f"{caller.urls[service]}{path}", headers=headers, timeout=10)
            assert answer.status_code == 401, f"{service} {path}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")
    intake = httpx.post(f"{caller.urls['registration']}/v1/intake", json={"encounters": [{}]}, timeout=10)
    assert intake.status_code == 401
