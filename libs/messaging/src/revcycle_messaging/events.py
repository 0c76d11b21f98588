"""The one contract of the chassis itself: word of a dead letter."""

from uuid import UUID

from revcycle_events import Clear, Event


class EventDeadLettered(
    Event, type="revcycle.messaging.EventDeadLettered.v1", topic="revcycle.dead-letters.v1", key="stream"
):
    """An event could not be handled for good; its key waits for a named person. Carries no payload of the event.

    Published on ``revcycle.dead-letters.<consumer>.v1``.
    """

    stream: Clear[str]
    consumer: Clear[str]
    sequence: Clear[int]
    event_id: Clear[UUID]
    event_type: Clear[str]
    reason: Clear[str]
    attempts: Clear[int]
