"""Promise 6: two instances restarted one after the other under load, and no client and no event notices.

The client does what a load balancer does: it sends to instances that say they are ready, and repeats a request, under
its Idempotency-Key, when the answer is 503 with Retry-After. Anything else counts as broken.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import pytest
from revcycle_devstack import DEVELOPMENT_TENANT
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import generate
from revcycle_service_kit.auth import ROLES, ensure_development_key, issue_token

from .harness import BUSINESS_DATE, SERVERS_FROM_OUTSIDE, own_servers, wait_for

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(150)]

SERVICES: Final = ("registration", "coding")
INSTANCES: Final = ("registration-1", "registration-2", "coding-1", "coding-2")
NOTICE_SECONDS: Final = "1"
SENDERS: Final = 2
FILES: Final = 1500
"""More than two senders get rid of in the time; what is left over is not missed."""


@pytest.fixture
def pairs(tmp_path: Path) -> Iterator[Stack]:
    """Two instances each of the door and of a consumer behind it."""
    options = StackOptions(
        state_dir=tmp_path / "rolling",
        instances=2,
        services=SERVICES,
        business_date=BUSINESS_DATE,
        extra_environment={"*": {"REVCYCLE_DRAIN_NOTICE_SECONDS": NOTICE_SECONDS}},
    )
    with pytest.MonkeyPatch.context() as patched, ExitStack() as held:
        for name in SERVERS_FROM_OUTSIDE:
            patched.delenv(name, raising=False)
        for name, address in own_servers(held).items():
            patched.setenv(name, address)
        with Stack(options) as running:
            yield running


class Balancer:
    """Sends encounter files to whichever door is ready, from several threads, until stopped."""

    def __init__(self, stack: Stack) -> None:
        token = issue_token(ensure_development_key(stack.token_key_file), DEVELOPMENT_TENANT, "rolling-restart", ROLES)
        self._headers = {"authorization": f"Bearer {token}"}
        self._urls = [stack.urls[name] for name in INSTANCES if name.startswith("registration")]
        self._ready = dict.fromkeys(self._urls, True)
        planned = generate(23, FILES, BUSINESS_DATE)
        self._files, self._guard = iter([one.file for one in planned if one.kind == "plain"]), threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._look),
            *(threading.Thread(target=self._send) for _ in range(SENDERS)),
        ]
        self.taken: list[str] = []
        self.repeated = 0
        self.broken: list[str] = []

    def __enter__(self) -> "Balancer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _look(self) -> None:
        with httpx.Client(timeout=2) as client:
            while not self._stop.is_set():
                for url in self._urls:
                    try:
                        self._ready[url] = client.get(f"{url}/readyz").status_code == 200
                    except httpx.HTTPError:
                        self._ready[url] = False
                time.sleep(0.1)

    def _send(self) -> None:
        turn = 0
        with httpx.Client(timeout=20, headers=self._headers) as client:
            while not self._stop.is_set():
                with self._guard:
                    file = next(self._files)
                key = secrets.token_hex(8)
                while True:
                    turn += 1
                    doors = [url for url in self._urls if self._ready[url]]
                    if doors and self._sent(client, doors[turn % len(doors)], file, key):
                        break
                    if self._stop.is_set():
                        return
                    time.sleep(0.1)
                time.sleep(0.1)

    def _sent(self, client: httpx.Client, url: str, file: object, key: str) -> bool:
        """True when the file was taken, or broken for good; False to repeat it."""
        try:
            answer = client.post(f"{url}/v1/intake", json={"encounters": [file]}, headers={"idempotency-key": key})
        except httpx.HTTPError as failure:
            self.broken.append(type(failure).__name__)
            return True
        if answer.status_code == 503 and "retry-after" in answer.headers:
            self.repeated += 1
            return False
        if answer.status_code != 200 or answer.json()["results"][0]["status"] != "created":
            self.broken.append(f"{answer.status_code} {answer.text[:200]}")
        else:
            self.taken.append(answer.json()["results"][0]["encounter_id"])
        return True


def test_a_rolling_restart_under_load_has_no_gap(pairs: Stack) -> None:
    with Balancer(pairs) as balancer:
        wait_for("the first files taken", lambda: len(balancer.taken) > 5)
        for name in INSTANCES:
            before = len(balancer.taken)
            pairs.restart(name)
            pairs.wait_ready(name)
            wait_for("files taken after the restart", lambda before=before: len(balancer.taken) > before)
    assert balancer.broken == [], "every request was taken, or refused in a way that repeating it heals"
    wait_for("every event applied", lambda: asyncio.run(_behind(pairs)) == [])
    here = asyncio.run(_column(pairs, "registration", "SELECT id::text FROM registration.encounter"))
    assert len(set(balancer.taken)) == len(balancer.taken) and set(balancer.taken) <= set(here), "no 201 is lost"
    assert asyncio.run(_column(pairs, "coding", "SELECT key FROM messaging.parked_event")) == []


async def _column(stack: Stack, service: str, sql: str) -> list[str]:
    connection = await asyncpg.connect(stack.checker_url(service))
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def _behind(stack: Stack) -> list[str]:
    """Streams of registration that coding has not applied to their end; what it does not read is left out."""
    ends = await _column(
        stack,
        "registration",
        "SELECT key || ' ' || last_sequence FROM messaging.outgoing_stream WHERE topic = 'revcycle.encounters.v1'",
    )
    applied = await _column(
        stack,
        "coding",
        "SELECT key || ' ' || last_sequence FROM messaging.stream WHERE topic = 'revcycle.encounters.v1'",
    )
    return sorted(set(ends) - set(applied)) if ends else ["nothing yet"]
