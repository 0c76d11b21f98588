"""Typed views of the messages a revenue cycle lives on: ADT, DFT, BAR, MDM, ORU, SIU.

Values stay text as sent (dates too: HL7 dates have any precision). A field that deletes a value holds `""`.
"""

from typing import Literal

import msgspec

from revcycle_edi.hl7.message import Message

AdtAction = Literal["admit", "transfer", "discharge", "register", "update", "cancel", "merge", "person", "other"]
_ADT_ACTIONS: dict[str, AdtAction] = {
    "A01": "admit",
    "A02": "transfer",
    "A03": "discharge",
    "A04": "register",
    "A05": "register",
    "A06": "update",
    "A07": "update",
    "A08": "update",
    "A11": "cancel",
    "A12": "cancel",
    "A13": "cancel",
    "A28": "person",
    "A31": "person",
    "A34": "merge",
    "A40": "merge",
}


class Identifier(msgspec.Struct, frozen=True, gc=False):
    """CX: an identifier with who assigned it and its type (MR, SS, AN, ...)."""

    value: str
    authority: str = ""
    type: str = ""


class PersonName(msgspec.Struct, frozen=True, gc=False):
    """XPN or XCN: a person's name; id is that of an XCN."""

    family: str = ""
    given: str = ""
    middle: str = ""
    suffix: str = ""
    id: str = ""


class PatientView(msgspec.Struct, frozen=True, kw_only=True):
    """PID."""

    identifiers: tuple[Identifier, ...]
    name: PersonName
    birth_date: str
    sex: str
    street: str
    city: str
    state: str
    postal_code: str
    phone: str
    account_number: str
    deceased: bool


class VisitView(msgspec.Struct, frozen=True, kw_only=True):
    """PV1."""

    patient_class: str
    location: str
    attending: PersonName
    referring: PersonName
    visit_number: str
    admitted_at: str
    discharged_at: str
    discharge_disposition: str


class InsuranceView(msgspec.Struct, frozen=True, kw_only=True):
    """IN1."""

    rank: str
    plan_id: str
    payer_id: str
    payer_name: str
    group_number: str
    effective_date: str
    expiration_date: str
    insured: PersonName
    relationship: str
    insured_birth_date: str
    coordination_rank: str
    member_id: str


class AdtView(msgspec.Struct, frozen=True, kw_only=True):
    """An ADT message: what happened, to whom; merged_from names the patient who is merged away (MRG)."""

    event: str
    action: AdtAction
    recorded_at: str
    patient: PatientView
    visit: VisitView
    insurances: tuple[InsuranceView, ...]
    merged_from: tuple[Identifier, ...]


class ChargeView(msgspec.Struct, frozen=True, kw_only=True):
    """FT1. transaction_type CG is a charge, CD a credit; amount is for the whole quantity, unit_amount for one."""

    transaction_id: str
    service_date: str
    transaction_type: str
    code: str
    procedure_code: str
    modifiers: tuple[str, ...]
    quantity: str
    amount: str
    unit_amount: str
    diagnoses: tuple[str, ...]
    performer: PersonName


class ChargesView(msgspec.Struct, frozen=True, kw_only=True):
    """A DFT^P03 (or the P11) message."""

    patient: PatientView
    visit: VisitView
    charges: tuple[ChargeView, ...]


class DocumentView(msgspec.Struct, frozen=True, kw_only=True):
    """An MDM message: code only when `authenticated`. parent_id is the document an addendum amends."""

    event: str
    document_type: str
    unique_id: str
    parent_id: str
    completion: str
    availability: str
    originator: PersonName
    text: str
    patient: PatientView
    visit: VisitView

    @property
    def authenticated(self) -> bool:
        """Signed: completion status AU (authenticated) or LA (legally authenticated)."""
        return self.completion in ("AU", "LA")


class ObservationView(msgspec.Struct, frozen=True, kw_only=True):
    """OBX."""

    value_type: str
    code: str
    name: str
    value: str
    units: str
    abnormal: str
    status: str


class ResultsView(msgspec.Struct, frozen=True, kw_only=True):
    """An ORU^R01 message."""

    patient: PatientView
    orders: tuple[str, ...]
    observations: tuple[ObservationView, ...]


class AppointmentView(msgspec.Struct, frozen=True, kw_only=True):
    """An SIU message."""

    event: str
    appointment_id: str
    starts_at: str
    status: str
    reason: str
    patient: PatientView


def _identifier(components: list[str]) -> Identifier:
    value, _, _, authority, kind = (*components, "", "", "", "", "")[:5]
    return Identifier(value, authority, kind)


def _identifiers(message: Message, segment: list[str], field: int) -> tuple[Identifier, ...]:
    return tuple(map(_identifier, message.repetitions(segment, field)))


def _person(message: Message, segment: list[str], field: int) -> PersonName:
    def part(component: int) -> str:
        return message.value(segment, field, component)

    return PersonName(part(1), part(2), part(3), part(4))


