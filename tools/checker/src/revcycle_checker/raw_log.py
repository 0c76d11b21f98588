"""The payer's raw log, read without any codec of ours: a shared codec would hide a shared mistake."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Segment = list[str]


@dataclass(frozen=True, slots=True)
class Advice:
    """One 835 as the payer put it out, distinct by payer, trace number, date and amount."""

    route: str
    trace_number: str
    payment_date: str
    paid_cents: int


@dataclass(slots=True)
class RawLog:
    """What arrived at the payer and what it answered.

    ``arrivals``: (route, CLM01, CLM05-3) per arrival. ``interchanges``: (route, ISA06, ISA13) and SHA-256 per 837.
    ``rejected``: (route, CLM01) a 277CA turned down. ``refused_whole``: ISA13s a TA1 or 999 turned down, per route.
    """

    arrivals: list[tuple[str, str, str]] = field(default_factory=list)
    interchanges: list[tuple[str, str, str, str]] = field(default_factory=list)
    advices: set[Advice] = field(default_factory=set)
    unbalanced_advices: list[str] = field(default_factory=list)
    inquiries: int = 0


def read_raw_log(path: Path) -> RawLog:
    """Read every line of ``raw.jsonl``; an absent file is an empty log."""
    log = RawLog()
    if not path.exists():
        return log
    with path.open() as lines:
        for line in lines:
            entry = json.loads(line)
            data = base64.b64decode(entry["bytes_base64"])
            if entry["direction"] == "in":
                _read_arrival(log, entry["route"], data)
            else:
                _read_answer(log, entry["route"], data)
    return log


def segments(data: bytes) -> Iterator[Segment]:
    """Elements of every segment; delimiters stand at fixed places of the ISA."""
    text = data.decode("latin-1").lstrip()
    if not text.startswith("ISA") or len(text) < 106:
        return
    element, terminator = text[3], text[105]
    for segment in text.split(terminator):
        segment = segment.strip("\r\n")
        if segment:
            yield segment.split(element)


def cents(amount: str) -> int:
    """Cents of an X12 decimal."""
    sign = -1 if amount.startswith("-") else 1
    whole, _, part = amount.lstrip("-").partition(".")
    return sign * (int(whole or "0") * 100 + int((part + "00")[:2]))


def _read_arrival(log: RawLog, route: str, data: bytes) -> None:
    parts = list(segments(data))
    if any(part[0] == "ST" and part[1] == "276" for part in parts):
        log.inquiries += 1
        return
    isa = parts[0] if parts else ["ISA"] + [""] * 16
    log.interchanges.append((route, isa[6].strip(), isa[13], hashlib.sha256(data).hexdigest()))
    component = isa[16][:1] if isa[16] else ":"
    for part in parts:
        if part[0] == "CLM":
            log.arrivals.append((route, part[1], part[5].split(component)[2]))


def _read_answer(log: RawLog, route: str, data: bytes) -> None:
    transaction: list[Segment] = []
    for part in segments(data):
        if part[0] == "ST":
            transaction = []
        transaction.append(part)
        if part[0] == "SE" and transaction[0][:2] == ["ST", "835"]:
            _read_advice(log, route, transaction)


def _read_advice(log: RawLog, route: str, transaction: list[Segment]) -> None:
    bpr = next(part for part in transaction if part[0] == "BPR")
    trn = next(part for part in transaction if part[0] == "TRN")
    paid = cents(bpr[2])
    claims = sum(cents(part[4]) for part in transaction if part[0] == "CLP")
    provider_level = sum(
        cents(part[position]) for part in transaction if part[0] == "PLB" for position in range(4, len(part), 2)
    )
    if claims - provider_level != paid or _claims_fail(transaction):
        log.unbalanced_advices.append(trn[2])
        return
    log.advices.add(Advice(route, trn[2], bpr[16], paid))


def _claims_fail(transaction: list[Segment]) -> bool:
    """Whether any claim or line of an 835 does not add up."""
    claim_difference, line_difference, fails = 0, 0, False
    for part in [*transaction, ["CLP", "", "", "0", "0"]]:
        if part[0] == "CLP":
            fails = fails or claim_difference != 0 or line_difference != 0
            claim_difference, line_difference = cents(part[3]) - cents(part[4]), 0
        elif part[0] == "SVC":
            fails = fails or line_difference != 0
            line_difference = cents(part[2]) - cents(part[3])
        elif part[0] == "CAS":
            adjusted = sum(cents(part[position]) for position in range(3, len(part), 3) if part[position])
            claim_difference -= adjusted
            line_difference -= adjusted if _in_line(transaction, part) else 0
    return fails


def _in_line(transaction: list[Segment], wanted: Segment) -> bool:
    """Whether a CAS stands under an SVC, not under its claim."""
    inside = False
    for part in transaction:
        if part is wanted:
            return inside
        if part[0] in {"SVC", "CLP"}:
            inside = part[0] == "SVC"
    return inside


def read_deposits(payer_dir: Path) -> dict[str, tuple[str, str, int]]:
    """The bank's list: deposit id to (payer, trace number, cents)."""
    path = payer_dir / "deposits.csv"
    if not path.exists():
        return {}
    rows = [line.split(",") for line in path.read_text().splitlines()[1:] if line]
    return {row[0]: (row[2], row[3], int(row[4])) for row in rows}


def read_planted_exceptions(payer_dir: Path) -> set[str]:
    """Trace numbers of the deposits that the payer planted as late or short."""
    path = payer_dir / "planted_exceptions.jsonl"
    if not path.exists():
        return set()
    return {json.loads(line)["trace_number"] for line in path.read_text().splitlines() if line}
