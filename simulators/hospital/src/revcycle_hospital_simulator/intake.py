"""Hands encounter files over to registration: in batches, at a set rate, a bounded number of requests at a time."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from revcycle_hospital_simulator.rest import Api, Body
from revcycle_hospital_simulator.tasks import task_group

FILES_PER_REQUEST_MAX: Final = 500
_BYTES_PER_REQUEST: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class IntakeAnswer:
    """What became of one file. ``errors``: field, message and what would be right, when it was refused."""

    line: int
    encounter_number: str | None
    status: str
    encounter_id: str | None
    state: str | None
    blocked_by: tuple[str, ...]
    errors: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How files are sent. ``rate_per_second`` None: as fast as registration answers."""

    files_per_request: int = 50
    requests_at_once: int = 4
    rate_per_second: float | None = None


NumberedFile = tuple[int, object]
"""Line number (or position, from 1) and the encounter file as parsed JSON."""


async def send_files(
    api: Api,
    files: Iterable[NumberedFile],
    run: str,
    pace: Pace,
    tell: Callable[[Sequence[IntakeAnswer]], None],
) -> None:
    """Send every file once; ``tell`` gets the answers of each request. ``run`` keeps the keys of two runs apart.

    Raises:
        ServiceUnreachableError, UnexpectedAnswerError: see `Api.call`.
    """
    places = asyncio.Semaphore(pace.requests_at_once)
    started, sent = time.monotonic(), 0
    async with task_group() as requests:
        for ordinal, batch in enumerate(_batches(files, pace.files_per_request)):
            if pace.rate_per_second is not None:
                await asyncio.sleep(max(0.0, started + sent / pace.rate_per_second - time.monotonic()))
            sent += len(batch)
            # Taken here and not by the task, so that the file is read no faster than it is answered.
            await places.acquire()
            requests.create_task(_send_batch(api, batch, f"{run}-intake-{ordinal}", places, tell))


async def send_file(api: Api, file: object, key: str) -> IntakeAnswer:
    """Send one file."""
    return (await _post(api, [(1, file)], key))[0]


async def _send_batch(
    api: Api,
    batch: Sequence[NumberedFile],
    key: str,
    places: asyncio.Semaphore,
    tell: Callable[[Sequence[IntakeAnswer]], None],
) -> None:
    try:
        tell(await _post(api, batch, key))
    finally:
        places.release()


async def _post(api: Api, batch: Sequence[NumberedFile], key: str) -> list[IntakeAnswer]:
    body = Body.of({"encounters": [file for _, file in batch]})
    answer = await api.call("integration", "registration", "POST", "/v1/intake", body, key=key)
    return [_read(line, result) for (line, _), result in zip(batch, answer.body["results"], strict=True)]


def _read(line: int, result: dict[str, Any]) -> IntakeAnswer:
    return IntakeAnswer(
        line=line,
        encounter_number=result["encounter_number"],
        status=result["status"],
        encounter_id=result.get("encounter_id"),
        state=result.get("state"),
        blocked_by=tuple(result.get("blocked_by") or ()),
        errors=tuple((each["field"], each["message"], each["expected"]) for each in result.get("errors") or ()),
    )


def _batches(files: Iterable[NumberedFile], count_max: int) -> Iterator[list[NumberedFile]]:
    """Cut by number and by size; a file larger than the size travels alone."""
    batch: list[NumberedFile] = []
    size = 0
    for number, file in files:
        own = len(json.dumps(file))
        if batch and (len(batch) >= min(count_max, FILES_PER_REQUEST_MAX) or size + own > _BYTES_PER_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append((number, file))
        size += own
    if batch:
        yield batch
