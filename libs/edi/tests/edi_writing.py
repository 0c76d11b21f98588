"""Files of random records, written with outlines and without; answers to files."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from random import Random
from typing import Any
from unittest.mock import patch

import edi_random
import msgspec
from edi_samples import ENVELOPE, HEADER
from revcycle_edi.x12 import (
    Answers,
    ValidationContext,
    X12Error,
    acknowledge,
    build_277ca,
    build_835,
    build_837d,
    build_837i,
    build_837p,
    build_999,
    build_ta1,
    validate,
)
from revcycle_edi.x12.outlines import Outline
from revcycle_edi.x12.records import (
    DentalClaim,
    InstitutionalClaim,
    ProfessionalClaim,
    Remittance,
    RemittanceClaim,
    RemittanceParty,
)

TODAY = ValidationContext(today=date(2026, 6, 30))


def answers(data: bytes) -> Answers:
    """What a receiver of a file answers."""
    envelope = msgspec.structs.replace(ENVELOPE, sender_id="TESTPAYER", receiver_id="REVCYCLE", control_number=99)
    return acknowledge(data, validate(data, context=TODAY), envelope, received=date(2026, 6, 1))


def written_answers(data: bytes) -> Iterator[bytes]:
    """The answers as they are sent."""
    told = answers(data)
    if told.interchanges:
        yield build_ta1(told.interchanges)
    if told.groups:
        yield build_999(told.groups)
    if told.claims:
        yield build_277ca(told.claims)


def _build_835(claims: Sequence[RemittanceClaim]) -> bytes:
    remittance = Remittance(
        envelope=ENVELOPE,
        transaction_control_number="0001",
        handling_code="I",
        paid_cents=0,
        payment_method="NON",
        payment_date=ENVELOPE.created_at.date(),
        trace_number="T1",
        payer_trace_id="1999999999",
        payer=RemittanceParty(name="TEST PAYER"),
        payee=RemittanceParty(name="SYNTHETIC CLINIC"),
        claims=tuple(claims),
    )
    return build_835([remittance])


BUILDERS: dict[type, Callable[[Any], bytes]] = {
    ProfessionalClaim: lambda claims: build_837p(ENVELOPE, HEADER, claims),
    InstitutionalClaim: lambda claims: build_837i(ENVELOPE, HEADER, claims),
    DentalClaim: lambda claims: build_837d(ENVELOPE, HEADER, claims),
    RemittanceClaim: _build_835,
}


def by_loops(_: Outline, __: Sequence[object], at: int, levels: int, ___: int) -> tuple[str, int, int, int]:
    """Stands in for Outline.run where no record is to be written by an outline."""
    return "", 0, levels, at


def outcome(build: Callable[[], bytes]) -> object:
    """The bytes, or what was refused; the kind of error where a value has a type that the records do not allow."""
    try:
        return build()
    except X12Error as error:
        return str(error)
    except (AttributeError, TypeError, ValueError) as error:
        return type(error)


def both_ways(random: Random, record: type) -> tuple[object, object]:
    """What comes of a few random records with outlines and without; several of one subscriber half of the time."""
    claims = [edi_random.draw(random, record) for _ in range(random.randint(1, 3))]
    if record is not RemittanceClaim and random.random() < 0.5:
        shared = {name: getattr(claims[0], name) for name in ("billing_provider", "subscriber", "payer")}
        claims = [msgspec.structs.replace(claim, **shared) for claim in claims]
    quick = outcome(lambda: BUILDERS[record](claims))
    with patch.object(Outline, "run", by_loops):
        return quick, outcome(lambda: BUILDERS[record](claims))
