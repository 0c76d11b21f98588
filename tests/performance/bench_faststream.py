"""For contrast: the consume stage as most teams write it, with FastStream and the ORM, one event at a time.

The same claims, the same row, the same pydantic contract; no seal and no stream rows. The floor is that of consume.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from itertools import count
from uuid import UUID

from bench_consume import consume_plainly, empty, prepare_consume
from faststream.kafka import KafkaBroker
from ground import PLAIN_TOPIC, Ground
from harness import Bench, Line, Measure, OneRound, Round
from pydantic_core import to_json
from revcycle_events import ClaimSubmitted
from revcycle_messaging.testing import TENANT
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

EVENTS = 400
_groups = count(1)


class Base(DeclarativeBase):
    """Of the mapped rows."""


class ClaimRow(Base):
    """The row of a claim, as bench_consume makes it."""

    __tablename__ = "claim"
    __table_args__ = {"schema": "bench"}

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID] = mapped_column(primary_key=True)
    payer_id: Mapped[str]
    charge_cents: Mapped[int]
    date_of_service: Mapped[date]
    member_id: Mapped[str]
    lines: Mapped[str]


@asynccontextmanager
async def prepare(ground: Ground) -> AsyncIterator[OneRound]:
    """The claims of bench_consume on their topic, an engine on their database."""
    servers = await ground.servers()
    database, url = await prepare_consume(servers)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))

    async def one_round() -> Mapping[str, Round]:
        number = next(_groups)
        await empty(database)
        floor = await consume_plainly(servers.kafka.bootstrap_servers, url, f"bench-contrast-{number}-plain")
        await empty(database)
        value = await _consume_one_by_one(servers.kafka.bootstrap_servers, engine, f"bench-contrast-{number}")
        return {"consume-faststream-orm": Round(value, floor)}

    yield one_round
    await engine.dispose()
    await database.close()


async def _consume_one_by_one(bootstrap_servers: str, engine: AsyncEngine, group: str) -> Measure:
    """From the first event's handling to the last commit of so many."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    broker = KafkaBroker(bootstrap_servers, logger=None)
    moments: list[tuple[float, float]] = []
    done = asyncio.Event()

    @broker.subscriber(PLAIN_TOPIC, group_id=group, auto_offset_reset="earliest")
    async def on_claim(event: ClaimSubmitted) -> None:
        if not moments:
            moments.append((time.perf_counter(), time.process_time()))
        async with sessions() as session, session.begin():
            await session.execute(text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": str(TENANT)})
            await session.merge(
                ClaimRow(
                    tenant_id=TENANT,
                    claim_id=event.claim_id,
                    payer_id=event.payer_id,
                    charge_cents=event.charge_cents,
                    date_of_service=event.date_of_service,
                    member_id=event.subscriber.member_id,
                    lines=to_json(event.lines).decode(),
                )
            )
        moments.append((time.perf_counter(), time.process_time()))
        if len(moments) > EVENTS:
            done.set()

    async with broker:
        await broker.start()
        async with asyncio.timeout(120):
            await done.wait()
    (started, idle), (ended, busy) = moments[0], moments[EVENTS]
    return Measure(EVENTS / (ended - started), (busy - idle) / EVENTS * 1e6)


BENCHES = (Bench("contrast", (Line("consume-faststream-orm", "events/s"),), prepare, rounds=3, warm_up=0),)
