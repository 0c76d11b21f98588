"""Topic ``revcycle.patients.v1``, key ``patient_id``, produced by registration."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Event, Identity, Value

TOPIC = "revcycle.patients.v1"


class Address(Value):
    """A postal address in the United States."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None


class PatientDetails(Value):
    """Demographics as known now; what is unknown is None and listed in the event's ``missing``."""

    medical_record_number: str
    last_name: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    phone: str | None = None
    address: Address | None = None


class PolicySubscriber(Value):
    """Who holds the policy when the patient does not."""

    last_name: str
    first_name: str
    birth_date: date | None = None
    sex: str | None = None


class CoveragePolicy(Value):
    """The policy behind a coverage. ``effective_to`` is the last day in force; None: open."""

    member_id: str
    group_number: str | None = None
    relationship: str
    effective_from: date
    effective_to: date | None = None
    subscriber: PolicySubscriber | None = None


class PatientRegistered(Event, type="revcycle.registration.PatientRegistered.v1", topic=TOPIC, key="patient_id"):
    """A patient is known for the first time. ``missing`` names the fields that block billing."""

    patient_id: Clear[UUID]
    facility_npi: Clear[str]
    missing: Clear[list[str]]
    details: Identity[PatientDetails]


class PatientUpdated(Event, type="revcycle.registration.PatientUpdated.v1", topic=TOPIC, key="patient_id"):
    """Demographics changed; carries the whole new state and the names of the fields that changed."""

    patient_id: Clear[UUID]
    facility_npi: Clear[str]
    missing: Clear[list[str]]
    changed: Clear[list[str]]
    details: Identity[PatientDetails]


class CoverageState(Event):
    """Fields of every coverage event: the whole state of the coverage. Rank 1 is billed first."""

    patient_id: Clear[UUID]
    coverage_id: Clear[UUID]
    rank: Clear[int]
    payer_id: Clear[str]
    policy: Identity[CoveragePolicy]


class CoverageRecorded(CoverageState, type="revcycle.registration.CoverageRecorded.v1", topic=TOPIC, key="patient_id"):
    """A coverage is known for the first time."""


class CoverageCorrected(
    CoverageState, type="revcycle.registration.CoverageCorrected.v1", topic=TOPIC, key="patient_id"
):
    """What we believed about a coverage was wrong."""


class CoverageTerminated(
    CoverageState, type="revcycle.registration.CoverageTerminated.v1", topic=TOPIC, key="patient_id"
):
    """A coverage has ended or was withdrawn; ``policy.effective_to`` is its last day in force."""
