"""Logs that hold no patients' data: only keys on a list, no control characters, no texts of foreign exceptions.

A line is an event in fixed words with ids and counts beside it. What other libraries log keeps its first line before
values are filled in; an exception is its type and the places it passed.
"""

import logging
import sys
import traceback
from collections.abc import Iterable, MutableMapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from revcycle_messaging import MessagingError

from revcycle_service_kit.problems import Problem

_OURS: Final = "revcycle_"
_MAX_TEXT: Final = 500
_MAX_FRAMES: Final = 12
_FLOOD_SECONDS: Final = 10.0
_FLOOD_WORDS: Final = 1000
_ABOUT_LINE: Final = (
    "ts level event logger service instance tenant request_id trace_id span_id dropped exception where because"
)
_ABOUT_EVENTS: Final = (
    "correlation_id causation_id consumer topic partition offset sequence event_type event_id member group"
)
_ABOUT_WORK: Final = (
    "job_id kind state outcome attempts reason code rule field method route status duration_ms bytes count seconds "
    "name host port version revision component aggregate timer"
)
_IDS: Final = (
    "claim_id encounter_id patient_id coverage_id document_id payer_id remittance_id submission_id interchange_id "
    "deposit_id task_id"
)
ALLOWED_KEYS: Final = frozenset(" ".join((_ABOUT_LINE, _ABOUT_EVENTS, _ABOUT_WORK, _IDS)).split())
"""Ids, names of rules, counts and times. A service may add keys of its own through ``ServiceParts.log_keys``."""

EventDict = MutableMapping[str, Any]


class AllowList:
    """Processor: passes allowed keys with harmless values; says which others were dropped."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._allowed = ALLOWED_KEYS | frozenset(more)

    def __call__(self, _logger: object, _method: str, event_dict: EventDict) -> EventDict:
        """Filter one line."""
        kept: EventDict = {key: harmless(value) for key, value in event_dict.items() if key in self._allowed}
        dropped = sorted(key for key in event_dict if key not in self._allowed and not key.startswith("_"))
        if dropped:
            kept["dropped"] = [harmless(key) for key in dropped[:10]]
        return kept


def harmless(value: object) -> object:
    """A value that cannot break a line: numbers as they are, texts escaped and cut, anything else by its type."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return harmless(value.value)
    if isinstance(value, str | UUID | datetime | date):
        return escape(str(value))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [harmless(item) for item in value[:20]]
    return f"<{type(value).__name__}>"


def escape(text: str) -> str:
    """Text without control, line-separating or direction-changing characters, at most 500 long."""
    cut = text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
    if cut.isprintable():
        return cut
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in cut)


def describe_exception(error: BaseException) -> dict[str, object]:
    """Type and places of an exception and of what caused it. Only errors of ours keep their text."""
    chain: list[str] = []
    where: list[str] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        chain.append(type(current).__name__)
        where += _places(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    told: dict[str, object] = {"exception": " < ".join(chain), "where": where[:_MAX_FRAMES]}
    if isinstance(error, MessagingError | Problem):
        told["because"] = str(error)
    return told


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames)]


def _take_exception(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """Replace ``exc_info`` by what may be said about it."""
    info = event_dict.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event_dict.update(describe_exception(error))
    return event_dict


def _take_record(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """Bring a record of the standard library in: fixed words only, and of foreign libraries no values."""
    record: logging.LogRecord = event_dict["_record"]
    lines = str(record.msg).splitlines()
    event_dict["event"] = lines[0] if lines else ""
    event_dict["logger"] = record.name
    if not record.name.startswith(_OURS):
        event_dict["where"] = [f"{record.module}:{record.lineno}"]
    return event_dict


def _render_json(_logger: object, _method: str, event_dict: EventDict) -> str:
    first = {key: event_dict.pop(key) for key in ("ts", "level", "event") if key in event_dict}
    return orjson.dumps({**first, **event_dict}, default=str).decode()


def _render_text(_logger: object, _method: str, event_dict: EventDict) -> str:
    head = f"{event_dict.pop('ts', '')} {event_dict.pop('level', ''):<8} {event_dict.pop('event', '')}"
    return " ".join([head, *(f"{key}={value}" for key, value in sorted(event_dict.items()))])


class FloodGate(logging.Filter):
    """Lets the same words of a foreign library pass once in ten seconds: a broker that is away says so endlessly."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        if record.name.startswith(_OURS):
            return True
        words = (record.name, str(record.msg))
        if record.created - self._passed_at.get(words, 0.0) < _FLOOD_SECONDS:
            return False
        if len(self._passed_at) >= _FLOOD_WORDS:
            self._passed_at.clear()
        self._passed_at[words] = record.created
        return True


def configure_logging(
    service: str, instance: str, log_format: str = "json", more_keys: Iterable[str] = ()
) -> structlog.stdlib.BoundLogger:
    """Send everything that is logged in this process through the list, to standard output. Returns a logger."""
    allow = AllowList(more_keys)

    def name_service(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
        event_dict.setdefault("service", service)
        event_dict.setdefault("instance", instance)
        return event_dict

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="ts"),
        name_service,
    ]
    render = _render_text if log_format == "text" else _render_json
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _take_record],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _take_exception, allow, render],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(FloodGate())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # Their chatter at INFO says nothing that our own lines do not.
    for chatty in ("aiokafka", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore", "asyncio", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
        logging.getLogger(chatty).handlers = []
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("revcycle_service")
    return logger
