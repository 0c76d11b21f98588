"""A code list of one release, compiled: sorted keys, intervals, flags and texts, read in place."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from msgspec import Struct

from revcycle_codes.artefact import Artefact, encode_artefact
from revcycle_codes.model import CodesError, CodeSetRelease, CodeSystem, LicenceClass, normalise

BILLABLE = 1
FACILITY = 2  # place of service: paid at the facility rate
_EPOCH = date(1970, 1, 1)
_OPEN = 0xFFFF
_KEY_BYTES = 8


class CodeRow(Struct, frozen=True):
    """One code over one interval. `valid_from`/`valid_to` None: as long as the release (half-open otherwise)."""

    code: str
    description: str = ""
    flags: int = BILLABLE
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def billable(self) -> bool:
        """Whether the code has the detail a claim needs."""
        return bool(self.flags & BILLABLE)


class ReleaseSpec(Struct, frozen=True, kw_only=True):
    """What a release says about itself before it is compiled."""

    system: CodeSystem
    release: str
    valid_from: date
    valid_to: date | None
    source: str
    licence_class: LicenceClass
    complete: bool = True
    notes: bool = False


def key_number(key: str) -> int:
    """A code as a number whose order is the code's order. Raises CodesError above eight ASCII characters."""
    raw = key.encode("ascii", "replace")
    if len(raw) > _KEY_BYTES:
        raise CodesError(f"code of {len(raw)} characters: at most {_KEY_BYTES} are possible in a code list")
    return int.from_bytes(raw.ljust(_KEY_BYTES), "big")


def key_text(number: int) -> str:
    """The code of a key number."""
    return number.to_bytes(_KEY_BYTES, "big").rstrip().decode("ascii")


def days(day: date | None, default: int) -> int:
    """Days since 1970 for a compiled column, clipped to 0…65534."""
    return default if day is None else max(0, min((day - _EPOCH).days, _OPEN - 1))


def _day(number: int, absent: int) -> date | None:
    return None if number == absent else _EPOCH + timedelta(days=number)


def compile_table(spec: ReleaseSpec, rows: Iterable[CodeRow], extra: dict[str, bytes] | None = None) -> bytes:
    """The artefact of a code list. `extra` sections (such as tabular instructions) travel in the same file."""
    ordered = sorted((key_number(normalise(spec.system, row.code)), days(row.valid_from, 0), row) for row in rows)
    texts = [row.description.encode() for _, _, row in ordered]
    offsets = array("I", [0])
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    sections = {
        "keys": array("Q", (key for key, _, _ in ordered)).tobytes(),
        "from": array("H", (start for _, start, _ in ordered)).tobytes(),
        "to": array("H", (days(row.valid_to, _OPEN) for _, _, row in ordered)).tobytes(),
        "flags": array("B", (row.flags for _, _, row in ordered)).tobytes(),
        "offsets": offsets.tobytes(),
        "texts": b"".join(texts),
        **(extra or {}),
    }
    return encode_artefact(spec, sections)


class CodeTable:
    """An opened code list."""

    def __init__(self, artefact: Artefact) -> None:
        """Read nothing but the header of `artefact`."""
        self.artefact = artefact
        self.spec = artefact.meta(ReleaseSpec)
        self._keys = artefact.numbers("keys", "Q")
        self._from = artefact.numbers("from", "H")
        self._to = artefact.numbers("to", "H")
        self._flags = artefact.numbers("flags", "B")
        self._offsets = artefact.numbers("offsets", "I")
        self._texts = artefact.section("texts")
        spec = self.spec
        self.release = CodeSetRelease(
            system=spec.system,
            release=spec.release,
            valid_from=spec.valid_from,
            valid_to=spec.valid_to,
            content_hash=artefact.content_hash,
            source=spec.source,
            licence_class=spec.licence_class,
            complete=spec.complete,
            row_count=len(self._keys),
        )

    def __len__(self) -> int:
        return len(self._keys)

    def _row(self, index: int) -> CodeRow:
        text = bytes(self._texts[self._offsets[index] : self._offsets[index + 1]]).decode()
        start, end = _day(self._from[index], 0), _day(self._to[index], _OPEN)
        return CodeRow(key_text(self._keys[index]), text, self._flags[index], start, end)

    def rows(self, key: str) -> list[CodeRow]:
        """Every interval of a normalised code, oldest first; empty when the code is not listed."""
        if not key or len(key) > _KEY_BYTES:
            return []
        wanted = key_number(key)
        index = bisect_left(self._keys, wanted)
        found = []
        while index < len(self._keys) and self._keys[index] == wanted:
            found.append(self._row(index))
            index += 1
        return found

    def __contains__(self, key: str) -> bool:
        return bool(self.rows(key))

    def under(self, prefix: str) -> Iterator[CodeRow]:
        """Rows whose code begins with `prefix`, in code order."""
        if not prefix or len(prefix) > _KEY_BYTES:
            return
        index = bisect_left(self._keys, key_number(prefix))
        while index < len(self._keys) and key_text(self._keys[index]).startswith(prefix):
            yield self._row(index)
            index += 1

    def __iter__(self) -> Iterator[CodeRow]:
        return (self._row(index) for index in range(len(self._keys)))
