"""What the three payers know and pay: procedure codes with their intervals, fees, limits and policies.

Plain data, invented for the simulator except the HCPCS Level II codes and the dates on which they began and ended,
which are public facts. Money is integer cents per unit. No descriptors are kept: nothing here decides by wording.
"""

from dataclasses import dataclass
from datetime import date

PAYER_IDS: tuple[str, ...] = ("REVPAY1", "REVPAY2", "REVPAY3")


@dataclass(frozen=True, slots=True)
class Procedure:
    """One HCPCS Level II code: first and last day in force (None: still in force) and the base fee per unit."""

    begins: date
    ends: date | None
    base_fee_cents: int


def _live(begins: str, base_fee_cents: int) -> Procedure:
    return Procedure(date.fromisoformat(begins), None, base_fee_cents)


def _ended(begins: str, ends: str, base_fee_cents: int) -> Procedure:
    return Procedure(date.fromisoformat(begins), date.fromisoformat(ends), base_fee_cents)


PROCEDURES: dict[str, Procedure] = {
    "A4550": _live("1982-01-01", 2150),
    "A4565": _live("1983-01-01", 980),
    "A6448": _live("2004-01-01", 210),
    "A9150": _live("1986-01-01", 640),
    "E0100": _live("1986-01-01", 2240),
    "E0114": _live("1986-01-01", 4475),
    "E0570": _live("1986-01-01", 11850),
    "G0008": _live("1994-01-01", 3120),
    "G0009": _live("1994-01-01", 3120),
    "G0010": _live("1994-01-01", 3120),
    "G0101": _live("1998-01-01", 4215),
    "G0102": _live("2000-01-01", 2290),
    "G0103": _live("2000-01-01", 1875),
    "G0108": _live("1998-07-01", 5640),
    "G0109": _live("1998-07-01", 1580),
    "G0127": _live("1998-01-01", 2430),
    "G0270": _live("2003-01-01", 3265),
    "G0296": _live("2015-02-05", 2895),
    "G0328": _live("2004-01-01", 1790),
    "G0378": _live("2006-01-01", 6100),
    "G0402": _live("2009-01-01", 16725),
    "G0431": _ended("2010-01-01", "2015-12-31", 9950),
    "G0434": _ended("2011-01-01", "2015-12-31", 1980),
    "G0436": _ended("2011-01-01", "2016-09-30", 1480),
    "G0437": _ended("2011-01-01", "2016-09-30", 2860),
    "G0438": _live("2011-01-01", 16890),
    "G0439": _live("2011-01-01", 13240),
    "G0442": _live("2011-10-14", 1835),
    "G0443": _live("2011-10-14", 2575),
    "G0444": _live("2011-10-14", 1835),
    "G0445": _live("2011-11-08", 2745),
    "G0446": _live("2011-11-08", 2610),
    "G0447": _live("2011-11-29", 2610),
    "G0463": _live("2014-01-01", 12165),
    "G0477": _ended("2016-01-01", "2016-12-31", 1490),
    "G0480": _live("2016-01-01", 11445),
    "G0506": _live("2017-01-01", 6085),
    "G2010": _live("2019-01-01", 1240),
    "G2012": _live("2019-01-01", 1455),
    "G2211": _live("2021-01-01", 1610),
    "G2212": _live("2021-01-01", 3215),
    "G9012": _live("2001-10-01", 4900),
    "H0031": _live("2003-01-01", 12350),
    "H0049": _live("2007-01-01", 2410),
    "H0050": _live("2007-01-01", 3460),
    "J0171": _live("2011-01-01", 85),
    "J0696": _live("1990-01-01", 72),
    "J0702": _live("1995-01-01", 615),
    "J1010": _live("2024-04-01", 14),
    "J1020": _ended("1982-01-01", "2024-03-31", 365),
    "J1030": _ended("1982-01-01", "2024-03-31", 720),
    "J1040": _ended("1982-01-01", "2024-03-31", 1130),
    "J1100": _live("1982-01-01", 13),
    "J1885": _live("1993-01-01", 58),
    "J2405": _live("1993-01-01", 11),
    "J3301": _live("1991-01-01", 187),
    "J3420": _live("1986-01-01", 236),
    "J7030": _live("1982-01-01", 245),
    "L1820": _live("1986-01-01", 14320),
    "L1830": _live("1986-01-01", 9875),
    "L1902": _live("1988-01-01", 8240),
    "L3908": _live("1986-01-01", 6115),
    "L4360": _live("1989-01-01", 27890),
    "P3000": _live("1992-01-01", 1685),
    "Q0091": _live("1992-01-01", 4580),
    "Q3014": _live("2001-10-01", 2985),
    "Q4021": _live("2001-07-01", 640),
    "S0020": _ended("2000-01-01", "2023-06-30", 410),
    "S0610": _live("2000-01-01", 11200),
    "S8451": _live("2002-01-01", 3350),
    "S9083": _live("2002-01-01", 17500),
    "T1015": _live("2002-01-01", 18640),
}

