"""The format ``revcycle.encounter-file.v1``: what another hospital system hands over for one visit.

A field that is not part of the format is refused by name; what is malformed is refused; what is merely missing is
accepted and blocks billing (``completeness``). Codes are only text here: whether they are right is coding's business.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from revcycle_edi.npi import is_valid_npi

from revcycle_registration.domain.findings import Finding, shown_name

FORMAT = "revcycle.encounter-file.v1"
SELF_PAY = "SELFPAY"
DOCUMENT_BYTES_MAX = 1024 * 1024
BIRTH_YEAR_MIN = 1880

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ZIP = re.compile(r"\d{5}(-?\d{4})?", re.ASCII)
_STATE = re.compile(r"[A-Z]{2}")


def _refuse(rule: str, message: str, expected: str) -> PydanticCustomError:
    # The message travels as data, not as a template, so that braces in it mean nothing.
    return PydanticCustomError(rule, "{text}", {"text": message, "expected": expected})


def _trim(value: object) -> object:
    """Blank text says nothing: it is the same as null."""
    if isinstance(value, str):
        return value.strip() or None
    return value


def _trim_required(value: object) -> object:
    if isinstance(value, str):
        value = value.strip()
        if not value:
            raise _refuse("required", "is blank", "a value")
    return value


def _single_line(value: str) -> str:
    if _CONTROL.search(value):
        raise _refuse("no_control_characters", "holds a control character", "printable text on one line")
    return value


def _npi(value: str) -> str:
    if not is_valid_npi(value):
        raise _refuse("npi", "is not a valid NPI", "10 digits, first 1 or 2, with a correct check digit")
    return value


def _place_of_service(value: str) -> str:
    if len(value) != 2 or not (value.isascii() and value.isdecimal()):
        raise _refuse("place_of_service", "is not a place-of-service code", "2 digits, for example 11 for an office")
    return value


def _state(value: str) -> str:
    if not _STATE.fullmatch(value):
        raise _refuse("state", "is not a state code", "2 capital letters, for example OR")
    return value


def _postal_code(value: str) -> str:
    if not _ZIP.fullmatch(value):
        raise _refuse("postal_code", "is not a ZIP code", "5 or 9 digits, for example 97301 or 973010001")
    return value.replace("-", "")


def _iso_date(value: object) -> object:
    # Only text: a number would otherwise be read as seconds since 1970.
    if value is None or (isinstance(value, str) and _ISO_DATE.fullmatch(value)) or type(value) is date:
        return value
    raise _refuse("date", "is not a date", "a date as YYYY-MM-DD")


def _birth_date(value: date) -> date:
    # Systems write 0001-01-01 for a date they do not know: it would count as known and be billed.
    if value.year < BIRTH_YEAR_MIN:
        raise _refuse("date", "is nobody's date of birth", f"a date since {BIRTH_YEAR_MIN}, or null while unknown")
    return value


def _offset_time(value: object) -> object:
    if value is None or isinstance(value, datetime):
        return value
    # Digits alone would be read as seconds since 1970.
    if not isinstance(value, str) or not _ISO_TIME.match(value):
        raise _refuse("time", "is not a time", "a time with offset, for example 2026-08-15T12:26:00-05:00")
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise _refuse("time", "has no offset", "a time with offset, for example 2026-08-15T12:26:00-05:00")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise _refuse("time", "lies outside the calendar", "the time of the signature, with offset") from None


def _document_text(value: str) -> str:
    if "\x00" in value:
        raise _refuse("no_control_characters", "holds a NUL character", "text without NUL characters")
    if len(value.encode()) > DOCUMENT_BYTES_MAX:
        raise _refuse("too_long", "is longer than 1 MiB", f"at most {DOCUMENT_BYTES_MAX} bytes of UTF-8")
    return value


def _stated_text(value: str) -> str:
    if not value.strip():
        raise _refuse("required", "is blank", "a value")
    return value


def _null_is_empty(value: object) -> object:
    return [] if value is None else value


_OPTIONAL = BeforeValidator(_trim)
REQUIRED = BeforeValidator(_trim_required)
"""A text that is stated: blanks around it are none of it, and blank is no text."""
_LINE = AfterValidator(_single_line)

Text60 = Annotated[str, Field(max_length=60), _LINE]
Text80 = Annotated[str, Field(max_length=80), _LINE]
Npi = Annotated[str, AfterValidator(_npi)]
IsoDate = Annotated[date, BeforeValidator(_iso_date)]
BirthDate = Annotated[IsoDate, AfterValidator(_birth_date)]
SignedAt = Annotated[datetime, BeforeValidator(_offset_time), AfterValidator(_aware)]
PlaceOfService = Annotated[str, AfterValidator(_place_of_service)]
State = Annotated[str, AfterValidator(_state)]
PostalCode = Annotated[str, AfterValidator(_postal_code)]
Sex = Literal["F", "M", "U"]
Relationship = Literal["self", "spouse", "child", "other"]
DocumentSource = Literal["dictation", "transcription", "typed"]
DocumentText = Annotated[str, AfterValidator(_document_text)]
StatedText = Annotated[DocumentText, Field(min_length=1), AfterValidator(_stated_text)]
Code = Annotated[str, Field(max_length=100), _LINE]


class Part(BaseModel):
    """A part of an encounter file: unknown fields are refused, values never appear in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AddressPart(Part):
    """A postal address in the United States."""

    line1: Annotated[Text60 | None, _OPTIONAL] = None
    line2: Annotated[Text60 | None, _OPTIONAL] = None
    city: Annotated[Text60 | None, _OPTIONAL] = None
    state: Annotated[State | None, _OPTIONAL] = None
    postal_code: Annotated[PostalCode | None, _OPTIONAL] = None


