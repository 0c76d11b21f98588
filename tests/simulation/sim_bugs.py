"""Bugs to plant: each breaks one promise on purpose, and the simulation has to find it."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

from revcycle_messaging import UnitOfWork, consumer, outbox, parking, streams
from revcycle_messaging.envelope import headers_from_text, read_headers
from revcycle_messaging.streams import Item, Verdict
from revcycle_messaging.testing import TENANT
from revcycle_service_kit.jobs import Job, JobResult, JobWorker
from sim_business import Transmit
from sim_world import World

Plant = Callable[[World], AbstractContextManager[None]]


def _offering(change: Callable[[Verdict, Sequence[Item]], None]) -> AbstractContextManager[Any]:
    """Judge as ever, then change the verdict."""
    offer = streams.offer

    async def changed(uow: UnitOfWork, name: str, items: Sequence[Item]) -> Verdict:
        verdict = await offer(uow, name, items)
        change(verdict, items)
        return verdict

    return patch.object(streams, "offer", changed)


@contextmanager
def duplicates_applied(world: World) -> Iterator[None]:
    """What was applied before is applied again."""

    def change(verdict: Verdict, items: Sequence[Item]) -> None:
        known = {id(item) for item in (*verdict.fresh, *verdict.early)}
        verdict.fresh += [item for item in items if id(item) not in known]

    with _offering(change):
        yield


@contextmanager
def waiting_key_ignored(world: World) -> Iterator[None]:
    """An event is applied although its key waits."""

    def change(verdict: Verdict, items: Sequence[Item]) -> None:
        verdict.fresh += verdict.early
        verdict.early = []

    with _offering(change):
        yield


@contextmanager
def waiting_events_dropped(world: World) -> Iterator[None]:
    """An event behind a gap is not kept."""

    async def park(uow: UnitOfWork, name: str, items: Sequence[Item], reason: str) -> None:
        if reason == "failed":
            await kept(uow, name, items, reason)

    kept = streams.park
    with patch.object(streams, "park", park):
        yield


@contextmanager
def newest_waiting_first(world: World) -> Iterator[None]:
    """A key that waits goes on with its newest event."""

    async def take_newest(uow: UnitOfWork, name: str, topic: str, key: str, now: Any) -> Item | None:
        identity = (name, uow.tenant_id, topic, key)
        head = await uow.fetch_row(
            "DELETE FROM messaging.parked_event WHERE ctid = (SELECT ctid FROM messaging.parked_event WHERE"
            " consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4 AND state = 'waiting'"
            " ORDER BY sequence DESC LIMIT 1) RETURNING sequence, headers, payload",
            *identity,
        )
        await uow.execute(
            "UPDATE messaging.stream SET last_sequence = greatest(last_sequence, $5), parked_since = CASE WHEN $6"
            " THEN parked_since END WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND key = $4",
            *identity,
            head["sequence"] if head else 0,
            head is not None,
        )
        if head is None:
            return None
        headers = headers_from_text(head["headers"])
        return Item(topic, key, read_headers(headers), headers, head["payload"])

    with patch.object(parking, "take_head", take_newest):
        yield


@contextmanager
def offsets_before_effects(world: World) -> Iterator[None]:
    """Offsets are committed when records are fetched."""
    world.transport.commits_at_fetch = True
    yield


@contextmanager
def unacknowledged_archived(world: World) -> Iterator[None]:
    """What the broker did not acknowledge leaves the outbox all the same."""
    world.transport.believes_every_send = True
    yield


@contextmanager
def locked_rows_skipped(world: World) -> Iterator[None]:
    """Relays share the outbox row by row instead of leading shards."""
    claimed: dict[int, str] = {}

    def sift(sql: str, rows: Any) -> Any:
        actor = world.machine.current
        if "FROM messaging.outbox" not in sql or actor is None:
            return rows
        return [row for row in rows if claimed.setdefault(row["seq"], actor.name) == actor.name][:1]

    world.machine.rewrite = lambda sql: sql.replace("pg_try_advisory_lock($2, shard)", "$2::integer IS NOT NULL")
    world.machine.sift = sift
    yield


@contextmanager
def cursor_in_the_outbox(world: World) -> Iterator[None]:
    """The relay reads on behind the highest number it has seen; what commits late stands before it."""
    seen = [0]

    def sift(sql: str, rows: Any) -> Any:
        if "FROM messaging.outbox" not in sql:
            return rows
        fresh = [row for row in rows if row["seq"] > seen[0]]
        seen[0] = max([seen[0], *(row["seq"] for row in fresh)])
        return fresh

    world.machine.sift = sift
    yield


@contextmanager
def events_outlive_rollback(world: World) -> Iterator[None]:
    """Events are written in a transaction of their own."""
    insert = outbox.insert_events

    async def alone(uow: UnitOfWork, events: Any, service: str, keys: Any) -> None:
        async with world.databases[0].unit_of_work(TENANT) as other:
            await insert(other, events, service, keys)

    with patch.object(outbox, "insert_events", alone):
        yield


@contextmanager
def events_after_commit(world: World) -> Iterator[None]:
    """Events are written once the change is committed: a row of the outbox is lost when the process dies between."""
    insert = outbox.insert_events
    late: dict[int, list[Any]] = {}

    async def remember(uow: UnitOfWork, *arguments: Any) -> None:
        late.setdefault(id(uow), []).append(arguments)

    with patch.object(outbox, "insert_events", remember):
        for database in world.databases:
            ordinary = database.unit_of_work

            @asynccontextmanager
            async def twofold(tenant_id: UUID, ordinary: Any = ordinary, **options: Any) -> AsyncIterator[UnitOfWork]:
                async with ordinary(tenant_id, **options) as uow:
                    yield uow
                for arguments in late.pop(id(uow), []):
                    async with ordinary(tenant_id) as after:
                        await insert(after, *arguments)

            database.unit_of_work = twofold  # type: ignore[method-assign]  # planted on this object only
        yield


@contextmanager
def seal_not_checked(world: World) -> Iterator[None]:
    """Whatever looks like an event is taken for one."""
    with patch.object(consumer, "check_seal", lambda topic, key, headers, payload, keys: read_headers(headers)):
        yield


def _own_transaction(world: World, handler: Any) -> Any:
    async def outside(uow: UnitOfWork, received: Any) -> None:
        async with world.databases[0].unit_of_work(TENANT) as own:
            await handler(own, received)

    return outside


@contextmanager
def timer_outside_its_transaction(world: World) -> Iterator[None]:
    """A timer's effect is committed before the timer is gone."""
    world.hospital.follow_up = _own_transaction(world, world.hospital.follow_up)  # type: ignore[method-assign]
    yield


