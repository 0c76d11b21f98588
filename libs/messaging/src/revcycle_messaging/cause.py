"""Why a change happens, and the ids that follow from it."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Cause:
    """A request, an event, a timer or a job: its id, its time, who stands behind it, and what it is about.

    ``now`` is aware UTC. Decisions take their time and their ids from here, so the same cause gives the same state.
    """

    tenant_id: UUID
    id: UUID
    now: datetime
    actor: str
    correlation_id: str | None = None
    traceparent: str | None = None

    def __post_init__(self) -> None:
        assert self.now.tzinfo is not None, "a cause has an aware time"

    def derive(self, role: str, ordinal: int = 0) -> UUID:
        """An id that depends on nothing but this cause, the role and the ordinal.

        Laid out as UUIDv7: the cause's time in front keeps indexes dense, the rest is a hash instead of chance.
        """
        seed = b"%b%b%b:%d" % (self.tenant_id.bytes, self.id.bytes, role.encode(), ordinal)
        digest = bytearray(hashlib.sha256(seed).digest()[:16])
        digest[0:6] = int(self.now.timestamp() * 1000).to_bytes(6, "big")
        digest[6] = 0x70 | (digest[6] & 0x0F)
        digest[8] = 0x80 | (digest[8] & 0x3F)
        return UUID(bytes=bytes(digest))

    def about(self, correlation_id: UUID | str) -> "Cause":
        """The same cause, said to be about one encounter."""
        return replace(self, correlation_id=str(correlation_id))
