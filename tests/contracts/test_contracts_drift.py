"""Promise: the committed contracts are what the code says; a changed field shows before anyone reads the wrong one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_committed_contracts_are_generated_from_this_code() -> None:
    check = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, f"run make docs and commit what it writes:\n{check.stdout}{check.stderr[-2000:]}"
