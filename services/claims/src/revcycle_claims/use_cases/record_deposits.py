"""Take the bank's deposits: each once, by the bank's own number, matched to its remittance if that is here."""

from collections.abc import Sequence
from dataclasses import dataclass

from revcycle_events import DepositReceived
from revcycle_messaging import Cause, UnitOfWork

from revcycle_claims.domain.bank_list import BankDeposit
from revcycle_claims.domain.clearing import deposit_journal
from revcycle_claims.domain.ids import stable_id
from revcycle_claims.repositories import remittances as rows
from revcycle_claims.repositories.remittances import Deposit
from revcycle_claims.use_cases.changes import Changes
from revcycle_claims.use_cases.match_deposits import Clearing, open_clearing


@dataclass(frozen=True, slots=True)
class DepositResult:
    """What became of a row: created, unchanged or refused (``changed_fields`` differ), and how it was matched."""

    bank_reference: str
    status: str
    match: str | None = None
    changed_fields: tuple[str, ...] = ()


async def record_deposits(uow: UnitOfWork, deposits: Sequence[BankDeposit], cause: Cause) -> list[DepositResult]:
    """Record deposits in order; the same again is unchanged, the same number with other content is refused."""
    changes = Changes(uow)
    references = [deposit.bank_reference for deposit in deposits]
    await rows.lock_bank_references(uow, references)
    known = await rows.deposits_by_reference(uow, references)
    clearing = await open_clearing(changes, [(deposit.payer_id, deposit.trace_number) for deposit in deposits])
    answers: list[tuple[str, str, tuple[str, ...]]] = []
    for deposit in deposits:
        before = known.get(deposit.bank_reference)
        if before is None:
            known[deposit.bank_reference] = _receive(clearing, deposit, cause)
            answers.append((deposit.bank_reference, "created", ()))
        else:
            differing = _differing(before, deposit)
            answers.append((deposit.bank_reference, "refused" if differing else "unchanged", differing))
    for trace in sorted({(deposit.payer_id, deposit.trace_number) for deposit in deposits}):
        clearing.match(trace, cause)
    await changes.flush()
    now = {item.bank_reference: item for items in clearing.deposits.values() for item in items}
    return [
        DepositResult(reference, status, _match_of(now.get(reference)) if status != "refused" else None, differing)
        for reference, status, differing in answers
    ]


def _receive(clearing: Clearing, deposit: BankDeposit, cause: Cause) -> Deposit:
    changes = clearing.changes
    received = Deposit(
        deposit_id=stable_id(changes.tenant_id, "deposit", deposit.bank_reference),
        bank_reference=deposit.bank_reference,
        deposit_date=deposit.deposit_date,
        payer_id=deposit.payer_id,
        trace_number=deposit.trace_number,
        amount_cents=deposit.amount_cents,
        received_at=cause.now,
    )
    clearing.deposits.setdefault(received.trace, []).append(received)
    changes.save_deposit(received)
    journal_id = stable_id(changes.tenant_id, "deposit-received", received.deposit_id)
    changes.journals.append(deposit_journal(journal_id, cause.now, received.deposit_id, received.amount_cents))
    event = DepositReceived(
        deposit_id=received.deposit_id,
        bank_reference=received.bank_reference,
        deposit_date=received.deposit_date,
        payer_id=received.payer_id,
        trace_number=received.trace_number,
        amount_cents=received.amount_cents,
    )
    changes.emit(event, cause, None)
    return received


def _differing(known: Deposit, deposit: BankDeposit) -> tuple[str, ...]:
    """The fields, by their names on the wire, in which a deposit differs from the one of the same number."""
    pairs = (
        ("date", known.deposit_date, deposit.deposit_date),
        ("payer_id", known.payer_id, deposit.payer_id),
        ("trace_number", known.trace_number, deposit.trace_number),
        ("amount_cents", known.amount_cents, deposit.amount_cents),
    )
    return tuple(name for name, ours, theirs in pairs if ours != theirs)


def _match_of(deposit: Deposit | None) -> str | None:
    if deposit is None:
        return None
    if deposit.remittance_id is None:
        return "unmatched"
    return "difference" if deposit.difference_cents else "matched"
