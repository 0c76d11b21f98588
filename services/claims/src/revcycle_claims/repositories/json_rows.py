"""Many rows as one parameter: JSON text for ``jsonb_to_recordset($1::text::jsonb)``."""

from collections.abc import Sequence

import orjson


def as_json(rows: Sequence[object]) -> str:
    """Rows (dataclasses or mappings) as JSON text. The driver's own UUID class is written like any UUID."""
    return orjson.dumps(rows, default=str).decode()
