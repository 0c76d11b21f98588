"""How a run is watched, sent and retried: against fakes, without services."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from revcycle_hospital_simulator import Api, IntakeAnswer, Pace, UnexpectedAnswerError, facilities_of, send_files
from revcycle_hospital_simulator.planting import CodingCorrection
from revcycle_hospital_simulator.rest import Body, ServiceUnreachableError
from revcycle_hospital_simulator.staff import Cashier, Coder, complete_lines
from revcycle_hospital_simulator.watch import (
    Board,
    Calm,
    ClaimState,
    Reading,
    StillWaitingError,
    messaging_in_flight,
    payer_in_flight,
    routes_in_flight,
)

QUIET = {
    "outbox_rows": 0,
    "chunk_in_flight": 0,
    "lag": 0,
    "jobs": {"ready": 0, "running": 0, "unknown": 0, "failed": 3},
    "parked_keys": 0,
    "dead_letters": 0,
    "stopped_because": None,
}
CLAIM = ClaimState("c1", "e1", None, "transmission", "not_sent", "none", 0, 0, 0, 0, 0, 0)


def reading(**changed: object) -> Reading:
    return Reading("claims", "claims-1", {**QUIET, **changed})


def test_messaging_is_quiet_only_when_nothing_of_it_moves() -> None:
    assert messaging_in_flight([reading()]) == []
    assert messaging_in_flight([reading(outbox_rows=2)]) == ["claims-1: 2 events in the outbox"]
    assert messaging_in_flight([reading(lag=5, chunk_in_flight=1)]) == [
        "claims-1: 5 events not consumed",
        "claims-1: 1 events in an open chunk",
    ]
    assert messaging_in_flight([reading(jobs={"ready": 1, "running": 0, "unknown": 2})]) == ["claims-1: 3 jobs"]
    assert messaging_in_flight([reading(stopped_because="too many dead letters")])


def test_a_process_that_does_not_answer_or_consume_is_not_quiet() -> None:
    assert messaging_in_flight([Reading("coding", "coding", None)]) == ["coding does not answer"]
    assert messaging_in_flight([reading(lag=None)]) == ["claims-1 does not know yet how far its consumer is behind"]
    assert messaging_in_flight([Reading("registration", "registration", {**QUIET, "lag": None})]) == []


def test_a_key_behind_a_dead_letter_waits_for_a_person_and_is_not_in_flight() -> None:
    assert messaging_in_flight([reading(parked_keys=1, dead_letters=1)]) == []
    assert messaging_in_flight([reading(parked_keys=2, dead_letters=1)]) == ["claims-1: 1 keys parked for another try"]


def test_a_submission_nobody_knows_about_and_an_unpaid_claim_are_in_flight() -> None:
    route = {"payer_id": "REVPAY1", "queued": 0, "in_flight": 0, "unknown": 1}
    assert routes_in_flight([route]) == ["REVPAY1: 1 submissions sent or not, nobody knows yet"]
    assert payer_in_flight({"owed": 2, "mailbox": 0}) == ["payers: 2 claims to be remitted"]
    assert payer_in_flight({"owed": 0, "mailbox": 0}) == []
    assert payer_in_flight(None) == ["the payer simulator does not answer"]


def test_quiet_must_last_and_any_movement_starts_it_anew() -> None:
    calm = Calm(quiet_seconds=1.0)
    assert not calm.settled([], 1, 0.0)
    assert not calm.settled([], 1, 0.9)
    assert not calm.settled([], 2, 1.1), "something moved"
    assert not calm.settled(["a job"], 2, 2.5)
    assert not calm.settled([], 2, 2.6)
    assert calm.settled([], 2, 3.6)


def test_waiting_without_any_movement_ends_with_what_waits() -> None:
    calm = Calm(patience_seconds=240)
    assert not calm.settled(["payers: 2 claims to be remitted"], 1, 0.0)
    assert not calm.settled(["payers: 1 claims to be remitted"], 1, 200.0), "it moved"
    with pytest.raises(StillWaitingError, match="1 claims to be remitted"):
        calm.settled(["payers: 1 claims to be remitted"], 1, 441.0)


def answer(number: int, status: str = "created", state: str | None = "documented") -> IntakeAnswer:
    return IntakeAnswer(number, f"T{number}", status, f"e{number}" if state else None, state, (), ())


def test_the_bars_count_what_passed_a_stage_and_expect_only_what_can_still_pass_it() -> None:
    board = Board(6, [answer(1), answer(2), answer(3), answer(4, state="open"), answer(5, "refused", None)])
    board.worklist = {"e2"}
    board.claims = {
        "e1": replace(CLAIM, outcome="paid", submission="acknowledged", adjudication="paid"),
        "e3": replace(CLAIM, outcome="held"),
    }
    assert board.stages() == {
        "documented": (3, 4),
        "coded": (2, 3),
        "submitted": (1, 2),
        "adjudicated": (1, 2),
        "posted": (1, 2),
    }


def api(handle: Any, patience_seconds: float = 5.0) -> Api:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    roles = dict.fromkeys(("integration", "coder", "biller", "operator"), "token")
    urls = {name: [f"http://{name}-1", f"http://{name}-2"] for name in ("registration", "coding", "claims")}
    return Api(urls, roles, client, patience_seconds)


async def test_a_command_is_repeated_elsewhere_under_its_key_until_it_is_answered() -> None:
    seen = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers["idempotency-key"], request.content))
        if len(seen) == 1:
            raise httpx.ConnectError("killed")
        return httpx.Response(503 if len(seen) == 2 else 200, json={"done": True})

    done = await api(handle).call("biller", "claims", "POST", "/v1/deposits", Body.of({"a": 1}), key="k")
    assert done.body == {"done": True}
    assert [host for host, _, _ in seen] == ["claims-1", "claims-2", "claims-2"]
    assert {(key, content) for _, key, content in seen} == {("k", b'{"a":1}')}


async def test_a_service_that_stays_away_and_an_unforeseen_answer_end_in_words() -> None:
    with pytest.raises(ServiceUnreachableError, match="claims does not answer"):
        await api(lambda _: httpx.Response(503), 0.0).call("biller", "claims", "GET", "/v1/x")
    problem = {"code": "would_be_held", "detail": "see errors", "errors": [{"field": "f", "message": "is missing"}]}
    with pytest.raises(UnexpectedAnswerError, match="422 would_be_held see errors; f: is missing"):
        await api(lambda _: httpx.Response(422, json=problem)).call("biller", "claims", "GET", "/v1/x")


async def test_files_go_out_in_batches_each_once_and_every_answer_keeps_its_line() -> None:
    batches: list[list[Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        files = json.loads(request.content)["encounters"]
        batches.append(files)
        results = [{"encounter_number": file and file["encounter_number"], "status": "created"} for file in files]
        return httpx.Response(200, json={"results": results})

    told: list[IntakeAnswer] = []
    files = [(line, {"encounter_number": f"T{line}"} if line != 3 else None) for line in range(1, 8)]
    await send_files(api(handle), files, "run", Pace(files_per_request=3), told.extend)
    assert sorted(len(batch) for batch in batches) == [1, 3, 3]
    assert sorted((each.line, each.encounter_number) for each in told) == [
        (line, None if line == 3 else f"T{line}") for line in range(1, 8)
    ]


async def test_the_cashier_posts_each_complete_row_once(tmp_path: Path) -> None:
    posted: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        rows = request.content.decode().splitlines()[1:]
        posted.extend(rows)
        return httpx.Response(200, json={"results": [{"deposit_id": row, "status": "created"} for row in rows]})

    file = tmp_path / "deposits.csv"
    cashier = Cashier(api(handle), file)
    await cashier.work()
    file.write_text("deposit_id,date\nD1,2026\nD2,20")
    assert cashier.waiting() == 1
    await cashier.work()
    file.write_text("deposit_id,date\nD1,2026\nD2,2026\n")
    await cashier.work()
    await cashier.work()
    assert posted == ["D1,2026", "D2,2026"]
    assert cashier.waiting() == 0
    assert complete_lines(tmp_path / "absent") == []


async def test_the_coder_reads_again_when_the_coding_has_changed_meanwhile() -> None:
    etags = iter(['"1"', '"2"', '"3"'])
    state = {"state": "open"}
    calls: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        if request.method == "GET":
            return httpx.Response(200, json=state, headers={"etag": next(etags)})
        if request.method == "PUT":
            return httpx.Response(412 if request.headers["if-match"] == '"1"' else 200, json={})
        state["state"] = "finalised"
        return httpx.Response(200, json=state)

    coder = Coder(api(handle), {"e1": CodingCorrection(("I10",), ())})
    await coder.work([])
    assert not calls, "it waits until the coding lies on the worklist"
    for _ in range(3):
        await coder.work(["e1"])
    assert calls == ["GET", "PUT", "GET", "PUT", "POST", "GET"]
    assert not coder.corrections


def test_the_facility_that_sends_a_file_is_set_up_and_a_wrong_number_is_not() -> None:
    files = [{"facility_npi": "1999999976"}] * 3 + [{"facility_npi": "1900000005"}, {"facility_npi": "123"}, {}]
    assert [each.npi for each in facilities_of(files)] == ["1900000005", "1999999976"]
    assert [each.npi for each in facilities_of([{"facility_npi": "1900000005"}])] == ["1900000005"]


async def test_a_failure_while_sending_is_raised_as_itself_and_leaves_no_task_behind() -> None:
    files: list[tuple[int, object]] = [(line, {}) for line in range(1, 9)]
    with pytest.raises(UnexpectedAnswerError, match="401"):
        await send_files(api(lambda _: httpx.Response(401)), files, "run", Pace(files_per_request=2), lambda _: None)
    assert len(asyncio.all_tasks()) == 1
