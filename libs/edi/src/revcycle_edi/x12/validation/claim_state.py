"""What the 837 rules remember of the claim they are in, and the values they compare."""

from datetime import date

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.validation.context import Place
from revcycle_edi.x12.values import parse_cents, parse_date


def cents(text: str) -> int:
    """An amount for arithmetic: 0 when it cannot be read (the guide layer has reported it)."""
    try:
        return parse_cents(text)
    except X12Error:
        return 0


def day(text: str) -> date | None:
    """A date for comparison: None when it cannot be read."""
    try:
        return parse_date(text[:8])
    except X12Error:
        return None


class OtherPayerState:
    """Another payer of the claim (2320) and what it decided."""

    def __init__(self) -> None:
        self.payer_id = ""
        self.paid: int | None = None
        self.adjusted = 0
        self.line_paid = 0
        self.decided_lines = False
        self.claim_date = False
        self.line_date = False


class ClaimState:
    """What is known of the claim being read."""

    def __init__(self, place: Place, e: list[str]) -> None:
        self.place = place
        self.e = e
        self.charge = cents(e[2])
        facility = [*e[5].split(":"), "", "", ""]
        self.facility, self.frequency = facility[0], facility[2]
        self.line_charges = 0
        self.diagnoses: list[str] = []
        self.hi: list[tuple[str, str, Place]] = []
        self.f8 = False
        self.accident = self.admission = False
        self.pointers: list[tuple[str, Place]] = []
        self.line_numbers: set[str] = set()
        self.service_dates: list[tuple[date, Place]] = []
        self.procedures: list[tuple[str, Place]] = []
        self.others: list[OtherPayerState] = []
        self.lines = 0
        self.line_charge = 0
        self.statement: tuple[date, date] | None = None
        self.rendering = ""
        self.responsibility = "P"
