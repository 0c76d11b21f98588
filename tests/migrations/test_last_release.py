"""Promise: code of the last release runs on today's schema, and today's code on that of the last release.

A rollout has both at once. The last release is the commit in deploy/last-release; its tree is laid beside this one and
its own component tests are the judge. Minutes: run by `make compatibility`, not by make test.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from revcycle_devstack.layout import default_state_folder
from revcycle_service_kit import migrations

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
RELEASE = (ROOT / "deploy" / "last-release").read_text(encoding="utf-8").split()[0]
SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")


@pytest.fixture(scope="module")
def former() -> Iterator[Path]:
    """The tree of the last release."""
    known = subprocess.run(["git", "cat-file", "-e", f"{RELEASE}^{{commit}}"], cwd=ROOT, capture_output=True)
    if known.returncode != 0:
        pytest.skip(f"commit {RELEASE[:12]} of deploy/last-release is not in this clone: fetch the whole history")
    # Not in pytest's folder: PostgreSQL runs as a user of its own, who has no way into it.
    tree = default_state_folder() / f"last-release-{os.getpid()}"
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", RELEASE, "-o", str(tree / "tree.tar")], cwd=ROOT)
    archive.check_returncode()
    with tarfile.open(tree / "tree.tar") as packed:
        packed.extractall(tree, filter="data")
    yield tree
    shutil.rmtree(tree, ignore_errors=True)


def environment_of(tree: Path) -> dict[str, str]:
    """An environment in which a tree's own packages come before those that are installed."""
    sources = [
        str(path) for pattern in ("libs", "services", "simulators", "tools") for path in tree.glob(f"{pattern}/*/src")
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}


def rendered(tree: Path, folder: Path) -> dict[str, str]:
    """Write a tree's schemas; returns the newest revision by migrations package."""
    done = subprocess.run(
        [sys.executable, "scripts/render_schemas.py", str(folder)], cwd=tree, env=environment_of(tree),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(": ") for line in done.stdout.splitlines())


def component_tests(
    tree: Path, schemas: Path, services: Sequence[str] = SERVICES, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run a tree's component tests of services on schemas of another tree."""
    environment = {**environment_of(tree), "REVCYCLE_TEST_SCHEMAS": str(schemas)}
    paths = [f"services/{service}/tests" for service in services]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "component and not long",
        "-p",
        "no:cacheprovider",
        *options,
        *paths,
    ]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def test_code_of_the_last_release_runs_on_todays_schema(former: Path, tmp_path: Path) -> None:
    rendered(ROOT, tmp_path)
    done = component_tests(former, tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
    sys.stdout.write(done.stdout[-200:])


def test_todays_code_runs_on_the_schema_of_the_last_release(former: Path, tmp_path: Path) -> None:
    rendered(former, tmp_path)
    done = component_tests(ROOT, tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
    sys.stdout.write(done.stdout[-200:])


@pytest.mark.parametrize("is_former", [True, False], ids=["taken away too early", "needed too early"])
def test_a_column_that_is_missing_is_noticed(former: Path, tmp_path: Path, is_former: bool) -> None:
    """The judge can say no, also when nothing lies between the two releases."""
    code, schema = (former, ROOT) if is_former else (ROOT, former)
    rendered(schema, tmp_path)
    script = tmp_path / "revcycle_coding.migrations.sql"
    script.write_text(script.read_text() + "ALTER TABLE coding.task DROP COLUMN reasons;\n")
    done = component_tests(code, tmp_path, ["coding"], "-x")
    assert done.returncode == 1, done.stdout[-2000:]
    assert " failed" in done.stdout


def test_both_say_so(former: Path, tmp_path: Path) -> None:
    """What the schema notes and the code states lets both start; else the rollout would stop where it need not."""
    for package, head in rendered(former, tmp_path).items():
        assert head in migrations.code_that_runs(package), f"{package}: code of the last release would be refused"
        known = migrations.revisions_of(package)
        assert known.index(head) <= known.index(migrations.oldest_schema(package)), (
            f"{package}: today's code needs a revision that the last release does not have; split it into two releases"
        )
