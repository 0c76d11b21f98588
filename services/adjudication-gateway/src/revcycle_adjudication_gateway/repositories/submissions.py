"""Submissions: what claims decided to send, and how far each has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record
from revcycle_events import ClaimLine, ClaimSubmitted
from revcycle_messaging import UnitOfWork

from revcycle_adjudication_gateway.domain.submission import Answer, Sending, Submission
from revcycle_adjudication_gateway.repositories.paging import select_page

_COLUMNS = """
    submission_id, claim_id, encounter_id, payer_id, patient_control_number, frequency, submitted_sequence, sending,
    answer, interchange_id, absent_attempt, payer_claim_control_number
"""


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """What a ClaimSubmitted event says, with the place of that event in its stream."""

    claim: ClaimSubmitted
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Located:
    """Where a submission is found: by which numbers, in which interchange."""

    submission_id: UUID
    interchange_id: UUID | None
    patient_control_number: str
    payer_claim_control_number: str | None


async def insert_queued(uow: UnitOfWork, new: Sequence[NewSubmission]) -> set[UUID]:
    """Queue submissions; returns the ids that are known afterwards. Missing: CLM01 and frequency went out before."""
    await uow.execute(
        """
        INSERT INTO gateway.submission (submission_id, claim_id, encounter_id, payer_id, patient_control_number,
            frequency, charge_cents, claim, submitted_sequence, submitted_at, sending, answer, updated_at)
        SELECT submission_id, claim_id, encounter_id, payer_id, patient_control_number,
            frequency, charge_cents, claim::jsonb, submitted_sequence, submitted_at, 'queued', 'none', submitted_at
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                $9::bigint[], $10::timestamptz[])
            AS new (submission_id, claim_id, encounter_id, payer_id, patient_control_number, frequency, charge_cents,
                claim, submitted_sequence, submitted_at)
        ON CONFLICT DO NOTHING
        """,
        [each.claim.submission_id for each in new],
        [each.claim.claim_id for each in new],
        [each.claim.encounter_id for each in new],
        [each.claim.payer_id for each in new],
        [each.claim.patient_control_number for each in new],
        [each.claim.frequency for each in new],
        [each.claim.charge_cents for each in new],
        [each.claim.model_dump_json() for each in new],
        [each.sequence for each in new],
        [each.at for each in new],
    )
    rows = await uow.fetch(
        "SELECT submission_id FROM gateway.submission WHERE submission_id = ANY($1::uuid[])",
        [each.claim.submission_id for each in new],
    )
    return {row["submission_id"] for row in rows}


async def take_queued(
    uow: UnitOfWork, payer_id: str, *, limit: int, flush_before: datetime
) -> list[tuple[Submission, ClaimSubmitted]]:
    """Lock the oldest queued submissions of a route: a full batch, or what there is once the oldest waited enough.

    Rows another worker holds are passed over.
    """
    rows = await uow.fetch(
        f"""
        WITH head AS (
            SELECT submitted_at FROM gateway.submission
            WHERE sending = 'queued' AND payer_id = $1 ORDER BY submitted_at, submission_id LIMIT $2
        )
        SELECT {_COLUMNS}, claim FROM gateway.submission
        WHERE sending = 'queued' AND payer_id = $1
            AND (SELECT count(*) = $2 OR min(submitted_at) <= $3 FROM head)
        ORDER BY submitted_at, submission_id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - constant column list
        payer_id,
        limit,
        flush_before,
    )
    return [(submission_of(row), ClaimSubmitted.model_validate(row["claim"])) for row in rows]


async def lock_by_interchange(uow: UnitOfWork, interchange_ids: Sequence[UUID]) -> list[Submission]:
    """Lock the submissions of these interchanges, whose rows the caller has locked, in one order for everybody."""
    rows = await uow.fetch(
        f"""
        SELECT {_COLUMNS} FROM gateway.submission WHERE interchange_id = ANY($1::uuid[])
        ORDER BY submission_id FOR UPDATE
        """,  # noqa: S608
        list(interchange_ids),
    )
    return [submission_of(row) for row in rows]


async def lock(uow: UnitOfWork, submission_ids: Sequence[UUID]) -> list[Submission]:
    """Lock submissions by id."""
    rows = await uow.fetch(
        f"""
        SELECT {_COLUMNS} FROM gateway.submission WHERE submission_id = ANY($1::uuid[])
        ORDER BY submission_id FOR UPDATE
        """,  # noqa: S608
        list(submission_ids),
    )
    return [submission_of(row) for row in rows]


async def locate(
    uow: UnitOfWork, payer_id: str, *, numbers: Sequence[str], payer_numbers: Sequence[str]
) -> list[Located]:
    """Submissions to a payer by CLM01 or by the payer's own claim number, oldest first."""
    rows = await uow.fetch(
        """
        SELECT submission_id, interchange_id, patient_control_number, payer_claim_control_number
        FROM gateway.submission
        WHERE payer_id = $1
            AND (patient_control_number = ANY($2::text[]) OR payer_claim_control_number = ANY($3::text[]))
        ORDER BY submitted_at, submission_id
        """,
        payer_id,
        list(numbers),
        list(payer_numbers),
    )
    return [
        Located(
            row["submission_id"],
            row["interchange_id"],
            row["patient_control_number"],
            row["payer_claim_control_number"],
        )
        for row in rows
    ]


