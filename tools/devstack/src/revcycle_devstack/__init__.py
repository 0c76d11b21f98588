"""Real PostgreSQL, real Apache Kafka and the services on one machine, without a container engine and without root.

`revcycle_devstack.stack` starts and supervises everything; `revcycle_devstack.testing` lends servers to tests.
This module stays free of heavy imports, so that the command line can read its constants at no cost.
"""

from typing import Final
from uuid import UUID

DEVELOPMENT_TENANT: Final = UUID("0190a000-0000-7000-8000-000000000001")
"""The one tenant that a development stack holds keys for unless its options name others."""

SERVICES: Final = ("registration", "coding", "claims", "adjudication-gateway", "analytics")
"""The five services in the order of the flow; also the order of their default ports."""


class DevstackError(Exception):
    """Something a person has to act on; the text says what was found and what to do next."""
