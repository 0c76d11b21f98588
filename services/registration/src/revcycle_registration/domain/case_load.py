"""The patients, coverages and encounters one change works on: what was known, what changed, what must be told.

Loaded and stored by ``repositories.case_loads``; everything here is plain arithmetic on immutable values. A change to
a patient or a coverage goes through here so that no open encounter it completes is forgotten.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal
from uuid import UUID

from revcycle_registration.domain.coverage import Coverage, Policy, correct, same_coverage
from revcycle_registration.domain.encounter import DocumentVersion, Encounter, blockers
from revcycle_registration.domain.patient import Demographics, DemographicValue, Patient, learn


@dataclass(frozen=True, slots=True)
class PatientFact:
    """A patient became known or changed; ``changed`` names the fields, empty for a new patient."""

    patient: Patient
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageFact:
    """A coverage became known or was corrected."""

    coverage: Coverage
    kind: Literal["recorded", "corrected"]


@dataclass(frozen=True, slots=True)
class EncounterFact:
    """An encounter was opened, became documented, was amended or cancelled."""

    encounter: Encounter
    kind: Literal["opened", "documented", "amended", "cancelled"]
    changed: tuple[str, ...] = ()
    reason: str = ""


Fact = PatientFact | CoverageFact | EncounterFact


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document version that is not stored yet. ``addendum_to``: the version it adds to, from ``addendum_offset``
    (characters) on."""

    encounter_id: UUID
    document: DocumentVersion
    text: str
    addendum_to: UUID | None = None
    addendum_offset: int | None = None


