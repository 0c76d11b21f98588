"""What the 837 rules remember of the claim they are in."""

from datetime import date

from revcycle_edi.x12.validation.context import Mark, Place
from revcycle_edi.x12.validation.judged import FACILITIES, cents


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

    __slots__ = (
        "accident",
        "admission",
        "born",
        "charge",
        "diagnoses",
        "discharge",
        "e",
        "f8",
        "facility",
        "first_served",
        "frequency",
        "hi",
        "icd9",
        "line_charge",
        "line_charges",
        "line_numbers",
        "listed",
        "others",
        "patient_status",
        "place",
        "procedures",
        "ranks",
        "responsibility",
        "service_dates",
        "statement",
    )

    def __init__(self, place: Place, e: list[str]) -> None:
        self.place = place
        self.e = e
        self.charge = cents(e[2])
        self.facility, self.frequency = FACILITIES[e[5]]
        self.line_charges = 0
        self.diagnoses: list[str] = []
        self.hi: list[tuple[tuple[tuple[str, str], ...], Mark]] = []
        self.icd9 = False
        self.f8 = False
        self.accident = self.admission = False
        self.line_numbers: set[str] = set()
        self.service_dates: list[tuple[date, Mark]] = []
        self.first_served: tuple[date, Mark] | None = None
        self.procedures: list[tuple[str, Mark]] = []
        self.others: list[OtherPayerState] = []
        self.line_charge = 0
        self.statement: tuple[date, date] | None = None
        self.responsibility = "P"
        self.ranks: set[str] = set()
        self.listed: set[tuple[str, str]] = set()
        self.born: date | None = None
        self.discharge = False
        self.patient_status = ""