async def homes(uow: UnitOfWork, submission_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """The interchange each submission is in (None: in none yet); unknown ids are left out."""
    rows = await uow.fetch(
        "SELECT submission_id, interchange_id FROM gateway.submission WHERE submission_id = ANY($1::uuid[])",
        list(submission_ids),
    )
    return {row["submission_id"]: row["interchange_id"] for row in rows}


async def payers(uow: UnitOfWork, submission_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The payer of each submission; unknown ids are left out."""
    rows = await uow.fetch(
        "SELECT submission_id, payer_id FROM gateway.submission WHERE submission_id = ANY($1::uuid[])",
        list(submission_ids),
    )
    return {row["submission_id"]: row["payer_id"] for row in rows}


async def claims(uow: UnitOfWork, submission_ids: Sequence[UUID]) -> dict[UUID, ClaimSubmitted]:
    """What was submitted, by submission."""
    rows = await uow.fetch(
        "SELECT submission_id, claim FROM gateway.submission WHERE submission_id = ANY($1::uuid[])",
        list(submission_ids),
    )
    return {row["submission_id"]: ClaimSubmitted.model_validate(row["claim"]) for row in rows}


async def lines(uow: UnitOfWork, submission_ids: Sequence[UUID]) -> dict[UUID, list[ClaimLine]]:
    """The submitted lines only, by submission."""
    rows = await uow.fetch(
        """
        SELECT submission_id, claim -> 'lines' AS lines FROM gateway.submission
        WHERE submission_id = ANY($1::uuid[])
        """,
        list(submission_ids),
    )
    return {row["submission_id"]: [ClaimLine.model_validate(line) for line in row["lines"]] for row in rows}


async def billing_numbers(uow: UnitOfWork, interchange_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """NPI and tax id of the billing provider, by submission, for the submissions of these interchanges."""
    rows = await uow.fetch(
        """
        SELECT submission_id, claim #>> '{billing_provider,npi}' AS npi, claim #>> '{billing_provider,tax_id}' AS tax_id
        FROM gateway.submission WHERE interchange_id = ANY($1::uuid[])
        """,
        list(interchange_ids),
    )
    return {row["submission_id"]: frozenset({row["npi"], row["tax_id"]}) for row in rows}


async def save(uow: UnitOfWork, changed: Sequence[Submission], *, at: datetime) -> None:
    """Write back what a decision changed."""
    if not changed:
        return
    await uow.execute(
        """
        UPDATE gateway.submission AS s SET sending = new.sending, answer = new.answer,
            interchange_id = new.interchange_id, absent_attempt = new.absent_attempt,
            payer_claim_control_number = new.payer_claim_control_number, updated_at = $7
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::integer[], $6::text[])
            AS new (submission_id, sending, answer, interchange_id, absent_attempt, payer_claim_control_number)
        WHERE s.submission_id = new.submission_id
        """,
        [each.submission_id for each in changed],
        [each.sending.value for each in changed],
        [each.answer.value for each in changed],
        [each.interchange_id for each in changed],
        [each.absent_attempt for each in changed],
        [each.payer_claim_control_number for each in changed],
        at,
    )


async def page(uow: UnitOfWork, filters: Mapping[str, object], *, after: UUID | None, limit: int) -> list[Record]:
    """Submissions by filter (column name to value), newest first; without the claim itself."""
    return await select_page(
        uow,
        f"SELECT {_COLUMNS}, charge_cents, submitted_at, updated_at FROM gateway.submission",  # noqa: S608
        order="submission_id",
        order_type="uuid",
        filters=filters,
        after=after,
        limit=limit,
    )


async def get(uow: UnitOfWork, submission_id: UUID) -> Record | None:
    """One submission as a row, without the claim itself."""
    return await uow.fetch_row(
        f"""
        SELECT {_COLUMNS}, charge_cents, submitted_at, updated_at FROM gateway.submission WHERE submission_id = $1
        """,  # noqa: S608
        submission_id,
    )


def submission_of(row: Record) -> Submission:
    """A row as the domain knows it."""
    return Submission(
        submission_id=row["submission_id"],
        claim_id=row["claim_id"],
        encounter_id=row["encounter_id"],
        payer_id=row["payer_id"],
        patient_control_number=row["patient_control_number"],
        frequency=row["frequency"],
        submitted_sequence=row["submitted_sequence"],
        sending=Sending(row["sending"]),
        answer=Answer(row["answer"]),
        interchange_id=row["interchange_id"],
        absent_attempt=row["absent_attempt"],
        payer_claim_control_number=row["payer_claim_control_number"],
    )
