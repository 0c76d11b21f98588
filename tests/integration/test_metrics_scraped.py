"""What rules and dashboards ask for is there in a real scrape, and every name in it follows the one rule."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from revcycle_devstack import SERVICES
from revcycle_devstack.layout import checkout_root
from revcycle_service_kit.metrics import keeps_name_rule

from .harness import Caller

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(240)]

_METRIC: Final = re.compile(r"(?<![\w:])revcycle[_:][a-z0-9_:]+")
_PARTS: Final = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def scraped(caller: Caller) -> dict[str, dict[str, str]]:
    """Per service: name to type of every metric."""
    found = {}
    for service in SERVICES:
        text = httpx.get(f"{caller.urls[service]}/metrics", timeout=20).text
        found[service] = {
            family.name + ("_total" if family.type == "counter" else ""): family.type
            for family in text_string_to_metric_families(text)
        }
    return found


def test_every_name_in_every_scrape_follows_the_rule(scraped: dict[str, dict[str, str]]) -> None:
    """Promise: revcycle_<area>_<what>_<unit>, and _total behind a counter's."""
    wrong = {
        (service, name)
        for service, names in scraped.items()
        for name in names
        if not keeps_name_rule(name, names[name])
    }
    assert wrong == set()
    assert all(len(names) > 25 for names in scraped.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("http_server_active_requests", "gauge"),
        ("revcycle_outbox_age", "gauge"),
        ("revcycle_weather_lag_seconds", "gauge"),
        ("revcycle_timer_fired_timers", "counter"),
        ("revcycle_timer_due_timers_total", "gauge"),
    ],
)
def test_the_rule_refuses(name: str, kind: str) -> None:
    """The rule can fail: no prefix, no unit, no known area, a counter without _total, a gauge with it."""
    assert not keeps_name_rule(name, kind)


def test_what_rules_and_dashboards_ask_for_is_there(scraped: dict[str, dict[str, str]]) -> None:
    """Promise: no alert and no panel waits for a metric that nobody writes."""
    there = {name for names in scraped.values() for name in names}
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    asked = dict(_asked())
    assert len(asked) > 40
    missing = {
        (place, name)
        for place, names in asked.items()
        for name in names
        if name not in recorded and not ({name, *_bases(name)} & there)
    }
    assert missing == set()


def _bases(name: str) -> list[str]:
    return [name.removesuffix(part) for part in _PARTS if name.endswith(part)]


def _rules() -> Iterator[dict[str, str]]:
    for file in ("recording.yaml", "alerts.yaml"):
        content = yaml.safe_load((checkout_root() / "deploy" / "prometheus" / file).read_text(encoding="utf-8"))
        for group in content["groups"]:
            yield from group["rules"]


def _asked() -> Iterator[tuple[str, list[str]]]:
    for rule in _rules():
        yield rule.get("alert", rule.get("record", "")), _METRIC.findall(rule["expr"])
    for file in sorted((checkout_root() / "deploy" / "grafana").glob("*.json")):
        for panel in json.loads(Path(file).read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']} {target['refId']}", _METRIC.findall(target["expr"])
