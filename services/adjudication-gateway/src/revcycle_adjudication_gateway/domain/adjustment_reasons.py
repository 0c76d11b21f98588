"""What a claim adjustment says, as data: who bears the amount, and whether it is a denial.

Only reason codes that are *not* denials stand here; every other code with an amount is a denial, so a code nobody
knows yet becomes work for a person instead of a silent write-off. Descriptions of the codes are not ours to keep.
"""

from enum import StrEnum


class Bearing(StrEnum):
    """What an adjustment means for the claim."""

    PATIENT_SHARE = "patient_share"
    CONTRACTUAL = "contractual"
    OTHER_PAYER = "other_payer"
    DENIAL = "denial"


PATIENT_SHARE_CARCS = frozenset({"1", "2", "3", "66", "142", "241", "247", "248"})
"""Deductible, coinsurance, copayment and their kin: a patient's share, when the group is PR."""

CONTRACTUAL_CARCS = frozenset(
    {"24", "44", "45", "85", "94", "100", "101", "102", "103", "104", "105", "118", "130", "131", "132", "137"}
    | {"139", "143", "144", "161", "187", "205", "209", "215", "223", "225", "237", "253"}
)
"""Contract, law, withholding and arithmetic: nothing to appeal, nothing to correct."""

OTHER_PAYER_CARCS = frozenset({"23", "136", "275"})
"""What another payer's decision took away: coordination of benefits, not a denial."""

UNPROCESSABLE_REMARKS = frozenset({"MA130"})
"""The claim could not be processed: no appeal rights, a new claim is the remedy."""


def bearing_of(group: str, carc: str) -> Bearing:
    """What group and reason code say together; PR with any other code is a denial that the patient bears."""
    if carc in PATIENT_SHARE_CARCS:
        return Bearing.PATIENT_SHARE if group == "PR" else Bearing.CONTRACTUAL
    if carc in OTHER_PAYER_CARCS:
        return Bearing.OTHER_PAYER
    if carc in CONTRACTUAL_CARCS:
        return Bearing.CONTRACTUAL
    return Bearing.DENIAL
