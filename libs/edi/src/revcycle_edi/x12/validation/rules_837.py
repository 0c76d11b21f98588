"""Situational, balancing and code rules of the 837, checked while the segments pass.

Each rule has an id, the place it is about and the acknowledgment it deserves (277CA category:status:entity).
Sources: the generation rules of the 5010 guides and the front-end edits payers publish.
"""

import re
from collections.abc import Callable
from datetime import date

from revcycle_edi.npi import is_valid_npi
from revcycle_edi.x12.codes import (
    ADMISSION_SOURCES,
    ADMISSION_TYPES,
    CARCS,
    FACILITY_TYPES,
    PATIENT_STATUSES,
)
from revcycle_edi.x12.validation.address_rules import AddressRules
from revcycle_edi.x12.validation.claim_checks import ClaimChecks
from revcycle_edi.x12.validation.claim_state import ClaimState, OtherPayerState
from revcycle_edi.x12.validation.code_lists import CodeListRules
from revcycle_edi.x12.validation.context import Collector, Place
from revcycle_edi.x12.validation.judged import (
    ADJUSTMENTS,
    CODE_LISTS,
    PERIODS,
    SERVICES,
    cents,
    day,
    has_repeated_reason,
    is_positive,
    judge_pointers,
    judge_procedure,
)


