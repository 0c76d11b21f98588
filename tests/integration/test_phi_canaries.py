"""Who a patient is stays with the services that need it: fifty canaries go every way there is, and are seen nowhere."""

import asyncio
import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import pytest
from revcycle_devstack import SERVICES
from revcycle_devstack.containers import ContainerServers
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.stack import Stack

from .canaries import LAST_NAME, MEMBER_ID, NOTE, STEMS, Person, Search, people
from .harness import Caller, Ran, Visits, revcycle, wait_for
from .phi_routes import identified, misuses, send_everybody, wait_for_everybody

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(300)]

OWN_COLUMNS: Final = {
    "registration": {
        "registration.patient": "last_name first_name middle_name medical_record_number phone line1",
        "registration.coverage": "member_id group_number subscriber",
        "registration.document": "text",
        "registration.encounter": "services",
    },
    "coding": {
        "coding.note": "text",
        "coding.coding": "codes findings",
        "coding.decision": "input output",
    },
    "claims": {
        "claims.patient": "facts",
        "claims.coverage": "facts",
        "claims.decision": "input_text output_text",
    },
    "adjudication-gateway": {
        "gateway.submission": "claim",
        "gateway.interchange": "raw",
    },
    "analytics": {},
}
"""Where a service keeps what it needs of patients in the clear, for itself alone; every other column holds none of it.

What all services share (schemas ``messaging`` and ``kit``: outbox, archive, parked events, jobs, kept answers) is not
among them: there it stands sealed or not at all.
"""

WORK_ITEMS: Final = {
    "registration": "/v1/intake-refusals",
    "coding": "/v1/coding-tasks",
    "claims": "/v1/tasks",
    "adjudication-gateway": "/v1/interchanges",
}


@pytest.fixture
def faults(stack: Stack) -> Iterator[Path]:
    """The file that says which events claims cannot handle."""
    file = Path(stack.options.extra_environment["claims"]["REVCYCLE_TEST_FAULTS"])
    yield file
    file.unlink(missing_ok=True)


