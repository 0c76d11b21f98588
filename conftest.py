"""Every test may ask for real PostgreSQL and Kafka; see `revcycle_devstack.testing`."""

pytest_plugins = ["revcycle_devstack.testing"]
