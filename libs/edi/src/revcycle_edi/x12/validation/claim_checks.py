"""The 837 rules that can be judged only when the whole claim has been seen: money, situations, code sets by date."""

from datetime import date

from revcycle_edi.x12.validation.claim_state import ClaimState
from revcycle_edi.x12.validation.context import Collector, Place

_INPATIENT = frozenset(("11", "18", "21"))
"""Facility types whose claims are inpatient: hospital, swing beds, skilled nursing."""
_ICD10_FROM = date(2015, 10, 1)
_ICD10_LISTS = frozenset(("ABK", "ABF", "ABJ", "APR", "ABN"))
ICD9_LISTS = frozenset(("BK", "BF", "BJ", "PR", "BN"))


class ClaimChecks:
    """Checks run at the end of a claim. kind is P, I or D."""

    def __init__(self, kind: str, out: Collector) -> None:
        self._kind = kind
        self._out = out

    def check(self, claim: ClaimState) -> None:
        """Run every check on a claim."""
        self._claim_money(claim)
        self._claim_situations(claim)
        if self._kind == "I":
            self._institutional(claim)
        self._claim_codes(claim)

    def _reject(self, rule: str, message: str, code: str, expected: str, *, element: str = "", at: Place) -> None:
        self._out.add(rule, message, answer="277ca", codes=(code,), expected=expected, element=element, at=at)

    def _claim_money(self, claim: ClaimState) -> None:
        difference = claim.charge - claim.line_charges
        if difference:
            self._reject(
                "837.clm02.balance",
                f"the claim charge is not the sum of its lines: {difference} cents apart",
                "A7:400",
                "CLM02 = sum of the line charges",
                element="02",
                at=claim.place,
            )
        for payer in claim.others:
            if payer.decided_lines and payer.paid is not None and payer.paid != payer.line_paid - payer.adjusted:
                self._reject(
                    "837.cob.claim",
                    "what the other payer paid is not the sum of its lines less its claim adjustments",
                    "A7:672",
                    "AMT*D = sum of SVD02 - CAS of 2320",
                    at=claim.place,
                )
            if payer.claim_date and payer.line_date:
                self._reject(
                    "837.cob.dates",
                    "the decision date stands at the claim and at a line",
                    "A7:732",
                    "DTP*573 at claim or line level, never both",
                    at=claim.place,
                )

    def _claim_situations(self, claim: ClaimState) -> None:
        at = claim.place
        if claim.frequency in ("7", "8") and not claim.f8:
            self._reject(
                "837.f8",
                "a replacement or void names no original claim",
                "A6:464",
                "REF*F8 when CLM05-3 is 7 or 8",
                at=at,
            )
        if claim.frequency == "1" and claim.f8:
            self._reject(
                "837.f8.original",
                "an original claim names an earlier one",
                "A7:535",
                "no REF*F8 when CLM05-3 is 1",
                at=at,
            )
        if claim.responsibility != "P" and not claim.others:
            self._reject(
                "837.secondary",
                "a secondary claim does not say who paid before",
                "A6:171",
                "a 2320 loop with 2330A and 2330B when SBR01 is not P",
                at=at,
            )
        if claim.e[11] and self._kind != "I" and not claim.accident:
            self._reject("837.accident.date", "an accident has no date", "A6:732", "DTP*439 when CLM11 is sent", at=at)
        if claim.facility in ("21", "51", "61") and self._kind == "P" and not claim.admission:
            self._out.add(
                "837.admission",
                "an inpatient place of service has no admission date",
                answer="internal",
                severity="warning",
                expected="DTP*435",
                at=at,
            )
        first = claim.first_served
        if first is not None and claim.born is not None and first[0] < claim.born:
            self._reject(
                "837.birth.service",
                "the patient was born after the service",
                "A8:158:QC",
                "a date of service from the date of birth on",
                at=at.at(first[1]),
            )
        if claim.statement is not None:
            for served, mark in claim.service_dates:
                if not claim.statement[0] <= served <= claim.statement[1]:
                    self._reject(
                        "837I.statement",
                        "a line lies outside the statement period",
                        "A7:188",
                        "dates within DTP*434",
                        at=at.at(mark),
                    )

    def _institutional(self, claim: ClaimState) -> None:
        at = claim.place
        if claim.frequency == "1" and claim.patient_status == "30":
            self._reject(
                "837I.status.original",
                "a claim from admission to discharge says that the patient stays",
                "A8:234",
                "frequency 2 or 3, or the status at discharge",
                at=at,
            )
        if claim.frequency in ("2", "3") and claim.discharge:
            self._reject(
                "837I.interim.discharge", "an interim claim has a discharge hour", "A8:233", "no DTP*096", at=at
            )
        if claim.facility not in _INPATIENT:
            return
        if not claim.admission:
            self._reject("837I.admission.date", "an inpatient claim has no admission date", "A6:189", "DTP*435", at=at)
        if all(qualifier not in ("ABJ", "BJ") for codes, _ in claim.hi for qualifier, _ in codes):
            self._reject("837I.admitting", "an inpatient claim has no admitting diagnosis", "A6:232", "HI*ABJ", at=at)

    def _claim_codes(self, claim: ClaimState) -> None:
        if self._out.context.code_check is None and not claim.icd9:
            return
        served = claim.first_served[0] if claim.first_served is not None else None
        if served is None and claim.statement is not None:
            served = claim.statement[1]
        if served is None:
            return
        for qualifier, code, mark in [(*pair, mark) for codes, mark in claim.hi for pair in codes]:
            place = claim.place.at(mark)
            if qualifier in ICD9_LISTS and served >= _ICD10_FROM:
                self._reject(
                    "837.icd9",
                    "an ICD-9 diagnosis for a service after 2015-09-30",
                    "A7:255",
                    "ICD-10: ABK, ABF, ...",
                    at=place,
                )
            elif qualifier in _ICD10_LISTS and not self._known("ICD10", code, served):
                self._reject(
                    "837.dx.code",
                    "the diagnosis is not valid on the date of service",
                    "A7:255",
                    "a valid code",
                    at=place,
                )
        for code, mark in claim.procedures:
            if not self._known("HCPCS", code, served):
                self._reject(
                    "837.procedure.code",
                    "the procedure is not valid on the date of service",
                    "A7:507",
                    "a valid code",
                    at=claim.place.at(mark),
                )

    def _known(self, system: str, code: str, served: date) -> bool:
        check = self._out.context.code_check
        return check is None or check(system, code, served)
