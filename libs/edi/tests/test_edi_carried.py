"""Forward balances chain over remittances, and what is still open is known to the cent."""

from datetime import date

import msgspec
from edi_samples import clean_835
from revcycle_edi.x12 import balance_835, parse_835, unbalanced
from revcycle_edi.x12.carried import carried_balances
from revcycle_edi.x12.records.remittance import ProviderAdjustment, Remittance


def remittance(claim_cents: int, paid_cents: int, **carried: int) -> Remittance:
    (base,) = parse_835(clean_835())
    claim = msgspec.structs.replace(
        base.claims[0], charge_cents=claim_cents, paid_cents=claim_cents, status_code="22", adjustments=(), lines=()
    )
    adjustments = tuple(
        ProviderAdjustment(
            provider_id="1", fiscal_period_end=date(2026, 12, 31), reason_code="FB", reference=name, amount_cents=cents
        )
        for name, cents in carried.items()
    )
    return msgspec.structs.replace(base, claims=(claim,), provider_adjustments=adjustments, paid_cents=paid_cents)


def test_a_chain_of_three_remittances_balances_and_ends_with_nothing_open() -> None:
    chain = [
        remittance(-10_000, 0, A=-10_000),
        remittance(6_000, 0, A=10_000, B=-4_000),
        remittance(50_000, 46_000, B=4_000),
    ]
    assert all(unbalanced(balance_835(one)) == [] for one in chain)
    assert [(link.reference, link.open_cents) for link in carried_balances(chain)] == [("A", 0), ("B", 0)]
    assert [(link.reference, link.open_cents) for link in carried_balances(chain[:2])] == [("A", 0), ("B", 4_000)]
    assert [link.open_cents for link in carried_balances(chain[1:])] == [-10_000, 0]
