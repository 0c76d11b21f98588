"""ICD-10-CM tabular list, XML layout: codes, texts, instruction notes and seventh characters.

Layout (NCHS): `ICD10CM.tabular/chapter/section/diag…`, each with `name`, `desc` and note holders. Seventh-character
codes are not listed; they follow from the nearest `sevenChrDef` above a leaf, padded with X to six characters.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from revcycle_codes.instructions import NOTE_KINDS, CharacterFilter, CodeRange, Note
from revcycle_codes.model import CodesError
from revcycle_codes.table import BILLABLE, CodeRow

_ROOT = "ICD10CM.tabular"
_LENGTH = 7
_REFERENCE = re.compile(
    r"\b([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{0,4})?)(-?)(?:-([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?)-?)?(?![A-Za-z])"
)
_CHARACTERS = re.compile(
    r"with (?P<which>fifth or sixth|fifth|5th|sixth|6th|7th|seventh) characters?"
    r" (?P<wanted>[0-9A-Z](?:[-0-9A-Z, or]*[0-9A-Z])?)"
)
_ENDINGS = re.compile(r"with (?:final characters? )?(?P<wanted>[-.][0-9A-Z]+(?:-[-.][0-9A-Z]+)?)")
_EXCEPTION = re.compile(
    r"7th characters (?P<characters>[A-Z](?:(?:,| and) [A-Z])*) do not apply to codes in category (?P<category>\w+)"
    r" with 6th character (?P<sixth>.*)"
)
_POSITIONS = {
    "fifth or sixth": (4, 5),
    "fifth": (4,),
    "5th": (4,),
    "sixth": (5,),
    "6th": (5,),
    "seventh": (6,),
    "7th": (6,),
}


class TabularNode(Struct, frozen=True, kw_only=True):
    """One `diag` element, or a code that a seventh character makes (`extension_of` its parent)."""

    code: str
    description: str
    parent: str | None
    leaf: bool
    inclusion_terms: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    seventh: dict[str, str] = field(default_factory=dict)
    extension_of: str | None = None


class Tabular(Struct, frozen=True, kw_only=True):
    """A read tabular list: nodes in document order, then the instruction notes of every level."""

    version: str
    nodes: list[TabularNode]
    notes: list[Note]


def read_tabular(content: bytes) -> Tabular:
    """Parse a tabular XML file. Raises CodesError naming the element that is not what the layout says."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise CodesError(f"tabular list: not well-formed XML at line {error.position[0]}") from None
    if root.tag != _ROOT:
        raise CodesError(f"tabular list: root element is {root.tag!r}, expected {_ROOT!r}")
    chapters = root.findall("chapter")
    if not chapters:
        raise CodesError("tabular list: no element 'chapter' under the root")
    reading = _Reading(exceptions=list(_seventh_exceptions(root)))
    notes = reading.notes
    for chapter in chapters:
        span = _section_span(chapter)
        notes.extend(_notes(chapter, f"chapter-{chapter.findtext('name', '')}", span))
        for section in chapter.findall("section"):
            label = section.get("id", "")
            low, _, high = label.partition("-")
            notes.extend(_notes(section, label, CodeRange(low, high or low)))
            for diag in section.findall("diag"):
                _read_diag(diag, None, {}, reading)
    return Tabular(version=root.findtext("version", ""), nodes=reading.nodes, notes=notes)


def tabular_rows(nodes: Iterable[TabularNode]) -> Iterator[CodeRow]:
    """Code-list rows of a tabular list: headers and leaves, the latter billable."""
    return (CodeRow(node.code, node.description, BILLABLE if node.leaf else 0) for node in nodes)


def code_ranges(text: str) -> list[CodeRange]:
    """The code references inside the brackets of a note, with their character conditions.

    >>> code_ranges("poisoning by drugs (T36-T50 with fifth or sixth character 1-4)")[0].low
    'T36'
    """
    found: list[CodeRange] = []
    for inner in re.findall(r"\(([^()]*)\)", text):
        condition = _condition(inner)
        for match in _REFERENCE.finditer(inner):
            low = match[1].replace(".", "")
            high = match[3].replace(".", "") if match[3] else low
            found.append(CodeRange(low, high, condition))
    return found


