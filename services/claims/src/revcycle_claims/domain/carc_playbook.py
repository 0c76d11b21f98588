"""What an adjustment reason means for money and for work: class, remedy, and whether an appeal exists.

A table of data. The numbers are those of the X12 claim adjustment reason code list; classes and remedies are this
project's own wording of the playbook in its domain rules (section 2.6). No public source ranks or rules them, so a
tenant's contract may say otherwise: change the row, not the code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class AdjustmentClass(StrEnum):
    """Where an adjustment's money goes."""

    PATIENT = "patient"
    CONTRACTUAL = "contractual"
    OTHER = "other"
    DENIAL = "denial"


@dataclass(frozen=True, slots=True)
class Play:
    """One row: the class of a CARC under a group code other than PR, what to do, and whether it can be appealed."""

    adjustment_class: AdjustmentClass
    remedy: str
    appealable: bool = False


def _rows(carcs: str, adjustment_class: AdjustmentClass, remedy: str, *, appealable: bool = False) -> dict[str, Play]:
    return dict.fromkeys(carcs.split(), Play(adjustment_class, remedy, appealable))


_CONTRACTUAL, _OTHER, _DENIAL = AdjustmentClass.CONTRACTUAL, AdjustmentClass.OTHER, AdjustmentClass.DENIAL

PLAYBOOK: Final[dict[str, Play]] = {
    **_rows("45", _CONTRACTUAL, "write off; compare with the contract's rate"),
    **_rows("131", _CONTRACTUAL, "write off: a discount negotiated with this payer"),
    **_rows("253", _CONTRACTUAL, "write off: federal sequestration"),
    **_rows("24", _CONTRACTUAL, "close against the capitation account"),
    **_rows("23", _OTHER, "arithmetic of the prior payer; nothing to do"),
    **_rows("136 275", _OTHER, "follows the prior payer's rules; nothing to do"),
    **_rows("94", _OTHER, "check for a credit balance"),
    **_rows("104 105 144 161", _OTHER, "withholding or incentive; reconcile with the payer's statement"),
    **_rows("1 2 3", _DENIAL, "a patient share under a group code other than PR: ask the payer which group is meant"),
    **_rows("4 182", _DENIAL, "correct the modifier and send a replacement"),
    **_rows("5 58", _DENIAL, "correct the place of service and send a replacement"),
    **_rows("6 7 9 10", _DENIAL, "correct age, sex or the code that conflicts with them and send a replacement"),
    **_rows("8 170 171 172 185 B7", _DENIAL, "have the provider's enrolment and specialty put right", appealable=True),
    **_rows("11 146 167", _DENIAL, "coding review of diagnosis against procedure, then a replacement", appealable=True),
    **_rows("16 125", _DENIAL, "read the remark code, supply what is lacking and send a replacement"),
    **_rows("18 B13", _DENIAL, "find the original; close this one, or show by modifier that the service was repeated"),
    **_rows("19 20 21", _DENIAL, "bill the workers' compensation, liability or no-fault carrier"),
    **_rows("22", _DENIAL, "get the primary payer's advice and bill in the right order"),
    **_rows("26 27 31 32 33 177 200", _DENIAL, "verify eligibility on the date; find the coverage, else self-pay"),
    **_rows("29 286", _DENIAL, "send proof of timely filing", appealable=True),
    **_rows("39 197 198 210 284", _DENIAL, "ask for a retroactive authorisation or appeal", appealable=True),
    **_rows("49 96 204", _DENIAL, "check the benefit; the patient pays only after a signed notice", appealable=True),
    **_rows("50 55 56", _DENIAL, "clinical appeal that cites the coverage policy", appealable=True),
    **_rows("59 97 231 234 236", _DENIAL, "check the bundling edit; a replacement only with documentation"),
    **_rows("109", _DENIAL, "bill the payer that covers the patient"),
    **_rows("119 149 151 222 272", _DENIAL, "maximum reached: appeal with necessity, else patient", appealable=True),
    **_rows("150 152 186", _DENIAL, "review the level, then appeal with the records", appealable=True),
    **_rows("163 164 226 250 251 252", _DENIAL, "send the documentation asked for"),
    **_rows("227", _DENIAL, "ask the patient for what the payer wants to know"),
    **_rows("165 287 288", _DENIAL, "obtain the referral and send a replacement", appealable=True),
    **_rows("181 A8", _DENIAL, "recode with a procedure valid on the date of service and send a replacement"),
    **_rows("199 282", _DENIAL, "make revenue code and procedure agree and send a replacement"),
    **_rows("206 207 208", _DENIAL, "correct the NPI and send a replacement"),
    **_rows("242", _DENIAL, "check surprise-billing protection and the network contract", appealable=True),
    **_rows("100", _DENIAL, "the payer paid the patient: bill the patient in full"),
    **_rows("B20", _DENIAL, "find out which provider was paid"),
    **_rows("A1", _DENIAL, "read the remark code; it says what was denied", appealable=True),
}
"""CARC to play. What is not listed is a denial: money is never written off for a reason nobody has classed."""

_UNLISTED: Final = Play(AdjustmentClass.DENIAL, "look up the reason code and decide; add it to the playbook")
NEW_CLAIM_REMARK: Final = "MA130"
"""Remark code of a claim returned as unprocessable: no appeal right, the remedy is a new claim."""

REMEDY_NEW_CLAIM: Final = "correct and send a NEW claim (frequency 1); no appeal right, the filing clock runs on"
REMEDY_REJECTED: Final = "correct what the payer names and send a NEW claim (frequency 1); the filing clock runs on"


def play_of(carc: str) -> Play:
    """The playbook row of a CARC."""
    return PLAYBOOK.get(carc, _UNLISTED)


def classify(group: str, carc: str) -> AdjustmentClass:
    """Where the money of one CAS entry goes: PR is the patient's, else the CARC decides."""
    if group == "PR":
        return AdjustmentClass.PATIENT
    return play_of(carc).adjustment_class


def remedy_of(carcs: Iterable[str], rarcs: Iterable[str]) -> str:
    """What to do about denied lines; MA130 overrides every row."""
    if NEW_CLAIM_REMARK in set(rarcs):
        return REMEDY_NEW_CLAIM
    return "; ".join(dict.fromkeys(play_of(carc).remedy for carc in sorted(set(carcs))))
