"""What is planted in a visit: every kind of trouble, how often, what it comes to and who clears it.

A planter takes a visit that is right in everything and returns what is sent and what becomes of it. Randomness comes in
as a seeded generator; nothing depends on the order in which encounters arrive.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from revcycle_payer_simulator import benefit_plan

from revcycle_hospital_simulator.catalogue import (
    ENDED_PROCEDURES,
    HEADER_DIAGNOSES,
    LATE_PRICED_CODE,
    LATE_PRICED_FROM,
    NO_SUCH_DIAGNOSES,
    SELF_PAY,
    UNKNOWN_FACILITY_NPI,
    UNKNOWN_PAYER,
    UNKNOWN_TO_PAYERS,
)
from revcycle_hospital_simulator.truth import Expectation, expect_billed
from revcycle_hospital_simulator.visits import Coverage, JsonObject, Service, Visit

OLDEST_VISIT_DAYS: Final = 182
"""Visits lie at most this many days before the business date."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a planter may look at."""

    seed: int
    business_date: date
    random: Random


@dataclass(frozen=True, slots=True)
class CodingCorrection:
    """The codes a coder puts in the place of those the provider entered."""

    diagnoses: tuple[str, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class CoverageCorrection:
    """The encounter file a biller has registration take in before the claim goes out anew."""

    file: JsonObject


Correction = CodingCorrection | CoverageCorrection


@dataclass(frozen=True, slots=True)
class Planted:
    """A visit as it is sent, what becomes of it, and what a person corrects on the way."""

    visit: Visit
    expected: Expectation
    correction: Correction | None = None


Planter = Callable[[Visit, Occasion], Planted]


def filing_limit_days(payer_id: str) -> int:
    """Days a visit may lie back and still be billed to a payer; self-pay and unknown payers set no limit."""
    if payer_id in benefit_plan.PAYER_IDS:
        return min(benefit_plan.filing_limit_days(payer_id), OLDEST_VISIT_DAYS)
    return OLDEST_VISIT_DAYS


def _billed(visit: Visit, occasion: Occasion) -> Planted:
    return Planted(visit, expect_billed(occasion.seed, visit, occasion.business_date))


def _refused(visit: Visit, why: str) -> Planted:
    return Planted(visit, Expectation("refused", why))


def _wrong_check_digit(visit: Visit, occasion: Occasion) -> Planted:
    npi = visit.provider.npi
    provider = replace(visit.provider, npi=npi[:-1] + str((int(npi[-1]) + 1) % 10))
    return _refused(replace(visit, provider=provider), "the rendering provider's NPI fails its check digit")


def _future(visit: Visit, occasion: Occasion) -> Planted:
    day = occasion.business_date + timedelta(days=occasion.random.randint(1, 30))
    return _refused(replace(visit, date_of_service=day), "the date of service lies in the future")


def _unknown_field(visit: Visit, occasion: Occasion) -> Planted:
    return _refused(replace(visit, further_fields={"nickname": "synthetic"}), "a field that the format does not have")


def _no_units(visit: Visit, occasion: Occasion) -> Planted:
    first, *others = visit.services
    wrong = replace(first, units=occasion.random.choice((0, -1)))
    return _refused(replace(visit, services=(wrong, *others)), "units of service are not above zero")


def _blocked(visit: Visit, why: str) -> Planted:
    return Planted(visit, Expectation("blocked", why))


def _unsigned(visit: Visit, occasion: Occasion) -> Planted:
    return _blocked(replace(visit, signed=False), "the document is not signed")


def _no_birth_date(visit: Visit, occasion: Occasion) -> Planted:
    person = replace(visit.patient.person, birth_date=None)
    return _blocked(replace(visit, patient=replace(visit.patient, person=person)), "the birth date is missing")


def _uncovered(visit: Visit, occasion: Occasion) -> Planted:
    return _blocked(replace(visit, coverages=()), "no coverage")


def _coverage_ended(visit: Visit, occasion: Occasion) -> Planted:
    ended = replace(visit.coverages[0], effective_to=visit.date_of_service - timedelta(days=1))
    return _blocked(replace(visit, coverages=(ended,)), "the coverage ended before the visit")


def _unknown_diagnosis(visit: Visit, occasion: Occasion) -> Visit:
    return _with_first_diagnosis(visit, occasion.random.choice(NO_SUCH_DIAGNOSES))


def _header_diagnosis(visit: Visit, occasion: Occasion) -> Visit:
    return _with_first_diagnosis(visit, occasion.random.choice(HEADER_DIAGNOSES))


def _with_first_diagnosis(visit: Visit, code: str) -> Visit:
    return replace(visit, diagnoses=(code, *visit.diagnoses[1:]))


def _no_diagnoses(visit: Visit, occasion: Occasion) -> Visit:
    return replace(visit, diagnoses=())


def _dangling_pointer(visit: Visit, occasion: Occasion) -> Visit:
    first, *others = visit.services
    return replace(visit, services=(replace(first, diagnosis_pointers=(len(visit.diagnoses) + 1,)), *others))


def _ended_procedure(visit: Visit, occasion: Occasion) -> Visit:
    first, *others = visit.services
    return replace(visit, services=(replace(first, code=occasion.random.choice(ENDED_PROCEDURES)), *others))


_CODING_TROUBLES: Final[dict[str, Callable[[Visit, Occasion], Visit]]] = {
    "a diagnosis code that nobody assigns": _unknown_diagnosis,
    "a header where a finer diagnosis code is required": _header_diagnosis,
    "no diagnoses": _no_diagnoses,
    "a pointer to a diagnosis that is not there": _dangling_pointer,
    "a procedure code that ended before the visit": _ended_procedure,
}


def _on_the_worklist(why: str) -> Planter:
    def plant(visit: Visit, occasion: Occasion) -> Planted:
        return Planted(_CODING_TROUBLES[why](visit, occasion), Expectation("worklist", f"{why}; nobody corrects it"))

    return plant


def _coder_corrects(visit: Visit, occasion: Occasion) -> Planted:
    why = occasion.random.choice(sorted(_CODING_TROUBLES))
    expected = _billed(visit, occasion).expected
    return Planted(
        _CODING_TROUBLES[why](visit, occasion),
        replace(expected, why=f"{why}; corrected by a coder, then {expected.why}"),
        CodingCorrection(visit.diagnoses, visit.services),
    )


def _held(visit: Visit, why: str) -> Planted:
    return Planted(visit, Expectation("held", why))


def _unknown_payer(visit: Visit, occasion: Occasion) -> Planted:
    coverage = replace(visit.coverages[0], payer_id=UNKNOWN_PAYER)
    return _held(replace(visit, coverages=(coverage,)), "a payer nobody recorded")


def _unknown_facility(visit: Visit, occasion: Occasion) -> Planted:
    return _held(replace(visit, facility_npi=UNKNOWN_FACILITY_NPI), "a facility nobody recorded")


def _too_late(visit: Visit, occasion: Occasion) -> Planted:
    first = filing_limit_days(visit.coverages[0].payer_id) + 1
    day = occasion.business_date - timedelta(days=occasion.random.randint(first, OLDEST_VISIT_DAYS))
    return _held(replace(visit, date_of_service=day), "past the payer's filing limit")


def _no_price(visit: Visit, occasion: Occasion) -> Planted:
    earliest = occasion.business_date - timedelta(days=filing_limit_days(visit.coverages[0].payer_id))
    span = (LATE_PRICED_FROM - earliest).days
    day = earliest + timedelta(days=occasion.random.randrange(span))
    services = (*visit.services, Service(LATE_PRICED_CODE, 1, (1,)))
    return _held(replace(visit, date_of_service=day, services=services), "a code without a price on the day")


def _odd_member_id(visit: Visit) -> Visit:
    coverage = visit.coverages[0]
    wrong = replace(coverage, member_id=coverage.member_id.replace("-", "/"))
    return replace(visit, coverages=(wrong,))


def _rejected(visit: Visit, occasion: Occasion) -> Planted:
    return _billed(_odd_member_id(visit), occasion)


def _biller_corrects(visit: Visit, occasion: Occasion) -> Planted:
    sent = _odd_member_id(visit)
    wrong, right = sent.coverages[0], visit.coverages[0]
    # The policy under the wrong number ends before any visit, so that only the right one is in force.
    gone = replace(wrong, effective_to=wrong.effective_from)
    corrected = replace(
        visit, coverages=(gone, replace(right, effective_from=wrong.effective_from + timedelta(days=1)))
    )
    expected = _billed(corrected, occasion).expected
    why = f"a member id the payer's front end rejects; corrected by a biller, then {expected.why}"
    return Planted(sent, replace(expected, why=why), CoverageCorrection(corrected.as_file()))


def _self_pay(visit: Visit, occasion: Occasion) -> Planted:
    coverage = Coverage(SELF_PAY, SELF_PAY, "self", visit.coverages[0].effective_from)
    return _billed(replace(visit, coverages=(coverage,)), occasion)


def _with_denied_line(visit: Visit, occasion: Occasion) -> Planted:
    code = occasion.random.choice(sorted(UNKNOWN_TO_PAYERS))
    denied = occasion.random.choice((Service(code, 1, (1,)), Service("G2211", 1, (1,), ("GY",))))
    services = (*(each for each in visit.services if each.code != denied.code), denied)
    return _billed(replace(visit, services=services), occasion)


def _all_denied(visit: Visit, occasion: Occasion) -> Planted:
    modifier = occasion.random.choice(("GY", "GZ"))
    services = tuple(replace(each, modifiers=(*each.modifiers, modifier)) for each in visit.services)
    return _billed(replace(visit, services=services), occasion)


PLAIN: Final = "plain"
DUPLICATE: Final = "duplicate"

KINDS: Final[dict[str, tuple[int, Planter]]] = {
    "wrong_check_digit": (1, _wrong_check_digit),
    "future": (1, _future),
    "unknown_field": (1, _unknown_field),
    "no_units": (1, _no_units),
    "unsigned": (2, _unsigned),
    "no_birth_date": (1, _no_birth_date),
    "uncovered": (2, _uncovered),
    "coverage_ended": (1, _coverage_ended),
    "unknown_diagnosis": (1, _on_the_worklist("a diagnosis code that nobody assigns")),
    "header_diagnosis": (1, _on_the_worklist("a header where a finer diagnosis code is required")),
    "no_diagnoses": (1, _on_the_worklist("no diagnoses")),
    "dangling_pointer": (1, _on_the_worklist("a pointer to a diagnosis that is not there")),
    "ended_procedure": (1, _on_the_worklist("a procedure code that ended before the visit")),
    "coder_corrects": (6, _coder_corrects),
    "unknown_payer": (1, _unknown_payer),
    "unknown_facility": (1, _unknown_facility),
    "too_late": (2, _too_late),
    "no_price": (1, _no_price),
    "rejected": (2, _rejected),
    "biller_corrects": (2, _biller_corrects),
    "self_pay": (4, _self_pay),
    "denied_line": (6, _with_denied_line),
    "all_denied": (3, _all_denied),
    DUPLICATE: (2, _billed),
    PLAIN: (55, _billed),
}
"""Kind to (how many of a hundred encounters, planter). A duplicate is made by the generator from a plain visit."""
