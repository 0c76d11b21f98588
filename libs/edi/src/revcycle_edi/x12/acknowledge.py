"""Acknowledgments made from findings: what a receiver of an interchange answers.

TA1 for the interchange, one 999 per group, and for 837s that the 999 accepts one 277CA per transaction. An
acknowledgment is never acknowledged. Values are not copied into IK404: they may identify a patient. Whatever an input
holds can be answered: what an answer has to repeat of it (names of segments, numbers) is cut and freed of what X12
cannot carry, for an input that is not answered at all is worse than one that is not quoted to the letter.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from revcycle_edi.x12.cursor import Cursor, parse_envelope
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.findings import Finding
from revcycle_edi.x12.interchanges import GroupSummary, InterchangeSummary, TransactionSummary, inspect_interchanges
from revcycle_edi.x12.records.acknowledgment import (
    ClaimAcknowledgment,
    ClaimAcknowledgmentReport,
    ClaimStatus,
    ElementError,
    ImplementationAcknowledgment,
    InterchangeAcknowledgment,
    SegmentError,
    TransactionAcknowledgment,
)
from revcycle_edi.x12.records.claim import ClaimTransaction, DentalClaim, InstitutionalClaim, ProfessionalClaim
from revcycle_edi.x12.records.common import Envelope, Name, StatusCode
from revcycle_edi.x12.t837_parse import parse_837d, parse_837i, parse_837p
from revcycle_edi.x12.writer import clean_text

_ACKNOWLEDGMENTS = frozenset(("999", "997"))


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer: records for build_ta1, build_999 and build_277ca (empty tuples: nothing of that kind)."""

    interchanges: tuple[InterchangeAcknowledgment, ...]
    groups: tuple[ImplementationAcknowledgment, ...]
    claims: tuple[ClaimAcknowledgmentReport, ...]


def acknowledge(data: bytes, findings: Sequence[Finding], envelope: Envelope, *, received: date) -> Answers:
    """Make the answers to an input from its findings (of validate). envelope is that of the answer.

    Only errors reject, and transactions of no guide known here: nobody could read them. Warnings are not sent. An
    interchange whose header cannot be read gets no answer at all.
    """
    errors = [
        msgspec.structs.replace(finding, answer="999") if finding.rule == "999.st.unknown" else finding
        for finding in findings
        if finding.severity == "error" or finding.rule == "999.st.unknown"
    ]
    try:
        summaries = inspect_interchanges(data)
    except X12Error:
        return Answers(interchanges=_broken(data, errors, envelope), groups=(), claims=())
    interchanges = tuple(_interchange(summary, errors, envelope) for summary in summaries)
    groups: list[ImplementationAcknowledgment] = []
    rejected: set[tuple[int, int, str]] = set()
    for summary, answer in zip(summaries, interchanges, strict=True):
        if not answer.accepted:
            rejected |= _every_set(summary)
            continue
        for group in summary.groups:
            if group.transactions and group.transactions[0].transaction_type in _ACKNOWLEDGMENTS:
                continue
            item, refused = _group(group, summary, errors, envelope, len(groups) + 1)
            groups.append(item)
            rejected |= {(summary.control_number, group.control_number, control) for control in refused}
    return Answers(
        interchanges=interchanges,
        groups=tuple(groups),
        claims=tuple(_claim_reports(data, errors, envelope, rejected, received)),
    )


def _every_set(summary: InterchangeSummary) -> set[tuple[int, int, str]]:
    return {
        (summary.control_number, group.control_number, transaction.control_number)
        for group in summary.groups
        for transaction in group.transactions
    }


def _broken(data: bytes, errors: Sequence[Finding], envelope: Envelope) -> tuple[InterchangeAcknowledgment, ...]:
    """The TA1 of an interchange that cannot be read to its end, when at least its header can."""
    cursor = Cursor(data)
    try:
        cursor.advance()
        sent = parse_envelope(cursor.segment, [], cursor.reader.delimiters)
    except X12Error:
        return ()
    note = next((f.answer_codes[0] for f in reversed(errors) if f.answer == "ta1" and f.answer_codes), "022")
    return (
        InterchangeAcknowledgment(
            envelope=envelope,
            control_number=sent.control_number,
            interchange_at=sent.created_at,
            code="R",
            note_code=note,
        ),
    )


def _interchange(
    summary: InterchangeSummary, errors: Sequence[Finding], envelope: Envelope
) -> InterchangeAcknowledgment:
    own = [f for f in errors if f.answer == "ta1" and f.interchange == f"{summary.control_number:09d}"]
    return InterchangeAcknowledgment(
        envelope=envelope,
        control_number=summary.control_number,
        interchange_at=summary.created_at,
        code="R" if own else "A",
        note_code=own[0].answer_codes[0] if own and own[0].answer_codes else "000",
    )


def _codes(findings: Iterable[Finding], prefix: str) -> tuple[str, ...]:
    found = [code.partition(":")[2] for f in findings for code in f.answer_codes if code.startswith(prefix)]
    return tuple(dict.fromkeys(found))


