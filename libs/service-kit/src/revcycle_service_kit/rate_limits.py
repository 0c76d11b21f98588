"""How often a credential may call, per class of operations: whole windows, counted in this process.

Answers say what is left as ``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-11). Several
instances of a service count apart, so together they allow as many times more.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

RateClass = Literal["read", "write", "bulk"]
KEPT_WINDOWS: Final = 10_000
"""Windows remembered at once; the oldest are forgotten first, which only lets their credentials begin anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a credential stands in a class after a request: ``left`` requests until ``reset_seconds`` from now."""

    name: str
    quota: int
    window_seconds: int
    left: int
    reset_seconds: int
    allowed: bool

    @property
    def headers(self) -> dict[str, str]:
        """The two headers of the draft, as structured fields."""
        return {
            "ratelimit-policy": f'"{self.name}";q={self.quota};w={self.window_seconds}',
            "ratelimit": f'"{self.name}";r={self.left};t={self.reset_seconds}',
        }


class RateLimiter:
    """Counts requests per credential and class. ``quotas``: requests per window and class."""

    def __init__(self, quotas: Mapping[RateClass, int], window_seconds: int) -> None:
        self._quotas = quotas
        self._window_seconds = window_seconds
        self._windows: OrderedDict[tuple[Hashable, RateClass], tuple[datetime, int]] = OrderedDict()

    def take(self, credential: Hashable, rate_class: RateClass, now: datetime) -> Standing:
        """Count one request. A request that is refused costs nothing more."""
        quota = self._quotas[rate_class]
        ends_at, used = self._windows.get((credential, rate_class), (now, 0))
        if ends_at <= now:
            self._windows.pop((credential, rate_class), None)
            ends_at, used = now + timedelta(seconds=self._window_seconds), 0
        allowed = used < quota
        used += allowed
        self._windows[credential, rate_class] = (ends_at, used)
        while len(self._windows) > KEPT_WINDOWS:
            self._windows.popitem(last=False)
        reset_seconds = max(1, math.ceil((ends_at - now).total_seconds()))
        return Standing(rate_class, quota, self._window_seconds, quota - used, reset_seconds, allowed)
