"""The HTTP door without anything behind it: refusals, limits, headers, logs, metrics."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit_sample_service.parts import build
from revcycle_messaging.testing import TENANT
from revcycle_service_kit import (
    MIB,
    ServiceSettings,
    TokenVerifier,
    create_base_app,
    ensure_development_key,
    issue_token,
    read_token_keys,
)
from revcycle_service_kit.logging import configure_logging
from revcycle_service_kit.program import offline_context
from revcycle_service_kit.testing import eventually

CANARY = "SECRET-CANARY"


@asynccontextmanager
async def open_door(folder: Path, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    loaded = ServiceSettings(service_name="sample", database_url="postgresql://nobody@localhost/none", **settings)
    context = offline_context(loaded)
    key = ensure_development_key(folder / "key.json")
    context.verifier = TokenVerifier(read_token_keys(folder / "key.json"))
    app = create_base_app(context, build())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        client.headers["authorization"] = f"Bearer {issue_token(key, TENANT, 'tester', ['biller'])}"
        yield client


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_door(tmp_path) as client:
        yield client


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Every refusal has the same shape, a resolvable type and the request id of the header."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"type", "title", "status", "code", "detail", "request_id", "errors"}
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"]
    assert CANARY not in answer.text
    for error in body["errors"]:
        assert set(error) == {"field", "rule", "message", "expected"}
        assert error["expected"]
    return body


async def test_every_refusal_is_a_problem_that_repeats_nothing(door: httpx.AsyncClient) -> None:
    """404, 405, 401, 403, 400, 415-like, 422: one shape, no input anywhere."""
    assert_problem(await door.get(f"/v1/{CANARY}"), 404, "not_found")
    refused = await door.delete("/v1/notes")
    assert_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, POST"
    anonymous = await door.get("/v1/notes", headers={"authorization": ""})
    assert_problem(anonymous, 401, "unauthorized")
    assert anonymous.headers["www-authenticate"].startswith("Bearer")
    assert_problem(await door.get("/v1/notes", headers={"authorization": f"Bearer {CANARY}"}), 401, "unauthorized")
    assert_problem(await door.get("/v1/notes", headers={"authorization": f"Basic {CANARY}"}), 401, "unauthorized")
    assert_problem(await door.get("/v1/ops/messaging"), 403, "forbidden")
    assert_problem(await door.patch(f"/v1/notes/{CANARY}", json={"number": 1}), 422, "invalid")
    assert_problem(await door.post("/v1/notes", content=f'{{"{CANARY}'.encode(), headers=JSON), 400, "bad_request")
    assert_problem(
        await door.post("/v1/notes", content=CANARY.encode(), headers={"content-type": "text/plain"}), 422, "invalid"
    )
    assert_problem(await door.get("/v1/notes", params={CANARY: "1"}), 400, "bad_request")
    assert_problem(await door.get("/v1/notes", params={"number[lte]": "1"}), 400, "bad_request")


JSON = {"content-type": "application/json"}


async def test_what_is_wrong_is_named_field_by_field(door: httpx.AsyncClient) -> None:
    """All errors at once, each with its place, rule and expectation, none with its value."""
    body = {"number": CANARY, "title": f"forbidden {CANARY}", "authors": [{"name": "x"}, {"nmae": CANARY}]}
    problem = assert_problem(await door.post("/v1/notes", json=body), 422, "invalid")
    assert {(error["field"], error["rule"]) for error in problem["errors"]} == {
        ("number", "int_parsing"),
        ("title", "value_error"),
        ("authors[0].name", "string_too_short"),
        ("authors[1].name", "missing"),
        ("authors[1].nmae", "extra_forbidden"),
    }
    expected = {error["field"]: error["expected"] for error in problem["errors"]}
    assert expected["authors[0].name"] == "at least 3 characters"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"number": 1, "number": 2}', "duplicate_name"),
        (b'{"number": NaN}', "number"),
        (b'{"number": -Infinity}', "number"),
        (b"[" * 40 + b"]" * 40, "depth"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "depth"),
        (b"[" * 100_000, None),
        (b'{"number": 1', "json_invalid"),
        (b"", "missing"),
        (b"\xff\xfe", None),
    ],
)
async def test_json_that_parsers_let_pass_is_refused(door: httpx.AsyncClient, body: bytes, rule: str | None) -> None:
    """A name twice, NaN, deep nesting, half a document, no document, no UTF-8."""
    answer = await door.post("/v1/notes", content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    if rule is not None:
        assert answer.json()["errors"][0]["rule"] == rule


async def test_a_body_has_a_limit_announced_or_not(door: httpx.AsyncClient) -> None:
    """1 MiB, or what the route says; a body that grows on the way is cut off too."""

    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(MIB // 4)

    assert (await door.post("/v1/small", content=bytes(MIB))).status_code == 204
    assert_problem(await door.post("/v1/small", content=bytes(MIB + 1)), 413, "payload_too_large")
    assert (await door.post("/v1/small", content=chunks(4))).status_code == 204
    assert_problem(await door.post("/v1/small", content=chunks(5)), 413, "payload_too_large")
    assert (await door.post("/v1/big", content=bytes(3 * MIB))).status_code == 204
    assert_problem(await door.post("/v1/big", content=bytes(3 * MIB + 1)), 413, "payload_too_large")
    big_json = b'{"title": "' + b"x" * MIB + b'"}'
    assert_problem(await door.post("/v1/notes", content=big_json, headers=JSON), 413, "payload_too_large")


async def test_every_answer_carries_its_request_id_and_the_security_headers(door: httpx.AsyncClient) -> None:
    """The client's id when it is one, else a new one; on successes, refusals and probes."""
    for path in ("/livez", "/readyz", "/v1/nothing", "/v1/notes?x=1", "/metrics"):
        answer = await door.get(path, headers={"x-request-id": "engine-42"})
        assert answer.headers["x-request-id"] == "engine-42"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    for hostile in ("a b", "x" * 200, "a\x7f", "<script>"):
        answer = await door.get("/livez", headers={"x-request-id": hostile})
        assert answer.headers["x-request-id"] != hostile
        assert len(answer.headers["x-request-id"]) == 36
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert (await door.get("/livez", headers={"traceparent": trace})).headers["traceparent"] == trace
    assert "traceparent" not in (await door.get("/livez", headers={"traceparent": "x"})).headers


