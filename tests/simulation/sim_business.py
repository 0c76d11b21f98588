"""A small hospital for the simulator: charged → coded → billed → paid → posted, in integer cents.

Effects have no uniqueness of their own in the database: nothing but the chassis keeps them from happening twice.
Whatever a handler writes follows from its event alone, so every interleaving must end alike.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from revcycle_events import Clear, Clinical, Event
from revcycle_messaging import Cause, Permanent, Received, Retryable, UnitOfWork
from revcycle_messaging.testing import START, TENANT
from revcycle_money import JournalEntry, allocate, journal_of, transfer
from revcycle_service_kit.jobs import Job, JobKind, JobResult, Prepared
from revcycle_service_kit.timers import DueTimer
from sim_machine import Machine

FOLLOW_UP: Final = timedelta(hours=3)
FAR: Final = timedelta(days=900)
SHARES: Final = (61, 24, 15)
"""What of a line is paid, contractual and the patient's."""

TABLES: Final = """
CREATE SCHEMA simulation;
CREATE TABLE simulation.request (encounter_id text, version integer, PRIMARY KEY (encounter_id, version));
CREATE TABLE simulation.coding (encounter_id text PRIMARY KEY, version integer, line_cents text);
CREATE TABLE simulation.claim (claim_id text PRIMARY KEY, version integer, line_cents text);
CREATE TABLE simulation.entry (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, journal_id uuid, claim_id text, line integer,
    account text, cents integer);
CREATE TABLE simulation.follow_up (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, aggregate text, due_at timestamptz,
    fired_at timestamptz);
CREATE TABLE simulation.effect (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, consumer text, topic text, key text, sequence bigint,
    event_id uuid);
"""
BUSINESS_TABLES: Final = ("request", "coding", "claim", "entry", "follow_up", "effect")


class Charged(
    Event, type="revcycle.testing.SimulatedCharged.v1", topic="revcycle.simulated-encounters.v1", key="encounter_id"
):
    """An encounter was documented, or amended: its version and the charge per line."""

    encounter_id: Clear[str]
    version: Clear[int]
    line_cents: Clear[tuple[int, ...]]
    code: Clinical[str] = "G0463"


class Coded(
    Event, type="revcycle.testing.SimulatedCoded.v1", topic="revcycle.simulated-codings.v1", key="encounter_id"
):
    """It was coded: the charge spread over the coded lines."""

    encounter_id: Clear[str]
    version: Clear[int]
    line_cents: Clear[tuple[int, ...]]


class Billed(Event, type="revcycle.testing.SimulatedBilled.v1", topic="revcycle.simulated-claims.v1", key="claim_id"):
    """A claim, or its replacement: then with the charges it replaces."""

    claim_id: Clear[str]
    version: Clear[int]
    line_cents: Clear[tuple[int, ...]]
    replaced_cents: Clear[tuple[int, ...]]


class Paid(Event, type="revcycle.testing.SimulatedPaid.v1", topic="revcycle.simulated-payments.v1", key="claim_id"):
    """The payer's answer; what it paid for the replaced claim is taken back."""

    claim_id: Clear[str]
    version: Clear[int]
    line_cents: Clear[tuple[int, ...]]
    replaced_cents: Clear[tuple[int, ...]]


class FollowedUp(
    Event, type="revcycle.testing.SimulatedFollowedUp.v1", topic="revcycle.simulated-follow-ups.v1", key="aggregate"
):
    """A timer came due."""

    aggregate: Clear[str]
    due_at: Clear[datetime]


@dataclass(frozen=True, slots=True)
class Write:
    """One producing transaction: a version of an encounter."""

    encounter_id: str
    version: int
    line_cents: tuple[int, ...]
    at: datetime

    @property
    def cause(self) -> Cause:
        """The request it stands for; the same whenever it is tried."""
        number = int(self.encounter_id[1:]) * 1000 + self.version
        return Cause(TENANT, UUID(int=number), self.at, "simulated hospital", self.encounter_id)

    @property
    def event(self) -> Charged:
        """What it publishes."""
        return Charged(encounter_id=self.encounter_id, version=self.version, line_cents=self.line_cents)


Plan = tuple[tuple[Write, ...], ...]
"""Per encounter its versions in order."""


def draw_plan(seed: int) -> Plan:
    """What a seed's hospital does: 2 to 5 encounters of 1 to 4 versions."""
    chance = random.Random(f"plan {seed}")
    return tuple(
        tuple(
            Write(
                f"e{number}",
                version,
                tuple(chance.randint(1, 99_999) for _ in range(chance.randint(1, 3))),
                START + timedelta(minutes=10 * version, seconds=number),
            )
            for version in range(1, chance.randint(1, 4) + 1)
        )
        for number in range(1, chance.randint(2, 5) + 1)
    )


