"""Between rows in memory and the column arrays that ``unnest`` takes."""

from collections.abc import Sequence

import orjson


def columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Turn rows into one list per column; ``width`` empty lists when there are no rows."""
    if not rows:
        return [[] for _ in range(width)]
    return [list(column) for column in zip(*rows, strict=True)]


def as_json(value: object) -> str:
    """A value as JSON text, for a ``text[]`` parameter that is cast to jsonb."""
    return orjson.dumps(value).decode()
