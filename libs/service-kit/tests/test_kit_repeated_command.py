"""A command that is sent again under its Idempotency-Key, after the first answer was lost."""

from pathlib import Path
from typing import Any

import pytest
from kit_sample_service.parts import build
from revcycle_service_kit.testing import running_service

pytestmark = pytest.mark.component


async def test_a_repeated_command_is_answered_as_the_first_time(postgresql: Any, tmp_path: Path) -> None:
    """Not refused as a note that exists already, and not a second note: the same answer."""
    async with running_service(build(), postgresql, tmp_path, run=()) as service:
        client = service.client("biller")
        answers = [
            await client.post("/v1/notes", json={"number": 1}, headers={"idempotency-key": "same"}) for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
