"""The seams themselves: the real PostgreSQL and the memory broker, with a wait and a possible fault in front."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from revcycle_messaging import Database, KeyRing, Transient
from revcycle_messaging.transports import IncomingRecord, OutgoingRecord, TopicPartition
from revcycle_messaging.transports.memory import MemoryBroker, MemoryConsumer, MemoryProducer, MemoryTransport
from sim_machine import Crash, Machine

PARTITIONS = 5


class Connections:
    """Real connections to one database, kept from run to run."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self._free: list[Any] = []
        self._all: list[Any] = []
        self.keys = real.keys

    async def take(self, machine: Machine) -> Any:
        """A real connection."""
        if self._free:
            return self._free.pop()
        made = await machine.outside(lambda: self._real.direct_connection("simulation"))
        await machine.outside(lambda: made.execute("SET synchronous_commit = off"))
        self._all.append(made)
        return made

    def give_back(self, connection: Any) -> None:
        """Done with it."""
        self._free.append(connection)

    async def close(self) -> None:
        """Close all."""
        for connection in self._all:
            connection.terminate()
        await self._real.close()


class SimulatedTransaction:
    """A transaction: consumers and workers wait before it, writers before its commit."""

    def __init__(self, connection: "SimulatedConnection", real: Any) -> None:
        self._connection = connection
        self._machine = connection.machine
        self.real = real

    async def start(self) -> None:
        """BEGIN."""
        if not self._connection.of_writer:
            await self._machine.seam("begin")
        await self._connection.run(self.real.start)
        self._connection.transaction_in_hand = self

    async def commit(self) -> None:
        """COMMIT, or what became of it."""
        if self._connection.of_writer:
            await self._machine.seam("commit")
        fault = self._machine.take_commit_fault()
        if fault == "lost":
            raise asyncpg.ConnectionDoesNotExistError("simulated: lost before the commit")
        self._connection.transaction_in_hand = None
        self._machine.acts += 1
        await self._machine.outside(self.real.commit)
        if fault == "unanswered":
            raise asyncpg.ConnectionDoesNotExistError("simulated: lost after the commit")

    async def rollback(self) -> None:
        """ROLLBACK."""
        self._connection.transaction_in_hand = None
        await self._machine.outside(self.real.rollback)

    async def __aenter__(self) -> None:
        await self._machine.outside(self.real.start)

    async def __aexit__(self, kind: Any, failure: Any, trace: Any) -> None:
        await self._machine.outside(self.real.rollback if kind else self.real.commit)


