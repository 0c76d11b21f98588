"""How good suggestions are: recall at k, precision, recall and micro-F1, exact and by category, with intervals."""

import math
import random
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from revcycle_codes.model import CodesError

_CATEGORY = 3
_RESAMPLES = 1000
_SEED = 20_260_930
_CUTS = (1, 5, 10, 20)


class Measure(Struct, frozen=True):
    """A measure from 0 to 1 with its 95 % interval (bootstrap over notes)."""

    value: float
    low: float
    high: float


class Predicted(Struct, frozen=True):
    """One predicted code, best first within its note."""

    code: str
    highlight: bool = False
    score: float = 0.0


class _NoteLine(Struct):
    id: str
    text: str


class _GoldLine(Struct):
    id: str
    codes: list[str]


class _PredictedLine(Struct):
    id: str
    suggestions: list[Predicted]


def read_notes(content: bytes) -> list[tuple[str, str]]:
    """Id and text of notes: `{"id", "text"}` a line, more fields are left alone. Raises CodesError naming the line."""
    return [(one.id, one.text) for one in _lines(content, _NoteLine)]


def read_gold(content: bytes) -> dict[str, frozenset[str]]:
    """Right codes by note: `{"id", "codes": […]}` a line. Raises CodesError naming the line."""
    return {one.id: frozenset(one.codes) for one in _lines(content, _GoldLine)}


def read_predictions(content: bytes) -> dict[str, list[Predicted]]:
    """Predictions by note: `{"id", "suggestions": […]}` a line. Raises CodesError naming the line."""
    return {one.id: one.suggestions for one in _lines(content, _PredictedLine)}


def _lines(content: bytes, kind: type[msgspec.Struct]) -> list:  # type: ignore[type-arg]  # typed by the caller
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=kind))
            except msgspec.DecodeError as error:
                raise CodesError(f"line {number}: {error}") from None
    return found


class _Counts(Struct):
    """Sums of one note: hits and sizes, per measure as (numerator, denominator)."""

    parts: dict[str, tuple[int, int]]


def _count(gold: frozenset[str], predicted: Sequence[Predicted]) -> _Counts:
    parts: dict[str, tuple[int, int]] = {}
    ranked = [one.code for one in predicted]
    for cut in _CUTS:
        parts[f"recall@{cut}"] = (len(gold & set(ranked[:cut])), len(gold))
    chosen = {one.code for one in predicted if one.highlight}
    for name, right, said in (
        ("exact", gold, chosen),
        ("category", frozenset(code[:_CATEGORY] for code in gold), {code[:_CATEGORY] for code in chosen}),
    ):
        hits = len(right & said)
        parts[f"{name} precision"] = (hits, len(said))
        parts[f"{name} recall"] = (hits, len(right))
        parts[f"{name} micro-F1"] = (2 * hits, len(right) + len(said))
    return _Counts(parts)


def score_notes(gold: Mapping[str, frozenset[str]], predicted: Mapping[str, Sequence[Predicted]]) -> dict[str, Measure]:
    """Every measure over the notes of `gold`; a note without prediction counts as nothing found.

    The interval is a seeded bootstrap over notes: the same input gives the same bytes. Raises CodesError without gold.
    """
    if not gold:
        raise CodesError("no note with right codes to score against")
    counts = [_count(gold[note], predicted.get(note, ())) for note in sorted(gold)]
    chance = random.Random(_SEED)
    samples = [chance.choices(counts, k=len(counts)) for _ in range(_RESAMPLES)]
    result = {}
    for name in counts[0].parts:
        values = sorted(_ratio(sample, name) for sample in samples)
        low, high = values[math.floor(0.025 * _RESAMPLES)], values[math.ceil(0.975 * _RESAMPLES) - 1]
        result[name] = Measure(_ratio(counts, name), low, high)
    return result


def _ratio(counts: Sequence[_Counts], name: str) -> float:
    over = sum(one.parts[name][0] for one in counts)
    under = sum(one.parts[name][1] for one in counts)
    return over / under if under else 0.0
