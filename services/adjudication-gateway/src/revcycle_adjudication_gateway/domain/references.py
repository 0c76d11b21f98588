"""Reference numbers for X12, made of ids: unique without a counter, short enough for every guide."""

from collections.abc import Iterable
from uuid import UUID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 26


def reference_number(source: UUID) -> str:
    """26 letters and digits for a UUID; they sort as the ids do (BHT03 holds 30, TRN02 holds 50 characters)."""
    value = source.int
    digits = []
    for _ in range(_LENGTH):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def plain(reference: str) -> str:
    """A reference as it is compared: payers pad what they repeat with spaces and write it in the other case."""
    return reference.strip().upper()


def spellings(references: Iterable[str]) -> list[str]:
    """What to look up for references that came from outside: as they stand, and as ours are written."""
    found = {spelling for reference in references for spelling in (reference.strip(), plain(reference))}
    return sorted(found - {""})


def significant(reference: str) -> str:
    """A number of the payer's own as it is compared: some of its systems write leading zeros, others do not."""
    return plain(reference).lstrip("0")
