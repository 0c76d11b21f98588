"""Interchanges both ways: raw bytes with their SHA-256, control numbers, attempts to deliver, and what was found."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from revcycle_messaging import UnitOfWork

from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import Outcome, Sending, Submission, Transmission
from revcycle_adjudication_gateway.repositories import submissions
from revcycle_adjudication_gateway.repositories.paging import select_page

CLAIMS_837P = "837P"
INQUIRY_276 = "276"

_SHOWN = """
    interchange_id, arrival, direction, kind, payer_id, state, sha256, size_bytes, sender_id, receiver_id,
    control_number, group_control_number, batch_reference, claim_count, attempt, inquiries, copies, source, finding,
    created_at, updated_at
"""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A rendered interchange about to leave on a route."""

    interchange_id: UUID
    kind: str
    route: Route
    raw: bytes
    control_number: int
    batch_reference: str
    claim_count: int

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, hex."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Inbound:
    """Bytes that came from a payer's mailbox or from an operator."""

    interchange_id: UUID
    payer_id: str
    raw: bytes
    source: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """An inbound interchange as stored. ``copies`` counts how often these bytes came."""

    interchange_id: UUID
    state: str
    copies: int


@dataclass(frozen=True, slots=True)
class Unread:
    """An inbound interchange that waits to be read."""

    interchange_id: UUID
    payer_id: str
    received_at: datetime
    raw: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt that is committed: these bytes are to leave now, before ``lease_until``."""

    interchange_id: UUID
    kind: str
    payer_id: str
    attempt: int
    raw: bytes
    lease_until: datetime


async def insert_outbound(uow: UnitOfWork, new: Outbound, *, at: datetime, lease_until: datetime) -> Delivery:
    """Store an interchange with the intent to deliver it: its first attempt, committed before the first byte."""
    await uow.execute(
        """
        INSERT INTO gateway.interchange (interchange_id, direction, kind, payer_id, state, sha256, raw, size_bytes,
            sender_id, receiver_id, control_number, group_control_number, batch_reference, claim_count, source,
            created_at, updated_at)
        VALUES ($1, 'out', $2, $3, 'intent', $4, $5, $6, $7, $8, $9, $9, $10, $11, 'gateway', $12, $12)
        """,
        new.interchange_id,
        new.kind,
        new.route.payer_id,
        new.sha256,
        new.raw,
        len(new.raw),
        new.route.sender_id,
        new.route.receiver_id,
        new.control_number,
        new.batch_reference,
        new.claim_count,
        at,
    )
    return await begin_attempt(
        uow, new.interchange_id, new.kind, new.route, attempt=1, raw=new.raw, at=at, lease_until=lease_until
    )


async def begin_attempt(
    uow: UnitOfWork,
    interchange_id: UUID,
    kind: str,
    route: Route,
    *,
    attempt: int,
    raw: bytes,
    at: datetime,
    lease_until: datetime,
) -> Delivery:
    """Commit to an attempt: it is under way until its outcome is written or its lease runs out."""
    await uow.execute(
        """
        UPDATE gateway.interchange SET state = 'intent', attempt = $2, lease_until = $3, next_at = $3, updated_at = $4
        WHERE interchange_id = $1
        """,
        interchange_id,
        attempt,
        lease_until,
        at,
    )
    await uow.execute(
        "INSERT INTO gateway.attempt (interchange_id, attempt, base_url, at) VALUES ($1, $2, $3, $4)",
        interchange_id,
        attempt,
        route.base_url,
        at,
    )
    return Delivery(interchange_id, kind, route.payer_id, attempt, raw, lease_until)


async def settle_attempt(
    uow: UnitOfWork,
    interchange_id: UUID,
    attempt: int,
    *,
    outcome: Outcome,
    http_status: int | None,
    detail: str,
    at: datetime,
) -> None:
    """Write what an attempt came to; the first word stands."""
    await uow.execute(
        """
        UPDATE gateway.attempt SET outcome = $3, http_status = $4, detail = $5, settled_at = $6
        WHERE interchange_id = $1 AND attempt = $2 AND outcome IS NULL
        """,
        interchange_id,
        attempt,
        outcome.value,
        http_status,
        detail,
        at,
    )


async def set_state(
    uow: UnitOfWork, interchange_id: UUID, state: Sending, *, next_at: datetime | None, at: datetime
) -> None:
    """Move an outbound interchange. ``next_at``: when somebody has to look at it again."""
    await uow.execute(
        """
        UPDATE gateway.interchange SET state = $2, next_at = $3, lease_until = NULL, updated_at = $4
        WHERE interchange_id = $1
        """,
        interchange_id,
        state.value,
        next_at,
        at,
    )


async def take_resendable(uow: UnitOfWork, payer_id: str, now: datetime) -> Record | None:
    """Lock one interchange of a route that is definitely not sent and due to go again, with its bytes."""
    return await uow.fetch_row(
        """
        SELECT interchange_id, raw FROM gateway.interchange
        WHERE direction = 'out' AND kind = '837P' AND state = 'not_sent' AND payer_id = $1 AND next_at <= $2
        ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        payer_id,
        now,
    )