class DemographicsPart(Part):
    """Who the patient is, as far as the sender knows; the name is the least."""

    last_name: Annotated[Text60, REQUIRED]
    first_name: Annotated[Text60, REQUIRED]
    middle_name: Annotated[Text60 | None, _OPTIONAL] = None
    birth_date: BirthDate | None = None
    sex: Sex | None = None
    phone: Annotated[Text60 | None, _OPTIONAL] = None
    address: AddressPart | None = None


class PatientPart(DemographicsPart):
    """The patient, under the facility's own record number."""

    medical_record_number: Annotated[Text80, REQUIRED]


class SubscriberPart(Part):
    """Who holds the policy when the patient does not."""

    last_name: Annotated[Text60, REQUIRED]
    first_name: Annotated[Text60, REQUIRED]
    birth_date: BirthDate | None = None
    sex: Sex | None = None


class CoveragePart(Part):
    """A coverage; ``effective_to`` is its last day, null while open. Self-pay needs only its ``payer_id``."""

    rank: Annotated[int, Field(strict=True, ge=1, le=11)] | None = None
    payer_id: Annotated[Text80 | None, _OPTIONAL] = None
    member_id: Annotated[Text80 | None, _OPTIONAL] = None
    group_number: Annotated[Text60 | None, _OPTIONAL] = None
    relationship: Relationship | None = None
    effective_from: IsoDate | None = None
    effective_to: IsoDate | None = None
    subscriber: SubscriberPart | None = None


class ProviderPart(Part):
    """The person who rendered the service."""

    npi: Annotated[Npi | None, _OPTIONAL] = None
    last_name: Annotated[Text60 | None, _OPTIONAL] = None
    first_name: Annotated[Text60 | None, _OPTIONAL] = None
    taxonomy: Annotated[Text60 | None, _OPTIONAL] = None


class DocumentPart(Part):
    """What was documented; ``signed_at`` null: not signed, kept, and blocks billing."""

    type: Annotated[Text80 | None, _OPTIONAL] = None
    author_npi: Annotated[Npi | None, _OPTIONAL] = None
    signed_at: SignedAt | None = None
    source: DocumentSource | None = None
    text: DocumentText | None = None


class ServicePart(Part):
    """A service the provider entered."""

    code: Annotated[Code, REQUIRED]
    modifiers: Annotated[list[Code], Field(max_length=20), BeforeValidator(_null_is_empty)] = []
    units: Annotated[int, Field(strict=True, ge=1, le=99_999)]
    diagnosis_pointers: Annotated[
        list[Annotated[int, Field(strict=True, ge=-999, le=999)]],
        Field(max_length=100),
        BeforeValidator(_null_is_empty),
    ] = []


class EncounterFile(Part):
    """One visit: who, covered by whom, seen by whom, what was documented, what the provider entered."""

    format: Literal["revcycle.encounter-file.v1"]
    encounter_number: Annotated[str, Field(max_length=38), _LINE, REQUIRED]
    facility_npi: Npi
    date_of_service: IsoDate
    place_of_service: Annotated[PlaceOfService | None, _OPTIONAL] = None
    patient: PatientPart
    coverages: Annotated[list[CoveragePart], Field(max_length=20), BeforeValidator(_null_is_empty)] = []
    rendering_provider: ProviderPart | None = None
    primary_care_provider_npi: Annotated[Npi | None, _OPTIONAL] = None
    document: DocumentPart | None = None
    diagnoses: Annotated[list[Code], Field(max_length=100)] | None = None
    services: Annotated[list[ServicePart], Field(max_length=100)] | None = None


