"""Acknowledgments made from findings: what a receiver of an interchange answers.

TA1 for the interchange, one 999 per group, and for 837s that the 999 accepts one 277CA per transaction. An
acknowledgment is never acknowledged. Values are not copied into IK404: they may identify a patient. Whatever an input
holds can be answered: what an answer has to repeat of it (names of segments, numbers) is cut and freed of what X12
cannot carry, for an input that is not answered at all is worse than one that is not quoted to the letter.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from operator import itemgetter

import msgspec

from revcycle_edi.x12.cursor import parse_envelope
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.extents import Extent, GroupExtent, InterchangeExtent, SetExtent, extents
from revcycle_edi.x12.findings import Finding
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
from revcycle_edi.x12.records.common import Delimiters, Envelope, Name, StatusCode
from revcycle_edi.x12.t837_parse import parse_837d, parse_837i, parse_837p
from revcycle_edi.x12.writer import clean_text

_Claim = ProfessionalClaim | InstitutionalClaim | DentalClaim
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
    errors = _Errors(findings)
    interchanges: list[InterchangeAcknowledgment] = []
    groups: list[ImplementationAcknowledgment] = []
    claims: list[ClaimAcknowledgmentReport] = []
    for sent in extents(data):
        answer = _interchange(sent, errors, envelope)
        if answer is None:
            continue
        interchanges.append(answer)
        for group in sent.groups if answer.accepted else ():
            if group.sets and group.sets[0].elements[1] in _ACKNOWLEDGMENTS:
                continue
            item, accepted = _group(group, errors, envelope, len(groups) + 1, partial(_read, data, sent, group))
            groups.append(item)
            for extent, transactions in accepted:
                for read in transactions:
                    claims.append(_report(read, extent, errors, envelope, received, len(claims) + 1))
    return Answers(interchanges=tuple(interchanges), groups=tuple(groups), claims=tuple(claims))


class _Errors:
    """The errors of an input by their place."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        placed = []
        for finding in findings:
            if finding.rule == "999.st.unknown":
                placed.append((finding.byte_offset, msgspec.structs.replace(finding, answer="999")))
            elif finding.severity == "error":
                # What is missing at the end of something is noticed at the beginning of the next.
                placed.append((finding.byte_offset - (finding.rule in _ABOUT_THE_ONE_BEFORE), finding))
        placed.sort(key=itemgetter(0))
        self._offsets = [offset for offset, _ in placed]
        self._findings = [finding for _, finding in placed]

    def within(self, extent: Extent, answer: str) -> list[Finding]:
        """Those that stand in an extent and are answered by one kind of answer."""
        first, end = bisect_left(self._offsets, extent.start), bisect_left(self._offsets, extent.end)
        return [finding for finding in self._findings[first:end] if finding.answer == answer]


_ABOUT_THE_ONE_BEFORE = frozenset(("999.se.missing", "999.ge.missing", "ta1.isa.inside"))


def _interchange(sent: InterchangeExtent, errors: _Errors, envelope: Envelope) -> InterchangeAcknowledgment | None:
    """The TA1, None when not even the header can be read."""
    try:
        header = parse_envelope(sent.elements, [], Delimiters())
    except X12Error:
        return None
    notes = [(*finding.answer_codes, "022")[0] for finding in errors.within(sent, "ta1")]
    if not sent.closed or any(not _is_number(group.elements[6]) for group in sent.groups):
        notes = [*reversed(notes), "022"]  # What ended the reading stands last.
    return InterchangeAcknowledgment(
        envelope=envelope,
        control_number=header.control_number,
        interchange_at=header.created_at,
        code="R" if notes else "A",
        note_code=notes[0] if notes else "000",
    )


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 9


def _codes(findings: Iterable[Finding], prefix: str) -> tuple[str, ...]:
    found = [code.partition(":")[2] for f in findings for code in f.answer_codes if code.startswith(prefix)]
    return tuple(dict.fromkeys(found))


