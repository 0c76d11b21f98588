"""ICD-10-CM and PCS release files: order files, code lists and index tables."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from msgspec import Struct

from revcycle_codes.loaders.layout import LayoutError, records, text_of
from revcycle_codes.model import CodesError
from revcycle_codes.table import BILLABLE, CodeRow

_BLANKS = (5, 13, 15, 76)  # positions 6, 14, 16 and 77


def read_order_file(content: bytes) -> list[CodeRow]:
    """`icd10cm_order_YYYY.txt` and its PCS twin: 1-5 order number, 7-13 code, 15 billable flag, 17-76 short and 78-
    long description, blanks between. Raises LayoutError naming the column that is not so.
    """
    rows = []
    for number, line in enumerate(text_of(content).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"order file line {number}"
        if not line[:5].isdecimal():
            raise LayoutError(where, "order number", "(positions 1-5) is no number")
        if any(line[place : place + 1].strip() for place in _BLANKS):
            raise LayoutError(where, "code", "(positions 7-13) does not stand between blanks")
        if line[14:15] not in ("0", "1"):
            raise LayoutError(where, "header flag", "(position 15) is neither 0 nor 1")
        code = line[6:13].strip()
        if not code:
            raise LayoutError(where, "code", "(positions 7-13) is empty")
        rows.append(CodeRow(code, line[77:].strip() or line[16:76].strip(), BILLABLE if line[14] == "1" else 0))
    if not rows:
        raise LayoutError("order file", "order number", "is missing: the file is empty")
    return rows


class IndexEntry(Struct, frozen=True, kw_only=True):
    """One entry of an index: its path of terms, its non-essential modifiers and where it leads.

    `codes` are in key order of their columns (one for the alphabetic indexes, six for neoplasms and drugs; "" = none).
    """

    path: tuple[str, ...]
    modifiers: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    see: str = ""
    see_also: str = ""


_HEADS = (
    ("RowID", "Letter", "Level", "Term", "See", "SeeAlso", "NonEssModif", "Code"),
    (
        "RowID",
        "Letter",
        "Level",
        "Term",
        "SeeAlso",
        "NonEssModif",
        "PoisoningAccidental",
        "PoisoningIntentionalSelfHarm",
        "PoisoningAssault",
        "PoisoningUndetermined",
        "AdverseEffect",
        "Underdosing",
    ),
    (
        "RowID",
        "Level",
        "Term",
        "SeeAlso",
        "NonEssModif",
        "MalignantPrimary",
        "MalignantSecondary",
        "CaInSitu",
        "Benign",
        "UncertainBehavior",
        "UnspecifiedBehavior",
    ),
)


def read_index_csv(content: bytes) -> list[IndexEntry]:
    """An index as a table with levels: alphabetic, external causes, drugs or neoplasms, told apart by the header."""
    text = text_of(content)
    first = text.split("\n", 1)[0].strip().split(",")
    head = max(_HEADS, key=lambda one: len(set(one) & set(first)))
    stack: list[str] = []
    entries = []
    cells = head[head.index("NonEssModif") + 1 :]
    for record in records("index", text, head):
        level = int(record["Level"] or 0)
        del stack[level:]
        stack.extend([""] * (level - len(stack)))
        stack.append(record["Term"].strip())
        entries.append(
            IndexEntry(
                path=tuple(term for term in stack if term),
                modifiers=_split(record["NonEssModif"]),
                codes=tuple("" if record[cell] in ("--", "-") else record[cell] for cell in cells),
                see=record.get("See", "").strip(),
                see_also=record["SeeAlso"].strip(),
            )
        )
    return entries


def _split(modifiers: str) -> tuple[str, ...]:
    inner = modifiers.replace(")", "(").split("(")
    return tuple(part.strip() for part in inner if part.strip())


def read_index(content: bytes) -> list[IndexEntry]:
    """An index in either layout, packed or not. Raises CodesError."""
    xml = text_of(content).lstrip("\ufeff \r\n").startswith("<")
    return read_index_xml(content) if xml else read_index_csv(content)


def read_index_xml(content: bytes) -> list[IndexEntry]:
    """An index as published: `ICD10CM.index/letter/mainTerm/term…` with `title/nemod`, `code` or `cell[@col]`."""
    if content.startswith(b"\x1f\x8b"):
        content = text_of(content).encode()
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise CodesError(f"index: not well-formed XML at line {error.position[0]}") from None
    if root.tag != "ICD10CM.index":
        raise CodesError(f"index: root element is {root.tag!r}, expected 'ICD10CM.index'")
    if root.find("letter/mainTerm") is None:
        raise CodesError("index: no element 'mainTerm' under 'letter'")
    return [entry for term in root.findall("letter/mainTerm") for entry in _terms(term, ())]


def _terms(term: ElementTree.Element, above: tuple[str, ...]) -> Iterator[IndexEntry]:
    title = term.find("title")
    if title is None:
        raise CodesError(f"index: an entry below {'; '.join(above) or 'a letter'} has no 'title'")
    words = [title.text or "", *(part.tail or "" for part in title)]
    path = (*above, " ".join(" ".join(words).split()))
    cells = {cell.get("col", ""): (cell.text or "").strip() for cell in term.findall("cell")}
    code = term.findtext("code", "").strip()
    codes = tuple("" if cells.get(str(col), "--") in ("--", "-") else cells[str(col)] for col in range(2, 8))
    yield IndexEntry(
        path=path,
        modifiers=tuple(one for part in title.findall("nemod") for one in _split(part.text or "")),
        codes=codes if cells else (code,),
        see=term.findtext("see", "").strip(),
        see_also=term.findtext("seeAlso", "").strip(),
    )
    for child in term.findall("term"):
        yield from _terms(child, path)
