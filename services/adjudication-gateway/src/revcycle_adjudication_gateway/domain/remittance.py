"""What makes a remittance this remittance, and what keeps it from being published."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from revcycle_edi.x12.records import Remittance

HELD_LEVELS = frozenset({"line", "claim", "transaction"})
"""The equations that decide: an 835 that fails one of them is held whole."""


@dataclass(frozen=True, slots=True)
class FailingEquation:
    """An equation that does not hold: where, which, and both sides in cents. ``level`` identity: the same payment
    (payer, trace number, date, amount) was already advised with other content.
    """

    level: str
    place: str
    equation: str
    left_cents: int
    right_cents: int

    def as_json(self) -> dict[str, str | int]:
        """The form it is stored and shown in."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PaymentKey:
    """What names a payment; two contents under one such key are a conflict for a person, never two postings."""

    payer_id: str
    trace_number: str
    payment_date: str
    paid_cents: int


def payment_key(payer_id: str, remittance: Remittance) -> PaymentKey:
    """Payer, TRN02, BPR16 and BPR02 of an 835. Never the trace number alone: payers use numbers again.

    Without the spaces some payers fill TRN02 up with: the bank's list of deposits does not have them.
    """
    return PaymentKey(
        payer_id, remittance.trace_number.strip(), remittance.payment_date.isoformat(), remittance.paid_cents
    )


def identity_key(payer_id: str, remittance: Remittance) -> str:
    """The duplicate key of a remittance: its payment and the hash of ST..SE without the control numbers."""
    key = payment_key(payer_id, remittance)
    return "|".join((key.payer_id, key.trace_number, key.payment_date, str(key.paid_cents), remittance.content_sha256))


def identity_conflict(key: PaymentKey) -> FailingEquation:
    """The finding for a payment that comes a second time with another content."""
    return FailingEquation(
        level="identity",
        place=f"TRN02 {key.trace_number}",
        equation="one content per payer, TRN02, BPR16 and BPR02",
        left_cents=key.paid_cents,
        right_cents=key.paid_cents,
    )


def failing(equations: Iterable[FailingEquation]) -> tuple[FailingEquation, ...]:
    """Those of the deciding levels whose sides differ."""
    return tuple(each for each in equations if each.level in HELD_LEVELS and each.left_cents != each.right_cents)
