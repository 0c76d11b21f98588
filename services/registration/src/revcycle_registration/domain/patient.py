"""A patient of one facility and what is known about them; incomplete is normal and says what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TypeAlias
from uuid import UUID

from revcycle_registration.domain.encounter_file import DemographicsPart

DemographicValue: TypeAlias = str | date | None


@dataclass(frozen=True, slots=True)
class Demographics:
    """What is known of a person; None is unknown."""

    last_name: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    phone: str | None = None
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient under a facility's record number; ``version`` counts changes for If-Match."""

    id: UUID
    facility_npi: str
    medical_record_number: str
    demographics: Demographics
    version: int = 1


_ADDRESS = frozenset({"line1", "line2", "city", "state", "postal_code"})
_OPTIONAL_TO_BILL = frozenset({"middle_name", "phone", "line2"})
_PATHS = {
    field.name: f"patient.address.{field.name}" if field.name in _ADDRESS else f"patient.{field.name}"
    for field in fields(Demographics)
}
_REQUIRED_TO_BILL = tuple(name for name in _PATHS if name not in _OPTIONAL_TO_BILL)


def missing_to_bill(known: Demographics) -> tuple[str, ...]:
    """Names of the fields that must be known before a claim can name the patient."""
    return tuple(_PATHS[name] for name in _REQUIRED_TO_BILL if getattr(known, name) is None)


def said(part: DemographicsPart) -> dict[str, DemographicValue]:
    """The values a sender stated; what it left out or sent as null is not said."""
    stated: dict[str, DemographicValue] = {
        name: value for name in _PATHS if name not in _ADDRESS and (value := getattr(part, name)) is not None
    }
    if part.address is not None:
        stated |= {name: value for name in _ADDRESS if (value := getattr(part.address, name)) is not None}
    return stated


def moved(known: Demographics, stated: Mapping[str, DemographicValue]) -> dict[str, DemographicValue]:
    """What a sender stated, and with another street in another ZIP code the end of the old second line.

    Kept, it would be an apartment of the old house at the new address.
    """
    street, zip_code = stated.get("line1"), str(stated.get("postal_code") or "")
    if not (known.line1 and known.postal_code and street and zip_code):
        return dict(stated)
    elsewhere = street != known.line1 and zip_code[:5] != known.postal_code[:5]
    return {"line2": None, **stated} if elsewhere else dict(stated)


def learn(known: Demographics, stated: Mapping[str, DemographicValue]) -> tuple[Demographics, tuple[str, ...]]:
    """Take over what was stated: the new knowledge and the paths of the fields that changed.

    What was not stated keeps its value: a sender that knows less does not erase what another one knew.
    """
    changed = {name: value for name, value in stated.items() if getattr(known, name) != value}
    if not changed:
        return known, ()
    # dataclasses.replace is typed by keyword; the keys come from the fields of Demographics themselves.
    return replace(known, **changed), tuple(_PATHS[name] for name in _PATHS if name in changed)  # type: ignore[arg-type]
