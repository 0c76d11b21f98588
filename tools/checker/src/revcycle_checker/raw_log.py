"""The payer's raw log, read without any codec of ours: a shared codec would hide a shared mistake."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Segment = list[str]
TRAILERS = {"SE": ("segments", "ST"), "GE": ("transactions", "GS"), "IEA": ("groups", "ISA")}
"""What each trailer counts, and the header whose number it repeats."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One 835 as the payer put it out, distinct by payer, trace number, date and amount."""

    route: str
    trace_number: str
    payment_date: str
    paid_cents: int


@dataclass(frozen=True, slots=True)
class ArrivedClaim:
    """A CLM loop of an 837 that arrived: CLM01, CLM05-3, CLM02 and the sum of its SV102 in cents, its dates (CCYYMMDD).

    ``digest`` is the SHA-256 of the interchange it came in.
    """

    route: str
    patient_control_number: str
    frequency: str
    charge_cents: int
    line_cents: int
    service_dates: frozenset[str]
    digest: str


@dataclass(frozen=True, slots=True)
class ArrivedInterchange:
    """An interchange that arrived: ISA06, ISA13, its GS06s and BHT03s, and what is wrong with its own counts."""

    route: str
    kind: str
    sender: str
    control_number: str
    digest: str
    group_numbers: tuple[str, ...]
    batch_references: tuple[str, ...]
    miscounts: tuple[str, ...]


@dataclass(slots=True)
class RawLog:
    """What arrived at the payer, one entry per arrival, and the remittances it answered with."""

    claims: list[ArrivedClaim] = field(default_factory=list)
    interchanges: list[ArrivedInterchange] = field(default_factory=list)
    advices: set[Advice] = field(default_factory=set)
    unbalanced_advices: list[str] = field(default_factory=list)

    @property
    def distinct_interchanges(self) -> list[ArrivedInterchange]:
        """Each content once: the same bytes may arrive again after a lost answer."""
        return list({(one.route, one.digest): one for one in self.interchanges}.values())


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
    isa = parts[0] if parts else ["ISA"] + [""] * 16
    digest = hashlib.sha256(data).hexdigest()
    log.interchanges.append(
        ArrivedInterchange(
            route,
            next((part[1] for part in parts if part[0] == "ST"), ""),
            isa[6].strip(),
            isa[13],
            digest,
            tuple(part[6] for part in parts if part[0] == "GS"),
            tuple(part[3] for part in parts if part[0] == "BHT"),
            tuple(miscounts(parts)),
        )
    )
    component = isa[16][:1] or ":"
    starts = [place for place, part in enumerate(parts) if part[0] == "CLM"]
    # An inquiry holds no claim: then the end of the interchange is the end of nothing.
    log.claims += [
        _claim(route, parts[start:end], component, digest)
        for start, end in zip(starts, [*starts[1:], len(parts)], strict=False)
    ]


def _claim(route: str, parts: list[Segment], component: str, digest: str) -> ArrivedClaim:
    clm = parts[0]
    return ArrivedClaim(
        route,
        clm[1],
        clm[5].split(component)[2],
        cents(clm[2]),
        sum(cents(part[2]) for part in parts if part[0] == "SV1"),
        frozenset(part[3][:8] for part in parts if part[:2] == ["DTP", "472"]),
        digest,
    )


def miscounts(parts: list[Segment]) -> list[str]:
    """What SE, GE, IEA, ST02 and HL01 say against a recount of the interchange's own segments."""
    found = []
    counted = {"segments": 0, "transactions": 0, "groups": 0, "levels": 0}
    opened: dict[str, str] = {"ISA": parts[0][13] if parts and len(parts[0]) > 13 else ""}
    numbers: set[str] = set()
    for part in parts:
        counted["segments"] += 1
        if part[0] == "GS":
            counted["groups"] += 1
            counted["transactions"], numbers, opened["GS"] = 0, set(), part[6]
        elif part[0] == "ST":
            counted["transactions"] += 1
            counted["segments"], counted["levels"], opened["ST"] = 1, 0, part[2]
            found += [f"ST02 {part[2]} twice in its group"] if part[2] in numbers else []
            numbers.add(part[2])
        elif part[0] == "HL":
            counted["levels"] += 1
            found += [] if part[1] == str(counted["levels"]) else [f"HL01 {part[1]} is level {counted['levels']}"]
        elif part[0] in TRAILERS:
            counter, header = TRAILERS[part[0]]
            if [part[1], part[2]] != [str(counted[counter]), opened.get(header, "")]:
                found.append(f"{part[0]} says {part[1]} and {part[2]}: counted {counted[counter]}")
    return found


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
