"""How far a consumer is behind in seconds: since when the end of a partition is beyond where the consumer stands.

Offsets say how many records wait, not for how long. The ends are therefore noted with the time they were first seen;
the oldest end that the consumer has not reached yet tells since when it is behind. Only its own clock is trusted.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from revcycle_messaging.transports import TopicPartition

REMEMBERED_ENDS: Final = 600
"""Per partition; beyond that the newest end takes the place of the one before, so the oldest stays known."""


class LagClock:
    """Notes ends and positions, and tells seconds of lag."""

    def __init__(self) -> None:
        self._ends: dict[TopicPartition, deque[tuple[int, datetime]]] = {}

    def seconds(
        self, positions: Mapping[TopicPartition, int], lag: Mapping[TopicPartition, int], now: datetime
    ) -> dict[TopicPartition, float]:
        """Seconds behind per partition, 0 where nothing waits.

        Records that waited before the first look count from that look: a restarted process cannot know better.
        """
        self._ends = {place: ends for place, ends in self._ends.items() if place in lag}
        return {place: self._behind(place, positions.get(place, 0), records, now) for place, records in lag.items()}

    def _behind(self, place: TopicPartition, position: int, records: int, now: datetime) -> float:
        ends = self._ends.setdefault(place, deque())
        while ends and ends[0][0] <= position:
            ends.popleft()
        if records <= 0:
            ends.clear()
            return 0.0
        end = position + records
        if not ends or ends[-1][0] < end:
            if len(ends) >= REMEMBERED_ENDS:
                ends.pop()
            ends.append((end, now))
        return max(0.0, round((now - ends[0][1]).total_seconds(), 3))
