"""How far a consumer is behind in seconds: since when the end of a partition is beyond what the group committed.

Offsets say how many records wait, not for how long. The ends are therefore noted with the time they were first seen;
the oldest end that the group has not reached yet tells since when it is behind. Only its own clock is trusted.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from revcycle_messaging.transports import Standing, TopicPartition

REMEMBERED_ENDS: Final = 600
"""Per partition; beyond that the newest end takes the place of the one before, so the oldest stays known."""


class LagClock:
    """Notes ends and positions, and tells seconds of lag."""

    def __init__(self) -> None:
        self._ends: dict[TopicPartition, deque[tuple[int, datetime]]] = {}

    def seconds(self, standings: Mapping[TopicPartition, Standing], now: datetime) -> dict[TopicPartition, float]:
        """Seconds behind per partition, 0 where nothing waits.

        Records that waited before the first look count from that look: a restarted process cannot know better.
        """
        self._ends = {place: ends for place, ends in self._ends.items() if place in standings}
        return {place: self._behind(place, standing, now) for place, standing in standings.items()}

    def _behind(self, place: TopicPartition, standing: Standing, now: datetime) -> float:
        ends = self._ends.setdefault(place, deque())
        if standing.lag <= 0:
            ends.clear()
            return 0.0
        if ends and ends[-1][0] > standing.end:
            # The topic was made anew, and its old ends mean nothing.
            ends.clear()
        while ends and ends[0][0] <= standing.end - standing.lag:
            ends.popleft()
        if not ends or ends[-1][0] < standing.end:
            if len(ends) >= REMEMBERED_ENDS:
                ends.pop()
            ends.append((standing.end, now))
        return max(0.0, round((now - ends[0][1]).total_seconds(), 3))
