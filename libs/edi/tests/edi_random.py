"""Random records of any type of this library: mostly usual values, at times hostile ones. Seeded; no real person."""

import types
import typing
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import msgspec

_WORDS = ("ANN", "TESTER", "1 TEST STREET", "TESTVILLE", "Ann-Marie  Lee", "o'neil & sons", "A", "")
_WORDY = ("name", "line1", "line2", "city", "text", "suffix", "description")
_CODES = (*("1", "A", "2") * 40, "11", "HC", "E11.9", "12345-6789")
_FEW = {"tax_id": ("123456789",), "frequency_code": ("1", "1", "7", "8"), "group_code": (*["1"] * 20, "A")}
_HOSTILE = (
    *(
        "",
        " ",
        " A",
        "A ",
        ".",
        "-",
        "A*B",
        "A~B",
        "A:B",
        "A^B",
        "*",
        ":",
        "~",
        "\n",
        "A\x00B",
        "\x7f",
        "@_#%",
        "a|b\\",
    ),
    *(
        "É",
        "ß",
        "名",
        "\ud800",
        "X" * 31,
        "y" * 90,
        "A  " * 40,
        "'\"<>[]{}$`",
        "..1",
        ". 1",
        "1 .",
        "-1-",
        "\u00a0A\u2003",
    ),
)
_CENTS = (
    0,
    5,
    50,
    99,
    100,
    150,
    15_000,
    12_345_678,
    -1,
    -250,
    9_999_999_999,
    10_000_000_000,
    10**18,
    -(10**18),
    10**30,
)
_QUANTITIES = tuple(map(Decimal, ("1", "2", "1.50", "0.5", "0", "-0", "-3", "1E+2", "100", "1E-7", "NaN", "Infinity")))
_DATES = (date(2026, 5, 1), date(2026, 12, 31), date(1, 1, 1), date(9999, 12, 31), datetime(2026, 5, 1, 1, 1))  # noqa: DTZ001
_KEPT = 0.75
"""How often a field keeps its default."""
_TAME = 0.998
"""How often a value is a usual one."""


@cache
def _fields(record: type) -> tuple[tuple[msgspec.structs.FieldInfo, Any], ...]:
    hints = typing.get_type_hints(record)
    return tuple((field, hints[field.name]) for field in msgspec.structs.fields(record))


def draw(random: Random, record: type) -> Any:
    """A record; its fields may be such that no writer takes it."""
    values = {
        field.name: _value(random, hint, field.name)
        for field, hint in _fields(record)
        if field.required or random.random() > _KEPT
    }
    return record(**values)


def _pick(random: Random, values: tuple[Any, ...], usual: int) -> Any:
    return random.choice(values[:usual] if random.random() < _TAME else values)


def _value(random: Random, hint: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(random, random.choice(arguments), name)
    if origin is typing.Literal:
        return random.choice(arguments)
    if origin is tuple:
        return _items(random, arguments, name)
    if hint is str:
        return _text(random, name)
    if hint is int:
        return random.randint(1, 2) if "pointers" in name else _pick(random, _CENTS, 8)
    if hint is bool:
        return random.random() < 0.5
    if hint is Decimal:
        return _pick(random, _QUANTITIES, 5)
    if hint is date:
        return _pick(random, _DATES, 2)
    return None if hint is type(None) else draw(random, hint)


def _text(random: Random, name: str) -> str:
    if random.random() > _TAME:
        return random.choice(_HOSTILE)
    words = _WORDS if any(part in name for part in _WORDY) else _CODES
    return random.choice(_FEW.get(name, words))


def _items(random: Random, arguments: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    if arguments[-1] is not Ellipsis:
        return tuple(_value(random, argument, "code") for argument in arguments)
    least = 1 if name == "extra_segments" or random.random() < _TAME else 0
    few = _TAME if name != "adjustments" else 0.9
    count = random.randint(least, 3) if random.random() < few else random.choice((5, 7, 13))
    return tuple(_value(random, arguments[0], name) for _ in range(count))
