"""Shows the logs of all processes on the terminal as they are written, each line under its process's name."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

_COLOURS: Final = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_POLL_SECONDS: Final = 0.2
_READ_AT_MOST_BYTES: Final = 1_000_000


def render_line(line: str) -> str:
    """A structured line as `time level message key=value …`; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    time = str(entry.pop("timestamp", entry.pop("time", "")))
    level = str(entry.pop("level", "")).upper()
    message = str(entry.pop("message", entry.pop("event", "")))
    rest = " ".join(f"{name}={value}" for name, value in entry.items() if name not in ("service", "instance", "logger"))
    return " ".join(part for part in (time[11:23], level, message, rest) if part)


def colour_of(name: str) -> int:
    """The same terminal colour for the same name, every time."""
    return _COLOURS[sum(name.encode()) % len(_COLOURS)]


def write_to_terminal(name: str, line: str) -> None:
    """One line on standard error, coloured when that is a terminal."""
    prefix = f"{name:>22} │ "
    if sys.stderr.isatty():
        prefix = f"\x1b[{colour_of(name)}m{prefix}\x1b[0m"
    sys.stderr.write(f"{prefix}{render_line(line)}\n")


class LogFollower:
    """Follows every log file in a folder from where it ends now."""

    def __init__(self, folder: Path, write: Callable[[str, str], None] = write_to_terminal) -> None:
        self._folder = folder
        self._write = write
        self._positions = {file: file.stat().st_size for file in folder.glob("*.log")}
        self._partial: dict[Path, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow logs", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Show what is left and end."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def poll(self) -> None:
        """Show the whole lines that were added since the last call."""
        for file in sorted(self._folder.glob("*.log")):
            with file.open("rb") as log:
                log.seek(self._positions.get(file, 0))
                added = log.read(_READ_AT_MOST_BYTES)
            self._positions[file] = self._positions.get(file, 0) + len(added)
            *lines, rest = (self._partial.get(file, b"") + added).split(b"\n")
            self._partial[file] = rest
            for line in lines:
                self._write(file.stem, line.decode(errors="replace"))

    def _follow(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self.poll()
        self.poll()