async def due(uow: UnitOfWork, state: Sending, now: datetime, *, kind: str, limit: int) -> list[tuple[UUID, int, int]]:
    """Lock outbound interchanges in a state whose time has come: id, attempt, inquiries so far."""
    rows = await uow.fetch(
        """
        SELECT interchange_id, attempt, inquiries FROM gateway.interchange
        WHERE direction = 'out' AND kind = $1 AND state = $2 AND next_at <= $3
        ORDER BY interchange_id LIMIT $4 FOR UPDATE SKIP LOCKED
        """,
        kind,
        state.value,
        now,
        limit,
    )
    return [(row["interchange_id"], row["attempt"], row["inquiries"]) for row in rows]


async def count_inquiry(uow: UnitOfWork, interchange_id: UUID, *, next_at: datetime) -> None:
    """One more inquiry about an interchange; the next is due at ``next_at`` unless an answer comes."""
    await uow.execute(
        "UPDATE gateway.interchange SET inquiries = inquiries + 1, next_at = $2 WHERE interchange_id = $1",
        interchange_id,
        next_at,
    )


async def lock_transmissions(uow: UnitOfWork, interchange_ids: Collection[UUID]) -> dict[UUID, Transmission]:
    """Lock outbound 837 interchanges, then their submissions: the same order everywhere, so nobody waits crosswise."""
    if not interchange_ids:
        return {}
    rows = await uow.fetch(
        """
        SELECT interchange_id, payer_id, control_number, sha256, state, attempt FROM gateway.interchange
        WHERE interchange_id = ANY($1::uuid[]) AND direction = 'out' AND kind = $2
        ORDER BY interchange_id FOR UPDATE
        """,
        list(interchange_ids),
        CLAIMS_837P,
    )
    members: dict[UUID | None, list[Submission]] = {}
    for member in await submissions.lock_by_interchange(uow, [row["interchange_id"] for row in rows]):
        members.setdefault(member.interchange_id, []).append(member)
    return {
        row["interchange_id"]: Transmission(
            interchange_id=row["interchange_id"],
            payer_id=row["payer_id"],
            control_number=f"{row['control_number']:09d}",
            sha256=row["sha256"],
            state=Sending(row["state"]),
            attempt=row["attempt"],
            submissions=tuple(members.get(row["interchange_id"], ())),
        )
        for row in rows
    }


async def find_outbound(
    uow: UnitOfWork,
    payer_id: str,
    *,
    control_numbers: Sequence[int],
    group_control_numbers: Sequence[int],
    batch_references: Sequence[str],
) -> list[Record]:
    """What we sent to a payer under these numbers (ISA13, GS06, BHT03), oldest first."""
    return await uow.fetch(
        """
        SELECT interchange_id, kind, sender_id, receiver_id, control_number, group_control_number, batch_reference
        FROM gateway.interchange
        WHERE direction = 'out' AND payer_id = $1 AND (control_number = ANY($2::integer[])
            OR group_control_number = ANY($3::integer[]) OR batch_reference = ANY($4::text[]))
        ORDER BY arrival
        """,
        payer_id,
        list(control_numbers),
        list(group_control_numbers),
        list(batch_references),
    )


