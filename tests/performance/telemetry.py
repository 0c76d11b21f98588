"""Spans as in production: the default share of encounters, to a file. ``TELEMETRY=off`` measures without."""

import os
import tempfile
from pathlib import Path
from uuid import UUID

from revcycle_messaging import Database
from revcycle_service_kit.settings import ServiceSettings
from revcycle_service_kit.telemetry import open_outlet

# Odd, so that numbers spread over all ids and none comes twice: sampling looks at the lower bits.
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835


def encounter_of(number: int) -> str:
    """The encounter that a numbered claim is about."""
    return str(UUID(int=number * _SPREAD % (1 << 128)))


def record_spans(database: Database) -> None:
    """Have everything that goes through this database traced; REVCYCLE_TRACE_RATIO changes the share."""
    if os.environ.get("TELEMETRY") == "off":
        return
    folder = Path(tempfile.mkdtemp(prefix="revcycle-bench-spans-"))
    settings = ServiceSettings(
        service_name="bench",
        database_url="postgresql://nobody@localhost/none",
        trace_file=folder / "spans.jsonl",
    )
    outlet = open_outlet(settings)
    assert outlet is not None, "a file was named"
    database.tracer = outlet.tracer


def traced_share() -> float:
    """What a whole stack is told: the default share, or none."""
    default: float = ServiceSettings.model_fields["trace_ratio"].default
    return 0 if os.environ.get("TELEMETRY") == "off" else default
