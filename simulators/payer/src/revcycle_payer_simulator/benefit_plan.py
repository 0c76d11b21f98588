"""Adjudication by benefit plan, as pure functions.

The outcome of a claim depends on the seed, the payer and what the claim says about member, providers, dates, codes,
modifiers, units, charges, diagnoses, place of service and the business date it was received on. It never depends on
CLM01, control numbers, the clock or the order of arrival: whoever knows the claim can compute the payer's answer.
The one exception, the exact duplicate (CARC 18), needs the payer's history: the caller asks for it by
`duplicate_key` and `deny_as_duplicate`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple

from revcycle_payer_simulator.fee_schedule import (
    FACILITY_PLACES,
    NEEDS_DIAGNOSIS,
    PAYER_IDS,
    PLANS,
    PROCEDURES,
    REFUSES_DIAGNOSIS,
    VISIT_CODES,
    Plan,
)

__all__ = [
    "PAYER_IDS",
    "Adjustment",
    "LineOutcome",
    "PlanClaim",
    "PlanLine",
    "PlanOutcome",
    "Rejection",
    "adjudicate",
    "code_interval",
    "coverage_denial",
    "deny_as_duplicate",
    "draw",
    "duplicate_key",
    "fee_cents",
    "filing_limit_days",
    "front_end_rejection",
    "is_pended",
    "known_codes",
    "npi_is_valid",
    "remaining_deductible_cents",
]

_PER_MILLE_INELIGIBLE = 10
_PER_MILLE_ENDED_IN_YEAR = 25
_PER_MILLE_BEGINS_IN_YEAR = 10
_PER_MILLE_INFORMATION_LACKING = 12
_PER_MILLE_PENDED = 40
_PERCENT_WITH_DEDUCTIBLE = 40
_LARGEST_DEDUCTIBLE_CENTS = 30000

_MEMBER_ID = re.compile(r"[A-Z0-9][A-Z0-9-]{4,29}")
_DIAGNOSIS = re.compile(r"[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}")
_PROCEDURE = re.compile(r"[A-Z0-9]{5}")
_PLACE = re.compile(r"[0-9]{2}")


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One service line. `charge_cents` is the whole line (SV102); pointers count from 1 into the diagnoses."""

    line_number: int
    date_of_service: date
    code: str
    modifiers: tuple[str, ...]
    units: int
    charge_cents: int
    diagnosis_pointers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlanClaim:
    """What a benefit plan looks at. `rendering_npi` is None when the billing provider rendered the service."""

    member_id: str
    billing_npi: str
    rendering_npi: str | None
    place_of_service: str
    diagnosis_codes: tuple[str, ...]
    lines: tuple[PlanLine, ...]
    received_on: date

    @property
    def charge_cents(self) -> int:
        """Sum of the line charges (CLM02)."""
        return sum(line.charge_cents for line in self.lines)


class Adjustment(NamedTuple):
    """One CAS trio: group code, claim adjustment reason code, cents."""

    group: str
    carc: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What became of one line. Charge = paid + contractual + patient + denied, to the cent."""

    line_number: int
    charge_cents: int
    allowed_cents: int
    paid_cents: int
    contractual_cents: int
    patient_responsibility_cents: Mapping[str, int] = field(default_factory=dict)
    denied: tuple[Adjustment, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def patient_cents(self) -> int:
        """Everything under group PR."""
        return sum(self.patient_responsibility_cents.values())

    @property
    def denied_cents(self) -> int:
        """Everything refused."""
        return sum(adjustment.amount_cents for adjustment in self.denied)

    @property
    def adjustments(self) -> tuple[Adjustment, ...]:
        """Every CAS trio of the line, never a zero amount: denial, then CO-45, then PR."""
        found = list(self.denied)
        if self.contractual_cents:
            found.append(Adjustment("CO", "45", self.contractual_cents))
        found.extend(Adjustment("PR", carc, cents) for carc, cents in self.patient_responsibility_cents.items())
        return tuple(found)


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """What became of one claim. `unprocessable`: CARC 16 with MA130, to be answered by a new claim, not an appeal."""

    lines: tuple[LineOutcome, ...]
    unprocessable: bool = False

    @property
    def charge_cents(self) -> int:
        """Sum over lines."""
        return sum(line.charge_cents for line in self.lines)

    @property
    def paid_cents(self) -> int:
        """Sum over lines."""
        return sum(line.paid_cents for line in self.lines)

    @property
    def contractual_cents(self) -> int:
        """Sum of CO-45 over lines."""
        return sum(line.contractual_cents for line in self.lines)

    @property
    def patient_cents(self) -> int:
        """Sum of group PR over lines."""
        return sum(line.patient_cents for line in self.lines)

    @property
    def denied_cents(self) -> int:
        """Sum of the refused amounts over lines."""
        return sum(line.denied_cents for line in self.lines)

    @property
    def denial_carcs(self) -> tuple[str, ...]:
        """Distinct reason codes of the refusals, sorted."""
        return tuple(sorted({adjustment.carc for line in self.lines for adjustment in line.denied}))

    @property
    def kind(self) -> str:
        """`denied` (every line), `partly_paid` (some lines denied), `paid`, or `patient_only` (nothing paid)."""
        denied_lines = sum(1 for line in self.lines if line.denied)
        if denied_lines == len(self.lines):
            return "denied"
        if denied_lines:
            return "partly_paid"
        return "paid" if self.paid_cents > 0 else "patient_only"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A front-end edit that returns the claim before adjudication, in the words of a 277CA status."""

    category: str
    status: str
    entity: str | None
    rule: str

    @property
    def code(self) -> str:
        """`category:status[:entity]` as STC01 carries it."""
        return ":".join(part for part in (self.category, self.status, self.entity) if part)