def coded_lines(line_cents: Sequence[int]) -> tuple[int, ...]:
    """The charge of all lines spread over two coded lines; no cent is lost."""
    return tuple(allocate(sum(line_cents), (2, 1)))


def adjudicated(cents: int) -> tuple[int, int, int]:
    """What of a line is paid, contractual and the patient's; together the line."""
    paid, contractual, patient = allocate(cents, SHARES)
    return paid, contractual, patient


def billed_entries(billed: Billed) -> Iterator[JournalEntry]:
    """Receivable against revenue, the replaced charges taken back."""
    for sign, lines in ((-1, billed.replaced_cents), (1, billed.line_cents)):
        for number, cents in enumerate(lines):
            yield from transfer("receivable", "revenue", sign * cents, (billed.claim_id, str(number)))


def paid_entries(paid: Paid) -> Iterator[JournalEntry]:
    """Cash, contractual and patient against receivable, the former answer taken back."""
    for sign, lines in ((-1, paid.replaced_cents), (1, paid.line_cents)):
        for number, line in enumerate(lines):
            for account, cents in zip(("cash", "contractual", "patient"), adjudicated(line), strict=True):
                yield from transfer(account, "receivable", sign * cents, (paid.claim_id, str(number)))


class Poison:
    """Events that fail: ``bad`` per (consumer, encounter) with a mode, or a whole consumer under ``None``."""

    def __init__(self) -> None:
        self.bad: dict[tuple[str, str | None], str] = {}

    def check(self, consumer: str, received: Sequence[Received[Event]]) -> None:
        """Raise what a faulty handler would, after its work and before the commit."""
        for one in received:
            mode = self.bad.get((consumer, one.key.removeprefix("claim-"))) or self.bad.get((consumer, None))
            if mode == "retryable":
                raise Retryable("simulated: not yet")
            if mode == "permanent":
                raise Permanent("simulated: never")
            if mode == "bug":
                raise ValueError("simulated: a bug")


class Hospital:
    """The handlers. ``sent`` is the payer's own log: what really went out, beyond any transaction."""

    def __init__(self, machine: Machine) -> None:
        self.poison = Poison()
        self.sent: list[str] = []
        self.machine = machine
        self.handlers = {
            "coding": {Charged: self.code},
            "claims": {Coded: self.bill},
            "payer": {Billed: self.pay},
            "ledger": {Billed: self.post_billed, Paid: self.post_paid},
        }

    async def note(self, uow: UnitOfWork, consumer: str, received: Sequence[Received[Event]]) -> None:
        """One effect row per event, then whatever is made to fail fails."""
        await uow.execute(
            "INSERT INTO simulation.effect (consumer, topic, key, sequence, event_id) SELECT $1, * FROM"
            " unnest($2::text[], $3::text[], $4::bigint[], $5::uuid[])",
            consumer,
            [one.topic for one in received],
            [one.key for one in received],
            [one.envelope.sequence for one in received],
            [one.envelope.id for one in received],
        )
        self.poison.check(consumer, received)

    async def code(self, uow: UnitOfWork, received: Sequence[Received[Charged]]) -> None:
        """Charged → coded."""
        coded = {}
        for one in received:
            lines = coded_lines(one.event.line_cents)
            made = Coded(encounter_id=one.event.encounter_id, version=one.event.version, line_cents=lines)
            uow.add_event(made, one.cause)
            coded[made.encounter_id] = made
        await upsert(uow, "coding", {key: (made.version, made.line_cents) for key, made in coded.items()})
        await self.note(uow, "coding", received)

    async def bill(self, uow: UnitOfWork, received: Sequence[Received[Coded]]) -> None:
        """Coded → billed, with its follow-up, a far timer that the next version cancels, and its transmission."""
        rows = await uow.fetch(
            "SELECT claim_id, version, line_cents FROM simulation.claim WHERE claim_id = ANY($1) FOR UPDATE",
            [f"claim-{one.event.encounter_id}" for one in received],
        )
        claims = {row["claim_id"]: (row["version"], _cents(row["line_cents"])) for row in rows}
        for one in received:
            coded = one.event
            claim_id = f"claim-{coded.encounter_id}"
            _, replaced = claims.get(claim_id, (0, ()))
            claims[claim_id] = (coded.version, coded.line_cents)
            uow.add_event(
                Billed(claim_id=claim_id, version=coded.version, line_cents=coded.line_cents, replaced_cents=replaced),
                one.cause,
            )
            aggregate = f"{claim_id}/{coded.version}"
            uow.set_timer(aggregate, "follow-up", one.cause.now + FOLLOW_UP)
            uow.set_timer(aggregate, "far", one.cause.now + FAR)
            uow.cancel_timer(f"{claim_id}/{coded.version - 1}", "far")
            run_at = START + timedelta(seconds=coded.version, milliseconds=int(coded.encounter_id[1:]))
            uow.add_job("transmit", one.cause.derive("transmit"), {"claim": aggregate}, one.cause, run_at=run_at)
        await upsert(uow, "claim", claims)
        await self.note(uow, "claims", received)

    async def pay(self, uow: UnitOfWork, received: Sequence[Received[Billed]]) -> None:
        """Billed → paid."""
        for one in received:
            billed = one.event
            uow.add_event(
                Paid(
                    claim_id=billed.claim_id,
                    version=billed.version,
                    line_cents=billed.line_cents,
                    replaced_cents=billed.replaced_cents,
                ),
                one.cause,
            )
        await self.note(uow, "payer", received)

    async def post_billed(self, uow: UnitOfWork, received: Sequence[Received[Billed]]) -> None:
        """Charges into the ledger."""
        await post(uow, {one.envelope.id: billed_entries(one.event) for one in received})
        await self.note(uow, "ledger", received)

    async def post_paid(self, uow: UnitOfWork, received: Sequence[Received[Paid]]) -> None:
        """Payments into the ledger; they may come before the charges they answer."""
        await post(uow, {one.envelope.id: paid_entries(one.event) for one in received})
        await self.note(uow, "ledger", received)

    async def follow_up(self, uow: UnitOfWork, due: Sequence[DueTimer]) -> None:
        """A timer's effect: a row, and an event."""
        await uow.execute(
            "INSERT INTO simulation.follow_up (aggregate, due_at, fired_at)"
            " SELECT aggregate, due_at, $3 FROM unnest($1::text[], $2::timestamptz[]) AS d (aggregate, due_at)",
            [timer.aggregate for timer in due],
            [timer.due_at for timer in due],
            self.machine.now(),
        )
        for timer in due:
            uow.add_event(FollowedUp(aggregate=timer.aggregate, due_at=timer.due_at), timer.cause)


