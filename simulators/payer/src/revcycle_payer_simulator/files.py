"""Files that survive a crash: appended and synced line by line, read back without a torn last line."""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


class StateFileError(Exception):
    """A file of the state directory cannot be read: it names the file and the line."""


class AppendFile:
    """A text file that only grows; `append` returns when the lines are on disk."""

    def __init__(self, path: Path, header: str = "") -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        _cut_torn_line(self._descriptor)
        if header and os.fstat(self._descriptor).st_size == 0:
            self.append([header])

    def append(self, lines: Iterable[str]) -> None:
        """Write all lines in one go and sync. Raises OSError when the disk refuses."""
        left = memoryview("".join(f"{line}\n" for line in lines).encode())
        while left:
            left = left[os.write(self._descriptor, left) :]
        os.fsync(self._descriptor)

    def lines(self) -> Iterator[str]:
        """Every line so far."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield line.rstrip("\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _cut_torn_line(descriptor: int) -> None:
    """A line without its end was never promised to anyone: a crash came first."""
    end = os.fstat(descriptor).st_size
    position = end
    while position > 0:
        start = max(0, position - 65536)
        found = os.pread(descriptor, position - start, start).rfind(b"\n")
        if found >= 0:
            position = start + found + 1
            break
        position = start
    if position != end:
        os.ftruncate(descriptor, position)


@dataclass(frozen=True, slots=True)
class RawLine:
    """One interchange on the wire. `direction` is `in` or `out`, seen from the payer."""

    at: datetime
    direction: str
    route: str
    data: bytes

    def to_json(self) -> str:
        """The line as `raw.jsonl` holds it."""
        encoded = base64.b64encode(self.data).decode()
        return json.dumps(
            {"at": self.at.isoformat(), "direction": self.direction, "route": self.route, "bytes_base64": encoded}
        )


class RawLog:
    """`raw.jsonl`: everything received and sent, in order. Line numbers count from 1."""

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)
        self.count = sum(1 for _ in self._file.lines())

    def append(self, lines: list[RawLine]) -> None:
        """Write the lines; on return they are on disk."""
        self._file.append(line.to_json() for line in lines)
        self.count += len(lines)

    def read(self) -> Iterator[RawLine]:
        """Every line. Raises StateFileError for a line that is not one."""
        for number, text in enumerate(self._file.lines(), 1):
            try:
                line = json.loads(text)
                data = base64.b64decode(line["bytes_base64"], validate=True)
                yield RawLine(datetime.fromisoformat(line["at"]), line["direction"], line["route"], data)
            except (ValueError, KeyError, TypeError, binascii.Error) as error:
                raise StateFileError(f"{self._file.path.name} line {number} is not a line of a raw log") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
