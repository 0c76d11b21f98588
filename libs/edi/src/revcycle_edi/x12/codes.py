"""Code lists that X12 rules need: which claim adjustment reason codes (CARC) exist. Codes only, no descriptions."""

_UNUSED_CARC = frozenset(
    (
        41,
        42,
        43,
        46,
        47,
        48,
        52,
        57,
        62,
        63,
        64,
        65,
        67,
        68,
        71,
        72,
        73,
        77,
        79,
        80,
        81,
        82,
        83,
        84,
        86,
        88,
        92,
        93,
        98,
        99,
        113,
        120,
        123,
        124,
        126,
        127,
        141,
        145,
        156,
    )
)
_LETTERED = (
    [f"A{n}" for n in (0, 1, 2, 3, 4, 5, 6, 7, 8)]
    + [f"B{n}" for n in range(1, 24)]
    + [f"P{n}" for n in range(1, 33)]
    + [f"W{n}" for n in range(1, 10)]
    + [f"Y{n}" for n in range(1, 4)]
    + [f"D{n}" for n in range(1, 24)]
)
CARCS = frozenset([str(n) for n in range(1, 308)] + _LETTERED)
"""Claim adjustment reason codes that exist or existed (X12 external list 139), retired ones included."""

RETIRED_CARCS = frozenset(str(n) for n in _UNUSED_CARC) | frozenset(f"D{n}" for n in range(1, 24))
"""Codes that payers may no longer send: a warning, never a rejection, because old claims are still corrected."""

_CATEGORIES = (
    "A0 A1 A2 A3 A4 A5 A6 A7 A8 P0 P1 P2 P3 P4 P5 R0 R1 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14 R15 R16 R17 "
    "F0 F1 F2 F3 F3F F3N F4 RQ E0 E1 E2 E3 E4 D0"
)
CLAIM_STATUS_CATEGORIES = frozenset(_CATEGORIES.split())
"""Claim status category codes (X12 external list 507)."""

FACILITY_TYPES = frozenset(
    f"{n:02d}" for n in (*range(1, 28), *range(31, 35), 41, 42, *range(49, 63), 65, 66, 71, 72, 81, 99)
)
"""Place of service codes (CMS)."""

_STATES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR "
    "PA RI SC SD TN TX UT VT VA WA WV WI WY AS FM GU MH MP PR PW VI AA AE AP AB BC MB NB NL NS NT NU ON PE QC SK YT"
)
STATES = frozenset(_STATES.split())
"""States, territories, military posts and Canadian provinces (N402 in the United States and Canada)."""

PATIENT_STATUSES = frozenset(
    f"{n:02d}" for n in (*range(1, 10), 20, 21, 30, *range(40, 44), 50, 51, *range(61, 67), 69, 70, *range(81, 96))
)
"""Patient discharge statuses of institutional claims (CL103)."""

ADMISSION_TYPES = frozenset("123459")
"""Priorities of admission (CL101)."""

ADMISSION_SOURCES = frozenset("12456789DEFG")
"""Points of origin (CL102), newborn codes included."""
