"""The chaos tests share the modules of their folder with `run.py`; they kill servers, so they use their own only."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chaos_harness import ENCOUNTERS, SEED, Ending, calm_run


@pytest.fixture(autouse=True)
def own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never kill a server that somebody named in the environment."""
    monkeypatch.delenv("DATABASE_URL_BASE", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)


_calm: dict[tuple[int, int], Ending] = {}


@pytest.fixture
async def calm(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """How the calm run of these tests' seed ends; run once for all of them."""
    if (SEED, ENCOUNTERS) not in _calm:
        _calm[SEED, ENCOUNTERS] = await calm_run(SEED, ENCOUNTERS, tmp_path_factory.mktemp("calm"))
    return _calm[SEED, ENCOUNTERS]
