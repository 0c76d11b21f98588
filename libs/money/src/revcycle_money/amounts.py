"""Amounts: integer cents inside, decimal text at the edges. No float comes near."""

import re
from collections.abc import Sequence
from typing import Final

_AMOUNT: Final = re.compile(r"(-?)(\d{1,14})?(?:\.(\d{1,2}))?", re.ASCII)


class AmountError(ValueError):
    """A text that is no amount; the text of the error says what would be one, never what was given."""


def parse_amount(text: str) -> int:
    """Cents of a decimal text: ``"12.5"`` is 1250, ``"-.05"`` is -5, ``"12"`` is 1200.

    Digits with at most two decimals, as X12 writes R elements; no grouping, exponent, plus sign or space.

    Raises:
        AmountError: anything else.
    """
    found = _AMOUNT.fullmatch(text) if text.isascii() else None
    if found is None or (found[2] is None and found[3] is None):
        raise AmountError("an amount is digits with at most two decimals, for example 12.50")
    cents = int(found[2] or 0) * 100 + int((found[3] or "0").ljust(2, "0"))
    return -cents if found[1] else cents


def format_cents(cents: int) -> str:
    """Decimal text with two decimals: 1250 is ``"12.50"``, -5 is ``"-0.05"``."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


def allocate(total_cents: int, weights: Sequence[int]) -> list[int]:
    """Split a total in proportion to weights, losing no cent: the shares sum to the total.

    Largest remainder: everyone gets the whole cents of his share, what is left goes one by one to the largest
    remainders, the earlier of equals first. A negative total is split as its positive twin. Without any weight
    above zero the total is split evenly.

    Raises:
        ValueError: no weights, or a negative one.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("allocate needs at least one weight, none of them negative")
    if total_cents < 0:
        return [-share for share in allocate(-total_cents, weights)]
    shared = list(weights) if any(weights) else [1] * len(weights)
    whole = sum(shared)
    parts = [divmod(total_cents * weight, whole) for weight in shared]
    shares = [quotient for quotient, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))
    for index in by_remainder[: total_cents - sum(shares)]:
        shares[index] += 1
    return shares
