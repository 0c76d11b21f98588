"""What the whole-system tests share: the command line, calls to a running stack, the payers' raw log, waiting."""

import asyncio
import base64
import copy
import json
import os
import re
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import httpx
from revcycle_cli.commands.load import api_of
from revcycle_devstack import DEVELOPMENT_TENANT
from revcycle_devstack.connections import RunningStack
from revcycle_devstack.containers import ContainerServers, wanted_servers
from revcycle_devstack.layout import checkout_root
from revcycle_hospital_simulator import PlannedEncounter, generate, set_up_tenant
from revcycle_service_kit.auth import ROLES, ensure_development_key, issue_token

BUSINESS_DATE: Final = date(2026, 9, 30)
SERVERS_FROM_OUTSIDE: Final = ("DATABASE_URL_BASE", "KAFKA_BOOTSTRAP_SERVERS")
"""Every whole-system test runs servers of its own: it kills processes and looks into their files."""
NO_SERVERS: Final[Mapping[str, str]] = MappingProxyType({})

LAST_LINE: Final = re.compile(
    r"demo: encounters=(?P<encounters>\d+) settled=(?P<settled>\d+) waiting=(?P<waiting>\d+)"
    r"(?: as_expected=(?P<as_expected>\d+))? lost=(?P<lost>\d+) doubled=(?P<doubled>\d+)"
    r" unbalanced_cents=(?P<unbalanced_cents>\d+) ledger=(?P<ledger>[0-9a-f]{16})",
    re.ASCII,
)

_REVCYCLE: Final = checkout_root() / ".venv" / "bin" / "revcycle"
_POLL_SECONDS: Final = 0.05

Found = TypeVar("Found")
Json = Any
"""JSON as it came over the wire; the tests look into it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line of standard output."""
        return self.out.splitlines()[-1]

    def report(self) -> Json:
        """The JSON object printed before the last line by `revcycle demo --json`."""
        return json.loads(self.out.splitlines()[-2])


def own_servers(held: ExitStack) -> dict[str, str]:
    """Where a stack of its own gets PostgreSQL and Kafka: empty, devstack starts them; or fresh containers.

    The containers live as long as ``held``; `REVCYCLE_TEST_SERVERS` asks for them.
    """
    return {} if wanted_servers() == "devstack" else held.enter_context(ContainerServers()).environment


