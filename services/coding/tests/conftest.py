"""The bundled code sets, opened once per test run."""

import pytest
from revcycle_codes import CodeSets


@pytest.fixture(scope="session")
def code_sets() -> CodeSets:
    """The code sets the service decides with."""
    return CodeSets.open()
