"""How long to wait before trying again."""

from datetime import timedelta


def backoff(attempts: int, *, first_seconds: float, limit_seconds: float) -> timedelta:
    """Doubles from ``first_seconds`` with each attempt (counted from 1) and stays at ``limit_seconds``."""
    assert attempts >= 1, "attempts count from 1"
    return timedelta(seconds=min(limit_seconds, first_seconds * 2 ** min(attempts - 1, 20)))