def _group(
    group: GroupSummary, summary: InterchangeSummary, errors: Sequence[Finding], envelope: Envelope, number: int
) -> tuple[ImplementationAcknowledgment, set[str]]:
    """The answer to a group, and the control numbers of the sets that it rejects."""
    own = [
        f
        for f in errors
        if f.answer == "999"
        and f.interchange == f"{summary.control_number:09d}"
        and f.group == str(group.control_number)
    ]
    transactions = [_transaction(item, group, own) for item in group.transactions]
    group_codes = _codes(own, "AK905")
    total = len(transactions)
    if group_codes:
        # The whole group is rejected: a set without faults of its own shares its fate and is not listed as accepted.
        refused = {item.control_number for item in group.transactions}
        transactions = [item for item in transactions if not item.accepted]
        accepted = 0
    else:
        refused = {
            sent.control_number
            for sent, item in zip(group.transactions, transactions, strict=True)
            if not item.accepted
        }
        accepted = sum(item.accepted for item in transactions)
    code = "R" if accepted == 0 else "A" if accepted == total else "P"
    answer = ImplementationAcknowledgment(
        envelope=envelope,
        transaction_control_number=f"{number:04d}",
        functional_id=_echo(group.functional_id, 2, "ZZ"),
        group_control_number=group.control_number,
        version=_echo(group.version, 12),
        code=code,
        included=total,
        received=total,
        accepted_count=accepted,
        error_codes=group_codes,
        transactions=tuple(transactions),
    )
    return answer, refused


_NOT_CARRIED = re.compile(r"[^A-Za-z0-9!\"&'()+,\-./;?= @#%_$]")


def _echo(value: str, limit: int, otherwise: str = "") -> str:
    """A value of the input as an answer can carry it, whatever its delimiters are."""
    return _NOT_CARRIED.sub("-", value.strip()[:limit]).strip() or otherwise


def _transaction(item: TransactionSummary, group: GroupSummary, errors: Sequence[Finding]) -> TransactionAcknowledgment:
    own = [f for f in errors if f.transaction == item.control_number and not _codes([f], "AK905")]
    codes = _codes(own, "IK502")
    segments = _segment_errors(own)
    if segments:
        codes = (*codes, "5")
    return TransactionAcknowledgment(
        transaction_type=_echo(item.transaction_type, 3, "000"),
        control_number=_echo(item.control_number, 9, "0000"),
        version=_echo(group.version, 35),
        code="R" if own else "A",
        error_codes=tuple(dict.fromkeys(codes)),
        segment_errors=segments,
    )


def _segment_errors(errors: Sequence[Finding]) -> tuple[SegmentError, ...]:
    """One IK3 per segment and code, the element errors of a segment together."""
    grouped: dict[tuple[int, str, str, str], list[Finding]] = {}
    for finding in errors:
        for code in _codes([finding], "IK304"):
            key = (finding.transaction_position, finding.segment, finding.loop, code)
            grouped.setdefault(key, []).append(finding)
    return tuple(
        SegmentError(
            segment=_segment_name(segment),
            position=position,
            loop=loop,
            code=code,
            contexts=((f"CLM01:{_echo(found[0].claim_id, 35)}",),) if found[0].claim_id else (),
            element_errors=tuple(_element_error(f, c) for f in found for c in _codes([f], "IK403")),
        )
        for (position, segment, loop, code), found in grouped.items()
    )


def _segment_name(name: str) -> str:
    """IK301, of two or three characters, where the input may have anything up to the next separator."""
    echo = _echo(name, 3)
    return echo if len(echo) > 1 else "UNK"


def _element_error(finding: Finding, code: str) -> ElementError:
    element, _, component = finding.element.partition("-")
    return ElementError(element=int(element or "1"), component=int(component or "0"), code=code)


class _Extent:
    """Which segments of a transaction the decisions about one claim come from: its own and those of its levels."""

    def __init__(self, levels: list[tuple[int, int]], start: int) -> None:
        self.spans = [*levels, (start, 1 << 60)]

    def covers(self, number: int) -> bool:
        """Whether a segment belongs to the claim or to a level above it."""
        return any(first <= number < end for first, end in self.spans)


def _extents(data: bytes) -> dict[tuple[str, str, str, str], _Extent]:
    """For every claim (interchange, group, transaction, CLM01) the segments that decide about it."""
    cursor = Cursor(data)
    found: dict[tuple[str, str, str, str], _Extent] = {}
    keys = ["", "", ""]
    levels: dict[str, list[int]] = {}
    open_claim: _Extent | None = None
    while cursor.advance():
        number, e = cursor.number, cursor.e
        if cursor.id in _STARTS:
            index = _STARTS[cursor.id]
            keys[index] = e[(13, 6, 2)[index]]
        if cursor.id in ("HL", "CLM", "SE"):
            if open_claim is not None:
                open_claim.spans[-1] = (open_claim.spans[-1][0], number)
                open_claim = None
            for level in levels.values():
                if level[1] == 0:
                    level[1] = number
        if cursor.id == "ST":
            levels = {"00": [number, 0]}
        elif cursor.id == "HL":
            levels = {code: span for code, span in levels.items() if code < e[3]}
            levels[e[3]] = [number, 0]
        elif cursor.id == "CLM":
            open_claim = found[(keys[0], keys[1], keys[2], e[1])] = _Extent(
                [(a, b) for a, b in levels.values()], number
            )
    return found


