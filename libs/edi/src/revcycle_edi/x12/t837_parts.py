"""What the segments of one 837 loop add up to, and the NM1 loops of the guides."""

from collections.abc import Callable
from datetime import date

from revcycle_edi.x12.cursor import (
    Cursor,
    parse_cas,
    parse_contact,
    parse_dtp,
    parse_n3,
    parse_name,
    parse_reference,
    with_n4,
)
from revcycle_edi.x12.records.claim import (
    Attachment,
    Note,
    OtherPayer,
    Provider,
)
from revcycle_edi.x12.records.common import (
    Address,
    Adjustment,
    Contact,
    Name,
    QualifiedAmount,
    QualifiedDate,
    RawSegment,
    Reference,
)
from revcycle_edi.x12.values import (
    parse_cents,
    parse_optional_date,
)

LOOP_STARTS = frozenset(("HL", "CLM", "SBR", "LX", "NM1", "SVD", "SE", "GE", "IEA", "ST", "LIN", "LQ", ""))


class Parts:
    """What the segments of one loop add up to before the record is made."""

    __slots__ = (
        "adjustments",
        "amounts",
        "attachments",
        "dates",
        "e",
        "extra",
        "hi",
        "notes",
        "others",
        "providers",
        "references",
    )

    def __init__(self, e: list[str]) -> None:
        self.e = e
        self.dates: list[QualifiedDate] = []
        self.references: list[Reference] = []
        self.amounts: list[QualifiedAmount] = []
        self.adjustments: list[Adjustment] = []
        self.notes: list[Note] = []
        self.attachments: list[Attachment] = []
        self.hi: list[str] = []
        self.providers: list[tuple[str, Provider]] = []
        self.others: list[OtherPayer] = []
        self.extra: list[RawSegment] = []

    def take_date(self, *qualifiers: str) -> QualifiedDate | None:
        """Remove and return the first date with one of the qualifiers."""
        for index, found in enumerate(self.dates):
            if found.qualifier in qualifiers:
                return self.dates.pop(index)
        return None

    def take_reference(self, qualifier: str) -> str:
        """Remove and return the first reference with the qualifier, empty when there is none."""
        for index, found in enumerate(self.references):
            if found.qualifier == qualifier:
                del self.references[index]
                return found.value
        return ""

    def take_provider(self, code: str) -> Provider | None:
        """Remove and return the first provider with the entity code."""
        for index, (found, provider) in enumerate(self.providers):
            if found == code:
                del self.providers[index]
                return provider
        return None

    def take_amount(self, qualifier: str) -> int | None:
        """Remove and return the first amount with the qualifier."""
        for index, found in enumerate(self.amounts):
            if found.qualifier == qualifier:
                del self.amounts[index]
                return found.cents
        return None

    def take_extra(self, segment_id: str) -> RawSegment:
        """Remove and return the first unmodelled segment with the id."""
        for index, found in enumerate(self.extra):
            if found[0] == segment_id:
                return self.extra.pop(index)
        return ()


def _dtp(parts: Parts, e: list[str]) -> None:
    if e[2] in ("D8", "RD8", "DT"):
        parts.dates.append(parse_dtp(e))
    else:
        parts.extra.append(("DTP", e[1], e[2], e[3]))


def _ref(parts: Parts, e: list[str]) -> None:
    if e[4] or e[3]:
        parts.extra.append(("REF", e[1], e[2], e[3], e[4]) if e[4] else ("REF", e[1], e[2], e[3]))
    else:
        parts.references.append(Reference(e[1], e[2]))


def _amt(parts: Parts, e: list[str]) -> None:
    parts.amounts.append(QualifiedAmount(e[1], parse_cents(e[2])))


def _cas(parts: Parts, e: list[str]) -> None:
    parse_cas(e, parts.adjustments)


def _nte(parts: Parts, e: list[str]) -> None:
    parts.notes.append(Note(e[1], e[2]))


