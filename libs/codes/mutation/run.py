"""Mutation testing of the rule modules: break one place at a time and see whether a test notices.

    python libs/codes/mutation/run.py [--sample 300] [--seed 1] [--module surgery] [--workers 2]

Each mutant changes one comparison, operator, constant, condition or returned value of a module under
`revcycle_codes/rules`. The rule tests are collected and run once, unchanged; then a forked child puts the changed
module in the place of the real one and runs the tests that enter the changed function, until the first failure.
Survivors are printed as `survived module:line  what was changed`, the last line is `mutation: killed=… of=… share=…`,
and the exit status is 1 below the goal. Texts for people (messages, docstrings, catalogue entries) are not mutated, and
neither are annotations and the code tables of `curated`: tests do not pin wording.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutants import FOLDER, Mutant, mutants, mutated
from revcycle_codes import engine
from revcycle_codes.findings import RULES

TESTS = Path(__file__).resolve().parents[1] / "tests"
FILES = ("validity_rules", "edit_rules", "rule_edges", "rule_cases")
GOAL = 0.85
CHILD_SECONDS = 60
PROGRESS_SECONDS = 0.5
_NOT_MUTATED = {"__init__", "curated"}
Function = tuple[str, str]  # module, function


class Runner:
    """A pytest plugin: instead of one run of the tests, one run unchanged and one for every mutant."""

    def __init__(self, chosen: list[Mutant], workers: int) -> None:
        self.chosen = chosen
        self.workers = workers
        self.survived: list[Mutant] = []
        self.entered: dict[Function, list[int]] = defaultdict(list)
        self.broken = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests unchanged, noting which function each enters, then the mutants."""
        items = session.items
        for place, item in enumerate(items):
            functions: set[Function] = set()
            sys.setprofile(_recorder(functions))
            try:
                # The first test follows the last: what a session sets up once stays for the children.
                reports = runtestprotocol(item, nextitem=items[(place + 1) % len(items)], log=False)
            finally:
                sys.setprofile(None)
            if broken := [report for report in reports if report.failed]:
                self.broken = f"{item.nodeid}\n{broken[0].longreprtext}"
                return True
            for function in functions:
                self.entered[function].append(place)
        self._run_mutants(items)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Iterator[None]:
        """`run(rule, …)` asks for the findings of one rule: let it evaluate that rule alone."""
        check = pyfuncitem.funcargs.get("run")
        if check is not None:
            pyfuncitem.funcargs["run"] = lambda rule, **changes: _of_one_rule(check, rule, changes)
        return (yield)

    def _run_mutants(self, items: list[pytest.Item]) -> None:
        running: dict[int, Mutant] = {}
        started = time.monotonic()
        for place, mutant in enumerate(self.chosen, start=1):
            while len(running) >= self.workers:
                self._reap(running)
            running[_start(mutant, [items[one] for one in self._concerned(mutant)])] = mutant
            if time.monotonic() - started > PROGRESS_SECONDS or place == len(self.chosen):
                started = time.monotonic()
                sys.stderr.write(f"\r{place}/{len(self.chosen)} mutants, {len(self.survived)} survived  ")
        while running:
            self._reap(running)
        sys.stderr.write("\n")
        self.survived.sort(key=lambda one: (one.module, one.number))

    def _reap(self, running: dict[int, Mutant]) -> None:
        child, status = os.wait()
        mutant = running.pop(child)
        if os.waitstatus_to_exitcode(status) == 0:
            self.survived.append(mutant)

    def _concerned(self, mutant: Mutant) -> Iterable[int]:
        """The tests that enter the changed function, those of few functions first; for a constant, of its module."""
        places = (
            self.entered[(mutant.module, mutant.function)]
            if mutant.function
            else sorted({at for (module, _), found in self.entered.items() if module == mutant.module for at in found})
        )
        breadth = Counter(at for found in self.entered.values() for at in found)
        return sorted(places, key=lambda at: breadth[at])


