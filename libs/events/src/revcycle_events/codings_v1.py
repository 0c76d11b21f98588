"""Topic ``revcycle.codings.v1``, key ``encounter_id``, produced by coding."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Clinical, Event, Value

TOPIC = "revcycle.codings.v1"


class CodedService(Value):
    """A coded service line. ``diagnosis_pointers``: 1 to 4 positions counted from 1, the line's primary first."""

    line_number: int
    code: str
    modifiers: list[str] = []
    units: int
    diagnosis_pointers: list[int]


class FinalisedCoding(Event):
    """Fields of every finalised coding, for one billing side (``professional`` or ``institutional``).

    ``finalised_by`` is ``policy:<rule id>`` or the subject of the person; ``code_set_releases`` maps each code system
    to the content hash the decision was taken with; ``document_version`` is the version that was coded.
    """

    encounter_id: Clear[UUID]
    billing_side: Clear[str]
    coding_version: Clear[int]
    document_version: Clear[int]
    finalised_by: Clear[str]
    decision_id: Clear[UUID]
    code_set_releases: Clear[dict[str, str]]
    date_of_service: Clinical[date]
    diagnoses: Clinical[list[str]]
    services: Clinical[list[CodedService]]


class EncounterCoded(FinalisedCoding, type="revcycle.coding.EncounterCoded.v1", topic=TOPIC, key="encounter_id"):
    """A coding was finalised for the first time."""


class EncounterRecoded(FinalisedCoding, type="revcycle.coding.EncounterRecoded.v1", topic=TOPIC, key="encounter_id"):
    """A finalised coding was replaced; carries the whole new coding and why."""

    reason: Clear[str]


class EncounterNotBillable(Event, type="revcycle.coding.EncounterNotBillable.v1", topic=TOPIC, key="encounter_id"):
    """A coder decided that nothing of the encounter is billed on this side."""

    encounter_id: Clear[UUID]
    billing_side: Clear[str]
    coding_version: Clear[int]
    decided_by: Clear[str]
    reason: Clear[str]