FACILITY_PLACES: frozenset[str] = frozenset({"19", "21", "22", "23", "24"})

VISIT_CODES: frozenset[str] = frozenset({"G0402", "G0438", "G0439", "G0463", "H0031", "S0610", "S9083", "T1015"})


@dataclass(frozen=True, slots=True)
class Plan:
    """One payer's manner of paying. Percentages are whole numbers, limits are days, money is cents."""

    name: str
    tax_id: str
    fee_percent: int
    facility_percent: int
    coinsurance_percent: int
    copay_cents: int
    filing_limit_days: int
    not_covered: frozenset[str]
    not_covered_carc: str
    necessity: frozenset[str]
    unprocessable_remark: bool


_ALL_POLICIES = frozenset(
    {
        "E0570", "G0108", "G0109", "G0127", "G0442", "G0444", "G0446", "G0447", "J0702", "J1010", "J3301", "J3420",
        "L1820", "L1830", "L3908",
    }
)  # fmt: skip

PLANS: dict[str, Plan] = {
    "REVPAY1": Plan(
        "REVPAY ONE HEALTH", "990000011", 100, 100, 20, 0, 90, frozenset({"A4550", "A9150"}), "96",
        _ALL_POLICIES, True,
    ),
    "REVPAY2": Plan(
        "REVPAY TWO MUTUAL", "990000022", 115, 85, 10, 0, 100, frozenset({"S9083", "H0049", "A9150"}), "96",
        _ALL_POLICIES - {"G0442", "G0444", "J3420"}, False,
    ),
    "REVPAY3": Plan(
        "REVPAY THREE PLAN", "990000033", 92, 92, 0, 2500, 120, frozenset({"G0447", "E0100", "A9150"}), "204",
        _ALL_POLICIES - {"G0127", "G0446"}, False,
    ),
}  # fmt: skip

_JOINT_KNEE = ("M17", "M22", "M23", "M25", "S7", "S8")
_MUSCULOSKELETAL = ("G5", "L", "M", "S")
_DIABETES = ("E08", "E09", "E10", "E11", "E13", "O24")

# Medical necessity: the line is payable only with a diagnosis that begins with one of these.
NEEDS_DIAGNOSIS: dict[str, tuple[str, ...]] = {
    "E0570": ("J",),
    "G0108": _DIABETES,
    "G0109": _DIABETES,
    "G0127": ("B35", "E", "I", "L", "M"),
    "G0446": ("E", "I", "Z"),
    "G0447": ("E66", "Z68"),
    "J0702": _MUSCULOSKELETAL,
    "J1010": _MUSCULOSKELETAL,
    "J3301": _MUSCULOSKELETAL,
    "J3420": ("D5", "E53", "K9"),
    "L1820": _JOINT_KNEE,
    "L1830": _JOINT_KNEE,
    "L3908": ("G56", "M", "S6"),
}

# A screening is not necessary where the condition is known already.
REFUSES_DIAGNOSIS: dict[str, tuple[str, ...]] = {
    "G0442": ("F10",),
    "G0444": ("F31", "F32", "F33"),
}
