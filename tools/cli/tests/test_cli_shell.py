"""The command line finds its commands by itself, explains them, and fails in words."""

import subprocess
import sys
from pathlib import Path

CLI = Path(sys.executable).with_name("revcycle")

_HEAVY = ("asyncpg", "aiokafka", "sqlalchemy", "fastapi", "httpx", "pydantic", "revcycle_devstack.stack")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=60)


def test_help_names_every_command_and_the_way_in() -> None:
    said = _run("--help")
    assert said.returncode == 0
    for word in ("up", "down", "status", "make demo", ".revcycle/"):
        assert word in said.stdout


def test_building_the_command_line_imports_nothing_heavy() -> None:
    script = (
        "import sys; from revcycle_cli.main import build_app; build_app();"
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "[]"


def test_every_command_explains_itself() -> None:
    for command in ("up", "down", "status"):
        said = _run(command, "--help")
        assert said.returncode == 0
        assert "--state-dir" in said.stdout


def test_status_and_down_of_nothing_say_what_to_do(tmp_path: Path) -> None:
    assert "revcycle up" in _run("status", "--state-dir", str(tmp_path)).stdout
    assert _run("status", "--json", "--state-dir", str(tmp_path)).stdout == ""
    assert "nothing runs" in _run("down", "--state-dir", str(tmp_path)).stderr
    assert "revcycle archive export" in _run("archive", "verify", "--state-dir", str(tmp_path)).stderr


def test_a_refusal_is_said_in_words_without_a_traceback(tmp_path: Path) -> None:
    said = _run("up", "--with", "hospital", "--state-dir", str(tmp_path))
    assert said.returncode == 1
    assert "simulators: hospital unknown; there is: payer" in said.stderr
    assert "Traceback" not in said.stderr
