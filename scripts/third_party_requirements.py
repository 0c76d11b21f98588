"""Print what the workspace members need from outside, one requirement a line.

The lock is compiled from this list: members are installed from the checkout, never from an index, and a lock
compiled from the member files themselves would look for them there.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def member_folders() -> list[Path]:
    """Every folder that the workspace table of the root file names."""
    patterns: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    return sorted(path.parent for pattern in patterns for path in ROOT.glob(f"{pattern}/pyproject.toml"))


def requirements() -> list[str]:
    """The members' dependencies without the members themselves, then the development tools."""
    projects = [tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in member_folders()]
    own = {project["name"] for project in projects}
    lists = [project.get("dependencies", []) for project in projects]
    lists += [extra for project in projects for extra in project.get("optional-dependencies", {}).values()]
    outside = {need for needs in lists for need in needs if need.split("[")[0] not in own}
    development = [line for line in (ROOT / "requirements-dev.in").read_text().splitlines() if not line.startswith("#")]
    return sorted(outside) + development


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements()) + "\n")
