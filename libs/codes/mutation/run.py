"""Mutation testing of the rule modules: break one place at a time and see whether a test notices.

    python libs/codes/mutation/run.py [--sample 400] [--seed 1] [--module surgery] [--workers 1] [--list FILE]

Each mutant changes one comparison, operator, constant, condition or returned value of a module under
`revcycle_codes/rules`. A forked child puts the changed module in the place of the real one and runs the rule tests
until the first failure. Survivors are printed as `module:line  what was changed`; the exit status is 1 below the goal.
Texts for people (messages, docstrings, catalogue entries) are not mutated: tests do not pin wording.
"""

import argparse
import ast
import contextlib
import io
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import CodeType

import pytest
from revcycle_codes import CodeSets, engine
from revcycle_codes.findings import RULES

CODES = Path(__file__).resolve().parents[1]
FOLDER = CODES / "src" / "revcycle_codes" / "rules"
TESTS = ("test_codes_validity_rules.py", "test_codes_edit_rules.py", "test_codes_rule_edges.py")
GOAL = 0.85
CHILD_SECONDS = 120
_NOT_MUTATED = {"__init__", "curated"}
_TEXT_KEYWORDS = {"source", "title", "needs", "severity", "carc", "version", "edition"}
_TEXT_CALLS = {"found", "_line_finding", "rule"}

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: module, number of the change within it, line, and what it does."""

    module: str
    number: int
    line: int
    what: str


class Mutator(ast.NodeTransformer):
    """Counts every possible change of a module and makes the one with a wanted number."""

    def __init__(self, wanted: int | None = None) -> None:
        self.wanted = wanted
        self.found: list[tuple[int, str]] = []

    def _here(self, node: ast.expr | ast.stmt, what: str) -> bool:
        self.found.append((node.lineno, what))
        return len(self.found) - 1 == self.wanted

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: D102
        # Decorators and annotations are texts and types.
        node.body = [self.visit(one) for one in node.body]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:  # noqa: D102
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:  # noqa: D102
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:  # noqa: D102
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return node if names & {"message", "expected", "problem", "override"} else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: D102
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _TEXT_CALLS:
            # The id, severity, lines, codes and the override are checked; messages and places are words.
            kept = {"lines", "codes", "override"}
            node.keywords = [
                ast.keyword(one.arg, self.visit(one.value)) if one.arg in kept else one for one in node.keywords
            ]
            return node
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:  # noqa: D102
        for place, operator in enumerate(node.ops):
            instead = COMPARISONS[type(operator)]
            if self._here(node, f"{type(operator).__name__} -> {instead.__name__}"):
                node.ops[place] = instead()
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:  # noqa: D102
        if self._here(node, "and <-> or"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:  # noqa: D102
        instead = OPERATORS.get(type(node.op))
        if instead and self._here(node, f"{type(node.op).__name__} -> {instead.__name__}"):
            node.op = instead()
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:  # noqa: D102
        if isinstance(node.op, ast.Not) and self._here(node, "not removed"):
            return self.generic_visit(node.operand)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:  # noqa: D102
        for value in (True, False):
            if self._here(node, f"if -> {value}"):
                node.test = ast.copy_location(ast.Constant(value), node.test)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:  # noqa: D102
        if self._here(node, "if-else swapped"):
            node.body, node.orelse = node.orelse, node.body
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:  # noqa: D102
        value: object = node.value
        if isinstance(value, bool):
            instead: object = not value
        elif isinstance(value, int):
            instead = value + 1
        elif isinstance(value, str) and value and " " not in value:
            instead = value + "?"
        else:
            return node
        if self._here(node, f"{value!r} -> {instead!r}"):
            return ast.copy_location(ast.Constant(instead), node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:  # noqa: D102
        if node.value is not None and not isinstance(node.value, ast.Constant) and self._here(node, "returns None"):
            node.value = ast.copy_location(ast.Constant(None), node.value)
        return self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> ast.AST:  # noqa: D102
        return ast.copy_location(ast.Break(), node) if self._here(node, "continue -> break") else node


def mutants(module: str) -> list[Mutant]:
    """Every mutant of a module."""
    mutator = Mutator()
    mutator.visit(ast.parse((FOLDER / f"{module}.py").read_text()))
    return [Mutant(module, number, line, what) for number, (line, what) in enumerate(mutator.found)]


def mutated(mutant: Mutant) -> CodeType:
    """A module with one change, compiled."""
    path = FOLDER / f"{mutant.module}.py"
    tree = Mutator(mutant.number).visit(ast.parse(path.read_text()))
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


def install(mutant: Mutant) -> None:
    """Put a mutant in the place of its module: its rules are registered again, the catalogue is rebuilt."""
    module = sys.modules[f"revcycle_codes.rules.{mutant.module}"]
    for name in [name for name, entry in RULES.items() if entry.check.__module__ == module.__name__]:
        del RULES[name]
    exec(mutated(mutant), module.__dict__)  # the module's own code, with one change
    order = {one.__name__: place for place, one in enumerate(engine.RULE_MODULES)}
    engine.CATALOGUE = tuple(sorted(RULES.values(), key=lambda entry: order[entry.check.__module__]))


def killed(mutant: Mutant | None) -> bool:
    """Whether a test fails, the module breaks or the tests do not end, in a forked child. None: nothing is changed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    status = 1
    try:
        signal.alarm(CHILD_SECONDS)
        if mutant:
            install(mutant)
        tests = [str(CODES / "tests" / name) for name in TESTS if (CODES / "tests" / name).exists()]
        folder = str(CODES / "tests")
        plain = ["-c", os.devnull, "--rootdir", folder, "--confcutdir", folder, "--assert=plain"]
        options = ["-x", "-q", "-p", "no:cacheprovider", "-k", "not catalogue and not real_style"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            status = int(pytest.main([*plain, *options, *tests]))
    except BaseException:  # a child that cannot even start its tests counts as noticed
        status = 1
    finally:
        os._exit(status)


def warm_up() -> None:
    """Open the code sets once and let every child use them: they are read-only and opening costs more than a test."""
    code_sets = CodeSets.open()
    code_sets.instructions_on(date(2026, 8, 15))
    CodeSets.open = lambda *_, **__: code_sets  # type: ignore[method-assign]  # for the forked children alone
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


def progress(chosen: list[Mutant], workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant with whether it was noticed, in the order given."""
    with ThreadPool(workers) as pool:
        for place, (mutant, noticed) in enumerate(zip(chosen, pool.imap(killed, chosen), strict=True), start=1):
            sys.stderr.write(f"\r{place}/{len(chosen)}  ")
            yield mutant, noticed
    sys.stderr.write("\n")


def main() -> int:
    """Run and report; 0 when at least the goal is killed."""
    modules = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in _NOT_MUTATED)
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sample", type=int, default=400, help="mutants to draw (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--module", action="append", choices=modules, help="only these modules")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    os.nice(19)
    warm_up()
    if killed(None):
        sys.stderr.write("the tests fail without any change; run pytest libs/codes/tests first\n")
        return 2
    every = [mutant for module in options.module or modules for mutant in mutants(module)]
    chosen = every
    if options.sample and options.sample < len(every):
        chosen = sorted(
            random.Random(options.seed).sample(every, options.sample), key=lambda one: (one.module, one.number)
        )
    noticed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for mutant, dead in progress(chosen, options.workers):
        total[mutant.module] += 1
        noticed[mutant.module] += dead
        if not dead:
            sys.stdout.write(f"survived {mutant.module}:{mutant.line}  {mutant.what}\n")
            sys.stdout.flush()
    for module in sorted(total):
        sys.stdout.write(f"{module:14} {noticed[module]:4}/{total[module]}\n")
    share = sum(noticed.values()) / max(1, sum(total.values()))
    sys.stdout.write(f"killed {sum(noticed.values())} of {len(chosen)} drawn from {len(every)}: {share:.1%}\n")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
