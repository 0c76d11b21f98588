"""TA1, 999 and 277CA: what the payer says before it adjudicates. Pure: everything comes in as arguments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from revcycle_payer_simulator.benefit_plan import Rejection
from revcycle_payer_simulator.claim837 import GUIDE, ClaimSet, ElementFault, ReceivedClaim, SegmentFault
from revcycle_payer_simulator.fee_schedule import PLANS
from revcycle_payer_simulator.x12 import (
    Envelope,
    FunctionalGroup,
    Interchange,
    element,
    format_cents,
    open_set,
    segment,
    write_interchange,
)

_GUIDES = {"HC": GUIDE, "HR": "005010X212"}
_GUIDE_999 = "005010X231A1"
_GUIDE_277CA = "005010X214"


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """What a 999 says of one transaction set. `set_codes` empty: accepted."""

    code: str
    control_number: str
    guide: str
    faults: Sequence[SegmentFault]
    set_codes: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What a 277CA says of one claim: the payer's control number, or why it was returned."""

    claim: ReceivedClaim
    payer_control_number: str
    rejection: Rejection | None


def write_ta1(envelope: Envelope, interchange: Interchange, note: str) -> bytes:
    """Acknowledge or refuse a whole interchange; note 000 accepts."""
    header = interchange.header
    verdict = "A" if note == "000" else "R"
    body = segment(
        "TA1", element(header, 13).strip(), element(header, 9).strip(), element(header, 10).strip(), verdict, note
    )
    return write_interchange(envelope, "", "", [[body]])


def group_codes(group: FunctionalGroup) -> list[str]:
    """AK905 codes: 2 guide not supported, 3 GE missing, 4 control numbers differ, 5 wrong count of sets."""
    codes = []
    if element(group.header, 8) != _GUIDES.get(element(group.header, 1)):
        codes.append("2")
    if not group.trailer:
        codes.append("3")
    else:
        if element(group.trailer, 2) != element(group.header, 6):
            codes.append("4")
        if element(group.trailer, 1) != str(len(group.transactions)):
            codes.append("5")
    return codes


def write_999(envelope: Envelope, group: FunctionalGroup, verdicts: Sequence[SetVerdict]) -> bytes:
    """One 999 for one functional group."""
    header, refused = group.header, group_codes(group)
    body = [open_set("999", _GUIDE_999), segment("AK1", element(header, 1), element(header, 6), element(header, 8))]
    accepted = 0
    for verdict in verdicts:
        body.append(segment("AK2", verdict.code, verdict.control_number, verdict.guide))
        for fault in verdict.faults[:50]:
            body.append(segment("IK3", fault.segment_id, str(fault.position), fault.loop, fault.code))
            body.extend(_ik4(each) for each in fault.elements)
        accepted += not verdict.set_codes and not refused
        body.append(segment("IK5", "R", *verdict.set_codes[:5]) if verdict.set_codes else segment("IK5", "A"))
    total = len(verdicts)
    answer = "R" if refused or not accepted else "A" if accepted == total else "P"
    included = element(group.trailer, 1) or str(total)
    body.append(segment("AK9", answer, included, str(total), str(accepted), *refused))
    return write_interchange(envelope, "FA", _GUIDE_999, [body])


def _ik4(fault: ElementFault) -> str:
    position = (str(fault.position), str(fault.component)) if fault.component else str(fault.position)
    return segment("IK4", position, fault.reference, fault.code)


def write_277ca(envelope: Envelope, claim_set: ClaimSet, verdicts: Sequence[ClaimVerdict]) -> bytes:
    """One 277CA for one accepted 837 transaction set, claim by claim."""
    day = envelope.day
    accepted = [verdict for verdict in verdicts if verdict.rejection is None]
    rejected = [verdict for verdict in verdicts if verdict.rejection is not None]
    submitter = claim_set.submitter
    body = [
        open_set("277", _GUIDE_277CA),
        segment("BHT", "0085", "08", f"{envelope.payer_id}{envelope.control_number}", day, envelope.time, "TH"),
        segment("HL", "1", "", "20", "1"),
        segment("NM1", "PR", "2", PLANS[envelope.payer_id].name, "", "", "", "", "PI", envelope.payer_id),
        segment("TRN", "1", f"{envelope.payer_id}{envelope.control_number}"),
        segment("DTP", "050", "D8", day),
        segment("DTP", "009", "D8", day),
        segment("HL", "2", "1", "21", "1"),
        segment("NM1", "41", element(submitter, 2), element(submitter, 3), "", "", "", "", "46", element(submitter, 9)),
        segment("TRN", "2", claim_set.reference),
        segment("STC", ("A1", "19", "PR"), day, "WQ", format_cents(_charges(verdicts))),
    ]
    for qualifier, amount_qualifier, some in (("90", "YU", accepted), ("AA", "YY", rejected)):
        if some:
            body.append(segment("QTY", qualifier, str(len(some))))
            body.append(segment("AMT", amount_qualifier, format_cents(_charges(some))))
    body.extend(_claim_levels(envelope, verdicts))
    return write_interchange(envelope, "HN", _GUIDE_277CA, [body])


def _charges(verdicts: Sequence[ClaimVerdict]) -> int:
    return sum(verdict.claim.charge_cents for verdict in verdicts)


def _claim_levels(envelope: Envelope, verdicts: Sequence[ClaimVerdict]) -> Iterator[str]:
    level = 2
    for payee, of_payee in groupby(verdicts, key=lambda verdict: verdict.claim.payee):
        level += 1
        parent = str(level)
        yield segment("HL", parent, "2", "19", "1")
        yield segment("NM1", "85", "2", payee.name, "", "", "", "", "XX", payee.npi)
        for verdict in of_payee:
            level += 1
            yield segment("HL", str(level), parent, "PT")
            yield from _claim_status(envelope, verdict)


def _claim_status(envelope: Envelope, verdict: ClaimVerdict) -> Iterator[str]:
    claim, rejection = verdict.claim, verdict.rejection
    person = claim.patient
    yield segment("NM1", "QC", "1", person.last_name, person.first_name, "", "", "", "MI", claim.member_id)
    yield segment("TRN", "2", claim.claim_id)
    amount = format_cents(claim.charge_cents)
    if rejection is None:
        yield segment("STC", ("A2", "20", "PR"), envelope.day, "WQ", amount)
        yield segment("REF", "1K", verdict.payer_control_number)
    else:
        status = (rejection.category, rejection.status, rejection.entity or "")
        yield segment("STC", status, envelope.day, "U", amount)
    if claim.clearinghouse_reference:
        yield segment("REF", "D9", claim.clearinghouse_reference)
    dates = sorted(line.date_of_service for line in claim.lines if line.date_of_service)
    if dates:
        yield service_date(f"{dates[0]:%Y%m%d}", f"{dates[-1]:%Y%m%d}")


def service_date(first: str, last: str) -> str:
    """DTP*472 as one day or as a range."""
    if first == last:
        return segment("DTP", "472", "D8", first)
    return segment("DTP", "472", "RD8", f"{first}-{last}")