async def insert_inbound(uow: UnitOfWork, came: Sequence[Inbound]) -> list[Stored]:
    """Keep what came, in its order; bytes that came before on the same route only count one copy more."""
    stored = []
    for each in came:
        row = await uow.fetch_row(
            """
            INSERT INTO gateway.interchange AS kept (interchange_id, direction, kind, payer_id, state, sha256, raw,
                size_bytes, source, next_at, created_at, updated_at)
            VALUES ($1, 'in', 'unread', $2, 'received', $3, $4, $5, $6, $7, $7, $7)
            ON CONFLICT (tenant_id, payer_id, sha256) WHERE direction = 'in'
                DO UPDATE SET copies = kept.copies + 1, updated_at = excluded.updated_at
            RETURNING interchange_id, state, copies
            """,
            each.interchange_id,
            each.payer_id,
            hashlib.sha256(each.raw).hexdigest(),
            each.raw,
            len(each.raw),
            each.source,
            each.received_at,
        )
        assert row is not None, "an upsert returns its row"
        stored.append(Stored(row["interchange_id"], row["state"], row["copies"]))
    return stored


async def next_unread(uow: UnitOfWork, now: datetime) -> Unread | None:
    """The oldest inbound interchange that waits to be read; what failed before waits its turn."""
    row = await uow.fetch_row(
        """
        SELECT interchange_id, payer_id, created_at, raw FROM gateway.interchange
        WHERE direction = 'in' AND state = 'received' AND next_at <= $1 ORDER BY arrival LIMIT 1
        """,
        now,
    )
    return Unread(row["interchange_id"], row["payer_id"], row["created_at"], bytes(row["raw"])) if row else None


async def lock_unread(uow: UnitOfWork, interchange_id: UUID) -> bool:
    """Lock an inbound interchange; False when somebody has read it meanwhile."""
    found = await uow.fetch_value(
        """
        SELECT true FROM gateway.interchange
        WHERE interchange_id = $1 AND direction = 'in' AND state = 'received' FOR UPDATE
        """,
        interchange_id,
    )
    return bool(found)


async def finish_inbound(
    uow: UnitOfWork,
    interchange_id: UUID,
    *,
    state: str,
    kind: str,
    control_number: int | None,
    finding: Mapping[str, Any] | None,
    at: datetime,
) -> None:
    """Write what an inbound interchange turned out to be."""
    await uow.execute(
        """
        UPDATE gateway.interchange SET state = $2, kind = $3, control_number = $4, finding = $5, next_at = NULL,
            updated_at = $6
        WHERE interchange_id = $1
        """,
        interchange_id,
        state,
        kind,
        control_number,
        finding,
        at,
    )


async def count_failure(uow: UnitOfWork, interchange_id: UUID) -> int:
    """Reading an inbound interchange failed on our side: count it and return the count."""
    failures = await uow.fetch_value(
        "UPDATE gateway.interchange SET attempt = attempt + 1 WHERE interchange_id = $1 RETURNING attempt",
        interchange_id,
    )
    return int(failures)


async def postpone(uow: UnitOfWork, interchange_id: UUID, *, next_at: datetime) -> None:
    """Read an inbound interchange later, so that nothing behind it waits."""
    await uow.execute(
        "UPDATE gateway.interchange SET next_at = $2 WHERE interchange_id = $1 AND state = 'received'",
        interchange_id,
        next_at,
    )


async def page(uow: UnitOfWork, filters: Mapping[str, object], *, after: int | None, limit: int) -> list[Record]:
    """Interchanges by filter (column name to value), newest first; without the bytes."""
    return await select_page(
        uow,
        f"SELECT {_SHOWN} FROM gateway.interchange",  # noqa: S608
        order="arrival",
        order_type="bigint",
        filters=filters,
        after=after,
        limit=limit,
    )


async def get(uow: UnitOfWork, interchange_id: UUID) -> Record | None:
    """One interchange as a row, without the bytes."""
    return await uow.fetch_row(
        f"SELECT {_SHOWN} FROM gateway.interchange WHERE interchange_id = $1",  # noqa: S608
        interchange_id,
    )


async def attempts(uow: UnitOfWork, interchange_id: UUID) -> list[Record]:
    """The attempts to deliver an interchange, in order."""
    return await uow.fetch(
        """
        SELECT attempt, base_url, at, outcome, http_status, detail, settled_at FROM gateway.attempt
        WHERE interchange_id = $1 ORDER BY attempt
        """,
        interchange_id,
    )


async def raw(uow: UnitOfWork, interchange_id: UUID) -> bytes | None:
    """The bytes of an interchange as they left or came."""
    value = await uow.fetch_value("SELECT raw FROM gateway.interchange WHERE interchange_id = $1", interchange_id)
    return None if value is None else bytes(value)
