"""Servers that speak TLS only, started once for this folder."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tls_ground import Ground, lay_ground


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """PostgreSQL, Kafka and an authority of their own; plain connections are refused by both servers."""
    laid = lay_ground()
    try:
        yield laid
    finally:
        laid.stop()
        shutil.rmtree(laid.folder, ignore_errors=True)
