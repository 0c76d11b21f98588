"""Reading an 837 professional claim: what the sender said, and what breaks the guide (005010X222A1).

Faults of syntax go to the 999 and refuse the whole transaction set; anything a front-end edit can judge claim by claim
is left to the 277CA.
"""

from dataclasses import dataclass, field, replace
from datetime import date

from revcycle_payer_simulator.benefit_plan import PlanClaim, PlanLine, Rejection, front_end_rejection
from revcycle_payer_simulator.x12 import Segment, TransactionSet, component, element, parse_cents, parse_date

GUIDE = "005010X222A1"
_KNOWN_SEGMENTS = frozenset(
    {
        "AMT", "BHT", "CAS", "CL1", "CLM", "CN1", "CR1", "CR2", "CR3", "CRC", "CTP", "CUR", "DMG", "DTP", "FRM", "HCP",
        "HI", "HL", "K3", "LIN", "LQ", "LX", "MEA", "MOA", "N2", "N3", "N4", "NM1", "NTE", "OI", "PAT", "PER", "PRV",
        "PS1", "PWK", "QTY", "REF", "SBR", "SE", "ST", "SV1", "SV5", "SVD",
    }
)  # fmt: skip
_BILLING, _SUBSCRIBER, _PATIENT = "20", "22", "23"
_NAME_LOOPS = {
    "41": "1000A", "40": "1000B", "85": "2010AA", "87": "2010AB", "IL": "2010BA", "PR": "2010BB", "QC": "2010CA",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ElementFault:
    """One IK4: position, data element number, IK403 code. Bad values are never copied: they may name a patient."""

    position: int
    reference: str
    code: str
    component: int = 0


@dataclass(frozen=True, slots=True)
class SegmentFault:
    """One IK3 with its IK4s. Positions count ST as 1."""

    segment_id: str
    position: int
    loop: str
    code: str
    elements: tuple[ElementFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Names as sent, to be echoed."""

    last_name: str = ""
    first_name: str = ""


@dataclass(frozen=True, slots=True)
class Payee:
    """The billing provider."""

    npi: str = ""
    name: str = ""
    tax_id: str = ""


@dataclass(slots=True)
class ReceivedLine:
    """One 2400 loop."""

    number: int
    code: str = ""
    modifiers: tuple[str, ...] = ()
    charge_cents: int = 0
    units: int = 0
    pointers: tuple[int, ...] = ()
    date_of_service: date | None = None
    control_number: str = ""


@dataclass(slots=True)
class ReceivedClaim:
    """One 2300 loop with what it inherits from the loops above it."""

    claim_id: str
    charge_cents: int
    place_of_service: str
    frequency: str
    payee: Payee
    member: Person
    patient: Person
    member_id: str
    rendering_npi: str = ""
    original_reference: str = ""
    clearinghouse_reference: str = ""
    diagnosis_codes: tuple[str, ...] = ()
    lines: list[ReceivedLine] = field(default_factory=list)

    def plan_claim(self, received_on: date) -> PlanClaim:
        """The claim as a benefit plan sees it. A line without a date cannot occur: the 999 refuses it."""
        lines = tuple(
            PlanLine(
                line.number,
                line.date_of_service or received_on,
                line.code,
                line.modifiers,
                line.units,
                line.charge_cents,
                line.pointers,
            )
            for line in self.lines
        )
        return PlanClaim(
            self.member_id,
            self.payee.npi,
            self.rendering_npi or None,
            self.place_of_service,
            self.diagnosis_codes,
            lines,
            received_on,
        )

    def rejection(self, business_date: date) -> Rejection | None:
        """The first front-end edit the claim fails, those about the form of the claim first."""
        if self.frequency not in {"1", "7", "8"}:
            return Rejection("A7", "535", None, "claim frequency is 1, 7 or 8")
        if self.frequency != "1" and not self.original_reference:
            return Rejection("A6", "464", None, "frequency 7 and 8 name the payer's control number in REF*F8")
        if not self.member.last_name:
            return Rejection("A6", "125", "IL", "the subscriber's name is required")
        if self.charge_cents != sum(line.charge_cents for line in self.lines):
            return Rejection("A7", "400", None, "the claim's charge is the sum of its lines")
        return front_end_rejection(self.plan_claim(business_date), business_date)


@dataclass(slots=True)
class ClaimSet:
    """One 837 transaction set: its claims, the faults that refuse it, and the names a 277CA echoes."""

    control_number: str
    reference: str
    submitter: Segment
    claims: list[ReceivedClaim]
    faults: list[SegmentFault]
    set_codes: list[str]

    @property
    def accepted(self) -> bool:
        """Whether a 999 accepts the set."""
        return not self.set_codes


def read_claim_set(transaction: TransactionSet) -> ClaimSet:
    """Read one ST*837 with all its faults."""
    return _Reader(transaction).read()


class _Reader:
    """Walks the segments once; every handler looks at one segment in the light of the loop it stands in."""

    def __init__(self, transaction: TransactionSet) -> None:
        self.transaction = transaction
        self.faults: list[SegmentFault] = []
        self.claims: list[ReceivedClaim] = []
        self.submitter: Segment = ()
        self.reference = ""
        self.names: set[str] = set()
        self.levels: dict[str, str] = {}
        self.hierarchy = 0
        self.loop = ""
        self.position = 0
        self.payee = Payee()
        self.member = Person()
        self.patient: Person | None = None
        self.member_id = ""
        self.claim: ReceivedClaim | None = None
        self.line: ReceivedLine | None = None
        self.dated = False

    def read(self) -> ClaimSet:
        handlers = {
            "BHT": self._bht, "HL": self._hl, "NM1": self._nm1, "REF": self._ref, "CLM": self._clm, "HI": self._hi,
            "LX": self._lx, "SV1": self._sv1, "DTP": self._dtp,
        }  # fmt: skip
        for position, segment in enumerate(self.transaction.segments, 1):
            self.position = position
            if segment[0] not in _KNOWN_SEGMENTS:
                self._fault(segment[0], "1")
                continue
            handler = handlers.get(segment[0])
            if handler is not None:
                handler(segment)
        self._close_claim()
        self._require_names()
        set_codes = self.transaction.trailer_codes() + (["5"] if self.faults else [])
        number = self.transaction.control_number
        return ClaimSet(number, self.reference, self.submitter, self.claims, self.faults, set_codes)

    def _fault(self, segment_id: str, code: str, *elements: ElementFault) -> None:
        self.faults.append(SegmentFault(segment_id, self.position, self.loop, code, elements))

    def _require_names(self) -> None:
        if not self.reference:
            self._fault("BHT", "3")
        for qualifier in ("41", "40", "85", "IL", "PR"):
            if qualifier not in self.names:
                self.loop = _NAME_LOOPS[qualifier]
                self._fault("NM1", "3")
        if not self.claims:
            self.loop = "2300"
            self._fault("CLM", "3")

    def _bht(self, segment: Segment) -> None:
        self.reference = element(segment, 3)
        if element(segment, 1) != "0019":
            self._fault("BHT", "8", ElementFault(1, "1005", "7"))

    def _hl(self, segment: Segment) -> None:
        self._close_claim()
        self.hierarchy += 1
        number, parent, level = element(segment, 1), element(segment, 2), element(segment, 3)
        self.loop = {_BILLING: "2000A", _SUBSCRIBER: "2000B", _PATIENT: "2000C"}.get(level, "")
        if number != str(self.hierarchy):
            self._fault("HL", "8", ElementFault(1, "628", "7"))
        expected_parent = {_BILLING: "", _SUBSCRIBER: _BILLING, _PATIENT: _SUBSCRIBER}.get(level)
        if expected_parent is None:
            self._fault("HL", "8", ElementFault(3, "735", "7"))
        elif parent != self.levels.get(expected_parent, ""):
            self._fault("HL", "8", ElementFault(2, "734", "7"))
        self.levels[level] = number
        if level == _BILLING:
            self.payee, self.member, self.member_id, self.patient = Payee(), Person(), "", None
        elif level == _SUBSCRIBER:
            self.member, self.member_id, self.patient = Person(), "", None

    def _nm1(self, segment: Segment) -> None:
        qualifier = element(segment, 1)
        if self.claim is not None:
            if qualifier == "82" and self.line is None:
                self.claim.rendering_npi = element(segment, 9)
            return
        self.names.add(qualifier)
        self.loop = _NAME_LOOPS.get(qualifier, self.loop)
        if qualifier == "41":
            self.submitter = segment
        elif qualifier == "85":
            self.payee = Payee(element(segment, 9), element(segment, 3))
        elif qualifier == "IL":
            self.member = Person(element(segment, 3), element(segment, 4))
            self.member_id = element(segment, 9)
        elif qualifier == "QC":
            self.patient = Person(element(segment, 3), element(segment, 4))

    def _ref(self, segment: Segment) -> None:
        qualifier, value = element(segment, 1), element(segment, 2)
        if self.line is not None:
            if qualifier == "6R":
                self.line.control_number = value
        elif self.claim is not None:
            if qualifier == "F8":
                self.claim.original_reference = value
            elif qualifier == "D9":
                self.claim.clearinghouse_reference = value
        elif self.loop == "2010AA" and qualifier in {"EI", "SY"}:
            self.payee = replace(self.payee, tax_id=value)

    def _clm(self, segment: Segment) -> None:
        self._close_claim()
        self.loop = "2300"
        charge = parse_cents(element(segment, 2))
        found = []
        if not 1 <= len(element(segment, 1)) <= 38:
            found.append(ElementFault(1, "1028", "5" if element(segment, 1) else "1"))
        if charge is None:
            found.append(ElementFault(2, "782", "6" if element(segment, 2) else "1"))
        location = element(segment, 5)
        if not component(location, 3):
            found.append(ElementFault(5, "1325", "1", 3))
        if found:
            self._fault("CLM", "8", *found)
        self.claim = ReceivedClaim(
            element(segment, 1),
            charge or 0,
            component(location, 1),
            component(location, 3),
            self.payee,
            self.member,
            self.patient or self.member,
            self.member_id,
        )
        self.claims.append(self.claim)

    def _hi(self, segment: Segment) -> None:
        if self.claim is None:
            self._fault("HI", "2")
            return
        codes = [component(part, 2) for part in segment[1:] if component(part, 1) in {"ABK", "ABF"}]
        self.claim.diagnosis_codes += tuple(codes)

    def _lx(self, segment: Segment) -> None:
        if self.claim is None:
            self._fault("LX", "2")
            return
        self._close_line()
        self.loop = "2400"
        self.line, self.dated = ReceivedLine(len(self.claim.lines) + 1), False
        self.claim.lines.append(self.line)
        if element(segment, 1) != str(self.line.number):
            self._fault("LX", "8", ElementFault(1, "554", "7"))

    def _sv1(self, segment: Segment) -> None:
        if self.line is None:
            self._fault("SV1", "2")
            return
        procedure, charge, units = (
            element(segment, 1),
            parse_cents(element(segment, 2)),
            parse_cents(element(segment, 4)),
        )
        found = []
        if component(procedure, 1) != "HC":
            found.append(ElementFault(1, "235", "7", 1))
        if charge is None:
            found.append(ElementFault(2, "782", "6" if element(segment, 2) else "1"))
        if units is None:
            found.append(ElementFault(4, "380", "6" if element(segment, 4) else "1"))
        if found:
            self._fault("SV1", "8", *found)
        parts = procedure.split(":")
        self.line.code = component(procedure, 2)
        self.line.modifiers = tuple(part for part in parts[2:6] if part)
        self.line.charge_cents = charge or 0
        # Part of a unit is no unit: zero is what the front-end edit refuses.
        self.line.units = (units or 0) // 100 if (units or 0) % 100 == 0 else 0
        self.line.pointers = tuple(
            int(part) if part.isdecimal() else 0 for part in element(segment, 7).split(":") if part
        )

    def _dtp(self, segment: Segment) -> None:
        if self.line is None or element(segment, 1) != "472":
            return
        self.dated = True
        # A range names the first day: a professional line counts its filing limit from there.
        first = element(segment, 3).split("-")[0] if element(segment, 2) == "RD8" else element(segment, 3)
        self.line.date_of_service = parse_date(first)
        if self.line.date_of_service is None:
            self._fault("DTP", "8", ElementFault(3, "1251", "8"))

    def _close_line(self) -> None:
        line = self.line
        if line is None:
            return
        if not line.code:
            self._fault("SV1", "3")
        if not self.dated:
            self._fault("DTP", "3")
        self.line = None

    def _close_claim(self) -> None:
        self._close_line()
        if self.claim is not None and not self.claim.lines:
            self._fault("LX", "3")
        self.claim = None
