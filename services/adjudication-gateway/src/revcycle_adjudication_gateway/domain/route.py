"""A connection to a payer, as it is configured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """Where a payer's door is and how we appear at it.

    ``base_url`` is the root of the door. ``enabled`` False: nothing new is sent, answers are still fetched.
    """

    payer_id: str
    base_url: str
    sender_id: str
    receiver_id: str
    usage_indicator: str
    enabled: bool
    max_claims_per_interchange: int
    poll_seconds: float
