"""The one shape of "this is not right": field, rule, message and what would be right. Never carries a value."""

import re
from dataclasses import dataclass
from typing import Final

_FIELD_NAME: Final = re.compile(r"[a-z][A-Za-z_]{0,39}[0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something is refused or blocked. ``field`` is a path like ``coverages[0].payer_id``."""

    field: str
    rule: str
    message: str
    expected: str


def shown_name(name: str) -> str:
    """A name from a file as a refusal may repeat it; ``?`` when it may be a value, or a person, in the wrong place."""
    return name if _FIELD_NAME.fullmatch(name) else "?"
