"""Reading the 999 (005010X231A1): the answer to a functional group. A 997 with AK3/AK4/AK5 is read alike."""

from collections.abc import Iterator

from revcycle_edi.x12.cursor import Cursor, TransactionStart, at_end, iter_transactions
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.acknowledgment import (
    ElementError,
    ImplementationAcknowledgment,
    SegmentError,
    TransactionAcknowledgment,
)
from revcycle_edi.x12.values import parse_integer


def _contexts(cursor: Cursor) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = []
    while cursor.advance() == "CTX":
        found.append(tuple(cursor.segment[1:]))
    return tuple(found)


def _element_error(cursor: Cursor) -> ElementError:
    e = cursor.e
    place = [*e[1].split(":"), "", ""]
    return ElementError(
        element=parse_integer(place[0], digits=3),
        component=parse_integer(place[1] or "0", digits=3),
        repetition=parse_integer(place[2] or "0", digits=3),
        reference_number=e[2],
        code=e[3],
        bad_value=e[4],
        contexts=_contexts(cursor),
    )


def _segment_error(cursor: Cursor) -> SegmentError:
    e = cursor.e
    contexts = _contexts(cursor)
    elements: list[ElementError] = []
    while cursor.id in ("IK4", "AK4"):
        elements.append(_element_error(cursor))
    return SegmentError(
        segment=e[1],
        position=parse_integer(e[2]),
        loop=e[3],
        code=e[4],
        contexts=contexts,
        element_errors=tuple(elements),
    )


def _transaction(cursor: Cursor) -> TransactionAcknowledgment:
    ak2 = cursor.e
    cursor.advance()
    errors: list[SegmentError] = []
    while cursor.id not in ("IK5", "AK5", "AK2", "AK9") and not at_end(cursor):
        if cursor.id in ("IK3", "AK3"):
            errors.append(_segment_error(cursor))
        else:
            cursor.advance()
    code = ""
    codes: tuple[str, ...] = ()
    if cursor.id in ("IK5", "AK5"):
        code = cursor.e[1]
        codes = tuple(c for c in cursor.e[2:7] if c)
        cursor.advance()
    return TransactionAcknowledgment(
        transaction_type=ak2[1],
        control_number=ak2[2],
        version=ak2[3],
        code=code,
        error_codes=codes,
        segment_errors=tuple(errors),
    )


def _acknowledgment(cursor: Cursor, start: TransactionStart) -> Iterator[ImplementationAcknowledgment]:
    if cursor.id != "AK1":
        raise cursor.error("999.ak1", "the acknowledgment names no group", expected="AK1 after ST")
    ak1 = cursor.e
    cursor.advance()
    transactions: list[TransactionAcknowledgment] = []
    while cursor.id == "AK2":
        transactions.append(_transaction(cursor))
    if cursor.id != "AK9":
        raise cursor.error("999.ak9", "the acknowledgment gives no verdict on the group", expected="AK9 before SE")
    ak9 = cursor.e
    cursor.advance()
    yield ImplementationAcknowledgment(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        functional_id=ak1[1],
        group_control_number=parse_integer(ak1[2], digits=9),
        version=ak1[3],
        code=ak9[1],
        included=parse_integer(ak9[2]),
        received=parse_integer(ak9[3]),
        accepted_count=parse_integer(ak9[4]),
        error_codes=tuple(c for c in ak9[5:10] if c),
        transactions=tuple(transactions),
    )


def parse_999(data: Source) -> list[ImplementationAcknowledgment]:
    """Every 999 (and 997) of an input. X12Error when the input cannot be read."""
    payload = data if isinstance(data, bytes) else b"".join(data)
    found = list(iter_transactions(payload, "999", _acknowledgment))
    return found + list(iter_transactions(payload, "997", _acknowledgment))
