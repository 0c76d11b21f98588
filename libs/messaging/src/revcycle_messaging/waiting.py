"""Waiting with a limit. ``asyncio.wait_for`` of Python 3.11 swallows a cancellation that meets the result; this not."""

import asyncio


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, at most so long; True when it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