class Rules837:
    """The rules over one transaction. kind is P, I or D; duplicates spans the input (CLM01 seen so far)."""

    def __init__(self, kind: str, out: Collector, duplicates: set[str]) -> None:
        self._kind = kind
        self._out = out
        self._seen = duplicates
        self._code_lists = CodeListRules(kind, out)
        self._ends = ClaimChecks(kind, out)
        self._claim: ClaimState | None = None
        self._billing_npi = ""
        self._sbr: list[str] = []
        self._sbr_place: Place | None = None
        self._has_patient = False
        self._born: date | None = None
        self._svd: tuple[OtherPayerState | None, int, Place] | None = None
        addresses = AddressRules(out)
        self.handlers: dict[str, Callable[[str, list[str]], None]] = {
            "NM1": self._nm1,
            "N3": addresses.street,
            "N4": addresses.city,
            "HL": self._hl,
            "SBR": self._sbr_segment,
            "CLM": self._clm,
            "HI": self._hi,
            "REF": self._ref,
            "DTP": self._dtp,
            "AMT": self._amt,
            "CAS": self._cas,
            "LX": self._lx,
            "SV1": self._sv1,
            "SV2": self._sv2,
            "SV3": self._sv3,
            "SVD": self._svd_segment,
            "PRV": addresses.taxonomy,
            "DMG": self._dmg,
            "LIN": self._lin,
            "CL1": self._cl1,
        }

    def finish(self) -> None:
        """Close the last claim."""
        self._end_claim()

    def _reject(
        self, rule: str, message: str, code: str, expected: str, *, element: str = "", at: Place | None = None
    ) -> None:
        self._out.add(rule, message, answer="277ca", codes=(code,), expected=expected, element=element, at=at)

    # Levels ---------------------------------------------------------------------------------------------------------

    def _hl(self, loop: str, e: list[str]) -> None:
        self._end_claim()
        if e[3] in ("20", "22"):
            self._has_patient = False
            self._born = None
        elif e[3] == "23":
            self._has_patient = True
            if self._sbr[2:3] == ["18"]:
                self._reject(
                    "837.sbr02.self",
                    "a patient level stands under a subscriber who is the patient",
                    "A7:732",
                    "SBR02 empty when a 2000C loop follows",
                    at=self._sbr_place,
                )

    def _sbr_segment(self, loop: str, e: list[str]) -> None:
        if loop == "2320":
            if self._claim is not None:
                self._other_payer(self._claim, e)
            return
        self._sbr = e
        self._sbr_place = self._out.place.copy()

    def _other_payer(self, claim: ClaimState, e: list[str]) -> None:
        claim.others.append(OtherPayerState())
        if e[1] in claim.ranks:
            self._reject(
                "837.sbr01.duplicate",
                "two payers of the claim have the same rank",
                "A7:732",
                "P, S, T and so on once each over 2000B and 2320",
                element="01",
            )
        claim.ranks.add(e[1])

    def _nm1(self, loop: str, e: list[str]) -> None:
        if loop == "2330B" and self._claim is not None and self._claim.others:
            self._claim.others[-1].payer_id = e[9]
        if e[8] == "XX":
            self._npi(loop, e)
        elif loop in ("2310B", "2010AA") and self._kind != "I" and e[1] in ("85", "82"):
            self._reject(
                "837.npi.missing",
                "the provider has no NPI",
                f"A6:562:{e[1]}",
                "NM108 XX and an NPI in NM109",
                element="09",
            )
        if e[1] == "85" and loop == "2010AA":
            self._billing_npi = e[9]

    def _npi(self, loop: str, e: list[str]) -> None:
        if not is_valid_npi(e[9]):
            self._reject(
                "837.npi",
                "the NPI fails its check digit",
                f"A7:562:{e[1]}",
                "ten digits starting with 1 or 2 that satisfy the Luhn check over 80840",
                element="09",
            )
        elif e[1] == "82" and loop == "2310B" and e[9] == self._billing_npi:
            self._out.add(
                "837.rendering.same",
                "the rendering provider is the billing provider",
                answer="internal",
                severity="warning",
                expected="no 2310B loop when it repeats 2010AA",
                element="09",
            )

    def _dmg(self, loop: str, e: list[str]) -> None:
        born, today = day(e[2]), self._out.context.today
        if loop in ("2010BA", "2010CA"):
            self._born = born
        if born is not None and today is not None and born > today:
            self._reject(
                "837.birth.future",
                "the date of birth lies in the future",
                "A7:158:QC",
                "a date up to today",
                element="02",
            )

    # Claim ----------------------------------------------------------------------------------------------------------

    def _clm(self, loop: str, e: list[str]) -> None:
        self._end_claim()
        self._out.place.claim_id = e[1]
        claim = self._claim = ClaimState(self._out.place.copy(), e)
        claim.born = self._born
        if self._sbr:
            claim.responsibility = self._sbr[1]
            claim.ranks.add(self._sbr[1])
        if e[1] in self._seen:
            self._reject(
                "837.clm01.duplicate",
                "the claim id occurs twice",
                "A7:54",
                "a CLM01 of its own per submission",
                element="01",
            )
        self._seen.add(e[1])
        if len(e[1]) > 20:
            self._reject(
                "837.clm01.long",
                "the claim id is longer than 20 characters",
                "A7:478",
                "at most 20 characters",
                element="01",
            )
        if claim.charge < 0:
            self._reject("837.charge.negative", "the charge is negative", "A7:178", "0 or more", element="02")
        if self._sbr and not self._sbr[2] and not self._has_patient:
            self._reject(
                "837.sbr02.blank",
                "the subscriber is not the patient but no patient level follows",
                "A7:732",
                "SBR02 18, or a 2000C loop with the patient",
                at=self._sbr_place,
            )
        if self._kind != "I" and claim.facility not in FACILITY_TYPES:
            self._reject("837.pos", "not a place of service", "A7:249", "a CMS place of service code", element="05-1")
        causes = e[11].split(":") if e[11] else []
        if "AA" in causes[:3] and len(causes) < 4:
            self._reject(
                "837.accident.state", "an auto accident names no state", "A6:732", "CLM11-4 state", element="11-4"
            )

    def _ref(self, loop: str, e: list[str]) -> None:
        claim = self._claim
        if e[1] == "EI" and loop == "2010AA" and not re.fullmatch(r"\d{9}", e[2]):
            self._reject(
                "837.taxid", "the tax id has no nine digits", "A7:128:85", "nine digits, no dash", element="02"
            )
        if claim is None:
            return
        if e[1] == "F8" and loop == "2300":
            claim.f8 = True
        elif e[1] == "6R" and loop == "2400":
            if e[2] in claim.line_numbers:
                self._reject(
                    "837.6r.duplicate", "two lines have the same control number", "A7:732", "REF*6R unique in the claim"
                )
            claim.line_numbers.add(e[2])
        elif e[1] == "X4" and not re.fullmatch(r"\d{2}D\d{7}", e[2]):
            self._reject("837.clia", "not a CLIA number", "A7:630", "two digits, D, seven digits", element="02")

    def _dtp(self, loop: str, e: list[str]) -> None:
        claim = self._claim
        if claim is None:
            return
        place = self._out.place
        start, end = PERIODS[place.text]
        if start is not None and end is not None:
            if start > end:
                self._reject(
                    "837.period",
                    "the period ends before it starts",
                    "A7:187",
                    "from date up to through date",
                    element="03",
                )
            if e[1] == "472":
                served = end, place.mark()
                claim.service_dates.append(served)
                if claim.first_served is None or end < claim.first_served[0]:
                    claim.first_served = served
            elif e[1] == "434":
                claim.statement = (start, end)
        if e[1] != "472":
            self._claim_date(loop, e[1], claim)
        today = self._out.context.today
        if end is not None and today is not None and end > today:
            self._future(e[1])

    def _claim_date(self, loop: str, name: str, claim: ClaimState) -> None:
        if name == "439":
            claim.accident = True
        elif name == "435":
            claim.admission = True
        elif name == "573":
            self._decision_date(loop, claim)
        elif name == "096":
            claim.discharge = True

    def _future(self, name: str) -> None:
        if name in ("472", "434", "573"):
            self._reject(
                "837.date.future",
                "the date of the decision lies in the future"
                if name == "573"
                else "the date of service lies in the future",
                "A7:510",
                "a date up to today",
                element="03",
            )

    def _decision_date(self, loop: str, claim: ClaimState) -> None:
        if loop == "2330B" and claim.others:
            claim.others[-1].claim_date = True
        elif loop == "2430" and self._svd is not None and self._svd[0] is not None:
            self._svd[0].line_date = True

    def _hi(self, loop: str, e: list[str]) -> None:
        claim = self._claim
        if claim is None:
            return
        place = self._out.place
        codes, faultless = CODE_LISTS[place.text]
        claim.hi.append((codes, place.mark()))
        if faultless and not claim.diagnoses:
            claim.diagnoses = [code for _, code in codes]
        else:
            self._code_lists.check(claim, e)

    def _cl1(self, loop: str, e: list[str]) -> None:
        checks = (
            ("01", e[1], ADMISSION_TYPES, "837I.admission.type", "not a type of admission", "A7:231"),
            ("02", e[2], ADMISSION_SOURCES, "837I.admission.source", "not a point of origin", "A7:229"),
            ("03", e[3], PATIENT_STATUSES, "837I.patient.status", "not a patient status", "A7:234"),
        )
        for element, value, known, rule, message, answer in checks:
            if value and value not in known:
                self._reject(rule, message, answer, "a code of the uniform billing list", element=element)
        if self._claim is not None:
            self._claim.patient_status = e[3]

    # Lines ----------------------------------------------------------------------------------------------------------

    def _lx(self, loop: str, e: list[str]) -> None:
        self._end_svd()
        if self._claim is not None:
            self._claim.line_charge = 0

    def _charge(self, text: str, element: str) -> None:
        if self._claim is not None:
            self._claim.line_charge = cents(text)
            self._claim.line_charges += self._claim.line_charge
        if text.startswith("-"):
            self._reject("837.charge.negative", "the charge is negative", "A7:178", "0 or more", element=element)

    def _procedure(self, text: str, element: str) -> None:
        claim = self._claim
        if claim is None:
            return
        code, wrong_form, repeated = judge_procedure(text)
        if wrong_form:
            self._reject(
                "837.procedure.format", "not the form of a procedure code", "A7:507", "five characters", element=element
            )
        elif code and self._out.context.code_check is not None:
            claim.procedures.append((code, self._out.place.mark()))
        if repeated:
            self._reject(
                "837.modifier.duplicate", "a modifier is repeated", "A7:453", "each modifier once", element=element
            )

    def _units(self, text: str, element: str) -> None:
        if not is_positive(text):
            self._reject("837.units", "the units are not positive", "A7:476", "more than 0", element=element)

    def _sv1(self, loop: str, e: list[str]) -> None:
        claim = self._claim
        charge, code, highest_pointer, faultless = SERVICES[self._out.place.text]
        if claim is None or not faultless or highest_pointer > len(claim.diagnoses):
            self._sv1_with_fault(e)
            return
        claim.line_charge = charge
        claim.line_charges += charge
        if code and self._out.context.code_check is not None:
            claim.procedures.append((code, self._out.place.mark()))

    def _sv1_with_fault(self, e: list[str]) -> None:
        self._charge(e[2], "02")
        self._procedure(e[1], "01-2")
        self._units(e[4], "04")
        if e[5] and e[5] not in FACILITY_TYPES:
            self._reject("837.pos", "not a place of service", "A7:249", "a CMS place of service code", element="05")
        self._pointers(e[7], "07")

    def _pointers(self, text: str, element: str) -> None:
        if self._claim is None or not text:
            return
        highest, repeated = judge_pointers(text)
        available = len(self._claim.diagnoses)
        if not 0 <= highest <= available:
            self._reject(
                "837.pointer",
                "a pointer names a diagnosis the claim does not have",
                "A7:477",
                f"1 to {available}",
                element=element,
            )
        elif repeated:
            self._reject(
                "837.pointer.duplicate", "a pointer is repeated", "A7:477", "each pointer once", element=element
            )

    def _sv2(self, loop: str, e: list[str]) -> None:
        self._charge(e[3], "03")
        if e[2]:
            self._procedure(e[2], "02-2")
        self._units(e[5], "05")
        if not re.fullmatch(r"\d{4}", e[1]) or e[1] in ("0000", "0001"):
            self._reject(
                "837I.revenue",
                "not a revenue code of a line",
                "A7:455",
                "four digits; 0001 is for paper only",
                element="01",
            )

    def _sv3(self, loop: str, e: list[str]) -> None:
        self._charge(e[2], "02")
        self._pointers(e[11], "11")

    def _lin(self, loop: str, e: list[str]) -> None:
        if e[2] == "N4" and not re.fullmatch(r"\d{11}", e[3]):
            self._reject("837.ndc", "not a national drug code", "A7:218", "eleven digits, no dashes", element="03")

    # Other payers ---------------------------------------------------------------------------------------------------

    def _amt(self, loop: str, e: list[str]) -> None:
        if loop == "2320" and e[1] == "D" and self._claim is not None and self._claim.others:
            self._claim.others[-1].paid = cents(e[2])

    def _cas(self, loop: str, e: list[str]) -> None:
        total, faultless = ADJUSTMENTS[self._out.place.text]
        if not faultless:
            self._adjustment_faults(e)
        if self._claim is None or not self._claim.others:
            return
        if loop == "2320":
            self._claim.others[-1].adjusted += total
        elif self._svd is not None:
            payer, rest, place = self._svd
            self._svd = (payer, rest - total, place)

    def _adjustment_faults(self, e: list[str]) -> None:
        if e[5] and has_repeated_reason(e):
            self._reject(
                "837.cas.repeated", "a reason stands twice in one group", "A7:521", "each reason once per group"
            )
        for index in range(2, 20, 3):
            if not e[index]:
                continue
            amount = cents(e[index + 1])
            if e[index] not in CARCS:
                self._reject(
                    "837.carc",
                    "not a claim adjustment reason code",
                    "A7:521",
                    "a code of list 139",
                    element=f"{index:02d}",
                )
            if e[index + 1] and amount == 0:
                self._out.add(
                    "837.cas.zero",
                    "an adjustment of zero",
                    answer="internal",
                    severity="warning",
                    expected="no adjustment without an amount",
                    element=f"{index + 1:02d}",
                )

    def _svd_segment(self, loop: str, e: list[str]) -> None:
        self._end_svd()
        claim = self._claim
        if claim is None:
            return
        payer = next((p for p in claim.others if p.payer_id == e[1]), None)
        if payer is None:
            self._reject(
                "837.svd.payer",
                "a line names a payer the claim does not have",
                "A8:672",
                "NM109 of a 2330B loop",
                element="01",
            )
        else:
            payer.decided_lines = True
            payer.line_paid += cents(e[2])
        self._svd = (payer, claim.line_charge - cents(e[2]), self._out.place.copy())

    def _end_svd(self) -> None:
        if self._svd is not None and self._svd[1] != 0:
            self._reject(
                "837.cob.line",
                f"the line is not what the other payer paid and adjusted: {self._svd[1]} cents are left",
                "A7:672",
                "line charge = SVD02 + CAS of 2430",
                at=self._svd[2],
            )
        self._svd = None

    # Ends -----------------------------------------------------------------------------------------------------------

    def _end_claim(self) -> None:
        claim = self._claim
        if claim is None:
            return
        self._end_svd()
        self._ends.check(claim)
        self._claim = None
        self._out.place.claim_id = ""
