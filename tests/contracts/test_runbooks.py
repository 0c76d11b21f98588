"""Every alert has a page that helps: its commands and paths exist. Rules are tested, dashboards are whole."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
import typer
import yaml
from revcycle_cli.main import build_app
from revcycle_service_kit.metrics import OF_ONE_INSTANCE

ROOT: Final = Path(__file__).resolve().parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
SECTIONS: Final = ("## What it means", "## How to see it", "## What to do", "## It is over when")


@cache
def alerts() -> dict[str, Any]:
    return {rule["alert"]: rule for rule in _rules("alerts.yaml")}


def _rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / file).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def rest_paths() -> dict[str, frozenset[str]]:
    """``GET /v1/…`` of every service, with its query parameters."""
    found = {f"GET {probe}": frozenset[str]() for probe in ("/readyz", "/livez", "/metrics")}
    for file in (ROOT / "docs" / "contracts" / "rest").glob("*.json"):
        for path, operations in json.loads(file.read_text(encoding="utf-8"))["paths"].items():
            for method, operation in operations.items():
                names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
                place = f"{method.upper()} {path}"
                found[place] = found.get(place, frozenset()) | names
    return found


@cache
def commands() -> frozenset[str]:
    """``status``, ``archive forks`` and so on."""
    return frozenset(_commands(typer.main.get_command(build_app())))


def _commands(command: Any, before: str = "") -> Iterator[str]:
    for name, one in getattr(command, "commands", {}).items():
        yield f"{before}{name}"
        yield from _commands(one, f"{before}{name} ")


def code_in(text: str) -> list[str]:
    return [" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", text)]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """Promise: whoever is woken finds a page, by the name of the alert."""
    assert {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"} == alerts().keys()
    listed = re.findall(r"^\| \[(\w+)\]", (RUNBOOKS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(listed) == alerts().keys()
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
        assert rule["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize("name", sorted(alerts()))
def test_a_page_says_four_things_with_commands_that_exist(name: str) -> None:
    """Promise: what it means, how to see it, what to do, how to know that it is over; each command and path is real."""
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(SECTIONS)
    for section in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        assert section.strip()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (RUNBOOKS / link).is_file(), link
    unknown = [code for code in code_in(text) if not _exists(code)]
    assert unknown == []


def _exists(code: str) -> bool:
    if code.startswith("revcycle "):
        words = code.split()[1:]
        return words[0] in commands() and (words[0] != "archive" or " ".join(words[:2]) in commands())
    if re.match(r"(GET|POST|PUT|PATCH|DELETE) ", code):
        place, _, query = code.partition("?")
        asked = {name for name, _ in parse_qsl(query)}
        return place in rest_paths() and asked <= rest_paths()[place]
    return True


def test_an_unknown_command_or_path_is_seen() -> None:
    """The test above can fail."""
    assert not _exists("revcycle restart claims")
    assert not _exists("revcycle archive burn")
    assert not _exists("GET /v1/ops/nothing")
    assert not _exists("GET /v1/submissions?mood=unknown")


def test_every_alert_is_tested_to_fire_and_to_keep_quiet() -> None:
    """Promise: promtool has a case of both kinds for each alert."""
    cases = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yaml").read_text(encoding="utf-8"))["tests"]
    seen = {(rule["alertname"], bool(rule["exp_alerts"])) for case in cases for rule in case["alert_rule_test"]}
    assert seen == {(name, fires) for name in alerts() for fires in (True, False)}


def test_promtool_agrees() -> None:
    """Promise: configuration and rules are valid, and each alert fires on its fault and keeps quiet without it."""
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: install Debian's package prometheus, or set PROMTOOL to its path")
    compose = ROOT / "deploy" / "docker" / "prometheus.yaml"
    for arguments in (
        ("check", "config", "scrape/devstack.yaml"),
        ("check", "config", str(compose)),
        ("test", "rules", "tests/alerts.yaml"),
    ):
        done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def doubled(expression: str) -> list[str]:
    """Gauges of a whole database that an expression adds up over the instances that all tell them."""
    added = re.findall(r"sum(?: by \([^)]*\))? ?\((?:\w+\()?revcycle_(\w+)", expression)
    parts = ("_total", "_bucket", "_sum", "_count")
    return [name for name in added if name not in OF_ONE_INSTANCE and not name.endswith(parts)]


def test_what_every_instance_tells_is_never_added_up() -> None:
    """Promise: three processes that count the rows of one database are shown as one."""
    rules = [rule["expr"] for file in ("alerts.yaml", "recording.yaml") for rule in _rules(file)]
    boards = [json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "deploy" / "grafana").glob("*.json")]
    panels = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    assert len(rules) + len(panels) > 60
    assert [name for expression in (*rules, *panels) for name in doubled(expression)] == []
    assert doubled('sum by (service) (revcycle_job_open_jobs{state="unknown"}) > 0') == ["job_open_jobs"]
    assert doubled("sum(max_over_time(revcycle_outbox_waiting_events[5m]))") == ["outbox_waiting_events"]
    assert doubled("sum by (service) (rate(revcycle_timer_fired_timers_total[5m]))") == []


@pytest.mark.parametrize("file", sorted((ROOT / "deploy" / "grafana").glob("*.json")), ids=lambda file: file.stem)
def test_a_dashboard_is_whole(file: Path) -> None:
    """Promise: Grafana can load it as it is: unique ids, no panel over another, its runbooks exist."""
    board = json.loads(file.read_text(encoding="utf-8"))
    assert board["uid"] == file.stem
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (column, row)
            for column in range(place["x"], place["x"] + place["w"])
            for row in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        for page in re.findall(r"docs/runbooks/(\w+)\.md", panel["description"]):
            assert page in alerts()