@dataclass(frozen=True, slots=True)
class _Denial:
    carc: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything a gate may look at."""

    seed: int
    payer_id: str
    plan: Plan
    claim: PlanClaim


def draw(*parts: object) -> int:
    """A number from 0 to 2**64-1 that depends on nothing but the parts: the simulator's only randomness."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def adjudicate(seed: int, payer_id: str, claim: PlanClaim) -> PlanOutcome:
    """Pass every line through the gates, then price what is left and share the cost.

    Raises ValueError for a payer that is none of `PAYER_IDS`.
    """
    case = _Case(seed, payer_id, _plan(payer_id), _normalised(claim))
    deductible_cents: dict[int, int] = {}
    outcomes = []
    for line in case.claim.lines:
        denial = next((found for gate in _GATES if (found := gate(case, line)) is not None), None)
        outcomes.append(_denied(line, denial) if denial else _priced(case, line, deductible_cents))
    unprocessable = any("MA130" in outcome.remarks for outcome in outcomes)
    return PlanOutcome(tuple(outcomes), unprocessable)


def deny_as_duplicate(claim: PlanClaim) -> PlanOutcome:
    """The answer to an exact duplicate of an adjudicated claim: CARC 18 on every line."""
    return PlanOutcome(tuple(_denied(line, _Denial("18", ("N522",))) for line in claim.lines))


def duplicate_key(payer_id: str, claim: PlanClaim) -> str:
    """Equal for claims a payer calls exact duplicates: member, provider, dates, codes, modifiers, units, charges."""
    plain = _normalised(claim)
    lines = sorted(
        f"{line.date_of_service}|{line.code}|{','.join(sorted(line.modifiers))}|{line.units}|{line.charge_cents}"
        for line in plain.lines
    )
    provider = plain.rendering_npi or plain.billing_npi
    return hashlib.sha256("\n".join([payer_id, plain.member_id, provider, *lines]).encode()).hexdigest()


def is_pended(seed: int, payer_id: str, claim: PlanClaim) -> bool:
    """Whether the payer first says "pending" (277 P1). It changes when the money comes, not how much."""
    return _claim_draw("pend", seed, payer_id, claim) % 1000 < _PER_MILLE_PENDED


def coverage_denial(seed: int, payer_id: str, member_id: str, on: date) -> str | None:
    """CARC 27 (coverage ended), 26 (not yet begun) or None (in force) for the member on the date of service."""
    lot = draw("coverage", seed, payer_id, _plain(member_id), on.year) % 1000
    if lot < _PER_MILLE_INELIGIBLE:
        return "27"
    turning_day = date(on.year, 1, 1) + timedelta(draw("turn", seed, payer_id, _plain(member_id), on.year) % 365)
    if lot < _PER_MILLE_INELIGIBLE + _PER_MILLE_ENDED_IN_YEAR:
        return "27" if on >= turning_day else None
    if lot < _PER_MILLE_INELIGIBLE + _PER_MILLE_ENDED_IN_YEAR + _PER_MILLE_BEGINS_IN_YEAR:
        return "26" if on < turning_day else None
    return None


