"""What the ledger and the remittances say of one claim, held in memory while a chunk is posted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from revcycle_events import RemittedClaim

from revcycle_claims.domain.claim import Claim, Preparation
from revcycle_claims.domain.ids import patient_control_number
from revcycle_claims.domain.ledger import Journal, LineMoney, with_cents
from revcycle_claims.domain.posting import RemittedLine


@dataclass(frozen=True, slots=True)
class Posted:
    """A remitted claim that was posted. ``chain``: the frequency-1 submission it answers."""

    remittance_id: UUID
    position: int
    chain: int
    payer_claim_control_number: str | None
    charge_cents: int
    paid_cents: int
    is_reversal: bool
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The payer's answers on one line, reversals taken off. ``answers`` counts those in effect."""

    charge_cents: int = 0
    paid_cents: int = 0
    patient_cents: int = 0
    denied_cents: int = 0
    answers: int = 0

    @property
    def wholly_denied(self) -> bool:
        """Whether the payer denied the line and neither it nor the patient pays any of it."""
        return self.denied_cents != 0 and self.paid_cents == 0 and self.patient_cents == 0


@dataclass(slots=True)
class Book:
    """The money of a claim by line, what was posted to it, and the answers by (chain, line)."""

    money: dict[int, LineMoney] = field(default_factory=dict)
    posted: list[Posted] = field(default_factory=list)
    answers: dict[tuple[int, int], Answer] = field(default_factory=dict)

    def add_journal(self, journal: Journal) -> None:
        """Take up the entries of a journal that stand for lines of this claim."""
        for entry in journal.entries:
            if entry.line_number is not None:
                money = self.money.get(entry.line_number, LineMoney())
                self.money[entry.line_number] = with_cents(money, entry.account, entry.cents)

    def add_posting(self, posted: Posted, lines: Sequence[RemittedLine]) -> None:
        """Take up a posted remitted claim with its lines."""
        self.posted.append(posted)
        for line in lines:
            self.add_answer(posted.chain, line.line_number, answer_of(line, posted.is_reversal))

    def add_answer(self, chain: int, line_number: int, answer: Answer) -> None:
        """Add to the answers on a line."""
        now = self.answers.get((chain, line_number), Answer())
        self.answers[chain, line_number] = Answer(
            now.charge_cents + answer.charge_cents,
            now.paid_cents + answer.paid_cents,
            now.patient_cents + answer.patient_cents,
            now.denied_cents + answer.denied_cents,
            now.answers + answer.answers,
        )

    def in_effect(self, chain: int) -> Mapping[int, Answer]:
        """Line to answer, of a chain, without lines whose answers were all reversed."""
        return {line: answer for (of, line), answer in self.answers.items() if of == chain and answer.answers > 0}

    def originals(self, chain: int) -> int:
        """How many answers, not counting reversals, were ever posted for a chain."""
        return sum(1 for posted in self.posted if posted.chain == chain and not posted.is_reversal)

    def mark_reversed(self, original: Posted) -> None:
        """Note that a posted answer has been taken back."""
        self.posted[self.posted.index(original)] = replace(original, reversed=True)

    @property
    def total(self) -> LineMoney:
        """The money of the whole claim."""
        return sum(self.money.values(), LineMoney())

    @property
    def charges(self) -> dict[int, int]:
        """Line to billed cents, as they stand in the ledger."""
        return {line: money.charge_cents for line, money in self.money.items() if money.charge_cents}


def answer_of(line: RemittedLine, is_reversal: bool) -> Answer:
    """What one remitted line adds to the answers on its line."""
    return Answer(line.charge_cents, line.paid_cents, line.patient_cents, line.denied_cents, -1 if is_reversal else 1)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a remitted claim goes: posted to a chain, or unapplied with the reason as ``state``."""

    state: str
    chain: int = 0
    original: Posted | None = None


def place(tenant_id: UUID, remitted: RemittedClaim, claim: Claim | None, book: Book) -> Placement:
    """Decide whether a remitted claim can be posted.

    A claim nobody knows, a claim not billed here yet and a reversal without its original stay unapplied; the latter
    two are placed again when what they wait for arrives.
    """
    if remitted.claim_id is None:
        return Placement("unknown_claim")
    if claim is None or claim.state != Preparation.SUBMITTED:
        return Placement("waiting_claim")
    if not remitted.is_reversal:
        return Placement("posted", _chain_of(tenant_id, remitted.patient_control_number, claim))
    original = _original_of(remitted, book.posted)
    return Placement("waiting_original") if original is None else Placement("posted", original.chain, original)


def _chain_of(tenant_id: UUID, control_number: str, claim: Claim) -> int:
    """The chain an answer belongs to: an earlier one when it names that CLM01, else the present one."""
    for chain in range(1, claim.chain):
        if patient_control_number(tenant_id, claim.claim_id, chain) == control_number:
            return chain
    return claim.chain


def _original_of(remitted: RemittedClaim, posted: Sequence[Posted]) -> Posted | None:
    """The newest posted answer that a reversal takes back: opposite amounts, same control number if both say."""
    for candidate in reversed(posted):
        ours, theirs = candidate.payer_claim_control_number, remitted.payer_claim_control_number
        if candidate.is_reversal or candidate.reversed or (ours and theirs and ours != theirs):
            continue
        if (candidate.charge_cents, candidate.paid_cents) == (-remitted.charge_cents, -remitted.paid_cents):
            return candidate
    return None
