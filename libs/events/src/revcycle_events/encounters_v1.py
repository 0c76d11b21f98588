"""Topic ``revcycle.encounters.v1``, key ``encounter_id``, produced by registration."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Clinical, Document, Event, Identity, Value

TOPIC = "revcycle.encounters.v1"


class RenderingProvider(Value):
    """The person who rendered the service."""

    npi: str
    last_name: str
    first_name: str
    taxonomy: str | None = None


class EncounterService(Value):
    """A service as the provider entered it; ``diagnosis_pointers`` count from 1 into the encounter's diagnoses."""

    code: str
    modifiers: list[str] = []
    units: int
    diagnosis_pointers: list[int] = []


class DocumentReference(Value):
    """A version of the encounter's document: text up to 64 KiB travels sealed in the event, longer text is fetched."""

    document_id: UUID
    version: int
    type: str
    source: str
    author_npi: str | None = None
    signed: bool
    sha256: str
    size_bytes: int


class EncounterOpened(Event, type="revcycle.registration.EncounterOpened.v1", topic=TOPIC, key="encounter_id"):
    """An encounter is known but not ready to be coded; ``blocked_by`` names what is missing."""

    encounter_id: Clear[UUID]
    patient_id: Clear[UUID]
    facility_npi: Clear[str]
    blocked_by: Clear[list[str]]
    encounter_number: Identity[str]
    date_of_service: Clinical[date]


class Documentation(Event):
    """Fields of every event that carries an encounter's documentation, whole.

    ``completeness_rule`` says which rule was met. ``diagnoses`` (ICD-10-CM with dot) and ``services`` are what the
    provider entered: input to coding, not its result.
    """

    encounter_id: Clear[UUID]
    patient_id: Clear[UUID]
    facility_npi: Clear[str]
    completeness_rule: Clear[str]
    document: Clear[DocumentReference]
    rendering_provider: Clear[RenderingProvider]
    primary_care_provider_npi: Clear[str | None] = None
    encounter_number: Identity[str]
    date_of_service: Clinical[date]
    place_of_service: Clinical[str]
    diagnoses: Clinical[list[str]]
    services: Clinical[list[EncounterService]]
    note_text: Document[str | None] = None


class EncounterDocumented(
    Documentation, type="revcycle.registration.EncounterDocumented.v1", topic=TOPIC, key="encounter_id"
):
    """Everything billing needs but the codes is there."""


class DocumentationAmended(
    Documentation, type="revcycle.registration.DocumentationAmended.v1", topic=TOPIC, key="encounter_id"
):
    """A documented encounter changed: new document version, other codes, provider or place; ``changed`` names what."""

    changed: Clear[list[str]]


class EncounterCancelled(Event, type="revcycle.registration.EncounterCancelled.v1", topic=TOPIC, key="encounter_id"):
    """The encounter did not take place or was recorded in error."""

    encounter_id: Clear[UUID]
    patient_id: Clear[UUID]
    facility_npi: Clear[str]
    reason: Clear[str]
