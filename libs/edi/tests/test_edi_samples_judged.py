"""Every published sample is read without loss, and every finding on it is one that was judged in writing."""

import json
import os
from datetime import date
from pathlib import Path

import pytest
from revcycle_edi.x12 import ValidationContext, emit, parse_document, validate

EXPECTED = json.loads((Path(__file__).parent / "sample_expectations.json").read_text())


def _folder() -> Path:
    folder = Path(os.environ.get("REVCYCLE_SHARED_DATA", Path(__file__).parents[4] / "shared/data")) / "edi"
    if not folder.is_dir():
        pytest.skip(f"no sample interchanges: {folder} is absent")
    return folder


def test_every_finding_on_the_samples_is_expected_and_judged() -> None:
    folder = _folder()
    context = ValidationContext(today=date(2026, 9, 30))
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".md"}
    assert there == set(EXPECTED["files"])
    for name, expected in EXPECTED["files"].items():
        findings = validate((folder / name).read_bytes(), context=context)
        found = [f"{f.segment_number} {f.loop or '-'} {f.segment}{f.element} {f.rule}" for f in findings]
        assert found == expected, name
        assert {f.rule for f in findings} <= set(EXPECTED["judgements"])


def test_every_sample_is_written_back_byte_for_byte() -> None:
    folder = _folder()
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "README.md")
    assert len(files) >= 50
    for path in files:
        data = path.read_bytes()
        assert emit(parse_document(data)) == data, path.name
