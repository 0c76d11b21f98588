"""Rules about the code lists (HI) of a claim, one code at a time."""

from revcycle_edi.x12.validation.claim_checks import ICD9_LISTS
from revcycle_edi.x12.validation.claim_state import ClaimState
from revcycle_edi.x12.validation.context import Collector
from revcycle_edi.x12.validation.judged import is_icd10

_ONCE = {"BG": "A7:460", "BH": "A7:461", "BI": "A7:462", "BE": "A7:463"}
"""Lists in which a code stands once, with the status that answers a repeated one."""
_ICD10_LISTS = frozenset(("ABK", "ABF", "ABJ", "APR", "ABN"))


class CodeListRules:
    """The rules over an HI that has a fault or is not the only one with diagnoses. kind is P, I or D."""

    def __init__(self, kind: str, out: Collector) -> None:
        self._kind = kind
        self._out = out

    def _reject(self, rule: str, message: str, code: str, expected: str, *, element: str = "") -> None:
        self._out.add(rule, message, answer="277ca", codes=(code,), expected=expected, element=element)

    def check(self, claim: ClaimState, e: list[str]) -> None:
        """Look at every code."""
        for index in range(1, 13):
            if not e[index]:
                continue
            qualifier, code = [*e[index].split(":"), ""][:2]
            claim.icd9 = claim.icd9 or qualifier in ICD9_LISTS
            if (qualifier, code) in claim.listed and qualifier in _ONCE:
                self._reject(
                    "837I.hi.duplicate",
                    "a code of this kind is sent twice",
                    _ONCE[qualifier],
                    "each code once",
                    element=f"{index:02d}-2",
                )
            claim.listed.add((qualifier, code))
            if qualifier in ("ABK", "ABF", "BK", "BF"):
                if code in claim.diagnoses:
                    self._reject(
                        "837.dx.duplicate",
                        "the diagnosis is sent twice",
                        "A7:255",
                        "each diagnosis once",
                        element=f"{index:02d}",
                    )
                claim.diagnoses.append(code)
            if qualifier in _ICD10_LISTS and not is_icd10(code):
                self._reject(
                    "837.dx.format",
                    "not the form of an ICD-10-CM code",
                    "A7:255",
                    "letter, digit, up to five more, no point",
                    element=f"{index:02d}-2",
                )
        if len(claim.diagnoses) > 12 and self._kind == "P":
            self._reject("837.dx.many", "more than twelve diagnoses", "A7:255", "at most twelve")
