"""What the gateway listens to."""

from revcycle_events import ClaimSubmitted, Event
from revcycle_messaging import Handler

from revcycle_adjudication_gateway.use_cases.queue_submissions import queue_submissions

HANDLERS: dict[type[Event], Handler] = {ClaimSubmitted: queue_submissions}
