"""Where interchanges, groups, transactions and claims of an input begin and end, in bytes.

Control numbers do not tell them apart: they come twice, and with leading zeros. Places do.
"""

from dataclasses import dataclass, field

from revcycle_edi.x12.cursor import Cursor
from revcycle_edi.x12.errors import X12Error

END = 1 << 60
"""The end of what nothing ends."""


@dataclass(slots=True)
class Extent:
    """From the first byte of a segment to before the first byte of the one that begins something else."""

    start: int
    end: int = END


@dataclass(slots=True)
class ClaimExtent(Extent):
    """A claim, and the levels it stands in: what is said of them is said of it."""

    levels: tuple[Extent, ...] = ()


@dataclass(slots=True)
class SetExtent(Extent):
    """A transaction from its ST to before the segment behind its SE."""

    elements: list[str] = field(default_factory=list)
    claims: list[ClaimExtent] = field(default_factory=list)


@dataclass(slots=True)
class GroupExtent(Extent):
    """A group from its GS to before the next one; head is where the GS ends."""

    elements: list[str] = field(default_factory=list)
    head: int = END
    sets: list[SetExtent] = field(default_factory=list)


@dataclass(slots=True)
class InterchangeExtent(Extent):
    """An interchange from its ISA to before the next one; head is where the ISA ends, closed whether an IEA came."""

    elements: list[str] = field(default_factory=list)
    head: int = END
    closed: bool = False
    groups: list[GroupExtent] = field(default_factory=list)


def extents(data: bytes) -> list[InterchangeExtent]:
    """What an input holds, up to where it cannot be read any further."""
    walk = _Walk()
    cursor = Cursor(data)
    try:
        while cursor.advance():
            walk.segment(cursor)
    except X12Error:
        pass
    return walk.found


class _Walk:
    def __init__(self) -> None:
        self.found: list[InterchangeExtent] = []
        self._headed: InterchangeExtent | GroupExtent | None = None
        self._set: SetExtent | None = None
        self._claim: ClaimExtent | None = None
        self._levels: dict[str, Extent] = {}

    def segment(self, cursor: Cursor) -> None:
        """Take the current segment."""
        name = cursor.id
        if self._headed is None and name not in _STRUCTURE:
            return
        at = cursor.offset
        if self._headed is not None:
            self._headed.head, self._headed = at, None
        if name == "ISA":
            self._isa(at, cursor)
        elif name == "IEA" and self.found:
            self.found[-1].closed = True
        elif name == "GS" and self.found:
            self._gs(at, cursor)
        elif name == "ST" and self.found and self.found[-1].groups:
            self._st(at, cursor)
        elif name in ("HL", "CLM", "SE") and self._set is not None:
            self._inside(name, at, cursor)
        elif name == "GE":
            self._end_set(at)

    def _isa(self, at: int, cursor: Cursor) -> None:
        self._end_set(at)
        if self.found:
            self.found[-1].end = at
            for group in self.found[-1].groups[-1:]:
                group.end = at
        self._headed = InterchangeExtent(at, elements=cursor.segment)
        self.found.append(self._headed)

    def _gs(self, at: int, cursor: Cursor) -> None:
        self._end_set(at)
        groups = self.found[-1].groups
        if groups:
            groups[-1].end = at
        self._headed = GroupExtent(at, elements=cursor.e)
        groups.append(self._headed)

    def _st(self, at: int, cursor: Cursor) -> None:
        self._end_set(at)
        self._set = SetExtent(at, elements=cursor.e)
        self._levels = {"00": Extent(at)}
        self.found[-1].groups[-1].sets.append(self._set)

    def _inside(self, name: str, at: int, cursor: Cursor) -> None:
        """What begins here ends the claim and the level before."""
        assert self._set is not None
        if self._claim is not None:
            self._claim.end, self._claim = at, None
        for level in self._levels.values():
            level.end = min(level.end, at)
        if name == "HL":
            self._levels = {code: level for code, level in self._levels.items() if code < cursor.e[3]}
            self._levels[cursor.e[3]] = Extent(at)
        elif name == "CLM":
            self._claim = ClaimExtent(at, levels=tuple(self._levels.values()))
            self._set.claims.append(self._claim)

    def _end_set(self, at: int) -> None:
        if self._set is not None:
            self._set.end, self._set = at, None
        self._claim = None


_STRUCTURE = frozenset(("ISA", "GS", "ST", "HL", "CLM", "SE", "GE", "IEA"))