def revcycle(*arguments: str, timeout_seconds: float = 100, servers: Mapping[str, str] = NO_SERVERS) -> Ran:
    """Run the command line as a person would."""
    environment = {name: value for name, value in os.environ.items() if name not in SERVERS_FROM_OUTSIDE}
    done = subprocess.run(
        [str(_REVCYCLE), *arguments],
        env={**environment, **servers},
        cwd=checkout_root(),
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def demo(
    state_dir: Path, *arguments: str, timeout_seconds: float = 150, servers: Mapping[str, str] | None = None
) -> Ran:
    """Run `revcycle demo`; whatever happens, nothing is left running except with ``--keep``.

    ``servers``: those of `own_servers`, which outlive the demonstration.
    """
    where = ("--state-dir", str(state_dir))
    with ExitStack() as until_the_end:
        found = own_servers(until_the_end) if servers is None else servers
        try:
            return revcycle("demo", *where, *arguments, timeout_seconds=timeout_seconds, servers=found)
        except subprocess.TimeoutExpired:
            revcycle("down", *where)
            raise


def figures(line: str) -> dict[str, str]:
    """The figures of a demo's last line; fails when the line is not exactly as documented."""
    match = LAST_LINE.fullmatch(line)
    assert match is not None, f"not the documented last line: {line!r}"
    return {name: value for name, value in match.groupdict().items() if value is not None}


def json_lines(text: str) -> list[Json]:
    """What is on each line."""
    return [json.loads(line) for line in text.splitlines()]


def wait_for(what: str, probe: Callable[[], Found | None], seconds: float = 40) -> Found:
    """Look again and again until ``probe`` returns something true; fails when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(_POLL_SECONDS)


def set_up(stack: RunningStack) -> None:
    """Record the tenant's facility, payers, prices and routes."""

    async def through_rest() -> None:
        async with httpx.AsyncClient(timeout=httpx.Timeout(30, connect=2)) as client:
            await set_up_tenant(api_of(stack, client), stack.urls["payer-simulator"])

    asyncio.run(through_rest())


class Caller:
    """REST calls to the services of a stack, and to the payers' door, with every role of one tenant."""

    def __init__(self, stack: RunningStack, tenant: UUID = DEVELOPMENT_TENANT) -> None:
        key = ensure_development_key(stack.connections.token_key_file)
        self.stack = stack
        self.urls = stack.urls
        self.layout = stack.connections.layout
        token = issue_token(key, tenant, "whole-system-test", ROLES)
        self._client = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=20)
        trusted = ssl.create_default_context(cafile=str(self.layout.payer_ca_file))
        self.payer = httpx.Client(base_url=self.urls["payer-simulator"], verify=trusted, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.payer.close()

    def call(self, service: str, method: str, path: str, body: Json = None, **headers: str) -> httpx.Response:
        """One call; a command carries an Idempotency-Key. ``headers`` in Python's spelling."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            named.setdefault("idempotency-key", secrets.token_hex(16))
        return self._client.request(method, f"{self.urls[service]}{path}", json=body, headers=named)

    def send_bytes(self, service: str, method: str, path: str, content: bytes, content_type: str) -> httpx.Response:
        """One call with a body that may be anything."""
        headers = {"content-type": content_type, "idempotency-key": secrets.token_hex(16)}
        return self._client.request(method, f"{self.urls[service]}{path}", content=content, headers=headers)

    def read(self, service: str, path: str, **parameters: str) -> Json:
        """The JSON at a path; fails unless the answer is 200."""
        response = self._client.get(f"{self.urls[service]}{path}", params=parameters)
        assert response.status_code == 200, f"{service} {path}: {response.text}"
        return response.json()

    def items(self, service: str, path: str, **parameters: str) -> list[Json]:
        """The first page of a list."""
        items: list[Json] = self.read(service, path, **parameters)["items"]
        return items

    def intake(self, files: Sequence[object]) -> list[Json]:
        """Hand files over to registration; one result for each, in order."""
        response = self.call("registration", "POST", "/v1/intake", {"encounters": list(files)})
        assert response.status_code == 200, response.text
        results: list[Json] = response.json()["results"]
        assert len(results) == len(files)
        return results

    def send(self, file: object) -> str:
        """Hand one file over that must be taken; returns the encounter id."""
        (result,) = self.intake([file])
        assert result["status"] == "created", result
        return str(result["encounter_id"])

    def claim(self, encounter_id: str) -> Json | None:
        """The claim of an encounter in full; None while there is none."""
        found = self.items("claims", "/v1/claims", encounter_id=encounter_id)
        return self.read("claims", f"/v1/claims/{found[0]['claim_id']}") if found else None

    def wait_claim(self, encounter_id: str, outcome: str, seconds: float = 40) -> Json:
        """The claim of an encounter once it has come to an outcome."""

        def ended() -> Json | None:
            claim = self.claim(encounter_id)
            return claim if claim is not None and claim["outcome"] == outcome else None

        return wait_for(f"claim of {encounter_id} {outcome}", ended, seconds)

    def submission(self, encounter_id: str) -> Json | None:
        """The gateway's submission for an encounter's claim; None while there is none."""
        claim = self.claim(encounter_id)
        if claim is None:
            return None
        found = self.items("adjudication-gateway", "/v1/submissions", claim_id=claim["claim_id"])
        return found[0] if found else None

    def wait_submission(self, encounter_id: str, state: str, seconds: float = 40) -> Json:
        """The gateway's submission once it is in a state."""

        def there() -> Json | None:
            submission = self.submission(encounter_id)
            return submission if submission is not None and submission["state"] == state else None

        return wait_for(f"submission of {encounter_id} {state}", there, seconds)

    def plan_faults(self, **counts: int) -> None:
        """Have the payers misbehave this many times."""
        response = self.payer.post("/faults", json=counts)
        assert response.status_code == 200, response.text

    def arrivals(self, patient_control_number: str) -> int:
        """How often the payers received a claim, by their own log of bytes."""
        return sum(
            f"~CLM*{patient_control_number}*" in text and "~ST*837*" in text
            for direction, text in raw_log(self.layout.payer / "raw.jsonl")
            if direction == "in"
        )


def raw_log(file: Path) -> Iterator[tuple[str, str]]:
    """Direction and text of every interchange the payers received or sent."""
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        yield entry["direction"], base64.b64decode(entry["bytes_base64"]).decode("ascii")


class Visits:
    """Visits that end paid when nothing goes wrong, each handed out once."""

    def __init__(self, seed: int) -> None:
        planned = generate(seed, 300, BUSINESS_DATE)
        self._left = iter([each for each in planned if each.kind == "plain" and each.expected.outcome == "paid"])

    def next(self) -> PlannedEncounter:
        """The next one."""
        return next(self._left)

    def file(self, changes: Mapping[str, object] | None = None) -> dict[str, Json]:
        """The encounter file of the next one, changed at paths such as ``services.0.units``."""
        file = copy.deepcopy(self.next().file)
        for path, value in (changes or {}).items():
            _set(file, path.split("."), value)
        return file


def _set(target: Json, path: Sequence[str], value: object) -> None:
    first, *rest = path
    place: Json = int(first) if isinstance(target, list) else first
    if rest:
        _set(target[place], rest, value)
    else:
        target[place] = value
