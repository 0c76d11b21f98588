"""The time machine: states, dates, boundaries and the bundled facts."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from revcycle_codes import CodesError, CodeSets, CodeState, CodeSystem
from revcycle_codes.artefact import MAGIC, Artefact, open_or_build
from revcycle_codes.seed import package_file
from revcycle_codes.table import CodeRow, CodeTable, ReleaseSpec, compile_table

CM = CodeSystem.ICD10CM


@pytest.mark.parametrize(
    ("code", "day", "state", "billable"),
    [
        ("G35", "2023-10-01", "active", True),
        ("G35", "2024-09-30", "active", True),
        ("G35", "2025-09-30", "active", True),
        ("G35", "2025-10-01", "deleted", False),
        ("G35", "2026-04-01", "deleted", False),
        ("G35.A", "2024-09-30", "not_yet", True),
        ("G35.A", "2025-09-30", "not_yet", True),
        ("G35.A", "2025-10-01", "active", True),
        ("g35a", "2026-09-30", "active", True),
        ("I10", "2025-05-05", "active", True),
        ("C50.A0", "2025-05-05", "unknown_release", True),
        ("E11", "2026-05-01", "active", False),
        ("S83.411A", "2026-05-01", "active", True),
        ("S06.1X7D", "2026-05-01", "unknown_code", False),
        ("B20", "2026-05-01", "active", True),
        ("ZZ9", "2026-05-01", "unknown_code", False),
        ("", "2026-05-01", "unknown_code", False),
        ("not a code at all", "2026-05-01", "unknown_code", False),
        ("I10", "2026-10-01", "unknown_release", False),
        ("I10", "2023-09-30", "unknown_release", False),
    ],
)
def test_state_of_an_icd10cm_code_on_a_day(
    code_sets: CodeSets, code: str, day: str, state: str, billable: bool
) -> None:
    answer = code_sets.resolve(CM, code, date.fromisoformat(day))
    assert answer.state == state
    if state != "unknown_release":
        assert answer.billable is billable


def test_a_split_code_names_its_successors_and_the_last_day(code_sets: CodeSets) -> None:
    answer = code_sets.resolve(CM, "G35", date(2026, 4, 1))
    assert answer.since == date(2025, 10, 1)
    assert answer.last_day == date(2025, 9, 30)
    assert answer.successors[0] == "G35.A"
    assert answer.release == "FY2026-04"


def test_a_change_between_releases_that_are_not_neighbours_has_no_date(code_sets: CodeSets) -> None:
    answer = code_sets.resolve(CM, "C86.1", date(2026, 4, 1))
    assert answer.state is CodeState.DELETED
    assert answer.since is None
    assert answer.last_day is None


def test_fy2024_to_april_2026_adds_739_and_removes_64_billable_codes(code_sets: CodeSets) -> None:
    old, new = (
        {row.code for row in code_sets.table(CM, release) if row.billable} for release in ("FY2024", "FY2026-04")
    )
    assert (len(old), len(new)) == (74_044, 74_719)
    assert (len(new - old), len(old - new)) == (739, 64)


def test_pcs_is_complete(code_sets: CodeSets) -> None:
    assert len(code_sets.table(CodeSystem.ICD10PCS, "FY2024")) == 78_603
    assert code_sets.resolve(CodeSystem.ICD10PCS, "0016070", date(2024, 1, 1)).valid_for_billing


@pytest.mark.parametrize(
    ("code", "day", "state"),
    [
        ("G0436", "2016-09-30", "active"),
        ("G0436", "2016-10-01", "deleted"),
        ("J1030", "2024-03-31", "active"),
        ("J1030", "2024-04-01", "deleted"),
        ("J1010", "2024-03-31", "not_yet"),
        ("J1010", "2024-04-01", "active"),
        ("G0463", "2026-08-15", "active"),
        ("G9999", "2026-08-15", "unknown_code"),
    ],
)
def test_hcpcs_codes_have_their_own_intervals(code_sets: CodeSets, code: str, day: str, state: str) -> None:
    assert code_sets.resolve(CodeSystem.HCPCS_II, code, date.fromisoformat(day)).state == state


def test_a_system_without_a_release_is_unknown_not_invalid(code_sets: CodeSets) -> None:
    assert code_sets.resolve(CodeSystem.CPT, "00000", date(2026, 8, 15)).state is CodeState.UNKNOWN_RELEASE


@pytest.mark.slow
def test_a_second_opening_finds_what_the_first_compiled(code_sets: CodeSets, tmp_path: Path) -> None:
    CodeSets.open(tmp_path)
    compiled = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = CodeSets.open(tmp_path)
    assert again.resolve(CM, "I10", date(2026, 8, 15)).state is CodeState.ACTIVE
    assert again.fingerprint == code_sets.fingerprint
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == compiled


@pytest.mark.slow
def test_many_processes_may_compile_at_once(tmp_path: Path, code_sets: CodeSets) -> None:
    program = "import sys, pathlib, revcycle_codes as r; print(r.CodeSets.open(pathlib.Path(sys.argv[1])).fingerprint)"
    command = [sys.executable, "-c", program, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    prints = {process.communicate(timeout=60)[0].strip() for process in running}
    assert prints == {code_sets.fingerprint}
    assert not list(tmp_path.glob(".*")), "a half-written file was left"


def test_a_changed_source_file_is_refused_by_its_hash() -> None:
    with pytest.raises(CodesError, match="SHA-256"):
        package_file("simple-icd-10-cm", "simple_icd_10_cm/__init__.py", "0" * 64)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.rvc"
    path.write_bytes(b"RVCODE1l" + bytes(8))
    with pytest.raises(CodesError, match="not a compiled code set"):
        Artefact(path)
    assert len(MAGIC) == 8


def _table(tmp_path: Path, release: str, start: date, end: date | None, *rows: CodeRow) -> CodeTable:
    spec = ReleaseSpec(
        system=CodeSystem.HCPCS_II,
        release=release,
        valid_from=start,
        valid_to=end,
        source="test",
        licence_class="own-work",
    )
    return CodeTable(open_or_build(tmp_path / f"{release}.rvc", lambda: compile_table(spec, rows)))


def test_a_code_that_lapses_and_returns_is_active_in_both_intervals_only(tmp_path: Path) -> None:
    store = CodeSets(
        [
            _table(
                tmp_path,
                "one",
                date(2000, 1, 1),
                None,
                CodeRow("Q0001", "first", 1, date(2001, 1, 1), date(2002, 1, 1)),
                CodeRow("Q0001", "again", 1, date(2003, 1, 1), None),
            )
        ]
    )
    days = {"2000-12-31": "not_yet", "2001-12-31": "active", "2002-06-01": "not_yet", "2003-01-01": "active"}
    found = {day: store.resolve(CodeSystem.HCPCS_II, "Q0001", date.fromisoformat(day)).state for day in days}
    assert found == days


def test_neighbouring_releases_date_a_change_by_the_border(tmp_path: Path) -> None:
    border = date(2020, 1, 1)
    store = CodeSets(
        [
            _table(tmp_path, "a", date(2019, 1, 1), border, CodeRow("Q0001"), CodeRow("Q0002")),
            _table(tmp_path, "b", border, date(2021, 1, 1), CodeRow("Q0002"), CodeRow("Q0003")),
        ]
    )
    gone = store.resolve(CodeSystem.HCPCS_II, "Q0001", date(2020, 6, 1))
    assert (gone.state, gone.since, gone.last_day) == (CodeState.DELETED, border, date(2019, 12, 31))
    coming = store.resolve(CodeSystem.HCPCS_II, "Q0003", date(2019, 6, 1))
    assert (coming.state, coming.since) == (CodeState.NOT_YET, border)


def test_two_releases_in_force_on_one_day_are_refused(tmp_path: Path) -> None:
    one = _table(tmp_path, "a", date(2019, 1, 1), None, CodeRow("Q0001"))
    two = _table(tmp_path, "b", date(2020, 1, 1), None, CodeRow("Q0001"))
    with pytest.raises(CodesError, match="same day"):
        CodeSets([one, two])


def test_codes_lists_what_is_active_on_the_day(code_sets: CodeSets) -> None:
    listed = [answer.code for answer in code_sets.codes(CodeSystem.HCPCS_II, date(2026, 8, 15))]
    assert "G0463" in listed
    assert not {"G0436", "J1030"} & set(listed)
    assert listed == sorted(listed)
