"""The benchmark frame itself: what is found, what is printed, what is written. Servers are not needed."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness  # noqa: E402
from ground import Ground  # noqa: E402


@pytest.fixture
def folder_of_benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for path in tmp_path.glob("bench_*.py"):
        sys.modules.pop(path.stem, None)


def test_every_module_of_the_folder_is_found_and_its_lines_have_names_of_their_own() -> None:
    found = harness.discover()
    assert {"relay", "consume"} <= {line.name for bench in found for line in bench.lines}
    assert len(list(HERE.glob("bench_*.py"))) <= len(found)


def test_two_lines_of_one_name_are_refused(folder_of_benches: Path) -> None:
    for name in ("bench_first_copy", "bench_second_copy"):
        (folder_of_benches / f"{name}.py").write_text(
            "from harness import pure\nBENCHES = (pure('same', 'x/s', lambda: 1, lambda: 1),)\n"
        )
    with pytest.raises(ValueError, match="called same"):
        harness.discover(folder_of_benches)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="nonsense; there are counting"):
        harness.chosen([_counting()], ["nonsense"])


def test_a_round_to_warm_up_does_not_count_and_line_and_figures_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = asyncio.run(harness.run_bench(_counting(), Ground(tmp_path), 3, tmp_path))
    written = json.loads((tmp_path / "counting.json").read_text())
    printed = capsys.readouterr()
    assert len(written["rounds"]) == 3 and outcomes[0].rounds == 3
    assert printed.out.startswith("bench counting value=") and " unit=steps/s " in printed.out
    assert f"ratio={written['ratio']:.2f}" in printed.out
    assert "warm-up" in printed.err and "round 3 of 3" in printed.err
    assert "counting" in harness.table(outcomes)


def test_a_wait_has_more_as_its_better_ratio_and_its_target_on_the_value(tmp_path: Path) -> None:
    line = harness.Line("wait", "ms", value_max=75)
    rounds = [harness.Round(harness.Measure(value), harness.Measure(20)) for value in (40, 80, 50)]
    outcome = harness.report(line, rounds, 0.0, tmp_path)
    assert (outcome.value, outcome.ratio, outcome.met) == (50, 0.4, True)


def _counting() -> harness.Bench:
    return harness.pure("counting", "steps/s", lambda: len(range(1000)), lambda: len(range(1000)), ratio_min=0.0)
