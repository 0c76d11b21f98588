"""The payer's books: every claim it has taken in, which of them live, and what it said about each.

In memory only; `desk` rebuilds them from the raw log. Nothing here does I/O or looks at a clock.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from revcycle_payer_simulator.benefit_plan import (
    PlanOutcome,
    Rejection,
    adjudicate,
    deny_as_duplicate,
    duplicate_key,
)
from revcycle_payer_simulator.claim837 import ReceivedClaim
from revcycle_payer_simulator.inquiry276 import Inquiry

Sender = tuple[str, str]
_REFUSED_SET = Rejection("A3", "21", None, "the transaction set was refused by a 999")
_ALREADY_HERE = Rejection("A3", "54", None, "this claim number and frequency came before")
_NO_ORIGINAL = Rejection("A7", "464", None, "REF*F8 names no claim of this number that can be replaced or voided")


class State(StrEnum):
    """Where a claim stands."""

    REJECTED = "rejected"
    WAITING = "waiting"
    REMITTED = "remitted"
    REVERSED = "reversed"


@dataclass(slots=True, eq=False)
class ClaimRecord:
    """One claim as taken in. `arrived` is monotonic seconds."""

    payer_id: str
    sender: Sender
    submitter: tuple[str, str]
    claim: ReceivedClaim
    control_number: str
    received_on: date
    arrived: float
    state: State = State.WAITING
    rejection: Rejection | None = None
    pended: bool = False
    outcome: PlanOutcome | None = None
    trace_number: str = ""
    replaces: "ClaimRecord | None" = None
    replaced_by: "ClaimRecord | None" = None


class Books:
    """Claims by number, by payer control number and by content, over all payers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.open_claims: Counter[str] = Counter()
        self._by_claim_id: dict[tuple[str, Sender, str], list[ClaimRecord]] = {}
        self._by_control_number: dict[tuple[str, str], ClaimRecord] = {}
        self._adjudicated: dict[str, ClaimRecord] = {}

    def enter(self, record: ClaimRecord, *, set_accepted: bool) -> None:
        """Take a claim in: front-end edits first, then its place in the chain of its number."""
        chain = self._by_claim_id.setdefault((record.payer_id, record.sender, record.claim.claim_id), [])
        rejection = record.claim.rejection(record.received_on) if set_accepted else _REFUSED_SET
        record.rejection = rejection or self._place_in_chain(record, chain)
        chain.append(record)
        self._by_control_number[(record.payer_id, record.control_number)] = record
        if record.rejection is not None:
            record.state = State.REJECTED
        else:
            self.open_claims[record.payer_id] += 1

    def _place_in_chain(self, record: ClaimRecord, chain: list[ClaimRecord]) -> Rejection | None:
        """Link a replacement or void to the live head of its number; refuse what came before or names nothing."""
        accepted = [each for each in chain if each.rejection is None]
        if record.claim.frequency == "1":
            return _ALREADY_HERE if accepted else None
        head = accepted[-1] if accepted else None
        if head is None or head.claim.frequency == "8":
            return _NO_ORIGINAL
        if record.claim.original_reference != head.control_number:
            known = any(each.control_number == record.claim.original_reference for each in accepted)
            return _ALREADY_HERE if known else _NO_ORIGINAL
        record.replaces, head.replaced_by = head, record
        return None

    def by_control_number(self, payer_id: str, control_number: str) -> ClaimRecord | None:
        """The claim the payer gave this control number."""
        return self._by_control_number.get((payer_id, control_number))

    def find(self, payer_id: str, sender: Sender, inquiry: Inquiry) -> ClaimRecord | None:
        """The newest claim that matches everything the inquiry gives; rejected ones only when no other does."""
        if inquiry.claim_id:
            candidates = self._by_claim_id.get((payer_id, sender, inquiry.claim_id), [])
        else:
            named = self._by_control_number.get((payer_id, inquiry.payer_control_number))
            candidates = [named] if named is not None and named.sender == sender else []
        matching = [record for record in candidates if _matches(record, inquiry)]
        exact = [record for record in matching if record.control_number == inquiry.payer_control_number]
        matching = exact or matching
        return next((record for record in reversed(matching) if record.rejection is None), None) or (
            matching[-1] if matching else None
        )

    def settle(self, record: ClaimRecord, trace_number: str) -> PlanOutcome:
        """Adjudicate a claim for good: its own plan, unless an adjudicated claim of another number is the same."""
        plan_claim = record.claim.plan_claim(record.received_on)
        key = duplicate_key(record.payer_id, plan_claim)
        earlier = self._adjudicated.get(key)
        if earlier is not None and earlier.claim.claim_id != record.claim.claim_id:
            outcome = deny_as_duplicate(plan_claim)
        else:
            outcome = adjudicate(self.seed, record.payer_id, plan_claim)
            if not outcome.unprocessable:
                self._adjudicated[key] = record
        record.outcome = outcome
        self.close(record, trace_number)
        return outcome

    def reverse(self, record: ClaimRecord) -> PlanOutcome:
        """Take a settled claim back; what it was no longer counts as a duplicate of anything.

        Raises ValueError for a claim that was never adjudicated.
        """
        if record.outcome is None:
            raise ValueError("only an adjudicated claim can be reversed")
        key = duplicate_key(record.payer_id, record.claim.plan_claim(record.received_on))
        if self._adjudicated.get(key) is record:
            del self._adjudicated[key]
        record.state = State.REVERSED
        return record.outcome

    def close(self, record: ClaimRecord, trace_number: str) -> None:
        """The payer owes no answer to this claim any more."""
        if record.state is State.WAITING:
            self.open_claims[record.payer_id] -= 1
        record.state, record.trace_number = State.REMITTED, trace_number


def _matches(record: ClaimRecord, inquiry: Inquiry) -> bool:
    """Everything given must agree. REF*1K of a replacement's inquiry may still be the number of what it replaces."""
    numbers = {record.control_number, record.claim.original_reference}
    if inquiry.payer_control_number and inquiry.payer_control_number not in numbers:
        return False
    if inquiry.clearinghouse_reference and inquiry.clearinghouse_reference != record.claim.clearinghouse_reference:
        return False
    return inquiry.frequency not in {"1", "7", "8"} or inquiry.frequency == record.claim.frequency
