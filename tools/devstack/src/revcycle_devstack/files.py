"""Small files that two processes may look at: written whole or not at all, and locked while someone acts on them."""

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from revcycle_devstack import DevstackError

_LOCK_POLL_SECONDS: Final = 0.05


def write_atomically(file: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file so that a reader sees the old text or the new one, never a part, whatever happens to us."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(scratch, file)


@contextmanager
def locked(file: Path, timeout_seconds: float, what: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system frees it even when the holder is killed.

    Raises:
        DevstackError: somebody else held it for the whole time; the text says `what` it guards.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    with file.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as busy:
                if time.monotonic() >= deadline:
                    raise DevstackError(
                        f"{what} is locked by another process ({file}); try again when it is done"
                    ) from busy
                time.sleep(_LOCK_POLL_SECONDS)
        yield


class SecretStore:
    """Random passwords by name, made on first use and kept in a file that only its owner can read."""

    # Several threads of a starting stack ask for their services' passwords; each must see what the others made.
    _guard = threading.Lock()

    def __init__(self, file: Path) -> None:
        self._file = file

    def password(self, name: str) -> str:
        """The password of this name (URL-safe, 192 random bits)."""
        with self._guard:
            passwords: dict[str, str] = {}
            if self._file.exists():
                passwords = json.loads(self._file.read_text(encoding="utf-8"))
            if name not in passwords:
                passwords[name] = secrets.token_urlsafe(24)
                write_atomically(self._file, json.dumps(passwords, indent=2) + "\n", mode=0o600)
            return passwords[name]
