"""Status inquiries: reading a 276 (005010X212) and writing its 277, and the unsolicited 277 of a pended claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from revcycle_payer_simulator.fee_schedule import PLANS
from revcycle_payer_simulator.x12 import (
    Envelope,
    Segment,
    TransactionSet,
    element,
    format_cents,
    open_set,
    segment,
    write_interchange,
)

GUIDE = "005010X212"


@dataclass(slots=True)
class Inquiry:
    """One question about one claim (one TRN), with everything it identifies the claim by."""

    trace: str
    provider: Segment
    member: Segment
    dependent: Segment = ()
    claim_id: str = ""
    payer_control_number: str = ""
    clearinghouse_reference: str = ""
    bill_type: str = ""
    charge: str = ""
    service_date: tuple[str, str] = ("", "")

    @property
    def frequency(self) -> str:
        """The frequency asked about, when REF*BLT names one."""
        return self.bill_type[-1:]


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The answer to one inquiry: STC composite, money where known, and the identifiers found."""

    inquiry: Inquiry
    status: tuple[str, ...]
    charge_cents: int | None = None
    paid_cents: int | None = None
    trace_number: str = ""
    payer_control_number: str = ""
    claim_id: str = ""


def read_inquiries(transaction: TransactionSet) -> list[Inquiry]:
    """Every TRN of one ST*276 with the provider and member above it and the references below it."""
    found: list[Inquiry] = []
    provider: Segment = ()
    member: Segment = ()
    dependent: Segment = ()
    current: Inquiry | None = None
    for part in transaction.segments:
        name, qualifier = part[0], element(part, 1)
        if name == "HL":
            current = None
        elif name == "NM1" and qualifier == "1P":
            provider = part
        elif name == "NM1" and qualifier == "IL":
            member, dependent = part, ()
        elif name == "NM1" and qualifier == "QC":
            dependent = part
        elif name == "TRN":
            current = Inquiry(element(part, 2), provider, member, dependent)
            found.append(current)
        elif current is not None:
            _identify(current, part)
    return found


def _identify(inquiry: Inquiry, part: Segment) -> None:
    name, qualifier, value = part[0], element(part, 1), element(part, 2)
    if name == "REF" and qualifier == "EJ":
        inquiry.claim_id = value
    elif name == "REF" and qualifier == "1K":
        inquiry.payer_control_number = value
    elif name == "REF" and qualifier == "D9":
        inquiry.clearinghouse_reference = value
    elif name == "REF" and qualifier == "BLT":
        inquiry.bill_type = value
    elif name == "AMT" and qualifier == "T3":
        inquiry.charge = value
    elif name == "DTP" and qualifier == "472":
        inquiry.service_date = (value, element(part, 3))


def write_277(envelope: Envelope, submitter: tuple[str, str], answers: Sequence[StatusAnswer]) -> bytes:
    """One 277 that answers every inquiry of one 276, in its order."""
    body = _heading(envelope, submitter)
    level = 2
    provider: Segment | None = None
    parent = ""
    for answer in answers:
        if provider is None or answer.inquiry.provider != provider:
            provider = answer.inquiry.provider
            level += 1
            parent = str(level)
            body.append(segment("HL", parent, "2", "19", "1"))
            body.append(_name("1P", provider, "2", "XX"))
        level += 1
        body.append(segment("HL", str(level), parent, "22", "1" if answer.inquiry.dependent else "0"))
        body.append(_name("IL", answer.inquiry.member, "1", "MI"))
        if answer.inquiry.dependent:
            level += 1
            body.append(segment("HL", str(level), str(level - 1), "23"))
            body.append(segment("NM1", "QC", *answer.inquiry.dependent[2:5]))
        body.extend(_status(envelope, answer))
    return write_interchange(envelope, "HN", GUIDE, [body])


def _heading(envelope: Envelope, submitter: tuple[str, str]) -> list[str]:
    reference = f"{envelope.payer_id}{envelope.control_number}"
    return [
        open_set("277", GUIDE),
        segment("BHT", "0010", "08", reference, envelope.day, envelope.time, "DG"),
        segment("HL", "1", "", "20", "1"),
        segment("NM1", "PR", "2", PLANS[envelope.payer_id].name, "", "", "", "", "PI", envelope.payer_id),
        segment("HL", "2", "1", "21", "1"),
        segment("NM1", "41", "2", submitter[0] or "SUBMITTER", "", "", "", "", "46", submitter[1]),
    ]


def _name(qualifier: str, source: Segment, kind: str, id_qualifier: str) -> str:
    return segment(
        "NM1",
        qualifier,
        element(source, 2) or kind,
        element(source, 3),
        element(source, 4),
        "",
        "",
        "",
        element(source, 8) or id_qualifier,
        element(source, 9),
    )


def _status(envelope: Envelope, answer: StatusAnswer) -> list[str]:
    inquiry = answer.inquiry
    money = answer.charge_cents is not None
    charge = format_cents(answer.charge_cents or 0) if money else inquiry.charge
    paid = format_cents(answer.paid_cents) if answer.paid_cents is not None else ""
    finalised = answer.paid_cents is not None
    body = [
        segment("TRN", "2", inquiry.trace),
        segment(
            "STC",
            answer.status,
            envelope.day,
            "",
            charge,
            paid,
            envelope.day if finalised else "",
            "",
            envelope.day if answer.trace_number else "",
            answer.trace_number,
        ),
    ]
    references = (
        ("1K", answer.payer_control_number),
        ("BLT", inquiry.bill_type),
        ("EJ", answer.claim_id or inquiry.claim_id),
        ("D9", inquiry.clearinghouse_reference),
    )
    body.extend(segment("REF", qualifier, value) for qualifier, value in references if value)
    if inquiry.service_date[1]:
        body.append(segment("DTP", "472", *inquiry.service_date))
    return body
