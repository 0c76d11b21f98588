"""Programs that faults are made with: Toxiproxy, built by Go from a pinned module, and libfaketime of Debian.

Both are optional. Where one is not to be had, the error says why, and whoever wanted it goes without.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from revcycle_devstack import DevstackError
from revcycle_devstack.files import locked
from revcycle_devstack.layout import default_state_folder

TOXIPROXY_VERSION: Final = "v2.12.0"

_TOXIPROXY_MODULE: Final = "github.com/Shopify/toxiproxy/v2/cmd/server"
_BUILD_SECONDS: Final = 600.0
_FETCH_SECONDS: Final = 120.0
_DEBIAN_PACKAGE: Final = "libfaketime"
# The build for programs with threads first.
_LIBRARIES: Final = ("libfaketimeMT.so.1", "libfaketime.so.1")


def tools_folder() -> Path:
    """Where the tools of this checkout lie."""
    return default_state_folder() / "tools"


def ensure_toxiproxy(folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The server's executable, built when it is not there yet (half a minute, once).

    Raises:
        DevstackError: there is no Go, or the module could not be built.
    """
    root = folder or tools_folder()
    executable = root / f"toxiproxy-{TOXIPROXY_VERSION}" / "server"
    with locked(root / "tools.lock", _BUILD_SECONDS, "the folder of tools"):
        if executable.exists():
            return executable
        go = shutil.which("go", path=environment.get("PATH"))
        if go is None:
            raise DevstackError("Toxiproxy cannot be built: there is no go on the PATH. Install Go, or go without")
        with tempfile.TemporaryDirectory(dir=root, prefix="build-") as scratch:
            _run(
                (go, "install", f"{_TOXIPROXY_MODULE}@{TOXIPROXY_VERSION}"),
                {**environment, "GOBIN": scratch},
                Path(scratch),
                _BUILD_SECONDS,
                "building Toxiproxy",
            )
            executable.parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(scratch) / "server", executable)
    return executable


def ensure_faketime(folder: Path | None = None, system: Path = Path("/usr/lib")) -> Path:
    """The library to preload: the installed one, else taken out of Debian's package without installing it.

    Raises:
        DevstackError: it is not installed and apt-get or dpkg-deb is missing or failed.
    """
    root = folder or tools_folder()
    unpacked = root / _DEBIAN_PACKAGE
    with locked(root / "tools.lock", _BUILD_SECONDS, "the folder of tools"):
        found = _library_in(system) or _library_in(unpacked)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory(dir=root, prefix="fetch-") as scratch:
            here = Path(scratch)
            _run(("apt-get", "download", _DEBIAN_PACKAGE), os.environ, here, _FETCH_SECONDS, "fetching libfaketime")
            for package in here.glob("*.deb"):
                _run(
                    ("dpkg-deb", "-x", str(package), str(here / "unpacked")),
                    os.environ,
                    here,
                    _FETCH_SECONDS,
                    "unpacking libfaketime",
                )
            if _library_in(here / "unpacked") is None:
                raise DevstackError("libfaketime is not to be had: its Debian package holds no library")
            os.replace(here / "unpacked", unpacked)
        library = _library_in(unpacked)
    assert library is not None
    return library


def _library_in(folder: Path) -> Path | None:
    for name in _LIBRARIES:
        for pattern in (f"*/faketime/{name}", f"usr/lib/*/faketime/{name}"):
            for found in folder.glob(pattern):
                return found.resolve()
    return None


def _run(arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, seconds: float, what: str) -> None:
    try:
        done = subprocess.run(
            arguments,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise DevstackError(f"{what} failed: {type(failure).__name__} ({arguments[0]})") from failure
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-5:])
        raise DevstackError(f"{what} failed with exit status {done.returncode}:\n{tail}")
