"""Bodies of encounters and their documents. Names are the encounter file's own."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from revcycle_registration.api.models import FindingBody, Name
from revcycle_registration.domain.encounter import (
    COMPLETENESS_RULE,
    DocumentVersion,
    Encounter,
    explain_blocker,
    left_to_coding,
)
from revcycle_registration.domain.encounter_file import (
    REQUIRED,
    DocumentSource,
    Npi,
    Part,
    SignedAt,
    StatedText,
    Text60,
    Text80,
)
from revcycle_registration.repositories.documents import StoredDocument


class ProviderView(BaseModel):
    """The rendering provider, as far as known."""

    npi: str | None
    last_name: str | None
    first_name: str | None
    taxonomy: str | None


class ServiceView(BaseModel):
    """A service as the provider entered it."""

    code: str
    modifiers: list[str]
    units: int
    diagnosis_pointers: list[int]


class DocumentView(BaseModel):
    """A version of a document, without its text."""

    document_id: UUID
    version: int
    type: str
    source: str
    author_npi: str | None
    signed_at: datetime | None
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, document: DocumentVersion) -> "DocumentView":
        """The view of a version."""
        return cls(
            document_id=document.id,
            version=document.version,
            type=document.type,
            source=document.source,
            author_npi=document.author_npi,
            signed_at=document.signed_at,
            sha256=document.sha256,
            size_bytes=document.size_bytes,
        )


class EncounterView(BaseModel):
    """An encounter: open (``blocked_by`` says what is missing), documented or cancelled."""

    encounter_id: UUID
    facility_npi: str
    encounter_number: str
    patient_id: UUID
    date_of_service: date
    place_of_service: str | None
    rendering_provider: ProviderView
    primary_care_provider_npi: str | None
    diagnoses: list[str]
    services: list[ServiceView]
    document: DocumentView | None
    state: str
    blocked_by: list[str]
    left_to_coding: list[str]

    @classmethod
    def of(cls, encounter: Encounter) -> "EncounterView":
        """The view of an encounter."""
        provider = encounter.rendering_provider
        return cls(
            encounter_id=encounter.id,
            facility_npi=encounter.facility_npi,
            encounter_number=encounter.encounter_number,
            patient_id=encounter.patient_id,
            date_of_service=encounter.date_of_service,
            place_of_service=encounter.place_of_service,
            rendering_provider=ProviderView(
                npi=provider.npi,
                last_name=provider.last_name,
                first_name=provider.first_name,
                taxonomy=provider.taxonomy,
            ),
            primary_care_provider_npi=encounter.primary_care_provider_npi,
            diagnoses=list(encounter.diagnoses),
            services=[
                ServiceView(
                    code=each.code,
                    modifiers=list(each.modifiers),
                    units=each.units,
                    diagnosis_pointers=list(each.diagnosis_pointers),
                )
                for each in encounter.services
            ],
            document=DocumentView.of(encounter.document) if encounter.document else None,
            state=encounter.state,
            blocked_by=list(encounter.blocked_by),
            left_to_coding=list(left_to_coding(encounter)),
        )


class EncounterSearch(Part):
    """Encounter numbers of one facility; they are account numbers and never stand in an address."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"facility_npi": "1900000005", "encounter_numbers": ["T-0001"]}}
    )
    facility_npi: Npi
    encounter_numbers: Annotated[
        list[Annotated[Text60, Field(max_length=38), REQUIRED]], Field(min_length=1, max_length=500)
    ]


class EncounterList(BaseModel):
    """What a search found; a number nobody sent is simply not there."""

    items: list[EncounterView]


class Readiness(BaseModel):
    """What blocks billing, and what would be right."""

    encounter_id: UUID
    state: str
    completeness_rule: str
    ready: bool
    blockers: list[FindingBody]
    left_to_coding: list[FindingBody]

    @classmethod
    def of(cls, encounter: Encounter) -> "Readiness":
        """The readiness of an encounter."""
        return cls(
            encounter_id=encounter.id,
            state=encounter.state,
            completeness_rule=COMPLETENESS_RULE,
            ready=encounter.state == "documented",
            blockers=[FindingBody.of(explain_blocker(name)) for name in encounter.blocked_by],
            left_to_coding=[FindingBody.of(explain_blocker(name)) for name in left_to_coding(encounter)],
        )


class DocumentBody(Part):
    """A version of the encounter's document; ``signed_at`` null: not signed, and blocks billing."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "visit note",
                "author_npi": "1700000411",
                "signed_at": "2026-08-15T12:26:00-05:00",
                "source": "typed",
                "text": "Synthetic note.",
            }
        }
    )
    type: Annotated[Text80, Field(min_length=1), REQUIRED]
    source: DocumentSource
    text: StatedText
    author_npi: Npi | None = None
    signed_at: SignedAt | None = None


class AddendumBody(Part):
    """An addendum: always signed, it adds to the newest version and changes nothing that was signed before."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "author_npi": "1700000411",
                "signed_at": "2026-08-16T09:00:00-05:00",
                "text": "Synthetic addendum.",
            }
        }
    )
    author_npi: Npi
    signed_at: SignedAt
    text: StatedText


class AddendumView(DocumentView):
    """An addendum: the version it made, and its own words."""

    addendum_text: str


class FullDocumentView(DocumentView):
    """A document version with its text and the addenda to it."""

    encounter_id: UUID
    recorded_at: datetime
    text: str
    addendum_to: UUID | None
    addenda: list[AddendumView]

    @classmethod
    def of_stored(cls, stored: StoredDocument, addenda: Sequence[StoredDocument]) -> "FullDocumentView":
        """The view of a stored version."""
        return cls(
            **DocumentView.of(stored.document).model_dump(),
            encounter_id=stored.encounter_id,
            recorded_at=stored.recorded_at,
            text=stored.text,
            addendum_to=stored.addendum_to,
            addenda=[
                AddendumView(
                    **DocumentView.of(each.document).model_dump(), addendum_text=each.text[each.addendum_offset :]
                )
                for each in addenda
            ],
        )


class CancelBody(Part):
    """Why the encounter is cancelled: a short phrase without patient data."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "recorded in error"}})
    reason: Name
