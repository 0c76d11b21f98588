"""Any interchange as an indented account for people, with names and identifiers masked on request."""

from collections.abc import Iterator

from revcycle_edi.x12.cursor import Cursor
from revcycle_edi.x12.errors import X12Error, segment_name
from revcycle_edi.x12.guides import guide_for
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.validation.context import Collector, ValidationContext
from revcycle_edi.x12.validation.walker import GuideMemory, Walker
from revcycle_edi.x12.values import format_cents, parse_cents

_SEGMENTS = {
    "ISA": "interchange",
    "GS": "functional group",
    "ST": "transaction set",
    "BHT": "start of the hierarchy",
    "SE": "end of the set",
    "GE": "end of the group",
    "IEA": "end of the interchange",
    "TA1": "interchange acknowledgment",
    "HL": "level",
    "NM1": "name",
    "N1": "name",
    "N3": "street",
    "N4": "city, state, postal code",
    "PER": "contact",
    "REF": "reference",
    "PRV": "provider taxonomy",
    "SBR": "subscriber",
    "PAT": "patient",
    "DMG": "birth date and sex",
    "CLM": "claim",
    "DTP": "date",
    "DTM": "date",
    "HI": "codes",
    "LX": "line number",
    "SV1": "professional service",
    "SV2": "institutional service",
    "SV3": "dental service",
    "AMT": "amount",
    "QTY": "quantity",
    "CAS": "adjustment",
    "SVD": "decision of another payer",
    "OI": "other insurance",
    "NTE": "note",
    "PWK": "attachment",
    "CL1": "admission",
    "LIN": "drug",
    "CTP": "drug quantity",
    "BPR": "payment",
    "TRN": "trace number",
    "CLP": "claim payment",
    "SVC": "service payment",
    "MOA": "outpatient remarks",
    "MIA": "inpatient remarks",
    "LQ": "remark code",
    "PLB": "provider-level adjustment",
    "TS3": "provider summary",
    "TS2": "provider summary",
    "STC": "status",
    "EQ": "question",
    "EB": "benefit",
    "AAA": "refusal",
    "MSG": "message",
    "UM": "review request",
    "HCR": "review decision",
    "AK1": "acknowledged group",
    "AK2": "acknowledged set",
    "IK3": "segment error",
    "CTX": "context",
    "IK4": "element error",
    "IK5": "verdict on the set",
    "AK9": "verdict on the group",
    "BGN": "beginning",
    "CAT": "kind of attachment",
    "BDS": "binary data",
    "BIN": "binary data",
    "TOO": "tooth",
    "CUR": "currency",
    "INS": "relationship",
    "HSD": "delivery of services",
    "LS": "loop start",
    "LE": "loop end",
}
_LEVELS = {
    "20": "source or billing provider",
    "21": "receiver",
    "19": "provider",
    "22": "subscriber",
    "23": "dependent",
    "PT": "patient",
    "EV": "event",
    "SS": "service",
}
_ENTITIES = {
    "85": "billing provider",
    "87": "pay-to address",
    "IL": "insured",
    "QC": "patient",
    "PR": "payer",
    "82": "rendering provider",
    "77": "service location",
    "DN": "referring provider",
    "DK": "ordering provider",
    "DQ": "supervising provider",
    "41": "submitter",
    "40": "receiver",
    "71": "attending provider",
    "72": "operating provider",
    "1P": "provider",
    "PE": "payee",
    "TT": "crossover payer",
    "74": "corrected insured",
    "X3": "review organization",
    "AY": "clearinghouse",
}
# Elements that may identify a person: segment -> elements, for any qualifier.
_PERSONAL: dict[str, tuple[int, ...]] = {
    "NM1": (3, 4, 5, 6, 7, 9, 12),
    "N1": (2, 4),
    "N3": (1, 2),
    "N4": (1, 2, 3),
    "DMG": (2, 5),
    "PAT": (6, 8),
    "INS": (12,),
    "REF": (2, 3, 4),
    "PER": (2, 4, 6, 8),
    "CLM": (1,),
    "CLP": (1, 7),
    "TRN": (2,),
    "SBR": (3, 4),
    "HI": tuple(range(1, 13)),
    "NTE": (2,),
    "MSG": (1,),
    "DTP": (3,),
    "DTM": (2,),
    "IK4": (4,),
    "STC": (9, 12),
    "PWK": (6, 7),
    "HCR": (2,),
    "BDS": (3,),
    "BIN": (2,),
    "CTX": (1,),
    "SV1": (1,),
    "SV2": (2,),
    "SV3": (1,),
    "SVC": (1, 6),
    "PLB": (1, 3, 5, 7, 9, 11, 13),
    "LIN": (3,),
    "SVD": (3,),
}
_AMOUNTS: dict[str, tuple[int, ...]] = {
    "CLM": (2,),
    "SV1": (2,),
    "SV2": (3,),
    "SV3": (2,),
    "AMT": (2,),
    "BPR": (2,),
    "CLP": (3, 4, 5),
    "SVC": (2, 3),
    "CAS": (3, 6, 9, 12, 15, 18),
    "PLB": (4, 6, 8, 10, 12, 14),
    "SVD": (2,),
    "EB": (7,),
    "STC": (4, 5),
}


