"""Makes up visits: the same seed, number and business date give the same encounters, byte for byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from revcycle_payer_simulator import benefit_plan

from revcycle_hospital_simulator.catalogue import (
    FACILITY_NPI,
    FIRST_NAMES,
    LATE_PRICED_FROM,
    PLACES,
    PROVIDERS,
    REASONS,
    VISIT_CODES,
    Reason,
)
from revcycle_hospital_simulator.planting import (
    DUPLICATE,
    KINDS,
    OLDEST_VISIT_DAYS,
    PLAIN,
    Correction,
    Occasion,
    Planted,
    filing_limit_days,
)
from revcycle_hospital_simulator.truth import Expectation, expect_duplicate, is_processable
from revcycle_hospital_simulator.visits import Coverage, JsonObject, Patient, Person, Service, Visit

ENCOUNTERS_MAX: Final = 1_000_000

_BLOCK: Final = sum(share for share, _ in KINDS.values())
_COVERED_FROM: Final = timedelta(days=OLDEST_VISIT_DAYS + 90)
_NOT_SELF_PERCENT: Final = 15


@dataclass(frozen=True, slots=True)
class PlannedEncounter:
    """An encounter to come. ``wave`` 2 is sent when everything of wave 1 has come to its end."""

    visit: Visit
    kind: str
    expected: Expectation
    correction: Correction | None = None
    wave: int = 1

    @property
    def encounter_number(self) -> str:
        """The hospital's number for it."""
        return self.visit.encounter_number

    @property
    def file(self) -> JsonObject:
        """What is sent."""
        return self.visit.as_file()


def generate(seed: int, encounters: int, business_date: date) -> list[PlannedEncounter]:
    """Plan encounters with everything that is planted in them, in the order of their numbers.

    Every hundred holds every kind of trouble. Nothing is drawn from one encounter into the next but for the
    duplicates, which copy a visit of their own hundred.

    Raises:
        ValueError: no or too many encounters, or a business date on which no planted visit lacks a price.
    """
    if not 1 <= encounters <= ENCOUNTERS_MAX:
        raise ValueError(f"encounters: 1 to {ENCOUNTERS_MAX}")
    shortest = min(filing_limit_days(payer_id) for payer_id in benefit_plan.PAYER_IDS)
    if not LATE_PRICED_FROM <= business_date < LATE_PRICED_FROM + timedelta(days=shortest):
        raise ValueError(f"business date: from {LATE_PRICED_FROM} on, for less than {shortest} days")
    planned: list[PlannedEncounter] = []
    for start in range(0, encounters, _BLOCK):
        count = min(_BLOCK, encounters - start)
        planned.extend(_block(seed, start, count, business_date))
    return planned


def _block(seed: int, start: int, count: int, business_date: date) -> list[PlannedEncounter]:
    kinds = [kind for kind, (share, _) in KINDS.items() for _ in range(share)]
    _random(seed, "kinds", start).shuffle(kinds)
    planned = [_plan(seed, start + offset, kind, business_date) for offset, kind in enumerate(kinds[:count])]
    originals = _copyable(seed, planned, business_date)
    return [_copy_of(each, originals, business_date) if each.kind == DUPLICATE else each for each in planned]


def _plan(seed: int, index: int, kind: str, business_date: date) -> PlannedEncounter:
    occasion = Occasion(seed, business_date, _random(seed, "encounter", index))
    planted: Planted = KINDS[kind][1](_visit(occasion, index), occasion)
    return PlannedEncounter(planted.visit, kind, planted.expected, planted.correction)


def _copyable(seed: int, planned: Sequence[PlannedEncounter], business_date: date) -> Iterator[Visit]:
    return (each.visit for each in planned if each.kind == PLAIN and is_processable(seed, each.visit, business_date))


def _copy_of(planned: PlannedEncounter, originals: Iterator[Visit], business_date: date) -> PlannedEncounter:
    """The same visit under another number; in a block too short to have an original, a plain visit stays plain."""
    original = next(originals, None)
    if original is None:
        return replace(planned, kind=PLAIN)
    copy = replace(original, encounter_number=f"{original.encounter_number}D")
    return PlannedEncounter(copy, DUPLICATE, expect_duplicate(copy, business_date), wave=2)


def _random(seed: int, purpose: str, index: int) -> Random:
    return Random(f"{seed}/{purpose}/{index}")


def _visit(occasion: Occasion, index: int) -> Visit:
    """A visit with nothing wrong in it, within the payer's filing limit, by a patient of its own."""
    random, business_date = occasion.random, occasion.business_date
    payer_id = random.choice(benefit_plan.PAYER_IDS)
    reason = random.choice(REASONS)
    found = random.choice(reason.findings)
    diagnoses = found[: random.randint(1, len(found))]
    number = f"DEMO{occasion.seed}-{index:07d}"
    patient = _patient(random, index, reason.sex or random.choice("FM"), business_date)
    return Visit(
        encounter_number=number,
        facility_npi=FACILITY_NPI,
        date_of_service=business_date - timedelta(days=random.randint(0, filing_limit_days(payer_id))),
        place_of_service=random.choice(PLACES),
        patient=patient,
        coverages=(_coverage(random, index, payer_id, patient.person, business_date),),
        provider=random.choice(PROVIDERS),
        note=f"Synthetic visit note {number}; no real person. {reason.told} Findings discussed, plan agreed.",
        signed=True,
        diagnoses=diagnoses,
        services=_services(random, reason, len(diagnoses)),
    )


def _patient(random: Random, index: int, sex: str, business_date: date) -> Patient:
    age_days = random.randint(18 * 366, 90 * 365)
    person = Person(
        last_name=f"Testperson-{index:07d}",
        first_name=random.choice(FIRST_NAMES),
        birth_date=business_date - timedelta(days=age_days),
        sex=sex,
    )
    # 555-0100 to 555-0199 are kept free for fiction.
    return Patient(f"MRN{index:07d}", person, f"555-01{index % 100:02d}", f"{index + 1} Example Street")


def _coverage(random: Random, index: int, payer_id: str, person: Person, business_date: date) -> Coverage:
    relationship, subscriber = "self", None
    if random.randrange(100) < _NOT_SELF_PERCENT:
        relationship = random.choice(("spouse", "other"))
        first_name, sex = random.choice(FIRST_NAMES), random.choice("FM")
        subscriber = Person(person.last_name, first_name, person.birth_date, sex)
    covered_from = business_date - _COVERED_FROM
    return Coverage(payer_id, f"TEST-{index:07d}", relationship, covered_from, None, subscriber)


def _services(random: Random, reason: Reason, diagnoses: int) -> tuple[Service, ...]:
    visit = Service(random.choice(VISIT_CODES), 1, _pointers(random, diagnoses))
    extras = random.sample(reason.extras, random.randint(0, min(2, len(reason.extras))))
    return (
        visit,
        *(
            Service(
                code=extra.code,
                units=random.randint(1, extra.units_max),
                diagnosis_pointers=_pointers(random, diagnoses),
                modifiers=(extra.modifier,) if extra.modifier else (),
            )
            for extra in extras
        ),
    )


def _pointers(random: Random, diagnoses: int) -> tuple[int, ...]:
    return tuple(sorted(random.sample(range(1, diagnoses + 1), random.randint(1, diagnoses))))