async def test_the_access_log_holds_no_path_and_no_query(
    capsys: pytest.CaptureFixture[str], door: httpx.AsyncClient
) -> None:
    """Route templates only; nothing a client sent."""
    # Once more, so that the lines go to where this test reads them.
    configure_logging("sample", "sample")
    await door.patch(f"/v1/notes/{CANARY}?name={CANARY}", headers={"user-agent": CANARY})
    await door.get(f"/{CANARY}")
    await door.get("/livez")
    out = capsys.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["event"], line["route"], line["status"]) for line in lines] == [
        ("request", "/v1/notes/{note_id}", 400),
        ("request", "unmatched", 404),
    ]
    assert CANARY not in out


async def test_metrics_count_by_route_template(door: httpx.AsyncClient) -> None:
    """Ids in paths make no new series; unknown paths and methods make one."""
    for number in range(5):
        await door.patch(f"/v1/notes/{number}", json={"number": 1})
        await door.get(f"/nowhere/{number}")
        await door.request(f"METHOD{number}", "/v1/notes")
    text = (await door.get("/metrics")).text
    counts = [line for line in text.splitlines() if line.startswith("revcycle_http_request_duration_seconds_count")]
    assert len(counts) == 3, counts
    invalid = '{http_request_method="PATCH",http_response_status_code="422",http_route="/v1/notes/{note_id}"} 5.0'
    assert any(line.endswith(invalid) for line in counts), counts


async def test_problem_types_resolve(door: httpx.AsyncClient) -> None:
    """Where `type` points to, there is an explanation; the service's own codes included."""
    for code in ("not_found", "idempotency_key_reused", "not_in_this_state", "some_new_code"):
        answer = await door.get(f"/problems/{code}")
        assert (answer.status_code, answer.json()["code"]) == (200, code)
        assert answer.json()["meaning"]
    assert (await door.get("/problems/<b>")).status_code == 404


async def test_probes_before_the_start(door: httpx.AsyncClient) -> None:
    """Alive, but neither started nor ready, and it says why."""
    assert (await door.get("/livez")).json() == {"status": "alive"}
    assert_problem(await door.get("/startupz"), 503, "not_ready")
    problem = assert_problem(await door.get("/readyz"), 503, "not_ready")
    assert problem["errors"][0]["field"] == "start"


async def test_too_many_requests_at_once_are_answered_503(tmp_path: Path) -> None:
    """Beyond the bound: overloaded, at once; probes are answered all the same."""
    release = asyncio.Event()

    async def slow_body() -> AsyncIterator[bytes]:
        await release.wait()
        yield b"x"

    async with open_door(tmp_path, http_concurrency=1) as door:
        first = asyncio.create_task(door.post("/v1/small", content=slow_body()))

        async def refused() -> httpx.Response | None:
            answer = await door.get("/v1/nothing")
            return answer if answer.status_code == 503 else None

        answer = await eventually(refused, 5)
        assert answer is not None
        assert_problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert (await door.get("/livez")).status_code == 200
        release.set()
        assert (await first).status_code == 204


async def test_documentation_is_served(door: httpx.AsyncClient) -> None:
    """/docs and the contract behind it."""
    assert (await door.get("/docs")).status_code == 200
    contract = (await door.get("/openapi.json")).json()
    assert "/v1/notes/{note_id}" in contract["paths"]
    assert contract["components"]["schemas"]["Problem"]["properties"]["errors"]
    assert "/livez" not in contract["paths"]
