"""Promise: what the guides show works: their code blocks are run, in order, against a whole running platform."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from revcycle_devstack.connections import connect_to
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
GUIDES = {path.stem: path for path in sorted((ROOT / "docs" / "guides").glob("*.md"))}
NEED_THE_STACK = ("add-a-payer", "call-the-rest-api", "read-a-trace")
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OWN_SERVERS = ("DATABASE_URL_BASE", "KAFKA_BOOTSTRAP_SERVERS")


def script_of(guide: Path, folder: Path) -> Path:
    """One shell script of all blocks; neighbouring Python blocks are one program, as a reader types them."""
    lines = ["set -euo pipefail"]
    program: list[str] = []

    def end_program() -> None:
        if program:
            file = folder / f"{guide.stem}-{len(lines)}.py"
            file.write_text("".join(program))
            lines.append(f"python {file}")
            program.clear()

    blocks = _BLOCK.findall(guide.read_text())
    assert blocks, f"{guide.name} shows no code"
    for language, text in blocks:
        if language == "python":
            program.append(text)
        else:
            end_program()
            lines.append(text)
    end_program()
    script = folder / f"{guide.stem}.sh"
    script.write_text("\n".join(lines) + "\n")
    return script


def run(guide: Path, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(script_of(guide, folder))],
        cwd=ROOT,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = StackOptions(state_dir=tmp_path_factory.mktemp("guides-stack"))
    with pytest.MonkeyPatch.context() as patched:
        for name in _OWN_SERVERS:
            patched.delenv(name, raising=False)
        with Stack(options) as running:
            yield running


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(GUIDES.keys() - set(NEED_THE_STACK)))
def test_a_guide_without_a_platform_runs(name: str, tmp_path: Path) -> None:
    ran = run(GUIDES[name], tmp_path, {})
    assert ran.returncode == 0, f"{ran.stdout[-2000:]}\n{ran.stderr[-3000:]}"


@pytest.mark.component
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", NEED_THE_STACK)
def test_a_guide_runs_against_a_platform(name: str, stack: Stack, tmp_path: Path) -> None:
    """Its commands mean the platform of this test: addresses by variables, the state folder by a wrapper."""
    state = stack.state_dir
    wrapper = tmp_path / "revcycle"
    wrapper.write_text(f'#!/bin/sh\nexec {Path(sys.executable).with_name("revcycle")} "$@" --state-dir {state}\n')
    wrapper.chmod(0o755)
    urls = connect_to(state).urls
    services = {"REGISTRATION": "registration", "CLAIMS": "claims", "GATEWAY": "adjudication-gateway"}
    ran = run(GUIDES[name], tmp_path, {variable: urls[service] for variable, service in services.items()})
    assert ran.returncode == 0, f"{ran.stdout[-2000:]}\n{ran.stderr[-3000:]}"


def test_there_is_a_guide_for_each_purpose() -> None:
    assert {"call-the-rest-api", "read-the-events", "add-a-payer", "add-a-rule", "read-a-trace"} <= set(GUIDES)
    index = (ROOT / "docs" / "index.md").read_text()
    assert all(f"guides/{name}" in index for name in GUIDES), "the site's first page lists every guide"
