"""The payer's back office: when accepted claims are settled, in which 835, and with what beside the claims.

Batching depends on time; what is said about each claim does not. No I/O: time comes in, interchanges go out.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from revcycle_payer_simulator.benefit_plan import LineOutcome, PlanOutcome, draw
from revcycle_payer_simulator.books import Books, ClaimRecord, Sender, State
from revcycle_payer_simulator.claim837 import Payee, Person, ReceivedClaim, ReceivedLine
from revcycle_payer_simulator.faults import UNBALANCED_835, UNKNOWN_CLAIM_835, Faults
from revcycle_payer_simulator.remittance835 import (
    ProviderAdjustment,
    ReadRemittance,
    Remittance,
    RemittedClaim,
    write_835,
)
from revcycle_payer_simulator.x12 import Envelope

_FORWARD = "FB"
_PLANTED_ERROR_CENTS = 100
_PERCENT_INTEREST = 5
_PERCENT_RECOVERY = 4
_SMALLEST_PAYMENT_RECOVERED_FROM_CENTS = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the payer pays, in seconds, and how many claims one 835 holds."""

    remit_delay_seconds: float = 0.5
    batch_seconds: float = 1.0
    pend_seconds: float = 2.0
    batch_size: int = 25


@dataclass(frozen=True, slots=True)
class Issue:
    """One 835 to put out. `deposited` is False where no money follows: planted errors."""

    payer_id: str
    data: bytes
    trace_number: str
    paid_cents: int
    deposited: bool


@dataclass(slots=True)
class _Queue:
    """Claims of one payee from one sender, each line in the order of arrival."""

    prompt: deque[ClaimRecord] = field(default_factory=deque)
    pended: deque[ClaimRecord] = field(default_factory=deque)