async def upsert(uow: UnitOfWork, table: str, rows: Mapping[str, tuple[int, Sequence[int]]]) -> None:
    """Write version and lines by key."""
    await uow.execute(
        f"INSERT INTO simulation.{table} AS t SELECT * FROM unnest($1::text[], $2::integer[], $3::text[])"
        " ON CONFLICT ON CONSTRAINT " + f"{table}_pkey"
        " DO UPDATE SET version = excluded.version, line_cents = excluded.line_cents",
        list(rows),
        [version for version, _ in rows.values()],
        [",".join(map(str, lines)) for _, lines in rows.values()],
    )


def _cents(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


async def post(uow: UnitOfWork, journals: Mapping[UUID, Iterator[JournalEntry]]) -> None:
    """Write journals; UnbalancedJournal when one is none."""
    rows = [(journal_id, entry) for journal_id, entries in journals.items() for entry in journal_of(entries).entries]
    await uow.execute(
        "INSERT INTO simulation.entry (journal_id, claim_id, line, account, cents)"
        " SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::integer[])",
        [journal_id for journal_id, _ in rows],
        [entry.subject[0] for _, entry in rows],
        [int(entry.subject[1]) for _, entry in rows],
        [entry.account for _, entry in rows],
        [entry.cents for _, entry in rows],
    )


async def write(uow: UnitOfWork, wanted: Write) -> None:
    """A request: nothing happens when it was done before."""
    new = await uow.fetch_value(
        "INSERT INTO simulation.request VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING version",
        *(wanted.encounter_id, wanted.version),
    )
    if new is not None:
        uow.add_event(wanted.event, wanted.cause)


class Transmit(JobKind[Prepared, bool]):
    """An effect outside that must never be repeated: a line in the payer's log."""

    concurrency = 1
    lease_seconds = 30

    def __init__(self, hospital: Hospital) -> None:
        self._hospital = hospital

    async def prepare(self, uow: UnitOfWork, jobs: Sequence[Job], cause: Cause) -> Sequence[Prepared]:
        """One effect per claim, its versions in order."""
        by_claim: dict[str, list[Job]] = {}
        for job in sorted(jobs, key=lambda job: str(job.payload["claim"])):
            by_claim.setdefault(job.payload["claim"].partition("/")[0], []).append(job)
        return [Prepared(tuple(together)) for together in by_claim.values()]

    async def act(self, prepared: Prepared) -> bool:
        """Send; the answer may be lost, or the process die on either side of it."""
        outcome = await self._hospital.machine.seam("transmit")
        self._hospital.sent += [job.payload["claim"] for job in prepared.jobs]
        self._hospital.machine.acts += 1
        if outcome == "lost":
            raise ConnectionError("simulated: no answer")
        await self._hospital.machine.seam("transmitted")
        return True

    async def settle(self, uow: UnitOfWork, prepared: Prepared, outcome: bool, cause: Cause) -> JobResult:
        """It was sent."""
        return JobResult.done()
