"""Make a separate environment for a witness that must not meet our own packages, and print its Python.

    python scripts/oracle_env.py NAME

NAME is a lock file of `scripts/oracles/`. The environment lies in `.revcycle/oracles/`, named after the content of the
lock, and is made once. Exit status 3 with the reason when it cannot be made (no network, for instance).
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "scripts" / "oracles"
CANNOT_BE_MADE = 3
_INSTALL_SECONDS = 240


def environment(name: str) -> Path:
    """The Python of the environment, made when it is not there. CalledProcessError when that fails."""
    lock = LOCKS / f"{name}.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".revcycle" / "oracles" / f"{name}-{digest}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.making").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not ready.exists():
            _uv("venv", "--clear", "--python", sys.executable, str(folder))
            _uv("pip", "install", "--python", str(python), "--require-hashes", "-r", str(lock))
            ready.touch()
    return python


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "--quiet", *arguments], check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS, cwd=ROOT
    )


def main() -> int:
    """Print the path of the Python."""
    known = sorted(path.stem for path in LOCKS.glob("*.lock"))
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        sys.stderr.write(f"usage: oracle_env.py NAME, one of {', '.join(known)}\n")
        return 2
    try:
        sys.stdout.write(f"{environment(sys.argv[1])}\n")
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{sys.argv[1]}: cannot be installed: {error.stderr.strip().splitlines()[-1:]}\n")
        return CANNOT_BE_MADE
    except (subprocess.TimeoutExpired, OSError) as error:
        sys.stderr.write(f"{sys.argv[1]}: cannot be installed: {type(error).__name__}\n")
        return CANNOT_BE_MADE
    return 0


if __name__ == "__main__":
    sys.exit(main())