@contextmanager
def posting_outside_its_transaction(world: World) -> Iterator[None]:
    """Postings are committed before their event counts as applied."""
    ledger = world.hospital.handlers["ledger"]
    world.hospital.handlers["ledger"] = {event: _own_transaction(world, ledger[event]) for event in ledger}
    yield


@contextmanager
def only_the_last_version_billed(world: World) -> Iterator[None]:
    """Of several versions in one chunk only the last is handled: the result depends on where chunks end."""
    code = world.hospital.code

    async def last_only(uow: UnitOfWork, received: Any) -> None:
        await code(uow, list({one.key: one for one in received}.values()))

    world.hospital.handlers["coding"] = dict.fromkeys(world.hospital.handlers["coding"], last_only)
    yield


@contextmanager
def expired_attempt_repeated(world: World) -> Iterator[None]:
    """A transmission whose worker died is simply made again."""

    async def recover(self: Transmit, uow: UnitOfWork, jobs: Sequence[Job], cause: Any) -> Mapping[UUID, JobResult]:
        return {job.job_id: JobResult.retry("again") for job in jobs}

    with patch.object(Transmit, "recover", recover):
        yield


@contextmanager
def lease_counted_from_the_act(world: World) -> Iterator[None]:
    """Those of a batch whose turn comes last act when their lease is over."""
    act = JobWorker._act_and_settle

    async def late(self: JobWorker, name: str, kind: Any, tenant_id: UUID, prepared: Any, act_until: float) -> None:
        await act(self, name, kind, tenant_id, prepared, world.machine.loop.time() + kind.lease_seconds * 0.8)

    with patch.object(JobWorker, "_act_and_settle", late):
        yield


PLANTS: Final[Mapping[str, Plant]] = {
    plant.__name__: plant
    for plant in (
        duplicates_applied,
        waiting_key_ignored,
        waiting_events_dropped,
        newest_waiting_first,
        offsets_before_effects,
        unacknowledged_archived,
        locked_rows_skipped,
        cursor_in_the_outbox,
        events_outlive_rollback,
        events_after_commit,
        seal_not_checked,
        timer_outside_its_transaction,
        posting_outside_its_transaction,
        only_the_last_version_billed,
        expired_attempt_repeated,
        lease_counted_from_the_act,
    )
}