def _money(text: str) -> str:
    try:
        cents = parse_cents(text)
    except X12Error:
        return text
    whole, _, fraction = format_cents(cents).partition(".")
    return f"${whole or '0'}.{fraction:0<2}"


_ORGANIZATIONS = frozenset(("PR", "41", "40", "X3", "AY", "85", "1P", "PE"))


def masked(segment: list[str]) -> list[str]:
    """The segment with every element that may identify a person replaced by dots; all of what is not known here."""
    if segment[0] not in _SEGMENTS:
        return [segment[0], *("•••" if value.strip() else value for value in segment[1:])]
    personal = _PERSONAL.get(segment[0], ())
    if segment[0] in ("NM1", "N1") and len(segment) > 1 and segment[1] in _ORGANIZATIONS:
        return segment
    return [("•••" if value and index in personal else value) for index, value in enumerate(segment)]


def _title(segment: list[str]) -> str:
    name = _SEGMENTS.get(segment[0], segment[0])
    if segment[0] in ("NM1", "N1") and len(segment) > 1:
        return _ENTITIES.get(segment[1], name)
    if segment[0] == "HL" and len(segment) > 3:
        return f"level: {_LEVELS.get(segment[3], segment[3])}"
    return name


def _body(segment: list[str], *, mask: bool) -> str:
    shown = masked(segment) if mask else segment
    amounts = _AMOUNTS.get(segment[0], ())
    return "  ".join(
        _money(value) if index in amounts else value for index, value in enumerate(shown) if index and value.strip()
    )


_HEADS = frozenset(("CLM", "CLP", "TRN"))
_LOOP_DEPTH = {
    "211": 3,
    "222": 3,
    "240": 2,
    "241": 2,
    "242": 2,
    "243": 3,
    "230": 2,
    "231": 2,
    "232": 2,
    "233": 2,
    "220": 2,
}


class _Depth:
    """How far a segment is indented: envelope, then the depth of its hierarchy level and loop."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self.base = 2

    def of(self, segment: list[str], loop: str) -> int:
        """Indentation steps of a segment."""
        name = segment[0]
        if name in ("ISA", "IEA"):
            return 0
        if name in ("GS", "GE", "TA1"):
            return 1
        if name in ("ST", "SE"):
            self.levels, self.base = {}, 3
            return 2
        if name == "HL" and len(segment) > 2:
            self.base = self.levels.get(segment[2], 2) + 1
            self.levels[segment[1]] = self.base
            return self.base
        steps = 0 if name in _HEADS else _LOOP_DEPTH.get(loop[:3], 1)
        return self.base + steps - (0 if self.levels else 1)


def explain(source: Source, *, mask: bool = True) -> Iterator[str]:
    """One line per segment: indented, named, with the loop it stands in and amounts as money. X12Error as the reader.

    mask hides names, identifiers, dates, codes and notes of persons.
    """
    cursor = Cursor(source)
    depth = _Depth()
    walker: Walker | None = None
    group: list[str] = []
    while cursor.advance():
        segment, loop = cursor.segment, ""
        if cursor.id == "GS":
            group = cursor.e
        elif cursor.id == "ST":
            guide = guide_for(cursor.e[1], cursor.e[3] or (group[8] if group else ""))
            walker = Walker(GuideMemory(guide), Collector(ValidationContext(maximum_findings=0)), {}) if guide else None
        if walker is not None:
            use = walker.feed("*".join(segment), segment)
            loop = use.loop if use is not None else ""
        if cursor.id == "SE":
            walker = None
        name = segment_name(segment[0]) if mask else segment[0]
        label = f"{name:<3} {_title([name, *segment[1:]])}"
        where = f"  [{loop}]" if loop else ""
        yield f"{'  ' * depth.of(segment, loop)}{label}{where}: {_body(segment, mask=mask)}"