def remaining_deductible_cents(seed: int, payer_id: str, member_id: str, year: int) -> int:
    """What the member still owes before the plan pays, fixed per year so that no order of claims changes it."""
    lot = draw("deductible", seed, payer_id, _plain(member_id), year)
    if lot % 100 >= _PERCENT_WITH_DEDUCTIBLE:
        return 0
    return (lot // 100) % _LARGEST_DEDUCTIBLE_CENTS + 1


def filing_limit_days(payer_id: str) -> int:
    """Days from the date of service within which the payer must have received the claim."""
    return _plan(payer_id).filing_limit_days


def fee_cents(payer_id: str, code: str) -> int | None:
    """The payer's fee per unit outside a facility, or None for a code it does not know."""
    procedure = PROCEDURES.get(_plain(code))
    return None if procedure is None else _percent(procedure.base_fee_cents, _plan(payer_id).fee_percent)


def code_interval(code: str) -> tuple[date, date | None] | None:
    """First and last day in force of a procedure code the payers know (None as last day: still in force)."""
    procedure = PROCEDURES.get(_plain(code))
    return None if procedure is None else (procedure.begins, procedure.ends)


def known_codes() -> tuple[str, ...]:
    """Every procedure code the payers know, ended ones included, sorted."""
    return tuple(sorted(PROCEDURES))


def npi_is_valid(npi: str) -> bool:
    """Ten digits, first 1 or 2, with the check digit of ISO 7812 over the prefix 80840 and the number."""
    if len(npi) != 10 or not npi.isdecimal() or npi[0] not in "12":
        return False
    total = 24
    for index, character in enumerate(reversed(npi)):
        digit = int(character) * (2 if index % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def front_end_rejection(claim: PlanClaim, business_date: date) -> Rejection | None:
    """The first front-end edit the claim fails, or None. Edits look at the claim only, never at history."""
    plain = _normalised(claim)
    for edit in (_member_edit, _provider_edit, _place_edit, _diagnosis_edit):
        rejection = edit(plain)
        if rejection is not None:
            return rejection
    if not plain.lines:
        return Rejection("A6", "454", None, "a claim has at least one service line")
    return next((found for line in plain.lines if (found := _line_edit(plain, line, business_date))), None)


def _member_edit(claim: PlanClaim) -> Rejection | None:
    if not claim.member_id:
        return Rejection("A6", "164", "IL", "the member id is required")
    if not _MEMBER_ID.fullmatch(claim.member_id):
        return Rejection("A7", "164", "IL", "a member id has 5 to 30 letters, digits or hyphens")
    return None


def _provider_edit(claim: PlanClaim) -> Rejection | None:
    if not npi_is_valid(claim.billing_npi):
        return Rejection("A7", "562", "85", "the billing provider's NPI fails its check digit")
    if claim.rendering_npi is not None and not npi_is_valid(claim.rendering_npi):
        return Rejection("A7", "562", "82", "the rendering provider's NPI fails its check digit")
    return None


def _place_edit(claim: PlanClaim) -> Rejection | None:
    if not _PLACE.fullmatch(claim.place_of_service):
        return Rejection("A7", "249", None, "a place of service has two digits")
    return None


def _diagnosis_edit(claim: PlanClaim) -> Rejection | None:
    if not claim.diagnosis_codes:
        return Rejection("A6", "254", None, "a principal diagnosis is required")
    if len(claim.diagnosis_codes) > 12:
        return Rejection("A7", "255", None, "a professional claim has at most 12 diagnoses")
    if not all(_DIAGNOSIS.fullmatch(code) for code in claim.diagnosis_codes):
        return Rejection("A7", "255", None, "a diagnosis code is not in the form of ICD-10-CM")
    return None


def _line_edit(claim: PlanClaim, line: PlanLine, business_date: date) -> Rejection | None:
    pointers = line.diagnosis_pointers
    if not _PROCEDURE.fullmatch(line.code):
        return Rejection("A7", "454", None, "a procedure code has five letters or digits")
    if line.date_of_service > business_date:
        return Rejection("A7", "187", None, "the date of service lies in the future")
    if line.charge_cents <= 0:
        return Rejection("A7", "178", None, "a line's charge is greater than zero")
    if line.units <= 0:
        return Rejection("A7", "476", None, "units of service are a whole number greater than zero")
    if not 1 <= len(pointers) <= 4 or any(not 1 <= each <= len(claim.diagnosis_codes) for each in pointers):
        return Rejection("A7", "477", None, "each line has 1 to 4 pointers to diagnoses of the claim")
    return None


def _eligibility_gate(case: _Case, line: PlanLine) -> _Denial | None:
    carc = coverage_denial(case.seed, case.payer_id, case.claim.member_id, line.date_of_service)
    return _Denial(carc, ("N30",)) if carc else None


def _code_gate(case: _Case, line: PlanLine) -> _Denial | None:
    procedure = PROCEDURES.get(line.code)
    if procedure is None or line.date_of_service < procedure.begins:
        return _Denial("181", ("N56",))
    if procedure.ends is not None and line.date_of_service > procedure.ends:
        return _Denial("181", ("N56",))
    return None


def _filing_gate(case: _Case, line: PlanLine) -> _Denial | None:
    late = (case.claim.received_on - line.date_of_service).days > case.plan.filing_limit_days
    return _Denial("29") if late else None


def _information_gate(case: _Case, line: PlanLine) -> _Denial | None:
    lot = _claim_draw("information", case.seed, case.payer_id, case.claim) % 1000
    if lot >= _PER_MILLE_INFORMATION_LACKING:
        return None
    return _Denial("16", ("MA130", "M60") if case.plan.unprocessable_remark else ("M127",))


def _coverage_gate(case: _Case, line: PlanLine) -> _Denial | None:
    if line.code in case.plan.not_covered:
        return _Denial(case.plan.not_covered_carc, ("N130",))
    if "GY" in line.modifiers:
        return _Denial("96", ("N425",))
    return None


def _necessity_gate(case: _Case, line: PlanLine) -> _Denial | None:
    if "GZ" in line.modifiers:
        return _Denial("50", ("N115",))
    if line.code not in case.plan.necessity:
        return None
    codes = case.claim.diagnosis_codes
    pointed = [codes[pointer - 1] for pointer in line.diagnosis_pointers if 1 <= pointer <= len(codes)]
    needed = NEEDS_DIAGNOSIS.get(line.code)
    if needed is not None and not any(code.startswith(needed) for code in pointed):
        return _Denial("50", ("N115",))
    refused = REFUSES_DIAGNOSIS.get(line.code)
    if refused is not None and any(code.startswith(refused) for code in pointed):
        return _Denial("50", ("N115",))
    return None


_GATES: tuple[Callable[[_Case, PlanLine], _Denial | None], ...] = (
    _eligibility_gate,
    _code_gate,
    _filing_gate,
    _information_gate,
    _coverage_gate,
    _necessity_gate,
)


def _denied(line: PlanLine, denial: _Denial) -> LineOutcome:
    refused = (Adjustment("CO", denial.carc, line.charge_cents),)
    return LineOutcome(line.line_number, line.charge_cents, 0, 0, 0, {}, refused, denial.remarks)


def _priced(case: _Case, line: PlanLine, deductible_cents: dict[int, int]) -> LineOutcome:
    """Lesser of charge and fee; the deductible left over by earlier lines of this claim; then the member's share."""
    plan = case.plan
    percent = plan.facility_percent if case.claim.place_of_service in FACILITY_PLACES else plan.fee_percent
    fee = _percent(PROCEDURES[line.code].base_fee_cents, percent) * line.units
    allowed = min(line.charge_cents, fee)
    year = line.date_of_service.year
    if year not in deductible_cents:
        deductible_cents[year] = remaining_deductible_cents(case.seed, case.payer_id, case.claim.member_id, year)
    deductible = min(allowed, deductible_cents[year])
    deductible_cents[year] -= deductible
    left = allowed - deductible
    coinsurance = _percent(left, plan.coinsurance_percent)
    copay = min(left - coinsurance, plan.copay_cents) if line.code in VISIT_CODES else 0
    shares = {"1": deductible, "2": coinsurance, "3": copay}
    return LineOutcome(
        line.line_number,
        line.charge_cents,
        allowed,
        left - coinsurance - copay,
        line.charge_cents - allowed,
        {carc: cents for carc, cents in shares.items() if cents},
    )


def _percent(cents: int, percent: int) -> int:
    """Whole cents, half up."""
    return (cents * percent + 50) // 100


def _plan(payer_id: str) -> Plan:
    plan = PLANS.get(payer_id)
    if plan is None:
        raise ValueError(f"unknown payer {payer_id!r}: use one of {', '.join(PAYER_IDS)}")
    return plan


def _plain(text: str) -> str:
    return text.strip().upper()


def _normalised(claim: PlanClaim) -> PlanClaim:
    """Upper case, no dots, no blanks: what a form of writing changes must not change the outcome."""
    lines = tuple(
        replace(line, code=_plain(line.code), modifiers=tuple(_plain(modifier) for modifier in line.modifiers))
        for line in claim.lines
    )
    rendering = claim.rendering_npi if claim.rendering_npi != claim.billing_npi else None
    codes = tuple(_plain(code).replace(".", "") for code in claim.diagnosis_codes)
    return replace(
        claim, member_id=_plain(claim.member_id), rendering_npi=rendering, diagnosis_codes=codes, lines=lines
    )


def _claim_draw(purpose: str, seed: int, payer_id: str, claim: PlanClaim) -> int:
    """One number per content of claim. The diagnoses count, so a corrected claim draws again."""
    plain = _normalised(claim)
    return draw(purpose, seed, duplicate_key(payer_id, plain), ",".join(plain.diagnosis_codes))
