"""The rules a claim must meet before it may go out: who can clear a hold, and what would be right.

Sources: X12 005010X222 as summed up in the domain rules (12 diagnoses, 4 pointers, 50 lines, NPI check digit), the
payers' filing limits, and the tenant's own set-up.
"""

from dataclasses import dataclass
from typing import Final

MAX_DIAGNOSES: Final = 12
MAX_POINTERS: Final = 4
MAX_LINES: Final = 50


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why a claim may not go out. Carries no patient data."""

    rule: str
    field: str
    owner: str
    expected: str
    line_number: int | None = None


RULES: Final[dict[str, tuple[str, str]]] = {
    "unknown_facility": ("registration", "a facility with this NPI recorded in registration"),
    "unknown_payer": ("registration", "a payer with this id recorded in registration"),
    "coverage_not_in_force": ("registration", "a coverage in force on the date of service, or self-pay"),
    "patient_incomplete": ("registration", "the field filled in on the patient"),
    "missing_subscriber": ("registration", "the policy holder's name, since the patient is not the policy holder"),
    "invalid_npi": ("registration", "ten digits beginning with 1 or 2 whose check digit is right"),
    "future_date_of_service": ("registration", "a date of service that is not after the business date"),
    "date_of_service_differs": ("coding", "a coding for the encounter's present date of service"),
    "no_price": ("billing", "a fee schedule row for the line's code that holds on the date of service"),
    "charge_not_positive": ("billing", "a charge above zero"),
    "past_filing_limit": ("billing", "a business date within the payer's filing limit, or proof of an exception"),
    "no_lines": ("coding", "at least one service line"),
    "too_many_lines": ("coding", f"at most {MAX_LINES} service lines"),
    "units_not_positive": ("coding", "one unit or more"),
    "no_diagnoses": ("coding", "at least one diagnosis"),
    "too_many_diagnoses": ("coding", f"at most {MAX_DIAGNOSES} diagnoses"),
    "duplicate_diagnosis": ("coding", "each diagnosis once"),
    "invalid_pointer": ("coding", f"1 to {MAX_POINTERS} different positions within the claim's diagnoses"),
    "manual_hold": ("billing", "a person who releases the claim"),
}
"""Rule id to (owner, what would be right). The version of the rules is ``build_claim.RULE_VERSION``."""


def hold(rule: str, field: str, line_number: int | None = None) -> Hold:
    """A hold by a rule of the table, at a field."""
    owner, expected = RULES[rule]
    return Hold(rule, field, owner, expected, line_number)