class SimulatedConnection:
    """A connection whose statements may find it gone. ``waits``: it is a relay's own, with a seam at each statement."""

    def __init__(self, machine: Machine, connections: Connections, real: Any, *, waits: bool) -> None:
        self.machine = machine
        self._connections = connections
        self._real = real
        self._waits = waits
        self._broken = False
        self._closed = False
        self.transaction_in_hand: SimulatedTransaction | None = None

    @property
    def of_writer(self) -> bool:
        """Whether a producing transaction uses it."""
        actor = self.machine.current
        return actor is None or actor.name.startswith("writer")

    async def run(self, act: Any, *arguments: Any) -> Any:
        """One statement."""
        if self._broken or self.machine.statement_fails():
            raise asyncpg.ConnectionDoesNotExistError("simulated: the connection is gone")
        return await self.machine.outside(lambda: act(*arguments))

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """As asyncpg."""
        if self._waits:
            await self.machine.seam("read")
        rows = await self.run(self._real.fetch, self.machine.rewrite(sql), *arguments)
        return self.machine.sift(sql, rows)

    async def execute(self, sql: str, *arguments: Any) -> Any:
        """As asyncpg."""
        if self._waits and "archive" in sql and "DELETE" in sql:
            await self.machine.seam("archive")
            self.machine.acts += 1
        return await self.run(self._real.execute, sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """As asyncpg."""
        return await self.run(self._real.fetchrow, sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """As asyncpg."""
        return await self.run(self._real.fetchval, sql, *arguments)

    def transaction(self, **options: Any) -> SimulatedTransaction:
        """As asyncpg."""
        return SimulatedTransaction(self, self._real.transaction(**options))

    async def sever(self) -> None:
        """The server ends the session: its locks are free, its holder has not noticed yet."""
        self._broken = True
        await self.machine.outside(lambda: self._real.execute("SELECT pg_advisory_unlock_all()"))

    async def let_go(self) -> None:
        """Back to the free ones, clean."""
        if self._closed:
            return
        self._closed = True
        if self.transaction_in_hand is not None:
            await self.transaction_in_hand.rollback()
        if self._waits:
            await self.machine.outside(lambda: self._real.execute("SELECT pg_advisory_unlock_all()"))
        self._connections.give_back(self._real)

    async def close(self, timeout: float | None = None) -> None:
        """As asyncpg."""
        await self.let_go()

    def terminate(self) -> None:
        """As asyncpg; ``close`` did it."""


class _Acquired:
    def __init__(self, pool: "SimulatedPool") -> None:
        self._pool = pool
        self._taken: SimulatedConnection | None = None

    def __await__(self) -> Any:
        return self._take().__await__()

    async def _take(self) -> SimulatedConnection:
        real = await self._pool.connections.take(self._pool.machine)
        return SimulatedConnection(self._pool.machine, self._pool.connections, real, waits=False)

    async def __aenter__(self) -> SimulatedConnection:
        self._taken = await self._take()
        return self._taken

    async def __aexit__(self, *_: object) -> None:
        if self._taken is not None:
            await self._taken.let_go()


class SimulatedPool:
    """In place of asyncpg's pool."""

    def __init__(self, machine: Machine, connections: Connections) -> None:
        self.machine = machine
        self.connections = connections

    def acquire(self, timeout: float | None = None) -> _Acquired:
        """As asyncpg."""
        return _Acquired(self)

    async def release(self, connection: SimulatedConnection, timeout: float | None = None) -> None:
        """As asyncpg."""
        await connection.let_go()


class SimulatedDatabase(Database):
    """The real unit of work on simulated connections. ``relays``: the direct connections, by actor."""

    def __init__(self, machine: Machine, connections: Connections, keys: KeyRing) -> None:
        super().__init__(SimulatedPool(machine, connections), "", "simulation", keys)
        self._machine = machine
        self._connections = connections
        self.direct: dict[str, SimulatedConnection] = {}

    async def direct_connection(self, application_name: str) -> Any:
        """A relay's own connection, with seams."""
        real = await self._connections.take(self._machine)
        made = SimulatedConnection(self._machine, self._connections, real, waits=True)
        if self._machine.current is not None:
            self.direct[self._machine.current.name] = made
        return made


class SimulatedTransport(MemoryTransport):
    """The memory transport with seams. ``commits_at_fetch`` and ``believes_every_send`` are planted bugs."""

    def __init__(self, machine: Machine, seed: int) -> None:
        super().__init__(MemoryBroker(PARTITIONS))
        self.machine = machine
        self.shuffle = random.Random(f"shuffle {seed}")
        self.commits_at_fetch = False
        self.believes_every_send = False

    async def producer(self) -> "SimulatedProducer":
        """A producer."""
        return SimulatedProducer(self)

    async def consumer(self, group: str, topics: Sequence[str], member: str) -> "SimulatedConsumer":
        """A new member: the group rebalances."""
        consumer = SimulatedConsumer(self, group, tuple(topics), member)
        self.broker.groups.setdefault(group, []).append(consumer)
        self.broker.rebalance(group)
        return consumer


class SimulatedProducer(MemoryProducer):
    """Outcomes of a send: refused or its acknowledgment lost (from a place on), torn by a crash, connection dropped."""

    def __init__(self, transport: SimulatedTransport) -> None:
        super().__init__(transport.broker)
        self._transport = transport

    async def send(self, records: Sequence[OutgoingRecord]) -> Sequence[bool]:
        """Send as the scheduler has it."""
        acknowledged = await self._send(records)
        return [True] * len(records) if self._transport.believes_every_send else acknowledged

    async def _send(self, records: Sequence[OutgoingRecord]) -> Sequence[bool]:
        machine = self._transport.machine
        outcome, _, text = (await machine.seam("send")).partition(" ")
        machine.acts += 1
        # Never behind the last record: whatever goes wrong, it goes wrong for at least one.
        cut = int(text or 0) % len(records)
        broker = self._transport.broker
        if outcome == "torn":
            await super().send(records[:cut])
            raise Crash
        if outcome == "dropped":
            await super().send(records[:cut])
            raise Transient("simulated: the broker's connection was dropped")
        if outcome == "refused":
            done = list(await super().send(records[:cut]))
            broker.refuse_sends = 1
            done += await super().send(records[cut:])
            broker.refuse_sends = 0
            return done
        if outcome == "unacknowledged":
            broker.lose_acknowledgments = cut + 1
        acknowledged = await super().send(records)
        broker.lose_acknowledgments = 0
        return acknowledged


class SimulatedConsumer(MemoryConsumer):
    """A member that gets its records shuffled across partitions, in order within each."""

    def __init__(self, transport: SimulatedTransport, group: str, topics: tuple[str, ...], member: str) -> None:
        super().__init__(transport.broker, group, topics, member)
        self._transport = transport

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[IncomingRecord]:
        """What there is, when the scheduler says so; never waits."""
        if await self._transport.machine.seam("fetch") == "dropped":
            raise Transient("simulated: the broker's connection was dropped")
        records = await super().fetch(max_records, 0)
        by_place: dict[TopicPartition, list[IncomingRecord]] = {}
        for record in records:
            by_place.setdefault((record.topic, record.partition), []).append(record)
        if self._transport.commits_at_fetch:
            await super().commit({place: taken[-1].offset + 1 for place, taken in by_place.items()})
        order = [place for place, taken in by_place.items() for _ in taken]
        self._transport.shuffle.shuffle(order)
        return [by_place[place].pop(0) for place in order]

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit, unless the scheduler lets it come to nothing."""
        if await self._transport.machine.seam("offsets") == "lost":
            return
        self._transport.machine.acts += 1
        await super().commit(positions)
