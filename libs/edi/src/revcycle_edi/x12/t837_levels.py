"""The levels of an 837: billing providers (2000A), subscribers (2000B), patients (2000C), and their claims below."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from revcycle_edi.x12.outlines837 import levels
from revcycle_edi.x12.records.claim import (
    BillingProvider,
    ClaimBase,
    DentalClaim,
    InstitutionalClaim,
    Patient,
    ProfessionalClaim,
)
from revcycle_edi.x12.t837_write import write_payer, write_person
from revcycle_edi.x12.values import format_date
from revcycle_edi.x12.writer import (
    TransactionWriter,
    clean_text,
    code,
    digits,
    write_address,
    write_contact,
    write_references,
)

_C = TypeVar("_C", ProfessionalClaim, InstitutionalClaim, DentalClaim)


class LevelWriter(Generic[_C]):
    """Writes claims under their levels: by outlines, and what has another shape by loops."""

    def __init__(self, out: TransactionWriter, kind: type[_C], write: Callable[[TransactionWriter, _C], None]) -> None:
        self._out = out
        self._outlines = levels(kind)
        self._write: Callable[[TransactionWriter, _C], None] = write

    def claims(self, claims: Sequence[_C]) -> None:
        """Write claims grouped, first seen first."""
        for provider, groups in _grouped(claims).items():
            parent = self._out.level("20", child=True)
            _write_billing_provider(self._out, provider)
            alone: list[_C] = []
            for group in groups:
                if len(group) == 1:
                    alone += group
                    continue
                self._alone(alone, parent)
                alone = []
                self._group(group, parent)
            self._alone(alone, parent)

    def _alone(self, claims: Sequence[_C], parent: int) -> None:
        """Claims that are each the only one of their subscriber."""
        self._out.outlined(self._outlines.alone, claims, lambda claim: self._group([claim], parent), parent=parent)

    def _group(self, claims: Sequence[_C], parent: int) -> None:
        """Claims of one subscriber, who is the patient of all of them or of none."""
        out = self._out
        out.outlined(
            self._outlines.subscriber, claims[:1], lambda claim: _write_subscriber(out, claim, parent), parent=parent
        )
        level = out.levels
        by_patient: dict[Patient | None, list[_C]] = {}
        for claim in claims:
            by_patient.setdefault(claim.patient, []).append(claim)
        for patient, own in by_patient.items():
            if patient is not None:
                out.level("23", parent=level, child=False)
                _write_patient(out, patient)
            out.outlined(self._outlines.claim, own, lambda claim: self._write(out, claim))


def _grouped(claims: Sequence[_C]) -> dict[BillingProvider, Iterable[list[_C]]]:
    """Claims of one subscriber, payer and kind of patient, by billing provider.

    Records are compared only where they may be equal: providers are nearly always the same object, and a member id
    that occurs once belongs to one subscriber alone.
    """
    members = Counter([claim.subscriber.member_id for claim in claims])
    groups: dict[BillingProvider, dict[object, list[_C]]] = {}
    known: dict[int, dict[object, list[_C]]] = {}
    for claim in claims:
        provider = claim.billing_provider
        own = known.get(id(provider))
        if own is None:
            own = known[id(provider)] = groups.setdefault(provider, {})
        member = claim.subscriber.member_id
        if members[member] == 1:
            own[member] = [claim]
        else:
            own.setdefault((claim.subscriber, claim.payer, claim.patient is None), []).append(claim)
    return {provider: own.values() for provider, own in groups.items()}


def _write_billing_provider(out: TransactionWriter, provider: BillingProvider) -> None:
    if provider.taxonomy_code:
        out.add("PRV", "BI", "PXC", code(provider.taxonomy_code, "billing taxonomy", 50))
    out.raw([raw for raw in provider.extra_segments if raw[0] == "CUR"])
    write_person(out, "85", provider.entity_type, provider.name, provider, "XX", provider.npi)
    write_address(out, provider.address)
    tax_id = digits(provider.tax_id, "billing tax id", (9,)) if provider.tax_id else ""
    if tax_id:
        out.add("REF", provider.tax_id_qualifier, tax_id)
    write_references(out, provider.references)
    if provider.contact is not None:
        write_contact(out, provider.contact)
    out.raw([raw for raw in provider.extra_segments if raw[0] == "PER"])
    if provider.pay_to_address is not None:
        out.add("NM1", "87", provider.entity_type)
        write_address(out, provider.pay_to_address)
    out.raw([raw for raw in provider.extra_segments if raw[0] not in ("CUR", "PER")])


def _write_subscriber(out: TransactionWriter, claim: ClaimBase, parent: int) -> None:
    subscriber, is_patient = claim.subscriber, claim.patient is None
    out.level("22", parent=parent, child=not is_patient)
    out.add(
        "SBR",
        code(subscriber.responsibility, "responsibility", 1, required=True),
        "18" if is_patient else "",
        code(subscriber.group_number, "group_number", 50),
        clean_text(subscriber.group_name, 60),
        code(subscriber.insurance_type_code, "insurance_type_code", 3),
        "",
        "",
        "",
        code(subscriber.filing_code, "filing_code", 2),
    )
    outer = [raw for raw in subscriber.extra_segments if raw[0] == "PAT"]
    out.raw(outer)
    write_person(out, "IL", subscriber.entity_type, subscriber.last_name, subscriber, "MI", subscriber.member_id)
    write_address(out, subscriber.address)
    if subscriber.birth_date is not None:
        out.add("DMG", "D8", format_date(subscriber.birth_date), subscriber.sex)
    write_references(out, subscriber.references)
    out.raw([raw for raw in subscriber.extra_segments if raw[0] != "PAT"])
    write_payer(out, claim.payer)


def _write_patient(out: TransactionWriter, patient: Patient) -> None:
    out.add("PAT", code(patient.relationship_code, "relationship_code", 2, required=True))
    write_person(out, "QC", "1", patient.last_name, patient, "", "")
    write_address(out, patient.address)
    if patient.birth_date is not None:
        out.add("DMG", "D8", format_date(patient.birth_date), patient.sex)
    write_references(out, patient.references)
    out.raw(patient.extra_segments)
