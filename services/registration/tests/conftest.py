"""Registration running inside the test, on a fresh database and a broker in memory; today is 2026-09-30."""

import json
import os
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from revcycle_registration.bootstrap import PARTS
from revcycle_service_kit.testing import MakesDatabases, ServiceUnderTest, running_service


@pytest.fixture
async def service(postgresql: MakesDatabases, tmp_path: Path) -> AsyncIterator[ServiceUnderTest]:
    """The service with every part it runs."""
    async with running_service(PARTS, postgresql, tmp_path, business_date=date(2026, 9, 30)) as running:
        yield running


@pytest.fixture(scope="session")
def real_files() -> list[dict[str, Any]]:
    """The 87 visits of the shared data."""
    default = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("REVCYCLE_SHARED_DATA", default)) / "encounters" / "aci_bench.jsonl"
    if not path.exists():
        pytest.skip(f"shared data is absent: {path.name}; set REVCYCLE_SHARED_DATA")
    return [json.loads(line) for line in path.read_text().splitlines()]
