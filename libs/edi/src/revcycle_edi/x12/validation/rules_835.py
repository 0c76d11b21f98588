"""Balancing and situational rules of the 835, checked while the segments pass (005010X221A1 1.10.2)."""

import re
from collections.abc import Callable

from revcycle_edi.npi import is_valid_npi
from revcycle_edi.x12.codes import CARCS
from revcycle_edi.x12.validation.context import Collector, Place
from revcycle_edi.x12.validation.judged import ADJUSTMENTS, cents, has_repeated_reason

_REMARK = re.compile(r"(?:M|MA|N)\d{1,3}")


class Rules835:
    """The rules over one remittance."""

    def __init__(self, out: Collector) -> None:
        self._out = out
        self._bpr: list[str] = []
        self._bpr_place: Place | None = None
        self._paid = self._withheld = 0
        self._clp: list[str] = []
        self._clp_place: Place | None = None
        self._adjusted = self._patient = 0
        self._svc: list[str] = []
        self._svc_place: Place | None = None
        self._line_adjusted = 0
        self.handlers: dict[str, Callable[[str, list[str]], None]] = {
            "BPR": self._start,
            "TRN": self._trn,
            "CLP": self._claim,
            "SVC": self._line,
            "CAS": self._cas,
            "PLB": self._plb,
            "NM1": self._nm1,
            "N1": self._n1,
            "LX": self._lx,
            "LQ": self._lq,
            "MOA": self._moa,
            "MIA": self._mia,
        }

    def finish(self) -> None:
        """Close the last claim and check the payment."""
        self._end_claim()
        if not self._bpr:
            return
        paid = -cents(self._bpr[2]) if self._bpr[3] == "D" else cents(self._bpr[2])
        self._unbalanced(
            "835.balance.transaction", "02", paid, self._paid - self._withheld, "BPR02 = CLP04 - PLB", self._bpr_place
        )

    def _held(self, rule: str, message: str, expected: str, *, element: str = "", at: Place | None = None) -> None:
        self._out.add(rule, message, answer="internal", expected=expected, element=element, at=at)

    def _unbalanced(self, rule: str, element: str, stated: int, computed: int, equation: str, at: Place | None) -> None:
        if stated != computed:
            message = f"stated {stated} cents, computed {computed}, {stated - computed} apart"
            self._held(rule, message, equation, element=element, at=at)

    def _start(self, loop: str, e: list[str]) -> None:
        self._bpr, self._bpr_place = e, self._out.place.copy()
        if e[4] == "ACH":
            for index in (5, 6, 7, 8, 9, 10, 12, 13, 14, 15):
                if not e[index]:
                    self._out.add(
                        "835.bpr.ach",
                        "a bank transfer lacks an account field",
                        codes=("IK304:8", "IK403:2"),
                        expected="BPR05 to BPR10 and BPR12 to BPR15 when BPR04 is ACH",
                        element=f"{index:02d}",
                    )
        if e[4] == "NON" and cents(e[2]) != 0:
            self._held("835.bpr.non", "an amount without a payment", "BPR02 0 when BPR04 is NON", element="02")
        if e[2].startswith("-"):
            self._held(
                "835.bpr.negative", "the payment is negative", "0 or more, the rest carried by PLB*FB", element="02"
            )

    def _trn(self, loop: str, e: list[str]) -> None:
        if e[3] and (len(e[3]) != 10 or e[3][0] not in "19"):
            self._held(
                "835.trn03", "the payer id of the trace is not 1 and a tax id", "1 and nine digits", element="03"
            )

    def _lx(self, loop: str, e: list[str]) -> None:
        self._end_claim()

    def _claim(self, loop: str, e: list[str]) -> None:
        self._end_claim()
        self._out.place.claim_id = e[1]
        self._clp, self._clp_place = e, self._out.place.copy()
        self._adjusted = self._patient = 0
        self._paid += cents(e[4])
        if e[2] == "22" and e[5]:
            self._held(
                "835.reversal.clp05", "a reversal states a patient share", "CLP05 empty when CLP02 is 22", element="05"
            )

        if e[2] == "4" and cents(e[4]) > 0:
            self._held("835.denied.paid", "a denied claim is paid", "CLP04 0 when CLP02 is 4", element="04")

    def _lq(self, loop: str, e: list[str]) -> None:
        if e[1] == "HE":
            self._remark(e[2], "02")

    def _moa(self, loop: str, e: list[str]) -> None:
        for index in range(3, 8):
            self._remark(e[index], f"{index:02d}")

    def _mia(self, loop: str, e: list[str]) -> None:
        for index in (5, 20, 21, 22, 23):
            self._remark(e[index], f"{index:02d}")

    def _remark(self, text: str, element: str) -> None:
        if text and _REMARK.fullmatch(text) is None:
            self._held("835.rarc", "not a remittance advice remark code", "M, MA or N and a number", element=element)

    def _line(self, loop: str, e: list[str]) -> None:
        self._end_line()
        self._svc, self._svc_place = e, self._out.place.copy()
        self._line_adjusted = 0

    def _cas(self, loop: str, e: list[str]) -> None:
        total, faultless = ADJUSTMENTS[self._out.place.text]
        if not faultless:
            self._adjustment_faults(e)
        self._adjusted += total
        if self._svc:
            self._line_adjusted += total
        if e[1] == "PR":
            self._patient += total

    def _adjustment_faults(self, e: list[str]) -> None:
        if e[5] and has_repeated_reason(e):
            self._held("835.cas.repeated", "a reason stands twice in one group", "each reason once per group")
        for index in range(2, 20, 3):
            if not e[index]:
                continue
            amount = cents(e[index + 1])
            if e[index] not in CARCS:
                self._held(
                    "835.carc", "not a claim adjustment reason code", "a code of list 139", element=f"{index:02d}"
                )
            if e[index + 1] and amount == 0:
                self._out.add(
                    "835.cas.zero",
                    "an adjustment of zero",
                    answer="internal",
                    severity="warning",
                    expected="no adjustment without an amount",
                    element=f"{index + 1:02d}",
                )

    def _plb(self, loop: str, e: list[str]) -> None:
        self._end_claim()
        for index in range(3, 15, 2):
            if e[index] or e[index + 1]:
                self._withheld += cents(e[index + 1])
                if not e[index] or not e[index + 1]:
                    self._out.add(
                        "835.plb.pair",
                        "a provider adjustment lacks its reason or amount",
                        codes=("IK304:8", "IK403:2"),
                        expected="reason and amount in pairs",
                        element=f"{index:02d}",
                    )

    def _nm1(self, loop: str, e: list[str]) -> None:
        if e[8] == "XX" and not is_valid_npi(e[9]):
            self._held("835.npi", "the NPI fails its check digit", "an NPI with a valid check digit", element="09")

    def _n1(self, loop: str, e: list[str]) -> None:
        if e[3] == "XX" and not is_valid_npi(e[4]):
            self._held("835.npi", "the NPI fails its check digit", "an NPI with a valid check digit", element="04")

    def _end_line(self) -> None:
        svc = self._svc
        if not svc:
            return
        computed = cents(svc[2]) - self._line_adjusted
        self._unbalanced("835.balance.line", "03", cents(svc[3]), computed, "SVC03 = SVC02 - CAS", self._svc_place)
        self._svc = []

    def _end_claim(self) -> None:
        self._end_line()
        clp = self._clp
        if not clp:
            return
        computed = cents(clp[3]) - self._adjusted
        self._unbalanced("835.balance.claim", "04", cents(clp[4]), computed, "CLP04 = CLP03 - CAS", self._clp_place)
        if clp[2] != "22":
            rule = "835.balance.patient"
            self._unbalanced(rule, "05", cents(clp[5] or "0"), self._patient, "CLP05 = CAS*PR", self._clp_place)
        self._clp = []
        self._out.place.claim_id = ""
