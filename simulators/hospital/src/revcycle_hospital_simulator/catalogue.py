"""The hospital's world as plain data: its facility, its people, its payers, and why patients come.

Everybody here is invented and looks it. Procedure codes are HCPCS Level II, diagnoses ICD-10-CM codes that are billable
from April to September 2026; no descriptors are kept.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

FACILITY_NPI: Final = "1900000005"
UNKNOWN_FACILITY_NPI: Final = "1999999976"
SELF_PAY: Final = "SELFPAY"
UNKNOWN_PAYER: Final = "NOSUCHPAYER"


@dataclass(frozen=True, slots=True)
class Facility:
    """A facility as it bills; tax id and ZIP code with nine digits."""

    npi: str
    name: str
    tax_id: str
    taxonomy: str
    line1: str
    city: str
    state: str
    postal_code: str
    time_zone: str


FACILITY: Final = Facility(
    FACILITY_NPI,
    "Revcycle Demonstration Hospital",
    "990000001",
    "261QP2300X",
    "1 Example Street",
    "Sampleton",
    "OR",
    "973010001",
    "America/Los_Angeles",
)

PAYER_NAMES: Final = {
    "REVPAY1": "Revpay One Health",
    "REVPAY2": "Revpay Two Mutual",
    "REVPAY3": "Revpay Three Plan",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A person who sees patients."""

    npi: str
    last_name: str
    first_name: str
    taxonomy: str


PROVIDERS: Final = (
    Provider("1000000012", "Testdoctor-One", "Avery", "207Q00000X"),
    Provider("1000000020", "Testdoctor-Two", "Blake", "207R00000X"),
    Provider("1000000038", "Testdoctor-Three", "Casey", "207X00000X"),
    Provider("1000000046", "Testdoctor-Four", "Devon", "208000000X"),
    Provider("1000000053", "Testdoctor-Five", "Ellis", "363LF0000X"),
)

FIRST_NAMES: Final = (
    *("Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett", "Kilo", "Lima"),
    *("Mike", "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango", "Uniform", "Victor", "Whiskey"),
)

# Places of service and how many of ten visits happen there.
PLACES: Final = ("11", "11", "11", "11", "11", "11", "22", "22", "20", "49")


