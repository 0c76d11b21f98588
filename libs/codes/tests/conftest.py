import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from revcycle_codes import CodeSets, EncounterFacts, LineFacts

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def code_sets(tmp_path_factory: pytest.TempPathFactory) -> CodeSets:
    return CodeSets.open(tmp_path_factory.getbasetemp().parent / "code-sets")


@pytest.fixture(scope="session")
def shared_codes() -> Path:
    folder = shared_data() / "codes"
    if not folder.exists():
        pytest.skip("shared data is absent: set REVCYCLE_SHARED_DATA to read the real code tables")
    return folder


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    if not shared_data().exists():
        pytest.skip("shared data is absent: set REVCYCLE_SHARED_DATA")
    return shared_data()


def shared_data() -> Path:
    return Path(os.environ.get("REVCYCLE_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")


@pytest.fixture
def encounter() -> Callable[..., EncounterFacts]:
    """A clean clinic visit; keyword arguments replace fields."""

    def build(**changes: Any) -> EncounterFacts:
        line = LineFacts(line_number=1, code="G0463", diagnosis_pointers=(1,))
        values: dict[str, Any] = {
            "date_of_service": date(2026, 8, 15),
            "diagnoses": ("I10",),
            "lines": (line,),
            "place_of_service": "11",
        }
        return EncounterFacts(**(values | changes))

    return build
