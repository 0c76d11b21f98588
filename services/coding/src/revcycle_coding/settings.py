"""Settings of coding."""

from pathlib import Path

from revcycle_service_kit import ServiceSettings


class Settings(ServiceSettings):
    """``code_sets_cache_dir``: where compiled code sets are kept; default the user's cache. ``code_releases_dir``:
    folder of imported releases and edit tables (`revcycle codes import --releases`), the same as that of claims;
    default none.
    """

    code_sets_cache_dir: Path | None = None
    code_releases_dir: Path | None = None
