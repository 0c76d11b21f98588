"""What cannot be read or kept is malformed, once and for all; everything else is read."""

from datetime import UTC, datetime

import pytest
from revcycle_adjudication_gateway.domain.inbound import Malformed, read
from revcycle_edi.x12 import build_999
from revcycle_edi.x12.records import Envelope, ImplementationAcknowledgment

ACKNOWLEDGMENT = build_999(
    [
        ImplementationAcknowledgment(
            envelope=Envelope(
                sender_id="REVPAY1",
                receiver_id="REVCYCLE01",
                control_number=5,
                created_at=datetime(2026, 9, 1, tzinfo=UTC),
            ),
            functional_id="HC",
            group_control_number=17,
            code="A",
            included=1,
            received=1,
            accepted_count=1,
        )
    ]
)


def test_an_answer_with_a_nul_is_malformed_at_its_place() -> None:
    """Promise: no answer is tried again for ever; the database takes no NUL, so this one never could be stored."""
    assert read(ACKNOWLEDGMENT).kind == "999"
    offset = ACKNOWLEDGMENT.index(b"*HC*") + 1
    with pytest.raises(Malformed) as caught:
        read(ACKNOWLEDGMENT[:offset] + b"\0" + ACKNOWLEDGMENT[offset:])
    assert (caught.value.finding["rule"], caught.value.finding["byte_offset"]) == ("x12.character", offset)
