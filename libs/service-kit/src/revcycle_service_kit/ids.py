"""Ids made at the edge: UUIDv7 (RFC 9562, 5.7). Behind the edge ids are derived from their cause."""

import secrets
from datetime import datetime
from uuid import UUID


def uuid7(now: datetime, randomness: bytes) -> UUID:
    """A UUIDv7 from a time and ten random bytes."""
    raw = bytearray(int(now.timestamp() * 1000).to_bytes(6, "big") + randomness[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return UUID(bytes=bytes(raw))


def new_id(now: datetime) -> UUID:
    """A new id: ordered by time, unique by chance."""
    return uuid7(now, secrets.token_bytes(10))