def _provider(message: Message, segment: list[str], field: int) -> PersonName:
    def part(component: int) -> str:
        return message.value(segment, field, component)

    return PersonName(part(2), part(3), part(4), part(5), part(1))


def patient(message: Message) -> PatientView:
    """The PID of a message; every field empty when there is none."""
    pid = message.first("PID")
    return PatientView(
        identifiers=_identifiers(message, pid, 3),
        name=_person(message, pid, 5),
        birth_date=message.value(pid, 7),
        sex=message.value(pid, 8),
        street=message.value(pid, 11, 1),
        city=message.value(pid, 11, 3),
        state=message.value(pid, 11, 4),
        postal_code=message.value(pid, 11, 5),
        phone=message.value(pid, 13),
        account_number=message.value(pid, 18),
        deceased=message.value(pid, 30) == "Y",
    )


def visit(message: Message) -> VisitView:
    """The PV1 of a message; every field empty when there is none."""
    pv1 = message.first("PV1")
    return VisitView(
        patient_class=message.value(pv1, 2),
        location=message.value(pv1, 3),
        attending=_provider(message, pv1, 7),
        referring=_provider(message, pv1, 8),
        visit_number=message.value(pv1, 19),
        admitted_at=message.value(pv1, 44),
        discharged_at=message.value(pv1, 45),
        discharge_disposition=message.value(pv1, 36),
    )


def insurances(message: Message) -> tuple[InsuranceView, ...]:
    """The IN1 segments of a message in order."""
    return tuple(
        InsuranceView(
            rank=message.value(in1, 1),
            plan_id=message.value(in1, 2),
            payer_id=message.value(in1, 3),
            payer_name=message.value(in1, 4),
            group_number=message.value(in1, 8),
            effective_date=message.value(in1, 12),
            expiration_date=message.value(in1, 13),
            insured=_person(message, in1, 16),
            relationship=message.value(in1, 17),
            insured_birth_date=message.value(in1, 18),
            coordination_rank=message.value(in1, 22),
            member_id=message.value(in1, 49) or message.value(in1, 36),
        )
        for in1 in message.all("IN1")
    )


def adt(message: Message) -> AdtView:
    """View an ADT message."""
    return AdtView(
        event=message.event,
        action=_ADT_ACTIONS.get(message.event, "other"),
        recorded_at=message.value(message.first("EVN"), 2),
        patient=patient(message),
        visit=visit(message),
        insurances=insurances(message),
        merged_from=_identifiers(message, message.first("MRG"), 1),
    )


def charges(message: Message) -> ChargesView:
    """View a DFT message."""
    return ChargesView(
        patient=patient(message),
        visit=visit(message),
        charges=tuple(_charge(message, ft1) for ft1 in message.all("FT1")),
    )


def _charge(message: Message, ft1: list[str]) -> ChargeView:
    def listed(field: int) -> tuple[str, ...]:
        return tuple(components[0] for components in message.repetitions(ft1, field))

    return ChargeView(
        transaction_id=message.value(ft1, 2),
        service_date=message.value(ft1, 4),
        transaction_type=message.value(ft1, 6),
        code=message.value(ft1, 7),
        procedure_code=message.value(ft1, 25),
        modifiers=listed(26),
        quantity=message.value(ft1, 10),
        amount=message.value(ft1, 11),
        unit_amount=message.value(ft1, 12),
        diagnoses=listed(19),
        performer=_provider(message, ft1, 20),
    )


def document(message: Message) -> DocumentView:
    """View an MDM message; text joins its OBX values, but for files (ED) and pointers to them (RP)."""
    txa = message.first("TXA")
    return DocumentView(
        event=message.event,
        document_type=message.value(txa, 2),
        unique_id=message.value(txa, 12),
        parent_id=message.value(txa, 13),
        completion=message.value(txa, 17),
        availability=message.value(txa, 19),
        originator=_provider(message, txa, 9),
        text="\n".join(message.text(obx, 5) for obx in message.all("OBX") if message.value(obx, 2) not in ("ED", "RP")),
        patient=patient(message),
        visit=visit(message),
    )


def results(message: Message) -> ResultsView:
    """View an ORU message."""
    return ResultsView(
        patient=patient(message),
        orders=tuple(message.value(obr, 4) for obr in message.all("OBR")),
        observations=tuple(
            ObservationView(
                value_type=message.value(obx, 2),
                code=message.value(obx, 3),
                name=message.value(obx, 3, 2),
                value=message.text(obx, 5),
                units=message.value(obx, 6),
                abnormal=message.value(obx, 8),
                status=message.value(obx, 11),
            )
            for obx in message.all("OBX")
        ),
    )


def appointment(message: Message) -> AppointmentView:
    """View an SIU message."""
    sch = message.first("SCH")
    return AppointmentView(
        event=message.event,
        appointment_id=message.value(sch, 2) or message.value(sch, 1),
        starts_at=message.value(sch, 11, 4),
        status=message.value(sch, 25),
        reason=message.value(sch, 7, 2) or message.value(sch, 7),
        patient=patient(message),
    )
