"""What other services have told us, one slot per aggregate. Each handler writes its own slot and nobody else's."""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from revcycle_events import CodedService, CoveragePolicy, PatientDetails, RenderingProvider, Value


class Prerequisite(NamedTuple):
    """An event of another stream that must have been applied before a decision is taken."""

    topic: str
    key: str
    sequence: int


class PatientSlot(Value):
    """A patient; ``sequence`` is the last event applied, ``details`` None while only the anchor exists."""

    patient_id: UUID
    sequence: int = 0
    details: PatientDetails | None = None


class CoverageSlot(Value):
    """A coverage of a patient. Rank 1 is billed first."""

    coverage_id: UUID
    patient_id: UUID
    rank: int
    payer_id: str
    policy: CoveragePolicy

    def in_force(self, on: date) -> bool:
        """Whether the policy covers a date; ``effective_to`` is its last day."""
        last_day = self.policy.effective_to
        return self.policy.effective_from <= on and (last_day is None or on <= last_day)


class Visit(Value):
    """What billing needs of a documented encounter."""

    patient_id: UUID
    facility_npi: str
    encounter_number: str
    date_of_service: date
    place_of_service: str
    document_version: int
    rendering_provider: RenderingProvider


class EncounterSlot(Value):
    """An encounter; ``visit`` is None until it is documented. ``cancelled`` holds the reason of a cancellation."""

    encounter_id: UUID
    sequence: int = 0
    patient_id: UUID | None = None
    visit: Visit | None = None
    cancelled: str | None = None
    prerequisites: tuple[Prerequisite, ...] = ()


class CodingSlot(Value):
    """The coding of one billing side. ``not_billable`` holds the reason when nothing is billed."""

    encounter_id: UUID
    billing_side: str
    sequence: int = 0
    coding_version: int = 0
    date_of_service: date | None = None
    diagnoses: tuple[str, ...] = ()
    services: tuple[CodedService, ...] = ()
    code_set_releases: dict[str, str] = {}
    not_billable: str | None = None
    prerequisites: tuple[Prerequisite, ...] = ()


def primary_coverage(coverages: tuple[CoverageSlot, ...], on: date) -> CoverageSlot | None:
    """The coverage billed first on a date: in force, lowest rank; the id decides between equals."""
    in_force = [coverage for coverage in coverages if coverage.in_force(on)]
    return min(in_force, key=lambda coverage: (coverage.rank, str(coverage.coverage_id)), default=None)
