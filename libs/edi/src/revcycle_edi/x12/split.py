"""Splitting an 837 into one interchange per claim, and merging such interchanges back into one."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.records.claim import ClaimTransaction, DentalClaim, InstitutionalClaim, ProfessionalClaim
from revcycle_edi.x12.t837_build import build_837d, build_837i, build_837p
from revcycle_edi.x12.t837_parse import parse_837d, parse_837i, parse_837p

_Claim = ProfessionalClaim | InstitutionalClaim | DentalClaim
_C = TypeVar("_C", ProfessionalClaim, InstitutionalClaim, DentalClaim)


def _transactions(data: bytes) -> list[ClaimTransaction]:
    return parse_837p(data) + parse_837i(data) + parse_837d(data)


def _only(claims: Sequence[_Claim], kind: type[_C]) -> list[_C]:
    found = [claim for claim in claims if isinstance(claim, kind)]
    if len(found) != len(claims):
        raise X12Error("837.merge.kinds", "claims of different guides", expected="one kind of claims")
    return found


def _build(first: ClaimTransaction, control_number: int, claims: Sequence[_Claim]) -> bytes:
    envelope = msgspec.structs.replace(first.envelope, control_number=control_number, group_control_number=0)
    builders: dict[type[_Claim], Callable[[], bytes]] = {
        ProfessionalClaim: lambda: build_837p(envelope, first.header, _only(claims, ProfessionalClaim)),
        InstitutionalClaim: lambda: build_837i(envelope, first.header, _only(claims, InstitutionalClaim)),
        DentalClaim: lambda: build_837d(envelope, first.header, _only(claims, DentalClaim)),
    }
    return builders[type(claims[0])]()


def split_837(data: bytes, *, first_control_number: int) -> Iterator[tuple[str, bytes]]:
    """(CLM01, interchange) for every claim of an input, control numbers counting up. X12Error as the reader."""
    number = first_control_number
    for transaction in _transactions(data):
        for claim in transaction.claims:
            yield claim.claim_id, _build(transaction, number, [claim])
            number += 1


def merge_837(sources: Sequence[bytes], *, control_number: int) -> bytes:
    """One interchange with the claims of all inputs; sender, receiver and header are those of the first.

    X12Error when there is no claim or the inputs are of different guides, parties or purposes: header and envelope of
    the first would make bills of tests and of reported encounters.
    """
    transactions = [found for source in sources for found in _transactions(source) if found.claims]
    if not transactions:
        raise X12Error("837.merge.empty", "no claims to merge", expected="837 interchanges")
    first = transactions[0]
    parties = {(t.envelope.sender_id, t.envelope.receiver_id) for t in transactions}
    if len(parties) > 1:
        raise X12Error("837.merge.parties", "interchanges of different parties", expected="one sender and one receiver")
    purposes = {(t.envelope.usage, t.header.usage_code) for t in transactions}
    if len(purposes) > 1:
        raise X12Error(
            "837.merge.purposes",
            "tests and production, or charges and reported encounters, in one input",
            expected="one ISA15 and one BHT06",
        )
    return _build(first, control_number, [claim for t in transactions for claim in t.claims])