@dataclass(frozen=True, slots=True)
class Extra:
    """A service that may come on top of the visit; ``modifier``: the side it is for."""

    code: str
    units_max: int = 1
    modifier: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a patient comes. ``told`` is how the note begins; ``findings`` are lists of diagnoses that go together, most
    important first; ``extras`` is what may be done; ``sex``: of those who come for it (None: of either)."""

    told: str
    findings: tuple[tuple[str, ...], ...]
    extras: tuple[Extra, ...]
    sex: str | None = None


VISIT_CODES: Final = ("G0463", "T1015")

REASONS: Final = (
    Reason(
        "Blood pressure check.",
        (("I10", "E78.5"), ("I25.10", "I10", "E78.00"), ("I48.91", "I10")),
        (Extra("G0446"), Extra("G2211")),
    ),
    Reason(
        "Diabetes follow-up.",
        (("E11.9", "I10", "E78.5"), ("E11.65", "I10"), ("E11.42", "E78.5")),
        (Extra("G0108", 2), Extra("G0109", 4), Extra("G0270", 2)),
    ),
    Reason(
        "Pain in the right knee.",
        (("M17.11",), ("M25.561",)),
        (Extra("L1830", 1, "RT"), Extra("J3301", 4), Extra("J1010", 40)),
    ),
    Reason(
        "Pain in the left knee.",
        (("M17.12",), ("M25.562",)),
        (Extra("L1830", 1, "LT"), Extra("J3301", 4), Extra("J1010", 40)),
    ),
    Reason(
        "Back pain.",
        (("M54.50",), ("M54.2",), ("M54.16", "M54.2")),
        (Extra("J1885", 2), Extra("J1100", 8), Extra("J3301", 4)),
    ),
    Reason(
        "Cough and sore throat.",
        (("J06.9",), ("J20.9",), ("J45.909",), ("J44.9",), ("J02.9", "J30.9"), ("J01.90",), ("R05.9",)),
        (Extra("J0696", 4), Extra("J1100", 8)),
    ),
    Reason("Weight counselling.", (("E66.9", "Z68.35"), ("E66.811", "Z68.31")), (Extra("G0447", 2), Extra("G0446"))),
    Reason("Low mood.", (("F41.1", "G47.33"), ("F41.9",), ("F32.A",), ("F33.1",)), (Extra("G0444"), Extra("G2211"))),
    Reason(
        "Yearly wellness visit.",
        (("Z00.00", "Z23", "Z13.31"), ("Z00.00", "Z12.11", "Z13.39"), ("Z00.00", "E55.9")),
        (Extra("G0439"), Extra("G0008"), Extra("G0009"), Extra("G0442"), Extra("G0444")),
    ),
    Reason(
        "Screening for breast and cervical cancer.",
        (("Z01.419", "Z12.31"), ("Z12.31",)),
        (Extra("G0101"), Extra("Q0091")),
        sex="F",
    ),
    Reason("Screening for prostate cancer.", (("Z12.5",),), (Extra("G0102"), Extra("G0103")), sex="M"),
    Reason(
        "Tiredness.",
        (("D50.9",), ("D51.0", "E53.8"), ("R53.83",), ("E03.9", "E55.9")),
        (Extra("J3420"), Extra("G2211")),
    ),
    Reason(
        "Injury of the right ankle.",
        (("S93.401A",), ("S82.61XA",)),
        (Extra("L1902", 1, "RT"), Extra("E0114"), Extra("J1885", 2)),
    ),
    Reason("Numb right hand.", (("G56.01",), ("S63.501A",)), (Extra("L3908", 1, "RT"), Extra("A4565"))),
    Reason("Numb left hand.", (("G56.02",),), (Extra("L3908", 1, "LT"), Extra("A4565"))),
    Reason("Stomach ache.", (("K21.9",), ("K59.00",), ("R10.13",)), (Extra("G2211"), Extra("Q3014"))),
    Reason(
        "Skin rash.", (("L20.9",), ("L30.9",), ("L03.115",), ("B35.1", "L60.0")), (Extra("J0696", 4), Extra("A4550"))
    ),
    Reason("Burning on urination.", (("N39.0",), ("R30.0",)), (Extra("J0696", 4), Extra("G2211"))),
    Reason("Headache.", (("G43.909",), ("R51.9",)), (Extra("J1885", 4), Extra("J1100", 8))),
    Reason("Allergic reaction.", (("T78.40XA", "J30.9"), ("J30.9",)), (Extra("J0171", 3), Extra("J1100", 8))),
    Reason("Foot pain.", (("M79.671",), ("M72.2",), ("M10.9",)), (Extra("J3301", 4), Extra("G2211"))),
)

# Diagnoses that a coder must not let through: nobody assigns them, and headers with finer codes below them.
NO_SUCH_DIAGNOSES: Final = ("Z99.999", "Q00.99", "E99.1")
HEADER_DIAGNOSES: Final = ("E11", "M54.5", "M17.1", "J45", "E66")
ENDED_PROCEDURES: Final = ("J1030", "G0436")

# Known to coders, unknown to the three payers: first day in force and our price in cents for a unit.
UNKNOWN_TO_PAYERS: Final = {
    "A4570": (date(1982, 1, 1), 2600),
    "A6402": (date(1997, 1, 1), 90),
    "G0466": (date(2014, 10, 1), 24100),
    "G0467": (date(2014, 10, 1), 18300),
    "G0468": (date(2014, 10, 1), 24600),
    "J0561": (date(2011, 1, 1), 2050),
    "J7613": (date(2005, 1, 1), 45),
    "J7620": (date(2006, 1, 1), 60),
    "Q0111": (date(1994, 1, 1), 1150),
    "Q0112": (date(1994, 1, 1), 1200),
    "T1002": (date(2001, 7, 1), 2200),
    "T1013": (date(2001, 7, 1), 2750),
}

# The one code whose price begins late: a visit before that day has no price and is held.
LATE_PRICED_CODE: Final = "T1016"
LATE_PRICED_FROM: Final = date(2026, 9, 15)
LATE_PRICED_CENTS: Final = 3900
