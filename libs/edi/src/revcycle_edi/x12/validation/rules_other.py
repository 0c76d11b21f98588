"""Rules of the transactions beside 837 and 835: acknowledgments, status, eligibility, authorization, attachments."""

import re
from collections.abc import Callable

from revcycle_edi.npi import is_valid_npi
from revcycle_edi.x12.codes import CLAIM_STATUS_CATEGORIES
from revcycle_edi.x12.guides.model import Guide
from revcycle_edi.x12.validation.context import Collector
from revcycle_edi.x12.validation.judged import PERIODS, cents, day
from revcycle_edi.x12.values import format_cents

_PERCENT = re.compile(r"|0?\.\d+|0|1(?:\.0+)?")
_LAST_STATUS = 999
"""No claim status code (list 508) has more than three digits."""


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 10 else -1


class RulesOther:
    """The rules over one transaction that is neither a claim nor a remittance."""

    def __init__(self, guide: Guide, out: Collector) -> None:
        self._guide = guide
        self._out = out
        self._traces: set[str] = set()
        self._accepted = self._rejected = 0
        self._ak2 = self._ak2_accepted = 0
        self._binary_length = 0
        self._totals: dict[str, str] = {}
        self._claims = 0
        self._amounts: dict[str, int] = {}
        self._charged: tuple[int, int] | None = (0, 0)  # Accepted and rejected; None once a claim states no charge.
        self.handlers: dict[str, Callable[[str, list[str]], None]] = {
            "NM1": self._nm1,
            "STC": self._stc,
            "QTY": self._qty,
            "AK2": self._ak2_segment,
            "IK5": self._ik5,
            "AK9": self._ak9,
            "BDS": self._bds,
            "BIN": self._bin,
            "TRN": self._trn,
            "EB": self._eb,
            "DMG": self._dmg,
            "DTP": self._dtp,
            "AMT": self._amt,
        }

    def finish(self) -> None:
        """Totals of a claim acknowledgment against its claims."""
        if self._guide.version != "005010X214":
            return
        if self._charged is not None:
            for qualifier, total in (("YU", self._charged[0]), ("YY", self._charged[1])):
                stated_amount = self._amounts.get(qualifier)
                if stated_amount is not None and stated_amount != total:
                    self._held(
                        "277ca.amounts",
                        f"states {stated_amount} cents, lists {total}",
                        f"AMT*{qualifier}*{format_cents(total)}",
                    )
        for qualifier, counted in (("90", self._accepted), ("AA", self._rejected)):
            stated = self._totals.get(qualifier)
            if stated is not None and _count(stated) != counted:
                self._held("277ca.totals", f"states {stated} claims, lists {counted}", f"QTY*{qualifier}*{counted}")

    def _held(self, rule: str, message: str, expected: str, *, element: str = "") -> None:
        self._out.add(rule, message, answer="internal", expected=expected, element=element)

    def _nm1(self, loop: str, e: list[str]) -> None:
        if e[8] == "XX" and not is_valid_npi(e[9]):
            self._held("x12.npi", "the NPI fails its check digit", "an NPI with a valid check digit", element="09")

    def _stc(self, loop: str, e: list[str]) -> None:
        for index in (1, 10, 11):
            category, _, rest = e[index].partition(":")
            status = rest.partition(":")[0]
            if status.isdecimal() and int(status[:9]) > _LAST_STATUS:
                self._held("x12.stc.status", "not a claim status code", "a code of list 508", element=f"{index:02d}-2")
            if category and category not in CLAIM_STATUS_CATEGORIES:
                self._held(
                    "x12.stc.category", "not a claim status category", "a code of list 507", element=f"{index:02d}-1"
                )
        if loop == "2200D" and self._guide.version == "005010X214":
            rejected = e[3] == "U"
            self._rejected += rejected
            self._accepted += not rejected
            self._charge(e[4], rejected=rejected)
            category = e[1].partition(":")[0]
            if (category in ("A3", "A4", "A6", "A7", "A8")) != rejected:
                self._held(
                    "277ca.action",
                    "the action contradicts the category",
                    "WQ with A1, A2; U with A3, A4, A6, A7, A8",
                    element="03",
                )

    def _charge(self, text: str, *, rejected: bool) -> None:
        if not text or self._charged is None:
            self._charged = None
            return
        taken, refused = self._charged
        amount = cents(text)
        self._charged = (taken, refused + amount) if rejected else (taken + amount, refused)

    def _amt(self, loop: str, e: list[str]) -> None:
        if loop == "2200B":
            self._amounts[e[1]] = cents(e[2])

    def _dmg(self, loop: str, e: list[str]) -> None:
        self._past(e[2], "02", "x12.birth.future", "the date of birth lies in the future")

    def _dtp(self, loop: str, e: list[str]) -> None:
        start, end = PERIODS[self._out.place.text]
        if start is not None and end is not None and start > end:
            self._held("x12.period", "the period ends before it starts", "from date up to through date", element="03")
        if e[1] == "472" and self._guide.transaction_type in ("276", "277", "275"):
            self._past(e[3], "03", "x12.date.future", "the date of service lies in the future")

    def _past(self, text: str, element: str, rule: str, message: str) -> None:
        told, today = day(text), self._out.context.today
        if told is not None and today is not None and told > today:
            self._held(rule, message, "a date up to today", element=element)

    def _qty(self, loop: str, e: list[str]) -> None:
        if loop == "2200B":
            self._totals[e[1]] = e[2]

    def _ak2_segment(self, loop: str, e: list[str]) -> None:
        self._ak2 += 1

    def _ik5(self, loop: str, e: list[str]) -> None:
        self._ak2_accepted += e[1] in ("A", "E")

    def _ak9(self, loop: str, e: list[str]) -> None:
        received, accepted = _count(e[3]), _count(e[4])
        if self._ak2 and self._ak2 == received and accepted != self._ak2_accepted:
            self._held(
                "999.totals", "the accepted count is not what the sets say", str(self._ak2_accepted), element="04"
            )
        if received != _count(e[2]) and "5" not in e[5:10]:
            self._held("999.totals", "the sets received are not those the group states", e[2], element="03")
        if accepted > received or (e[1] == "A" and accepted != received) or (e[1] == "R" and accepted):
            self._held(
                "999.verdict",
                "the verdict contradicts the counts",
                "A when all, P when some, R when none",
                element="01",
            )

    def _bds(self, loop: str, e: list[str]) -> None:
        if _count(e[2]) != len(e[3]):
            self._held("275.length", "the length is not that of the data", str(len(e[3])), element="02")

    def _bin(self, loop: str, e: list[str]) -> None:
        if _count(e[1]) != len(e[2]):
            self._held("275.length", "the length is not that of the data", str(len(e[2])), element="01")

    def _trn(self, loop: str, e: list[str]) -> None:
        if e[1] != "1" or self._guide.transaction_type not in ("276", "270"):
            return
        if e[2] in self._traces:
            self._held("x12.trn.duplicate", "the trace number occurs twice", "a trace number per inquiry", element="02")
        self._traces.add(e[2])

    def _eb(self, loop: str, e: list[str]) -> None:
        if e[8] and e[7]:
            self._held("271.eb", "an amount and a percentage in one benefit", "EB07 or EB08, not both", element="08")
        if _PERCENT.fullmatch(e[8]) is None:
            self._held("271.percent", "not a share", "0 to 1: a fifth is .2", element="08")
