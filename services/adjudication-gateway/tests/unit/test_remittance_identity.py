"""One remittance is one posting, whatever the check number."""

from datetime import UTC, date, datetime

import msgspec
from revcycle_adjudication_gateway.domain.remittance import FailingEquation, failing, identity_key, payment_key
from revcycle_edi.x12.records import Envelope, Remittance, RemittanceParty

ADVICE = Remittance(
    envelope=Envelope(
        sender_id="REVPAY1", receiver_id="REVCYCLE01", control_number=5, created_at=datetime(2026, 9, 1, tzinfo=UTC)
    ),
    transaction_control_number="0001",
    content_sha256="a" * 64,
    handling_code="I",
    paid_cents=12345,
    payment_method="ACH",
    payment_date=date(2026, 9, 2),
    trace_number="TRACE1",
    payer_trace_id="1999999999",
    payer=RemittanceParty(name="PAYER ONE"),
    payee=RemittanceParty(name="TEST CLINIC"),
)


def test_the_same_advice_in_another_envelope_is_the_same_remittance() -> None:
    other = Envelope(
        sender_id="REVPAY1", receiver_id="REVCYCLE01", control_number=6, created_at=datetime(2026, 9, 3, tzinfo=UTC)
    )
    again = msgspec.structs.replace(ADVICE, envelope=other, transaction_control_number="0007")
    assert identity_key("REVPAY1", again) == identity_key("REVPAY1", ADVICE)


def test_a_reused_trace_number_with_another_date_or_amount_is_another_payment() -> None:
    keys = {
        identity_key("REVPAY1", ADVICE),
        identity_key("REVPAY2", ADVICE),
        identity_key("REVPAY1", msgspec.structs.replace(ADVICE, payment_date=date(2026, 9, 3))),
        identity_key("REVPAY1", msgspec.structs.replace(ADVICE, paid_cents=12346)),
    }
    assert len(keys) == 4


def test_a_trace_number_filled_up_with_spaces_is_the_same_number() -> None:
    """Promise: advice and deposit meet, and the same payment is not advised twice, however TRN02 is padded."""
    padded = msgspec.structs.replace(ADVICE, trace_number="TRACE1   ")
    assert payment_key("REVPAY1", padded) == payment_key("REVPAY1", ADVICE)


def test_other_content_under_the_same_payment_shares_the_payment_but_not_the_identity() -> None:
    other = msgspec.structs.replace(ADVICE, content_sha256="b" * 64)
    assert payment_key("REVPAY1", other) == payment_key("REVPAY1", ADVICE)
    assert identity_key("REVPAY1", other) != identity_key("REVPAY1", ADVICE)


def test_only_the_three_deciding_levels_hold_a_remittance() -> None:
    equations = [
        FailingEquation("line", "CLP 1 SVC 1", "SVC02 - sum CAS = SVC03", 100, 100),
        FailingEquation("claim", "CLP 1", "CLP03 - sum CAS = CLP04", 100, 90),
        FailingEquation("patient_responsibility", "CLP 1", "CLP05 = sum PR", 5, 0),
    ]
    assert [each.level for each in failing(equations)] == ["claim"]
