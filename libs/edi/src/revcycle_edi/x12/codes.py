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
