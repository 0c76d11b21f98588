"""pytest plugin: writes how every test ended, for the run that asked; REVCYCLE_SABOTAGE_COPY names the tree to test."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_endings: dict[str, dict[str, str]] = {}


def pytest_sessionstart() -> None:
    """Refuse to test anything but the copy."""
    import revcycle_claims
    import revcycle_messaging

    copy = Path(os.environ["REVCYCLE_SABOTAGE_COPY"]).resolve()
    for package in (revcycle_messaging, revcycle_claims):
        place = Path(package.__file__ or "").resolve()
        assert place.is_relative_to(copy), f"{place} is not in the copy"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the ending of a test, and of a failure its phase, type and text."""
    report = yield
    if report.failed:
        error = call.excinfo
        text = str(error.value) if error else ""
        _endings[item.nodeid] = {
            "ending": "failed" if report.when == "call" else "broken",
            "error": type(error.value).__name__ if error else "",
            "text": text[:500],
        }
    elif report.skipped:
        _endings[item.nodeid] = {"ending": "skipped", "error": "", "text": ""}
    elif report.when == "call":
        _endings[item.nodeid] = {"ending": "passed", "error": "", "text": ""}
    return report


def pytest_sessionfinish() -> None:
    """Hand the endings over."""
    Path(os.environ["REVCYCLE_SABOTAGE_REPORT"]).write_text(json.dumps(_endings), encoding="utf-8")
