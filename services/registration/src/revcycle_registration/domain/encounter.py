"""An encounter, the versions of its document, and what blocks it from being billed (rule ``billing-ready.v1``)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from revcycle_registration.domain.coverage import Coverage, in_force
from revcycle_registration.domain.findings import Finding
from revcycle_registration.domain.patient import Demographics, missing_to_bill

COMPLETENESS_RULE = "billing-ready.v1"

EncounterState = Literal["open", "documented", "cancelled"]


@dataclass(frozen=True, slots=True)
class Provider:
    """The rendering provider, as far as known."""

    npi: str | None = None
    last_name: str | None = None
    first_name: str | None = None
    taxonomy: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the provider entered it."""

    code: str
    modifiers: tuple[str, ...]
    units: int
    diagnosis_pointers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """An immutable version of the encounter's document, without its text. ``sha256`` is over the UTF-8 text.

    ``repeats`` are the hashes of the texts an addendum repeats and adds to.
    """

    id: UUID
    version: int
    type: str
    source: str
    author_npi: str | None
    signed_at: datetime | None
    sha256: str
    size_bytes: int
    repeats: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Encounter:
    """A visit. ``gaps`` names stated but unusable parts (a document without text, a coverage without member id);
    ``content_sha256`` is the file it was last taken from."""

    id: UUID
    facility_npi: str
    encounter_number: str
    patient_id: UUID
    date_of_service: date
    place_of_service: str | None = None
    rendering_provider: Provider = Provider()
    primary_care_provider_npi: str | None = None
    diagnoses: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    document: DocumentVersion | None = None
    gaps: tuple[str, ...] = ()
    state: EncounterState = "open"
    blocked_by: tuple[str, ...] = ()
    content_sha256: str = ""
    version: int = 1


def blockers(encounter: Encounter, patient: Demographics, coverages: Iterable[Coverage]) -> tuple[str, ...]:
    """Everything that keeps the encounter from being billed, but for codes: those are coding's work."""
    names = list(missing_to_bill(patient))
    if encounter.place_of_service is None:
        names.append("place_of_service")
    names.extend(provider_blockers(encounter.rendering_provider))
    names.extend(_document_blockers(encounter))
    if not any(in_force(each.policy, encounter.date_of_service) for each in coverages):
        names.extend([gap for gap in encounter.gaps if gap.startswith("coverages")] or ["coverages"])
    return tuple(names)


def provider_blockers(provider: Provider) -> list[str]:
    """What must still be known about the rendering provider; the taxonomy is not needed to bill."""
    if provider == Provider():
        return ["rendering_provider"]
    required = ("npi", "last_name", "first_name")
    return [f"rendering_provider.{name}" for name in required if getattr(provider, name) is None]


def _document_blockers(encounter: Encounter) -> list[str]:
    if encounter.document is None:
        return [gap for gap in encounter.gaps if gap.startswith("document")] or ["document"]
    return [] if encounter.document.signed_at is not None else ["document.signed_at"]


def left_to_coding(encounter: Encounter) -> tuple[str, ...]:
    """What a claim needs and a coder may still supply: it does not hold the encounter back here."""
    return tuple(
        name for name, value in (("diagnoses", encounter.diagnoses), ("services", encounter.services)) if not value
    )


_EXPECTED = {
    "place_of_service": "a place-of-service code of 2 digits",
    "rendering_provider": "npi, last_name and first_name of the person who rendered the service",
    "document": "a signed document with type, source and text",
    "document.signed_at": "the time of the signature; an unsigned document cannot be coded",
    "coverages": "a coverage in force on the date of service, or payer_id SELFPAY",
    "diagnoses": "at least one diagnosis; a coder can enter it",
    "services": "at least one service; a coder can enter it",
}


def explain_blocker(name: str) -> Finding:
    """Say of a blocker what would be right."""
    rule = "in_force_on_date_of_service" if name == "coverages" else "signed" if name.endswith("signed_at") else "known"
    return Finding(name, rule, "blocks billing", _EXPECTED.get(name, "a value"))


def provider_with(known: Provider, stated: Provider) -> Provider:
    """Take over what was stated about the provider; another NPI is another person, of whom nothing else is known."""
    if stated.npi is not None and known.npi is not None and stated.npi != known.npi:
        return stated
    return Provider(
        npi=stated.npi or known.npi,
        last_name=stated.last_name or known.last_name,
        first_name=stated.first_name or known.first_name,
        taxonomy=stated.taxonomy or known.taxonomy,
    )


def document_with(known: DocumentVersion, stated: DocumentVersion) -> DocumentVersion:
    """A stated version that leaves out author or signature of the very text that is known keeps them.

    Another author's signature, or one under another text, is not kept.
    """
    if stated.sha256 != known.sha256 or stated.author_npi not in (None, known.author_npi):
        return stated
    return replace(stated, author_npi=known.author_npi, signed_at=stated.signed_at or known.signed_at)


def same_document(known: DocumentVersion, stated: DocumentVersion) -> bool:
    """Whether a stated document says what the known version says, signature included."""
    return replace(stated, id=known.id, version=known.version) == known
