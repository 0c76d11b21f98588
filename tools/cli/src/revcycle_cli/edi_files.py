"""What the commands over X12 and HL7 files share: finding and reading files, exit statuses, tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import typer

_CHUNK_BYTES: Final = 256 * 1024
_TABLE_ROWS: Final = 1000
_PROGRESS_FROM_BYTES: Final = 4 * 1024 * 1024
STDIN: Final = "-"
UNREADABLE: Final = 2


def refuse(message: str) -> typer.Exit:
    """Say what cannot be done; raise what this returns."""
    sys.stderr.write(f"revcycle edi: {message}\n")
    return typer.Exit(UNREADABLE)


def expand(paths: Iterable[Path], starts: tuple[bytes, ...]) -> Iterator[Path]:
    """The files named, and those below folders that begin like what is looked for.

    What is not there is named and keeps nothing else from being looked at; behind the last file it ends the command.
    """
    missing: typer.Exit | None = None
    for path in paths:
        if path.is_dir():
            found = [file for file in sorted(path.rglob("*")) if file.is_file() and _begins(file, starts)]
            if not found:
                missing = refuse(f"{path}: no file below it begins with {starts[0].decode()}")
            yield from found
        elif str(path) == STDIN or path.exists():  # Pipes too, as a shell makes them of `<(zcat …)`.
            yield path
        else:
            missing = refuse(f"{path}: no such file; name a file, a folder or `-`")
    if missing is not None:
        raise missing


def _begins(path: Path, starts: tuple[bytes, ...]) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(starts)
    except OSError:
        return True  # Reading it says why it cannot be read.


def each(paths: Iterable[Path], work: Callable[[Path], int], starts: tuple[bytes, ...] = (b"ISA",)) -> None:
    """Do the work for every file; it gives the exit status: 1 when not all is well, 2 when it cannot be read.

    A file that cannot be read is named and does not keep the others from being looked at.
    """
    from revcycle_edi.x12 import X12Error

    status = 0
    for path in expand(paths, starts):
        try:
            status = max(status, work(path))
        except BrokenPipeError:  # Nobody reads on (`| head`): no fault of the file, and no reason to go on.
            raise
        except (X12Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            sys.stderr.write(f"revcycle edi: {path}: {reason}\n")
            status = UNREADABLE
        except typer.Exit as refused:
            status = max(status, refused.exit_code)
    if status:
        raise typer.Exit(status)


def not_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks. X12Error when there is nothing in them: an interchange was expected."""
    from revcycle_edi.x12 import X12Error

    first = next(chunks, b"")
    if not first:
        raise X12Error("x12.empty", "there is nothing in it", expected="an interchange that starts with ISA")
    yield first
    yield from chunks


def chunks(path: Path) -> Iterator[bytes]:
    """A file in pieces, with a progress bar when it is large and somebody watches."""
    if str(path) == STDIN:
        yield from iter(lambda: sys.stdin.buffer.read(_CHUNK_BYTES), b"")
        return
    size = path.stat().st_size
    with path.open("rb") as stream:
        if size < _PROGRESS_FROM_BYTES or not sys.stderr.isatty():
            yield from iter(lambda: stream.read(_CHUNK_BYTES), b"")
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(path.name, total=size)
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
                progress.advance(task, len(chunk))


def read(path: Path) -> bytes:
    """A whole file, or standard input."""
    try:
        return sys.stdin.buffer.read() if str(path) == STDIN else path.read_bytes()
    except OSError as error:
        raise refuse(f"{path}: {error.strerror}") from None


def write(data: bytes, output: Path | None) -> None:
    """Write to a file, or to standard output."""
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise refuse(f"{output}: {error.strerror}") from None


def folder(output: Path) -> Path:
    """A folder to write into, made where there is none."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refuse(f"{output}: {error.strerror}") from None
    return output


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Piped output has no width of its own: wide enough that a row stays one line.
    console = Console() if sys.stdout.isatty() else Console(width=240)
    # A table is laid out in memory: that of a large file in several.
    left = iter(rows)
    while part := list(islice(left, _TABLE_ROWS)):
        shown = Table(*columns, show_edge=False, pad_edge=False)
        for row in part:
            shown.add_row(*map(Text, map(plain, row)))
        console.print(shown)


def plain(text: str) -> str:
    """Text of a stranger for a terminal: what would steer it is shown as a dot."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\u00b7" for char in text)
