"""Why a segment does not match its guide: the slow diagnosis behind IK3/IK4, run only on segments that fail."""

import re
from datetime import date

from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.guides.model import DATE, TIME, Element, SegmentUse
from revcycle_edi.x12.validation.context import Collector
from revcycle_edi.x12.values import parse_date

_CHARS = re.compile(r"[ -)+-9;-\]_-}]*")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)")
_DATE, _TIME = re.compile(DATE), re.compile(TIME)
_EXPECTED = {
    "D8": "a date CCYYMMDD",
    "D6": "six digits",
    "TM": "a time HHMM, HHMMSS or HHMMSSDD",
    "R": "a number without sign but minus, with at most one point",
}


def expected_text(element: Element) -> str:
    """What an element may hold, in words."""
    if element.kind == "code":
        return "one of " + ", ".join(sorted(element.codes)[:24])
    if element.kind == "AN":
        return f"{element.low} to {element.high} characters"
    if element.kind == "N":
        return f"a whole number of {element.low} to {element.high} digits"
    if element.kind == "composite":
        return f"at most {len(element.parts)} components"
    if element.kind == "period":
        return "one of " + ", ".join(element.formats)
    return _EXPECTED.get(element.kind, "nothing")


def diagnose(use: SegmentUse, segment: list[str], out: Collector) -> None:
    """Report every element of a segment that breaks its guide."""
    elements = segment[1:]
    index = 0
    for element in use.elements:
        value = elements[index] if index < len(elements) else ""
        name = f"{index + 1:02d}"
        if element.kind == "period":
            text = elements[index + 1] if index + 1 < len(elements) else ""
            _period(element, value, text, index, out)
            index += 2
            continue
        _value(element, value, name, out)
        index += 1
    if len(elements) > index:
        _report(
            out, f"{index + 1:02d}", "3", "the segment has more elements than the guide", f"at most {index} elements"
        )
    while elements and not elements[-1]:
        _report(out, f"{len(elements):02d}", "3", "empty element at the end of the segment", "no trailing separators")
        elements = elements[:0]


def relations(use: SegmentUse, segment: list[str], out: Collector) -> bool:
    """Report broken syntax notes (conditional elements); True when there is none."""
    clean = True
    for relation in use.relations:
        present = [i < len(segment) and bool(segment[i]) for i in relation.elements]
        first = relation.elements[0]
        if relation.kind == "P" and any(present) != all(present):
            missing = relation.elements[present.index(False)]
            _report(
                out,
                f"{missing:02d}",
                "2",
                "elements that belong together are not all there",
                _together(relation.elements),
            )
        elif relation.kind == "C" and present[0] and not all(present):
            missing = relation.elements[present.index(False)]
            _report(out, f"{missing:02d}", "2", f"element {first:02d} needs another one", _together(relation.elements))
        elif relation.kind == "A" and not any(present):
            _report(out, f"{first:02d}", "2", "none of several elements is there", "at least one of them")
        else:
            continue
        clean = False
    return clean


def _together(elements: tuple[int, ...]) -> str:
    return "all of " + ", ".join(f"{e:02d}" for e in elements)


def _report(out: Collector, element: str, code: str, message: str, expected: str) -> None:
    rule = f"999.element.{code.lower()}"
    out.add(rule, message, codes=("IK304:8", f"IK403:{code}"), expected=expected, element=element)


def _period(element: Element, qualifier: str, text: str, index: int, out: Collector) -> None:
    name, value_name = f"{index + 1:02d}", f"{index + 2:02d}"
    if qualifier not in element.formats:
        code = "7" if qualifier else "1"
        _report(out, name, code, "the date format is not one of the guide", expected_text(element))
        return
    good = {
        "D8": lambda: _real_dates(text),
        "RD8": lambda: text.count("-") == 1 and _real_dates(*text.split("-")),
        "TM": lambda: bool(_TIME.fullmatch(text)),
        "DT": lambda: len(text) == 12 and _real_dates(text[:8]) and bool(_TIME.fullmatch(text[8:])),
    }[qualifier]()
    if not good:
        code = "1" if not text else "9" if qualifier == "TM" else "8"
        _report(out, value_name, code, f"not a date or time as {qualifier} announces it", f"format {qualifier}")


def _real_dates(*texts: str) -> bool:
    try:
        found = [parse_date(text) for text in texts]
    except X12Error:
        return False
    return date(1800, 1, 1) <= found[0] <= date(2099, 12, 31)


def _value(element: Element, value: str, name: str, out: Collector) -> None:
    if not value:
        if element.required:
            _report(out, name, "1", "a required element is missing", expected_text(element))
        return
    if element.kind == "B":
        return
    if element.kind == "unused":
        _report(out, name, "I10", "the guide does not use this element", "nothing")
        return
    values = value.split("^")
    if len(values) > 1 and not element.repeats:
        _report(out, name, "12", "the element may not repeat", "one value")
        return
    for single in values:
        if element.kind == "composite":
            _components(element, single, name, out)
        else:
            _simple(element, single, name, out)


def _components(element: Element, value: str, name: str, out: Collector) -> None:
    parts = value.split(":")
    if len(parts) > len(element.parts):
        _report(out, name, "3", "the composite has more components than the guide", expected_text(element))
    for index, part in enumerate(element.parts):
        _value(part, parts[index] if index < len(parts) else "", f"{name}-{index + 1}", out)


def _simple(element: Element, value: str, name: str, out: Collector) -> None:
    if element.kind != "composite" and ":" in value:
        _report(out, name, "13", "a simple element holds components", expected_text(element))
    elif not _CHARS.fullmatch(value):
        _report(out, name, "6", "a character that X12 does not allow", "basic and extended characters")
    elif element.kind == "code" and value not in element.codes:
        _report(out, name, "7", "a code the guide does not list", expected_text(element))
    elif element.kind in ("AN", "N"):
        _sized(element, value, name, out)
    elif element.kind == "R" and not _NUMBER.fullmatch(value):
        _report(out, name, "6", "not a number", expected_text(element))
    elif element.kind == "D8" and not _real_dates(value):
        _report(out, name, "8", "not a calendar date", expected_text(element))
    elif element.kind == "D6" and not (value.isdecimal() and len(value) == 6):
        _report(out, name, "8", "not a short date", expected_text(element))
    elif element.kind == "TM" and not _TIME.fullmatch(value):
        _report(out, name, "9", "not a time of day", expected_text(element))


def _sized(element: Element, value: str, name: str, out: Collector) -> None:
    size = len(value.lstrip("-")) if element.kind == "N" else len(value)
    if element.kind == "N" and not value.removeprefix("-").isdecimal():
        _report(out, name, "6", "not a whole number", expected_text(element))
    elif size < element.low:
        _report(out, name, "4", "the element is too short", expected_text(element))
    elif size > element.high:
        _report(out, name, "5", "the element is too long", expected_text(element))
