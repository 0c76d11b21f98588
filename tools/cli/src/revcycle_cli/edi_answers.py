"""To whom an X12 file is answered, and with what: every pair of parties gets interchanges of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from revcycle_edi.x12 import ValidationContext, X12Error, validate
from revcycle_edi.x12.ack_build import build_277ca, build_999, build_ta1
from revcycle_edi.x12.acknowledge import Answers, acknowledge
from revcycle_edi.x12.cursor import parse_envelope
from revcycle_edi.x12.extents import InterchangeExtent, extents
from revcycle_edi.x12.records import (
    ClaimAcknowledgmentReport,
    Delimiters,
    Envelope,
    ImplementationAcknowledgment,
    InterchangeAcknowledgment,
)

_Answer = TypeVar("_Answer", InterchangeAcknowledgment, ImplementationAcknowledgment, ClaimAcknowledgmentReport)


def answers(data: bytes, control_number: int, now: datetime) -> dict[str, bytes]:
    """ta1, 999 and 277ca, as far as there are any; control numbers count up. X12Error when one cannot be addressed."""
    context = ValidationContext(today=now.date())
    found: dict[str, list[bytes]] = {}
    for party, own in _by_party(data, now):
        given = acknowledge(own, validate(own, context=context), party, received=now.date())
        for name, answer in _built(given, control_number):
            found.setdefault(name, []).append(answer)
        control_number += 3
    return {name: b"\n".join(parts) for name, parts in found.items()}


def _built(given: Answers, control_number: int) -> Iterator[tuple[str, bytes]]:
    if given.interchanges:
        yield "ta1", build_ta1(_numbered(given.interchanges, control_number))
    if given.groups:
        yield "999", build_999(_numbered(given.groups, control_number + 1))
    if given.claims:
        yield "277ca", build_277ca(_numbered(given.claims, control_number + 2))


def _numbered(records: Sequence[_Answer], control_number: int) -> list[_Answer]:
    """The records in an interchange with a control number of its own."""
    own = msgspec.structs.replace(records[0].envelope, control_number=control_number)
    return [msgspec.structs.replace(record, envelope=own) for record in records]


def _by_party(data: bytes, now: datetime) -> Iterator[tuple[Envelope, bytes]]:
    """The envelope of the answer to each pair of parties, and the interchanges that it answers."""
    parties: dict[Envelope, list[InterchangeExtent]] = {}
    for sent in extents(data):
        party = _back(sent, now)
        if party is not None:
            parties.setdefault(party, []).append(sent)
    for party, extent in parties.items():
        yield party, data if len(parties) == 1 else b"".join(data[sent.start : sent.end] for sent in extent)


def _back(sent: InterchangeExtent, now: datetime) -> Envelope | None:
    """The envelope that goes back to who sent an interchange, None when its header cannot be read.

    The parties are called as they call themselves, qualifiers too, and a test is answered by a test.
    """
    try:
        header = parse_envelope(sent.elements, [], Delimiters())
    except X12Error:
        return None
    return Envelope(
        sender_id=header.receiver_id or "RECEIVER",
        sender_qualifier=header.receiver_qualifier or "ZZ",
        receiver_id=header.sender_id or "SENDER",
        receiver_qualifier=header.sender_qualifier or "ZZ",
        control_number=1,
        created_at=now,
        usage=header.usage,
    )
