"""What `revcycle doctor` looks at: the machine, then the stack of a state folder. No look raises."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do unless it is well."""

    area: str
    level: Level
    found: str
    remedy: str = ""


def ok(area: str, found: str) -> Finding:
    """It is well."""
    return Finding(area, "ok", found)


def warn(area: str, found: str, remedy: str) -> Finding:
    """It works now, and may not for long."""
    return Finding(area, "warn", found, remedy)


def fail(area: str, found: str, remedy: str) -> Finding:
    """It does not work until somebody acts."""
    return Finding(area, "fail", found, remedy)
