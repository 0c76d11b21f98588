"""Seeded damage to clean interchanges, for two validators to disagree about."""

import random
from collections.abc import Callable, Iterator

from edi_bases import BASES
from revcycle_edi.x12 import split_837

_FIRST_BODY_SEGMENT = 3
_LAST_BODY_SEGMENTS = 3
Segments = list[list[str]]


def _drop(segments: Segments, at: int, draw: random.Random) -> None:
    del segments[at]


def _duplicate(segments: Segments, at: int, draw: random.Random) -> None:
    segments.insert(at, list(segments[at]))


def _swap(segments: Segments, at: int, draw: random.Random) -> None:
    other = min(at + 1, len(segments) - _LAST_BODY_SEGMENTS - 1)
    segments[at], segments[other] = segments[other], segments[at]


def _element(segments: Segments, at: int, draw: random.Random) -> int:
    return draw.randrange(1, len(segments[at])) if len(segments[at]) > 1 else 0


def _change(change: Callable[[str, random.Random], str]) -> Callable[[Segments, int, random.Random], None]:
    def changed(segments: Segments, at: int, draw: random.Random) -> None:
        index = _element(segments, at, draw)
        if index:
            segments[at][index] = change(segments[at][index], draw)

    return changed


def _bad_code(value: str, draw: random.Random) -> str:
    return draw.choice(("ZZZ", "Q9", "0", "X")) + value[3:]


def _letter(value: str, draw: random.Random) -> str:
    place = draw.randrange(len(value)) if value else 0
    return value[:place] + "A" + value[place + 1 :]


def _extra(segments: Segments, at: int, draw: random.Random) -> None:
    segments[at].extend([""] * draw.randrange(3) + ["EXTRA"])


DAMAGES: dict[str, Callable[[Segments, int, random.Random], None]] = {
    "drop": _drop,
    "duplicate": _duplicate,
    "swap": _swap,
    "blank": _change(lambda value, draw: ""),
    "code": _change(_bad_code),
    "long": _change(lambda value, draw: value + "A" * draw.choice((1, 20, 100))),
    "letter": _change(_letter),
    "extra": _extra,
}


def clean() -> list[tuple[str, str]]:
    """(kind, interchange): one claim each, because the other validator needs milliseconds a segment."""
    parts = [("837P", data) for _, data in split_837(BASES["837P"](), first_control_number=1)]
    return [(kind, data.decode()) for kind, data in [*parts, ("837I", BASES["837I"]()), ("835", BASES["835"]())]]


def mutations(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """(what was done, interchange) count times: one damage inside the transaction, its count mended or not."""
    draw = random.Random(seed)
    bases = clean()
    for number in range(count):
        kind, text = bases[number % len(bases)]
        segments = [segment.split("*") for segment in text.split("~")[:-1]]
        damage = draw.choice(sorted(DAMAGES))
        at = draw.randrange(_FIRST_BODY_SEGMENT, len(segments) - _LAST_BODY_SEGMENTS)
        name = segments[at][0]
        DAMAGES[damage](segments, at, draw)
        if draw.random() < 0.8:
            segments[-3][1] = str(len(segments) - 4)
        yield f"{kind} {damage} {name}", "~".join("*".join(segment) for segment in segments) + "~"
