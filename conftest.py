"""Every test may ask for real PostgreSQL and Kafka; see `revcycle_devstack.testing`."""

import gc

pytest_plugins = ["revcycle_devstack.testing"]


def pytest_collection_finish() -> None:
    """Spare the collector what lives until the end anyway: some hundred modules and their tests."""
    gc.freeze()