@dataclass(slots=True)
class CaseLoad:
    """State in memory for one unit of work. ``derive`` gives ids by role and ordinal."""

    derive: Callable[[str, int], UUID]
    patients: dict[UUID, Patient] = field(default_factory=dict)
    coverages: dict[UUID, list[Coverage]] = field(default_factory=lambda: defaultdict(list))
    encounters: dict[UUID, Encounter] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    new_patients: set[UUID] = field(default_factory=set)
    new_encounters: set[UUID] = field(default_factory=set)
    changed_patients: set[UUID] = field(default_factory=set)
    changed_encounters: set[UUID] = field(default_factory=set)
    changed_coverages: dict[UUID, Coverage] = field(default_factory=dict)
    documents: list[NewDocument] = field(default_factory=list)
    _patient_ids: dict[tuple[str, str], UUID] = field(default_factory=dict)
    _encounter_ids: dict[tuple[str, str], UUID] = field(default_factory=dict)
    _open_encounters: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    _ordinals: "count[int]" = field(default_factory=count)

    def hold(
        self, patients: Iterable[Patient], coverages: Iterable[Coverage], encounters: Iterable[Encounter]
    ) -> "CaseLoad":
        """Take in what is known so far."""
        for patient in patients:
            self.patients[patient.id] = patient
            self._patient_ids[patient.facility_npi, patient.medical_record_number] = patient.id
        for coverage in coverages:
            self.coverages[coverage.patient_id].append(coverage)
        for encounter in encounters:
            self._keep(encounter)
        return self

    def new_id(self, role: str) -> UUID:
        """The next id for a role."""
        return self.derive(role, next(self._ordinals))

    def patient_of(self, facility_npi: str, medical_record_number: str) -> Patient | None:
        """The patient under a facility's record number."""
        patient_id = self._patient_ids.get((facility_npi, medical_record_number))
        return self.patients[patient_id] if patient_id else None

    def encounter_of(self, facility_npi: str, encounter_number: str) -> Encounter | None:
        """The encounter under a facility's number."""
        encounter_id = self._encounter_ids.get((facility_npi, encounter_number))
        return self.encounters[encounter_id] if encounter_id else None

    def register_patient(self, facility_npi: str, medical_record_number: str, known: Demographics) -> Patient:
        """A patient becomes known."""
        patient = Patient(self.new_id("patient"), facility_npi, medical_record_number, known)
        self.hold([patient], (), ())
        self.new_patients.add(patient.id)
        self.facts.append(PatientFact(patient))
        return patient

    def update_patient(self, patient_id: UUID, stated: Mapping[str, DemographicValue]) -> tuple[str, ...]:
        """Take over what was stated about a patient; returns the fields that changed."""
        patient = self.patients[patient_id]
        demographics, changed = learn(patient.demographics, stated)
        if not changed:
            return ()
        patient = replace(patient, demographics=demographics, version=patient.version + 1)
        self.patients[patient_id] = patient
        self.changed_patients.add(patient_id)
        self.facts.append(PatientFact(patient, changed))
        return changed

    def record_coverage(self, patient_id: UUID, stated: Policy) -> tuple[Coverage, bool]:
        """Record or correct a coverage: the coverage as now known, and whether anything changed."""
        known = self.coverages[patient_id]
        same = same_coverage(known, stated)
        if same is None:
            coverage = Coverage(self.new_id("coverage"), patient_id, stated)
            known.append(coverage)
            self.facts.append(CoverageFact(coverage, "recorded"))
        else:
            corrected = correct(same, stated)
            if corrected is None:
                return same, False
            coverage = corrected
            known[known.index(same)] = coverage
            self.facts.append(CoverageFact(coverage, "corrected"))
        self.changed_coverages[coverage.id] = coverage
        return coverage, True

    def add_document(self, new: NewDocument) -> None:
        """Store a document version; the encounter that names it is put separately."""
        self.documents.append(new)

    def open_encounter(self, encounter: Encounter) -> Encounter:
        """A new encounter: documented at once when nothing blocks it, else opened with what does."""
        self.new_encounters.add(encounter.id)
        blocked_by = self._blockers(encounter)
        encounter = replace(encounter, blocked_by=blocked_by, state="open" if blocked_by else "documented")
        self._keep(encounter)
        self.facts.append(EncounterFact(encounter, "opened" if blocked_by else "documented"))
        return encounter

    def change_encounter(self, encounter: Encounter, changed: tuple[str, ...]) -> Encounter:
        """Put a changed encounter: amended when it was documented, else checked again. ``changed`` names the fields."""
        known = self.encounters[encounter.id]
        if encounter == known:
            return known
        encounter = replace(encounter, version=known.version + 1)
        self.changed_encounters.add(encounter.id)
        self._keep(encounter)
        if encounter.state == "open":
            return self._check_again(encounter)
        if changed and encounter.state == "documented":
            self.facts.append(EncounterFact(encounter, "amended", changed))
        return encounter

    def cancel_encounter(self, encounter_id: UUID, reason: str) -> Encounter:
        """The encounter did not take place, or was recorded in error."""
        known = self.encounters[encounter_id]
        encounter = replace(known, state="cancelled", blocked_by=(), version=known.version + 1)
        self.changed_encounters.add(encounter_id)
        self._keep(encounter)
        self.facts.append(EncounterFact(encounter, "cancelled", reason=reason))
        return encounter

    def check_open_encounters(self, patient_id: UUID) -> None:
        """After a patient or coverage changed: every open encounter of the patient may now be complete."""
        for encounter_id in sorted(self._open_encounters[patient_id]):
            known = self.encounters[encounter_id]
            if self._blockers(known) != known.blocked_by:
                self.change_encounter(replace(known, blocked_by=self._blockers(known)), ())

    def _check_again(self, encounter: Encounter) -> Encounter:
        blocked_by = self._blockers(encounter)
        encounter = replace(encounter, blocked_by=blocked_by, state="open" if blocked_by else "documented")
        self._keep(encounter)
        if not blocked_by:
            self.facts.append(EncounterFact(encounter, "documented"))
        return encounter

    def _blockers(self, encounter: Encounter) -> tuple[str, ...]:
        known = self.patients[encounter.patient_id].demographics
        return blockers(encounter, known, self.coverages[encounter.patient_id])

    def _keep(self, encounter: Encounter) -> None:
        self.encounters[encounter.id] = encounter
        self._encounter_ids[encounter.facility_npi, encounter.encounter_number] = encounter.id
        opened = self._open_encounters[encounter.patient_id]
        if encounter.state == "open":
            opened.add(encounter.id)
        else:
            opened.discard(encounter.id)
