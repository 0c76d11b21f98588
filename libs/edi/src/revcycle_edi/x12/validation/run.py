"""Validation of a whole input in one streaming pass: envelope, guide, balancing and situations."""

import re
from collections.abc import Mapping
from typing import Protocol

from revcycle_edi.x12.batches import Batch, read_batches
from revcycle_edi.x12.cursor import PADDING
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.findings import Finding, finding_from_error
from revcycle_edi.x12.guides import guide_for
from revcycle_edi.x12.guides.model import DATE, TIME, Guide
from revcycle_edi.x12.reader import SegmentReader, Source
from revcycle_edi.x12.validation.context import Collector, ValidationContext
from revcycle_edi.x12.validation.levels import Levels
from revcycle_edi.x12.validation.rules_835 import Rules835
from revcycle_edi.x12.validation.rules_837 import Rules837
from revcycle_edi.x12.validation.rules_other import RulesOther
from revcycle_edi.x12.validation.walker import ENVELOPES, GuideMemory, Handler, Walker

_FUNCTIONAL = {
    "837": "HC",
    "835": "HP",
    "999": "FA",
    "276": "HR",
    "277": "HN",
    "270": "HS",
    "271": "HB",
    "278": "HI",
    "275": "PI",
    "834": "BE",
    "820": "RA",
}
_MEMORIES: dict[int, GuideMemory] = {}


def forget() -> None:
    """Forget what validation has learned about guides; only tests of that memory need this."""
    _MEMORIES.clear()


class _Rules(Protocol):
    """What every rule set offers."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What takes a segment, by its id."""

    def finish(self) -> None:
        """Close what is open."""


class _Transaction:
    """One ST being walked."""

    def __init__(self, e: list[str], guide: Guide | None, out: Collector, duplicates: set[str]) -> None:
        self.control = e[2]
        self._out = out
        self._levels = Levels(e[1], out)
        self._lx = 0
        self._rules: _Rules | None = None
        self._walker: Walker | None = None
        numbered: dict[str, Handler] = {"HL": self._levels.check, "CLM": self._first_line}
        if e[1] in ("837", "275"):
            numbered["LX"] = self._line_number
        self._handlers: Mapping[str, Handler] = numbered
        if guide is not None:
            self._rules = rules = _rules(guide, out, duplicates)
            self._handlers = {**numbered, **rules.handlers}
            for name in numbered.keys() & rules.handlers.keys():
                self._handlers[name] = _both(numbered[name], rules.handlers[name])
            self._walker = Walker(_MEMORIES.setdefault(id(guide), GuideMemory(guide)), out, self._handlers)

    def feed(self, text: str, elements: list[str] | None = None) -> None:
        """Take one segment; elements are given when splitting it needs care."""
        if self._walker is not None:
            self._walker.feed(text, elements)
            return
        e = (text.split("*") if elements is None else elements) + PADDING
        handler = self._handlers.get(e[0])
        if handler is not None:
            handler("", e)

    def feed_many(self, segments: list[str], index: int) -> int:
        """Take segments from an index on, up to the next one of the envelope; the index of that one."""
        if self._walker is not None:
            return self._walker.walk(segments, index)
        while index < len(segments) and segments[index][:3] not in ENVELOPES:
            self._out.place.index = index
            self.feed(segments[index])
            index += 1
        return index

    def _first_line(self, loop: str, e: list[str]) -> None:
        self._lx = 0

    def _line_number(self, loop: str, e: list[str]) -> None:
        """LX01 counts from 1 in each claim."""
        self._lx += 1
        if e[1] != str(self._lx):
            self._out.add(
                "999.lx",
                "line numbers are not in sequence",
                codes=("IK304:8", "IK403:7"),
                expected=f"LX*{self._lx}",
                element="01",
            )
            self._lx = int(e[1]) if e[1].isdecimal() and len(e[1]) < 7 else self._lx

    def close(self, e: list[str], position: int) -> None:
        """Check SE01 and SE02 and end the guide and the rules."""
        out = self._out
        if self._rules is not None:
            self._rules.finish()
        if self._walker is not None:
            self._walker.finish()
        self._levels.finish()
        out.place.loop = ""
        if e[1] != str(position):
            out.add(
                "999.se.count", "the segment count is wrong", codes=("IK502:4",), expected=str(position), element="01"
            )
        if e[2] != self.control:
            out.add(
                "999.se.control",
                "SE02 is not ST02",
                codes=("IK502:3",),
                expected="the control number of the ST",
                element="02",
            )


def _both(first: Handler, second: Handler) -> Handler:
    def handle(loop: str, e: list[str]) -> None:
        first(loop, e)
        second(loop, e)

    return handle


def _rules(guide: Guide, out: Collector, duplicates: set[str]) -> _Rules:
    if guide.transaction_type == "837":
        kind = {"005010X222": "P", "005010X223": "I", "005010X224": "D"}[guide.version]
        return Rules837(kind, out, duplicates)
    if guide.transaction_type == "835":
        return Rules835(out)
    return RulesOther(guide, out)


