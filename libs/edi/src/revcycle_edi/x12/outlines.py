"""What records are written as, said once as data: outlines, which _outline.c follows.

An outline is made of segments of elements. An element is a text, or says where in the record its value stands and by
which policy it is written (those of writer.py): `code` an identifier, `text` free text, `cents`, `day`, and so on. A
field is named by its path (`subscriber.address.city`); `^` in front of it means the record one list further out, and no
path the item itself. Paths are followed through the types of the records when the outline is made, so a misspelled one
is an error then.

A record is written whole or not at all: where it has what the outline does not know, or a value that the policy refuses
or changes by more than upper case and single spaces, the loop writers take it, which know everything and say what is
wrong. Without the compiled part (a machine without a C compiler) they take every record: the same bytes, a tenth of the
speed. What both write is the same for any record: tests/test_edi_outlines.py.
"""

import types
import typing
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Table
from revcycle_edi.x12.values import format_quantity
from revcycle_edi.x12.writer import clean_text
from revcycle_edi.x12.writer import code as code_policy

_LANGUAGE = 1
try:
    from revcycle_edi.x12 import _outline

    COMPILED = _outline.LANGUAGE == _LANGUAGE
except ImportError:
    COMPILED = False

Step = tuple[Any, ...]
"""(kind, path, other path, text, low, high, object, steps that belong to it, negated), as _outline.c reads it."""
Path = tuple[int, tuple[tuple[Any, Any], ...], int]
"""Lists outwards, (type, field) or (None, index) of every step, and how many at the end are fields of one record."""
Scope = tuple[Any, ...]
"""The types of the records around a place, the innermost last."""
Node = Callable[[Scope], list[Step]]
Element = str | Node

(
    _ABSENT,
    _FAIL,
    _IF,
    _EACH,
    _TEXT,
    _CODE,
    _WORDS,
    _CENTS,
    _DATE,
    _POINTER,
    _NUMBER,
    _LEVEL,
    _LOOKUP,
    _SEGMENT_END,
    _PARTS,
    _PARTS_END,
    _ADJUSTMENTS,
) = range(17)
_ANY, _HOLDS, _PRESENT, _EQUALS, _SAME, _FIRST = range(6)
_MOST_CENTS = 10**18 - 1
_MOST_ITEMS = 10_000
_TEXT_SIZE = 16


class Outline:
    """Writes records of one type."""

    def __init__(self, record: type, *nodes: Node) -> None:
        steps = tuple(step for node in nodes for step in node((record,)))
        left, made = _characters()
        self._compiled = _outline.Outline(steps, left, made, X12Error) if COMPILED else None

    def run(self, records: Sequence[object], at: int, levels: int, parent: int) -> tuple[str, int, int, int]:
        """Write records from one of them on until one is not of the shape.

        levels is the number of HL segments written so far, parent the number of the open one. Returns the segments
        (terminators between them), how many they are, levels, and where it stopped: len(records), or at the record that
        the loop writers have to write.
        """
        return ("", 0, levels, at) if self._compiled is None else self._compiled.run(records, at, levels, parent)


@cache
def _characters() -> tuple[bytes, bytes]:
    """What the policies make of every character: 1 if code() leaves it, what clean_text() makes of it or 0."""
    left, made = bytearray(256), bytearray(256)
    for number in range(128):
        try:
            code_policy(f"A{chr(number)}A", "", 3)
            left[number] = 1
        except X12Error:
            pass
        cleaned = clean_text(f"A{chr(number)}A", 9)
        if len(cleaned) == 3:
            made[number] = ord(cleaned[1])
    return bytes(left), bytes(made)


def _step(
    kind: int,
    a: Any = None,
    b: Any = None,
    *,
    text: str = "",
    low: int = 0,
    high: int = 0,
    given: object = None,
    inner: int = 0,
    negated: bool = False,
) -> Step:
    return (kind, a, b, text, low, high, given, inner, negated)


