"""The billing rules a claim must meet before it may go out: who can clear a hold, and what would be right.

Sources: X12 005010X222 as summed up in the domain rules (50 lines, NPI check digit), the payers' filing limits, and
the tenant's own set-up. Everything about codes, pointers and units is the scrub's (``domain.scrub``).
"""

from dataclasses import dataclass
from typing import Final

from revcycle_claims.domain.scrub import ScrubReason

MAX_LINES: Final = 50
RULE_VERSION: Final = "2"
RELEASE: Final = "build-claim.v2"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why a claim may not go out. Carries no patient data.

    ``release`` is the table or rule set that says so; a code edit names its code-set release.
    """

    rule: str
    field: str
    owner: str
    expected: str
    line_number: int | None = None
    rule_version: str = RULE_VERSION
    release: str = RELEASE


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
    "too_many_lines": ("coding", f"at most {MAX_LINES} service lines"),
    "manual_hold": ("billing", "a person who releases the claim"),
}
"""Rule id to (owner, what would be right)."""


def hold(rule: str, field: str, line_number: int | None = None) -> Hold:
    """A hold by a rule of the table, at a field."""
    owner, expected = RULES[rule]
    return Hold(rule, field, owner, expected, line_number)


def scrub_hold(reason: ScrubReason) -> Hold:
    """A hold by an edit rule; whoever coded clears it."""
    return Hold(
        rule=reason.rule,
        field=reason.field,
        owner="coding",
        expected=reason.expected,
        line_number=reason.line_number,
        rule_version=reason.rule_version,
        release=reason.release,
    )