class BackOffice:
    """Settles what the front office accepted."""

    def __init__(
        self, seed: int, business_date: date, books: Books, faults: Faults, pace: Pace, *, steady: bool
    ) -> None:
        self.seed = seed
        self.business_date = business_date
        self.books = books
        self.faults = faults
        self.pace = pace
        self.steady = steady
        self._queues: dict[tuple[str, Sender, str], _Queue] = {}
        self._owed_by_payee_cents: dict[tuple[str, str], int] = {}
        self._traces: set[tuple[str, str]] = set()

    def enqueue(self, records: Iterable[ClaimRecord]) -> None:
        """Take accepted claims over."""
        for record in records:
            queue = self._queues.setdefault((record.payer_id, record.sender, record.claim.payee.npi), _Queue())
            (queue.pended if record.pended else queue.prompt).append(record)

    def remit(self, next_line_number: int, at: datetime, now: float) -> list[Issue]:
        """Every 835 that is due. Control and trace numbers count on from the raw log's next line."""
        issues: list[Issue] = []
        for (payer_id, sender, _), queue in self._queues.items():
            for batch in self._due(queue, now):
                envelope = Envelope(payer_id, sender, next_line_number + len(issues), self.business_date, at)
                issues += self._batch(envelope, batch)
        return issues

    def _due(self, queue: _Queue, now: float) -> Iterator[list[ClaimRecord]]:
        ready = list(_arrived_before(queue.prompt, now - self.pace.remit_delay_seconds))
        overdue = bool(ready) and ready[0].arrived <= now - self.pace.batch_seconds
        keep = 0 if overdue else len(ready) % self.pace.batch_size
        for record in reversed(ready[len(ready) - keep :]):
            queue.prompt.appendleft(record)
        batch = ready[: len(ready) - keep] + list(_arrived_before(queue.pended, now - self.pace.pend_seconds))
        for start in range(0, len(batch), self.pace.batch_size):
            yield batch[start : start + self.pace.batch_size]

    def _batch(self, envelope: Envelope, batch: list[ClaimRecord]) -> Iterator[Issue]:
        payee = batch[0].claim.payee
        if self.faults.take(UNKNOWN_CLAIM_835):
            yield self._issue(envelope, payee, (_unknown_claim(envelope, payee),), ())
            envelope = _next(envelope)
        planted_error = self.faults.take(UNBALANCED_835)
        # The number of the good 835 is needed now: settled claims remember the trace they were paid by.
        good = _next(envelope) if planted_error else envelope
        claims = tuple(claim for record in batch for claim in self._settle(record, _trace(good)))
        if not claims:
            return
        if planted_error:
            yield self._issue(envelope, payee, claims, (), _PLANTED_ERROR_CENTS)
        adjustments = self._beside(good, payee, claims)
        yield self._issue(good, payee, claims, adjustments)

    def _issue(
        self,
        envelope: Envelope,
        payee: Payee,
        claims: tuple[RemittedClaim, ...],
        adjustments: tuple[ProviderAdjustment, ...],
        planted_error_cents: int = 0,
    ) -> Issue:
        if planted_error_cents and sum(claim.paid_cents for claim in claims) < 0:
            claims = tuple(claim for claim in claims if not claim.reversal)
        remittance = Remittance(payee, _trace(envelope), claims, adjustments)
        self._traces.add((envelope.payer_id, remittance.trace_number))
        data = write_835(envelope, remittance, planted_error_cents)
        deposited = not planted_error_cents
        return Issue(envelope.payer_id, data, remittance.trace_number, remittance.paid_cents, deposited)

    def _settle(self, record: ClaimRecord, trace_number: str) -> Iterator[RemittedClaim]:
        """The CLPs of one claim: its own, before it the reversal of what it replaces, before that what is overdue."""
        chain = [record]
        while (earlier := chain[-1].replaces) is not None and earlier.state is State.WAITING:
            chain.append(earlier)
        for each in reversed(chain):
            if each.state is not State.WAITING:
                continue
            if each.replaces is not None:
                outcome = self.books.reverse(each.replaces)
                yield RemittedClaim(each.replaces.claim, outcome, each.replaces.control_number, reversal=True)
            if each.claim.frequency == "8":
                self.books.close(each, trace_number)
            else:
                outcome = self.books.settle(each, trace_number)
                yield RemittedClaim(each.claim, outcome, each.control_number)

    def _beside(
        self, envelope: Envelope, payee: Payee, claims: tuple[RemittedClaim, ...]
    ) -> tuple[ProviderAdjustment, ...]:
        """PLB: a balance brought forward or carried forward so that nothing is paid below zero; interest, recovery."""
        trace = _trace(envelope)
        key = (envelope.payer_id, payee.npi)
        brought = self._owed_by_payee_cents.get(key, 0)
        total = sum(claim.paid_cents for claim in claims) - brought
        carried = max(0, -total)
        adjustments = [ProviderAdjustment(_FORWARD, trace, cents) for cents in (brought, -carried) if cents]
        self._owed_by_payee_cents[key] = carried
        lot = draw("plb", self.seed, envelope.payer_id, trace)
        if self.steady or total <= 0:
            return tuple(adjustments)
        if lot % 100 < _PERCENT_INTEREST:
            adjustments.append(ProviderAdjustment("L6", trace, -(lot // 100 % 900 + 1)))
        elif lot % 100 < _PERCENT_INTEREST + _PERCENT_RECOVERY and total >= _SMALLEST_PAYMENT_RECOVERED_FROM_CENTS:
            adjustments.append(ProviderAdjustment("WO", trace, lot // 100 % (total // 5) + 1))
        return tuple(adjustments)

    def read_back(self, remittance: ReadRemittance) -> None:
        """Take over from the raw log what was paid before a restart. Planted errors count for nothing."""
        trace = (remittance.payer_id, remittance.trace_number)
        if trace in self._traces or not remittance.balanced:
            return
        self._traces.add(trace)
        for read in remittance.claims:
            record = self.books.by_control_number(remittance.payer_id, read.payer_control_number)
            if record is None:
                continue
            if not read.reversal:
                self.books.settle(record, remittance.trace_number)
                continue
            self.books.reverse(record)
            if record.replaced_by is not None and record.replaced_by.claim.frequency == "8":
                self.books.close(record.replaced_by, remittance.trace_number)
        key = (remittance.payer_id, remittance.payee_npi)
        forwarded = sum(each.amount_cents for each in remittance.provider_adjustments if each.code == _FORWARD)
        self._owed_by_payee_cents[key] = self._owed_by_payee_cents.get(key, 0) - forwarded


def _arrived_before(queue: deque[ClaimRecord], limit: float) -> Iterator[ClaimRecord]:
    """Take from the front what is old enough; what was settled meanwhile, ahead of its turn, falls out."""
    while queue and queue[0].arrived <= limit:
        record = queue.popleft()
        if record.state is State.WAITING:
            yield record


def _trace(envelope: Envelope) -> str:
    """Unique per payer: the payer's digit and the control number, which never comes twice."""
    return f"{envelope.payer_id[-1]}{envelope.control_number:09d}"


def _next(envelope: Envelope) -> Envelope:
    return Envelope(
        envelope.payer_id, envelope.receiver, envelope.control_number + 1, envelope.business_date, envelope.at
    )


def _unknown_claim(envelope: Envelope, payee: Payee) -> RemittedClaim:
    """A paid claim that nobody ever sent."""
    name = Person("NOBODY", "KNOWN")
    line = ReceivedLine(1, "G0463", (), 10000, 1, (1,), envelope.business_date, "1")
    claim_id = f"UNKNOWN{envelope.control_number}"
    claim = ReceivedClaim(claim_id, 10000, "11", "1", payee, name, name, "UNKNOWN01", lines=[line])
    outcome = PlanOutcome((LineOutcome(1, 10000, 4500, 4500, 5500),))
    return RemittedClaim(claim, outcome, f"{envelope.payer_id[-1]}UNKNOWN{envelope.control_number}")