def _recorder(functions: set[Function]) -> Any:
    folder = str(FOLDER)

    def record(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            name = frame.f_code.co_qualname.split(".", 1)[0]
            functions.add((Path(frame.f_code.co_filename).stem, name))

    return record


def _of_one_rule(check: Any, rule: str, changes: dict[str, object]) -> Any:
    every = engine.CATALOGUE
    one = tuple(entry for entry in every if rule.rstrip("U") == entry.id)
    engine.CATALOGUE = one or every
    try:
        return check(rule, **changes)
    finally:
        engine.CATALOGUE = every


def _start(mutant: Mutant, items: list[pytest.Item]) -> int:
    """Start a child that ends with 1 when a test notices the mutant, with 0 when none does."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(CHILD_SECONDS)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        install(mutant)
        items[0].session._setupstate.teardown_exact(items[0])
        following = [*items[1:], items[0]]
        status = int(any(_fails(item, after) for item, after in zip(items, following, strict=True)))
    except BaseException:  # a module that cannot even be loaded counts as noticed
        status = 1
    finally:
        os._exit(status)


def _fails(item: pytest.Item, following: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, nextitem=following, log=False))


def install(mutant: Mutant) -> None:
    """Put a mutant in the place of its module, also where its functions and constants were already taken from it."""
    module = sys.modules[f"revcycle_codes.rules.{mutant.module}"]
    before, rules = dict(module.__dict__), dict(RULES)
    for name in [name for name, entry in rules.items() if entry.check.__module__ == module.__name__]:
        del RULES[name]
    fresh = {name: value for name, value in before.items() if name.startswith("__")}
    exec(mutated(mutant), fresh)  # the module's own code, with one change
    replaced = {}
    for name, value in fresh.items():
        old = before.get(name)
        if isinstance(value, FunctionType) and isinstance(old, FunctionType) and old.__module__ == module.__name__:
            old.__code__, old.__defaults__ = value.__code__, value.__defaults__
        elif name in before and not name.startswith("__") and value is not old:
            module.__dict__[name] = value
            replaced[name] = (old, value)
    for other in list(sys.modules.values()):
        if other.__name__.startswith(("revcycle_codes.rules.", "test_codes_")):
            for name, (old, value) in replaced.items():
                if other.__dict__.get(name) is old:
                    setattr(other, name, value)
    RULES.update({name: rules[name] for name in RULES if name in rules})
    engine.CATALOGUE = tuple(entry for entry in engine.CATALOGUE if entry.id in RULES)


def main() -> int:
    """Run and report; 0 when at least the goal is killed."""
    modules = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in _NOT_MUTATED)
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="mutants to draw (0, the default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--module", action="append", choices=modules, help="only these modules")
    parser.add_argument("--workers", type=int, default=2, help="children at a time")
    options = parser.parse_args()
    os.nice(19)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    every = [mutant for module in options.module or modules for mutant in mutants(module)]
    chosen = every
    if options.sample and options.sample < len(every):
        chosen = random.Random(options.seed).sample(every, options.sample)
        chosen.sort(key=lambda one: (one.module, one.number))
    runner = Runner(chosen, options.workers)
    plain = ["-c", os.devnull, "--rootdir", str(TESTS), "--confcutdir", str(TESTS), "--assert=plain"]
    quiet = ["-p", "no:cacheprovider", "-p", "no:terminal", "-k", "not catalogue"]
    pytest.main([*plain, *quiet, *(str(TESTS / f"test_codes_{name}.py") for name in FILES)], plugins=[runner])
    if runner.broken or not runner.entered:
        sys.stderr.write(f"a test fails without any change: {runner.broken or 'none was collected'}\n")
        return 2
    return _report(chosen, runner.survived, len(every))


def _report(chosen: list[Mutant], survived: list[Mutant], possible: int) -> int:
    total, alive = Counter(one.module for one in chosen), Counter(one.module for one in survived)
    for mutant in survived:
        sys.stdout.write(f"survived {mutant.module}:{mutant.line}  {mutant.what}\n")
    for module in sorted(total):
        sys.stdout.write(f"{module:14} {total[module] - alive[module]:4} of {total[module]}\n")
    killed = len(chosen) - len(survived)
    share = killed / max(1, len(chosen))
    sys.stdout.write(f"{len(chosen)} drawn from {possible}, goal {GOAL:.0%}\n")
    sys.stdout.write(f"mutation: killed={killed} of={len(chosen)} share={share:.3f}\n")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
