"""The append-only ledger, and the books of claims read from it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.book import Answer, Book, Posted
from revcycle_claims.domain.ledger import Journal, LineMoney


async def add_journals(uow: UnitOfWork, journals: Sequence[Journal]) -> None:
    """Append balanced journals. A journal id that exists is a programming error and is refused by the database."""
    await uow.execute(
        """
        INSERT INTO claims.journal (journal_id, kind, posted_at, claim_id, remittance_id, deposit_id, reverses)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[])
        """,
        [journal.journal_id for journal in journals],
        [journal.kind for journal in journals],
        [journal.posted_at for journal in journals],
        [journal.claim_id for journal in journals],
        [journal.remittance_id for journal in journals],
        [journal.deposit_id for journal in journals],
        [journal.reverses for journal in journals],
    )
    rows = [(journal, number, entry) for journal in journals for number, entry in enumerate(journal.entries, start=1)]
    await uow.execute(
        """
        INSERT INTO claims.entry (journal_id, entry_number, account, cents, claim_id, line_number, remittance_id,
            deposit_id, adjustment_group, carc)
        SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bigint[], $5::uuid[], $6::integer[],
            $7::uuid[], $8::uuid[], $9::text[], $10::text[])
        """,
        [journal.journal_id for journal, _, _ in rows],
        [number for _, number, _ in rows],
        [str(entry.account) for _, _, entry in rows],
        [entry.cents for _, _, entry in rows],
        [entry.claim_id for _, _, entry in rows],
        [entry.line_number for _, _, entry in rows],
        [journal.remittance_id for journal, _, _ in rows],
        [journal.deposit_id for journal, _, _ in rows],
        [entry.adjustment_group for _, _, entry in rows],
        [entry.carc for _, _, entry in rows],
    )


async def load_books(uow: UnitOfWork, claim_ids: Iterable[UUID]) -> dict[UUID, Book]:
    """The books of locked claims: money from the entries, answers from what was posted. Every claim gets one."""
    wanted = list(claim_ids)
    books = {claim_id: Book() for claim_id in wanted}
    for row in await uow.fetch("SELECT * FROM claims.line_money WHERE claim_id = ANY($1)", wanted):
        books[row["claim_id"]].money[row["line_number"]] = LineMoney(
            row["charge_cents"],
            row["paid_cents"],
            row["contractual_cents"],
            row["other_adjustment_cents"],
            row["patient_cents"],
            row["open_cents"],
        )
    rows = await uow.fetch(
        """
        SELECT claim_id, remittance_id, position, chain, payer_claim_control_number, charge_cents, paid_cents,
            is_reversal, reversed
        FROM claims.remitted_claim WHERE claim_id = ANY($1) AND state = 'posted'
        ORDER BY placed_at, remittance_id, position
        """,
        wanted,
    )
    for row in rows:
        values = dict(row)
        books[values.pop("claim_id")].posted.append(Posted(**values))
    rows = await uow.fetch(
        """
        SELECT claim_id, chain, line_number, sum(charge_cents)::bigint AS charge_cents,
            sum(paid_cents)::bigint AS paid_cents, sum(patient_cents)::bigint AS patient_cents,
            sum(denied_cents)::bigint AS denied_cents, sum(answers)::integer AS answers
        FROM claims.remitted_line WHERE claim_id = ANY($1) GROUP BY claim_id, chain, line_number
        """,
        wanted,
    )
    for row in rows:
        values = dict(row)
        book, key = books[values.pop("claim_id")], (values.pop("chain"), values.pop("line_number"))
        book.answers[key] = Answer(**values)
    return books
