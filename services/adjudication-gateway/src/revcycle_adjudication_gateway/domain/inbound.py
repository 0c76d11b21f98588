"""What came from a payer: bytes in, records out. One payload may hold several interchanges and transactions."""

from dataclasses import dataclass, replace

from revcycle_edi.x12 import (
    X12Error,
    balance_835,
    inspect_interchanges,
    parse_277,
    parse_277ca,
    parse_835,
    parse_999,
    parse_ta1,
)
from revcycle_edi.x12.records import (
    ClaimAcknowledgmentReport,
    ImplementationAcknowledgment,
    InterchangeAcknowledgment,
    Remittance,
    StatusAnswerTransaction,
)

from revcycle_adjudication_gateway.domain.remittance import FailingEquation, failing

MIXED = "mixed"
_ISA_BYTES = 106


class Malformed(Exception):
    """The bytes cannot be read: the place, the rule and what would be right. Never repeats what stands there."""

    def __init__(self, finding: dict[str, str | int]) -> None:
        self.finding = finding
        super().__init__(str(finding["rule"]))


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything one payload says. ``remittances`` come with the equations that fail (none: balanced)."""

    kind: str
    control_number: int
    interchange_acknowledgments: list[InterchangeAcknowledgment]
    implementation_acknowledgments: list[ImplementationAcknowledgment]
    claim_reports: list[ClaimAcknowledgmentReport]
    status_answers: list[StatusAnswerTransaction]
    remittances: list[tuple[Remittance, tuple[FailingEquation, ...]]]


def read(raw: bytes) -> Reading:
    """Read a payload whole. CPU-bound: off the event loop for more than a few kilobytes.

    Raises:
        Malformed: it is not X12, its envelope does not hold, or it holds nothing that is known here.
    """
    try:
        _refuse_nul(raw)
        interchanges = inspect_interchanges(raw)
        reading = Reading(
            kind="",
            control_number=interchanges[0].control_number if interchanges else 0,
            interchange_acknowledgments=parse_ta1(raw),
            implementation_acknowledgments=parse_999(raw),
            claim_reports=parse_277ca(raw),
            status_answers=parse_277(raw),
            remittances=[(remittance, _failing(remittance)) for remittance in parse_835(raw)],
        )
    except X12Error as error:
        raise Malformed(_finding(error)) from None
    return _named(reading)


def _refuse_nul(raw: bytes) -> None:
    """No text that is kept here can hold a NUL: what cannot be stored would be read again for ever."""
    offset = raw.find(b"\0")
    if offset >= 0:
        raise X12Error("x12.character", "a NUL character", expected="printable characters", byte_offset=offset)


def addressee(raw: bytes) -> str | None:
    """ISA08: whose identifier the payload is addressed to; None when there is no proper ISA to read it from."""
    isa = raw.lstrip()[:_ISA_BYTES]
    separator = isa[3:4]
    if len(isa) < _ISA_BYTES or isa[:3] != b"ISA" or isa[53:54] != separator or isa[69:70] != separator:
        return None
    return isa[54:69].decode("ascii", "replace").strip()


def _named(reading: Reading) -> Reading:
    kinds = [
        name
        for name, parts in (
            ("TA1", reading.interchange_acknowledgments),
            ("999", reading.implementation_acknowledgments),
            ("277CA", reading.claim_reports),
            ("277", reading.status_answers),
            ("835", reading.remittances),
        )
        if parts
    ]
    if not kinds:
        raise Malformed(
            {
                "rule": "known-transaction",
                "message": "the file holds no transaction that is read here",
                "expected": "TA1, 999, 277CA (005010X214), 277 (005010X212) or 835 (005010X221A1)",
                "segment_number": 0,
                "byte_offset": 0,
                "segment": "",
                "element": "",
            }
        )
    return replace(reading, kind=kinds[0] if len(kinds) == 1 else MIXED)


def _failing(remittance: Remittance) -> tuple[FailingEquation, ...]:
    return failing(
        FailingEquation(each.level, each.id, each.equation, each.left_cents, each.right_cents)
        for each in balance_835(remittance)
    )


def _finding(error: X12Error) -> dict[str, str | int]:
    return {
        "rule": error.rule,
        "message": error.message,
        "expected": error.expected,
        "segment_number": error.segment_number,
        "byte_offset": error.byte_offset,
        "segment": error.segment,
        "element": error.element,
    }
