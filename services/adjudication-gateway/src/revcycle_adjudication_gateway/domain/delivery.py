"""What a delivery at the payer's door comes to."""

from dataclasses import dataclass

from revcycle_adjudication_gateway.domain.submission import Outcome


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """What the payer's door made of a delivery; ``detail`` names the kind of failure, never content."""

    outcome: Outcome
    http_status: int | None
    detail: str
