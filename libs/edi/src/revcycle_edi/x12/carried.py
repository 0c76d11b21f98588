"""Forward balances over a sequence of remittances: what a payer carried forward must be taken back, serially.

A remittance that would pay less than nothing carries the rest forward with a negative PLB*FB; a later one takes it back
with a positive PLB*FB of the same reference (835 guide, 1.10.2: one forward balance a remittance, in a chain).
"""

from collections.abc import Iterable

import msgspec

from revcycle_edi.x12.records.remittance import Remittance


class CarriedBalance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One link: what was carried forward under a reference and what was taken back since, both in positive cents."""

    payer_trace_id: str
    provider_id: str
    reference: str
    carried_cents: int
    taken_back_cents: int

    @property
    def open_cents(self) -> int:
        """What is still owed to the payer; negative when more was taken back than carried."""
        return self.carried_cents - self.taken_back_cents


def carried_balances(remittances: Iterable[Remittance]) -> list[CarriedBalance]:
    """Every forward balance of the remittances by payer, provider and reference, in the order they first appear."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for remittance in remittances:
        for item in remittance.provider_adjustments:
            if item.reason_code == "FB":
                pair = sums.setdefault((remittance.payer_trace_id, item.provider_id, item.reference), [0, 0])
                pair[0 if item.amount_cents < 0 else 1] += abs(item.amount_cents)
    return [
        CarriedBalance(
            payer_trace_id=payer,
            provider_id=provider,
            reference=reference,
            carried_cents=carried,
            taken_back_cents=taken,
        )
        for (payer, provider, reference), (carried, taken) in sums.items()
    ]
