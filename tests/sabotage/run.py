"""Break the code on purpose, one promise at a time, and require that a test says so.

Works on a copy of the tree: first the registered tests must be green there, then each entry of `sabotages.yaml` is
applied alone and its test must fail on an assertion. A test that fails for another reason (an import, a fixture, the
time limit) has noticed nothing. Exit status 1 when a sabotage is missed or the code as it is is not green.
"""

import argparse
import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.lending import Lender

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TABLE = HERE / "sabotages.yaml"
MEMBERS = ("libs", "services", "simulators", "tools")
COPIED = (*MEMBERS, "deploy", "conftest.py", "pyproject.toml")
RUN_LIMIT_SECONDS = 600
TEST_LIMIT_SECONDS = 60
ASSERTIONS = frozenset({"AssertionError", "Failed"})
"""What a failing assertion raises: `assert`, and pytest's own for an exception that did not come."""
TOO_LATE = ("Timeout (>", "did not come true")
"""What the texts say of a test or a condition that was given up: that may as well be a slow machine."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """A change that breaks a promise, and the test that must notice."""

    name: str
    promise: str
    file: str
    before: str
    after: str
    test: str

    def patched(self, text: str) -> str:
        """The file's text with the change. ValueError unless `before` occurs exactly once."""
        if (found := text.count(self.before)) != 1:
            raise ValueError(f"{self.name}: `before` occurs {found} times in {self.file}; it must occur once")
        return text.replace(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Ending:
    """How one test ended: passed, failed in its body, broken around it, or skipped."""

    ending: str
    error: str
    text: str

    @property
    def on_assertion(self) -> bool:
        """Whether it failed on an assertion of its own, in time."""
        late = any(words in self.text for words in TOO_LATE)
        return self.ending == "failed" and self.error in ASSERTIONS and not late


def load_table() -> list[Sabotage]:
    """The sabotages in their order."""
    return [Sabotage(**entry) for entry in yaml.safe_load(TABLE.read_text(encoding="utf-8"))]


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of the sources and tests in a folder of its own, with its own test servers, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="revcycle-sabotage-") as folder:
        # PostgreSQL runs as a user of its own when we are root, and has to get through.
        os.chmod(folder, 0o755)
        copy = Path(folder) / "tree"
        copy.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy2(source, copy / name)
        for member in MEMBERS:
            # By hash: a change within one second and of one length must not be overlooked.
            compileall.compile_dir(
                copy / member, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
            )
        # This process is a user of the servers from start to end, so they are started once.
        lender = Lender(StateLayout(copy / ".revcycle" / "test"), os.getpid())
        try:
            lender.borrow("postgresql")
            yield copy
        finally:
            lender.give_back()


