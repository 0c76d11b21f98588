"""Take a fee schedule: a new version replaces the former one of its name."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from revcycle_messaging import Cause, UnitOfWork

from revcycle_claims.domain.reference import Price
from revcycle_claims.repositories import reference
from revcycle_claims.use_cases.advance_claims import sweep_at_once


@dataclass(frozen=True, slots=True)
class FeeScheduleResult:
    """The version now in force, and whether this import made it."""

    version: int
    created: bool


async def import_fee_schedule(uow: UnitOfWork, name: str, prices: Sequence[Price], cause: Cause) -> FeeScheduleResult:
    """Store prices as the next version of a schedule; the same content again changes nothing."""
    content_hash = hashlib.sha256("\n".join(price.model_dump_json() for price in prices).encode()).hexdigest()
    known = await reference.lock_fee_schedule(uow, name)
    if known is not None and known["content_hash"] == content_hash:
        return FeeScheduleResult(known["version"], created=False)
    version = known["version"] + 1 if known is not None else 1
    await reference.write_fee_schedule(uow, name, version, content_hash, prices, (cause.now, cause.actor))
    sweep_at_once(uow, cause.now)
    return FeeScheduleResult(version, created=True)
