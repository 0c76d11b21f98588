"""The one shape of "this is not right": field, rule, message and what would be right. Never carries a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something is refused or blocked. ``field`` is a path like ``coverages[0].payer_id``."""

    field: str
    rule: str
    message: str
    expected: str
