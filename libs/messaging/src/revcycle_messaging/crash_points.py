"""Named points at which a test may let a process die. They cost one dictionary look-up and do nothing in production."""

from collections.abc import Callable

_ARMED: dict[str, Callable[[], None]] = {}


def reach(name: str) -> None:
    """Pass the named point; whatever a test has armed there happens."""
    if _ARMED and (act := _ARMED.get(name)) is not None:
        act()


def arm(name: str, act: Callable[[], None]) -> None:
    """Let ``act`` happen each time the point is reached (tests only)."""
    _ARMED[name] = act


def disarm() -> None:
    """Forget everything armed."""
    _ARMED.clear()
