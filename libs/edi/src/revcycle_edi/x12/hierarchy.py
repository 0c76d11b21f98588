"""Shared by the transactions that are trees of HL levels with a person at the bottom: 270, 271, 278, 277 RFAI."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from revcycle_edi.x12.cursor import Cursor, at_end, parse_name
from revcycle_edi.x12.records.common import Name, QualifiedDate, RawSegment, Reference
from revcycle_edi.x12.records.eligibility import Refusal
from revcycle_edi.x12.records.status import Demographics
from revcycle_edi.x12.t837_write import write_person
from revcycle_edi.x12.values import format_date, parse_optional_date, parse_period
from revcycle_edi.x12.writer import TransactionWriter, code

T = TypeVar("T")


def write_name(out: TransactionWriter, entity: str, name: Name) -> None:
    """NM1 of a name with the identifier it carries."""
    write_person(out, entity, name.entity_type or "1", name.last_name, name, name.id_qualifier, name.id)


def write_demographics(out: TransactionWriter, demographics: Demographics) -> None:
    """DMG, where something is known."""
    if demographics.birth_date is not None:
        out.add("DMG", "D8", format_date(demographics.birth_date), code(demographics.sex, "sex", 1))
    elif demographics.sex:
        out.add("DMG", "", "", code(demographics.sex, "sex", 1))


def write_refusals(out: TransactionWriter, refusals: tuple[Refusal, ...]) -> None:
    """AAA segments."""
    for refusal in refusals:
        reason = code(refusal.reason_code, "AAA03", 2, required=True)
        out.add("AAA", "Y" if refusal.valid else "N", "", reason, code(refusal.follow_up, "AAA04", 1))


def parse_refusal(e: list[str]) -> Refusal:
    """AAA as a Refusal."""
    return Refusal(valid=e[1] == "Y", reason_code=e[3], follow_up=e[4])


def in_tree_order(items: Sequence[T], path: Callable[[T], tuple[Name, ...]]) -> list[T]:
    """Items sorted so that those with the same names above them stand together, first seen first."""
    first: dict[tuple[Name, ...], int] = {}
    for item in items:
        names = path(item)
        for depth in range(1, len(names) + 1):
            first.setdefault(names[:depth], len(first))

    def rank(item: T) -> list[int]:
        names = path(item)
        return [first[names[:depth]] for depth in range(1, len(names) + 1)]

    return sorted(items, key=rank)


class Part:
    """The segments of one level or loop: what every such transaction has, the rest kept raw."""

    def __init__(self) -> None:
        self.name: Name | None = None
        self.entity = ""
        self.demographics = Demographics()
        self.refusals: list[Refusal] = []
        self.dates: list[QualifiedDate] = []
        self.references: list[Reference] = []
        self.trace: tuple[str, str] = ("", "")
        self._traced: RawSegment = ()
        self.extra: list[RawSegment] = []

    def read(self, cursor: Cursor, stops: frozenset[str]) -> None:
        """Read segments up to the next HL or one of the stops."""
        while cursor.id != "HL" and cursor.id not in stops and not at_end(cursor):
            self._segment(cursor)
            cursor.advance()

    def _segment(self, cursor: Cursor) -> None:
        e = cursor.e
        if cursor.id == "NM1" and self.name is None:
            self.entity, self.name = e[1], parse_name(e)
        elif cursor.id == "DMG":
            self.demographics = Demographics(birth_date=parse_optional_date(e[2]), sex=e[3])
        elif cursor.id == "AAA":
            self.refusals.append(parse_refusal(e))
        elif cursor.id == "DTP" and e[2] in ("D8", "RD8"):
            self.dates.append(QualifiedDate(e[1], *parse_period(e[2], e[3])))
        elif cursor.id == "REF" and not e[3]:
            self.references.append(Reference(e[1], e[2]))
        elif cursor.id == "TRN":
            self._trace(cursor)
        else:
            self.extra.append(cursor.raw())

    def _trace(self, cursor: Cursor) -> None:
        """The first trace; in an answer the first that refers to the question (2), whatever the answerer's own (1)."""
        e = cursor.e
        if not self.trace[0] or (e[1] == "2" and self._traced[1] != "2"):
            if self.trace[0]:
                self.extra.append(self._traced)
            self.trace, self._traced = (e[2], e[3]), cursor.raw()
        else:
            self.extra.append(cursor.raw())

    def take_reference(self, qualifier: str) -> str:
        """Remove and return the first reference with the qualifier, empty when there is none."""
        for index, found in enumerate(self.references):
            if found.qualifier == qualifier:
                del self.references[index]
                return found.value
        return ""

    def take_date(self, qualifier: str) -> QualifiedDate | None:
        """Remove and return the first date with the qualifier."""
        for index, found in enumerate(self.dates):
            if found.qualifier == qualifier:
                return self.dates.pop(index)
        return None
