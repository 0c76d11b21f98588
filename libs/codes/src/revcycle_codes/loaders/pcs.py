"""ICD-10-PCS tables: the codes that the rows of each table allow, built axis by axis."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import product

from revcycle_codes.loaders.layout import text_of
from revcycle_codes.model import CodesError
from revcycle_codes.table import BILLABLE, CodeRow

_ROOT = "ICD10PCS.tabular"
_HEAD, _TAIL = ("1", "2", "3"), ("4", "5", "6", "7")
Axis = list[tuple[str, str]]


def read_pcs_tables(content: bytes) -> list[CodeRow]:
    """Every code of a tables file: `pcsTable/axis[@pos=1..3]` and, for each `pcsRow`, `axis[@pos=4..7]/label[@code]`.

    Descriptions are the labels in order. Raises CodesError naming the table or axis that is not so.
    """
    try:
        root = ElementTree.fromstring(text_of(content))
    except ElementTree.ParseError as error:
        raise CodesError(f"PCS tables: not well-formed XML at line {error.position[0]}") from None
    if root.tag != _ROOT:
        raise CodesError(f"PCS tables: root element is {root.tag!r}, expected {_ROOT!r}")
    rows = {row.code: row for table in root.findall("pcsTable") for row in _codes(table)}
    if not rows:
        raise CodesError("PCS tables: no element 'pcsTable' with a 'pcsRow'")
    return [rows[code] for code in sorted(rows)]


def _codes(table: ElementTree.Element) -> Iterator[CodeRow]:
    head = _axes(table, _HEAD, "pcsTable")
    for row in table.findall("pcsRow"):
        for labels in product(*head, *_axes(row, _TAIL, "pcsRow")):
            yield CodeRow("".join(code for code, _ in labels), ", ".join(text for _, text in labels), BILLABLE)


def _axes(element: ElementTree.Element, positions: tuple[str, ...], where: str) -> list[Axis]:
    by_position = {axis.get("pos"): axis for axis in element.findall("axis")}
    found = []
    for position in positions:
        axis = by_position.get(position)
        labels = [] if axis is None else axis.findall("label")
        if not labels or any(len(label.get("code", "")) != 1 for label in labels):
            raise CodesError(f"PCS tables: axis {position} of a {where} has no labels with a one-character code")
        found.append([(label.get("code", ""), (label.text or "").strip()) for label in labels])
    return found
