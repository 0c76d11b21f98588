"""Settings of coding."""

from pathlib import Path

from revcycle_service_kit import ServiceSettings


class Settings(ServiceSettings):
    """``code_sets_cache_dir``: where compiled code sets are kept; default the user's cache."""

    code_sets_cache_dir: Path | None = None
