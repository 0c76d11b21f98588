"""How patient sending and asking are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from revcycle_adjudication_gateway.domain.backoff import backoff
from revcycle_adjudication_gateway.domain.submission import Sending, Transmission


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """Times and limits of sending, asking and alarming.

    ``lease_seconds`` is longer than any delivery may take: a lease that ran out belongs to a worker that is gone.
    """

    flush_after_seconds: float = 0.2
    lease_seconds: float = 20.0
    retry_first_seconds: float = 1.0
    retry_limit_seconds: float = 60.0
    inquiry_after_seconds: float = 2.0
    inquiry_limit_seconds: float = 60.0
    attempts_before_alarm: int = 5
    inquiries_before_alarm: int = 8
    claims_per_inquiry: int = 100

    def lease_until(self, now: datetime) -> datetime:
        """When an attempt that starts now is given up as unknown."""
        return now + timedelta(seconds=self.lease_seconds)

    def flush_before(self, now: datetime) -> datetime:
        """Submissions from before this moment do not wait for a batch to fill."""
        return now - timedelta(seconds=self.flush_after_seconds)

    def next_look(self, before: Sending, transmission: Transmission, now: datetime) -> datetime | None:
        """When somebody has to look at a transmission again; None: only an answer moves it.

        What the payer or a person said is not there goes again at once; a door that did not open is left alone longer
        with each attempt.
        """
        if transmission.state is Sending.UNKNOWN:
            return now + timedelta(seconds=self.inquiry_after_seconds)
        if transmission.state is not Sending.NOT_SENT:
            return None
        if before is Sending.UNKNOWN:
            return now
        return now + backoff(
            transmission.attempt, first_seconds=self.retry_first_seconds, limit_seconds=self.retry_limit_seconds
        )

    def next_inquiry(self, inquiries: int, now: datetime) -> datetime:
        """When to ask again after this many questions."""
        return now + backoff(
            inquiries, first_seconds=self.inquiry_after_seconds, limit_seconds=self.inquiry_limit_seconds
        )