def test_fifty_canaries_go_every_way_and_are_seen_nowhere(
    stack: Stack,
    contained_servers: ContainerServers | None,
    caller: Caller,
    visits: Visits,
    faults: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Promise: no log, metric, trace, problem, topic, outbox, archive, dead letter or file tells who a patient is, and
    inside the databases only the columns declared above do.
    """
    everybody = people()
    search = Search()
    _fail_and_recover(stack, caller, visits, faults, everybody[0], search)
    caller.plan_faults(silent_after_bytes=1, silent_before_bytes=1, answer_twice=1)
    billed, errors = send_everybody(caller, visits, everybody[1:])
    for number, error in enumerate(errors):
        search.look("error bodies", f"intake error {number}", error)
    for service in SERVICES:
        _misuse(caller, service, everybody, search)
    wait_for_everybody(caller, billed)
    _inquire(caller, billed, search)

    _look_at_what_is_shown(caller, stack, search)
    seen = asyncio.run(_columns_that_tell(stack, search))
    layout = StateLayout(stack.state_dir)
    truth = layout.root / "truth.jsonl"
    if contained_servers is not None:
        contained_servers.bring_files(layout)
    search.look_into_folder(".revcycle", layout.root, [layout.payer, truth, layout.root / "postgresql", layout.kafka])
    search.look_into_folder("topic segments", layout.kafka, _indexes(layout))

    with capsys.disabled():
        sys.stdout.write(f"\n{search.report()}\n")
    assert not search.sightings, "\n".join(f"{place}: {sorted(stems)}" for place, stems in search.sightings.items())
    assert seen == {(service, f"{table}.{column}") for service, table, column in _declared()}
    _leaks_are_seen(layout)


def _declared() -> Iterator[tuple[str, str, str]]:
    for service, tables in OWN_COLUMNS.items():
        for table, columns in tables.items():
            for column in columns.split():
                yield service, table, column


def _fail_and_recover(
    stack: Stack, caller: Caller, visits: Visits, faults: Path, person: Person, search: Search
) -> None:
    """A handler that fails with the patient in its error, a dead letter, a look at it, the fix, and the redrive."""
    where = ("--state-dir", str(stack.state_dir))
    faults.write_text(person.last_name, encoding="utf-8")
    encounter_id = caller.send(visits.file(identified(person)))
    wait_for("a dead letter", lambda: caller.read("claims", "/v1/ops/messaging")["dead_letters"] or None)
    shown = revcycle("redrive", "claims", *where)
    _look_at(search, "command line", "redrive, shown", shown)
    assert "KeyError" in shown.out, shown.out
    asyncio.run(_look_at_parked(stack, search))
    faults.unlink()
    done = revcycle("redrive", "claims", "--yes", "--by", "A. Operator", "--reason", "corrected", *where)
    _look_at(search, "command line", "redrive, done", done)
    caller.wait_claim(encounter_id, "paid")
    _look_at(search, "command line", "trace", revcycle("trace", encounter_id, *where))


def _look_at(search: Search, kind: str, place: str, ran: Ran) -> None:
    assert ran.status == 0, ran.err
    search.look(kind, place, ran.out + ran.err)


async def _look_at_parked(stack: Stack, search: Search) -> None:
    """While events are parked: they and their dead letters, which are gone after the redrive."""
    connection = await asyncpg.connect(stack.checker_url("claims"), timeout=10)
    try:
        rows = await connection.fetch("SELECT * FROM messaging.parked_event")
    finally:
        await connection.close()
    assert any(row["state"] == "dead" for row in rows)
    for row in rows:
        for column, value in row.items():
            search.look("parked events", f"claims: messaging.parked_event.{column}", _as_bytes(value))


def _misuse(caller: Caller, service: str, everybody: list[Person], search: Search) -> None:
    statuses = set()
    for number, answer in enumerate(misuses(caller, service, everybody)):
        statuses.add(answer.status_code)
        assert answer.status_code < 500, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
        if answer.status_code >= 400:
            search.look("error bodies", f"{service}: answer {number}", answer.content)
        search.look("headers of answers", f"{service}: headers of answer {number}", str(answer.headers.raw))
    assert 422 in statuses or service == "analytics"


def _inquire(caller: Caller, billed: list[str], search: Search) -> None:
    """Ask a payer (276) for claims of canaries; the answers (277) come on the same wire."""
    found = [caller.submission(encounter_id) for encounter_id in billed[:5]]
    ids = [each["submission_id"] for each in found if each is not None]
    answer = caller.call("adjudication-gateway", "POST", "/v1/status-inquiries", {"submission_ids": ids})
    search.look("ordinary answers", "status inquiry", answer.content)
    assert answer.status_code < 300, answer.text


def _look_at_what_is_shown(caller: Caller, stack: Stack, search: Search) -> None:
    """Metrics, probes, operations, API documents, KPIs, work items: nobody who reads these needs to know who."""
    for service in SERVICES:
        for path in ("/metrics", "/livez", "/readyz", "/openapi.json"):
            search.look(
                "metrics and probes", f"{service} {path}", httpx.get(caller.urls[service] + path, timeout=20).content
            )
        search.look("operations", service, str(caller.read(service, "/v1/ops/messaging")))
    search.look("operations", "kpis", str(caller.read("analytics", "/v1/kpis")))
    for service, path in (
        ("claims", "/v1/tasks"),
        ("coding", "/v1/coding-tasks"),
        ("registration", "/v1/intake-refusals"),
    ):
        search.look("work items", f"{service} {path}", str(caller.items(service, path, limit="200")))
    _look_at(search, "command line", "status", revcycle("status", "--state-dir", str(stack.state_dir)))


async def _columns_that_tell(stack: Stack, search: Search) -> set[tuple[str, str]]:
    """Search every column of every table of every service; returns the declared ones in which somebody was seen."""
    declared = {(service, f"{table}.{column}") for service, table, column in _declared()}
    seen: set[tuple[str, str]] = set()
    for service in SERVICES:
        connection = await asyncpg.connect(stack.checker_url(service), timeout=10)
        try:
            for table in await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            ):
                own = Search()
                rows = await connection.fetch(f"SELECT * FROM {table['name']}")
                for row in rows:
                    for column, value in row.items():
                        own.look(f"database of {service}", f"{table['name']}.{column}", _as_bytes(value))
                search.places += own.places
                search.searched += own.searched
                for place, stems in own.sightings.items():
                    if (service, place) in declared:
                        seen.add((service, place))
                    else:
                        search.sightings[f"{service}: {place}"] = stems
        finally:
            await connection.close()
    return seen


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _indexes(layout: StateLayout) -> list[Path]:
    """Of the broker's files those that hold offsets and times only, and are mostly reserved space."""
    return [file for kind in ("*.index", "*.timeindex") for file in layout.kafka.rglob(kind)]


def _leaks_are_seen(layout: StateLayout) -> None:
    """The very search that found nothing finds a leak in each place where one would be."""
    leaks = {
        layout.logs / "planted.log": f"claim of {LAST_NAME.upper()}^X refused",
        layout.kafka / "planted-0.log": base64.b64encode(f"xx{MEMBER_ID}-1".encode()).decode(),
        layout.root / "archive" / "planted.jsonl": f'{{"text": "{NOTE}"}}',
    }
    try:
        for file, text in leaks.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        search = Search()
        for folder in (layout.logs, layout.kafka, layout.root / "archive"):
            search.look_into_folder("planted", folder, _indexes(layout))
        assert {place.rpartition("/")[2] for place in search.sightings} == {file.name for file in leaks}
    finally:
        for file in leaks:
            file.unlink(missing_ok=True)
    assert set(STEMS) >= {LAST_NAME, MEMBER_ID, NOTE}
