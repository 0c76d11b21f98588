"""The one place where time comes from. Everything behind the edge takes it as an argument."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


class Clock:
    """Real time; the business date may be pinned."""

    def __init__(self, pinned_business_date: date | None = None) -> None:
        self._pinned = pinned_business_date

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return datetime.now(UTC)

    def business_date(self, zone: str, at: datetime | None = None) -> date:
        """The calendar date in a zone (IANA name), now or at an aware time; the pinned date when there is one.

        Raises:
            zoneinfo.ZoneInfoNotFoundError: no such zone.
        """
        if self._pinned is not None:
            return self._pinned
        return (at or self.now()).astimezone(ZoneInfo(zone)).date()


class SettableClock(Clock):
    """A clock that stands still until it is set: for tests and replays."""

    def __init__(self, now: datetime, pinned_business_date: date | None = None) -> None:
        super().__init__(pinned_business_date)
        self.set(now)

    def set(self, now: datetime) -> None:
        """Make it this time; ValueError when it is not aware."""
        if now.tzinfo is None:
            raise ValueError("a clock is set to an aware time")
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now
