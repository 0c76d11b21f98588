"""Work items: what, why, who, until when, how much is at stake."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_claims.repositories.json_rows import as_json


@dataclass(frozen=True, slots=True)
class Task:
    """A work item about a claim, a remittance or a deposit. ``cause`` and ``remedy`` carry no patient data."""

    task_id: UUID
    kind: str
    owner: str
    cause: str
    remedy: str
    subject_type: str
    subject_id: UUID
    claim_id: UUID | None
    due_date: date | None
    money_at_stake_cents: int | None
    opened_at: datetime
    state: str = "open"
    resolution: str | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    version: int = 1


_COLUMNS: Final = (
    "task_id, kind, owner, cause, remedy, subject_type, subject_id, claim_id, due_date, money_at_stake_cents, "
    "opened_at, state, resolution, resolved_by, resolved_at, version"
)
SELECT: Final = f"SELECT {_COLUMNS} FROM claims.task"  # noqa: S608 (column names of this module)


async def open_tasks(uow: UnitOfWork, subject_ids: Iterable[UUID]) -> list[Task]:
    """The open work items of claims, remittances or deposits that are locked, in order."""
    rows = await uow.fetch(
        f"{SELECT} WHERE subject_id = ANY($1) AND state = 'open' ORDER BY task_id", list(subject_ids)
    )
    return [Task(**dict(row)) for row in rows]


async def read_task(uow: UnitOfWork, task_id: UUID) -> Task | None:
    """One work item, without a lock."""
    row = await uow.fetch_row(f"{SELECT} WHERE task_id = $1", task_id)
    return Task(**dict(row)) if row else None


async def lock_task(uow: UnitOfWork, task_id: UUID) -> Task | None:
    """One work item, locked."""
    row = await uow.fetch_row(f"{SELECT} WHERE task_id = $1 FOR UPDATE", task_id)
    return Task(**dict(row)) if row else None


async def lock_remittance_tasks(uow: UnitOfWork, claim_ids: Iterable[UUID]) -> None:
    """Lock the open work items on remittances of which something waits for these claims, in the order of their ids."""
    await uow.execute(
        """
        SELECT 1 FROM claims.task WHERE state = 'open' AND subject_id IN (
            SELECT remittance_id FROM claims.remitted_claim WHERE claim_id = ANY($1) AND state <> 'posted')
        ORDER BY task_id FOR UPDATE
        """,
        list(claim_ids),
    )


async def write_tasks(uow: UnitOfWork, tasks: Sequence[Task]) -> None:
    """Insert or replace work items, in the order of their ids."""
    await uow.execute(
        """
        INSERT INTO claims.task (task_id, kind, owner, cause, remedy, subject_type, subject_id, claim_id, due_date,
            money_at_stake_cents, opened_at, state, resolution, resolved_by, resolved_at, version)
        SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS w (task_id uuid, kind text, owner text, cause text,
            remedy text, subject_type text, subject_id uuid, claim_id uuid, due_date date,
            money_at_stake_cents bigint, opened_at timestamptz, state text, resolution text, resolved_by text,
            resolved_at timestamptz, version integer)
        ORDER BY task_id
        ON CONFLICT (tenant_id, task_id) DO UPDATE SET cause = excluded.cause, remedy = excluded.remedy,
            owner = excluded.owner, money_at_stake_cents = excluded.money_at_stake_cents, state = excluded.state,
            resolution = excluded.resolution, resolved_by = excluded.resolved_by, resolved_at = excluded.resolved_at,
            version = excluded.version
        """,
        as_json(tasks),
    )
