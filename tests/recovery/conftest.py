"""The recovery tests run stacks of their own: they delete topics and look at every record."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never delete topics of a broker that somebody named in the environment."""
    monkeypatch.delenv("DATABASE_URL_BASE", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