_RULES: dict[str, tuple[str, str, str]] = {
    "extra_forbidden": ("unknown_field", "is not part of the format", "remove it; the fields are listed in the format"),
    "missing": ("required", "is missing", "a value"),
    "string_type": ("text", "is not text", "text"),
    "string_unicode": ("text", "holds half a character", "whole characters"),
    "int_type": ("integer", "is not a whole number", "a whole number"),
    "list_type": ("list", "is not a list", "a list"),
    "model_type": ("object", "is not an object", "an object"),
    "model_attributes_type": ("object", "is not an object", "an object"),
    "date_type": ("date", "is not a date", "a date as YYYY-MM-DD"),
    "date_from_datetime_parsing": ("date", "is not a date of the calendar", "a date as YYYY-MM-DD"),
    "date_parsing": ("date", "is not a date of the calendar", "a date as YYYY-MM-DD"),
}


def field_path(location: Sequence[str | int]) -> str:
    """A path people read: ``("coverages", 0, "payer_id")`` -> ``coverages[0].payer_id``."""
    path = ""
    for part in location:
        name = f"[{part}]" if isinstance(part, int) else shown_name(part)
        path += f".{name}" if path and not isinstance(part, int) else name
    return path


def _finding(error: ErrorDetails) -> Finding:
    """Translate one pydantic error; the value itself is never repeated."""
    kind, context, field = error["type"], error.get("ctx", {}), field_path(error["loc"])
    if kind in _RULES:
        return Finding(field, *_RULES[kind])
    if "expected" in context and "text" in context:
        return Finding(field, kind, str(context["text"]), str(context["expected"]))
    if kind == "literal_error":
        return Finding(field, "one_of", "is not a known value", str(context["expected"]).replace("'", ""))
    if kind in ("string_too_long", "too_long"):
        what = "characters" if kind == "string_too_long" else "entries"
        return Finding(field, "too_long", "is too long", f"at most {context['max_length']} {what}")
    if kind == "greater_than_equal":
        return Finding(field, "minimum", "is too small", f"a whole number of at least {context['ge']}")
    if kind == "less_than_equal":
        return Finding(field, "maximum", "is too large", f"a whole number of at most {context['le']}")
    if kind.startswith("datetime"):
        return Finding(field, "time", "is not a time", "a time with offset, for example 2026-08-15T12:26:00-05:00")
    return Finding(field, kind, "is not valid", "see the format")


def findings_of(error: ValidationError) -> tuple[Finding, ...]:
    """Every problem of a part, in the order of its fields."""
    return tuple(_finding(each) for each in error.errors(include_url=False, include_input=False))


def read_encounter_file(raw: object) -> EncounterFile | tuple[Finding, ...]:
    """Read one element of an intake: the file, or everything that is wrong with it at once."""
    if not isinstance(raw, dict):
        return (Finding("encounter", "object", "is not an object", "one encounter file"),)
    try:
        file = EncounterFile.model_validate(raw)
    except ValidationError as error:
        return findings_of(error)
    return tuple(_contradictions(file)) or file


def _contradictions(file: EncounterFile) -> list[Finding]:
    """Fields that are well formed each and cannot be true together."""
    found = []
    if file.patient.birth_date and file.patient.birth_date > file.date_of_service:
        found.append(
            Finding(
                "patient.birth_date",
                "born_before_service",
                "lies after the date of service",
                "a date on or before date_of_service",
            )
        )
    for index, coverage in enumerate(file.coverages):
        found.extend(coverage_contradictions(coverage, f"coverages[{index}]"))
    return found


def coverage_contradictions(coverage: CoveragePart, path: str) -> list[Finding]:
    """What in one coverage cannot be true together; ``path`` stands before the field names."""
    found = []
    if coverage.effective_from and coverage.effective_to and coverage.effective_to < coverage.effective_from:
        found.append(
            Finding(
                f"{path}.effective_to",
                "period",
                "lies before effective_from",
                "null while open, else the last day in force",
            )
        )
    if coverage.subscriber is not None and coverage.relationship in (None, "self"):
        found.append(
            Finding(
                f"{path}.subscriber",
                "subscriber_is_not_self",
                "is given although the patient holds the policy",
                "null, or relationship spouse, child or other",
            )
        )
    return found


def future_service(file: EncounterFile, business_date: date) -> Finding | None:
    """A service can only be billed once it has happened: the date counts in the facility's zone."""
    if file.date_of_service <= business_date:
        return None
    return Finding(
        "date_of_service",
        "not_in_the_future",
        "lies in the future",
        f"a date up to {business_date.isoformat()}, today at the facility",
    )
