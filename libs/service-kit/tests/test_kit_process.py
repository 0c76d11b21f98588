"""The program of a service as it runs in production: real broker, real database, signals."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from revcycle_messaging.testing import TENANT, make_key_ring
from revcycle_service_kit import ensure_development_key, issue_token
from revcycle_service_kit.testing import eventually

pytestmark = pytest.mark.component
SAMPLE = Path(__file__).parent / "sample"


async def run_program(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kit_sample_service", *arguments, env=environment, cwd=SAMPLE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), errors.decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
async def environment(postgresql: Any, kafka: Any, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    made = await postgresql.create_database("kit_process")
    await kafka.create_topics(["revcycle.testing.v1"])
    make_key_ring(tmp_path, service="sample")
    ensure_development_key(tmp_path / "token-key.json")
    yield {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "REVCYCLE_SERVICE_NAME": "sample",
        "REVCYCLE_INSTANCE": f"sample-{uuid4().hex[:6]}",
        "REVCYCLE_DATABASE_URL": made.service_url,
        "REVCYCLE_DATABASE_OWNER_URL": made.owner_url,
        "REVCYCLE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "REVCYCLE_HTTP_PORT": str(free_port()),
        "REVCYCLE_KEYRING_FILE": str(tmp_path / "sample.json"),
        "REVCYCLE_TOKEN_KEY_FILE": str(tmp_path / "token-key.json"),
    }
    await postgresql.drop_database(made)


@asynccontextmanager
async def serving(environment: dict[str, str], command: str = "serve") -> AsyncIterator[Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kit_sample_service", command, env=environment, cwd=SAMPLE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_a_service_from_migration_to_the_last_log_line(environment: dict[str, str]) -> None:
    """Refuses to start unmigrated, migrates once, serves, finishes what is in work on SIGTERM, logs only JSON."""
    status, _, errors = await run_program(environment, "serve")
    assert status == 1
    assert "run: python -m kit_sample_service migrate" in errors
    assert "Traceback" not in errors

    status, _, errors = await run_program(environment, "migrate")
    assert (status, errors.strip()) == (0, "sample: database at revision sample_0002 (from an empty database)")
    status, _, errors = await run_program(environment, "migrate")
    assert (status, errors.strip()) == (0, "sample: database at revision sample_0002 (nothing to do)")

    base = f"http://127.0.0.1:{environment['REVCYCLE_HTTP_PORT']}"
    async with serving(environment) as process, httpx.AsyncClient(base_url=base) as client:

        async def answers(path: str) -> int:
            try:
                return (await client.get(path)).status_code
            except httpx.TransportError:
                return 0

        async def is_ready() -> bool:
            return await answers("/readyz") == 200

        await eventually(is_ready, 30)
        assert [await answers(path) for path in ("/livez", "/startupz", "/metrics")] == [200, 200, 200]
        key = ensure_development_key(Path(environment["REVCYCLE_TOKEN_KEY_FILE"]))
        client.headers["authorization"] = f"Bearer {issue_token(key, TENANT, 'tester', ['biller', 'operator'])}"
        made = await client.post("/v1/notes", json={"number": 1}, headers={"idempotency-key": "a"})
        assert made.status_code == 201

        async def has_come_round() -> bool:
            figures = (await client.get("/v1/ops/messaging")).json()
            metrics = (await client.get("/metrics")).text
            return (
                figures["outbox_rows"] == 0
                and 'revcycle_consumer_handled_events_total{outcome="applied"} 1.0' in metrics
            )

        await eventually(has_come_round, 30)
        slow = asyncio.create_task(client.post("/v1/quick-notes", json={"number": 2}))

        async def is_in_work() -> bool:
            return "revcycle_http_in_work_requests 2.0" in (await client.get("/metrics")).text

        await eventually(is_in_work)
        process.send_signal(signal.SIGTERM)
        assert (await slow).status_code == 201
        out, errors = await asyncio.wait_for(process.communicate(), 25)
    assert process.returncode == 0
    assert errors == b""
    lines = [json.loads(line) for line in out.decode().splitlines()]
    assert lines[-1]["event"] == "stopped"
    assert all(line["service"] == "sample" and "ts" in line and "level" in line for line in lines)
    requests = [line for line in lines if line["event"] == "request" and line["route"] == "/v1/notes"]
    assert [(line["method"], line["status"]) for line in requests] == [("POST", 201)]


async def test_a_port_that_is_taken_ends_the_process(environment: dict[str, str]) -> None:
    """Status 1, so that whoever supervises it knows."""
    await run_program(environment, "migrate")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["REVCYCLE_HTTP_PORT"])))
        taken.listen()
        status, out, _ = await run_program(environment, "api")
    assert status == 1
    assert "a part of the process failed" in out


async def test_the_contract_is_printed_without_anything_running(environment: dict[str, str]) -> None:
    """`openapi` needs no database, no broker, no keys; every error in it is a problem."""
    status, out, _ = await run_program({"PATH": environment["PATH"]}, "openapi")
    document = json.loads(out)
    assert status == 0
    assert document["openapi"].startswith("3.1")
    create = document["paths"]["/v1/notes"]["post"]
    assert create["operationId"] == "create_note"
    assert create["security"]
    (_, _, kind, name) = create["responses"]["422"]["$ref"].split("/")
    assert list(document["components"][kind][name]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in out


async def test_wrong_settings_are_named(environment: dict[str, str]) -> None:
    """One line per setting, no traceback, no values."""
    status, _, errors = await run_program({"PATH": environment["PATH"], "REVCYCLE_HTTP_PORT": "SECRET-CANARY"}, "serve")
    assert status == 1
    assert "REVCYCLE_DATABASE_URL" in errors
    assert "REVCYCLE_HTTP_PORT" in errors
    assert "SECRET-CANARY" not in errors
    assert "Traceback" not in errors