_STARTS = {"ISA": 0, "GS": 1, "ST": 2}


def _claim_reports(
    data: bytes,
    errors: Sequence[Finding],
    envelope: Envelope,
    rejected: set[tuple[int, int, str]],
    received: date,
) -> Iterable[ClaimAcknowledgmentReport]:
    try:
        transactions = parse_837p(data) + parse_837i(data) + parse_837d(data)
        extents = _extents(data) if transactions else {}
    except X12Error:
        return
    decisive = [f for f in errors if f.answer == "277ca"]
    number = 0
    for transaction in transactions:
        sent = transaction.envelope
        group = sent.group_control_number or sent.control_number
        if (sent.control_number, group, transaction.transaction_control_number) in rejected:
            continue
        number += 1
        own = [
            f
            for f in decisive
            if (f.interchange, f.group, f.transaction)
            == (f"{sent.control_number:09d}", str(group), transaction.transaction_control_number)
        ]
        yield _report(transaction, own, extents, envelope, received, number)


def _report(
    transaction: ClaimTransaction,
    errors: Sequence[Finding],
    extents: dict[tuple[str, str, str, str], _Extent],
    envelope: Envelope,
    received: date,
    number: int,
) -> ClaimAcknowledgmentReport:
    sent = transaction.envelope
    prefix = (f"{sent.control_number:09d}", str(sent.group_control_number or sent.control_number))
    claims: list[ClaimAcknowledgment] = []
    totals = {True: [0, 0], False: [0, 0]}
    for claim in transaction.claims:
        extent = extents.get((*prefix, transaction.transaction_control_number, claim.claim_id))
        own = [f for f in errors if extent is not None and extent.covers(f.segment_number)]
        claims.append(_claim(claim, own, received))
        counted = totals[not own]
        counted[0] += 1
        counted[1] += claim.charge_cents
    header = transaction.header
    total_cents = totals[True][1] + totals[False][1]
    batch = ClaimStatus(
        codes=(StatusCode("A1", "19", "PR"),), effective_date=received, action="WQ", charge_cents=total_cents
    )
    return ClaimAcknowledgmentReport(
        envelope=envelope,
        transaction_control_number=f"{number:04d}",
        reference=f"{envelope.control_number}-{number}",
        source=_organization(header.receiver_name, "PI", header.receiver_id),
        source_trace=f"{envelope.control_number}-{number}",
        received_date=received,
        processed_date=received,
        receiver=_organization(header.submitter_name, "46", header.submitter_id),
        batch_reference=_echo(header.reference, 50, "0"),
        batch_statuses=(batch,),
        accepted_count=totals[True][0],
        rejected_count=totals[False][0],
        accepted_cents=totals[True][1],
        rejected_cents=totals[False][1],
        claims=tuple(claims),
    )


def _claim(
    claim: ProfessionalClaim | InstitutionalClaim | DentalClaim, errors: Sequence[Finding], received: date
) -> ClaimAcknowledgment:
    codes = list(dict.fromkeys(code for f in errors for code in f.answer_codes)) or ["A2:20:PR"]
    statuses = tuple(
        ClaimStatus(
            codes=tuple(_status(code) for code in codes[first : first + 3]),
            effective_date=received,
            action="U" if errors else "WQ",
            charge_cents=claim.charge_cents,
        )
        for first in range(0, len(codes), 3)
    )
    person = claim.patient or claim.subscriber
    provider = claim.billing_provider
    member = claim.subscriber.member_id
    served = [line.service_from for line in claim.lines if line.service_from is not None]
    return ClaimAcknowledgment(
        claim_id=_echo(claim.claim_id, 50, "0"),
        statuses=statuses,
        patient=Name(
            last_name=clean_text(person.last_name, 60) or _NAMELESS,
            first_name=person.first_name,
            middle_name=person.middle_name,
            suffix=person.suffix,
            id_qualifier="MI" if member else "",
            id=_echo(member, 80),
        ),
        provider=_organization(provider.name, "XX", provider.npi),
        service_from=min(served) if served else None,
    )


_NAMELESS = "UNKNOWN"


def _organization(name: str, qualifier: str, identifier: str) -> Name:
    return Name(
        last_name=clean_text(name, 60) or _NAMELESS,
        entity_type="2",
        id_qualifier=qualifier,
        id=_echo(identifier, 80),
    )


def _status(text: str) -> StatusCode:
    parts = [*text.split(":"), "", ""]
    return StatusCode(parts[0], parts[1], parts[2])
