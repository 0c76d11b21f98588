"""Coverages: table ``registration.coverage``. Rows change only under the lock of their patient."""

# ruff: noqa: S608 - what is put into the statements are column lists of this module, never values.

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_registration.domain.coverage import Coverage, Policy, Subscriber
from revcycle_registration.repositories.rows import as_json, columns

if TYPE_CHECKING:
    import asyncpg

_COLUMNS = (
    "id, patient_id, rank, payer_id, member_id, group_number, relationship, effective_from, effective_to, subscriber"
)


def _coverage(row: "asyncpg.Record") -> Coverage:
    holder = row["subscriber"]
    return Coverage(
        id=row["id"],
        patient_id=row["patient_id"],
        policy=Policy(
            rank=row["rank"],
            payer_id=row["payer_id"],
            member_id=row["member_id"],
            group_number=row["group_number"],
            relationship=row["relationship"],
            effective_from=row["effective_from"],
            effective_to=row["effective_to"],
            subscriber=_subscriber(holder) if holder else None,
        ),
    )


def _subscriber(stored: dict[str, str | None]) -> Subscriber:
    born = stored["birth_date"]
    return Subscriber(
        last_name=stored["last_name"] or "",
        first_name=stored["first_name"] or "",
        birth_date=date.fromisoformat(born) if born else None,
        sex=stored["sex"],
    )


def _row(coverage: Coverage) -> tuple[object, ...]:
    policy = coverage.policy
    return (
        coverage.id,
        coverage.patient_id,
        policy.rank,
        policy.payer_id,
        policy.member_id,
        policy.group_number,
        policy.relationship,
        policy.effective_from,
        policy.effective_to,
        as_json(asdict(policy.subscriber)) if policy.subscriber else None,
    )


async def of_patients(uow: UnitOfWork, patient_ids: Sequence[UUID]) -> list[Coverage]:
    """Every coverage of the patients, oldest first."""
    rows = await uow.fetch(
        f"SELECT {_COLUMNS} FROM registration.coverage WHERE patient_id = ANY($1::uuid[]) ORDER BY id",
        list(patient_ids),
    )
    return [_coverage(row) for row in rows]


async def store(uow: UnitOfWork, coverages: Sequence[Coverage]) -> None:
    """Insert new coverages and replace corrected ones."""
    await uow.execute(
        f"""
        INSERT INTO registration.coverage AS c ({_COLUMNS})
        SELECT id, patient_id, rank, payer_id, member_id, group_number, relationship, effective_from, effective_to,
               subscriber::jsonb
        FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::date[], $9::date[], $10::text[]) AS u ({_COLUMNS})
        ON CONFLICT (tenant_id, id) DO UPDATE SET
            rank = excluded.rank, group_number = excluded.group_number, relationship = excluded.relationship,
            effective_from = excluded.effective_from, effective_to = excluded.effective_to,
            subscriber = excluded.subscriber
        """,
        *columns([_row(coverage) for coverage in coverages], 10),
    )