class _Envelope:
    """The ISA, GS and ST levels of an input."""

    def __init__(self, context: ValidationContext) -> None:
        self.out = Collector(context)
        self._duplicates: set[str] = set()
        self._isa: list[str] = []
        self._interchanges: set[str] = set()
        self._group: list[str] = []
        self._groups: set[str] = set()
        self._sets: set[str] = set()
        self._group_count = self._set_count = 0
        self._open: _Transaction | None = None
        self._handlers: dict[str, Handler] = {
            "ISA": self._isa_segment,
            "GS": self._gs,
            "ST": self._st,
            "SE": self._se,
            "GE": self._ge,
            "IEA": self._iea,
        }

    def feed(self, batch: Batch) -> None:
        """Take the segments of a batch."""
        place = self.out.place
        place.batch = batch
        segments, index = batch.segments, 0
        while index < len(segments):
            place.index = index
            special = batch.special(index)
            if self._open is None or segments[index][:3] in ENVELOPES:
                self._envelope_segment(segments[index], batch.elements(index))
            elif special is not None:
                self._open.feed(segments[index], special)
            else:
                index = self._open.feed_many(segments, index) - 1
            index += 1

    def _envelope_segment(self, text: str, e: list[str]) -> None:
        if self._open is None:
            self.out.place.start = 0
        handler = self._handlers.get(e[0])
        if handler is not None:
            handler(text, e)
        elif self._open is not None:
            self._open.feed(text)
        elif e[0] != "TA1":
            self.out.add(
                "ta1.stray",
                "a segment outside any transaction",
                answer="ta1",
                codes=("022",),
                expected="ST, GE, GS or IEA",
            )

    def _ta1(self, rule: str, code: str, message: str, expected: str, element: str = "") -> None:
        self.out.add(rule, message, answer="ta1", codes=(code,), expected=expected, element=element)

    def _isa_segment(self, text: str, e: list[str]) -> None:
        place = self.out.place
        if self._isa:
            self._unclosed()
            self._ta1("ta1.isa.inside", "023", "an interchange starts inside another one", "IEA before the next ISA")
        place.interchange, place.group, place.transaction = e[13], "", ""
        place.loop = ""
        self._isa, self._group, self._open = e, [], None
        self._group_count = 0
        self._groups = set()
        checks = (
            (e[12] in ("00501", "00602"), "017", "ISA12 is not a supported version", "00501", "12"),
            (
                e[13].isdecimal() and e[13] != "000000000",
                "018",
                "ISA13 is not a control number",
                "nine digits, not all zero",
                "13",
            ),
            (e[14] in ("0", "1"), "019", "ISA14 is neither 0 nor 1", "0 or 1", "14"),
            (e[15] in ("P", "T"), "020", "ISA15 is neither P nor T", "P or T", "15"),
            (e[1] in ("00", "03"), "010", "ISA01 is not a qualifier", "00 or 03", "01"),
            (e[3] in ("00", "01"), "012", "ISA03 is not a qualifier", "00 or 01", "03"),
            (e[5] in _ID_QUALIFIERS, "005", "ISA05 is not a qualifier", "01, 14, 20, 27, 28, 29, 30, 33 or ZZ", "05"),
            (e[7] in _ID_QUALIFIERS, "007", "ISA07 is not a qualifier", "01, 14, 20, 27, 28, 29, 30, 33 or ZZ", "07"),
            (_is_date("20" + e[9]), "014", "ISA09 is not a date", "YYMMDD", "09"),
            (_is_time(e[10]), "015", "ISA10 is not a time", "HHMM", "10"),
            (bool(e[6].strip()), "006", "ISA06 names no sender", "the sender id", "06"),
            (bool(e[8].strip()), "008", "ISA08 names no receiver", "the receiver id", "08"),
        )
        for good, code, message, expected, element in checks:
            if not good:
                self._ta1("ta1.isa", code, message, expected, element)
        if e[13] in self._interchanges:
            self._ta1(
                "ta1.duplicate", "025", "the interchange control number occurs twice", "a number of its own", "13"
            )
        self._interchanges.add(e[13])

    def _gs(self, text: str, e: list[str]) -> None:
        place = self.out.place
        self._unclosed()
        if self._group:
            self.out.add(
                "999.ge.missing", "the group before is not closed", codes=("AK905:3",), expected="GE before the next GS"
            )
        self._group = e
        self._sets = set()
        self._group_count += 1
        self._set_count = 0
        place.group, place.transaction = e[6], ""
        if e[6] in self._groups:
            self.out.add(
                "999.gs.duplicate",
                "the group control number occurs twice",
                codes=("AK905:6",),
                expected="a number of its own",
                element="06",
            )
        self._groups.add(e[6])
        if not (_is_date(e[4]) and _is_time(e[5])):
            self.out.add(
                "999.gs.date",
                "GS04 and GS05 are not a date and a time",
                codes=("AK905:6",),
                expected="CCYYMMDD and HHMM, HHMMSS or HHMMSSDD",
                element="04" if _is_time(e[5]) else "05",
            )
        if not (e[6].isdecimal() and 1 <= len(e[6]) <= 9):
            self.out.add(
                "999.gs.control",
                "GS06 is not a control number",
                codes=("AK905:6",),
                expected="1 to 9 digits",
                element="06",
            )

    def _st(self, text: str, e: list[str]) -> None:
        self._unclosed()
        place = self.out.place
        group = self._group or [""] * 30
        if not self._group:
            self._ta1("ta1.group", "024", "a transaction outside any group", "GS before ST")
        version = e[3] or group[8]
        guide = guide_for(e[1], version)
        self._set_count += 1
        place.transaction, place.start, place.claim_id = e[2], place.segment_number, ""
        if e[2] in self._sets:
            self.out.add(
                "999.st.duplicate",
                "the transaction control number occurs twice",
                codes=("IK502:23",),
                expected="unique in the group",
                element="02",
            )
        self._sets.add(e[2])
        if _FUNCTIONAL.get(e[1], group[1]) != group[1] and self._group:
            self.out.add(
                "999.gs.functional",
                "the group is of another kind",
                codes=("AK905:1",),
                expected=f"GS01 {_FUNCTIONAL[e[1]]}",
                element="01",
            )
        if e[3] and group[8] and e[3] != group[8]:
            self.out.add(
                "999.st.version",
                "ST03 is not the guide version of the group",
                codes=("IK502:I6",),
                expected="ST03 equal to GS08",
                element="03",
            )
        if guide is None:
            self.out.add(
                "999.st.unknown",
                "no guide for this transaction and version",
                codes=("IK502:1",),
                severity="warning",
                answer="internal",
                expected="837, 835, 999, 270, 271, 275, 276, 277 or 278 of a known guide",
            )
        self._open = _Transaction(e, guide, self.out, self._duplicates)
        self._open.feed(text)

    def _unclosed(self) -> None:
        if self._open is not None:
            self.out.add(
                "999.se.missing",
                "the transaction before is not closed",
                codes=("IK502:2",),
                expected="SE before the next ST, GS or GE",
            )
            self._open = None

    def _se(self, text: str, e: list[str]) -> None:
        if self._open is None:
            self._ta1("ta1.stray", "022", "SE without ST", "ST before SE")
            return
        self._open.feed(text)
        self._open.close(e, self.out.place.transaction_position)
        self._open = None
        self.out.place.transaction = ""
        self.out.place.start = 0

    def _ge(self, text: str, e: list[str]) -> None:
        self._unclosed()
        out = self.out
        if not self._group:
            self._ta1("ta1.stray", "022", "GE without GS", "GS before GE")
            return
        if e[1] != str(self._set_count):
            out.add(
                "999.ge.count",
                "the number of transactions is wrong",
                codes=("AK905:5",),
                expected=str(self._set_count),
                element="01",
            )
        if e[2] != self._group[6]:
            out.add(
                "999.ge.control",
                "GE02 is not GS06",
                codes=("AK905:4",),
                expected="the control number of the GS",
                element="02",
            )
        self._group = []
        out.place.group = ""

    def _iea(self, text: str, e: list[str]) -> None:
        if not self._isa:
            self._ta1("ta1.stray", "022", "a second IEA in one interchange", "one IEA")
            return
        self._unclosed()
        if self._group:
            self.out.add("999.ge.missing", "the group is not closed", codes=("AK905:3",), expected="GE before IEA")
        if e[1] != str(self._group_count):
            self._ta1("ta1.iea.count", "021", "the number of groups is wrong", str(self._group_count), "01")
        if e[2] != self._isa[13]:
            self._ta1("ta1.iea.control", "001", "IEA02 is not ISA13", "the control number of the ISA", "02")
        self._isa = []


def _is_date(text: str) -> bool:
    return re.fullmatch(DATE, text) is not None


def _is_time(text: str) -> bool:
    return re.fullmatch(TIME, text) is not None


_ID_QUALIFIERS = frozenset(("01", "14", "20", "27", "28", "29", "30", "33", "ZZ"))


def validate(data: Source, *, context: ValidationContext | None = None) -> list[Finding]:
    """Every finding in an input, in order; an empty list means clean. Never raises on bad input.

    Layers: envelope (answered by TA1), guide and counts (999), balancing, codes and situations (277CA for claims,
    internal for everything else). Input that cannot be read further ends with one finding that says where.
    """
    envelope = _Envelope(context or ValidationContext())
    try:
        for batch in read_batches(SegmentReader(data)):
            envelope.feed(batch)
    except X12Error as error:
        envelope.out.findings.append(finding_from_error(error, interchange=envelope.out.place.interchange))
    return envelope.out.findings
