"""The bundled code sets, opened once per test run; edit tables as an operator imports them."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from revcycle_codes import Setting
from revcycle_codes.edit_tables import TableKind, TableSpec, compile_ptp, compile_rows
from revcycle_codes.loaders.ncci import MueRow, PtpColumns
from revcycle_coding.domain.rulebook import Rulebook

LAST_DAY = 65535
"""In days: open."""


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    """What the service decides with where nothing was imported."""
    return Rulebook.open()


@pytest.fixture
def write_tables() -> Callable[..., Path]:
    """Import into a folder: the pair G0442 and G0444, which a modifier lifts, and a limit of units of G0442."""
    return _write_tables


def _write_tables(folder: Path, most_units: int = 2) -> Path:
    folder.mkdir(exist_ok=True)
    for setting in (Setting.PRACTITIONER, Setting.OUTPATIENT_HOSPITAL):
        columns = PtpColumns(["G0442"], ["G0444"], rationale_texts=["more extensive procedure"])
        for column, value in ((columns.starts, 0), (columns.ends, LAST_DAY), (columns.indicators, 1)):
            column.append(value)
        columns.rationales.append(0)
        (folder / f"ptp-{setting}.rvt").write_bytes(compile_ptp(_spec(TableKind.PTP, setting), columns))
    limits = compile_rows(_spec(TableKind.MUE, Setting.PRACTITIONER), [MueRow("G0442", most_units, 2, "policy")])
    (folder / "mue.rvt").write_bytes(limits)
    return folder


def _spec(kind: TableKind, setting: Setting) -> TableSpec:
    return TableSpec(
        kind=kind,
        release="2026Q3",
        valid_from=date(2026, 7, 1),
        valid_to=date(2026, 10, 1),
        source="synthetic",
        setting=setting,
    )
