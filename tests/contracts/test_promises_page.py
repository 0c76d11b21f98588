"""The page of promises cannot go stale: its tests exist, and run on the transports it says."""

import pytest

from .pages import TEST_ID, function_of, table_rows

ROWS = [(cells[-3], cells[-2], TEST_ID.findall(cells[-1])) for cells in table_rows("promises.md")]
NUMBERED = {cells[0] for cells in table_rows("promises.md") if len(cells) == 4}


def test_every_promise_has_a_row_with_tests() -> None:
    assert {str(number) for number in range(1, 13)} <= NUMBERED
    assert all(tests for _, _, tests in ROWS)


@pytest.mark.parametrize(("promise", "transports", "tests"), ROWS, ids=[promise[:40] for promise, _, _ in ROWS])
def test_its_tests_exist_and_run_where_it_says(promise: str, transports: str, tests: list[tuple[str, str]]) -> None:
    assert transports in ("both", "store", "kafka")
    for file, name in tests:
        found = function_of(file, name)
        assert found is not None, f"{promise}: {file}::{name} does not exist"
        if transports == "both":
            arguments = {argument.arg for argument in found.args.args}
            assert "transport" in arguments, f"{name} does not take the fixture of both transports"