def _pwk(parts: Parts, e: list[str]) -> None:
    parts.attachments.append(Attachment(report_type=e[1], transmission=e[2], control_number=e[6]))


def _hi(parts: Parts, e: list[str]) -> None:
    parts.hi.extend(composite for composite in e[1:13] if composite)


HANDLERS: dict[str, Callable[[Parts, list[str]], None]] = {
    "DTP": _dtp,
    "REF": _ref,
    "AMT": _amt,
    "CAS": _cas,
    "NTE": _nte,
    "PWK": _pwk,
    "HI": _hi,
}
"""How each segment is taken into parts; others are kept raw."""


def read_loop(cursor: Cursor, parts: Parts) -> None:
    """Read segments into parts up to the next loop."""
    while cursor.advance() not in LOOP_STARTS:
        handler = HANDLERS.get(cursor.id)
        if handler is not None:
            handler(parts, cursor.e)
        else:
            parts.extra.append(cursor.raw())


class Entity:
    """An NM1 loop as read: name, address, references, contact, taxonomy and what else stood in it."""

    __slots__ = ("address", "birth_date", "contact", "extra", "name", "references", "sex", "taxonomy")

    def __init__(self, cursor: Cursor) -> None:
        self.name: Name = parse_name(cursor.e)
        self.address: Address | None = None
        self.references: list[Reference] = []
        self.contact: Contact | None = None
        self.taxonomy = ""
        self.birth_date: date | None = None
        self.sex = ""
        self.extra: list[RawSegment] = []
        while cursor.advance() not in LOOP_STARTS and cursor.id in _ENTITY_SEGMENTS:
            handler = _ENTITY_SEGMENTS[cursor.id]
            handler(self, cursor)

    def n3(self, cursor: Cursor) -> None:
        """Street."""
        self.address = parse_n3(cursor.e)

    def n4(self, cursor: Cursor) -> None:
        """City, state, postal code."""
        self.address = with_n4(self.address, cursor.e)

    def ref(self, cursor: Cursor) -> None:
        """Further identifiers."""
        self.references.append(parse_reference(cursor.e))

    def per(self, cursor: Cursor) -> None:
        """Contact; the second and later ones are kept raw."""
        if self.contact is None:
            self.contact = parse_contact(cursor.e)
        else:
            self.extra.append(cursor.raw())

    def prv(self, cursor: Cursor) -> None:
        """Taxonomy."""
        self.taxonomy = cursor.e[3]

    def dmg(self, cursor: Cursor) -> None:
        """Birth date and sex."""
        self.birth_date = parse_optional_date(cursor.e[2])
        self.sex = cursor.e[3]

    def other(self, cursor: Cursor) -> None:
        """Segments without a field of their own."""
        self.extra.append(cursor.raw())

    def provider(self) -> Provider:
        """The loop as a provider record."""
        name = self.name
        return Provider(
            last_name=name.last_name,
            npi=name.id if name.id_qualifier == "XX" else "",
            first_name=name.first_name,
            middle_name=name.middle_name,
            suffix=name.suffix,
            entity_type="2" if name.entity_type == "2" else "1",
            taxonomy_code=self.taxonomy,
            address=self.address,
            references=tuple(self.references),
        )


_ENTITY_SEGMENTS: dict[str, Callable[[Entity, Cursor], None]] = {
    "N3": Entity.n3,
    "N4": Entity.n4,
    "REF": Entity.ref,
    "PER": Entity.per,
    "PRV": Entity.prv,
    "DMG": Entity.dmg,
    "N2": Entity.other,
    "DTP": Entity.other,
}


def raw_entity(entity: Entity) -> list[RawSegment]:
    """The segments behind an NM1 again, for loops without a record of their own."""
    raw: list[RawSegment] = []
    if entity.address is not None:
        a = entity.address
        raw.append(("N3", a.line1, a.line2) if a.line2 else ("N3", a.line1))
        raw.append(("N4", a.city, a.state, a.postal_code))
    raw.extend(("REF", r.qualifier, r.value) for r in entity.references)
    return raw + entity.extra
