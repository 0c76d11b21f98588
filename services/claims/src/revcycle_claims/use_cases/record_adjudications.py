"""Take up what the payer's side says of submissions: it drives work, never money."""

from collections.abc import Sequence
from typing import Any

from revcycle_messaging import Received, UnitOfWork

from revcycle_claims.domain.transmission import Transmission, record
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import ledger
from revcycle_claims.use_cases.changes import Changes
from revcycle_claims.use_cases.settle_claim import hear


async def record_adjudications(uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
    """Store the payer's side of each submission and move the claims that are here; the others take it up later."""
    claims = await claim_rows.lock_claims(uow, {item.event.claim_id for item in received})
    changes = Changes(uow, claims)
    await changes.load_tasks(claims)
    known = await claim_rows.transmissions(uow, {item.event.submission_id for item in received})
    books = await ledger.load_books(uow, claims)
    for item in received:
        event, cause = item.event, item.cause
        before = known.get(event.submission_id) or Transmission(event.submission_id, event.claim_id)
        known[event.submission_id] = record(before, event, cause.now)
        claim = changes.claims.get(event.claim_id)
        if claim is not None:
            hear(changes, claim, known[event.submission_id], books[claim.claim_id], cause)
    await claim_rows.write_transmissions(uow, list(known.values()))
    await changes.flush()
