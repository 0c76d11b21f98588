"""Remembering what equal texts were read as: in bulk files most segments repeat (services, dates, payers, codes)."""

from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_ENTRIES = 8192
_CHARS = 160


class UnusualShapeError(Exception):
    """A loop that is not of the usual shape; the loop readers take it."""


class Memo(dict[str, T]):
    """Values by the text they were read from. Bounded in entries and in the length of a text, whatever is sent."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> T:
        value = self._read(text)
        if len(text) <= _CHARS:
            if len(self) >= _ENTRIES:
                self.clear()
            self[text] = value
        return value


class Table(dict[K, T]):
    """Texts by the values they were written from; bounded in entries. For our own records, whose fields are short."""

    def __init__(self, write: Callable[[K], T]) -> None:
        super().__init__()
        self._write = write

    def __missing__(self, key: K) -> T:
        value = self._write(key)
        if len(self) >= _ENTRIES:
            self.clear()
        self[key] = value
        return value
