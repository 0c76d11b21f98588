"""Witnesses from outside: what the library writes is accepted by a validator that knows nothing of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from edi_bases import BASES
from revcycle_edi.x12 import split_837

ROOT = Path(__file__).resolve().parents[4]
HERE = Path(__file__).resolve().parent
CANNOT_BE_MADE = 3


def witness(name: str, script: str, documents: list[str]) -> list[dict[str, object]]:
    """What a script says about each document in the environment of its own; skips when that cannot be made."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oracle_env.py", name], capture_output=True, text=True, check=False
    )
    if made.returncode == CANNOT_BE_MADE:
        pytest.skip(f"no witness: {made.stderr.strip()}")
    said = subprocess.run(
        [made.stdout.strip(), HERE / script],
        input="".join(json.dumps(document) + "\n" for document in documents),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_professional_and_institutional_claims_and_remittances_pass_pyx12_and_damage_does_not() -> None:
    parts = [data for _, data in split_837(BASES["837P"](), first_control_number=1)]
    clean = [data.decode() for data in (BASES["837P"](), *parts, BASES["837I"](), BASES["835"]())]
    broken = clean[1].replace("HI*ABK", "HI*ABX", 1)
    said = witness("pyx12", "judge_pyx12.py", [*clean, broken])
    assert [one["errors"] for one in said[:-1]] == [[]] * len(clean)
    assert all(one["accepted"] for one in said[:-1]) and not said[-1]["accepted"]