def _condition(text: str) -> CharacterFilter | None:
    if match := _CHARACTERS.search(text):
        return CharacterFilter(positions=_POSITIONS[match["which"]], characters=_expand(match["wanted"]))
    if match := _ENDINGS.search(text):
        ends = [part.lstrip(".-") for part in re.findall(r"[-.][0-9A-Z]+", match["wanted"])]
        if len(ends) == 2 and ends[0].isdecimal() and ends[1].isdecimal():
            ends = [str(number) for number in range(int(ends[0]), int(ends[1]) + 1)]
        return CharacterFilter(endings=tuple(ends))
    return None


def _expand(wanted: str) -> str:
    """`1-4 or 6` becomes `12346`."""
    result = ""
    for part in re.findall(r"[0-9A-Z](?:-[0-9A-Z])?", wanted):
        first, _, last = part.partition("-")
        result += "".join(chr(number) for number in range(ord(first), ord(last or first) + 1))
    return result


def _section_span(chapter: ElementTree.Element) -> CodeRange:
    spans = [section.get("id", "") for section in chapter.findall("section")]
    lows = [span.partition("-")[0] for span in spans]
    highs = [span.rpartition("-")[2] for span in spans]
    return CodeRange(min(lows, default=""), max(highs, default=""))


def _texts(element: ElementTree.Element, holder: str) -> tuple[str, ...]:
    return tuple(note.text.strip() for note in element.findall(f"{holder}/note") if note.text)


def _notes(element: ElementTree.Element, owner: str, span: CodeRange) -> Iterator[Note]:
    for kind in NOTE_KINDS:
        for ordinal, text in enumerate(_texts(element, kind), start=1):
            ranges = code_ranges(text)
            if ranges:
                yield Note(owner=owner, span=span, kind=kind, ordinal=ordinal, ranges=ranges, text=text)


class _Reading(Struct):
    exceptions: list[tuple[str, str, str]]
    nodes: list[TabularNode] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def applies(self, stem: str, character: str) -> bool:
        return not any(
            stem.startswith(category) and stem[-1] in sixth and character in characters
            for category, sixth, characters in self.exceptions
        )


def _seventh_exceptions(root: ElementTree.Element) -> Iterator[tuple[str, str, str]]:
    """Category, sixth characters and the seventh characters that do not apply there, from the notes in words."""
    for note in root.iter("note"):
        if match := _EXCEPTION.search(note.text or ""):
            sixth = "".join(re.findall(r"\b(\w) - ", match["sixth"]))
            yield match["category"], sixth, "".join(re.findall(r"[A-Z]", match["characters"]))


def _read_diag(diag: ElementTree.Element, parent: str | None, inherited: dict[str, str], reading: _Reading) -> None:
    name = diag.findtext("name")
    if not name:
        raise CodesError(f"tabular list: a 'diag' element below {parent or 'a section'} has no 'name'")
    code = name.replace(".", "")
    own = {
        one.get("char", ""): (one.text or "").strip()
        for one in diag.findall("sevenChrDef/extension")
        if one.get("char")
    }
    seventh = own or inherited
    children = diag.findall("diag")
    extends = bool(seventh) and not children and len(code) < _LENGTH
    description = (diag.findtext("desc") or "").strip()
    reading.notes.extend(_notes(diag, code, CodeRange(code, code)))
    reading.nodes.append(
        TabularNode(
            code=code,
            description=description,
            parent=parent,
            leaf=not children and not extends,
            inclusion_terms=_texts(diag, "inclusionTerm"),
            includes=_texts(diag, "includes"),
            seventh=own,
        )
    )
    for child in children:
        _read_diag(child, code, seventh, reading)
    if extends:
        reading.nodes.extend(_extensions(code, description, seventh, reading))


def _extensions(code: str, description: str, seventh: dict[str, str], reading: _Reading) -> Iterator[TabularNode]:
    stem = code.ljust(_LENGTH - 1, "X")
    for character, text in seventh.items():
        if reading.applies(stem, character):
            full = f"{description}, {text}"
            yield TabularNode(code=stem + character, description=full, parent=code, leaf=True, extension_of=code)
