"""Reference numbers for X12, made of ids: unique without a counter, short enough for every guide."""

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
