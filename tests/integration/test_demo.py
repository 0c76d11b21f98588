"""`revcycle demo` as a person runs it: its last line, its exit status, its truth, and what is left to look at."""

import asyncio
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from revcycle_devstack import DEVELOPMENT_TENANT, SERVICES
from revcycle_devstack.connections import connect_to
from revcycle_devstack.containers import wanted_servers
from revcycle_devstack.layout import StateLayout

from .conftest import ENCOUNTERS, Kept
from .harness import figures, json_lines

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(240)]

LIFE = (
    *("EncounterDocumented", "EncounterCoded", "ClaimDrafted", "ClaimSubmitted", "ClaimTransmitted"),
    *("ClaimAcknowledged", "ClaimAdjudicated", "PaymentPosted", "ClaimClosed"),
)


def test_the_last_line_is_plain_and_everything_ended_as_planted(kept: Kept) -> None:
    assert kept.ran.status == 0, kept.ran.err
    assert kept.ran.out.endswith("\n")
    found = figures(kept.ran.last_line)
    assert found["encounters"] == found["as_expected"] == str(ENCOUNTERS)
    assert int(found["settled"]) + int(found["waiting"]) == ENCOUNTERS
    assert (found["lost"], found["doubled"], found["unbalanced_cents"]) == ("0", "0", "0")
    assert "\x1b" not in kept.ran.out, "standard output is no terminal: no colours"
    assert "demo: " not in kept.ran.err
    for service in SERVICES:
        assert re.search(rf"{service}\s+http://[^\s]+/docs", kept.ran.out)


def test_the_truth_was_complete_before_the_first_request(kept: Kept) -> None:
    truth = kept.truth()
    assert len({each["encounter_number"] for each in truth}) == len(truth) == ENCOUNTERS
    written = datetime.fromtimestamp(os.stat(kept.state_dir / "truth.jsonl").st_mtime, UTC)
    layout = StateLayout(kept.state_dir)
    for service in SERVICES:
        entries = json_lines(layout.log_file(service).read_text(encoding="utf-8"))
        requests = [each for each in entries if each["event"] == "request" and each["route"].startswith("/v1/")]
        assert requests
        assert written < min(datetime.fromisoformat(each["ts"]) for each in requests), service
    first, *_ = json_lines((layout.payer / "raw.jsonl").read_text(encoding="utf-8"))
    assert written < datetime.fromisoformat(first["at"])


def test_trace_tells_the_life_of_an_encounter_in_order(kept: Kept) -> None:
    number = next(each["encounter_number"] for each in kept.truth() if each["why"] == "paid")

    traced = kept.command("trace", number)

    assert traced.status == 0, traced.err
    lines = [line.split() for line in traced.out.splitlines()[1:]]
    events = [line[2] for line in lines]
    assert [event for event in events if event in LIFE] == list(LIFE)
    assert {line[1] for line in lines} == {"registration", "coding", "claims", "adjudication-gateway"}
    seen: dict[str, int] = {}
    for _, _, _, stream, sequence, *_ in lines:
        assert int(sequence) == seen.get(stream, 0) + 1, f"{stream}: out of order or with a gap"
        seen[stream] = int(sequence)
    posted = next(each for each in kept.truth() if each["encounter_number"] == number)["paid_cents"]
    assert any(
        event == "PaymentPosted" and f"paid={posted / 100:.2f}" in line
        for event, line in zip(events, lines, strict=True)
    )
    assert kept.command("trace", "NO-SUCH-ID").status == 1


def test_status_lists_every_process(kept: Kept) -> None:
    status = kept.command("status", "--json")

    assert status.status == 0
    processes = {each["name"]: each for each in json_lines(status.out)}
    servers = {"postgresql", "kafka"} if wanted_servers() == "devstack" else set()
    assert processes.keys() == {*servers, "payer-simulator", *SERVICES}
    for name, process in processes.items():
        figures = process.pop("messaging", None) if name in SERVICES else {}
        assert process.keys() == {"name", "pid", "url", "state", "restarts"}
        assert figures is not None and figures.get("dead_letters", 0) == 0, name
        assert process["state"] == "running", name
        # A port that somebody else took at the last moment costs a restart: the supervisor's business, not a failure.
        assert isinstance(process["restarts"], int), name
        assert Path(f"/proc/{process['pid']}").exists() or not Path("/proc").exists()


def test_one_cent_moved_by_sql_is_seen(kept: Kept) -> None:
    """The hash changes, the check fails and names the journal and the claim that no longer balance; and back."""
    before = kept.command("ledger", "--hash").out
    assert kept.command("check").status == 0

    asyncio.run(_move_cents(kept.state_dir, 1))
    moved = kept.command("ledger", "--hash").out
    check = kept.command("check", "--json")
    asyncio.run(_move_cents(kept.state_dir, -1))

    assert moved != before
    assert check.status == 1
    report = json.loads(check.out)
    assert {"M3", "M5"} <= {each["invariant"] for each in report["violations"]}
    assert report["unbalanced_cents"] > 0
    assert kept.command("ledger", "--hash").out == before


async def _move_cents(state_dir: Path, cents: int) -> None:
    """Change one entry of one claim line, as nobody but the database's owner can."""
    connection = await asyncpg.connect(connect_to(state_dir).connections.owner_url("claims"))
    try:
        await connection.execute("SELECT set_config('app.tenant', $1, false)", str(DEVELOPMENT_TENANT))
        changed = await connection.execute(
            "UPDATE claims.entry SET cents = cents + $1 WHERE (journal_id, entry_number) = ("
            " SELECT journal_id, entry_number FROM claims.entry"
            " WHERE account = 'contractual_adjustment' AND claim_id IS NOT NULL"
            " ORDER BY journal_id, entry_number LIMIT 1)",
            cents,
        )
        assert changed == "UPDATE 1"
    finally:
        await connection.close()
