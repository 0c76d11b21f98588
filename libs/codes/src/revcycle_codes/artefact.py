"""Compiled artefacts: one read-only file of named sections, memory-mapped and so shared between processes.

Layout: 8 bytes magic, 4 bytes header length, the header as MessagePack, then the sections, each
aligned to 8 bytes. Files are written beside their final name and renamed, so a reader sees a whole file or none.
"""

import hashlib
import mmap
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from revcycle_codes.model import CodesError

# Numbers are in the machine's own order (they are read in place), so the order is part of the magic.
MAGIC = b"RVCODE2" + sys.byteorder[:1].encode()
T = TypeVar("T")
_PREFIX = struct.Struct("<8sI")


class _Header(msgspec.Struct):
    meta: msgspec.Raw
    content_hash: str
    sections: dict[str, tuple[int, int]]


def _aligned(position: int) -> int:
    return (position + 7) & ~7


def encode_artefact(meta: object, sections: Mapping[str, bytes]) -> bytes:
    """Bytes of an artefact. `meta` is anything MessagePack can hold; numbers in sections are in native order."""
    digest = hashlib.sha256()
    places: dict[str, tuple[int, int]] = {}
    position = 0
    for name, content in sections.items():
        digest.update(f"{name}:{len(content)};".encode())
        digest.update(content)
        places[name] = (position, len(content))
        position = _aligned(position + len(content))
    header = msgspec.msgpack.encode(_Header(msgspec.Raw(msgspec.msgpack.encode(meta)), digest.hexdigest(), places))
    body = bytearray(_PREFIX.pack(MAGIC, len(header)) + header)
    body.extend(bytes(_aligned(len(body)) - len(body)))
    start = len(body)
    for name, content in sections.items():
        body.extend(bytes(start + places[name][0] - len(body)))
        body.extend(content)
    return bytes(body)


class Artefact:
    """An open artefact. Numeric sections are read in place: nothing is copied into the process."""

    def __init__(self, path: Path) -> None:
        """Map `path`; raises CodesError when the file is not an artefact of this version."""
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        view = memoryview(self._map)
        magic, length = _PREFIX.unpack_from(view) if len(view) >= _PREFIX.size else (b"", 0)
        if magic != MAGIC:
            raise CodesError(f"{path.name}: not a compiled code set of this version; delete it and it is built again")
        header = msgspec.msgpack.decode(view[_PREFIX.size : _PREFIX.size + length], type=_Header)
        self._start = _aligned(_PREFIX.size + length)
        self._view = view
        self._places = header.sections
        self._meta = bytes(header.meta)
        self.content_hash: str = header.content_hash
        self.path = path

    def meta(self, kind: type[T]) -> T:
        """The header's metadata, decoded as `kind`."""
        return msgspec.msgpack.decode(self._meta, type=kind)

    def section(self, name: str) -> memoryview:
        """The bytes of a section."""
        offset, length = self._places[name]
        return self._view[self._start + offset : self._start + offset + length]

    def numbers(self, name: str, typecode: str) -> "memoryview[int]":
        """A section as unsigned numbers of `typecode` (B, H, I or Q), usable with `bisect`."""
        return self.section(name).cast(typecode)  # type: ignore[call-overload,no-any-return]  # typecode is a variable

    def decode(self, name: str, kind: type[T]) -> T:
        """A MessagePack section, decoded as `kind`."""
        return msgspec.msgpack.decode(self.section(name), type=kind)


def open_or_build(path: Path, build: Callable[[], bytes]) -> Artefact:
    """Open `path`, building it first when it is absent. Many processes may do this at once: the last rename wins,
    all of them wrote the same bytes, and a mapping of a replaced file stays readable.
    """
    if not path.exists():
        write_atomically(path, build())
    return Artefact(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def default_cache_dir() -> Path:
    """Where compiled artefacts live: `$REVCYCLE_CODES_CACHE`, else `~/.cache/revcycle/codes`."""
    chosen = os.environ.get("REVCYCLE_CODES_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "revcycle" / "codes"
