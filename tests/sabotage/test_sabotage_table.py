"""The table of sabotages cannot rot: every change still applies, and every registered test exists."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load_runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sabotage_run", Path(__file__).with_name("run.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


runner = load_runner()
TABLE = runner.load_table()


def test_there_are_at_least_twenty_and_no_name_twice() -> None:
    names = [sabotage.name for sabotage in TABLE]
    assert len(names) >= 20
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("sabotage", TABLE, ids=lambda sabotage: sabotage.name)
def test_a_change_applies_once_and_leaves_a_program(sabotage: "runner.Sabotage") -> None:
    text = (runner.ROOT / sabotage.file).read_text(encoding="utf-8")
    patched = sabotage.patched(text)
    assert patched != text
    ast.parse(patched)


@pytest.mark.parametrize("sabotage", TABLE, ids=lambda sabotage: sabotage.name)
def test_a_registered_test_exists_and_a_promise_is_a_sentence(sabotage: "runner.Sabotage") -> None:
    file, _, name = sabotage.test.partition("::")
    tree = ast.parse((runner.ROOT / file).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name.partition("[")[0] in functions
    assert sabotage.promise.endswith(".") and sabotage.promise[0].isupper()


def test_only_a_failing_assertion_of_the_test_itself_counts() -> None:
    ending = runner.Ending
    passed, failed = ending("passed", "", ""), ending("failed", "AssertionError", "assert 1 == 2")
    assert runner.why_missed([passed, failed]) is None
    assert runner.why_missed([ending("failed", "Failed", "DID NOT RAISE <class 'ValueError'>")]) is None
    for unnoticed in (
        [],
        [passed],
        [ending("failed", "Failed", "Timeout (>60.0s) from pytest-timeout.")],
        [ending("failed", "AssertionError", "the condition did not come true in time")],
        [ending("failed", "ImportError", "no such name")],
        [ending("broken", "AssertionError", "in a fixture")],
        [failed, ending("broken", "Transient", "database away")],
    ):
        assert runner.why_missed(unnoticed) is not None


def test_a_change_that_fits_twice_or_nowhere_is_refused() -> None:
    sabotage = runner.Sabotage("x", "P.", "f.py", "a", "b", "t")
    for text in ("", "aa"):
        with pytest.raises(ValueError, match="must occur once"):
            sabotage.patched(text)
