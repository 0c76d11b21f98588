"""What `revcycle demo` and `revcycle load` promise without a stack: last line, exit status, reading of files."""

from pathlib import Path

import pytest
from revcycle_checker import Finding, Report
from revcycle_cli.commands.demo import DemoOptions, Ending, _dollars, _is_good, _last_line, _plan
from revcycle_cli.commands.load import read_lines, services_of
from revcycle_cli.main import build_app
from revcycle_devstack.connections import Connections, RunningStack
from revcycle_devstack.layout import StateLayout
from typer.testing import CliRunner

GOOD = {"encounters": 3, "settled": 2, "waiting": 1, "as_expected": 3, "ledger_sha256": "0123456789abcdef" * 4}


def report(**changed: object) -> Report:
    return Report(**{**GOOD, **changed})  # type: ignore[arg-type]  # a test's shorthand


def test_the_last_line_has_the_agreed_form() -> None:
    assert _last_line(report()) == (
        "demo: encounters=3 settled=2 waiting=1 as_expected=3 lost=0 doubled=0 unbalanced_cents=0 "
        "ledger=0123456789abcdef"
    )
    assert "as_expected" not in _last_line(report(as_expected=None))


@pytest.mark.parametrize(
    "changed",
    [
        {"settled": 1},
        {"as_expected": 2},
        {"lost": [Finding("R3", "x")]},
        {"doubled": [Finding("C4", "x")]},
        {"unbalanced_cents": 1},
    ],
)
def test_anything_missing_doubled_off_or_unexpected_is_a_failure(changed: dict[str, object]) -> None:
    assert _is_good(Ending(report(), ()))
    assert _is_good(Ending(report(as_expected=None), ()))
    assert not _is_good(Ending(report(**changed), ()))


def test_a_process_that_was_to_be_killed_and_never_was_is_a_failure() -> None:
    assert not _is_good(Ending(report(), ("claims-1",)))


def test_cents_are_shown_as_dollars_to_the_cent() -> None:
    assert [_dollars(cents) for cents in (0, 5, -5, 123456789)] == ["0.00", "0.05", "-0.05", "1,234,567.89"]


def test_every_instance_of_a_service_is_found_and_no_other_process() -> None:
    urls = {"claims": "a", "claims-1": "a", "claims-2": "b", "adjudication-gateway": "c", "payer-simulator": "p"}
    urls |= {"registration": "r", "coding": "d", "analytics": "e"}
    stack = RunningStack(Connections(StateLayout(Path("/nowhere")), "", ""), urls)
    assert services_of(stack)["claims"] == ["a", "b"]
    assert services_of(stack)["adjudication-gateway"] == ["c"]
    assert "payer-simulator" not in services_of(stack)


def test_lines_keep_their_numbers_and_what_is_no_json_is_left_to_registration_to_refuse(tmp_path: Path) -> None:
    file = tmp_path / "files.jsonl"
    file.write_text('{"a": 1}\n\nnot json\n[]\n')
    assert list(read_lines(str(file))) == [(1, {"a": 1}), (3, None), (4, [])]


def test_files_from_outside_have_no_truth(tmp_path: Path) -> None:
    source = tmp_path / "files.jsonl"
    source.write_text('{"facility_npi": "1999999976"}\n')
    plan = _plan(DemoOptions(1, 300, 1, source, False, False, False, tmp_path))
    plan.write_truth(tmp_path / "truth.jsonl")
    assert [each.file for each in plan.deliveries] == [{"facility_npi": "1999999976"}]
    assert "1999999976" in {facility.npi for facility in plan.facilities}
    assert not (tmp_path / "truth.jsonl").exists()


def test_what_cannot_be_loaded_is_refused_in_words() -> None:
    absent = CliRunner().invoke(build_app(), ["load", "no-such-file.jsonl"])
    assert absent.exit_code == 1
    assert "no-such-file.jsonl is not a file" in absent.stderr
    half = CliRunner().invoke(build_app(), ["load", "-", "--url", "http://127.0.0.1:1"])
    assert half.exit_code == 1
    assert "--token" in half.stderr
