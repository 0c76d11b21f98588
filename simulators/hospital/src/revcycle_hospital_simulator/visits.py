"""A visit as the hospital knows it, and the encounter file it hands over (``revcycle.encounter-file.v1``)."""

from dataclasses import asdict, dataclass, field
from datetime import date

from revcycle_hospital_simulator.catalogue import Provider

FORMAT = "revcycle.encounter-file.v1"

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person; ``birth_date`` None: nobody asked."""

    last_name: str
    first_name: str
    birth_date: date | None
    sex: str


@dataclass(frozen=True, slots=True)
class Patient:
    """A person under the facility's record number."""

    medical_record_number: str
    person: Person
    phone: str
    street: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """A policy; ``effective_to`` is its last day (None: open). ``subscriber``: its holder, if not the patient."""

    payer_id: str
    member_id: str
    relationship: str
    effective_from: date
    effective_to: date | None = None
    subscriber: Person | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service line; pointers count from 1 into the diagnoses."""

    code: str
    units: int
    diagnosis_pointers: tuple[int, ...]
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit. ``further_fields`` are written into the file as they are, known to the format or not."""

    encounter_number: str
    facility_npi: str
    date_of_service: date
    place_of_service: str
    patient: Patient
    coverages: tuple[Coverage, ...]
    provider: Provider
    note: str
    signed: bool
    diagnoses: tuple[str, ...]
    services: tuple[Service, ...]
    further_fields: JsonObject = field(default_factory=dict)

    def as_file(self) -> JsonObject:
        """The encounter file."""
        return {
            "format": FORMAT,
            "encounter_number": self.encounter_number,
            "facility_npi": self.facility_npi,
            "date_of_service": self.date_of_service.isoformat(),
            "place_of_service": self.place_of_service,
            "patient": _patient_part(self.patient),
            "coverages": [_coverage_part(coverage) for coverage in self.coverages],
            "rendering_provider": asdict(self.provider),
            "primary_care_provider_npi": None,
            "document": {
                "type": "visit note",
                "author_npi": self.provider.npi,
                # Late in the afternoon in Oregon, where it is summer time from April to September.
                "signed_at": f"{self.date_of_service.isoformat()}T17:00:00-07:00" if self.signed else None,
                "source": "typed",
                "text": self.note,
            },
            "diagnoses": list(self.diagnoses),
            "services": service_parts(self.services),
            **self.further_fields,
        }


def service_parts(services: tuple[Service, ...]) -> list[JsonObject]:
    """Service lines as the encounter file and the coder's screen write them."""
    return [
        {
            "code": service.code,
            "modifiers": list(service.modifiers),
            "units": service.units,
            "diagnosis_pointers": list(service.diagnosis_pointers),
        }
        for service in services
    ]


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _person_part(person: Person) -> JsonObject:
    return {
        "last_name": person.last_name,
        "first_name": person.first_name,
        "birth_date": _iso(person.birth_date),
        "sex": person.sex,
    }


def _patient_part(patient: Patient) -> JsonObject:
    return {
        "medical_record_number": patient.medical_record_number,
        **_person_part(patient.person),
        "middle_name": None,
        "phone": patient.phone,
        "address": {
            "line1": patient.street,
            "line2": None,
            "city": "Sampleton",
            "state": "OR",
            "postal_code": "97301",
        },
    }


def _coverage_part(coverage: Coverage) -> JsonObject:
    return {
        "rank": 1,
        "payer_id": coverage.payer_id,
        "member_id": coverage.member_id,
        "group_number": None,
        "relationship": coverage.relationship,
        "effective_from": coverage.effective_from.isoformat(),
        "effective_to": _iso(coverage.effective_to),
        "subscriber": None if coverage.subscriber is None else _person_part(coverage.subscriber),
    }
