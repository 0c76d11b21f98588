"""The payer's door over real HTTPS."""

import asyncio
import base64
import json
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from revcycle_payer_simulator.__main__ import main
from revcycle_payer_simulator.certificates import ensure_certificates
from revcycle_payer_simulator.desk import Clocks, Desk, Settings
from revcycle_payer_simulator.faults import Faults
from revcycle_payer_simulator.server import create_app
from revcycle_payer_simulator.settlement import Pace

X12 = {"content-type": "application/edi-x12"}
_PATIENCE_SECONDS = 15


@dataclass
class Door:
    port: int
    directory: Path
    client: httpx.Client

    def post(self, data: bytes, **options: object) -> httpx.Response:
        return self.client.post("/routes/REVPAY1/interchanges", content=data, headers=X12, **options)  # type: ignore[arg-type]  # httpx's own options

    def items(self) -> list[dict[str, str]]:
        return self.client.get("/routes/REVPAY1/mailbox").json()["items"]

    def arrivals(self) -> int:
        lines = (self.directory / "raw.jsonl").read_text().splitlines()
        return sum(1 for line in lines if json.loads(line)["direction"] == "in")


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; fail after a limit."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > limit:
            pytest.fail("the condition did not come true in time")
        threading.Event().wait(0.02)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tls = ensure_certificates(tmp_path, "127.0.0.1", datetime.now(UTC))
    pace = Pace(remit_delay_seconds=0.1, batch_seconds=0.2, pend_seconds=0.3)
    settings = Settings(tmp_path, 7, date(2026, 9, 30), pace, steady=True)
    desk = Desk(settings, Faults(), Clocks(lambda: datetime.now(UTC), time.monotonic))
    config = uvicorn.Config(
        create_app(desk),
        host="127.0.0.1",
        port=port,
        ssl_certfile=str(tls.certificate),
        ssl_keyfile=str(tls.key),
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    trust = ssl.create_default_context(cafile=str(tls.ca))
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trust, timeout=5) as client:
        wait_for(lambda: server.started)
        yield Door(port, tmp_path, client)
    server.should_exit = True
    thread.join(_PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_from_the_posted_claim_to_the_emptied_mailbox(door: Door, claim_file: Callable[..., bytes]) -> None:
    assert door.client.get("/livez").status_code == 200
    data = claim_file()
    assert door.post(data).status_code == 202
    first = json.loads((door.directory / "raw.jsonl").read_text().splitlines()[0])
    assert set(first) == {"at", "direction", "route", "bytes_base64"}
    assert base64.b64decode(first["bytes_base64"]) == data
    assert datetime.fromisoformat(first["at"]).utcoffset() is not None
    wait_for(lambda: any(b"~ST*835*" in base64.b64decode(item["bytes_base64"]) for item in door.items()))
    ids = [item["id"] for item in door.items()]
    assert len(ids) == 3 and all(item["content_type"] == "application/edi-x12" for item in door.items())
    path = "/routes/REVPAY1/mailbox:acknowledge"
    assert door.client.post(path, json={"ids": [*ids, "unknown"]}).json() == {"acknowledged": 3}
    assert door.client.post(path, json={"ids": ids}).json() == {"acknowledged": 0}
    assert door.items() == []
    owed = door.client.get("/owed").json()
    assert (owed["owed"], owed["mailbox"]) == (0, 0)


def test_refusals_say_what_would_be_right_and_record_nothing(door: Door, claim_file: Callable[..., bytes]) -> None:
    def refused(response: httpx.Response, status: int, says: str) -> None:
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert says in response.json()["detail"]

    refused(door.post(claim_file()[:-9]), 400, "terminator")
    refused(door.post(b""), 400, "ISA")
    refused(door.post(b"x" * (8 * 1024 * 1024 + 1)), 413, "at most")
    refused(door.client.post("/routes/NOBODY/interchanges", content=claim_file(), headers=X12), 404, "REVPAY1")
    refused(door.client.post("/routes/REVPAY1/interchanges", content=claim_file()), 415, "application/edi-x12")
    refused(door.client.get("/routes/REVPAY1/mailbox?limit=0"), 400, "1 to 500")
    refused(door.client.post("/routes/REVPAY1/mailbox:acknowledge", json={}), 422, "ids")
    refused(door.client.post("/routes/REVPAY1/mailbox:acknowledge", content=b"["), 400, "JSON object")
    refused(door.client.post("/faults", json={"thunder": 1}), 422, "silent_after_bytes")
    refused(door.client.post("/faults", json={"pend_all": -1}), 422, "whole number")
    assert door.arrivals() == 0


def test_silence_after_the_bytes_keeps_them(door: Door, claim_file: Callable[..., bytes]) -> None:
    assert door.client.post("/faults", json={"silent_after_bytes": 1}).json()["silent_after_bytes"] == 1
    with pytest.raises(httpx.ReadTimeout):
        door.post(claim_file(), timeout=0.5)
    assert door.arrivals() == 1 and door.items() == []
    assert door.client.get("/faults").json()["silent_after_bytes"] == 0


def test_silence_before_the_bytes_forgets_them(
    door: Door, claim_file: Callable[..., bytes], inquiry_file: Callable[..., bytes]
) -> None:
    door.client.post("/faults", json={"silent_before_bytes": 1})
    with pytest.raises(httpx.ReadTimeout):
        door.post(claim_file(), timeout=0.5)
    assert door.arrivals() == 0
    assert door.post(inquiry_file(["CLAIM0001"])).status_code == 202
    (item,) = door.items()
    assert b"STC*D0:35*" in base64.b64decode(item["bytes_base64"])
    assert door.post(claim_file()).status_code == 202
    assert door.arrivals() == 2


def test_a_request_cut_off_in_the_middle_never_completes(
    door: Door, claim_file: Callable[..., bytes], inquiry_file: Callable[..., bytes]
) -> None:
    """Half the bytes, then "not found", then the other half: 409, and nothing recorded of it."""
    data = claim_file()

    async def half_then_rest() -> bytes:
        trust = ssl.create_default_context(cafile=str(door.directory / "ca.pem"))
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=trust)
        head = f"POST /routes/REVPAY1/interchanges HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n"
        writer.write(head.encode() + b"content-type: application/edi-x12\r\nconnection: close\r\n\r\n" + data[:300])
        await writer.drain()
        # The server has begun the request once it serves a later one on another connection.
        await asyncio.to_thread(door.client.get, "/livez")
        await asyncio.to_thread(door.post, inquiry_file(["CLAIM0001"]))
        await asyncio.to_thread(door.items)
        writer.write(data[300:])
        answer = await reader.read()
        writer.close()
        return answer

    answer = asyncio.run(half_then_rest())
    assert answer.startswith(b"HTTP/1.1 409")
    assert door.arrivals() == 1
    assert door.post(data).status_code == 202


def test_a_client_that_does_not_trust_the_ca_is_not_served(door: Door) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"https://127.0.0.1:{door.port}/livez")


def test_keys_are_private_and_the_authority_stays(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = ensure_certificates(tmp_path, "127.0.0.1", now)
    first = files.ca.read_bytes()
    assert ensure_certificates(tmp_path, "localhost", now).ca.read_bytes() == first
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_command_line_refuses_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--state-dir", str(tmp_path), "--fault", "thunder=1"]) == 2
    assert "silent_after_bytes" in capsys.readouterr().err
    assert main(["serve", "--state-dir", str(tmp_path), "--fault", "pend_all"]) == 2
    assert "NAME=COUNT" in capsys.readouterr().err
