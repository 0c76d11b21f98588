"""The rulebook of a process: its calendar, and the edit rules opened once over memory-mapped tables."""

from functools import cache
from pathlib import Path

from revcycle_service_kit.context import ServiceContext

from revcycle_claims.domain.scrub import Scrubber
from revcycle_claims.settings import Settings
from revcycle_claims.use_cases.advance_claims import Rulebook


@cache
def _scrubber(cache_dir: Path | None, releases_dir: Path | None) -> Scrubber:
    return Scrubber.open(cache_dir, releases_dir)


def rulebook_of(context: ServiceContext) -> Rulebook:
    """The rulebook for a service's settings. Raises CodesError when a release cannot be opened."""
    settings = context.settings
    own = settings if isinstance(settings, Settings) else None
    scrubber = _scrubber(own.code_sets_cache_dir if own else None, own.code_releases_dir if own else None)
    return Rulebook(context.clock.business_date, scrubber)