def run_tests(copy: Path, tests: Sequence[str]) -> dict[str, Ending]:
    """Run tests on the copy; how each ended by its id, empty when pytest itself could not run."""
    sources = sorted(str(folder) for member in MEMBERS for folder in (copy / member).glob("*/src"))
    report = copy / "report.json"
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sources, str(HERE)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "REVCYCLE_SABOTAGE_COPY": str(copy),
        "REVCYCLE_SABOTAGE_REPORT": str(report),
    }
    options = ["-q", "-p", "recorder", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    limit = f"--timeout={TEST_LIMIT_SECONDS}"
    with (copy / "pytest.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, limit, *tests],
            cwd=copy,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            process.wait(RUN_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if not report.exists():
        return {}
    return {test: Ending(**ending) for test, ending in json.loads(report.read_text(encoding="utf-8")).items()}


def why_not_green(endings: Mapping[str, Ending], tests: Sequence[str]) -> list[str]:
    """What keeps the code as it is from being green, in words; empty: it is."""
    wrong = [f"{test}: {ending.ending} {ending.text}" for test, ending in endings.items() if ending.ending != "passed"]
    return wrong + [f"{test}: did not run" for test in tests if not endings_of(endings, test)]


def endings_of(endings: Mapping[str, Ending], test: str) -> list[Ending]:
    """The endings of a registered test: of all its cases when none is named."""
    return [ending for name, ending in endings.items() if name == test or name.startswith(f"{test}[")]


def why_missed(endings: Sequence[Ending]) -> str | None:
    """Why a sabotage went unnoticed, or None: it was caught. Cases that do not touch the change may pass."""
    if not endings:
        return "its test did not run"
    for ending in endings:
        if ending.ending != "passed" and not ending.on_assertion:
            return f"its test ended otherwise than on an assertion: {ending.error} {ending.text[:200]}"
    return None if any(ending.on_assertion for ending in endings) else "its test is still green"


def attempt(copy: Path, sabotage: Sabotage) -> list[Ending]:
    """Apply one sabotage, run its test, take it back. Returns how the cases of the test ended."""
    file = copy / sabotage.file
    text = file.read_text(encoding="utf-8")
    file.write_text(sabotage.patched(text), encoding="utf-8")
    try:
        return endings_of(run_tests(copy, [sabotage.test]), sabotage.test)
    finally:
        file.write_text(text, encoding="utf-8")


def show_progress(done: int, of: int, what: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        filled = 30 * done // of
        sys.stderr.write(f"\r\x1b[K[{'#' * filled}{'.' * (30 - filled)}] {done}/{of} {what}")
        sys.stderr.flush()


def clear_progress() -> None:
    """Make room for a line of the result."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def say(line: str) -> None:
    """A line of the result, at once."""
    clear_progress()
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def told(sabotage: Sabotage, endings: Sequence[Ending], *, explain: bool) -> str:
    """The lines about one sabotage: caught or missed, its promise, and on demand the assertion that failed."""
    if missed := why_missed(endings):
        return f"MISSED {sabotage.name}: {sabotage.promise} ({missed}; {sabotage.test})"
    line = f"caught {sabotage.name}: {sabotage.promise}"
    if not explain:
        return line
    assertion = next(ending.text for ending in endings if ending.on_assertion)
    said = [part.strip()[:160] for part in assertion.splitlines() if part.strip()]
    return "\n    ".join([line, sabotage.test, *said[:3]])


def run(sabotages: Sequence[Sabotage], *, explain: bool) -> bool:
    """Run everything; True when the code is green and every sabotage was caught."""
    started_at = time.monotonic()
    caught = 0
    tests = sorted({sabotage.test for sabotage in sabotages})
    show_progress(0, len(sabotages), "copying the tree and starting PostgreSQL")
    with copied_tree() as copy:
        show_progress(0, len(sabotages), f"{len(tests)} tests on the code as it is")
        if wrong := why_not_green(run_tests(copy, tests), tests):
            for line in wrong:
                say(f"NOT GREEN without any sabotage: {line}")
            if all(line.endswith("did not run") for line in wrong):
                say((copy / "pytest.log").read_text(encoding="utf-8")[-2000:])
            say(f"sabotage: caught=0 of={len(sabotages)}")
            return False
        say(f"green as it is: {len(tests)} registered tests")
        for done, sabotage in enumerate(sabotages):
            show_progress(done, len(sabotages), sabotage.name)
            endings = attempt(copy, sabotage)
            caught += why_missed(endings) is None
            say(told(sabotage, endings, explain=explain))
    say(f"took {time.monotonic() - started_at:.0f} s")
    say(f"sabotage: caught={caught} of={len(sabotages)}")
    return caught == len(sabotages)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description="Break one promise at a time in a copy of the tree and require that its test fails.",
        epilog=f"The sabotages stand in {TABLE.relative_to(ROOT)}. A missed one: its test proves less than it says.",
    )
    parser.add_argument("--only", metavar="NAME", action="append", help="this sabotage only; may be repeated")
    parser.add_argument("--list", action="store_true", help="print names and promises, run nothing")
    parser.add_argument("--explain", action="store_true", help="show the assertion that caught each sabotage")
    arguments = parser.parse_args()
    table = load_table()
    if unknown := set(arguments.only or ()) - {sabotage.name for sabotage in table}:
        parser.error(f"no sabotage named {', '.join(sorted(unknown))}; --list prints all names")
    chosen = [sabotage for sabotage in table if not arguments.only or sabotage.name in arguments.only]
    if arguments.list:
        for sabotage in chosen:
            say(f"{sabotage.name}: {sabotage.promise}")
        return 0
    return 0 if run(chosen, explain=arguments.explain) else 1


if __name__ == "__main__":
    sys.exit(main())
