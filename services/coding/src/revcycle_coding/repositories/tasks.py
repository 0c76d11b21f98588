"""The coder's worklist: table ``coding.task``."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_coding.domain.coding import Task
from revcycle_coding.domain.decision import Reason
from revcycle_coding.repositories.rows import as_json, columns

if TYPE_CHECKING:
    import asyncpg

_STORED = "id, encounter_id, billing_side, kind, rules, reasons, opened_at, resolved_at, resolution, resolved_by"


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A worklist item with who holds it. A claim lasts until ``lease_until``."""

    task: Task
    claimed_by: str | None
    lease_until: datetime | None


def _task(row: "asyncpg.Record") -> Task:
    return Task(
        id=row["id"],
        encounter_id=row["encounter_id"],
        billing_side=row["billing_side"],
        kind=row["kind"],
        reasons=tuple(Reason(**reason) for reason in row["reasons"]),
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        resolution=row["resolution"],
        resolved_by=row["resolved_by"],
    )


def _listed(row: "asyncpg.Record") -> ListedTask:
    return ListedTask(_task(row), row["claimed_by"], row["lease_until"])


async def open_of(uow: UnitOfWork, encounter_ids: Sequence[UUID], billing_side: str) -> dict[UUID, Task]:
    """Lock the open items of encounters; the codings are locked before."""
    rows = await uow.fetch(
        f"""
        SELECT {_STORED} FROM coding.task
        WHERE encounter_id = ANY($1::uuid[]) AND billing_side = $2 AND resolved_at IS NULL
        ORDER BY encounter_id FOR UPDATE
        """,
        list(encounter_ids),
        billing_side,
    )
    return {row["encounter_id"]: _task(row) for row in rows}


async def store(uow: UnitOfWork, tasks: Sequence[Task]) -> None:
    """Insert new items and replace changed ones; who holds them stays."""
    rows = [
        (
            task.id,
            task.encounter_id,
            task.billing_side,
            task.kind,
            as_json(task.rules),
            as_json(task.reasons),
            task.opened_at,
            task.resolved_at,
            task.resolution,
            task.resolved_by,
        )
        for task in tasks
    ]
    await uow.execute(
        f"""
        INSERT INTO coding.task ({_STORED})
        SELECT id, encounter_id, billing_side, kind, rules::jsonb, reasons::jsonb, opened_at, resolved_at, resolution,
            resolved_by
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                    $8::timestamptz[], $9::text[], $10::text[]) AS u ({_STORED})
        ON CONFLICT (tenant_id, id) DO UPDATE SET
            rules = excluded.rules, reasons = excluded.reasons,
            resolved_at = excluded.resolved_at, resolution = excluded.resolution, resolved_by = excluded.resolved_by
        """,
        *columns(rows, 10),
    )


async def claim_next(uow: UnitOfWork, person: str, now: datetime, lease_until: datetime) -> ListedTask | None:
    """Lease the oldest open item that nobody holds; None when there is none."""
    row = await uow.fetch_row(
        f"""
        UPDATE coding.task SET claimed_by = $1, lease_until = $3
        WHERE tenant_id = current_setting('app.tenant')::uuid AND id = (
            SELECT id FROM coding.task
            WHERE resolved_at IS NULL AND (lease_until IS NULL OR lease_until <= $2)
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING {_STORED}, claimed_by, lease_until
        """,
        person,
        now,
        lease_until,
    )
    return _listed(row) if row else None


async def holder(uow: UnitOfWork, encounter_id: UUID, billing_side: str, now: datetime) -> str | None:
    """Who holds the open item of a coding just now."""
    person: str | None = await uow.fetch_value(
        """
        SELECT claimed_by FROM coding.task
        WHERE encounter_id = $1 AND billing_side = $2 AND resolved_at IS NULL AND lease_until > $3
        """,
        encounter_id,
        billing_side,
        now,
    )
    return person


async def page(
    uow: UnitOfWork, state: Literal["open", "resolved"] | None, after: UUID | None, limit: int
) -> list[ListedTask]:
    """Items, oldest first, from behind ``after``; ``state`` narrows them."""
    # Written out, not passed: a condition in a parameter could not use the index of open items.
    wanted = {None: "", "open": "AND resolved_at IS NULL", "resolved": "AND resolved_at IS NOT NULL"}[state]
    rows = await uow.fetch(
        f"""
        SELECT {_STORED}, claimed_by, lease_until FROM coding.task
        WHERE ($1::uuid IS NULL OR id > $1) {wanted} ORDER BY id LIMIT $2
        """,
        after,
        limit,
    )
    return [_listed(row) for row in rows]


async def search(uow: UnitOfWork, encounter_ids: Sequence[UUID]) -> list[ListedTask]:
    """Every item of the encounters, oldest first."""
    rows = await uow.fetch(
        f"""
        SELECT {_STORED}, claimed_by, lease_until FROM coding.task WHERE encounter_id = ANY($1::uuid[]) ORDER BY id
        """,
        list(encounter_ids),
    )
    return [_listed(row) for row in rows]
