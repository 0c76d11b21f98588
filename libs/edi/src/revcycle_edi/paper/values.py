"""Values as paper forms want them: upper case, no punctuation in amounts, dates in parts."""

from collections.abc import Iterable
from datetime import date

from revcycle_edi.x12.records.claim import BillingProvider, Patient, Provider, Subscriber
from revcycle_edi.x12.records.common import Address, Name, QualifiedDate, Reference
from revcycle_edi.x12.writer import clean_text

Values = dict[str, str]
ON_FILE = "SIGNATURE ON FILE"
_OTHER_IDS = ("0B", "1G", "G2", "LU")


def text(value: str) -> str:
    """Free text in the characters a form can carry."""
    return clean_text(value, 200)


def money(cents: int) -> str:
    """Dollars and cents side by side without a point: 17550 is `175 50`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100} {abs(cents) % 100:02d}"


def put_date(values: Values, name: str, day: date | None, *, long: bool = False) -> None:
    """Month, day and year of a date, where there is one."""
    if day is not None:
        values[f"{name}.month"] = f"{day.month:02d}"
        values[f"{name}.day"] = f"{day.day:02d}"
        values[f"{name}.year"] = f"{day.year:04d}" if long else f"{day.year % 100:02d}"


def short_date(day: date | None) -> str:
    """MMDDYY, empty when there is none."""
    return f"{day:%m%d}{day.year % 100:02d}" if day is not None else ""


def mark(values: Values, name: str, *, when: bool = True) -> None:
    """An X in a square."""
    if when:
        values[name] = "X"


def yes_no(values: Values, name: str, *, yes: bool) -> None:
    """An X in one of two squares."""
    mark(values, f"{name}.yes" if yes else f"{name}.no")


def person_name(person: Subscriber | Patient | Provider | Name | BillingProvider) -> str:
    """LAST SUFFIX, FIRST, M; the name alone of an organization."""
    last = person.name if isinstance(person, BillingProvider) else person.last_name
    surname = text(f"{last} {person.suffix}")
    return ", ".join(part for part in (surname, text(person.first_name), text(person.middle_name)[:1]) if part)


def natural_name(person: Provider | BillingProvider) -> str:
    """First, middle and last name in the order they are spoken."""
    last = person.name if isinstance(person, BillingProvider) else person.last_name
    return text(f"{person.first_name} {person.middle_name} {last} {person.suffix}")


def postal(address: Address | None) -> str:
    """A postal code, nine digits with a dash."""
    code = address.postal_code if address is not None else ""
    return f"{code[:5]}-{code[5:]}" if len(code) == 9 and code.isdecimal() else code


def city_line(address: Address | None) -> str:
    """City, state and postal code in one line."""
    return " ".join(part for part in (text(address.city), address.state, postal(address)) if part) if address else ""


def street(address: Address | None) -> str:
    """The street lines in one."""
    return text(f"{address.line1} {address.line2}") if address is not None else ""


def first_reference(references: Iterable[Reference], *qualifiers: str) -> str:
    """The first reference with one of the qualifiers, empty when there is none."""
    return next((r.value for r in references if r.qualifier in qualifiers), "")


def other_id(provider: Provider | None) -> tuple[str, str]:
    """Qualifier and number of a provider's other identifier, else its taxonomy under ZZ; empty ones when neither."""
    if provider is None:
        return "", ""
    for reference in provider.references:
        if reference.qualifier in _OTHER_IDS:
            return reference.qualifier, reference.value
    return ("ZZ", provider.taxonomy_code) if provider.taxonomy_code else ("", "")


def qualified_date(dates: Iterable[QualifiedDate], *qualifiers: str) -> QualifiedDate | None:
    """The first date with one of the qualifiers, tried in the order they are given."""
    found = {item.qualifier: item for item in reversed(tuple(dates))}
    return next((found[qualifier] for qualifier in qualifiers if qualifier in found), None)