def _bare(hint: Any) -> Any:
    """A type without the None that it may also be."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
    return hint


@cache
def _hints(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record)


def _follow(scope: Scope, path: str) -> tuple[Path, Any]:
    """A path as _outline.c reads it, and the type of what it leads to."""
    names = path.lstrip("^")
    outer = len(path) - len(names)
    hint = scope[-1 - outer]
    steps: list[tuple[Any, Any]] = []
    for name in names.split(".") if names else ():
        if name.isdecimal():
            steps.append((None, int(name)))
            hint = _bare(typing.get_args(hint)[int(name)])
        else:
            steps.append((hint, name))
            hint = _bare(_hints(hint)[name])
    return (outer, tuple(steps), 0), hint


def _path(scope: Scope, path: str) -> Path:
    return _follow(scope, path)[0]


def _fields(scope: Scope, paths: Sequence[str]) -> Path:
    """Fields of one record, looked at together."""
    ((outer, way),) = {(outer, steps[:-1]) for outer, steps, _ in (_path(scope, path) for path in paths)}
    return outer, (*way, *(_path(scope, path)[1][-1] for path in paths)), len(paths)


def _all(nodes: Sequence[Element], scope: Scope) -> list[Step]:
    """The steps of nodes one after the other, a text and the step behind it as one where that step takes a text."""
    made: list[Step] = []
    before = ""
    for node in nodes:
        if isinstance(node, str):
            before += node
            continue
        steps = node(scope)
        if steps and steps[0][0] > _TEXT and not steps[0][3] and len(before) <= _TEXT_SIZE:
            made += [(*steps[0][:3], before, *steps[0][4:]), *steps[1:]]
        else:
            made += [*_texts(before), *steps]
        before = ""
    return made + _texts(before)


def _texts(text: str) -> list[Step]:
    return [_step(_TEXT, text=text[at : at + _TEXT_SIZE]) for at in range(0, len(text), _TEXT_SIZE)]


def segment(name: str, *elements: Element) -> Node:
    """A segment; empty elements at its end are dropped."""
    joined = [part for element in elements for part in ("*", element) if part]
    return lambda scope: _all([name, *joined, lambda _: [_step(_SEGMENT_END)]], scope)


def parts(*components: Element) -> Node:
    """A composite; empty components at its end are dropped."""
    joined = [part for component in components for part in (":", component) if part][1:]
    return lambda scope: _all([lambda _: [_step(_PARTS)], *joined, lambda _: [_step(_PARTS_END)]], scope)


def code(path: str, limit: int, *, required: bool = False, without: str = "") -> Node:
    """An identifier: unchanged but for one character that does not count."""
    return lambda scope: [_step(_CODE, _path(scope, path), given=without or None, low=int(required), high=limit)]


def text(path: str, limit: int, *, required: bool = False) -> Node:
    """Free text, cleaned; required: as long as something is left of it."""
    return lambda scope: [_step(_WORDS, _path(scope, path), low=int(required), high=limit)]


def cents(path: str, low: int = -_MOST_CENTS, high: int = _MOST_CENTS) -> Node:
    """An amount."""
    return lambda scope: [_step(_CENTS, _path(scope, path), low=low, high=high)]


def day(path: str) -> Node:
    """A date as CCYYMMDD."""
    return lambda scope: [_step(_DATE, _path(scope, path))]


def quantity(path: str) -> Node:
    """A quantity."""
    return lambda scope: [_step(_LOOKUP, _path(scope, path), given=_QUANTITIES)]


_QUANTITIES: Table[Decimal, str] = Table(format_quantity)


def pointer(path: str, among: str) -> Node:
    """A number from 1 to the length of another list."""
    return lambda scope: [_step(_POINTER, _path(scope, path), _path(scope, among))]


def number() -> Node:
    """The number of the item in its list, from 1."""
    return lambda _: [_step(_NUMBER)]


def level(code_: str, depth: int, *child: Element) -> Node:
    """The HL of a level at a depth; its parent is the open one above it."""
    return segment("HL", lambda _: [_step(_LEVEL, low=depth)], code_, *child)


def absent(*paths: str) -> Node:
    """The record is written only if nothing stands in these fields of one record."""
    return lambda scope: [_step(_ABSENT, _fields(scope, paths))]


def _if(test: int, a: str | None, b: str | None, nodes: Sequence[Element], given: object, negated: bool) -> Node:
    def made(scope: Scope) -> list[Step]:
        inner = _all(nodes, scope)
        paths = [None if path is None else _path(scope, path) for path in (a, b)]
        return [_step(_IF, *paths, low=test, given=given, inner=len(inner), negated=negated), *inner]

    return made


def when_any(paths: Sequence[str], *nodes: Element) -> Node:
    """What is written if something stands in one of several fields of one record."""

    def made(scope: Scope) -> list[Step]:
        inner = _all(nodes, scope)
        return [_step(_IF, _fields(scope, paths), low=_ANY, inner=len(inner)), *inner]

    return made


def when(path: str, *nodes: Element) -> Node:
    """What is written if something stands in a field."""
    return _if(_HOLDS, path, None, nodes, None, negated=False)


def unless(path: str, *nodes: Element) -> Node:
    """What is written if nothing stands in a field."""
    return _if(_HOLDS, path, None, nodes, None, negated=True)


def when_sent(path: str, *nodes: Element) -> Node:
    """What is written if a field is not None."""
    return _if(_PRESENT, path, None, nodes, None, negated=False)


def when_is(path: str, value: str, *nodes: Element) -> Node:
    """What is written if a field has a value."""
    return _if(_EQUALS, path, None, nodes, value, negated=False)


def unless_is(path: str, value: str, *nodes: Element) -> Node:
    """What is written if a field has another value."""
    return _if(_EQUALS, path, None, nodes, value, negated=True)


def unless_same(path: str, other: str, *nodes: Element) -> Node:
    """What is written if two fields differ."""
    return _if(_SAME, path, other, nodes, None, negated=True)


def first(*nodes: Element) -> Node:
    """What is written for the first item of a list alone."""
    return _if(_FIRST, None, None, nodes, None, negated=False)


def further(*nodes: Element) -> Node:
    """What is written for every item of a list but the first."""
    return _if(_FIRST, None, None, nodes, None, negated=True)


def only(path: str, value: str) -> Node:
    """The record is written only if a field has this value."""
    return unless_is(path, value, _fail)


def needed(path: str) -> Node:
    """The record is written only if something stands in a field."""
    return unless(path, _fail)


def _fail(_: Scope) -> list[Step]:
    return [_step(_FAIL)]


def together(*nodes: Element) -> Node:
    """Several nodes as one element."""
    return lambda scope: _all(nodes, scope)


def each(path: str, *nodes: Element, between: str = "", low: int = 0, high: int = _MOST_ITEMS) -> Node:
    """What is written for every item of a list; the record is written only if there are low to high of them."""

    def made(scope: Scope) -> list[Step]:
        found, hint = _follow(scope, path)
        inner = _all(nodes, (*scope, _bare(typing.get_args(hint)[0])))
        return [_step(_EACH, found, given=between or None, low=low, high=high, inner=len(inner)), *inner]

    return made


def adjustments(path: str) -> Node:
    """CAS segments of a list of Adjustment: neighbours of one group share a segment, at most six reasons each."""

    def made(scope: Scope) -> list[Step]:
        found, hint = _follow(scope, path)
        nodes = (
            code("group_code", 2, required=True),
            code("reason_code", 5, required=True),
            cents("amount_cents"),
            quantity("quantity"),
        )
        return [_step(_ADJUSTMENTS, found, inner=4), *_all(nodes, (typing.get_args(hint)[0],))]

    return made