def _group(
    group: GroupExtent,
    errors: _Errors,
    envelope: Envelope,
    number: int,
    read: Callable[[SetExtent], list[ClaimTransaction] | None],
) -> tuple[ImplementationAcknowledgment, list[tuple[SetExtent, list[ClaimTransaction]]]]:
    """The answer to a group, and the sets that it accepts with the claims they hold."""
    functional_id, control, version = group.elements[1], group.elements[6], group.elements[8]
    listed: list[TransactionAcknowledgment] = []
    accepted: list[tuple[SetExtent, list[ClaimTransaction]]] = []
    for sent in group.sets:
        item = _transaction(sent, version, errors)
        if item.accepted:
            claims = read(sent)
            if claims is None:
                item = msgspec.structs.replace(item, code="R", error_codes=("5",))
            else:
                accepted.append((sent, claims))
        listed.append(item)
    group_codes = _codes(errors.within(group, "999"), "AK905")
    total = len(listed)
    if group_codes:
        # The whole group is rejected: a set without faults of its own shares its fate and is not listed as accepted.
        listed, accepted = [item for item in listed if not item.accepted], []
    answer = ImplementationAcknowledgment(
        envelope=envelope,
        transaction_control_number=f"{number:04d}",
        functional_id=_echo(functional_id, 2, "ZZ"),
        group_control_number=int(control),
        version=_echo(version, 12),
        code="R" if not accepted else "A" if len(accepted) == total else "P",
        included=total,
        received=total,
        accepted_count=len(accepted),
        error_codes=group_codes,
        transactions=tuple(listed),
    )
    return answer, accepted


_NOT_CARRIED = re.compile(r"[^A-Za-z0-9!\"&'()+,\-./;?= @#%_$]")


def _echo(value: str, limit: int, otherwise: str = "") -> str:
    """A value of the input as an answer can carry it, whatever its delimiters are."""
    return _NOT_CARRIED.sub("-", value.strip()[:limit]).strip() or otherwise


def _transaction(sent: SetExtent, version: str, errors: _Errors) -> TransactionAcknowledgment:
    own = [finding for finding in errors.within(sent, "999") if not _codes([finding], "AK905")]
    codes = _codes(own, "IK502")
    segments = _segment_errors(own)
    if segments:
        codes = (*codes, "5")
    return TransactionAcknowledgment(
        transaction_type=_echo(sent.elements[1], 3, "000"),
        control_number=_echo(sent.elements[2], 9, "0000"),
        version=_echo(version, 35),
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


def _read(
    data: bytes, interchange: InterchangeExtent, group: GroupExtent, sent: SetExtent
) -> list[ClaimTransaction] | None:
    """The claims of an 837 read by itself: what stands beside it cannot keep it from being read. None: unreadable."""
    if sent.elements[1] != "837":
        return []
    envelope = data[interchange.start : interchange.head] + data[group.start : group.head]
    end = f"GE*1*{group.elements[6]}~IEA*1*{interchange.elements[13]}~"
    alone = envelope + data[sent.start : sent.end] + _in_delimiters(data, interchange, end)
    try:
        return parse_837p(alone) or parse_837i(alone) or parse_837d(alone)
    except X12Error:
        return None


def _in_delimiters(data: bytes, interchange: InterchangeExtent, text: str) -> bytes:
    element, terminator = data[interchange.start + 3 : interchange.start + 4], data[interchange.start + 105 :][:1]
    return text.encode("latin-1").translate(bytes.maketrans(b"*~", element + terminator))


def _report(
    transaction: ClaimTransaction,
    sent: SetExtent,
    errors: _Errors,
    envelope: Envelope,
    received: date,
    number: int,
) -> ClaimAcknowledgmentReport:
    claims: list[ClaimAcknowledgment] = []
    totals = {True: [0, 0], False: [0, 0]}
    # Should reader and extents ever count differently, what is wrong with one is held against all.
    is_placed = len(sent.claims) == len(transaction.claims)
    read: Sequence[_Claim] = transaction.claims
    for index, claim in enumerate(read):
        parts = (*sent.claims[index].levels, sent.claims[index]) if is_placed else (sent,)
        own = [found for part in parts for found in errors.within(part, "277ca")]
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


def _claim(claim: _Claim, errors: Sequence[Finding], received: date) -> ClaimAcknowledgment:
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
