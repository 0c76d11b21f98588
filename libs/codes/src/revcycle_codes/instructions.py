"""ICD-10-CM tabular instructions: which codes exclude, precede or accompany which, and which characters a code needs.

Sources: the tabular list's `excludes1`, `excludes2`, `codeFirst`, `useAdditionalCode`, `codeAlso` and `sevenChrDef`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct, field

if TYPE_CHECKING:
    from revcycle_codes.table import CodeTable

NoteKind = Literal["excludes1", "excludes2", "codeFirst", "useAdditionalCode", "codeAlso"]
NOTE_KINDS: tuple[NoteKind, ...] = ("excludes1", "excludes2", "codeFirst", "useAdditionalCode", "codeAlso")
_CATEGORY = 3
_CACHED_CODES = 20_000


class CharacterFilter(Struct, frozen=True):
    """A condition on a referenced code: one of `characters` at one of `positions` (from 0), or one of `endings`."""

    positions: tuple[int, ...] = ()
    characters: str = ""
    endings: tuple[str, ...] = ()

    def admits(self, code: str) -> bool:
        """Whether a code meets the condition."""
        if self.endings:
            return any(code[_CATEGORY:].startswith(end) or code.endswith(end) for end in self.endings)
        return any(len(code) > position and code[position] in self.characters for position in self.positions)


class CodeRange(Struct, frozen=True):
    """Codes from `low` to `high`, both with everything below them, in key form (no dot)."""

    low: str
    high: str
    condition: CharacterFilter | None = None

    def covers(self, code: str) -> bool:
        """Whether a code in key form lies in the range."""
        inside = self.low <= code[: len(self.low)] and code[: len(self.high)] <= self.high
        return inside and (self.condition is None or self.condition.admits(code))


class Note(Struct, frozen=True, kw_only=True):
    """One instruction: it stands at `owner` (a code, section or chapter), governs `span` and names `ranges`."""

    owner: str
    span: CodeRange
    kind: NoteKind
    ordinal: int
    ranges: list[CodeRange]
    text: str = ""

    @property
    def row(self) -> str:
        """The place of the note in its release, for a finding."""
        return f"{self.owner}/{self.kind}/{self.ordinal}"

    @property
    def if_applicable(self) -> bool:
        """Whether the note itself says that it need not apply."""
        return "if applicable" in self.text or "if known" in self.text

    def names(self, code: str) -> bool:
        """Whether the note refers to a code (key form)."""
        return any(one.covers(code) for one in self.ranges)


class _Stored(Struct):
    notes: list[Note]
    seventh: dict[str, str] = field(default_factory=dict)


def encode_instructions(notes: Iterable[Note], seventh: dict[str, str]) -> bytes:
    """The artefact section of a tabular list's instructions; `seventh` maps a code to its allowed 7th characters."""
    return msgspec.msgpack.encode(_Stored(list(notes), seventh))


class Instructions:
    """The instructions of one release, looked up by code."""

    def __init__(self, release: str, notes: Iterable[Note], seventh: dict[str, str]) -> None:
        """Index notes by owning code; the few of sections and chapters are kept in a list."""
        self.release = release
        self._seventh = seventh
        self._by_code: dict[str, list[Note]] = {}
        self._wide: list[Note] = []
        for note in notes:
            if note.span.low == note.span.high and len(note.owner) >= _CATEGORY and "-" not in note.owner:
                self._by_code.setdefault(note.owner, []).append(note)
            else:
                self._wide.append(note)
        self._governing: dict[str, tuple[Note, ...]] = {}
        self._exclusions: dict[str, list[tuple[str, str, CharacterFilter | None, Note]]] = {}

    @classmethod
    def of(cls, table: "CodeTable") -> "Instructions":
        """Read the instructions that travel in a compiled tabular list."""
        stored = table.artefact.decode("instructions", _Stored)
        return cls(table.release.release, stored.notes, stored.seventh)

    def governing(self, code: str) -> tuple[Note, ...]:
        """Every note that applies to a code (key form): its own, its ancestors', its section's and its chapter's."""
        known = self._governing.get(code)
        if known is None:
            own = [note for end in range(_CATEGORY, len(code) + 1) for note in self._by_code.get(code[:end], ())]
            known = tuple(own + [note for note in self._wide if note.span.covers(code)])
            if len(self._governing) < _CACHED_CODES:
                self._governing[code] = known
        return known

    def notes(self, code: str, kind: NoteKind) -> list[Note]:
        """The notes of one kind that apply to a code."""
        return [note for note in self.governing(code) if note.kind == kind]

    def excludes(self, one: str, other: str) -> Note | None:
        """The Excludes1 note by which two codes (key form) exclude each other, in either direction, or None."""
        for first, second in ((one, other), (other, one)):
            for low, high, condition, note in self._excluded(first):
                inside = low <= second[: len(low)] and second[: len(high)] <= high
                if inside and (condition is None or condition.admits(second)):
                    return note
        return None

    def _excluded(self, code: str) -> list[tuple[str, str, CharacterFilter | None, Note]]:
        """The ranges of the Excludes1 notes over a code, laid flat: this runs for every pair of every claim."""
        known = self._exclusions.get(code)
        if known is None:
            notes = self.notes(code, "excludes1")
            known = [(one.low, one.high, one.condition, note) for note in notes for one in note.ranges]
            if len(self._exclusions) < _CACHED_CODES:
                self._exclusions[code] = known
        return known

    def seventh_characters(self, code: str) -> str:
        """The allowed seventh characters of a code's nearest definition, empty when it takes none."""
        for end in range(len(code), _CATEGORY - 1, -1):
            if found := self._seventh.get(code[:end]):
                return found
        return ""
